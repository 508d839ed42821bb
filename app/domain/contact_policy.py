"""The one contact gate: may we contact this person now? If not, why not, and when next?

People and robots ask the same gate, once when a contact is planned and again in the moment before
it leaves. It is deterministic: the same question and the same pack give the same verdict years
later. Every rule is checked and listed, also after one has refused.

Where several time zones may be the borrower's, a rule must hold in each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple, assert_never

from app.domain import contact_words as words
from app.domain.ids import CaseId
from app.domain.jurisdiction import (
    Cap,
    ChannelVariety,
    ClosedOn,
    CoolDown,
    Hours,
    Never,
    NoHolidays,
    Pack,
    Rule,
    Scope,
    Strength,
)
from app.domain.message import Channel
from app.domain.open_hours import (
    ALWAYS,
    Micros,
    Weekly,
    micros,
    moment,
    next_open,
    open_until,
    zone_of,
)

# Ours: a message may wait at a carrier no longer than this, even where no window ends.
LONGEST_VALIDITY = timedelta(hours=24)
# A local day that is not over began after this long ago, wherever clocks are changed.
_LONGEST_DAY = timedelta(days=2)
# How often the search for the earliest moment goes over all rules before it gives up.
_ROUNDS = 200
# Who demands what holds in every country.
SOURCES = {
    "stop_switch": "The lender's own stop switch.",
    "opt_out": "The borrower's own choice.",
    "hold": "A hold set in Saldo.",
    "time_zone": "Hours of contact count by the borrower's own clock.",
}


class ContactPurpose(StrEnum):
    """What a contact is for.

    collection: anything that moves towards a payment. required_notice: a notice that the law
    demands; it keeps the hours, holds and the stop switch, but neither caps nor an opt-out. answer:
    what he asked, disputed or complained of is answered, and nothing is asked for; it keeps every
    rule, but only holds under which somebody else speaks for him.
    """

    COLLECTION = "collection"
    REQUIRED_NOTICE = "required_notice"
    ANSWER = "answer"


class Contact(NamedTuple):
    """One past contact. `conversation`: the person was really spoken with.

    A contact that begins with the borrower (`outbound` false) is not an attempt, but talking
    with him starts the cool-down. `counts` is false for what reached nobody's phone (surely not
    connected): no rule counts it. `asked_for` is not counted by the rules that say so. No case
    means that it counts for every debt. A tuple: hundreds are made for one question.
    """

    at: datetime
    channel: Channel
    case_ids: frozenset[CaseId] = frozenset()
    outbound: bool = True
    conversation: bool = False
    counts: bool = True
    asked_for: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold in force. `until` None means until somebody lifts it.

    `answers_too`: not even an answer goes to him; somebody else speaks for him.
    """

    reason: str
    until: datetime | None = None
    answers_too: bool = True


@dataclass(frozen=True, slots=True)
class ContactQuestion:
    """May this person be contacted now? Instants are aware, business time.

    `zones` are the IANA names of all zones that may be the borrower's; empty means unknown, and
    the country's zones are taken. `holidays` are days of his place, this year's and next year's.
    `holds` are those of the person and of any case in `case_ids`. `stopped` names the channels
    whose stop switch is on. `at_work`: it would reach him where he works. `asked_for`: he asked
    for it himself, at most seven days ago (app/domain/contact_exemption.py).
    """

    now: datetime
    channel: Channel
    zones: frozenset[str]
    case_ids: frozenset[CaseId]
    purpose: ContactPurpose = ContactPurpose.COLLECTION
    history: tuple[Contact, ...] = ()
    opted_out: frozenset[Channel] = frozenset()
    holds: tuple[Hold, ...] = ()
    holidays: frozenset[date] = frozenset()
    stopped: frozenset[Channel] = frozenset()
    at_work: bool = False
    asked_for: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """One rule asked. `words` is a sentence for the collector; `source` says who demands it.

    `left` is how many more contacts a cap allows now; None for every other rule.
    """

    rule: str
    passed: bool
    words: str
    source: str
    strength: Strength = Strength.POLICY
    left: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's answer.

    `earliest_at` is the first instant at which the answer is yes if nothing else changes: `now`
    when it is yes already, None when waiting does not help. `valid_until` is set when it is yes:
    the end of the hours it was given in, which ends the message's own validity too. `pack` names
    the jurisdiction and the version of its rules.
    """

    allowed: bool
    checks: tuple[Check, ...]
    earliest_at: datetime | None
    valid_until: datetime | None
    pack: str

    @property
    def because(self) -> str:
        """The sentences of the rules that refused; empty when none did."""
        return " ".join(check.words for check in self.checks if not check.passed)

    @property
    def tightest(self) -> str:
        """The sentence of the cap that leaves the least; empty where none is asked."""
        caps = [check for check in self.checks if check.left is not None]
        return min(caps, key=lambda check: check.left or 0).words if caps else ""


@dataclass(frozen=True, slots=True)
class _Permit:
    """When one rule permits.

    From `blocked_until` on (None: never again), within `weekly` and outside `closed_on` in each
    of `zones`. Before `active_from` it is not in force and permits everything. `left` is what a
    cap leaves.
    """

    blocked_until: Micros | None = 0
    zones: tuple[str, ...] = ()
    weekly: Weekly = ALWAYS
    closed_on: frozenset[date] = frozenset()
    active_from: Micros = 0
    left: int | None = None

    def forward(self, instant: Micros) -> Micros | None:
        """The instant itself when permitted; else a later one with nothing permitted between.

        None: never.
        """
        if instant < self.active_from:
            return instant
        if self.blocked_until is None:
            return None
        reached = max(instant, self.blocked_until)
        if not self.zones:
            return reached
        return next_open(self.zones, reached, self.weekly, self.closed_on)

    def shuts_at(self, instant: Micros) -> Micros | None:
        """When a permission that holds at `instant` may end by the clock; None: it does not."""
        if instant < self.active_from:
            return self.active_from
        if not self.zones:
            return None
        return open_until(self.zones, instant, self.weekly, self.closed_on)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One rule put to one question: its permit, and the sentence for the present moment."""

    rule: str
    strength: Strength
    source: str
    permit: _Permit
    words: str


