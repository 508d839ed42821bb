"""The case page: flags with reasons, the suggestion with its arithmetic, and what care leaves."""

from __future__ import annotations

import pytest

from app.domain.roles import Role
from app.flows.cases.flag_cases import flag_cases
from app.flows.work.set_hold import set_hold
from tests.flows.street import Street
from tests.web.conftest import Browser, Desk

pytestmark = pytest.mark.anyio


async def test_the_suggestion_can_be_repeated_by_hand(street: Street, sign_in_as: Desk) -> None:
    who = await street.neighbour(dues=(50_000,), days_late=99)
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open(f"/cases/{who.cases[0]}")
    for words in (
        "Suggested: smaller instalments",
        # 500.00 at 100 days: 30 % of 90 %, less 10.00.
        "€500.00 due × 30% chance × 90% share = €135.00",
        "− €10.00 cost",
        "= €125.00 expected",
        "Or: a settlement, €108.75 expected",
        "Or: call, €91.00 expected",
        "A suggestion, not an order",
    ):
        assert words in page.text, words
    assert page.problems == []


async def test_rules_come_before_the_arithmetic_and_say_why(
    street: Street, sign_in_as: Desk
) -> None:
    small = await street.neighbour(dues=(6_000,), days_late=9)
    large = await street.neighbour(dues=(500_000,), days_late=120)
    desk: Browser = await sign_in_as(Role.SUPERVISOR)
    page = await desk.open(f"/cases/{small.cases[0]}")
    assert "Suggested: a later date" in page.text
    assert "amount due at most 100.00 EUR (60.00 EUR)" in page.text
    page = await desk.open(f"/cases/{large.cases[0]}")
    assert "Suggested: hand over to an agency" in page.text
    assert "commission" in page.text


async def test_care_is_said_and_takes_harder_ways_away(street: Street, sign_in_as: Desk) -> None:
    who = await street.neighbour(dues=(500_000,), days_late=120)
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit, street.now, borrower_id=who.id, case_id=None, kind="hardship",
            reason="lost his work", ends_at=None, set_by="desk",
        )  # fmt: skip
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open(f"/cases/{who.cases[0]}")
    assert "Suggested: smaller instalments" in page.text
    assert "Treated with care (cannot pay now)" in page.text
    assert "hand over to an agency" not in page.text
    assert "Or: call" not in page.text


async def test_flags_stand_with_their_reasons(street: Street, sign_in_as: Desk) -> None:
    who = await street.neighbour(dues=(1_000, 1_000, 1_000))
    await flag_cases(street.house, street.now)
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open(f"/cases/{who.cases[0]}")
    for words in ("Several loans at once", "open loans at least 3 (3)", "Look at this case",
                  "Flagged: Several loans at once"):  # fmt: skip
        assert words in page.text, words
    assert page.problems == []


async def test_a_closed_case_has_no_suggestion(street: Street, sign_in_as: Desk) -> None:
    who = await street.neighbour()
    await street.repaid(who, "R-1")
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open(f"/cases/{who.cases[0]}")
    assert "Suggested" not in page.text
