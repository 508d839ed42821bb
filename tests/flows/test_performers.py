"""How well people and agencies do: stories by hand, and random cases against the pure rules."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert

from app.domain.flag_results import CaseResult, case_result
from app.domain.ids import UserId
from app.domain.message import Channel
from app.domain.money import Money
from app.domain.performance import (
    USUAL_DAYS,
    Overdue,
    Shares,
    adjusted,
    came_of,
    late_band,
    raw,
    together,
)
from app.domain.promise_terms import Part, PromiseSource
from app.domain.proportion import Proportion
from app.domain.roles import Role
from app.domain.task import TaskOutcome
from app.flows.cases.open_cases import open_cases
from app.flows.money.report_repayment import RepaymentWanted, report_repayment
from app.flows.work.judge_promises import judge_promises
from app.flows.work.record_contact import ContactMade, record_contact
from app.flows.work.take_promise import take_promise
from app.reports.performers import Kind, Performer, cases_behind, performers
from app.reports.recovery import Which
from app.store.keys import new_id
from app.store.loans import Scheduled
from app.store.tables import contacts, users
from app.store.unit import Unit
from tests.flows.desk_people import Desk
from tests.flows.ledger import days, registered, report
from tests.flows.street import Neighbour, Street
from tests.flows.test_recovery import DAY, ZONE, History, RollBackError, period, plant
from tests.rig import make_lender

pytestmark = pytest.mark.anyio


async def told(
    street: Street, kind: Kind = Kind.COLLECTOR, lender_id: Any = None, as_of: date | None = None
) -> dict[str, Performer]:
    async with street.store.unit(lender_id or street.lender_id) as unit:
        found = await performers(unit, period(street.now, as_of=as_of), kind)
    return {one.name: one for one in found}


async def behind(street: Street, which: Which, who: Performer, kind: Kind) -> set[UUID]:
    assert who.id is not None
    async with street.store.unit(street.lender_id) as unit:
        ids = cases_behind(which, period(street.now), kind, who.id)
        return set(await unit.conn.scalars(ids))


async def called(
    street: Street,
    who: Neighbour,
    by: UserId,
    *,
    reached: bool = True,
    case: int = 0,
    made_at: datetime | None = None,
) -> None:
    await record_contact(
        street.house, street.now, lender_id=street.lender_id, case_id=who.cases[case],
        made=ContactMade(
            channel=Channel.CALL, outbound=True, made_at=made_at or street.now,
            conversation=reached,
            outcome=TaskOutcome.REACHED if reached else TaskOutcome.NO_ANSWER,
        ),
        user_id=by, actor="eva",
    )  # fmt: skip


async def test_a_case_is_his_who_called_first_and_money_his_who_spoke_last(
    street: Street,
) -> None:
    desk = Desk(street)
    eva, leo = [await desk.person(name, Role.COLLECTOR) for name in ("eva", "leo")]
    one, two, three = await street.neighbours(3, dues=(10_000,))
    street.hands.go_on(days=1)
    await street.repaid(one, "early", minor=4_000)
    street.hands.go_on(hours=1)
    await called(street, one, eva)
    await called(street, two, leo, reached=False)
    street.hands.go_on(days=1)
    await called(street, one, leo)
    await called(street, three, leo)
    street.hands.go_on(days=1)
    await street.repaid(one, "R-1")
    await street.repaid(three, "R-3", minor=2_500)
    street.hands.go_on(days=USUAL_DAYS)
    found = await told(street)
    assert list(found) == ["eva", "leo"]
    her, him = found["eva"], found["leo"]
    assert (her.reached, him.reached) == (Proportion(1, 1), Proportion(2, 3))
    # What had come before she called is not hers to bring in.
    assert (her.brought.owed, her.brought.came) == ((Money(6_000, "EUR"),), (Money(6_000, "EUR"),))
    assert (him.brought.owed, him.brought.came) == (
        (Money(20_000, "EUR"),),
        (Money(2_500, "EUR"),),
    )
    assert (her.brought.as_is.mean, him.brought.as_is.mean) == (1.0, 0.125)
    # He spoke with both after her; the one whom he did not reach does not count.
    assert (her.followed, her.money) == (Proportion(0, 1), ())
    assert (him.followed, him.money) == (Proportion(2, 2), (Money(8_500, "EUR"),))
    assert await behind(street, Which.ENTERED, her, Kind.COLLECTOR) == {one.cases[0]}
    assert await behind(street, Which.WHOLE, her, Kind.COLLECTOR) == {one.cases[0]}
    assert await behind(street, Which.SHORT, him, Kind.COLLECTOR) == {two.cases[0], three.cases[0]}
    other = await make_lender(street.store, street.now)
    assert await told(street, lender_id=other) == {}


async def test_a_call_is_too_young_before_its_days_are_over(street: Street) -> None:
    eva = await Desk(street).person("eva", Role.COLLECTOR)
    who = await street.neighbour()
    street.hands.go_on(hours=2)
    await called(street, who, eva)
    street.hands.go_on(days=13)
    await street.repaid(who, "R-1")
    found = (await told(street))["eva"]
    assert (found.followed, found.brought.as_is.count) == (Proportion(0, 0), 0)
    street.hands.go_on(days=1)
    assert (await told(street))["eva"].followed == Proportion(1, 1)
    street.hands.go_on(days=15)
    assert (await told(street))["eva"].brought.as_is.count == 0
    street.hands.go_on(days=1)
    assert (await told(street))["eva"].brought.as_is.mean == 1.0
    before = street.now.astimezone(ZONE).date() - 3 * DAY
    assert (await told(street, as_of=before))["eva"].brought.as_is.count == 0


async def test_money_that_was_paid_before_the_call_and_told_later_is_not_his(
    street: Street,
) -> None:
    eva = await Desk(street).person("eva", Role.COLLECTOR)
    part, all_of_it = await street.neighbours(2, dues=(10_000,))
    street.hands.go_on(days=1)
    paid_at = street.now
    street.hands.go_on(hours=2)
    for who in (part, all_of_it):
        await called(street, who, eva)
    street.hands.go_on(hours=2)
    for who, minor in ((part, 4_000), (all_of_it, 10_000)):
        await report_repayment(
            street.house, street.now, street.lender_id, f"{who.ref}-L0",
            RepaymentWanted(who.ref, Money(minor, "EUR"), paid_at),
        )  # fmt: skip
    street.hands.go_on(days=USUAL_DAYS)
    found = (await told(street))["eva"].brought
    assert (found.owed, found.came) == ((Money(6_000, "EUR"),), (Money(0, "EUR"),))
    assert found.as_is.count == 1


async def test_a_call_that_is_written_down_days_later_decides_nothing(street: Street) -> None:
    """Else whoever sees who has paid notes calls of the days before, and has done it all."""
    eva, leo = [await Desk(street).person(name, Role.COLLECTOR) for name in ("eva", "leo")]
    who = await street.neighbour(dues=(10_000,))
    street.hands.go_on(days=2)
    made_at = street.now
    street.hands.go_on(days=1, hours=1)
    await called(street, who, leo)
    street.hands.go_on(hours=1)
    await street.repaid(who, "R-1", minor=4_000)
    street.hands.go_on(hours=1)
    await called(street, who, eva, made_at=made_at)
    street.hands.go_on(days=USUAL_DAYS)
    found = await told(street)
    her, him = found["eva"], found["leo"]
    assert (her.reached, him.reached) == (Proportion(1, 1), Proportion(1, 1))
    assert (her.brought.owed, her.followed) == ((), Proportion(0, 0))
    assert him.brought.came == him.money == (Money(4_000, "EUR"),)


async def test_a_call_after_the_end_brings_nothing_and_the_next_case_is_another(
    street: Street,
) -> None:
    eva = await Desk(street).person("eva", Role.COLLECTOR)
    await registered(
        street, Scheduled(1, days(street, -9), 5_000), Scheduled(2, days(street, 20), 7_000)
    )
    await open_cases(street.house, street.now)
    who = await _someone(street)
    street.hands.go_on(days=3)
    await called(street, who, eva)
    street.hands.go_on(days=1)
    # His ledger says that the first is paid, and reports no payment.
    parts = Scheduled(1, days(street, -13), 5_000, 5_000), Scheduled(2, days(street, 16), 7_000)
    await registered(street, *parts)
    assert await street.value("SELECT state FROM cases") == "closed"
    await street.rows("UPDATE contacts SET made_at = :at RETURNING 1", at=street.now + DAY / 24)
    street.hands.go_on(days=17)
    await open_cases(street.house, street.now)
    street.hands.go_on(days=USUAL_DAYS)
    # She called about a case that was over.
    assert (await told(street))["eva"].brought.as_is.count == 0
    await street.rows(
        "UPDATE contacts SET noted_at = NULL, "
        "made_at = (SELECT min(opened_at) FROM cases) + interval '1 day' RETURNING 1"
    )
    await report(street, "for the second", 7_000)
    found = (await told(street))["eva"].brought
    assert (found.owed, found.came) == ((Money(5_000, "EUR"),), (Money(5_000, "EUR"),))
    # Money of the second case is none of the first, where that was not paid.
    await street.rows("UPDATE cases SET close_reason = 'failed' WHERE state = 'closed' RETURNING 1")
    found = (await told(street))["eva"].brought
    assert (found.owed, found.came) == ((Money(5_000, "EUR"),), (Money(0, "EUR"),))


async def _someone(street: Street) -> Neighbour:
    """Whoever `registered` made, as far as a call needs him."""
    (row,) = await street.rows("SELECT id, borrower_id, loan_id FROM cases")
    return Neighbour(row.borrower_id, "B", "", [row.loan_id], [row.id], row.id, row.id)


async def test_promises_are_his_who_took_them_once_they_came_due(street: Street) -> None:
    desk = Desk(street)
    await desk.person("eva", Role.COLLECTOR)
    email = await street.value("SELECT email FROM users")
    keeps, breaks, himself = await street.neighbours(3)
    due = street.now.astimezone(ZONE).date() + 2 * DAY
    for who, by, source in (
        (keeps, email, "desk"), (breaks, email, "desk"), (himself, "borrower", "page")
    ):  # fmt: skip
        await _promised(street, who, due, by, source)
    await street.repaid(keeps, "R-1")
    assert (await told(street)).get("eva") is None, "not due yet"
    street.hands.go_on(days=12)
    async with street.store.engine_unit() as unit:
        for who in (breaks, himself):
            await judge_promises(unit, street.now, who.loans[0])
    found = await told(street)
    assert found["eva"].kept == Proportion(1, 2)
    assert found[""].kept == Proportion(0, 1)
    assert found[""].id is None


async def _promised(street: Street, who: Neighbour, due: date, by: str, source: str) -> None:
    await take_promise(
        street.house, street.now, lender_id=street.lender_id, case_id=who.cases[0],
        parts=[Part(due, Money(12_000, "EUR"))], source=PromiseSource(source), made_by=by,
        note="",
    )  # fmt: skip


async def test_an_agency_is_measured_from_the_day_it_got_the_case(street: Street) -> None:
    desk = Desk(street)
    pays, never = await street.neighbours(2, dues=(10_000,))
    norte = await desk.agency()
    street.hands.go_on(days=3)
    for who in (pays, never):
        await desk.placed(who.cases[0], norte)
    street.hands.go_on(days=10)
    await street.repaid(pays, "R-1")
    street.hands.go_on(days=20)
    found = (await told(street, Kind.AGENCY))["Norte"]
    assert (found.brought.owed, found.brought.came) == (
        (Money(20_000, "EUR"),),
        (Money(10_000, "EUR"),),
    )
    assert (found.brought.as_is.mean, found.brought.like_others.mean) == (0.5, 0.5)
    assert await behind(street, Which.WHOLE, found, Kind.AGENCY) == {pays.cases[0]}
    # Six days when the case opened, and 33 since.
    assert found.overdue == {"EUR": Overdue(1, 10_000, 39, 390_000)}
    before = street.now.astimezone(ZONE).date() - 31 * DAY
    assert await told(street, Kind.AGENCY, as_of=before) == {}, "it had none yet"


# ------------------------------------------------------------------ random cases


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_random_cases_agree_with_the_pure_rules(seed: int, street: Street) -> None:
    dice = random.Random(seed)
    people = await street.neighbours(8)
    now = street.hands.go_on(days=300)
    with pytest.raises(RollBackError):
        async with street.store.unit(street.lender_id) as unit:
            names = [await _user(unit, name, now) for name in ("ada", "ben", "cleo")]
            book = [await plant(unit, who, dice, now) for who in people * 6]
            calls = [
                (one, await _called(unit, who, one, dice, now, names))
                for one, who in zip(book, people * 6, strict=True)
            ]
            for back in (0, 25):
                asked = period(now, 150, now.astimezone(ZONE).date() - back * DAY)
                found = await performers(unit, asked, Kind.COLLECTOR)
                firsts = [
                    (one, *within[0])
                    for one, his in calls
                    if (within := [call for call in his if asked.begins <= call[0] < asked.ends])
                ]
                old = [
                    one
                    for one in firsts
                    if one[1] + USUAL_DAYS * DAY <= asked.edge and _was_open(one[0], one[1])
                ]
                _compare(found, old, asked.edge)
            raise RollBackError


def _compare(
    found: tuple[Performer, ...], calls: list[tuple[History, datetime, UUID]], edge: datetime
) -> None:
    brought: dict[UUID, list[tuple[str, int, int, int]]] = defaultdict(list)
    for one, at, by in calls:
        owed = one.entered - sum(
            minor
            for paid_at, recorded_at, reversed_at, minor, counts in one.money
            if counts
            and one.opened_at <= recorded_at <= edge
            and min(paid_at, recorded_at) < at
            and (reversed_at is None or reversed_at > edge)
        )
        if owed > 0:
            late = late_band(one.late + (at - one.opened_at).days)
            brought[by].append((one.currency, owed, _came(one, at, owed, edge), late))
    ends = {
        currency: _thirds(
            sorted(b[1] for ones in brought.values() for b in ones if b[0] == currency)
        )
        for currency in ("EUR", "PLN")
    }
    groups = {}
    for by, ones in brought.items():
        strata: dict[Any, list[float]] = defaultdict(list)
        for currency, owed, came, late in ones:
            third = sum(owed > end for end in ends[currency])
            strata[currency, third, late].append(came / owed)
        groups[by] = {key: Shares.of(shares) for key, shares in strata.items()}
    everybody = together(groups.values())
    told = {one.id: one for one in found if one.brought.as_is.count}
    assert set(told) == set(groups)
    assert len(groups) == 3
    for by, own in groups.items():
        for mine, wanted in (
            (told[by].brought.as_is, raw(own)),
            (told[by].brought.like_others, adjusted(own, everybody)),
        ):
            assert [mine.count, mine.mean, mine.low, mine.high, mine.covered] == pytest.approx(
                [wanted.count, wanted.mean, wanted.low, wanted.high, wanted.covered]
            )
        sums: dict[str, int] = defaultdict(int)
        for currency, _, came, _ in brought[by]:
            sums[currency] += came
        assert told[by].brought.came == tuple(Money(sums[key], key) for key in sorted(sums))


def _was_open(one: History, at: datetime) -> bool:
    known = [end for end in one.ends if end[0] <= at]
    return not known or known[-1][1] is None


def _came(one: History, at: datetime, owed: int, edge: datetime) -> int:
    until = at + USUAL_DAYS * DAY
    known = [end for end in one.ends if end[0] <= edge]
    ended_at, closed_as = known[-1] if known else (until, None)
    paid = ended_at <= until and case_result(closed_as) is CaseResult.PAID
    money = sum(
        minor
        for paid_at, recorded_at, reversed_at, minor, counts in one.money
        if counts
        and recorded_at <= edge
        and at <= min(paid_at, recorded_at)
        and paid_at <= until
        and (reversed_at is None or reversed_at > edge)
    )
    return came_of(owed, money, paid=paid)


def _thirds(owed: list[int]) -> tuple[int, int]:
    """The first value at or above which a third, and two thirds, have been seen."""
    return tuple(owed[-(-len(owed) * n // 3) - 1] for n in (1, 2))  # type: ignore[return-value]


async def _user(unit: Unit, name: str, now: datetime) -> UUID:
    user_id = new_id()
    await unit.conn.execute(
        insert(users).values(
            id=user_id, lender_id=unit.lender_id, email=f"{name}@{user_id}", name=name,
            role="collector", password_hash="", created_at=now,
        )
    )  # fmt: skip
    return user_id


async def _called(
    unit: Unit, who: Neighbour, one: History, dice: random.Random, now: datetime, by: list[UUID]
) -> list[tuple[datetime, UUID]]:
    """Some calls about his case, in the order in which they were made, with the callers."""
    calls = sorted(
        (min(one.opened_at + dice.randrange(0, 60) * DAY, now), dice.choice(by)) for _ in range(3)
    )
    for at, user_id in calls:
        await unit.conn.execute(
            insert(contacts).values(
                id=new_id(), lender_id=unit.lender_id, borrower_id=who.id, channel="call",
                direction="outbound", conversation=dice.random() < 0.5, made_at=at,
                case_ids=[one.case_id], user_id=user_id,
            )
        )  # fmt: skip
    return calls
