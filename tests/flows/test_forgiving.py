"""Forgiving a part of a debt: two people, one entry, within what one person may in a month."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from app.domain.approval import ApprovalKind, ApprovalState
from app.domain.errors import Conflict, Invalid, NotAllowed
from app.domain.money import Money
from app.domain.roles import Role
from app.flows.approvals.decide_approval import Word
from app.flows.money.confirm_owed import confirm_owed
from app.store.loans import Scheduled
from tests.flows.desk_people import Desk, loan_of, unpaid
from tests.flows.street import Street

pytestmark = pytest.mark.anyio


async def test_forgiving_a_part_lowers_what_is_due_and_is_no_money(
    street: Street, desk: Desk
) -> None:
    who = await street.neighbour()
    proposed = await desk.propose(
        ApprovalKind.FORGIVENESS, who.loans[0], amount=Money(4_000, "EUR"),
        by="max", role=Role.COLLECTION_MANAGER,
    )  # fmt: skip
    await desk.says(Word.APPROVE, proposed.id)
    assert await unpaid(street, who) == 8_000
    assert (await loan_of(street, who)).case_id == who.cases[0], "the rest is still due"
    row = (await street.rows("SELECT * FROM repayments"))[0]
    assert (row.source, row.amount_minor, row.applied_minor, row.payment_id) == (
        "forgiven",
        4_000,
        4_000,
        None,
    )


async def test_forgiving_all_that_is_due_closes_the_case(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    proposed = await desk.propose(
        ApprovalKind.FORGIVENESS, who.loans[0], amount=Money(12_000, "EUR")
    )
    await desk.says(Word.APPROVE, proposed.id)
    case = (await street.rows("SELECT * FROM cases"))[0]
    assert (case.state, case.close_reason) == ("closed", "not_due")
    assert (await loan_of(street, who)).state == "active"


@pytest.mark.parametrize("minor", [0, -1, 12_001])
async def test_nobody_forgives_more_than_is_owed(minor: int, street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    with pytest.raises(Invalid, match="amount"):
        await desk.propose(ApprovalKind.FORGIVENESS, who.loans[0], amount=Money(minor, "EUR"))


async def test_a_manager_forgives_a_part_and_not_next_to_everything(
    street: Street, desk: Desk
) -> None:
    """All but a cent, at once or in slices, is a write-off, of which he proposes none."""
    who = await street.neighbour()
    manager: dict[str, Any] = {"by": "max", "role": Role.COLLECTION_MANAGER}
    for minor in (12_000, 11_999, 10_801):
        with pytest.raises(NotAllowed, match="write-off"):
            await desk.propose(
                ApprovalKind.FORGIVENESS, who.loans[0], amount=Money(minor, "EUR"), **manager
            )
    first = await desk.propose(
        ApprovalKind.FORGIVENESS, who.loans[0], amount=Money(10_000, "EUR"), **manager
    )
    await desk.says(Word.APPROVE, first.id)
    with pytest.raises(NotAllowed, match="write-off"):
        await desk.propose(
            ApprovalKind.FORGIVENESS, who.loans[0], amount=Money(900, "EUR"), **manager
        )
    # A supervisor may: it is his to propose a write-off as well.
    second = await desk.propose(ApprovalKind.FORGIVENESS, who.loans[0], amount=Money(900, "EUR"))
    await desk.says(Word.APPROVE, second.id)
    assert await unpaid(street, who) == 1_100


async def test_a_part_that_became_nearly_all_is_proposed_anew(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    proposed = await desk.propose(
        ApprovalKind.FORGIVENESS, who.loans[0], amount=Money(6_000, "EUR"),
        by="max", role=Role.COLLECTION_MANAGER,
    )  # fmt: skip
    await street.repaid(who, "R-1", minor=5_900)
    with pytest.raises(Conflict, match="write-off"):
        await desk.says(Word.APPROVE, proposed.id)
    assert await unpaid(street, who) == 6_100


async def test_forgiving_does_not_hide_money_that_came(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    proposed = await desk.propose(
        ApprovalKind.FORGIVENESS, who.loans[0], amount=Money(6_000, "EUR")
    )
    await street.repaid(who, "R-1", minor=8_000)
    with pytest.raises(Conflict, match="by now"):
        await desk.says(Word.APPROVE, proposed.id)
    assert await unpaid(street, who) == 4_000


async def test_slices_count_together(street: Street, desk: Desk) -> None:
    """A supervisor decides up to 500 euros; three slices of 200 are more than that."""
    who = await street.neighbour(dues=(90_000,))
    for number in range(3):
        proposed = await desk.propose(
            ApprovalKind.FORGIVENESS, who.loans[0], amount=Money(20_000, "EUR")
        )
        if number < 2:
            await desk.says(Word.APPROVE, proposed.id, by="tom", role=Role.SUPERVISOR)
            continue
        with pytest.raises(NotAllowed) as refused:
            await desk.says(Word.APPROVE, proposed.id, by="tom", role=Role.SUPERVISOR)
        assert refused.value.code == "AmountTooLarge"
    assert await unpaid(street, who) == 50_000


async def test_a_write_off_of_the_rest_is_one_more_slice(street: Street, desk: Desk) -> None:
    """What was forgiven before counts: 900 euros given up are no matter for two supervisors."""
    who = await street.neighbour(dues=(90_000,))
    part = await desk.propose(ApprovalKind.FORGIVENESS, who.loans[0], amount=Money(40_000, "EUR"))
    await desk.says(Word.APPROVE, part.id, by="tom", role=Role.SUPERVISOR)
    rest = await desk.propose(ApprovalKind.WRITE_OFF, who.loans[0])
    with pytest.raises(NotAllowed) as refused:
        await desk.says(Word.APPROVE, rest.id, by="tom", role=Role.SUPERVISOR)
    assert refused.value.code == "AmountTooLarge"
    await desk.says(Word.APPROVE, rest.id)
    assert (await loan_of(street, who)).state == "written_off"


async def monthly(street: Street, minor: int) -> None:
    tiers = {"EUR": {"small_minor": 50_000, "single_minor": 100_000, "monthly_minor": minor}}
    async with street.store.unit(street.lender_id) as unit:
        await unit.conn.execute(
            text("UPDATE lenders SET approval_tiers = CAST(:tiers AS jsonb)"),
            {"tiers": json.dumps(tiers)},
        )


async def test_nobody_forgives_more_in_a_month_than_compliance_allows_him(
    street: Street, desk: Desk
) -> None:
    await monthly(street, 5_000)

    async def forgiving(minor: int) -> UUID:
        who = await street.neighbour()
        amount = Money(minor, "EUR")
        return (await desk.propose(ApprovalKind.FORGIVENESS, who.loans[0], amount=amount)).id

    # Two at the same moment, each of which alone would fit: one is refused, with the figures.
    await desk.person("april")
    both = [await forgiving(3_000), await forgiving(3_000)]
    ends = await asyncio.gather(
        *(desk.says(Word.APPROVE, one) for one in both), return_exceptions=True
    )
    refused = [end for end in ends if isinstance(end, NotAllowed)]
    assert [one.code for one in refused] == ["MonthUsedUp"]
    for figure in ("30.00 EUR of", "With 30.00 EUR", "50.00 EUR that"):
        assert figure in refused[0].message
    assert await street.value("SELECT count(*) FROM adjustments") == 1
    assert await street.value("SELECT count(*) FROM audit WHERE act LIKE 'refused%'") == 1
    left = both[0] if isinstance(ends[0], NotAllowed) else both[1]
    # Another person may; what was given up is his month, not hers. To the cent it fits.
    await desk.says(Word.APPROVE, left, by="axel")
    await desk.says(Word.APPROVE, await forgiving(2_000), by="axel")
    with pytest.raises(NotAllowed, match="one person may approve"):
        await desk.says(Word.APPROVE, await forgiving(1), by="axel")
    # In Madrid it is April two hours before it is in UTC.
    street.hands.now = datetime(2026, 3, 31, 21, 59, tzinfo=UTC)
    last = await forgiving(1)
    with pytest.raises(NotAllowed):
        await desk.says(Word.APPROVE, last, by="axel")
    street.hands.now = datetime(2026, 3, 31, 22, 0, tzinfo=UTC)
    await desk.says(Word.APPROVE, last, by="axel")


async def test_a_first_yes_counts_in_the_month_too(street: Street, desk: Desk) -> None:
    await monthly(street, 150_000)
    loans = [(await street.neighbour(dues=(200_000,))).loans[0] for _ in range(2)]
    large, small = Money(110_000, "EUR"), Money(50_000, "EUR")
    first = await desk.propose(ApprovalKind.FORGIVENESS, loans[0], amount=large)
    assert (await desk.says(Word.APPROVE, first.id)).state is ApprovalState.PROPOSED
    second = await desk.propose(ApprovalKind.FORGIVENESS, loans[1], amount=small)
    with pytest.raises(NotAllowed, match="one person may approve"):
        await desk.says(Word.APPROVE, second.id)
    await desk.says(Word.REFUSE, first.id, by="axel")
    await desk.says(Word.APPROVE, second.id)


async def test_a_ledger_from_before_does_not_bring_it_back(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    before = street.now
    street.hands.go_on(hours=1)
    proposed = await desk.propose(
        ApprovalKind.FORGIVENESS, who.loans[0], amount=Money(4_000, "EUR")
    )
    await desk.says(Word.APPROVE, proposed.id)
    street.hands.go_on(hours=1)
    due_on = (before - timedelta(days=5)).date()
    await confirm_owed(
        street.house, street.now, street.lender_id, f"{who.ref}-L0",
        as_of=before + timedelta(minutes=1), schedule=(Scheduled(1, due_on, 12_000, 0),),
    )  # fmt: skip
    assert await unpaid(street, who) == 8_000
