"""What a strategy does about one case today: facts in, plan out.

Days past due count from the date of the oldest unpaid instalment (the anchor). A part payment
that clears it moves the anchor, and with it the stage; a job that was down for days finds the
same day number as one that ran. Days that a hold froze have no number of their own, and put off
what comes after them, not what was before (app/domain/day_count.py). Every step has a name that is
the same whenever it is planned, so that it is taken once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from app.domain.contact_policy import ContactPurpose
from app.domain.day_count import DayCount, Frozen
from app.domain.stages import Calls, End, EndAct, Notice, Stage, StrategyBody
from app.domain.task import TaskOutcome, TaskReason

# A calendar without a single working day in this many would never let anybody call.
_LONGEST_CLOSED: Final = 31
_TOMORROW: Final = timedelta(days=1)

# The try was made, and no promise came of it. What needs an answer first (a dispute, hardship, a
# payment said to be made) is no attempt, and neither is a promise.
COUNTED: Final = frozenset(
    {
        TaskOutcome.REACHED,
        TaskOutcome.NO_ANSWER,
        TaskOutcome.WRONG_NUMBER,
        TaskOutcome.REFUSES,
        TaskOutcome.CALL_BACK,
        TaskOutcome.THIRD_PARTY,
    }
)


# Each of these is the strategy's own next word with the borrower, and a collector speaks it.
CALLING: Final = (
    TaskReason.CALL_BORROWER,
    TaskReason.CALL_BACK,
    TaskReason.PROMISE_BROKEN,
    TaskReason.NO_WAY_TO_REACH,
)


class StepKind(StrEnum):
    """Everything a strategy can do about one loan."""

    REMIND = "remind"
    NOTICE = "notice"
    CALL = "call"
    PROPOSE_WRITE_OFF = "propose_write_off"
    PROPOSE_PLACEMENT = "propose_placement"
    HAND_TO_PERSON = "hand_to_person"
    CLOSE = "close"
    REVIEW = "review"
    PROMISE_REMINDER = "promise_reminder"


ENDS: Final = frozenset(
    {
        StepKind.PROPOSE_WRITE_OFF,
        StepKind.PROPOSE_PLACEMENT,
        StepKind.HAND_TO_PERSON,
        StepKind.CLOSE,
    }
)


class Skip(StrEnum):
    """Why a notice whose day came was not sent. The last two say what became of other steps."""

    OVERTAKEN = "overtaken"
    BEFORE_OUR_TIME = "before_our_time"
    NO_CHANNEL = "no_channel"
    NO_ADDRESS = "no_address"
    OPTED_OUT = "opted_out"
    NO_PAGE = "no_page"
    NO_WORDS = "no_words"
    TOO_LONG = "too_long"
    GATE_REFUSED = "gate_refused"
    WITHHELD = "withheld"
    CALLED_OFF = "called_off"
    DONE = "done"


class WaitsFor(StrEnum):
    """Why nothing is done today although something is due."""

    HOLD = "hold"
    PAYMENT = "payment"
    PERSON = "person"
    PROMISE = "promise"
    LINK = "link"
    EXPERIMENT = "experiment"
    CALL = "call"
    APPROVAL = "approval"


# A promise, a link with the borrower and an experiment put off what asks for money, not what must
# be said.
_STAYS_DEMANDED: Final = (WaitsFor.PROMISE, WaitsFor.LINK, WaitsFor.EXPERIMENT)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, or to write down as skipped. `due_on` is the anchor it was planned from.

    `on_day` is the day it belongs to: a notice's own, though it is late; of all others, today.
    `attempt` is a call's number among its stage's attempts, from 1; 0 of all others.
    """

    kind: StepKind
    name: str
    due_on: date
    on_day: date
    notice: Notice | None = None
    skip: Skip | None = None
    attempt: int = 0

    @property
    def key(self) -> str:
        """The same for the same step of one loan, whenever and by whomever it is planned."""
        return step_key(self.kind, self.name, self.due_on, self.on_day)