def may_contact(question: ContactQuestion, pack: Pack) -> Verdict:
    """Ask the gate. Raises `Invalid` for a time zone that does not exist."""
    now = micros(question.now)
    zones = tuple(sorted(question.zones or pack.zones))
    asked = (*_brakes(question, zones), *_rules(question, pack, zones))
    checks = tuple(
        Check(
            one.rule,
            one.permit.forward(now) == now,
            one.words,
            one.source,
            one.strength,
            one.permit.left,
        )
        for one in asked
        if one.permit.active_from <= now
    )
    permits = [one.permit for one in asked]
    name = f"{pack.country} {pack.version}"
    if not all(check.passed for check in checks):
        earliest = _first_common(permits, now)
        return Verdict(
            allowed=False,
            checks=checks,
            earliest_at=None if earliest is None else moment(earliest),
            valid_until=None,
            pack=name,
        )
    ends = [end for permit in permits if (end := permit.shuts_at(now)) is not None]
    longest = question.now + LONGEST_VALIDITY
    return Verdict(
        allowed=True,
        checks=checks,
        earliest_at=question.now,
        valid_until=min(longest, moment(min(ends))) if ends else longest,
        pack=name,
    )


def _first_common(permits: Sequence[_Permit], now: Micros) -> Micros | None:
    """The first instant that every permit allows.

    Each permit only moves the instant over time that it forbids, so no common instant is leapt
    over. Zones whose hours never meet end the search.
    """
    reached = now
    for _ in range(_ROUNDS):
        before = reached
        for permit in permits:
            forward = permit.forward(reached)
            if forward is None:
                return None
            reached = forward
        if reached == before:
            return reached
    return None


def _brakes(question: ContactQuestion, zones: tuple[str, ...]) -> Iterator[_Asked]:
    """What holds whatever a pack says: stop switch, opt-out, holds, and a known time zone."""
    channel = question.channel
    zone = zones[0] if zones else None
    stopped = channel in question.stopped
    yield _brake("stop_switch", stopped, words.stop_switch(channel, passed=not stopped))
    if question.purpose is not ContactPurpose.REQUIRED_NOTICE:
        refused = channel in question.opted_out
        yield _brake("opt_out", refused, words.opt_out(channel, passed=not refused))
    holds = [
        hold
        for hold in question.holds
        if (hold.until is None or hold.until > question.now)
        and (hold.answers_too or question.purpose is not ContactPurpose.ANSWER)
    ]
    ends = [hold.until for hold in holds if hold.until is not None]
    lifted = max(ends) if ends and len(ends) == len(holds) else None
    reasons = [hold.reason for hold in holds]
    yield _brake("hold", bool(holds), words.holds(reasons, lifted, zone), until=lifted)
    sentence = words.time_zone(zones, known=bool(question.zones))
    yield _brake("time_zone", not zones, sentence)


def _brake(rule: str, closed: bool, sentence: str, until: datetime | None = None) -> _Asked:
    blocked = (None if until is None else micros(until)) if closed else 0
    return _Asked(rule, Strength.POLICY, SOURCES[rule], _Permit(blocked), sentence)


def _rules(question: ContactQuestion, pack: Pack, zones: tuple[str, ...]) -> Iterator[_Asked]:
    """The pack's rules for this channel. A required notice keeps the hours and holidays only."""
    here = words.local_time(question.now, zones)
    for rule in pack.rules:
        if question.channel not in rule.channels or (rule.at_work and not question.at_work):
            continue
        if rule.but_asked_for and question.asked_for:
            continue
        if question.purpose is ContactPurpose.REQUIRED_NOTICE and not _is_clock_rule(rule):
            continue
        permit, sentence = _ask(rule, question, zones, here)
        active_from = micros(datetime.combine(rule.effective_from, time(), UTC))
        permit = replace(permit, active_from=active_from)
        yield _Asked(rule.id, rule.strength, rule.source, permit, sentence)


