"""A new number or address on the case page: entered, refused at its field, and called with care."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.roles import Role
from app.domain.task import TaskReason
from tests.flows.street import Street, make_street
from tests.flows.test_new_contact import MAIL, NEW, lines, number
from tests.flows.test_tasks_and_brakes import some_task
from tests.web.conftest import Browser, Desk, OpenBrowser, desk_of

pytestmark = pytest.mark.anyio

FOUND: dict[str, Any] = {"phone": "699 99 99 99", "email": MAIL, "source": "The borrower called in"}


async def test_a_collector_enters_both_and_calls_with_care(
    street: Street, sign_in_as: Desk
) -> None:
    who = await street.neighbour()
    await some_task(street, who, reason=TaskReason.NO_WAY_TO_REACH)
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    address = f"/cases/{who.cases[0]}"
    page = await desk.open(address)
    page = await desk.send(page, "new-contact", **FOUND)
    assert desk.status == 200
    assert page.problems == []
    assert "Entered. What is new is not written to before it is confirmed." in page.text
    assert "not confirmed yet: ask who is there before you say anything" in page.text
    assert "Pat collector entered it; no texts go there." in page.text
    assert "nothing is sent there before your system states it" in page.text
    assert MAIL in page.text
    # The timeline: who, from where, and only a part of the number.
    assert "New number entered" in page.text
    assert "+34•••••99, from: “The borrower called in”. Not confirmed yet." in page.text
    assert await street.tasks(who) == []
    (first, _) = await lines(street, "detail_entered")
    assert first.actor.startswith("collector@")


async def test_the_number_is_confirmed_where_the_call_is_said(
    street: Street, sign_in_as: Desk
) -> None:
    who = await street.neighbour()
    await some_task(street, who, reason=TaskReason.CALL_BORROWER)
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.send(await desk.open("/"), "next")
    assert "The call was to the new number" not in page.text
    page = await desk.send(page, "new-contact", **FOUND)
    assert "The call was to the new number" in page.text
    page = await desk.send(page, "finish", outcome="reached", called="1", new_number="1")
    assert await number(street, who) == (NEW, False)
    page = await desk.open(f"/cases/{who.cases[0]}")
    assert "New number confirmed" in page.text
    assert "ask who is there" not in page.text


async def test_a_call_made_outside_may_have_been_to_it(street: Street, sign_in_as: Desk) -> None:
    who = await street.neighbour()
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open(f"/cases/{who.cases[0]}")
    page = await desk.send(page, "new-contact", **FOUND)
    said: dict[str, Any] = {
        "made_at": "2026-03-03T10:15",
        "conversation": "1",
        "outcome": "reached",
    }
    await desk.send(page, "contact", **said, new_number="1")
    assert await number(street, who) == (NEW, False)


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"phone": "123 456 789"}, "phone", "Is no number of ES. Write it with"),
        ({"phone": "+34600000001"}, "phone", "Is the number that is known already. Enter another"),
        ({"email": "ana"}, "email", "Is not an e-mail address. Write it like"),
        ({"source": ""}, "source", "Has 3 to 200 characters on one line. Say where it is from"),
    ],
)
async def test_what_is_wrong_stands_at_its_field_with_what_was_typed(
    street: Street, sign_in_as: Desk, wrong: dict[str, str], field: str, said: str
) -> None:
    who = await street.neighbour()
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open(f"/cases/{who.cases[0]}")
    typed: dict[str, Any] = {**FOUND, **wrong}
    page = await desk.send(page, "new-contact", **typed)
    assert desk.status == 422
    assert page.problems == []
    assert "Nothing is entered: see under the borrower" in page.text
    assert said in page.text
    assert desk.answer is not None
    assert f'aria-describedby="n-{field}-wrong"' in desk.answer.text
    fields = page.form("new-contact").fields
    assert {name: fields[name] for name in typed} == typed
    assert await number(street, who) == (who.phone, False)


async def test_neither_strangers_nor_other_sites_enter_one(
    street: Street, browser: OpenBrowser
) -> None:
    who = await street.neighbour()
    path = f"/cases/{who.cases[0]}/new-contact"
    desk = await desk_of(street, browser, Role.COLLECTOR)
    answer = await desk.http.post(path, data=FOUND)
    assert answer.status_code == 403
    other = await make_street(street.store)
    stranger = await desk_of(street, browser, Role.COLLECTOR, lender_id=other.lender_id)
    csrf = (await stranger.open("/account")).forms[0].fields["csrf"]
    answer = await stranger.http.post(path, data={"csrf": csrf, **FOUND})
    assert answer.status_code == 404
    reader = await desk_of(street, browser, Role.AUDITOR)
    page = await reader.open(f"/cases/{who.cases[0]}")
    assert "A new number or address" not in page.text
    csrf = (await reader.open("/account")).forms[0].fields["csrf"]
    assert (await reader.http.post(path, data={"csrf": csrf, **FOUND})).status_code == 403
    assert await number(street, who) == (who.phone, False)
    # That he tried is news by itself.
    tried = "SELECT count(*) FROM audit WHERE act = 'refused' AND subject LIKE '%new-contact'"
    assert await street.value(tried) == 1


async def test_whom_an_admin_touched_waits_for_compliance(
    street: Street, browser: OpenBrowser
) -> None:
    who = await street.neighbour()
    desk = await desk_of(street, browser, Role.SUPERVISOR)
    await street.rows("UPDATE users SET unconfirmed_since = now() RETURNING 1")
    page = await desk.open(f"/cases/{who.cases[0]}")
    assert "A new number or address" not in page.text
    csrf = (await desk.open("/account")).forms[0].fields["csrf"]
    path = f"/cases/{who.cases[0]}/new-contact"
    answer = await desk.http.post(path, data={"csrf": csrf, **FOUND})
    assert answer.status_code == 403
    assert await number(street, who) == (who.phone, False)
