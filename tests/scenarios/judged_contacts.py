"""Whether each contact was allowed at the instant it left, given everything known before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain.contact_policy import Contact, ContactPurpose, ContactQuestion, Hold
from app.domain.ids import CaseId
from app.domain.message import Channel
from app.reference.places import holiday_dates
from tests.domain.gate_world import slowly_allowed
from tests.scenarios.town import Dweller, Made, Town

_MESSAGES: Final = """
    SELECT m.key, m.id, m.borrower_id, m.channel, m.cause, m.purpose, m.case_ids, m.state,
        m.link_id, m.wording FROM messages m WHERE m.key = ANY(:keys)
"""
_STEPS: Final = """
    SELECT s.message_id, s.loan_id, s.kind, s.name, s.due_on FROM strategy_steps s
    WHERE s.message_id = ANY(:ids)
"""
_HOLDS: Final = "SELECT * FROM holds WHERE borrower_id = ANY(:people)"
_LOANS: Final = """
    SELECT l.id, l.borrower_id, c.id AS case_id, i.due_on, i.amount_minor,
        d.time_zone, d.case_after_days
    FROM loans l JOIN instalments i ON i.loan_id = l.id JOIN lenders d ON d.id = l.lender_id
    LEFT JOIN cases c ON c.loan_id = l.id WHERE l.borrower_id = ANY(:people)
"""
_MONEY: Final = """
    SELECT r.loan_id, r.applied_minor, r.recorded_at, r.reversed_at FROM repayments r
    JOIN loans l ON l.id = r.loan_id WHERE l.borrower_id = ANY(:people) AND r.counted
"""
_PAYMENTS: Final = """
    SELECT borrower_id, authorised_at, settled_at, ended_at FROM payments
    WHERE borrower_id = ANY(:people) AND authorised_at IS NOT NULL
"""
_PROMISES: Final = """
    SELECT p.borrower_id, p.case_id, p.made_at, p.ended_at, p.state FROM promises p
    WHERE p.borrower_id = ANY(:people)
"""
_TASKS: Final = """
    SELECT borrower_id, case_id, reason, created_at, ended_at FROM tasks
    WHERE borrower_id = ANY(:people) AND reason IN ('borrower_disputes', 'borrower_cannot_pay',
        'borrower_says_paid', 'payment_unclear', 'payment_returned', 'owed_amount_stale',
        'overpaid')
"""
_WRITTEN_OFF: Final = """
    SELECT a.loan_id, a.made_at, (SELECT r.made_at FROM adjustments r WHERE r.reverses_id = a.id)
        AS reversed_at
    FROM adjustments a WHERE a.borrower_id = ANY(:people) AND a.kind = 'write_off'
