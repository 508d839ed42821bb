"""Situation in, decision out: what is done about one case now.

A situation is a snapshot, stored beside its decision, so that every automatic act can be replayed
and explained; it holds no balance figure. A strategy is an ordered tuple of rules: the first
that matches decides, and the last always matches. Facts and holds come before any rule: a case
with nothing due is closed, and on a hold nothing is done towards the borrower.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TypeAlias

from app.domain.case import CaseClose
from app.domain.detector import Cover, MarginBand, SignalKind
from app.domain.ids import CaseId, SignalId
from app.domain.message import Channel
from app.domain.money import Money
from app.domain.payee import Unpayable
from app.domain.task import PRESSING, TaskReason


class SignalsAct(StrEnum):
    """Who acts on a funds signal: Saldo by a message, a collector by a task, or both."""

    AUTOMATIC = "automatic"
    COLLECTOR = "collector"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class SeenFunds:
    """A funds signal that still stands, as far as it concerns this case."""

    signal_id: SignalId
    kind: SignalKind
    cover: Cover
    margin_band: MarginBand
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything the decision about one case depends on. Instants are aware, business time.

    `owed` is what is due and unpaid. `closed_by` says why nothing is due, where that is known.
    `promised_until` is the last day of a promise that may still be kept. `link_live_until` is set
    while an unpaid payment link works. `left_alone_until` is set while an experiment asks nothing
    of this case. `unreachable` is why no message can be sent at all (a reason for a task),
    `unpayable` why a link would lead to no way to pay it, `troubles` are the other reasons that
    call for a person. `tasks_open` are the reasons of the tasks that are waiting already.
    """

    case_id: CaseId
    now: datetime
    owed: Money
    oldest_due_on: date
    signals_act: SignalsAct
    observe_only: bool
    closed_by: CaseClose | None = None
    funds: SeenFunds | None = None
    holds: tuple[str, ...] = ()
    held_until: datetime | None = None
    payment_in_flight: bool = False
    promised_until: date | None = None
    link_live_until: datetime | None = None
    left_alone_until: datetime | None = None
    unreachable: TaskReason | None = None
    unpayable: Unpayable | None = None
    troubles: tuple[TaskReason, ...] = ()
    tasks_open: frozenset[TaskReason] = frozenset()


@dataclass(frozen=True, slots=True)
class AskToPay:
    """Send a payment link. The contact gate still has the last word on when."""

    signal_id: SignalId
    channel: Channel = Channel.SMS


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A person is needed."""

    reason: TaskReason


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing now. `until` None: until something changes."""

    until: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class Close:
    """The case is over."""

    reason: CaseClose


