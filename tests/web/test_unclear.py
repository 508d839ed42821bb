"""A payment whose end nobody tells: two buttons for two roles, and a word for the audit."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from app.domain.errors import TryLater
from app.domain.roles import Role
from app.store.keys import new_id
from tests.flows.at_the_page import AtThePage, at_the_page, payment_ids
from tests.flows.outside import raising
from tests.flows.street import Street
from tests.rig import make_lender
from tests.web.conftest import Desk, OpenBrowser, desk_of

pytestmark = pytest.mark.anyio

REASON = "It stands on the statement of Monday."


async def unclear(street: Street) -> tuple[AtThePage, UUID]:
    """Somebody said yes at his bank, and the bank has been silent for days."""
    ana = await at_the_page(street)
    await ana.taps()
    ana.says_yes_everywhere()
    await street.minutes_pass(1)
    street.bank.before_now = raising(TryLater("503"))
    await street.days_pass(5.5, minutes=720)
    assert await ana.payments() == ["unclear"]
    return ana, (await payment_ids(street, ana.who))[0]


async def audited(street: Street) -> list[Any]:
    rows = await street.rows(
        "SELECT actor, before, after, reason FROM audit WHERE act = 'settle_unclear'"
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize(
    ("arrived", "payment", "case", "due"),
    [("yes", "settled", "closed", 0), ("no", "cancelled", "open", 12_000)],
)
async def test_who_found_out_says_so_once(
    arrived: str, payment: str, case: str, due: int, street: Street, sign_in_as: Desk
) -> None:
    ana, payment_id = await unclear(street)
    # Another payment of his that contradicts itself is another question.
    await street.rows(
        "INSERT INTO tasks (id, lender_id, borrower_id, key, reason, state, situation, created_at) "
        "VALUES (:id, :lender, :who, :id, 'payment_unclear', 'open', "
        "jsonb_build_object('payment_id', CAST(:id AS text)), :now) RETURNING 1",
        id=new_id(),
        lender=street.lender_id,
        who=ana.who.id,
        now=street.now,
    )
    desk = await sign_in_as(Role.SUPERVISOR)
    page = await desk.open(f"/cases/{ana.who.cases[0]}")
    assert "Did €120.00 arrive?" in page.text
    assert page.problems == []
    page = await desk.send(page, "found-out", arrived=arrived, reason=REASON)
    assert desk.status == 200
    assert "Noted." in page.text
    assert not page.has("found-out")
    assert await ana.payments() == [payment]
    assert await street.value("SELECT state FROM cases") == case
    assert await street.due(ana.who) == due
    assert await street.tasks(ana.who) == ["payment_unclear"]
    assert [(one[2], one[3]) for one in await audited(street)] == [({"state": payment}, REASON)]
    # Pressed again, in a window that was left open: nothing changes.
    form = {"csrf": (await desk.open("/account")).forms[0].fields["csrf"]}
    answer = await desk.http.post(
        f"/payments/{payment_id}/found-out", data={**form, "arrived": "yes", "reason": REASON}
    )
    assert answer.status_code == 409
    assert await ana.payments() == [payment]


async def test_those_who_collect_see_the_question_and_have_no_button(
    street: Street, sign_in_as: Desk
) -> None:
    ana, payment_id = await unclear(street)
    for role in (Role.COLLECTOR, Role.COLLECTION_MANAGER, Role.COMPLIANCE, Role.AUDITOR):
        desk = await sign_in_as(role)
        page = await desk.open(f"/cases/{ana.who.cases[0]}")
        assert "Did €120.00 arrive?" in page.text, role
        assert not page.has("found-out"), role
        csrf = (await desk.open("/account")).forms[0].fields["csrf"]
        answer = await desk.http.post(
            f"/payments/{payment_id}/found-out",
            data={"csrf": csrf, "arrived": "yes", "reason": REASON},
        )
        assert answer.status_code == 403, role
    assert await ana.payments() == ["unclear"]
    assert await audited(street) == []


async def test_without_a_reason_an_answer_or_the_token_nothing_happens(
    street: Street, sign_in_as: Desk
) -> None:
    ana, payment_id = await unclear(street)
    desk = await sign_in_as(Role.APPROVER)
    csrf = (await desk.open("/account")).forms[0].fields["csrf"]
    for sent, status in (
        ({"csrf": csrf, "arrived": "yes", "reason": "  "}, 422),
        ({"csrf": csrf, "arrived": "maybe", "reason": REASON}, 422),
        ({"csrf": csrf, "reason": REASON}, 422),
        ({"csrf": "guessed", "arrived": "yes", "reason": REASON}, 403),
    ):
        answer = await desk.http.post(f"/payments/{payment_id}/found-out", data=sent)
        assert answer.status_code == status, sent
    assert await ana.payments() == ["unclear"]
    assert await audited(street) == []


async def test_another_lender_s_supervisor_finds_no_such_payment(
    street: Street, browser: OpenBrowser
) -> None:
    ana, payment_id = await unclear(street)
    other = await make_lender(street.store, street.now)
    desk = await desk_of(street, browser, Role.SUPERVISOR, lender_id=other)
    csrf = (await desk.open("/account")).forms[0].fields["csrf"]
    answer = await desk.http.post(
        f"/payments/{payment_id}/found-out",
        data={"csrf": csrf, "arrived": "yes", "reason": REASON},
    )
    assert answer.status_code == 404
    assert await ana.payments() == ["unclear"]
