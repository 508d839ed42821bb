"""The audit pages: every change with its old and new value, and who can get in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.errors import Conflict, NotAllowed
from app.domain.roles import Role
from app.flows.approvals.decide_approval import Word
from app.flows.lenders.confirm_access import confirm_access
from app.flows.lenders.make_key import make_key, revoke_key
from app.flows.lenders.manage_users import add_user, change_role, disable_user, set_password
from app.flows.lenders.set_observe_only import set_observe_only
from app.reports.audit_list import AT_MOST, GROUPS, changes_of
from app.web.pages.audit import GROUP_NAMES
from tests.flows.desk_people import Desk as People
from tests.flows.street import Street
from tests.rig import make_lender
from tests.web.conftest import PASSWORD, Browser, Desk, OpenBrowser, desk_of, hashed_password

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, []),
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, [("b", 2, 3)]),
        ({"a": 1}, {}, [("a", 1, None)]),
        ({}, {"a": False}, [("a", None, False)]),
        ({"b": 1, "a": 1}, {"c": 1}, [("b", 1, None), ("a", 1, None), ("c", None, 1)]),
    ],
)
def test_a_change_is_what_differs(
    before: dict[str, Any], after: dict[str, Any], expected: list[tuple[str, Any, Any]]
) -> None:
    assert [(one.name, one.before, one.after) for one in changes_of(before, after)] == expected


def test_every_group_has_a_name() -> None:
    assert set(GROUPS) == set(GROUP_NAMES)


async def test_a_change_shows_old_and_new_and_is_found(street: Street, sign_in_as: Desk) -> None:
    house, now, lender_id = street.house, street.now, street.lender_id
    user = await add_user(
        house, now, lender_id=lender_id, email="carla@sol.example", name="Carla",
        role=Role.COLLECTOR, password_hash="", actor="ada",
    )  # fmt: skip
    await change_role(
        house, now, lender_id=lender_id, user_id=user, role=Role.SUPERVISOR, actor="ada"
    )
    await set_observe_only(
        house, now, lender_id=lender_id, on=True, reason="We look first.", actor="coral"
    )
    await make_key(house, now, lender_id, "core banking", actor="operator")
    auditor = await sign_in_as(Role.AUDITOR)
    page = await auditor.open("/audit")
    assert page.problems == []
    assert "role: collector → supervisor" in page.text
    assert "observe only: no → yes" in page.text
    assert "We look first." in page.text
    assert "core banking" in page.text

    def asked(**more: str) -> str:
        return "/audit?" + "&".join(f"{name}={value}" for name, value in more.items())

    only = await auditor.open(asked(group="brakes"))
    assert "We look first." in only.text
    assert "collector → supervisor" not in only.text
    only = await auditor.open(asked(about="carla"))
    assert "collector → supervisor" in only.text
    assert "We look first." not in only.text
    only = await auditor.open(asked(actor="coral", group="people"))
    assert "Nothing of this kind was changed." in only.text
    for odd in ("%25", "_", "%27", "%22%3Cscript", "a%00b"):
        await auditor.open(asked(actor=odd, about=odd, group=odd, after=odd))
        assert auditor.status in {200, 400}, odd


async def test_the_history_goes_on_page_by_page(street: Street, sign_in_as: Desk) -> None:
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(
            text(
                "INSERT INTO audit (lender_id, id, at, actor, act, subject)"
                " SELECT :lender, gen_random_uuid(), :now, 'ada', 'halt', 'n' || n"
                " FROM generate_series(1, :many) n"
            ),
            {"lender": street.lender_id, "now": street.now, "many": AT_MOST + 5},
        )
    auditor = await sign_in_as(Role.AUDITOR)
    first = await auditor.open("/audit?group=brakes")
    link = next(one for one in first.links if "after=" in one)
    second = await auditor.open(link)
    assert first.text.count("Halt") == AT_MOST
    assert second.text.count("Halt") == 5


async def test_the_review_points_out_what_is_not_used(street: Street, sign_in_as: Desk) -> None:
    house, now, lender_id = street.house, street.now, street.lender_id
    people = {}
    for name in ("fresh", "idle", "gone", "away"):
        people[name] = await add_user(
            house, now, lender_id=lender_id, email=f"{name}@sol.example", name=name.title(),
            role=Role.COLLECTOR, password_hash=hashed_password(), actor="ada",
        )  # fmt: skip
    async with street.store.engine_unit() as unit:
        for name, days in (("idle", 91), ("gone", 5), ("away", 1)):
            await unit.conn.execute(
                text("UPDATE users SET seen_at = :seen WHERE id = :id"),
                {"seen": street.hands.real - timedelta(days=days), "id": people[name]},
            )
        await unit.conn.execute(
            text("UPDATE users SET away_until = '2026-12-24' WHERE id = :id"),
            {"id": people["away"]},
        )
    await disable_user(house, now, lender_id=lender_id, user_id=people["gone"], actor="ada")
    kept = await make_key(house, now, lender_id, "core banking", actor="operator")
    dropped = await make_key(house, now, lender_id, "old script", actor="operator")
    await revoke_key(house, now, dropped.id, actor="operator")
    admin = await sign_in_as(Role.ADMIN)
    page = await admin.open("/audit/access")
    assert page.problems == []
    for word in (
        "fresh@sol.example", "Never used", "Not used for long", "Disabled",
        "Away until", "by ada", kept.prefix, "Revoked",
    ):  # fmt: skip
        assert word in page.text, word
    assert kept.token not in page.text


async def email_of(street: Street, user_id: Any) -> str:
    return str(await street.value("SELECT email FROM users WHERE id = :id", id=user_id))


async def chooses_a_password(who: Browser, email: str = "") -> None:
    """Signs in with the one that an admin gave, unless he is there, and chooses his own."""
    if email:
        await who.send(await who.open("/sign-in"), "sign-in", email=email, password=PASSWORD)
    page = await who.open("/account")
    page = await who.send(page, "password", old=PASSWORD, new=PASSWORD, again=PASSWORD)
    assert "Choose another one" in page.text
    own = "words of his own in a row"
    await who.send(page, "password", old=PASSWORD, new=own, again=own)


async def test_whom_an_admin_lets_in_again_compliance_confirms(
    street: Street, sign_in_as: Desk
) -> None:
    """Somebody who left is no second pair of eyes because an admin says so."""
    who = await street.neighbour()
    desk = People(street)
    robot = await desk.robot_proposes(who.loans[0])
    await desk.endorses(robot.id)
    gone = await desk.person("april")
    admin, coral = await sign_in_as(Role.ADMIN), await sign_in_as(Role.COMPLIANCE)
    token = {"csrf": (await admin.open("/account")).forms[0].fields["csrf"]}
    # Of somebody who was never out nothing changes.
    await admin.http.post(f"/team/{gone}/enable", data=token)
    assert (
        await street.value("SELECT count(*) FROM users WHERE unconfirmed_since > '1970-1-1'") == 0
    )
    for act in ("disable", "enable"):
        await admin.http.post(f"/team/{gone}/{act}", data=token)
    with pytest.raises(NotAllowed) as refused:
        await desk.says(Word.APPROVE, robot.id, by="april")
    assert refused.value.code == "NotConfirmed"
    await coral.send(await coral.open("/audit/access"), "confirm")
    await desk.says(Word.APPROVE, robot.id, by="april")


async def test_an_admin_makes_himself_no_second_pair_of_eyes(
    street: Street, sign_in_as: Desk, browser: OpenBrowser
) -> None:
    """He adds an approver whose password he knows, and gives a real one a new password."""
    who = await street.neighbour()
    desk = People(street)
    robot = await desk.robot_proposes(who.loans[0])
    real = await desk.person("april")
    await desk.endorses(robot.id)
    admin, coral = await sign_in_as(Role.ADMIN), await sign_in_as(Role.COMPLIANCE)
    page = await admin.open("/team")
    added = {"name": "Straw", "email": "straw@sol.example", "role": "approver"}
    await admin.send(page, "add", password=PASSWORD, **added)
    form = next(one for one in page.forms if one.action == f"/team/{real}/password")
    csrf = form.fields["csrf"]
    await admin.http.post(form.action, data={"csrf": csrf, "password": PASSWORD})

    straw = browser()
    await straw.send(
        await straw.open("/sign-in"), "sign-in", email=added["email"], password=PASSWORD
    )
    where = f"/approvals/{robot.id}"
    page = await straw.open(where)
    assert not page.has("approve")
    assert "Compliance confirms it" in page.text
    csrf_of_straw = page.forms[0].fields["csrf"]
    crafted = await straw.http.post(f"{where}/approve", data={"csrf": csrf_of_straw})
    assert crafted.status_code == 403
    with pytest.raises(NotAllowed) as refused:
        await desk.says(Word.APPROVE, robot.id, by="april")
    assert refused.value.code == "NotConfirmed"
    answer = await admin.http.post(f"/audit/access/{real}/confirm", data={"csrf": csrf})
    assert answer.status_code == 403

    page = await coral.open("/audit/access")
    assert page.problems == []
    assert page.text.count("Waits for compliance") == 2
    # The admin knows the password: confirmed with it, he would decide at her desk.
    assert not page.has("confirm")
    token = {"csrf": (await coral.open("/account")).forms[0].fields["csrf"]}
    answer = await coral.http.post(f"/audit/access/{real}/confirm", data=token)
    assert answer.status_code == 409
    await chooses_a_password(browser(), (await email_of(street, real)))
    page = await coral.open("/audit/access")
    answer = await coral.http.post(page.form("confirm").action, data=token)
    assert answer.status_code == 303
    await desk.says(Word.APPROVE, robot.id, by="april")
    assert await street.value("SELECT state FROM approvals") == "approved"


async def test_an_admins_straw_man_lets_nothing_loose(
    street: Street, sign_in_as: Desk, browser: OpenBrowser
) -> None:
    """He may stop, and does; to let go on he needs compliance."""
    admin, coral = await sign_in_as(Role.ADMIN), await sign_in_as(Role.COMPLIANCE)
    added = {"name": "Straw", "email": "straw@sol.example", "role": "compliance"}
    await admin.send(await admin.open("/team"), "add", password=PASSWORD, **added)
    straw = browser()
    await straw.send(
        await straw.open("/sign-in"), "sign-in", email=added["email"], password=PASSWORD
    )
    page = await straw.send(await straw.open("/controls"), "observe-only", reason="We look first.")
    assert "Until compliance confirms it" in page.text
    assert page.has("halt")
    assert not page.has("send")
    assert not page.has("floor")
    page = await straw.send(page, "halt", reason="Stop.")
    assert not page.has("go-on")
    csrf = page.form("halt").fields["csrf"]
    floor = {"amount": "0", "currency": "EUR"}
    for path, more in (("floor", floor), ("send", {}), ("go-on", {"brake": "all"})):
        answer = await straw.http.post(
            f"/controls/{path}", data={"csrf": csrf, "reason": "x", **more}
        )
        assert answer.status_code == 403, path
    stands = await street.rows("SELECT observe_only, floor_minor FROM lenders")
    assert tuple(stands[0]) == (True, None)
    assert await street.value("SELECT bool_and(halted) FROM stop_switches") is True
    await chooses_a_password(straw)
    await coral.send(await coral.open("/audit/access"), "confirm")
    page = await straw.send(await straw.open("/controls"), "send", reason="We have looked.")
    assert await street.value("SELECT observe_only FROM lenders") is False


async def test_an_unconfirmed_compliance_confirms_nobody(street: Street, sign_in_as: Desk) -> None:
    house = street.house
    common: dict[str, Any] = {"lender_id": street.lender_id, "actor": "ada"}
    made = []
    for name in ("straw", "other", "sure"):
        user_id = await add_user(
            house, street.now, email=f"{name}@sol.example", name=name, role=Role.COMPLIANCE,
            password_hash="", confirmed=name == "sure", **common,
        )  # fmt: skip
        made.append(user_id)
    for by, whom, code in (
        (made[0], made[1], "NotConfirmed"),
        (made[0], made[0], "OwnProposal"),
        (made[2], made[2], "OwnProposal"),
    ):
        with pytest.raises(NotAllowed) as refused:
            await confirm_access(house, street.now, user_id=whom, by_id=by, **common)
        assert refused.value.code == code
    for user_id in made:
        await set_password(house, street.now, user_id=user_id, password_hash="own", **common)
    await confirm_access(house, street.now, user_id=made[0], by_id=made[2], **common)
    await confirm_access(house, street.now, user_id=made[1], by_id=made[0], **common)
    with pytest.raises(Conflict):
        await confirm_access(house, street.now, user_id=made[1], by_id=made[0], **common)


async def test_another_lender_sees_nothing_of_it(
    street: Street, sign_in_as: Desk, browser: OpenBrowser
) -> None:
    who = await street.neighbour()
    proposed = await People(street).robot_proposes(who.loans[0])
    luna = await make_lender(street.store, street.now)
    stranger = await desk_of(street, browser, Role.AUDITOR, lender_id=luna)
    for path in ("/audit", "/audit/access", "/approvals", "/approvals?decided=1"):
        page = await stranger.open(path)
        assert stranger.status == 200
        assert str(who.loans[0]) not in page.text
        assert f"/approvals/{proposed.id}" not in page.links
    await stranger.open(f"/approvals/{proposed.id}")
    assert stranger.status == 404
    owner = await sign_in_as(Role.AUDITOR)
    for path in ("/audit", f"/audit?about={who.ref}-L0", "/audit?group=debts&actor=saldo"):
        assert f"loan {who.ref}-L0" in (await owner.open(path)).text
    assert "Nothing of this kind" in (await owner.open("/audit?about=nobody")).text
