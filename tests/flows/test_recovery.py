"""What came of what entered collections: a story, and random cases against the pure rules."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, text

from app.domain.case import CaseClose
from app.domain.flag_results import CaseResult, case_result
from app.domain.money import Money
from app.domain.performance import AFTER, Overdue, Recovery, came_of
from app.flows.cases.open_cases import open_cases
from app.flows.money.report_repayment import RepaymentWanted, report_repayment
from app.reports.recovery import Cohort, Cohorts, Period, Which, cases_behind, cohorts, days_overdue
from app.store.keys import new_id
from app.store.loans import Scheduled
from app.store.tables import cases, repayments, timeline
from app.store.unit import Unit
from tests.flows.ledger import days, payment_of, registered, report, settled
from tests.flows.street import Neighbour, Street
from tests.flows.test_money import taken_back
from tests.rig import make_lender

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
ZONE = ZoneInfo("Europe/Madrid")


def period(now: datetime, back: int = 200, as_of: date | None = None) -> Period:
    """So many days back until today."""
    today = now.astimezone(ZONE).date()
    return Period(today - back * DAY, as_of or today, as_of or today, ZONE, now)


async def told(street: Street, as_of: date | None = None, lender_id: Any = None) -> Cohorts:
    async with street.store.unit(lender_id or street.lender_id) as unit:
        return await cohorts(unit, period(street.now, as_of=as_of))


async def whole(street: Street, as_of: date | None = None) -> Cohort:
    return (await told(street, as_of)).lines[-1]


def figures(one: Cohort) -> list[tuple[int, int, int]]:
    """(cases, entered, recovered) after 30, 60 and 90 days."""
    return [(found.cases, found.entered, found.recovered) for found in one.after.values()]


async def behind(street: Street, which: Which, after: int = 30) -> set[UUID]:
    async with street.store.unit(street.lender_id) as unit:
        ids = cases_behind(which, period(street.now), currency="EUR", month=None, days=after)
        return set(await unit.conn.scalars(ids))


async def test_a_cohort_grows_old_and_what_comes_is_counted_once_and_in_time(
    street: Street,
) -> None:
    part, all_of_it, late, none = await street.neighbours(4, dues=(10_000,))
    street.hands.go_on(days=10)
    await street.repaid(part, "P-1", minor=4_000)
    await street.repaid(all_of_it, "A-1")
    young = await whole(street)
    assert (young.cases, young.entered.minor, figures(young)[0]) == (4, 40_000, (0, 0, 0))
    street.hands.go_on(days=20)
    assert figures(await whole(street)) == [(4, 40_000, 14_000), (0, 0, 0), (0, 0, 0)]
    before = (street.now).astimezone(ZONE).date()
    street.hands.go_on(days=1)
    await street.repaid(late, "L-1")
    street.hands.go_on(days=29)
    assert figures(await whole(street)) == [(4, 40_000, 14_000), (4, 40_000, 24_000), (0, 0, 0)]
    # As of a day before, it is what it was.
    assert figures(await whole(street, before)) == [(4, 40_000, 14_000), (0, 0, 0), (0, 0, 0)]
    assert await behind(street, Which.ENTERED) == {
        who.cases[0] for who in (part, all_of_it, late, none)
    }
    assert await behind(street, Which.WHOLE) == {all_of_it.cases[0]}
    assert await behind(street, Which.SHORT, 60) == {part.cases[0], none.cases[0]}


async def test_money_that_was_sent_back_did_not_come(street: Street) -> None:
    who = await street.neighbour(dues=(10_000,))
    payment_id = await payment_of(street, who.id, 10_001)
    await settled(street, who.loans[0], 10_000, payment_id)
    await street.repaid(who, "nothing left", minor=1)
    street.hands.go_on(days=31)
    paid_on = street.now.astimezone(ZONE).date()
    assert figures(await whole(street))[0] == (1, 10_000, 10_000)
    street.hands.go_on(days=1)
    await taken_back(street, payment_id)
    assert figures(await whole(street))[0] == (1, 10_000, 1)
    assert figures(await whole(street, paid_on))[0] == (1, 10_000, 10_000)


async def test_money_of_a_later_case_of_the_loan_is_not_counted_for_the_one_before(
    street: Street,
) -> None:
    await registered(street, Scheduled(1, days(street, -9), 5_000))
    await open_cases(street.house, street.now)
    street.hands.go_on(days=5)
    await report(street, "before", 300)
    await registered(street, Scheduled(1, days(street, 15), 5_000, 300))
    street.hands.go_on(days=20)
    await open_cases(street.house, street.now)
    closed, opened = await street.rows("SELECT * FROM cases ORDER BY opened_at")
    assert (closed.close_reason, closed.entered_minor) == ("not_due", 5_000)
    assert (opened.state, opened.entered_minor) == ("open", 4_700)
    street.hands.go_on(days=3)
    await report(street, "after", 4_000)
    street.hands.go_on(days=32)
    assert figures(await whole(street))[0] == (2, 9_700, 4_300)


async def test_a_ledger_that_tells_no_payments_still_says_what_was_paid(street: Street) -> None:
    await registered(
        street, Scheduled(1, days(street, -9), 5_000), Scheduled(2, days(street, 300), 7_000)
    )
    await open_cases(street.house, street.now)
    (case,) = await street.rows("SELECT entered_minor, entered_days FROM cases")
    assert (case.entered_minor, case.entered_days) == (5_000, 9)
    street.hands.go_on(days=3)
    await registered(
        street,
        Scheduled(1, days(street, -12), 5_000, 5_000),
        Scheduled(2, days(street, 297), 7_000),
    )
    street.hands.go_on(days=30)
    assert figures(await whole(street))[0] == (1, 5_000, 5_000)


async def test_what_nobody_wrote_down_is_told_apart_and_lenders_stay_apart(
    street: Street,
) -> None:
    await registered(street, Scheduled(1, days(street, -9), 5_000))
    await open_cases(street.house, street.now)
    await report(street, "R1", 1_000)
    street.hands.go_on(hours=1)
    assert (await told(street)).unknown == 0
    await street.rows("UPDATE cases SET entered_minor = NULL RETURNING 1")
    found = await told(street)
    assert (found.lines, found.unknown) == ((), 1)
    other = await make_lender(street.store, street.now)
    assert await told(street, lender_id=other) == Cohorts((), 0)


async def test_average_days_overdue(street: Street) -> None:
    await street.neighbour(dues=(10_000,), days_late=9)
    await street.neighbour(dues=(30_000,), days_late=49)
    async with street.store.unit(street.lender_id) as unit:
        found = await days_overdue(unit, street.now.astimezone(ZONE).date())
    assert found == {"EUR": Overdue(2, 40_000, 60, 1_600_000)}
    assert found["EUR"].by_money == 40.0


async def test_money_that_is_told_later_was_paid_on_its_day(street: Street) -> None:
    """Of a day that is over, too: that is what the page says of these days, and of these alone."""
    who = await street.neighbour(dues=(10_000,), days_late=9)
    paid_at, that_day = street.now, (street.now + DAY).astimezone(ZONE).date()
    street.hands.go_on(days=2)
    async with street.store.unit(street.lender_id) as unit:
        assert await days_overdue(unit, that_day) == {"EUR": Overdue(1, 10_000, 11, 110_000)}
    await report_repayment(
        street.house, street.now, street.lender_id, f"{who.ref}-L0",
        RepaymentWanted("R-1", Money(10_000, "EUR"), paid_at),
    )  # fmt: skip
    async with street.store.unit(street.lender_id) as unit:
        assert await days_overdue(unit, that_day) == {}


# ------------------------------------------------------------------ random cases


@dataclass
class History:
    """One case as a test planted it: money as (paid, known, sent back, minor, counts)."""

    case_id: UUID
    opened_at: datetime
    entered: int
    late: int
    currency: str
    ends: list[tuple[datetime, CaseClose | None]] = field(default_factory=list)
    money: list[tuple[datetime, datetime, datetime | None, int, bool]] = field(default_factory=list)

    def came(self, until: datetime, edge: datetime) -> int:
        """By the pure rules."""
        known = [end for end in self.ends if end[0] <= edge]
        at, closed_as = known[-1] if known else (until, None)
        paid = at <= until and case_result(closed_as) is CaseResult.PAID
        money = sum(
            minor
            for paid_at, recorded_at, reversed_at, minor, counted in self.money
            if counted
            and self.opened_at <= recorded_at <= edge
            and paid_at <= until
            and (reversed_at is None or reversed_at > edge)
        )
        return came_of(self.entered, money, paid=paid)


class RollBackError(Exception):
    """Such a book breaks what the flows keep true: nothing of it stays."""


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_random_cases_agree_with_the_pure_rules(seed: int, street: Street) -> None:
    dice = random.Random(seed)
    people = await street.neighbours(10)
    await street.rows("UPDATE cases SET entered_minor = NULL RETURNING 1")
    now = street.hands.go_on(days=400)
    with pytest.raises(RollBackError):
        async with street.store.unit(street.lender_id) as unit:
            book = [await plant(unit, who, dice, now) for who in people * 4]
            for back in (0, 25, 70):
                asked = period(now, 190, now.astimezone(ZONE).date() - back * DAY)
                _compare(await cohorts(unit, asked), asked, book)
            raise RollBackError


def _compare(found: Cohorts, asked: Period, book: list[History]) -> None:
    wanted: dict[tuple[str, date | None], list[History]] = {}
    for one in book:
        if asked.begins <= one.opened_at < min(asked.ends, asked.edge):
            month = one.opened_at.astimezone(ZONE).date().replace(day=1)
            wanted.setdefault((one.currency, month), []).append(one)
            wanted.setdefault((one.currency, None), []).append(one)
    assert {(line.currency, line.month) for line in found.lines} == set(wanted)
    for line in found.lines:
        ones = wanted[line.currency, line.month]
        assert (line.cases, line.entered.minor) == (len(ones), sum(one.entered for one in ones))
        grown: Mapping[int, Recovery] = {
            after: Recovery.of(
                (one.entered, one.came(one.opened_at + after * DAY, asked.edge))
                for one in ones
                if one.opened_at + after * DAY <= asked.edge
            )
            for after in AFTER
        }
        assert line.after == grown


async def plant(unit: Unit, who: Neighbour, dice: random.Random, now: datetime) -> History:
    """A case of his own loan with a past of its own."""
    opened_at = now - dice.randrange(0, 220) * DAY - dice.randrange(24) * timedelta(hours=1)
    made = History(
        new_id(), opened_at, dice.randrange(1, 500), dice.randrange(130),
        dice.choice(["EUR", "EUR", "PLN"]),
    )  # fmt: skip

    def when() -> datetime:
        return min(opened_at + dice.randrange(0, 120) * DAY, now)

    loan_id, case_id, own = new_id(), made.case_id, {"lender_id": unit.lender_id}
    for number, at in enumerate(sorted({when() for _ in range(dice.randrange(4))})):
        made.ends.append((at, None if number % 2 else dice.choice(list(CaseClose))))
    last = made.ends[-1] if made.ends and made.ends[-1][1] else None
    await unit.conn.execute(
        text(
            "INSERT INTO loans (id, lender_id, borrower_id, external_ref, product, currency,"
            " owed_as_of, created_at) VALUES (:id, :l, :b, :ref, 'x', :currency, :at, :at)"
        ),
        {"id": loan_id, "l": unit.lender_id, "b": who.id, "ref": str(loan_id), "at": now,
         "currency": made.currency},
    )  # fmt: skip
    await unit.conn.execute(
        insert(cases).values(
            id=case_id, loan_id=loan_id, borrower_id=who.id, opened_at=opened_at,
            state="closed" if last else "open", closed_at=last[0] if last else None,
            close_reason=last[1].value if last and last[1] else None,
            entered_minor=made.entered, entered_days=made.late, **own,
        )
    )  # fmt: skip
    for at, closed_as in made.ends:
        await unit.conn.execute(
            insert(timeline).values(
                id=new_id(), borrower_id=who.id, case_id=case_id, at=at, actor="x",
                kind="case_closed" if closed_as else "case_reopened",
                details={"why": closed_as.value} if closed_as else {}, **own,
            )
        )  # fmt: skip
    for _ in range(dice.randrange(4)):
        paid_at = when() - dice.choice([0, 0, 9]) * DAY
        one = (
            paid_at,
            min(paid_at + dice.randrange(20) * DAY, now),
            dice.choice([None, None, paid_at + dice.randrange(60) * DAY]),
            dice.randrange(1, 300),
            dice.random() < 0.8,
        )
        made.money.append(one)
        await unit.conn.execute(
            insert(repayments).values(
                id=new_id(), loan_id=loan_id, external_ref=str(new_id()),
                source="lender" if one[4] else "forgiven", amount_minor=one[3], applied_minor=0,
                currency=made.currency, paid_at=one[0], recorded_at=one[1], reversed_at=one[2],
                **own,
            )
        )  # fmt: skip
    return made