"""
_WHAT: Final = {
    "holds": _HOLDS, "loans": _LOANS, "money": _MONEY, "payments": _PAYMENTS,
    "promises": _PROMISES, "tasks": _TASKS, "written_off": _WRITTEN_OFF,
}  # fmt: skip
_LEFT: Final = frozenset({"sending", "sent", "delivered", "undelivered", "unknown", "failed"})
_GATE_LOOKS_BACK: Final = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Wrong:
    """One contact that should not have been."""

    who: UUID
    rule: str
    words: str


@dataclass(slots=True)
class Contacts:
    """Judges what left since the last time, each piece once."""

    town: Town
    judged: int = 0
    _done: int = 0
    _history: defaultdict[UUID, list[Made]] = field(default_factory=lambda: defaultdict(list))
    _keys: set[UUID] = field(default_factory=set)
    _links: dict[UUID, UUID] = field(default_factory=dict)
    _said: dict[tuple[Any, ...], UUID] = field(default_factory=dict)

    async def wrong(self) -> list[Wrong]:
        """What was wrong with the contacts made since the last look."""
        fresh = self.town.made[self._done :]
        self._done = len(self.town.made)
        if not fresh:
            return []
        known = await self._read(fresh)
        found = []
        for made in fresh:
            if made.ours:
                self.judged += 1
                found += [
                    Wrong(made.who, rule, f"{made.at:%d.%m. %H:%M:%S} {made.channel}: {words}")
                    for rule, words in self._faults(made, known)
                ]
            row = known["messages"].get(made.key)
            told = made if row is None else replace(made, case_ids=tuple(row.case_ids))
            self._history[made.who].append(told)
        return found

    async def _read(self, fresh: list[Made]) -> dict[str, Any]:
        people = list({made.who for made in fresh})
        keys = [made.key for made in fresh if made.key is not None]
        known: dict[str, Any] = {
            name: await self.town.rows(query, people=people) for name, query in _WHAT.items()
        }
        known["messages"] = {row.key: row for row in await self.town.rows(_MESSAGES, keys=keys)}
        ids = [row.id for row in known["messages"].values()]
        known["steps"] = defaultdict(list)
        for row in await self.town.rows(_STEPS, ids=ids):
            known["steps"][row.message_id].append(row)
        return known

    def _faults(self, made: Made, known: dict[str, Any]) -> Iterator[tuple[str, str]]:
        who = self.town.people[made.who]
        if made.key is None:
            yield from self._gate(who, made, made.case_ids, made.purpose, known)
            return
        row = known["messages"].get(made.key)
        if row is None or row.borrower_id != made.who:
            yield "left without a row", "no message of his stands behind it"
            return
        purpose = ContactPurpose(row.purpose)
        case_ids = tuple(row.case_ids)
        yield from self._gate(who, made, case_ids, purpose, known)
        yield from self._once(made, row, known)
        yield from self._address(who, made)
        yield from _money(made, row, known)
        yield from _peace(made, row, known)
        if (since := self._halted(who, made)) is not None:
            yield "left while halted", f"the switch was thrown at {since:%d.%m. %H:%M}"

    # -------------------------------------------------- the gate

    def _gate(
        self,
        who: Dweller,
        made: Made,
        case_ids: tuple[UUID, ...],
        purpose: ContactPurpose,
        known: dict[str, Any],
    ) -> Iterator[tuple[str, str]]:
        pack = self.town.house.packs.of(who.country)
        years = (made.at.year, made.at.year + 1)
        opted_out = frozenset(c for c, since in who.stopped.items() if since < made.at)
        question = ContactQuestion(
            now=made.at,
            channel=made.channel,
            zones=frozenset((who.zone,)),
            case_ids=frozenset(CaseId(one) for one in case_ids),
            purpose=purpose,
            history=tuple(
                _as_contact(one)
                for one in self._history[made.who]
                if made.at - one.at < _GATE_LOOKS_BACK
            ),
            opted_out=opted_out,
            holds=tuple(
                Hold(hold.kind, hold.ends_at, not hold.blocks or "every_contact" in hold.blocks)
                for hold in known["holds"]
                if _stood(hold, made, case_ids) and (not hold.blocks or "contact" in hold.blocks)
            ),
            holidays=holiday_dates(who.country, None, years),
            asked_for=made.asked_for,
        )
        if slowly_allowed(question, pack, made.at):
            return
        bare = ContactQuestion(**{**_fields(question), "holds": (), "opted_out": frozenset()})
        rule = "outside the gate"
        if slowly_allowed(bare, pack, made.at):
            rule = "during a hold" if question.holds else "after an opt-out"
        local = made.at.astimezone(ZoneInfo(who.zone))
        before = [f"{one.at:%d.%m. %H:%M:%S} {one.channel}" for one in question.history[-4:]]
        yield rule, f"{purpose} at {local:%a %H:%M} in {who.zone}, before: {', '.join(before)}"

    def _halted(self, who: Dweller, made: Made) -> Any:
        lender = who.street.lender_id
        since = [self.town.halted.get((lender, brake)) for brake in (made.channel.value, "all")]
        return next((one for one in since if one is not None and one < made.at), None)

    # -------------------------------------------------- once, and to the right place

    def _once(self, made: Made, row: Any, known: dict[str, Any]) -> Iterator[tuple[str, str]]:
        if made.key in self._keys:
            yield "left twice", f"message {row.id} was taken twice"
            return
        self._keys.add(row.key)
        if row.state not in _LEFT:
            yield "left and not told", f"message {row.id} is {row.state}"
        if row.link_id is not None and self._links.setdefault(row.link_id, row.id) != row.id:
            yield "left twice", f"link {row.link_id} left in two messages"
        for step in known["steps"][row.id]:
            slot = step.name.rpartition("/")[0] if step.kind in ("notice", "remind") else step.name
            what = (step.loan_id, step.kind, slot, step.due_on)
            if self._said.setdefault(what, row.id) != row.id:
                yield "notice twice", f"{step.kind} {step.name} of {step.due_on} was said before"

    def _address(self, who: Dweller, made: Made) -> Iterator[tuple[str, str]]:
        if made.channel is Channel.EMAIL:
            if who.dead_since is not None and who.dead_since < made.at:
                yield "to nobody", "the mailbox is known to be dead"
            return
        for since in (who.wrong_since, who.doubted_since):
            if since is not None and since < made.at:
                yield "to a stranger", f"the number is known to be somebody else's since {since}"
        if made.to != who.phone:
            yield "to a stranger", "it is not his number any more"


# ------------------------------------------------------------------ what was known


def _as_contact(made: Made) -> Contact:
    return Contact(
        made.at,
        made.channel,
        frozenset(CaseId(one) for one in made.case_ids),
        outbound=made.outbound,
        conversation=made.conversation,
        counts=made.counts,
    )


def _fields(question: ContactQuestion) -> dict[str, Any]:
    return {name: getattr(question, name) for name in ContactQuestion.__slots__}


def _stood(hold: Any, made: Made, case_ids: tuple[UUID, ...]) -> bool:
    """Was it known, and in force over any of these cases (of all, where none is named)?"""
    if hold.borrower_id != made.who or hold.recorded_at >= made.at or hold.starts_at > made.at:
        return False
    if hold.lifted_at is not None and hold.lifted_at < made.at:
        return False
    if hold.ends_at is not None and hold.ends_at <= made.at:
        return False
    return hold.case_id is None or not case_ids or hold.case_id in case_ids


def _during(start: Any, end: Any, made: Made) -> bool:
    """Had it begun before the contact, and not ended before it?"""
    return start is not None and start < made.at and (end is None or end >= made.at)


def _money(made: Made, row: Any, known: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Nothing is asked of somebody who has paid, or whose payment is on its way."""
    for payment in known["payments"]:
        if payment.borrower_id != made.who:
            continue
        ends = [end for end in (payment.settled_at, payment.ended_at) if end is not None]
        if _during(payment.authorised_at, min(ends, default=None), made):
            yield "after payment", f"authorised at {payment.authorised_at:%d.%m. %H:%M:%S}"
    for off in known["written_off"]:
        loans = {one.id for one in known["loans"] if one.case_id in row.case_ids}
        if off.loan_id in loans and _during(off.made_at, off.reversed_at, made):
            yield "after the write-off", f"loan {off.loan_id}"
    for loan_id, upto in _asked_about(row, known):
        due, paid = _due_and_paid(loan_id, upto, made, known)
        if paid >= due:
            yield "after payment", f"{paid} of {due} on loan {loan_id} was known to be paid"


