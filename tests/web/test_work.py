"""People's work on the pages: one key an outcome, promises, the next case, the end of a shift."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.domain.roles import Role
from app.domain.task import TaskReason
from app.flows.work.watch_promises import watch_promises
from app.store.keys import new_id
from tests.flows.street import Neighbour, Street
from tests.flows.test_tasks_and_brakes import some_task
from tests.web.conftest import Browser, Desk, OpenBrowser, desk_of
from tests.web.reading import Page

pytestmark = pytest.mark.anyio


async def a_call(street: Street, **wanted: Any) -> Neighbour:
    """Somebody whom the strategy wants called."""
    who = await street.neighbour(**wanted)
    await some_task(street, who, new_id().hex, reason=TaskReason.CALL_BORROWER)
    return who


def business_goes_on(street: Street, **by: float) -> None:
    """Days of business pass while a session, which lives in real time, goes on."""
    street.hands.now += timedelta(**by)


def day(street: Street, ahead: int) -> str:
    return (street.now + timedelta(days=ahead)).date().isoformat()


def given_by(giver: UUID, receiver: object) -> dict[str, Any]:
    """Fields of the form; one of them is a keyword of the language."""
    return {"from": str(giver), "to": str(receiver)}


async def test_next_case_serves_one_and_every_outcome_has_its_key(
    street: Street, sign_in_as: Desk
) -> None:
    who = await a_call(street)
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open("/")
    page = await desk.send(page, "next")
    assert "This is the next case" in page.text
    assert who.phone in page.text
    assert "You may call now, until" in page.text
    assert "Rules checked" in page.text
    assert "after the hours for commercial calls; no Spanish statute sets hours" in page.text
    # Why now, with how much of what the rules allow is used.
    assert "Just came in. 0 of at most 7 " in page.text
    assert page.problems == []
    assert desk.answer is not None
    html = desk.answer.text
    for key, outcome in enumerate(
        ("promise", "no_answer", "wrong_number", "call_back", "dispute", "hardship", "refuses",
         "paid_already", "third_party"), start=1,
    ):  # fmt: skip
        assert f'value="{outcome}" accesskey="{key}"' in html
    assert 'value="reached" accesskey="0"' in html
    assert f'href="tel:{who.phone}"' in html
    # Asked again before it is done: the same one.
    page = await desk.send(page, "next")
    assert "You still have this one" in page.text
    page = await desk.send(page, "finish", outcome="no_answer", called="1")
    assert "Noted. The task is finished" in page.text
    page = await desk.send(page, "next")
    assert "Nothing can be done right now" in page.text
    assert await street.value("SELECT count(*) FROM contacts") == 1


async def test_a_promise_is_one_button_with_its_suggestion(
    street: Street, sign_in_as: Desk
) -> None:
    await a_call(street)
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.send(await desk.open("/"), "next")
    fields = page.form("finish").fields
    assert (fields["pay_on_1"], fields["amount_1"]) == ("2026-04-01", "120.00")
    assert "Wages are usually there at the end of the month" in page.text
    page = await desk.send(page, "finish", outcome="promise", called="1")
    assert desk.status == 200
    assert "Promised until 1 Apr" in page.text
    assert "nobody calls before, and the day after decides" in page.text
    assert "A reminder of the promise goes out on 31 Mar 2026." in page.text
    assert "there is no need to call" in page.text
    row = (await street.rows("SELECT p.state, x.due_on, x.amount_minor FROM promises p "
                             "JOIN promise_parts x ON x.promise_id = p.id"))[0]  # fmt: skip
    assert (row.state, row.due_on.isoformat(), row.amount_minor) == ("open", "2026-04-01", 12_000)
    page = await desk.open("/cases")
    assert page.problems == []
    assert "Promised for 1 Apr 2026" in page.text
    assert '<td data-label="Calls" class="number">1</td>' in (await desk.http.get("/cases")).text


async def test_an_amount_is_read_exactly(street: Street, sign_in_as: Desk) -> None:
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    for typed, minor in (("100", 10_000), ("99,50", 9_950), ("99.50 €", 9_950)):
        who = await street.neighbour()
        page = await desk.open(f"/cases/{who.cases[0]}")
        page = await desk.send(page, "promise", pay_on_1=day(street, 3), amount_1=typed)
        assert (desk.status, page.problems) == (200, [])
        part = """
            SELECT x.amount_minor FROM promise_parts x JOIN promises p ON p.id = x.promise_id
            WHERE p.borrower_id = :id
        """
        assert await street.value(part, id=who.id) == minor, typed


async def test_an_amount_that_could_be_misread_is_refused(street: Street, sign_in_as: Desk) -> None:
    who = await street.neighbour()
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    for typed in ("1,234.56", "1.234,56", "1,234", "-5", "120.01", "NaN", "1e2", ""):
        page = await desk.open(f"/cases/{who.cases[0]}")
        page = await desk.send(page, "promise", pay_on_1=day(street, 3), amount_1=typed)
        assert (desk.status, page.problems) == (422, []), typed
        assert await street.value("SELECT count(*) FROM promise_parts") == 0, typed


async def test_a_thousand_with_its_comma_is_never_one(street: Street, sign_in_as: Desk) -> None:
    """Where it could be due: 1,234.56 is one thousand, or it is refused."""
    who = await street.neighbour(dues=(200_000,))
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open(f"/cases/{who.cases[0]}")
    await desk.send(page, "promise", pay_on_1=day(street, 3), amount_1="1,234.56")
    assert await street.value("SELECT amount_minor FROM promise_parts") in (None, 123_456)


async def test_parts_are_taken_shown_and_cancelled(street: Street, sign_in_as: Desk) -> None:
    who = await street.neighbour()
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open(f"/cases/{who.cases[0]}")
    half: dict[str, Any] = {
        "pay_on_1": day(street, 3),
        "amount_1": "60",
        "pay_on_2": day(street, 9),
    }
    page = await desk.send(page, "promise", **half)
    assert desk.status == 422
    assert "amount_2" in page.text
    page = await desk.send(page, "promise", **half, amount_2="60")
    assert "The promise is written down" in page.text
    assert page.text.count("€60.00") >= 2
    page = await desk.open("/promises?state=open")
    assert "Ana Núñez" in page.text
    assert "€120.00" in page.text
    page = await desk.open(f"/cases/{who.cases[0]}")
    page = await desk.send(page, "cancel-promise", reason="  ")
    assert desk.status == 422
    page = await desk.send(page, "cancel-promise", reason="a slip of the pen")
    assert "The promise is cancelled" in page.text
    assert "a slip of the pen" in page.text.lower()
    assert page.has("promise")


async def test_a_broken_promise_is_on_top_and_the_next_one_needs_a_word(
    street: Street, sign_in_as: Desk
) -> None:
    await a_call(street)
    who = await street.neighbour()
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open(f"/cases/{who.cases[0]}")
    await desk.send(page, "promise", pay_on_1=day(street, 1), amount_1="120")
    page = await desk.open("/promises")
    assert "None in this column" in page.text
    business_goes_on(street, days=1)
    page = await desk.open("/promises")
    assert "today" in page.text
    business_goes_on(street, days=1)
    await watch_promises(street.house, street.now)
    desk = await sign_in_as(Role.COLLECTION_MANAGER)
    page = await desk.open("/promises?state=broken")
    assert "Broken" in page.text
    assert "Ana Núñez" in page.text
    page = await desk.send(await desk.open("/"), "next")
    assert "Promise was not kept" in page.text
    assert "Missing" in page.text
    page = await desk.send(page, "finish", outcome="promise", pay_on_1=day(street, 2), note="")
    assert desk.status == 422
    assert "what was promised before did not come" in page.text
    page = await desk.send(
        page, "finish", outcome="promise", pay_on_1=day(street, 2), note="wages were late"
    )
    assert "Noted. The task is finished" in page.text


async def test_in_the_night_no_call_is_offered_and_the_page_says_when(
    street: Street, sign_in_as: Desk
) -> None:
    who = await a_call(street)
    business_goes_on(street, hours=13)
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open("/")
    assert "Do not call yet" in page.text
    assert "Not before" in page.text
    assert not page.has("take")
    page = await desk.send(page, "next")
    assert "Nothing can be done right now" in page.text
    page = await desk.open("/?pile=later")
    assert "Call the borrower" in page.text
    page = await desk.open(f"/cases/{who.cases[0]}")
    assert "Not before" in page.text
    assert desk.answer is not None
    assert "tel:" not in desk.answer.text
    # On the other piles it does not count.
    page = await desk.open("/")
    assert "Nothing waits for a person" in page.text


async def test_a_call_back_is_kept_for_who_agreed_it(
    street: Street, browser: OpenBrowser, sign_in_as: Desk
) -> None:
    await a_call(street)
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.send(await desk.open("/"), "next")
    page = await desk.send(page, "finish", outcome="call_back", call_at="2026-03-03T30:00")
    assert desk.status == 422
    page = await desk.send(page, "finish", outcome="call_back", call_at="2026-03-03T15:30")
    assert desk.status == 200
    page = await desk.open("/?pile=later")
    assert "Call back, as agreed" in page.text
    assert "15:30" in page.text
    other: Browser = await sign_in_as(Role.COLLECTION_MANAGER)
    business_goes_on(street, hours=5)
    page = await other.open("/")
    assert "Call back, as agreed" not in page.text
    page = await desk.open("/")
    assert "Kept for you" in page.text


async def test_somebody_else_answered(street: Street, sign_in_as: Desk) -> None:
    who = await a_call(street)
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.send(await desk.open("/"), "next")
    page = await desk.send(page, "finish", outcome="third_party", called="1")
    page = await desk.open(f"/cases/{who.cases[0]}")
    assert "Somebody else answered there" in page.text


async def test_a_call_made_elsewhere_and_a_reminder(street: Street, sign_in_as: Desk) -> None:
    who = await street.neighbour()
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    address = f"/cases/{who.cases[0]}"
    page = await desk.open(address)
    page = await desk.send(page, "contact", made_at="2026-03-05T10:00")
    assert desk.status == 422
    assert "in the future" in page.text
    page = await desk.send(
        page, "contact", made_at="2026-03-03T10:15", conversation="1", note="from the branch"
    )
    assert "It counts in the contact limits" in page.text
    assert "Called the borrower" in page.text
    assert "Made outside Saldo" in page.text
    again = await desk.send(page, "contact", made_at="2026-03-03T10:15")
    assert desk.status == 409
    assert "written down already" in again.text
    page = await desk.open(address)
    page = await desk.send(page, "contact", made_at="2026-03-03T10:20", not_connected="1")
    assert "it counts in no contact limit" in page.text
    assert await street.value("SELECT count(*) FROM contacts WHERE NOT counts") == 1
    at_work = await desk.open(f"{address}?at_work=1")
    assert "Calls are not allowed at the borrower's place of work" in at_work.text
    assert at_work.problems == []
    page = await desk.send(page, "remind", due_at="2026-03-03T12:00", note="ask for the letter")
    assert "You will be reminded" in page.text
    assert "ask for the letter" in page.text
    page = await desk.send(page, "remind", due_at="", condition="")
    assert desk.status == 422
    page = await desk.open(address)
    page = await desk.send(page, "forget")
    assert "The reminder is dropped" in page.text
    assert "ask for the letter" not in page.text


async def test_a_shift_is_handed_over(
    street: Street, browser: OpenBrowser, sign_in_as: Desk
) -> None:
    await a_call(street)
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    lead: Browser = await sign_in_as(Role.SUPERVISOR)
    await desk.send(await desk.open("/"), "next")
    page = await desk.open("/hand-over")
    assert page.problems == []
    collector = await street.value("SELECT id FROM users WHERE role = 'collector'")
    supervisor = await street.value("SELECT id FROM users WHERE role = 'supervisor'")
    # Somebody else's tasks are not a collector's to give.
    await desk.send(page, "hand-over", **given_by(supervisor, "board"))
    assert desk.status == 403
    page = await desk.send(page, "hand-over", to=str(supervisor), away_until=day(street, 3))
    assert "Handed over" in page.text
    assert "Away until" in page.text
    assert await street.value("SELECT given_to FROM tasks") == supervisor
    page = await lead.open("/hand-over")
    page = await lead.send(page, "hand-over", **given_by(supervisor, collector))
    assert lead.status == 422
    assert "is away until" in page.text
    page = await desk.send(await desk.open("/hand-over"), "back-again")
    assert "Welcome back" in page.text
    assert not page.has("back-again")


async def test_readers_see_and_do_not_touch(street: Street, sign_in_as: Desk) -> None:
    who = await a_call(street)
    for role in (Role.AUDITOR, Role.COMPLIANCE, Role.APPROVER):
        desk: Browser = await sign_in_as(role)
        page: Page = await desk.open(f"/cases/{who.cases[0]}")
        assert desk.status == 200
        for step in ("next", "finish", "promise", "cancel-promise", "remind"):
            assert not page.has(step), (role, step)
        assert (await desk.http.get("/promises")).status_code == 200


async def test_two_people_at_the_same_moment_get_different_calls(
    street: Street, browser: OpenBrowser
) -> None:
    import asyncio

    await a_call(street)
    await a_call(street)
    one = await desk_of(street, browser, Role.COLLECTOR)
    two = await desk_of(street, browser, Role.COLLECTION_MANAGER)
    pages = [await one.open("/"), await two.open("/")]
    await asyncio.gather(one.send(pages[0], "next"), two.send(pages[1], "next"))
    assert one.answer is not None
    assert two.answer is not None
    assert one.answer.url != two.answer.url
    taken = await street.rows("SELECT taken_by FROM tasks WHERE state = 'taken'")
    assert len({row.taken_by for row in taken}) == 2
