"""Random histories through the pure code alone: no rows, no flows, only what decides.

Strategy, contact gate, promises and lifecycles are the house's own; what carries their decisions
out here is a few lines of dictionary. It is quick, so that ten thousand histories are minutes, and
it shows less: nothing of the last look, of locks or of jobs. For these see histories.py.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from app.domain.case import CASE, CaseState
from app.domain.contact_policy import (
    Contact,
    ContactPurpose,
    ContactQuestion,
    Hold,
    may_contact,
)
from app.domain.ids import CaseId
from app.domain.message import MESSAGE, Channel, MessageState
from app.domain.money import Money
from app.domain.promise import PROMISE, PromiseState
from app.domain.promise_terms import Paid, Part, check_parts, judge, tolerance_for
from app.domain.stage_plan import ENDS, CallMade, CaseFacts, Step, StepKind, plan_case
from app.domain.stages import StrategyBody, parse_body
from app.domain.task import TaskOutcome
from app.reference.packs import PackBook, load_packs
from app.reference.places import holiday_dates, is_working_day
from app.reference.strategies import shipped_strategies
from app.store.keys import new_id
from tests.domain.gate_world import slowly_allowed
from tests.scenarios.judged_promises import verdict
from tests.scenarios.newcomers import BRISK
from tests.scenarios.town import LENDERS

FIRST: Final = date(2026, 3, 2)
_OUTCOMES: Final = (
    TaskOutcome.NO_ANSWER,
    TaskOutcome.REACHED,
    TaskOutcome.REFUSES,
    TaskOutcome.DISPUTE,
    TaskOutcome.HARDSHIP,
    TaskOutcome.WRONG_NUMBER,
)


@dataclass(slots=True)
class Pure:
    """What came of so many histories. `wrong` must be empty."""

    histories: int = 0
    did: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """The figures in one line."""
        return ", ".join(f"{what} {many}" for what, many in self.did.most_common())


def live_purely(count: int, seed: int) -> Pure:
    """So many histories of 60 to 120 days, each from a seed of its own."""
    found = Pure()
    packs, soft = load_packs(), shipped_strategies()["soft"]
    bodies = (soft, soft, parse_body(BRISK))
    for number in range(count):
        dice = random.Random(seed * 1_000_003 + number)
        life = PureLife(dice, packs, dice.choice(bodies))
        for _ in range(dice.randint(60, 120)):
            life.day()
        found.histories += 1
        found.did.update(life.did)
        found.wrong += [f"pure history {number} of seed {seed}: {one}" for one in life.wrong]
    return found


@dataclass(slots=True)
class Queued:
    """A notice that waits for its moment."""

    step: Step
    at: datetime
    state: MessageState = MessageState.QUEUED


@dataclass(slots=True)
class Promised:
    """A promise, as the row would hold it."""

    made_at: datetime
    parts: tuple[Part, ...]
    tolerance: Money
    grace_days: int
    time_zone: str
    state: PromiseState = PromiseState.OPEN


@dataclass(frozen=True, slots=True)
class Came:
    """Money, as the row would hold it."""

    amount_minor: int
    paid_at: datetime
    recorded_at: datetime
    reversed_at: datetime | None = None


class PureLife:
    """One case and what was ever done about it."""

    def __init__(self, dice: random.Random, packs: PackBook, body: StrategyBody) -> None:
        lender = dice.choice(LENDERS)
        place = dice.choice(lender.places)
        self.dice, self.body = dice, body
        self.country, self.zone = place.country, dice.choice(place.zones)
        self.currency, self.pack = lender.currency, packs.of(place.country)
        self.now = datetime.combine(FIRST, time(3), UTC)
        first = FIRST + timedelta(days=dice.randint(-5, 10))
        amount = dice.randrange(3_000, 60_000)
        self.dues = [
            (first + timedelta(days=30 * n), amount) for n in range(dice.choice((1, 2, 4)))
        ]
        self.money: list[Came] = []
        self.case_id = CaseId(new_id())
        self.state: CaseState | None = None
        self.taken: dict[str, Step] = {}
        self.queue: list[Queued] = []
        self.contacts: list[Contact] = []
        self.calls: list[CallMade] = []
        self.call_waiting = self.approval = self.task = self.opted_out = False
        self.ended_on: date | None = None
        self.hold: Hold | None = None
        self.promise: Promised | None = None
        self.broken_on: date | None = None
        self.did: Counter[str] = Counter()
        self.wrong: list[str] = []

    # -------------------------------------------------- facts

    @property
    def today(self) -> date:
        """His day."""
        return self.now.astimezone(ZoneInfo(self.zone)).date()

    @property
    def paid(self) -> int:
        """What came and stayed."""
        return sum(one.amount_minor for one in self.money if one.reversed_at is None)

    @property
    def due(self) -> int:
        """What is due and unpaid."""
        return max(0, sum(minor for on, minor in self.dues if on <= self.today) - self.paid)

    @property
    def anchor(self) -> date | None:
        """The oldest day that is due and unpaid."""
        left = self.paid
        for on, minor in self.dues:
            left -= minor
            if left < 0:
                return on if on <= self.today else None
        return None

    @property
    def held(self) -> bool:
        """Does a hold stand?"""
        return self.hold is not None and (self.hold.until is None or self.hold.until > self.now)

    # -------------------------------------------------- a day

    def day(self) -> None:
        """People act, the strategy looks, and what is due leaves: at three moments of a day."""
        self.now = self.now.replace(hour=0, minute=0) + timedelta(days=1)
        hours = sorted(self.dice.sample(range(5, 23), 3))
        asleep = self.dice.random() < 0.05
        for hour in hours:
            self.now = self.now.replace(hour=hour, minute=self.dice.randrange(60))
            self.act()
            self.settle()
            if not asleep:
                for _ in range(self.dice.choice((1, 1, 2))):
                    self.look()
                    self.deliver()
        self.check()

    def act(self) -> None:
        """What befalls him and what he does."""
        roll = self.dice.random
        if roll() < 0.015 and self.due:
            minor = self.due if roll() < 0.5 else self.dice.randrange(1, self.due + 1)
            late = timedelta(hours=self.dice.choice((0, 0, 30)))
            self.money.append(Came(minor, self.now - late, self.now))
            self.did["paid"] += 1
        if roll() < 0.003 and self.money and self.money[-1].reversed_at is None:
            last = self.money[-1]
            self.money[-1] = Came(last.amount_minor, last.paid_at, last.recorded_at, self.now)
            self.did["money went back"] += 1
        if roll() < 0.02 and self.due >= 300 and self.state and self.promise is None:
            self._promise()
        if roll() < 0.008:
            until = self.now + timedelta(days=self.dice.randint(1, 20))
            self.hold = Hold("dispute", None if roll() < 0.2 else until)
            self._drop_queue()
            self.call_waiting = False
            self.did["hold"] += 1
        elif roll() < 0.05:
            self.hold = None
        if roll() < 0.003:
            self.opted_out = not self.opted_out
        if self.call_waiting and self.due and roll() < 0.3:
            self._call()
        if self.approval and roll() < 0.1:
            self.approval, self.ended_on = False, self.today
        if self.task and roll() < 0.2:
            self.task, self.ended_on = False, self.today

    def _promise(self) -> None:
        due = Money(self.due, self.currency)
        half = Money(self.due // 2, self.currency)
        rest = Money(self.due - half.minor, self.currency)
        days = sorted(self.dice.sample(range(1, 20), 2))
        parts = [Part(self.today + timedelta(days=days[0]), due)]
        if self.dice.random() < 0.4:
            parts = [Part(self.today + timedelta(days=d), m)
                     for d, m in zip(days, (half, rest), strict=True)]  # fmt: skip
        terms = self.body.promise
        ordered = check_parts(parts, due=due, today=self.today, terms=terms)
        tolerance = tolerance_for(ordered, terms)
        self.promise = Promised(self.now, ordered, tolerance, terms.grace_days, self.zone)
        self.call_waiting = False
        self._drop_queue()
        self.did["promised"] += 1

    def _call(self) -> None:
        """A collector rings, where the gate says that he may."""
        if not self._may(Channel.CALL, ContactPurpose.COLLECTION):
            return
        outcome = self.dice.choice(_OUTCOMES)
        self.calls.append(CallMade(self.today, outcome))
        spoke = outcome not in (TaskOutcome.NO_ANSWER, TaskOutcome.WRONG_NUMBER)
        self._left(Channel.CALL, conversation=spoke)
        self.call_waiting = False

    # -------------------------------------------------- what the house decides

    def settle(self) -> None:
        """Cases open, close and open again; promises are judged."""
        if self.due and self.state in (None, CaseState.CLOSED):
            start = CASE.start if self.state is None else CASE.step(self.state, "reopen")
            self.state = start
            self.did["case opened"] += 1
        elif not self.due and self.state is CaseState.OPEN:
            self.state = CASE.step(self.state, "close")
            self.call_waiting = self.approval = self.task = False
            self._drop_queue()
        if self.promise is not None:
            self._judge(self.promise)

    def _judge(self, promise: Promised) -> None:
        came = [
            Paid(one.paid_at.astimezone(ZoneInfo(self.zone)).date(),
                 Money(one.amount_minor, self.currency))
            for one in self.money if one.recorded_at >= promise.made_at and not one.reversed_at
        ]  # fmt: skip
        ruling = judge(promise.parts, came, self.today, grace_days=promise.grace_days,
                       tolerance=promise.tolerance)  # fmt: skip
        words = {None: "open", "keep": "kept", "part_keep": "part", "break": "broken"}
        slow = verdict(_Row(promise), [_PartRow(one) for one in promise.parts], self.money,
                       self.today)  # fmt: skip
        if words[ruling.event] != slow:
            self.wrong.append(f"promise of {promise.made_at}: {words[ruling.event]}, not {slow}")
        if ruling.event is None:
            return
        promise.state = PROMISE.step(promise.state, ruling.event)
        if promise.state is not PromiseState.KEPT:
            self.broken_on = self.today
        self.did[f"promise {promise.state.value}"] += 1
        self.promise = None

    def look(self) -> None:
        """The strategy looks once."""
        if self.state is not CaseState.OPEN:
            return
        facts = CaseFacts(
            today=self.today, oldest_due_on=self.anchor, watched_from=FIRST,
            taken=frozenset(self.taken), calls=tuple(self.calls),
            promised=self.promise is not None, promise_ended_on=self.broken_on, held=self.held,
            call_waiting=self.call_waiting, approval_waiting=self.approval,
            task_waiting=self.task, ended_on=self.ended_on,
            working_day=lambda day: is_working_day(self.country, None, day),
        )  # fmt: skip
        plan = plan_case(self.body, facts)
        if plan.look_again_on is None or plan.look_again_on <= self.today:
            self.wrong.append(f"{self.today}: no next look while {self.due} is due")
        for step in plan.steps:
            self._take(step)

    def _take(self, step: Step) -> None:
        if step.key in self.taken:
            self.wrong.append(f"{self.today}: {step.key} twice")
        demanded = step.notice is not None and step.notice.purpose is not ContactPurpose.COLLECTION
        if self.held or (self.promise is not None and not demanded):
            self.wrong.append(f"{self.today}: {step.key} during a hold or a promise")
        self.taken[step.key] = step
        if step.kind is StepKind.CALL:
            if self.call_waiting:
                self.wrong.append(f"{self.today}: a second call waits")
            self.call_waiting = True
        elif step.kind in ENDS:
            self.approval = True
        elif step.kind is StepKind.REVIEW:
            self.task = True
        elif step.notice is not None and step.skip is None:
            asked = may_contact(self._question(step.notice.channel, step.notice.purpose), self.pack)
            if asked.earliest_at is not None:
                self.queue.append(Queued(step, asked.earliest_at))

    def deliver(self) -> None:
        """What is due leaves, if the gate says once more that it may."""
        for one in [one for one in self.queue if one.at <= self.now]:
            notice = one.step.notice
            if notice is None or one.step.due_on != self.anchor:
                one.state = MESSAGE.step(one.state, "cancel")
                self.queue.remove(one)
                continue
            again = may_contact(self._question(notice.channel, notice.purpose), self.pack)
            if self._may(notice.channel, notice.purpose):
                one.state = MESSAGE.step(MESSAGE.step(one.state, "claim"), "accepted")
                self.queue.remove(one)
                self._left(notice.channel)
            elif again.earliest_at is None:
                one.state = MESSAGE.step(one.state, "cancel")
                self.queue.remove(one)
            else:
                one.at = again.earliest_at

    def _drop_queue(self) -> None:
        for one in self.queue:
            one.state = MESSAGE.step(one.state, "cancel")
        self.queue.clear()

    # -------------------------------------------------- contacts

    def _question(self, channel: Channel, purpose: ContactPurpose) -> ContactQuestion:
        years = (self.today.year, self.today.year + 1)
        return ContactQuestion(
            now=self.now, channel=channel, zones=frozenset((self.zone,)),
            case_ids=frozenset((self.case_id,)), purpose=purpose, history=tuple(self.contacts),
            opted_out=frozenset((Channel.SMS, Channel.EMAIL) if self.opted_out else ()),
            holds=(self.hold,) if self.hold is not None and self.held else (),
            holidays=holiday_dates(self.country, None, years),
        )  # fmt: skip

    def _may(self, channel: Channel, purpose: ContactPurpose) -> bool:
        question = self._question(channel, purpose)
        allowed = may_contact(question, self.pack).allowed
        if allowed != slowly_allowed(question, self.pack, self.now):
            self.wrong.append(f"{self.now}: the gates differ about {channel}")
        return allowed

    def _left(self, channel: Channel, *, conversation: bool = False) -> None:
        if self.held or not self.due:
            self.wrong.append(f"{self.now}: {channel} during a hold or with nothing due")
        self.contacts.append(
            Contact(self.now, channel, frozenset((self.case_id,)), conversation=conversation)
        )
        self.did[f"left: {channel.value}"] += 1

    def check(self) -> None:
        """At the end of a day: a case is open exactly while something is due."""
        self.did["days"] += 1
        if bool(self.due) != (self.state is CaseState.OPEN):
            self.wrong.append(f"{self.today}: {self.due} is due and the case is {self.state}")


@dataclass(frozen=True, slots=True)
class _Row:
    """A promise with the names that its row has."""

    promise: Promised

    @property
    def time_zone(self) -> str:
        return self.promise.time_zone

    @property
    def made_at(self) -> datetime:
        return self.promise.made_at

    @property
    def grace_days(self) -> int:
        return self.promise.grace_days

    @property
    def tolerance_minor(self) -> int:
        return self.promise.tolerance.minor


@dataclass(frozen=True, slots=True)
class _PartRow:
    """A part with the names that its row has."""

    part: Part

    @property
    def due_on(self) -> date:
        return self.part.due_on

    @property
    def amount_minor(self) -> int:
        return self.part.amount.minor
