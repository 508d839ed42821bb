"""The case page says when the account is read next, and why then."""

from __future__ import annotations

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from app.domain.roles import Role
from app.store.unit import Store
from tests.flows.lane import Lane, make_lane
from tests.flows.street import Street
from tests.web.conftest import OpenBrowser, desk_of

pytestmark = pytest.mark.anyio

MADRID = ZoneInfo("Europe/Madrid")
PLANNED = """
    SELECT a.next_read_at AS at, p.odds_basis_points AS odds, p.reason
    FROM accounts a JOIN income_profiles p ON p.account_id = a.id AND p.planned_at = a.next_read_at
"""


@pytest.fixture
async def learning(store: Store) -> Lane:
    """A lender who reads when income is likely."""
    return await make_lane(store, reading_way="learned")


@pytest.fixture
async def street(learning: Lane) -> Street:
    """The street that his pages show."""
    return learning.street


async def test_the_next_read_stands_there_with_the_odds_that_the_money_has_come(
    learning: Lane, browser: OpenBrowser
) -> None:
    who = await learning.street.neighbour(dues=(100_000,))
    for _ in range(28):  # his wages come on Fridays, and are gone on the day after
        there = learning.now.astimezone(MADRID).weekday() == 4
        learning.bank.holds(150_000 if there else 2_000)
        await learning.read(who)
        await learning.later(days=1)
    learning.bank.holds(2_000)
    await learning.read(who)
    (plan,) = await learning.street.rows(PLANNED)
    assert (plan.reason, plan.odds > 100) == ("income", True)
    desk = await desk_of(learning.street, browser, Role.COLLECTOR)
    page = await desk.open(f"/cases/{who.cases[0]}")
    said = re.search(r"Next reading planned for [^.]*\.", page.text)
    assert said is not None
    when = plan.at.astimezone(MADRID).strftime("%H:%M on %-d %b")
    odds = f"{plan.odds / 10_000:.0%}"
    expected = f"Next reading planned for {when}: {odds} that the money is there by then."
    assert said[0] == expected
    friday = learning.now.astimezone(MADRID).date()
    friday += timedelta(days=(4 - friday.weekday()) % 7)
    assert f"Income is likeliest about {friday:%-d %b}." in page.text
    form = page.form("promise").fields
    assert (friday + timedelta(days=1)).isoformat() in form.values()
