"""The desk's pages: the board, a case, tasks, brakes, the team; and one lender never another."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.domain.roles import Role
from app.store.keys import new_id
from tests.flows.street import Neighbour, Street
from tests.rig import make_lender
from tests.web.conftest import Browser, Desk, OpenBrowser, desk_of
from tests.web.reading import Page

pytestmark = pytest.mark.anyio

PAGES = ["/", "/?pile=mine", "/?pile=later", "/?pile=others", "/promises", "/promises?state=broken",
         "/hand-over", "/cases", "/cases?closed=1", "/consents", "/performance",
         "/performance/people",
         "/controls", "/portfolio", "/observe", "/team", "/account", "/agencies", "/rules",
         "/rules/es"]  # fmt: skip


async def with_a_task(street: Street) -> tuple[Neighbour, UUID]:
    """Somebody who let his link run out: his case waits for a person."""
    who = await street.neighbour()
    await street.money_seen(who)
    await street.tick()
    street.hands.go_on(hours=30)
    await street.tick()
    assert await street.tasks(who) == ["link_unpaid"]
    return who, await street.value("SELECT id FROM tasks")


# Between them they see every page.
SEEING = {Role.COLLECTOR, Role.COMPLIANCE, Role.ADMIN}


@pytest.mark.parametrize(
    "role",
    [role if role in SEEING else pytest.param(role, marks=pytest.mark.long) for role in Role],
)
async def test_every_page_is_whole_for_every_role(
    role: Role, street: Street, sign_in_as: Desk
) -> None:
    who, _task = await with_a_task(street)
    desk: Browser = await sign_in_as(role)
    case = who.cases[0]
    for path in [*PAGES, f"/cases/{case}", f"/placements/propose?case={case}"]:
        page = await desk.open(path)
        assert page.problems == [], path
        assert page.title.endswith("Saldo"), path
        assert page.lang == "en"
        assert desk.status in {200, 403}, path


async def test_a_task_says_why_and_is_taken_given_back_and_finished(
    street: Street, sign_in_as: Desk
) -> None:
    who, _task = await with_a_task(street)
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open("/")
    for words in ("Payment link was not used", "Ana Núñez", "€120.00", "Just came in"):
        assert words in page.text, words
    page = await desk.send(page, "take")
    assert "The task is yours" in page.text
    assert page.has("finish"), "it opens where the outcome is said, and the number to call stands"
    assert await street.value("SELECT state FROM tasks") == "taken"
    page = await desk.open("/?pile=mine")
    page = await desk.send(page, "release")
    assert "back on the board" in page.text
    page = await desk.open(f"/cases/{who.cases[0]}")
    # Before it is taken there is nothing to finish.
    assert not page.has("finish")
    page = await desk.send(page, "take")
    page = await desk.send(page, "finish", outcome="reached", note="Pays on Friday", called="1")
    assert "Noted" in page.text
    assert "Task finished" in page.text
    task = (await street.rows("SELECT state, outcome, note FROM tasks"))[0]
    assert tuple(task) == ("done", "reached", "Pays on Friday")
    assert await street.value("SELECT count(*) FROM contacts WHERE channel = 'call'") == 1
    page = await desk.open("/")
    assert "Nothing waits for a person" in page.text


async def test_two_collectors_cannot_hold_one_task(
    street: Street, browser: OpenBrowser, sign_in_as: Desk
) -> None:
    await with_a_task(street)
    one: Browser = await sign_in_as(Role.COLLECTOR)
    two: Browser = await sign_in_as(Role.COLLECTION_MANAGER)
    first, second = await one.open("/"), await two.open("/")
    await one.send(first, "take")
    assert one.status == 200
    page = await two.send(second, "take")
    assert two.status == 409
    assert "Somebody was faster" in page.text
    page = await two.open("/?pile=others")
    assert "with Pat collector" in page.text
    assert not page.has("release")


async def test_the_case_tells_its_story_with_rules_and_inputs(
    street: Street, sign_in_as: Desk
) -> None:
    who = await street.neighbour()
    await street.money_seen(who)
    await street.tick()
    # Reads with the borrower present are free; this one was not.
    await street.rows("UPDATE read_attempts SET attended = false RETURNING 1")
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open(f"/cases/{who.cases[0]}")
    for words in (
        "Case opened",
        "Money is there: enough for what is due",
        "Decided: send a payment link",
        "Contact rules: allowed",
        "Rules checked",
        "Text sent",
        "Readings left today",
        "3of 4 unattended",
        "A payment link works until",
        who.phone,
    ):
        assert words in page.text, words
    compliance: Browser = await sign_in_as(Role.COMPLIANCE)
    page = await compliance.open(f"/cases/{who.cases[0]}")
    assert who.phone not in page.text
    assert not page.has("take")


async def test_the_reference_on_the_phone_is_the_one_on_the_desk(
    street: Street, browser: OpenBrowser, sign_in_as: Desk
) -> None:
    who = await street.neighbour()
    await street.money_seen(who)
    await street.tick()
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open(f"/cases/{who.cases[0]}")
    code = page.text.split("Reference on his page: ")[1].split(".")[0].strip()
    shown = await browser().open(f"/p/{street.token_on(who)}?lang=en")
    assert code in shown.text


async def test_a_hold_rests_the_case_and_only_leads_lift_it(
    street: Street, sign_in_as: Desk
) -> None:
    who = await street.neighbour()
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    address = f"/cases/{who.cases[0]}"
    page = await desk.open(address)
    page = await desk.send(page, "hold", kind="hardship", reason="")
    assert desk.status == 422
    past = (street.now - timedelta(days=2)).date().isoformat()
    page = await desk.send(page, "hold", kind="hardship", reason="Wages late", until=past)
    assert desk.status == 422
    # Promises have a form of their own; what was set before is still read.
    page = await desk.send(page, "hold", kind="promise", reason="Pays on Friday")
    assert desk.status == 422
    until = (street.now + timedelta(days=4)).date()
    page = await desk.send(
        page, "hold", kind="hardship", reason="Wages late", until=until.isoformat()
    )
    assert "The hold is set" in page.text
    assert "Cannot pay now" in page.text
    assert not page.has("lift")
    hold = (await street.rows("SELECT case_id, ends_at, set_by FROM holds"))[0]
    assert hold.case_id == who.cases[0]
    assert hold.ends_at.date() == until
    assert hold.set_by.startswith("collector@")
    lead: Browser = await sign_in_as(Role.COMPLIANCE)
    page = await lead.open(address)
    page = await lead.send(page, "lift", reason="Wages came")
    assert "The hold is lifted" in page.text


async def test_texts_are_stopped_and_consents_withdrawn_because_he_asked(
    street: Street, sign_in_as: Desk
) -> None:
    who = await street.neighbour()
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open(f"/cases/{who.cases[0]}")
    page = await desk.send(page, "stop", channel="sms")
    assert "left alone that way" in page.text
    # Calls and e-mails are stopped as well when he asks for it, and who heard it is told.
    page = await desk.send(await desk.open(f"/cases/{who.cases[0]}"), "stop", channel="call")
    page = await desk.open(f"/cases/{who.cases[0]}")
    assert "The borrower does not want calls." in page.text
    assert "Borrower wants no more calls" in page.text
    rows = await street.rows("SELECT channel FROM opt_outs ORDER BY channel")
    assert [row.channel for row in rows] == ["call", "sms"]
    heard = await street.rows("SELECT DISTINCT actor FROM timeline WHERE kind = 'opt_out'")
    assert [row.actor.partition("@")[0] for row in heard] == ["collector"]
    page = await desk.open("/consents")
    assert "In force" in page.text
    page = await desk.send(page, "withdraw")
    assert "Withdrawn" in page.text
    assert await street.states("consents", who) == ["withdrawn"]


async def test_searching_finds_by_name_reference_and_number(
    street: Street, sign_in_as: Desk
) -> None:
    who = await street.neighbour()
    await street.neighbour(phone="")
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    for wanted, found in (
        ("núñez", 2),
        (who.ref, 1),
        (f"{who.ref}-L0", 1),
        (who.phone, 1),
        ("nobody", 0),
        ("%", 0),
    ):
        page = await desk.open("/cases", params={"find": wanted})
        assert page.text.count("Ana Núñez") == found, wanted


async def test_switches_and_modes_ask_for_a_reason_and_are_written_down(
    street: Street, sign_in_as: Desk
) -> None:
    lead: Browser = await sign_in_as(Role.COLLECTION_MANAGER)
    page = await lead.open("/controls")
    assert "Saldo proposes a write-off, and two people decide" in page.text
    form = next(one for one in page.forms if one.step == "halt" and one.fields["brake"] == "sms")
    answer = await lead.http.post(form.action, data={**form.fields, "reason": " "})
    assert answer.status_code == 422
    await lead.http.post(form.action, data={**form.fields, "reason": "Wrong amounts seen"})
    assert await street.value("SELECT halted FROM stop_switches WHERE channel = 'sms'") is True
    page = await lead.open("/")
    assert "Stopped: text messages" in page.text
    # An admin may stop, never let go on.
    admin: Browser = await sign_in_as(Role.ADMIN)
    page = await admin.open("/controls")
    assert page.has("halt")
    assert not page.has("go-on")
    page = await lead.open("/controls")
    page = await lead.send(page, "go-on", reason="Checked")
    assert "Running again" in page.text
    page = await lead.send(page, "observe-only", reason="Try first")
    assert "Observe-only mode is on" in page.text
    rows = await street.rows("SELECT act, reason FROM audit ORDER BY id")
    assert [(row.act, row.reason) for row in rows if row.act != "add_user"] == [
        ("halt", "Wrong amounts seen"),
        ("let_go_on", "Checked"),
        ("set_observe_only", "Try first"),
    ]


async def test_only_compliance_sets_the_floor_with_a_reason(
    street: Street, sign_in_as: Desk
) -> None:
    compliance: Browser = await sign_in_as(Role.COMPLIANCE)
    page = await compliance.open("/controls")
    page = await compliance.send(page, "floor", amount="9,00", reason="")
    assert compliance.status == 422
    page = await compliance.send(page, "floor", amount="900,50", reason="Agreed with the board")
    assert "The protected floor is changed" in page.text
    assert "€900.50" in page.text
    row = (await street.rows("SELECT floor_minor, floor_reason FROM lenders"))[0]
    assert tuple(row) == (90_050, "Agreed with the board")
    page = await compliance.send(page, "floor", amount="", reason="Back to the law")
    assert await street.value("SELECT floor_minor FROM lenders") is None
    lead: Browser = await sign_in_as(Role.COLLECTION_MANAGER)
    assert not (await lead.open("/controls")).has("floor")


async def test_observing_shows_what_would_have_left(street: Street, sign_in_as: Desk) -> None:
    await street.rows("UPDATE lenders SET observe_only = true RETURNING 1")
    who = await street.neighbour()
    await street.money_seen(who)
    await street.tick()
    assert street.texts_to(who) == 0
    lead: Browser = await sign_in_as(Role.COLLECTION_MANAGER)
    page = await lead.open("/observe")
    assert who.ref in page.text
    assert "Préstamos Sol" in page.text
    assert page.problems == []
    page = await lead.open(f"/cases/{who.cases[0]}")
    assert "Text would have been sent" in page.text


async def test_the_team_is_made_and_changed_by_its_admin(
    street: Street, browser: OpenBrowser, sign_in_as: Desk
) -> None:
    admin: Browser = await sign_in_as(Role.ADMIN)
    page = await admin.open("/team")
    new: dict[str, Any] = {
        "name": "Iris Sol",
        "email": "Iris@Sol.example",
        "role": "collector",
        "password": "iris has a password",
    }
    page = await admin.send(page, "add", **{**new, "password": "short"})
    assert "12 to 256" in page.text
    page = await admin.send(page, "add", **{**new, "email": "not one"})
    assert admin.status == 422
    page = await admin.send(page, "add", **new)
    assert "Iris Sol" in page.text
    page = await admin.send(page, "add", **new)
    assert "cannot be used" in page.text
    iris = browser()
    door = await iris.open("/sign-in")
    page = await iris.send(door, "sign-in", email="iris@sol.example", password=new["password"])
    assert "Iris" in page.text


# ------------------------------------------------------------------ one lender, never another


@pytest.mark.parametrize(
    "roles",
    [
        SEEING,
        # Without a place at the desk there is no form to forge with: see test_roles.
        pytest.param(set(Role) - {Role.INTEGRATION} - SEEING, marks=pytest.mark.long),
    ],
)
async def test_one_lenders_session_against_everything_of_another(
    roles: set[Role], street: Street, browser: OpenBrowser
) -> None:
    who, task_id = await with_a_task(street)
    ours = await desk_of(street, browser, Role.COLLECTOR)
    page = await ours.open(f"/cases/{who.cases[0]}")
    await ours.send(page, "hold", kind="other", reason="ours")
    hold_id = await street.value("SELECT id FROM holds")
    consent_id = await street.value("SELECT id FROM consents")
    user_id = await street.value("SELECT id FROM users")
    await ours.send(
        await ours.open(f"/cases/{who.cases[0]}"),
        "promise",
        pay_on_1=street.now.date().isoformat(),
    )
    promise_id = await street.value("SELECT id FROM promises")
    assert promise_id is not None
    before = await _everything(street)

    other = await make_lender(street.store, street.now)
    for role in sorted(roles):
        stranger = await desk_of(street, browser, role, lender_id=other)
        csrf = (await stranger.open("/account")).forms[0].fields["csrf"]
        for path in PAGES:
            page = await stranger.open(path)
            for secret in ("Núñez", who.ref, who.phone, str(who.cases[0])):
                assert secret not in page.text, (role, path, secret)
        tries = [
            (f"/tasks/{task_id}/take", {}),
            (f"/tasks/{task_id}/release", {}),
            (f"/tasks/{task_id}/finish", {"outcome": "resolved"}),
            (f"/cases/{who.cases[0]}/hold", {"kind": "other", "reason": "theirs"}),
            (f"/cases/{who.cases[0]}/holds/{hold_id}/lift", {"reason": "theirs"}),
            (f"/cases/{who.cases[0]}/stop-messages", {"channel": "sms"}),
            (f"/cases/{who.cases[0]}/promise", {"pay_on_1": "2026-03-06", "amount_1": "5"}),
            (f"/cases/{who.cases[0]}/promises/{promise_id}/cancel", {"reason": "theirs"}),
            (
                f"/cases/{who.cases[0]}/contact",
                {"channel": "call", "direction": "outbound", "made_at": "2026-03-04T10:00"},
            ),
            (f"/cases/{who.cases[0]}/remind", {"condition": "paid"}),
            (f"/cases/{who.cases[0]}/reminders/{hold_id}/drop", {}),
            ("/hand-over", {"from": str(user_id), "to": "board"}),
            (f"/consents/{consent_id}/withdraw", {}),
            (f"/team/{user_id}/role", {"role": "admin"}),
            (f"/team/{user_id}/disable", {}),
            (f"/team/{user_id}/password", {"password": "taken over by another"}),
        ]
        for path, fields in tries:
            answer = await stranger.http.post(path, data={"csrf": csrf, **fields})
            assert answer.status_code in {403, 404}, (role, path, answer.status_code)
        answer = await stranger.http.get(f"/cases/{who.cases[0]}")
        assert answer.status_code in {403, 404}
    assert await _everything(street) == before


async def _everything(street: Street) -> list[Any]:
    """What a stranger might have changed of ours."""
    found: list[Any] = []
    for query in (
        "SELECT state, taken_by FROM tasks",
        "SELECT state, ended_at FROM consents",
        "SELECT kind, lifted_at FROM holds",
        "SELECT count(*) FROM opt_outs",
        "SELECT role, disabled_at, password_hash FROM users WHERE lender_id = :lender",
        "SELECT count(*) FROM timeline",
        "SELECT state FROM promises",
        "SELECT count(*) FROM contacts",
        "SELECT count(*) FROM agent_reminders",
    ):
        values = {"lender": street.lender_id} if ":lender" in query else {}
        found.append([tuple(row) for row in await street.rows(query, **values)])
    return found


async def test_wrong_ids_lead_nowhere(sign_in_as: Desk) -> None:
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    for path in (f"/cases/{new_id()}", "/cases/1", "/cases/../../etc/passwd", "/consents?after=x"):
        page: Page = await desk.open(path)
        assert desk.status == 404, path
        assert page.problems == []