def _is_clock_rule(rule: Rule) -> bool:
    return isinstance(rule.limit, Hours | NoHolidays | ClosedOn | Never)


def _ask(
    rule: Rule, question: ContactQuestion, zones: tuple[str, ...], here: str
) -> tuple[_Permit, str]:
    now = question.now
    zone = zones[0] if zones else None
    match rule.limit:
        case Hours(weekly):
            permit = _Permit(zones=zones, weekly=weekly)
            open_now = permit.forward(micros(now)) == micros(now)
            return permit, words.hours(rule.channels, weekly, here, passed=open_now)
        case NoHolidays():
            permit = _Permit(zones=zones, closed_on=question.holidays)
            open_now = permit.forward(micros(now)) == micros(now)
            return permit, words.holidays(here, passed=open_now)
        case ClosedOn(days):
            permit = _Permit(zones=zones, closed_on=days)
            open_now = permit.forward(micros(now)) == micros(now)
            return permit, words.closed_on(here, passed=open_now)
        case Cap() as cap:
            used, blocked_until = _used(cap, rule, question, zones)
            left = max(0, cap.limit - used)
            return _Permit(blocked_until, left=left), words.cap(cap, rule.channels, used)
        case CoolDown(length, scope):
            talks = [
                contact.at
                for group in _counted_together(question, scope)
                for contact in group
                if contact.conversation
            ]
            last = max(talks, default=None)
            rested_at = now if last is None else last + length
            sentence = words.cool_down(length, last, zone, passed=rested_at <= now)
            return _Permit(micros(rested_at)), sentence
        case ChannelVariety(limit, within):
            return _variety(limit, within, question)
        case Never():
            return _Permit(None), words.never(rule.channels, at_work=rule.at_work)
        case _ as never:
            assert_never(never)


def _counted_together(question: ContactQuestion, scope: Scope) -> Sequence[Sequence[Contact]]:
    """The history cut the way a rule counts: whole, or once for each debt spoken about."""
    if scope is Scope.PERSON or not question.case_ids:
        return (question.history,)
    # A long history speaks of few sets of debts: each set is asked once.
    sets = {past.case_ids for past in question.history}
    return [
        [past for past in question.history if past.case_ids in about]
        for about in (
            frozenset(ids for ids in sets if not ids or case_id in ids)
            for case_id in question.case_ids
        )
    ]


def _used(
    cap: Cap, rule: Rule, question: ContactQuestion, zones: Sequence[str]
) -> tuple[int, Micros]:
    """How much of a cap is used now, by the debt that used most, and until when it is used up."""
    used, blocked_until = 0, 0
    # What is older neither counts nor blocks any more.
    since = question.now - (cap.within or _LONGEST_DAY)
    for group in _counted_together(question, cap.scope):
        times = _counted(group, cap, rule, since)
        if cap.within is not None:
            used = max(used, len(times))
            if len(times) >= cap.limit:
                blocked_until = max(blocked_until, micros(times[-cap.limit] + cap.within))
            continue
        for zone in zones:
            local = zone_of(zone)
            today = question.now.astimezone(local).date()
            used = max(used, sum(1 for at in times if at.astimezone(local).date() >= today))
            if len(times) >= cap.limit:
                blocked_until = max(blocked_until, _day_ends(times[-cap.limit], zone))
    return used, blocked_until


def _counted(group: Iterable[Contact], cap: Cap, rule: Rule, since: datetime) -> list[datetime]:
    """When the contacts after `since` were that a cap counts, the oldest first.

    A call that reached nobody is an attempt only.
    """
    channels, only_reached, wishes_too = rule.channels, cap.reached_only, not rule.but_asked_for
    return sorted(
        [
            at
            for at, channel, _, outbound, spoke, counts, wished in group
            if at > since
            and outbound
            and counts
            and channel in channels
            and (wishes_too or not wished)
            and (spoke or not only_reached or channel is not Channel.CALL)
        ]
    )


def _day_ends(at: datetime, zone: str) -> Micros:
    """The first instant of the next local day."""
    today = frozenset({at.astimezone(zone_of(zone)).date()})
    ends = next_open((zone,), micros(at), ALWAYS, today)
    return micros(at) if ends is None else ends


def _variety(limit: int, within: timedelta, question: ContactQuestion) -> tuple[_Permit, str]:
    """Too many other channels in use block this one until the oldest of them is forgotten."""
    last_use: dict[Channel, datetime] = {}
    for past in question.history:
        if past.outbound and past.counts and past.channel is not question.channel:
            last_use[past.channel] = max(past.at, last_use.get(past.channel, past.at))
    latest_first = sorted(last_use.values(), reverse=True)
    blocked_until = 0
    if len(latest_first) >= limit:
        blocked_until = micros(latest_first[limit - 1] + within)
    others = [channel for channel, at in last_use.items() if at > question.now - within]
    return _Permit(blocked_until), words.variety(limit, within, others)
