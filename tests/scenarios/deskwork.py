"""What collectors, supervisors and compliance do in the town, when they are at work."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from app.domain.approval import ApprovalKind
from app.domain.errors import Refused
from app.domain.hold import BY_HAND, RULES, HoldKind
from app.domain.message import Channel
from app.domain.money import Money
from app.domain.roles import Role
from app.domain.task import ANSWERING, CALLS, TaskOutcome
from app.flows.approvals.decide_approval import Word
from app.flows.lenders.stop_switch import set_switch
from app.flows.strategies.move_cases import Selection, move_cases
from app.flows.work.call_window import call_window, purpose_of, wished_for
from app.flows.work.follow_outcome import SPOKE
from app.flows.work.lift_hold import end_crisis, lift_hold
from app.flows.work.record_contact import ContactMade, record_contact
from app.flows.work.set_hold import set_hold
from app.flows.work.work_task import finish_task, release_task, take_task
from app.store.brakes import Brake
from tests.scenarios.lives import Act, attempt, means, promise_parts
from tests.scenarios.newcomers import PRODUCTS
from tests.scenarios.scene import View
from tests.scenarios.town import Dweller, Made, Town

_OUTCOMES: dict[TaskOutcome, int] = {
    TaskOutcome.NO_ANSWER: 12,
    TaskOutcome.REACHED: 3,
    TaskOutcome.REFUSES: 3,
    TaskOutcome.PROMISE: 5,
    TaskOutcome.CALL_BACK: 3,
    TaskOutcome.PAID_ALREADY: 1,
    TaskOutcome.DISPUTE: 1,
    TaskOutcome.HARDSHIP: 1,
    TaskOutcome.WRONG_NUMBER: 1,
    TaskOutcome.THIRD_PARTY: 1,
    TaskOutcome.RESOLVED: 1,
}


async def works_the_board(town: Town, who: Dweller, view: View) -> None:
    """Takes what waits about one person, rings where the rules allow it, and says what came."""
    desk = town.desks[who.street.lender_id]
    user_id = await desk.person("eva", Role.COLLECTOR)
    whose: dict[str, Any] = {
        "lender_id": who.street.lender_id,
        "user_id": user_id,
        "actor": "eva",
    }
    for task in view.tasks:
        if not town.chance(0.4):
            continue
        town.hands.go_on(seconds=1)
        try:
            await take_task(town.house, town.now, task_id=task.id, **whose)
        except Refused:
            continue  # gone since: what was just said of another task took it off the board
        nobody_there = not who.phone or who.wrong_since is not None
        if nobody_there or task.reason not in CALLS | ANSWERING:
            await finish_task(
                town.house, town.now, task_id=task.id, outcome=TaskOutcome.RESOLVED, **whose
            )
        elif not await _call(town, who, view, task):
            await release_task(town.house, town.now, task_id=task.id, **whose)


async def _call(town: Town, who: Dweller, view: View, task: Any) -> bool:
    """Ring, if the gate says that it may be; what was said is finished with its consequence."""
    purpose = purpose_of(task.reason)
    asked_for = wished_for(task.reason, task.created_at, town.now)
    case_ids = () if task.case_id is None else (task.case_id,)
    async with town.store.unit(who.street.lender_id) as unit:
        window = await call_window(
            unit, town.house.packs, town.now, borrower_id=who.id, case_ids=case_ids,
            purpose=purpose, asked_for=asked_for,
        )  # fmt: skip
    if not window.allowed:
        town.did["call not allowed"] += 1
        return False
    outcome = town.dice.choices(list(_OUTCOMES), list(_OUTCOMES.values()))[0]
    outcome = await _finish(town, who, view, task, outcome)
    spoke = outcome in SPOKE or outcome is TaskOutcome.RESOLVED
    town.made.append(
        Made(
            town.now,
            who.id,
            Channel.CALL,
            case_ids=case_ids,
            conversation=spoke,
            counts=not asked_for,
            purpose=purpose,
            asked_for=asked_for,
        )
    )
    town.did[f"call: {outcome.value}"] += 1
    who.log.append(f"{town.now:%d.%m. %H:%M} call for {task.reason}: {outcome.value}")
    _remember(town, who, outcome, spoke=outcome in SPOKE)
    return True


def _remember(town: Town, who: Dweller, outcome: TaskOutcome, *, spoke: bool) -> None:
    if outcome is TaskOutcome.WRONG_NUMBER:
        who.wrong_since = town.now
    elif outcome is TaskOutcome.THIRD_PARTY:
        who.doubted_since = who.doubted_since or town.now
    elif spoke:
        who.doubted_since = None


async def _finish(
    town: Town, who: Dweller, view: View, task: Any, outcome: TaskOutcome
) -> TaskOutcome:
    """Say it; where the rules of a promise or a call back say no, he was merely reached."""
    desk = town.desks[who.street.lender_id]
    whose: dict[str, Any] = {
        "lender_id": who.street.lender_id, "user_id": await desk.person("eva"), "actor": "eva",
        "task_id": task.id, "called": True,
    }  # fmt: skip
    more: dict[str, Any] = {"note": "he said so"}
    case = next((one for one in view.cases if task.case_id in (None, one.case_id)), None)
    if outcome is TaskOutcome.PROMISE and case is not None:
        more["parts"] = promise_parts(town, who, case.due)
    if outcome is TaskOutcome.CALL_BACK:
        more["call_at"] = town.now + timedelta(hours=town.dice.choice((1, 4, 26, 100)))
    try:
        await finish_task(town.house, town.now, outcome=outcome, **whose, **more)
    except Refused as no:
        town.refused[f"{outcome.value}: {type(no).__name__}"] += 1
        await finish_task(town.house, town.now, outcome=TaskOutcome.REACHED, **whose)
        return TaskOutcome.REACHED
    if "parts" in more and case is not None:
        means(town, who, case.id, more["parts"])
    return outcome


async def notes_a_contact(town: Town, who: Dweller, view: View) -> None:
    """Somebody spoke with him elsewhere, an hour ago."""
    if not view.cases:
        return
    case_id = town.dice.choice(view.cases).case_id
    at, outbound = town.now - timedelta(hours=1), town.chance(0.5)
    made = ContactMade(Channel.CALL, outbound, at, conversation=True, outcome=TaskOutcome.REACHED)
    await record_contact(
        town.house, town.now, lender_id=who.street.lender_id, case_id=case_id, made=made,
        user_id=None, actor="eva",
    )  # fmt: skip
    town.made.append(
        Made(at, who.id, Channel.CALL, case_ids=(case_id,), outbound=outbound, conversation=True,
             ours=False)
    )  # fmt: skip
    who.doubted_since = None


# ------------------------------------------------------------------ holds


async def sets_a_hold(town: Town, who: Dweller, view: View) -> None:
    """Of any kind, over one case or all, from now or since long ago, with an end or without."""
    dice, kind = town.dice, town.dice.choice(sorted(BY_HAND))
    begins = town.now - timedelta(days=dice.choice((0, 0, 1, 6, 20)), hours=dice.randrange(12))
    ends = None
    if not RULES[kind].open_ended and dice.random() < 0.8:
        ends = begins + timedelta(days=dice.randint(1, 25))
    usual = sorted(RULES[kind].blocks)
    blocks = None
    if dice.random() < 0.3:
        blocks = sorted(RULES[kind].always | set(dice.sample(usual, dice.randint(1, len(usual)))))
    async with town.store.unit(who.street.lender_id) as unit:
        await set_hold(
            unit, town.now, borrower_id=who.id,
            case_id=dice.choice([None, *(one.case_id for one in view.cases)]),
            kind=kind, reason="a reason", ends_at=ends, set_by="eva",
            starts_at=None if dice.random() < 0.5 else begins, blocks=blocks,
        )  # fmt: skip
    who.log.append(f"{town.now:%d.%m. %H:%M} hold {kind} from {begins:%d.%m.} to {ends} {blocks}")


async def lifts_a_hold(town: Town, who: Dweller, view: View) -> None:
    if not view.holds:
        return
    hold = view.holds[-1]
    how: dict[str, Any] = {"hold_id": hold.id, "role": Role.COMPLIANCE}
    async with town.store.unit(who.street.lender_id) as unit:
        if hold.kind == HoldKind.CRISIS.value and town.chance(0.5):
            day = who.local_day(town.now) - timedelta(days=town.dice.randint(0, 40))
            await end_crisis(unit, town.now, treatment_ended_on=day, by="cora", **how)
        else:
            how["role"] = town.dice.choice(sorted(RULES[HoldKind(hold.kind)].lifted_by))
            await lift_hold(unit, town.now, lifted_by="cora", reason="over", **how)
    who.log.append(f"{town.now:%d.%m. %H:%M} lifts {hold.kind}")


# ------------------------------------------------------------------ four eyes


async def proposes(town: Town, who: Dweller, view: View) -> None:
    """Giving a debt up, wholly or in part, or taking that back."""
    desk, dice = town.desks[who.street.lender_id], town.dice
    owing = [one for one in view.loans if one.unpaid > 0 and one.state == "active"]
    if view.entries and dice.random() < 0.7:
        await desk.propose(ApprovalKind.REVERSAL, view.entries[-1].id)
    elif owing and dice.random() < 0.4:
        await desk.propose(ApprovalKind.WRITE_OFF, dice.choice(owing).id)
    elif owing:
        loan = dice.choice(owing)
        amount = Money(dice.randrange(1, loan.unpaid + 1), loan.currency)
        await desk.propose(ApprovalKind.FORGIVENESS, loan.id, amount=amount)


async def decides(town: Town, who: Dweller, view: View) -> None:
    """Stands behind what a machine proposed, and somebody else says yes or no."""
    desk = town.desks[who.street.lender_id]
    for waiting in view.approvals:
        if waiting.proposer_id is None and waiting.endorser_id is None:
            await desk.endorses(waiting.id)
        word = town.dice.choices(list(Word), (5, 4, 1))[0]
        by = "sue" if word is Word.WITHDRAW else "april"
        role = Role.SUPERVISOR if word is Word.WITHDRAW else Role.APPROVER
        await desk.says(word, waiting.id, by=by, role=role)
        town.did[f"{word.value} {waiting.kind}"] += 1


_ACTS: dict[Act, int] = {
    notes_a_contact: 2,
    sets_a_hold: 6,
    lifts_a_hold: 10,
    proposes: 2,
    decides: 6,
}


async def a_shift(town: Town, scene: dict[UUID, View], *, share: float) -> None:
    """The desk works what waits, and here and there decides something."""
    for who in list(town.people.values()):
        view = scene.get(who.id)
        if view is None:
            continue
        if view.tasks:
            await attempt(town, who, view, works_the_board)
        if town.chance(share):
            act = town.dice.choices(list(_ACTS), list(_ACTS.values()))[0]
            await attempt(town, who, view, act)


# ------------------------------------------------------------------ about everybody at once


async def leads(town: Town) -> None:
    """A strategy is moved, a switch thrown or released."""
    wanted, street = town.dice.choice(town.streets)
    del wanted
    if town.chance(0.5):
        version: UUID = await street.value(
            "SELECT v.id FROM strategy_versions v JOIN strategies s ON s.id = v.strategy_id "
            "WHERE s.lender_id = :id AND s.name = :name",
            id=street.lender_id, name=town.dice.choice(("soft", "brisk")),
        )  # fmt: skip
        await move_cases(
            town.house, town.now, lender_id=street.lender_id, version_id=version,
            selection=Selection(product=town.dice.choice(PRODUCTS)), reason="a better one",
            actor="sue", seen=10**6, with_care=town.chance(0.3),
        )  # fmt: skip
        town.did["strategy moved"] += 1
        return
    brake = town.dice.choice((Brake.SMS, Brake.EMAIL, Brake.ALL))
    key = (street.lender_id, brake.value)
    halt = key not in town.halted
    await set_switch(
        town.house, town.now, lender_id=street.lender_id, brake=brake, halted=halt,
        reason="a look", actor="sue",
    )  # fmt: skip
    town.did["switch"] += 1
    if halt:
        town.halted[key] = town.now
    else:
        del town.halted[key]


async def release_switches(town: Town) -> None:
    """No switch stands for ever."""
    for lender_id, brake in list(town.halted):
        await set_switch(
            town.house, town.now, lender_id=lender_id, brake=Brake(brake), halted=False,  # type: ignore[arg-type]
            reason="all is well", actor="sue",
        )  # fmt: skip
        del town.halted[lender_id, brake]


async def lenders_speak(town: Town) -> None:
    """The lenders' ledgers confirm what is owed; now and then one of them does not."""
    for _, street in town.streets:
        if town.chance(0.93):
            await street.rows(
                "UPDATE loans SET owed_as_of = :now WHERE lender_id = :id RETURNING 1",
                now=town.now, id=street.lender_id,
            )  # fmt: skip