def step_key(kind: StepKind, name: str, due_on: date | None, on_day: date) -> str:
    """The key of a step by what is stored of it.

    A notice is known by its slot, whatever template another version has for it; an end by its
    anchor; all others, calls above all, happen at most once a day.
    """
    if kind in (StepKind.NOTICE, StepKind.REMIND):
        return f"{kind}|{name.rpartition('/')[0]}|{due_on}"
    return f"end|{due_on}" if kind in ENDS else f"{kind}|{on_day}"


@dataclass(frozen=True, slots=True)
class CallMade:
    """A call task that a person finished, on a local day."""

    on: date
    outcome: TaskOutcome


def with_outside_calls(
    calls: Iterable[CallMade], outside: Iterable[CallMade]
) -> tuple[CallMade, ...]:
    """Calls of the board, and those that were made elsewhere on days without one.

    Once a local day is an attempt, however often somebody noted it.
    """
    every = {call.on: call for call in reversed(list(outside))}
    ours = tuple(calls)
    more = (call for on, call in sorted(every.items()) if on not in {one.on for one in ours})
    return (*ours, *more)


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """Everything the plan for one case depends on. Days are the borrower's own.

    `oldest_due_on` None: nothing is due. `frozen` are the days that holds keep out of the count,
    up to today. `watched_from` is the first day on which Saldo knew the
    loan: a notice whose day was before is not sent late. `taken` holds the keys of the steps
    taken for this loan. `promise_ended_on` is when the latest promise came to nothing: the calls
    begin anew. `call_waiting`: a task that asks for a call is open. `person_first`: a task whose
    answer might change what is owed. `ended_on` is the last day on which the end, or a review
    after it, occupied somebody.
    """

    today: date
    oldest_due_on: date | None
    watched_from: date
    frozen: tuple[Frozen, ...] = ()
    taken: frozenset[str] = frozenset()
    calls: tuple[CallMade, ...] = ()
    promised: bool = False
    promise_ended_on: date | None = None
    held: bool = False
    in_flight: bool = False
    link_live: bool = False
    left_alone: bool = False
    person_first: bool = False
    call_waiting: bool = False
    task_waiting: bool = False
    approval_waiting: bool = False
    ended_on: date | None = None
    closes_failed: bool = False
    working_day: Callable[[date], bool] = lambda _day: True

    @property
    def days_past_due(self) -> int:
        """Days past due as stages count them, below zero before; 0 where nothing is due."""
        anchor = self.oldest_due_on
        return 0 if anchor is None else self.count(anchor).number(self.today)

    def count(self, anchor: date) -> DayCount:
        """The count that begins on this day."""
        return DayCount(anchor, self.frozen)

    def has_taken(self, step: Step) -> bool:
        """Whether this very step was taken before."""
        return step.key in self.taken


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do today, in this order, and on which day to look again.

    `waits_for` says what keeps the strategy from going on. `coming` is the next step if nothing
    changes, for people to read.
    """

    stage: str
    steps: tuple[Step, ...]
    look_again_on: date | None
    waits_for: WaitsFor | None = None
    coming: Step | None = None


def plan_case(body: StrategyBody, facts: CaseFacts) -> Plan:
    """The plan for one open case. It always looks again, unless nothing is due."""
    anchor = facts.oldest_due_on
    if anchor is None:
        return Plan("", (), None)
    day = facts.days_past_due
    stage = body.stage_on(day)
    name = "" if stage is None else stage.name
    waits = _waits(facts)
    if waits is not None:
        demanded = _demanded(body, facts, anchor) if waits in _STAYS_DEMANDED else ()
        return Plan(name, demanded, facts.today + _TOMORROW, waits)
    now, ahead = _notices(body, facts, anchor)
    coming = [*ahead, *_later_calls(body, facts, anchor)]
    if stage is not None:
        work, waits = _work(body, stage, facts, anchor)
        if any(step.skip is None for step in now):
            # What leaves only today has had no day to bring anything yet.
            work = [_not_today(step, facts.today) for step in work]
        now += [step for step in work if step.on_day <= facts.today]
        coming += [step for step in work if step.on_day > facts.today]
    if waits is not None:
        return Plan(name, tuple(now), facts.today + _TOMORROW, waits, _first(coming))
    first = _first(coming)
    days = [one.from_day for one in body.stages if one.from_day > day]
    looks = [facts.count(anchor).day(min(days))] if days else []
    looks += [first.on_day] if first else []
    if any(step.skip is None for step in now):
        # Whatever follows from what was just done is decided with tomorrow's facts.
        looks.append(facts.today + _TOMORROW)
    return Plan(name, tuple(now), min(looks, default=facts.today + _TOMORROW), None, first)


def plan_reminders(
    body: StrategyBody,
    *,
    today: date,
    due_on: date,
    watched_from: date,
    taken: Iterable[str] = (),
) -> Plan:
    """The plan for a loan of which nothing is due before `due_on`."""
    facts = CaseFacts(today, due_on, watched_from, taken=frozenset(taken))
    if today >= due_on:
        return Plan("", (), None)
    now, ahead = _split(StepKind.REMIND, body.remind, facts, due_on)
    first = _first(ahead)
    return Plan("", tuple(now), first.on_day if first else due_on, None, first)


def _waits(facts: CaseFacts) -> WaitsFor | None:
    """What stands before every step, the strongest first."""
    if facts.held:
        return WaitsFor.HOLD
    if facts.in_flight:
        return WaitsFor.PAYMENT
    if facts.person_first:
        return WaitsFor.PERSON
    if facts.promised:
        return WaitsFor.PROMISE
    if facts.link_live:
        return WaitsFor.LINK
    return WaitsFor.EXPERIMENT if facts.left_alone else None


def _demanded(body: StrategyBody, facts: CaseFacts, anchor: date) -> tuple[Step, ...]:
    """What the law demands to be said, though the strategy itself waits."""
    now, _ = _notices(body, facts, anchor)
    return tuple(step for step in now if _is_demanded(step) and step.skip is None)


def _is_demanded(step: Step) -> bool:
    return step.notice is not None and step.notice.purpose is ContactPurpose.REQUIRED_NOTICE


def _notices(body: StrategyBody, facts: CaseFacts, anchor: date) -> tuple[list[Step], list[Step]]:
    listed = [notice for stage in body.stages for notice in stage.notices]
    return _split(StepKind.NOTICE, listed, facts, anchor)


def _split(
    kind: StepKind, notices: Iterable[Notice], facts: CaseFacts, anchor: date
) -> tuple[list[Step], list[Step]]:
    """The notices whose day has come, and those ahead.

    Of several days that were missed the newest speaks; what it overtook is written down as
    skipped, and so is what fell due before the loan was ours to watch. What the law demands is
    not overtaken.
    """
    count = facts.count(anchor)
    steps = [
        Step(kind, f"{one.slot}/{one.template}", anchor, count.day(one.day), one)
        for one in sorted(notices, key=lambda one: (one.day, one.channel))
    ]
    ripe = [step for step in steps if step.on_day <= facts.today]
    open_ones = [step for step in ripe if not facts.has_taken(step)]
    newest = max((step.on_day for step in ripe), default=facts.today)
    return (
        [_judged(step, newest, facts.watched_from) for step in open_ones],
        [step for step in steps if step.on_day > facts.today and not facts.has_taken(step)],
    )


def _judged(step: Step, newest: date, watched_from: date) -> Step:
    skip: Skip | None = None
    if step.on_day < watched_from:
        skip = Skip.BEFORE_OUR_TIME
    elif step.on_day < newest and not _is_demanded(step):
        skip = Skip.OVERTAKEN
    return replace(step, skip=skip)


def _work(
    body: StrategyBody, stage: Stage, facts: CaseFacts, anchor: date
) -> tuple[list[Step], WaitsFor | None]:
    """The next call or the end: one step, today or on the day it will be; or what it waits for."""
    if facts.call_waiting:
        return [], WaitsFor.CALL
    count = facts.count(anchor)
    # By the number that the day had then: a hold that we learn of late undoes no call.
    calls = [call for call in facts.calls if count.number_then(call.on) >= stage.from_day]
    if stage.calls is not None:
        since = facts.promise_ended_on or anchor
        tries = sum(1 for one in calls if one.on >= since and one.outcome in COUNTED)
        if tries < stage.calls.attempts:
            step = _call(stage, stage.calls, calls, facts, anchor)
            return [replace(step, attempt=tries + 1)], None
    if any(one.from_day > stage.from_day for one in body.stages):
        return [], None
    return _ending(body.end or End(EndAct.HAND_TO_PERSON), stage, calls, facts, anchor)


def _later_calls(body: StrategyBody, facts: CaseFacts, anchor: date) -> list[Step]:
    """The first call of each stage ahead."""
    count = facts.count(anchor)
    return [
        Step(
            StepKind.CALL,
            stage.name,
            anchor,
            _working(count.day(stage.from_day), stage.calls, facts),
            attempt=1,
        )
        for stage in body.stages
        if stage.calls is not None and stage.from_day > facts.days_past_due
    ]


def _call(
    stage: Stage, wanted: Calls, calls: Iterable[CallMade], facts: CaseFacts, anchor: date
) -> Step:
    last = max((call.on for call in calls), default=None)
    ripe = facts.today if last is None else last + timedelta(days=wanted.gap_days)
    day = _working(max(ripe, facts.today), wanted, facts)
    step = Step(StepKind.CALL, stage.name, anchor, day)
    if facts.has_taken(step):
        # Today's call was called off: once a local day is enough.
        step = Step(StepKind.CALL, stage.name, anchor, _working(day + _TOMORROW, wanted, facts))
    return step


def _working(day: date, wanted: Calls, facts: CaseFacts) -> date:
    if not wanted.working_days_only:
        return day
    ahead = (day + timedelta(days=more) for more in range(_LONGEST_CLOSED))
    return next((one for one in ahead if facts.working_day(one)), day)


def _ending(
    end: End, stage: Stage, calls: Iterable[CallMade], facts: CaseFacts, anchor: date
) -> tuple[list[Step], WaitsFor | None]:
    """The end once for one anchor; after it, a look by a person from time to time."""
    kind = StepKind(end.do.value)
    if facts.closes_failed and end.do is EndAct.PROPOSE_WRITE_OFF:
        kind = StepKind.CLOSE
    last_day = max((notice.day for notice in stage.notices), default=stage.from_day)
    tried = [call.on for call in calls]
    count = facts.count(anchor)
    quiet_from = max(tried, default=count.day(max(last_day, stage.from_day)))
    ripe = count.later(quiet_from, end.wait_days)
    step = Step(kind, "", anchor, max(ripe, facts.today))
    if not facts.has_taken(step):
        return [step], None
    if facts.approval_waiting:
        return [], WaitsFor.APPROVAL
    if facts.task_waiting:
        return [], WaitsFor.PERSON
    last = max(facts.ended_on or facts.today, quiet_from)
    again = max(last + timedelta(days=end.review_every_days), facts.today)
    review = Step(StepKind.REVIEW, "", anchor, again)
    if facts.has_taken(review):
        review = Step(StepKind.REVIEW, "", anchor, again + _TOMORROW)
    return [review], None


def _not_today(step: Step, today: date) -> Step:
    ends = step.kind in ENDS and step.on_day <= today
    return replace(step, on_day=today + _TOMORROW) if ends else step


def _first(steps: Iterable[Step]) -> Step | None:
    return min(steps, key=lambda step: step.on_day, default=None)
