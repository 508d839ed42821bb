"""What happens next with a case, in sentences; the most binding first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from app.domain.case import CaseState
from app.domain.hold import PRESSURE, HoldKind
from app.domain.message import Channel, MessageState
from app.domain.payment import LinkState
from app.domain.read_planner import PlanReason
from app.domain.stage_plan import Step, StepKind, WaitsFor
from app.reports.case_file import AccountLine, CaseFile
from app.reports.next_step import StrategyLine

WAITS: Final[Mapping[WaitsFor, str]] = {
    WaitsFor.HOLD: "The strategy waits until the hold is over.",
    WaitsFor.PAYMENT: "The strategy waits for the payment to arrive.",
    WaitsFor.PERSON: "The strategy waits for a person to answer the open task.",
    WaitsFor.PROMISE: "The strategy waits for the promise.",
    WaitsFor.EXPERIMENT: "The strategy leaves this case alone: it is measured in an experiment.",
    WaitsFor.LINK: "The strategy waits while a payment link is with the borrower.",
    WaitsFor.CALL: "The strategy waits for a collector to make the open call.",
    WaitsFor.APPROVAL: "The strategy has come to its end: a second person decides.",
}
STEPS: Final[Mapping[StepKind, str]] = {
    StepKind.REMIND: "a reminder",
    StepKind.NOTICE: "a notice",
    StepKind.CALL: "a collector is asked to call",
    StepKind.PROPOSE_WRITE_OFF: "a write-off is proposed to a second person",
    StepKind.PROPOSE_PLACEMENT: "a placement with an agency is proposed to two people",
    StepKind.HAND_TO_PERSON: "a person is asked how to go on",
    StepKind.CLOSE: "the case is closed as failed; the debt stays",
    StepKind.REVIEW: "a person is asked to look at it again",
    StepKind.PROMISE_REMINDER: "a reminder of the promise",
}
_SENT_AS: Final[Mapping[Channel, str]] = {
    Channel.SMS: "a text",
    Channel.EMAIL: "an e-mail",
    Channel.PUSH: "an app message",
}


def next_steps(
    file: CaseFile, strategy: StrategyLine | None, now: datetime, zone: ZoneInfo
) -> list[str]:
    """What will happen without anybody's hand, most binding first."""
    if file.state is CaseState.CLOSED:
        return ["Nothing: the case is closed."]
    steps = _brakes(file, zone) + _on_its_way(file, now, zone)
    if strategy is not None:
        steps += _strategy(strategy)
    planned = [(one.next_read_at, one) for one in file.accounts if one.next_read_at]
    if planned:
        at, account = min(planned, key=lambda one: one[0])
        steps.append(f"Next reading planned for {_when(at, zone)}{_why_then(account)}.")
    if any(task.not_before is None or task.not_before <= now for task in file.tasks):
        steps.append("A person is needed: see the task.")
    return steps or ["Nothing is planned by itself."]


def stage_words(strategy: StrategyLine | None) -> str:
    """Stage and strategy in a few words; empty for a case without a strategy."""
    if strategy is None:
        return ""
    stage = strategy.plan.stage.replace("_", " ") or "before the first stage"
    return f"{stage.capitalize()} ({strategy.name}, version {strategy.number})"


def _brakes(file: CaseFile, zone: ZoneInfo) -> list[str]:
    steps = []
    if file.state is CaseState.IN_FLIGHT:
        steps.append("A payment is on its way. Saldo asks the bank until it has arrived.")
    for hold in file.holds:
        if hold.kind == HoldKind.PLACED.value:
            steps.append(f"{hold.reason} Nothing leaves from here that asks for money.")
        elif hold.stops(*PRESSURE):
            end = f"until {_when(hold.ends_at, zone)}" if hold.ends_at else "until somebody ends it"
            steps.append(f"On hold {end}: nothing leaves that asks for money.")
    return steps


def _on_its_way(file: CaseFile, now: datetime, zone: ZoneInfo) -> list[str]:
    steps = [
        f"A message leaves at {_when(message.next_look_at, zone)}, if all still holds."
        for message in file.messages
        if message.state == MessageState.QUEUED.value and message.next_look_at is not None
    ]
    for link in file.links:
        if link.state == LinkState.LIVE.value and link.expires_at > now:
            steps.append(
                "The page behind the payment link is locked: too many wrong answers."
                if file.person.checks_locked
                else f"A payment link works until {_when(link.expires_at, zone)}."
            )
            break
    return steps


def _strategy(strategy: StrategyLine) -> list[str]:
    plan = strategy.plan
    steps = [f"Today: {_step(step, strategy)}." for step in plan.steps if step.skip is None]
    if plan.waits_for is not None:
        steps.append(WAITS[plan.waits_for])
    if plan.coming is not None:
        steps.append(f"Next, on {_day(plan.coming.on_day)}: {_step(plan.coming, strategy)}.")
    return steps


def _why_then(account: AccountLine) -> str:
    """Why the account is read at that time and not at another."""
    if account.next_read_reason == PlanReason.INCOME.value:
        return f": {account.next_read_odds:.0%} that the money is there by then"
    if account.next_read_reason == PlanReason.BLIND.value:
        return ": little is expected, but nobody has looked for long enough"
    return ""


def _step(step: Step, strategy: StrategyLine) -> str:
    if step.kind is StepKind.CALL:
        stage = next(one for one in strategy.body.stages if one.name == step.name)
        most = stage.calls.attempts if stage.calls else step.attempt
        return f"{STEPS[step.kind]} (call {step.attempt} of {most})"
    if step.notice is None:
        return STEPS[step.kind]
    about = step.notice.template.replace("_", " ")
    return f"{_SENT_AS[step.notice.channel]} leaves ({about})"


def _day(on: date) -> str:
    return on.strftime("%a %-d %b")


def _when(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%H:%M on %-d %b")
