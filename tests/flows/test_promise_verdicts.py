"""Verdicts on promises that later news changes: money told late, money given back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.money import Money
from app.flows.money.report_repayment import RepaymentWanted, report_repayment
from app.flows.payments.return_payment import return_payment
from tests.flows.at_the_page import at_the_page, payment_ids, settle
from tests.flows.promising import promise, state_of, to_day
from tests.flows.street import Street

pytestmark = pytest.mark.anyio


async def test_a_payment_made_in_time_and_reported_late_mends_the_verdict(street: Street) -> None:
    who = await street.neighbour()
    promise_id = await promise(street, who, (3, 5_000))
    paid_at = street.now + timedelta(days=3)
    await to_day(street, 5)
    assert await state_of(street, promise_id) == "broken"
    assert await street.tasks(who) == ["promise_broken"]
    for ref, minor, state in (("R1", 2_000, "part"), ("R2", 3_000, "kept")):
        await report_repayment(
            street.house,
            street.now,
            street.lender_id,
            f"{who.ref}-L0",
            RepaymentWanted(ref, Money(minor, "EUR"), paid_at),
        )
        assert await state_of(street, promise_id) == state
    assert await street.tasks(who) == []
    kept = await street.value("SELECT count(*) FROM promises WHERE state = 'kept'")
    assert kept == 1


async def test_with_parts_to_come_it_stands_again_when_money_in_time_is_known(
    street: Street,
) -> None:
    who = await street.neighbour()
    promise_id = await promise(street, who, (3, 5_000), (15, 5_000))
    paid_at = street.now + timedelta(days=2)
    await to_day(street, 5)
    assert await state_of(street, promise_id) == "broken"
    await report_repayment(
        street.house,
        street.now,
        street.lender_id,
        f"{who.ref}-L0",
        RepaymentWanted("R1", Money(5_500, "EUR"), paid_at),
    )
    assert await state_of(street, promise_id) == "open"
    assert await street.tasks(who) == []
    assert await street.value("SELECT next_look_at FROM promises") is not None
    await to_day(street, 12)
    assert await state_of(street, promise_id) == "part"
    assert await street.tasks(who) == ["promise_broken"]


async def test_only_the_latest_promise_of_a_case_stands_again(street: Street) -> None:
    who = await street.neighbour()
    first = await promise(street, who, (3, 5_000), (25, 5_000))
    paid_at = street.now + timedelta(days=2)
    await to_day(street, 5)
    second = await promise(street, who, (3, 2_000), (20, 2_000), note="agreed anew")
    await to_day(street, 5)
    assert await state_of(street, first) == await state_of(street, second) == "broken"
    await report_repayment(
        street.house,
        street.now,
        street.lender_id,
        f"{who.ref}-L0",
        RepaymentWanted("R1", Money(5_500, "EUR"), paid_at),
    )
    # Paid before the second was made, it became known after: it counts for both.
    assert (await state_of(street, first), await state_of(street, second)) == ("broken", "kept")


async def test_money_that_comes_too_late_mends_nothing(street: Street) -> None:
    who = await street.neighbour()
    promise_id = await promise(street, who, (3, 5_000))
    await to_day(street, 5)
    await street.repaid(who, "R1", minor=5_000)
    assert await state_of(street, promise_id) == "broken"


async def test_a_payment_that_is_returned_reopens_what_it_had_kept(street: Street) -> None:
    ana = await at_the_page(street)
    promise_id = await promise(street, ana.who, (3, 12_000))
    await ana.taps()
    assert ana.says_yes_everywhere() == 1
    await settle(street)
    assert await state_of(street, promise_id) == "kept"
    assert await street.value("SELECT state FROM cases") == "closed"
    await return_payment(
        street.house,
        street.now,
        lender_id=street.lender_id,
        payment_id=(await payment_ids(street, ana.who))[0],
        reason="AC04",
        actor="lender",
    )
    assert await street.value("SELECT state FROM cases") == "open"
    assert await state_of(street, promise_id) == "open"
    await to_day(street, 4)
    assert await state_of(street, promise_id) == "broken"
    assert "promise_broken" in await street.tasks(ana.who)
