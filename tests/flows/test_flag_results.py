"""What became of flagged cases: a story day by day, and a random book against the pure rules."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select, text, update

from app.domain.approval import ApprovalKind
from app.domain.case import CaseClose
from app.domain.flag_results import BAD, CaseResult, RuleResults, case_result
from app.domain.money import Money
from app.domain.task import TaskOutcome
from app.flows.approvals.decide_approval import Word
from app.flows.cases.flag_cases import flag_cases
from app.reports.flag_results import LOOK_BACK, FlagResults, Which, cases_behind, flag_results
from app.store.keys import new_id
from app.store.tables import (
    adjustments,
    approvals,
    case_flags,
    cases,
    past_schedules,
    segments,
    timeline,
)
from app.store.unit import Unit
from tests.flows.collector import answer
from tests.flows.desk_people import Desk
from tests.flows.ledger import payment_of, settled
from tests.flows.street import Neighbour, Street
from tests.flows.test_flags import rule
from tests.flows.test_money import taken_back
from tests.rig import make_lender

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)


async def results(street: Street, horizon: int = 60, lender_id: Any = None) -> FlagResults:
    async with street.store.unit(lender_id or street.lender_id) as unit:
        return await flag_results(unit, street.now, horizon)


async def behind(
    street: Street, which: Which, rule_id: UUID | None = None, horizon: int = 60
) -> set[UUID]:
    async with street.store.unit(street.lender_id) as unit:
        ids = cases_behind(which, rule_id, street.now, horizon)
        return set((await unit.conn.scalars(select(cases.c.id).where(cases.c.id.in_(ids)))).all())


async def only_rule(street: Street) -> RuleResults:
    (found,) = (await results(street)).rules.values()
    return found


async def flag(street: Street, who: Neighbour, on: datetime, segment_id: Any, **more: Any) -> None:
    async with street.store.unit(street.lender_id) as unit:
        await unit.conn.execute(
            insert(case_flags).values(
                id=new_id(), lender_id=street.lender_id, case_id=who.cases[0], borrower_id=who.id,
                segment_id=segment_id, flag="x", reasons={}, raised_at=on, **more,
            )
        )  # fmt: skip


async def test_a_flag_is_judged_by_what_came_within_its_days(street: Street) -> None:
    await rule(street, "late")
    pays, never, later = await street.neighbours(3)
    street.hands.go_on(days=59)
    await street.repaid(pays, "R-1")
    early = await only_rule(street)
    assert (early.waiting, early.precision.of, early.recall.of) == (3, 0, 0), "none has its 60 days"
    street.hands.go_on(days=1)
    judged = await only_rule(street)
    assert (judged.precision.hits, judged.precision.of) == (2, 3)
    assert (judged.recall.hits, judged.recall.of) == (2, 2)
    assert (judged.waiting, judged.median_days) == (0, 0.0)
    # What comes after the days of a flag changes nothing about it.
    street.hands.go_on(days=1)
    await street.repaid(later, "R-2")
    assert await only_rule(street) == judged
    assert await behind(street, Which.BAD) == {never.cases[0], later.cases[0]}
    assert await behind(street, Which.PAID) == {pays.cases[0]}
    assert await behind(street, Which.CAUGHT) == {never.cases[0], later.cases[0]}
    assert await behind(street, Which.MISSED) == set()


async def test_money_that_is_sent_back_after_the_days_was_there_on_that_day(
    street: Street,
) -> None:
    await rule(street, "late")
    within, after = await street.neighbours(2)
    payments = []
    for who in (within, after):
        street.hands.go_on(days=1)
        payments.append(await payment_of(street, who.id, 12_001))
        await settled(street, who.loans[0], 12_000, payments[-1])
        await street.repaid(who, "nothing left", minor=1)
    await taken_back(street, payments[0])
    street.hands.go_on(days=60)
    before = await only_rule(street)
    assert (before.precision.hits, before.precision.of) == (1, 2)
    # The row of its case knows nothing of its first end any more.
    await taken_back(street, payments[1])
    assert [row.state for row in await street.rows("SELECT state FROM cases")] == ["open", "open"]
    street.hands.go_on(days=1)
    assert await only_rule(street) == before
    assert await behind(street, Which.PAID) == {after.cases[0]}


async def test_who_never_had_a_flag_counts_as_missed(street: Street) -> None:
    await rule(street, "large", {"field": "owed", "op": "at_least", "value": "100.00 EUR"})
    (small,) = await street.neighbours(1, dues=(1_000,))
    (large,) = await street.neighbours(1, dues=(90_000,))
    # Opened before the rule: nobody could have flagged it then.
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE segments SET published_at = :at"), {"at": street.now})
    (old,) = await street.neighbours(1, dues=(1_000,))
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(
            text("UPDATE cases SET opened_at = opened_at - interval '1 day' WHERE id = :id"),
            {"id": old.cases[0]},
        )
    street.hands.go_on(days=60)
    found = await results(street)
    (one,) = found.rules.values()
    assert (one.recall.hits, one.recall.of) == (1, 2)
    assert (one.base.hits, one.base.of) == (2, 2)
    assert await behind(street, Which.MISSED) == {small.cases[0]}
    assert await behind(street, Which.CAUGHT) == {large.cases[0]}
    assert found.together == one


async def test_a_case_flagged_twice_counts_once_and_from_the_first_flag(street: Street) -> None:
    await rule(street, "late")
    await rule(street, "promises", {"field": "broken_promises", "op": "at_least", "value": 1})
    first, second = await street.rows("SELECT id FROM segments ORDER BY name")
    who = await street.neighbour()
    (raised,) = await street.rows("SELECT raised_at FROM case_flags")
    await street.rows("UPDATE case_flags SET ended_at = :n RETURNING 1", n=street.now + DAY)
    await flag(street, who, raised.raised_at + 5 * DAY, first.id, ended_at=street.now + 6 * DAY)
    await flag(street, who, raised.raised_at + 7 * DAY, second.id)
    street.hands.go_on(days=60)
    found = await results(street)
    assert found.rules[first.id].precision.of == 1
    assert (found.rules[second.id].precision.of, found.rules[second.id].waiting) == (0, 1)
    assert (found.together.precision.of, found.together.waiting) == (1, 0)
    # The second rule had flagged it by then, too.
    assert found.rules[second.id].recall.hits == 1
    assert found.rules[second.id].median_days == 7.0


async def test_people_and_agencies_are_told_and_forgiving_is_no_payment(street: Street) -> None:
    desk = Desk(street)
    await rule(street, "late")
    looked, forgiven, placed = await street.neighbours(3)
    await answer(street, looked, TaskOutcome.RESOLVED, reason="review_case", note="A known payer")
    street.hands.go_on(hours=1)
    half = await desk.propose(
        ApprovalKind.FORGIVENESS, forgiven.loans[0], amount=Money(6_000, "EUR")
    )
    await desk.says(Word.APPROVE, half.id)
    await street.repaid(forgiven, "R-1")
    agency = await desk.agency()
    await desk.placed(placed.cases[0], agency)
    await flag_cases(street.house, street.now)
    await street.rows(
        "UPDATE case_flags SET ended_at = :n, ended_by = 'eva' WHERE case_id = :c RETURNING 1",
        n=street.now, c=looked.cases[0],
    )  # fmt: skip
    street.hands.go_on(days=60)
    found = await only_rule(street)
    assert found.flagged.results == {CaseResult.UNPAID: 2, CaseResult.GIVEN_UP: 1}
    assert (found.looked, found.placed, found.removed) == (1, 1, 1)


async def test_the_flags_of_another_lender_are_his(street: Street) -> None:
    await rule(street, "late")
    await street.neighbour()
    other = await make_lender(street.store, street.now)
    street.hands.go_on(days=60)
    found = await results(street, lender_id=other)
    assert (found.rules, found.together) == ({}, RuleResults())


async def test_without_any_rule_there_is_nothing_to_tell(street: Street) -> None:
    found = await results(street)
    assert (found.rules, found.together) == ({}, RuleResults())


# ------------------------------------------------------------------ a random book

Windows = dict[UUID | None, tuple[datetime, datetime]]
"""When each edition was in force."""


@dataclass
class History:
    """One case as a test planted it. `ends`: closed as, or opened again (None), by the time."""

    case_id: UUID
    opened_at: datetime
    ends: list[tuple[datetime, CaseClose | None]] = field(default_factory=list)
    forgiven: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    rescheduled: list[datetime] = field(default_factory=list)
    flags: list[tuple[UUID | None, datetime]] = field(default_factory=list)
    asked: bool = True

    def result(self, since: datetime, until: datetime) -> CaseResult:
        """By the pure rule."""
        known = [end for end in self.ends if end[0] <= until]
        return case_result(
            known[-1][1] if known else None,
            forgiven=any(
                since < at <= until and (undone is None or undone > until)
                for at, undone in self.forgiven
            ),
            rescheduled=any(since < at <= until for at in self.rescheduled),
        )


class _RollBackError(Exception):
    """Such a book breaks what the flows keep true: nothing of it stays."""


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
async def test_a_random_book_agrees_with_the_pure_rules(seed: int, street: Street) -> None:
    dice = random.Random(seed)
    people = await street.neighbours(12)
    now = street.hands.go_on(days=400)
    with pytest.raises(_RollBackError):
        async with street.store.unit(street.lender_id) as unit:
            await unit.conn.execute(update(cases).values(segmented_at=None))
            windows = await _editions(unit, dice, now)
            ended = next(iter(windows.values()))[1]
            book = [await _plant(unit, who, dice, now, list(windows), ended) for who in people * 3]
            for horizon in (30, 90):
                await _compare(unit, now, horizon, windows, book)
            raise _RollBackError


async def _compare(
    unit: Unit, now: datetime, horizon: int, windows: Windows, book: list[History]
) -> None:
    found, days = await flag_results(unit, now, horizon), horizon * DAY
    begin = min(begins for begins, _ in windows.values())
    for edition, (begins, ends) in {**windows, None: (begin, now + 999 * DAY)}.items():
        one = found.rules[edition] if edition else found.together
        flagged: Counter[CaseResult] = Counter()
        opened: Counter[CaseResult] = Counter()
        waiting = caught = 0
        for history in book:
            raised = [at for rule_id, at in history.flags if edition in (None, rule_id)]
            first = min(raised, default=None)
            if first is not None and first > now - LOOK_BACK - days:
                waiting += first + days > now
                if first + days <= now:
                    flagged[history.result(first, first + days)] += 1
            over = history.opened_at + days
            inside = begins <= history.opened_at and over <= ends and history.asked
            if inside and over <= now and history.opened_at > now - LOOK_BACK - days:
                came = history.result(history.opened_at, over)
                opened[came] += 1
                caught += came in BAD and any(history.opened_at <= at < over for at in raised)
        assert one.flagged.results == dict(flagged)
        assert {came: number for came, number in one.opened.results.items() if number} == opened
        assert (one.waiting, one.caught) == (waiting, caught)
        for which, number in (
            (Which.BAD, one.flagged.bad),
            (Which.PAID, one.flagged.number(CaseResult.PAID)),
            (Which.UNCLEAR, one.flagged.number(CaseResult.UNCLEAR)),
            (Which.WAITING, one.waiting),
            (Which.CAUGHT, one.caught),
            (Which.MISSED, one.opened.bad - one.caught),
        ):
            ids = await unit.conn.scalars(cases_behind(which, edition, now, horizon))
            assert len(set(ids)) == number, which


async def _editions(unit: Unit, dice: random.Random, now: datetime) -> Windows:
    made: Windows = {}
    change = now - dice.randrange(60, 200) * DAY
    for number, (begins, ends) in enumerate(
        ((now - 500 * DAY, change), (change, None), (now - 150 * DAY, None)), start=1
    ):
        made[new_id()] = (begins, ends or now + 999 * DAY)
        await unit.conn.execute(
            insert(segments).values(
                id=list(made)[-1], lender_id=unit.lender_id, number=number,
                name="first" if number < 3 else "second", conditions={}, action={},
                state="retired" if ends else "published", made_by="x", made_at=begins,
                published_at=begins, retired_at=ends,
            )
        )  # fmt: skip
    return made


async def _plant(
    unit: Unit,
    who: Neighbour,
    dice: random.Random,
    now: datetime,
    rules: list[UUID | None],
    ended: datetime,
) -> History:
    """A case of his own loan with a past of its own."""
    opened_at = now - dice.randrange(10, 500) * DAY
    if dice.random() < 0.2:
        # Its days are over at the very moment at which the first edition is.
        opened_at = ended - dice.choice((30, 90)) * DAY
    made = History(new_id(), opened_at, asked=dice.random() < 0.9)

    def when() -> datetime:
        # Whole days, so that moments often meet the ends of somebody's days exactly.
        return min(opened_at + dice.randrange(0, 120) * DAY, now)

    for place, at in enumerate(sorted({when() for _ in range(dice.randrange(4))})):
        made.ends.append((at, None if place % 2 else dice.choice(list(CaseClose))))
    loan_id = new_id()
    own = {"lender_id": unit.lender_id}
    await unit.conn.execute(
        text(
            "INSERT INTO loans (id, lender_id, borrower_id, external_ref, product, currency,"
            " owed_as_of, created_at) VALUES (:id, :l, :b, :ref, 'x', 'EUR', :at, :at)"
        ),
        {"id": loan_id, "l": unit.lender_id, "b": who.id, "ref": str(loan_id), "at": now},
    )
    last = made.ends[-1] if made.ends and made.ends[-1][1] else None
    await unit.conn.execute(
        insert(cases).values(
            id=made.case_id, loan_id=loan_id, borrower_id=who.id, opened_at=opened_at,
            state="closed" if last else "open", closed_at=last[0] if last else None,
            close_reason=last[1].value if last and last[1] else None,
            segmented_at=now if made.asked else None, **own,
        )
    )  # fmt: skip
    for at, closed_as in made.ends:
        await unit.conn.execute(
            insert(timeline).values(
                id=new_id(), borrower_id=who.id, case_id=made.case_id, at=at, actor="x",
                kind="case_closed" if closed_as else "case_reopened",
                details={"why": closed_as.value} if closed_as else {}, **own,
            )
        )  # fmt: skip
    if dice.random() < 0.3:
        made.forgiven.append((dice.choice([opened_at, when()]), dice.choice([None, when()])))
    for at, undone in made.forgiven:
        entry = await _adjusted(unit, who, loan_id, "forgiveness", at, own)
        if undone is not None:
            await _adjusted(unit, who, loan_id, "reversal", undone, own, reverses_id=entry)
    if dice.random() < 0.4:
        made.rescheduled.append(when())
        await unit.conn.execute(
            insert(past_schedules).values(
                id=new_id(), loan_id=loan_id, until=made.rescheduled[0] - DAY,
                recorded_at=made.rescheduled[0], numbers=[], due_on=[], amount_minor=[],
                paid_minor=[], **own,
            )
        )  # fmt: skip
    for _ in range(dice.randrange(4)):
        made.flags.append((dice.choice(rules), when()))
        await unit.conn.execute(
            insert(case_flags).values(
                id=new_id(), case_id=made.case_id, borrower_id=who.id, flag="x", reasons={},
                segment_id=made.flags[-1][0], raised_at=made.flags[-1][1],
                ended_at=now, ended_by="saldo", **own,
            )
        )  # fmt: skip
    return made


async def _adjusted(
    unit: Any, who: Neighbour, loan_id: UUID, kind: str, at: datetime, own: Any, **more: Any
) -> UUID:
    approval_id, entry_id = new_id(), new_id()
    await unit.conn.execute(
        insert(approvals).values(
            id=approval_id, kind=kind, subject_id=new_id(), borrower_id=who.id, loan_id=loan_id,
            reason="x", proposed_by="x", proposed_at=at, **own,
        )
    )  # fmt: skip
    await unit.conn.execute(
        insert(adjustments).values(
            id=entry_id, loan_id=loan_id, borrower_id=who.id, approval_id=approval_id, kind=kind,
            amount_minor=1, currency="EUR", made_at=at, **own, **more,
        )
    )  # fmt: skip
    return entry_id
