"""Who gets a task: whoever can and is there, evenly, capped, the same answer every time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.assignment import (
    LEADS_DECIDE,
    REACH,
    Given,
    Member,
    Need,
    Rules,
    Skills,
    Stays,
    Waiting,
    Why,
    WorkKind,
    able,
    may_be_served,
    need_of,
    next_shift,
    share_out,
    still_fits,
)
from app.domain.money import Money
from app.domain.open_hours import Window
from app.domain.task import TaskReason

NOW = datetime(2026, 3, 3, 10, tzinfo=UTC)  # a Tuesday
UNSKILLED, NOTHING = Skills(), Need()
POLISH = Need(language="pl")
SPEAKS_POLISH = Skills(languages=frozenset({"pl"}))
RULES = Rules(
    languages=frozenset({"pl"}),
    products=frozenset({"car"}),
    kinds=frozenset({WorkKind.HARDSHIP}),
    large_from=(Money(100_000, "EUR"),),
)


def member(number: int, skills: Skills = UNSKILLED, **more: object) -> Member:
    values: dict[str, object] = {
        "load": 0, "cap": 10, "away": False, "on_shift_at": NOW, **more
    }  # fmt: skip
    return Member(UUID(int=number), skills, **values)  # type: ignore[arg-type]


def task(number: int, need: Need = NOTHING, **more: object) -> Waiting:
    values: dict[str, object] = {
        "reason": TaskReason.CALL_BORROWER, "priority": 45, "created_at": NOW, **more
    }  # fmt: skip
    borrower = values.pop("borrower", UUID(int=1_000 + number))
    return Waiting(id=UUID(int=number), borrower_id=borrower, need=need, **values)  # type: ignore[arg-type]


def owner(shared: object) -> int:
    assert isinstance(shared, Given)
    return shared.to.int


# ------------------------------------------------------------------ what a task needs


@pytest.mark.parametrize(
    ("language", "product", "reason", "due", "need"),
    [
        ("es", "micro", TaskReason.CALL_BORROWER, None, Need()),
        ("pl", "micro", TaskReason.CALL_BORROWER, None, POLISH),
        ("es", "car", TaskReason.CALL_BORROWER, None, Need(product="car")),
        ("es", "", TaskReason.BORROWER_CANNOT_PAY, None, Need(kind=WorkKind.HARDSHIP)),
        ("es", "", TaskReason.RELIEF_ASKED, None, Need(kind=WorkKind.HARDSHIP)),
        # A dispute is a kind of work too, but this lender names no skill for it.
        ("es", "", TaskReason.BORROWER_DISPUTES, None, Need()),
        ("es", "", TaskReason.CALL_BORROWER, Money(99_999, "EUR"), Need()),
        ("es", "", TaskReason.CALL_BORROWER, Money(100_000, "EUR"), Need(large=True)),
        ("es", "", TaskReason.CALL_BORROWER, Money(900_000, "PLN"), Need()),
        (
            "pl", "car", TaskReason.RELIEF_ASKED, Money(100_000, "EUR"),
            Need("pl", "car", WorkKind.HARDSHIP, large=True),
        ),
    ],
)  # fmt: skip
def test_the_rules_say_what_a_task_needs(
    language: str, product: str, reason: TaskReason, due: Money | None, need: Need
) -> None:
    assert need_of(RULES, language=language, product=product, reason=reason, due=due) == need
    assert need_of(Rules(), language=language, product=product, reason=reason, due=due) == Need()


def test_whoever_lacks_one_thing_cannot_do_it() -> None:
    whole = Need("pl", "car", WorkKind.HARDSHIP, large=True)
    kinds = frozenset({WorkKind.HARDSHIP})
    everything = Skills(frozenset({"pl"}), frozenset({"car"}), kinds, large=True)
    assert able(everything, whole)
    for lacking in (
        Skills(frozenset(), frozenset({"car"}), kinds, large=True),
        Skills(frozenset({"pl"}), frozenset(), kinds, large=True),
        Skills(frozenset({"pl"}), frozenset({"car"}), frozenset(), large=True),
        Skills(frozenset({"pl"}), frozenset({"car"}), kinds, large=False),
    ):
        assert not able(lacking, whole)
    assert able(Skills(), Need())


def test_a_skill_that_nobody_there_has_strands_no_task() -> None:
    assert may_be_served(SPEAKS_POLISH, POLISH, [SPEAKS_POLISH, Skills()])
    assert not may_be_served(Skills(), POLISH, [SPEAKS_POLISH, Skills()])
    assert may_be_served(Skills(), POLISH, [Skills()])
    # Two who have half of it each are nobody who has it.
    both = Need(language="pl", kind=WorkKind.HARDSHIP)
    halves = [SPEAKS_POLISH, Skills(kinds=frozenset({WorkKind.HARDSHIP}))]
    assert all(may_be_served(one, both, halves) for one in halves)


# ------------------------------------------------------------------ who is there

OFFICE = ((Window(540, 1020),),) * 5 + ((),) * 2  # 09:00-17:00 in the week


@pytest.mark.parametrize(
    ("now", "away_on", "expected"),
    [
        ("2026-03-03T10:00", (), "2026-03-03T10:00"),
        ("2026-03-03T16:00", (), "2026-03-04T08:00"),  # his shift ended; the next one is at nine
        ("2026-03-06T15:59", (), "2026-03-06T15:59"),
        ("2026-03-06T16:00", (), None),  # Friday evening: nobody before Monday
        ("2026-03-08T20:00", (), "2026-03-09T08:00"),
        ("2026-03-03T16:00", ("2026-03-04",), None),
        ("2026-03-03T10:00", ("2026-03-03",), None),  # on leave today, and tomorrow is too far
    ],
)
def test_the_next_shift_by_his_own_clock(
    now: str, away_on: Sequence[str], expected: str | None
) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    days = frozenset(date.fromisoformat(one) for one in away_on)
    found = next_shift("Europe/Madrid", OFFICE, days, at)
    assert found == (
        None if expected is None else datetime.fromisoformat(expected).replace(tzinfo=UTC)
    )


def test_a_shift_out_of_reach_is_none() -> None:
    late = ((Window(1380, 1440),),) * 7
    assert next_shift("UTC", late, frozenset(), NOW) == datetime(2026, 3, 3, 23, tzinfo=UTC)
    before = datetime(2026, 3, 3, 0, tzinfo=UTC)
    assert datetime(2026, 3, 3, 23, tzinfo=UTC) - before > REACH
    assert next_shift("UTC", late, frozenset(), before) is None


# ------------------------------------------------------------------ who gets it


def test_only_whoever_can() -> None:
    eva, leo = member(1), member(2, SPEAKS_POLISH, load=9)
    (given,) = share_out([task(1, POLISH)], [eva, leo], NOW)
    assert given == Given(UUID(int=1), leo.id, POLISH, 9, 10, None, same_borrower=False)


def test_whoever_is_on_shift_comes_before_whoever_comes_later() -> None:
    soon = NOW + timedelta(hours=3)
    eva, leo = member(1, on_shift_at=soon), member(2, load=8)
    (given,) = share_out([task(1)], [eva, leo], NOW)
    assert owner(given) == 2
    (given,) = share_out([task(1)], [eva, member(2, load=10)], NOW)
    assert isinstance(given, Given)
    assert (given.to, given.on_shift_at) == (eva.id, soon)


def test_whoever_has_least_of_what_he_may_have() -> None:
    # 3 of 4 is fuller than 10 of 20.
    (given,) = share_out([task(1)], [member(1, load=3, cap=4), member(2, load=10, cap=20)], NOW)
    assert owner(given) == 2


def test_one_borrower_stays_with_one_person() -> None:
    who = UUID(int=7)
    eva, leo = member(1), member(2, load=5)
    first, second = share_out(
        [task(1, borrower=who, held_by=leo.id), task(2, borrower=who)], [eva, leo], NOW
    )
    assert owner(first) == owner(second) == 2
    assert isinstance(second, Given)
    assert second.same_borrower
    # Unless he cannot do the other one.
    (given,) = share_out([task(1, POLISH, held_by=leo.id)], [member(1, SPEAKS_POLISH), leo], NOW)
    assert owner(given) == 1


@pytest.mark.parametrize(
    ("waits", "team", "why"),
    [
        (task(1, POLISH), [member(1)], Why.NOBODY_CAN),
        (task(1), [], Why.NOBODY_CAN),
        (task(1, POLISH), [member(1), member(2, SPEAKS_POLISH, on_shift_at=None)],
         Why.NOBODY_THERE),
        (task(1, POLISH), [member(1), member(2, SPEAKS_POLISH, load=10)], Why.ALL_FULL),
        (task(1, reason=TaskReason.LIFT_ASKED), [member(1)], Why.LEADS_DECIDE),
    ],
)  # fmt: skip
def test_what_nobody_fits_stays_and_says_why(waits: Waiting, team: list[Member], why: Why) -> None:
    assert share_out([waits], team, NOW) == (Stays(waits.id, waits.need, why),)


def test_the_urgent_ones_get_the_last_free_places() -> None:
    late = task(1, priority=60)
    first = task(2, priority=5, created_at=NOW + timedelta(hours=1))
    shared = share_out([late, first], [member(1, load=9)], NOW)
    assert [one.task_id.int for one in shared] == [2, 1]
    assert isinstance(shared[0], Given)
    assert shared[1] == Stays(late.id, Need(), Why.ALL_FULL)


def test_an_owner_keeps_what_he_can_do_while_he_is_there() -> None:
    call = TaskReason.CALL_BORROWER
    assert still_fits(call, Need(), member(1, on_shift_at=None))  # gone home, not on leave
    assert still_fits(call, POLISH, member(1, SPEAKS_POLISH, load=99))
    assert not still_fits(call, POLISH, member(1))
    assert not still_fits(call, Need(), member(1, away=True, on_shift_at=None))
    assert not still_fits(call, Need(), None)
    assert not still_fits(TaskReason.LIFT_ASKED, Need(), member(1))


# ------------------------------------------------------------------ properties

_LANGUAGES = st.sampled_from(["pl", "uk"])
SKILLS = st.builds(
    Skills,
    st.frozensets(_LANGUAGES),
    st.frozensets(st.sampled_from(["car", "micro"])),
    st.frozensets(st.sampled_from(WorkKind)),
    st.booleans(),
)
NEEDS = st.builds(
    Need,
    st.sampled_from(["", "pl", "uk"]),
    st.sampled_from(["", "car"]),
    st.sampled_from([None, *WorkKind]),
    st.booleans(),
)


@st.composite
def teams(draw: st.DrawFn) -> list[Member]:
    people = []
    for number in range(draw(st.integers(0, 6))):
        away = draw(st.booleans())
        shift = st.sampled_from([None, NOW, NOW + timedelta(hours=5)])
        people.append(
            Member(
                UUID(int=number + 1),
                draw(SKILLS),
                draw(st.integers(0, 5)),
                draw(st.integers(1, 5)),
                away,
                None if away else draw(shift),
            )
        )
    return people


@st.composite
def boards(draw: st.DrawFn) -> list[Waiting]:
    return [
        task(
            number,
            draw(NEEDS),
            borrower=UUID(int=1_000 + draw(st.integers(0, 4))),
            reason=draw(st.sampled_from(TaskReason)),
            priority=draw(st.sampled_from([5, 45])),
        )
        for number in range(draw(st.integers(0, 12)))
    ]


@given(boards(), teams())
def test_each_task_has_one_able_owner_who_is_there_or_stays_on_the_board(
    board: list[Waiting], team: list[Member]
) -> None:
    people = {one.id: one for one in team}
    tasks = {one.id: one for one in board}
    shared = share_out(board, team, NOW)
    assert sorted(one.task_id for one in shared) == sorted(tasks)
    got = {one.id: one.load for one in team}
    for one in shared:
        waits = tasks[one.task_id]
        assert one.need == waits.need
        if isinstance(one, Given):
            to = people[one.to]
            assert able(to.skills, waits.need)
            assert still_fits(waits.reason, waits.need, to)
            assert to.on_shift_at is not None
            assert one.load == got[one.to]
            got[one.to] += 1
            assert got[one.to] <= to.cap
        else:
            # Nobody was passed over: whoever could have had it was full at that moment.
            free = [
                p for p in team
                if able(p.skills, waits.need) and p.on_shift_at is not None
                and not p.away and got[p.id] < p.cap
            ]  # fmt: skip
            assert not free or waits.reason in LEADS_DECIDE
            assert (one.why is Why.LEADS_DECIDE) is (waits.reason in LEADS_DECIDE)


@given(boards(), teams(), st.randoms(use_true_random=False))
def test_the_order_of_asking_changes_nothing(
    board: list[Waiting], team: list[Member], chance: Random
) -> None:
    expected = share_out(board, team, NOW)
    chance.shuffle(board)
    chance.shuffle(team)
    assert share_out(board, team, NOW) == expected


@given(st.integers(0, 40), st.lists(st.tuples(st.integers(0, 6), st.integers(1, 12)), min_size=1))
def test_among_equals_nobody_is_a_task_fuller_than_needed(
    tasks: int, people: list[tuple[int, int]]
) -> None:
    team = [member(number + 1, load=load, cap=cap) for number, (load, cap) in enumerate(people)]
    loads = {one.id: one.load for one in team}
    for shared in share_out([task(number) for number in range(tasks)], team, NOW):
        if isinstance(shared, Given):
            loads[shared.to] += 1
    for one in team:
        if loads[one.id] == one.load:
            continue
        before = Fraction(loads[one.id] - 1, one.cap)
        for other in team:
            if loads[other.id] < other.cap:
                assert before <= Fraction(loads[other.id], other.cap)