def _asked_about(row: Any, known: dict[str, Any]) -> Iterator[tuple[UUID, Any]]:
    """The loans a message asks for; for a reminder the day that is still to come."""
    if row.case_ids:
        for loan_id in {one.id for one in known["loans"] if one.case_id in row.case_ids}:
            yield loan_id, None
        return
    steps = known["steps"][row.id]
    # One message speaks of several debts; what is paid meanwhile falls out of it.
    if len(steps) == 1:
        yield steps[0].loan_id, steps[0].due_on


def _due_and_paid(loan_id: UUID, upto: Any, made: Made, known: dict[str, Any]) -> tuple[int, int]:
    rows = {(one.due_on, one.amount_minor): one for one in known["loans"] if one.id == loan_id}
    due = 0
    for one in rows.values():
        today = made.at.astimezone(ZoneInfo(one.time_zone)).date()
        last = upto or today - timedelta(days=one.case_after_days)
        due += one.amount_minor if one.due_on <= last else 0
    paid = sum(
        one.applied_minor  # what was too much is a person's: see `_peace`
        for one in known["money"]
        if one.loan_id == loan_id and _during(one.recorded_at, one.reversed_at, made)
    )
    return due, paid


def _peace(made: Made, row: Any, known: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Holds that stop pressure, promises that stand, and what he said and nobody answered."""
    case_ids = tuple(row.case_ids)
    for hold in known["holds"]:
        presses = not hold.blocks or not {"contact", "payment_ask"}.isdisjoint(hold.blocks)
        if presses and (case_ids or hold.case_id is None) and _stood(hold, made, case_ids):
            yield "during a hold", f"{hold.kind} recorded at {hold.recorded_at:%d.%m. %H:%M}"
    standing = [
        one
        for one in known["promises"]
        if one.case_id in case_ids and _during(one.made_at, one.ended_at, made)
    ]
    if row.cause == "promise" and not standing:
        yield "reminded of nothing", "no promise stands"
    if row.cause in ("notice", "funds") and row.purpose == "collection" and standing:
        yield "during a promise", f"made at {standing[0].made_at:%d.%m. %H:%M}"
    for task in known["tasks"]:
        about = task.reason == "overpaid" or (
            case_ids and (task.case_id is None or task.case_id in case_ids)
        )
        if task.borrower_id == made.who and about and _during(task.created_at, task.ended_at, made):
            yield "before a person answered", f"{task.reason} since {task.created_at:%d.%m. %H:%M}"