Step: TypeAlias = AskToPay | OpenTask | Wait | Close


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done, and which rule said so.

    In observe-only mode nothing leaves the house: steps towards the borrower are recorded as
    withheld by whoever carries the decision out.
    """

    rule: str
    steps: tuple[Step, ...]
    observe_only: bool


@dataclass(frozen=True, slots=True)
class StrategyRule:
    """One rule: the steps it wants, or None where it does not match."""

    name: str
    steps: Callable[[Situation], tuple[Step, ...] | None]


# While one of these waits for a person, no machine asks for money: it might be wrong.
PERSON_FIRST = frozenset(
    {
        TaskReason.OWED_AMOUNT_STALE,
        TaskReason.IDENTITY_CHECK_FAILED,
        TaskReason.BORROWER_DISPUTES,
        TaskReason.BORROWER_CANNOT_PAY,
        TaskReason.BORROWER_SAYS_PAID,
        TaskReason.PAYMENT_UNCLEAR,
        TaskReason.PAYMENT_RETURNED,
        TaskReason.OVERPAID,
    }
)


def decide(situation: Situation, strategy: Sequence[StrategyRule] | None = None) -> Decision:
    """The decision of the first rule that matches; `RECOVERY` where no strategy is given."""
    rules = (*BEFORE_ANY_RULE, *(RECOVERY if strategy is None else strategy))
    for rule in rules:
        steps = rule.steps(situation)
        if steps is not None:
            return Decision(rule.name, steps, situation.observe_only)
    waiting = (Wait(None, "No money for this case has been seen yet."),)
    return Decision("wait_for_money", waiting, situation.observe_only)


def _nothing_due(now: Situation) -> tuple[Step, ...] | None:
    return None if now.owed.minor > 0 else (Close(now.closed_by or CaseClose.NOT_DUE),)


def _on_hold(now: Situation) -> tuple[Step, ...] | None:
    if not now.holds:
        return None
    return (Wait(now.held_until, f"On hold: {', '.join(now.holds)}."),)


def _payment_in_flight(now: Situation) -> tuple[Step, ...] | None:
    return (Wait(None, "A payment is on its way."),) if now.payment_in_flight else None


def _promised(now: Situation) -> tuple[Step, ...] | None:
    """He said when he will pay: until then nobody presses him."""
    if now.promised_until is None:
        return None
    return (Wait(None, f"A promise to pay stands until {now.promised_until.isoformat()}."),)


def _person_first(now: Situation) -> tuple[Step, ...] | None:
    if PERSON_FIRST.isdisjoint(now.troubles) and PERSON_FIRST.isdisjoint(now.tasks_open):
        return None
    # Nobody is sent to ask for money while somebody has to listen first.
    return _new(now, [OpenTask(one) for one in dict.fromkeys(now.troubles) if one not in PRESSING])


def _link_is_out(now: Situation) -> tuple[Step, ...] | None:
    if now.link_live_until is None or now.link_live_until <= now.now:
        return None
    return (Wait(now.link_live_until, "A payment link is with the borrower."),)


def _left_alone(now: Situation) -> tuple[Step, ...] | None:
    """Money was seen, and chance decided that nobody is asked for it."""
    if now.left_alone_until is None or now.left_alone_until <= now.now:
        return None
    if now.funds is None or now.funds.cover is Cover.NONE:
        return None
    # What is wrong needs a person still.
    return (
        _tasks(now)
        if now.troubles
        else (Wait(now.left_alone_until, "An experiment leaves this case alone."),)
    )


def _funds_seen(now: Situation) -> tuple[Step, ...] | None:
    if now.funds is None or now.funds.cover is Cover.NONE:
        return None
    wanted: list[Step] = []
    if now.signals_act is not SignalsAct.COLLECTOR:
        wanted.append(_ask(now, now.funds.signal_id))
    if now.signals_act is not SignalsAct.AUTOMATIC:
        wanted.append(OpenTask(TaskReason.COLLECTOR_ACTS))
    return _new(now, wanted)


def _ask(now: Situation, signal_id: SignalId) -> Step:
    """By a message; where that cannot bring him to pay, by a person."""
    if now.unreachable is not None:
        return OpenTask(now.unreachable)
    if now.unpayable is not None:
        return OpenTask(TaskReason.COLLECTOR_ACTS)
    return AskToPay(signal_id)


def _trouble(now: Situation) -> tuple[Step, ...] | None:
    return _tasks(now) if now.troubles else None


def _tasks(now: Situation) -> tuple[Step, ...]:
    return _new(now, [OpenTask(reason) for reason in dict.fromkeys(now.troubles)])


def _new(now: Situation, wanted: Sequence[Step]) -> tuple[Step, ...]:
    """The steps without tasks that are waiting already; never empty."""
    new = tuple(
        step
        for step in wanted
        if not (isinstance(step, OpenTask) and step.reason in now.tasks_open)
    )
    return new or (Wait(None, "A collector has been asked to look at this case."),)


BEFORE_ANY_RULE = (
    StrategyRule("nothing_due", _nothing_due),
    StrategyRule("on_hold", _on_hold),
    StrategyRule("payment_in_flight", _payment_in_flight),
    StrategyRule("promised", _promised),
)
RECOVERY = (
    StrategyRule("person_first", _person_first),
    StrategyRule("link_is_out", _link_is_out),
    StrategyRule("left_alone", _left_alone),
    StrategyRule("funds_seen", _funds_seen),
    StrategyRule("trouble", _trouble),
)
