"""Questions for the contact gate, and a slow second gate that reads like the rules themselves."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from app.domain.contact_policy import Contact, ContactPurpose, ContactQuestion, Hold
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
from app.domain.open_hours import Weekly, Window

QUARTER = timedelta(minutes=15)
LONG_AGO = date(2020, 1, 1)
EVERY = frozenset(Channel)
CASES = tuple(CaseId(UUID(int=number)) for number in (1, 2, 3))


def week(text: str, days: Iterable[int] = range(7)) -> Weekly:
    """The same windows, such as "09:00-20:00", on some days (Monday is 0)."""
    windows = tuple(Window.parse(part) for part in text.split())
    return tuple(windows if day in set(days) else () for day in range(7))


def rule(
    limit: object,
    *,
    channels: frozenset[Channel] = EVERY,
    since: date = LONG_AGO,
    at_work: bool = False,
    but_asked_for: bool = False,
) -> Rule:
    kind = type(limit).__name__.lower()
    strength = Strength.POLICY
    return Rule(kind, limit, channels, strength, "a test", since, at_work, but_asked_for)  # type: ignore[arg-type]


def pack_of(*rules: Rule, zones: Iterable[str] = ("Europe/Madrid",)) -> Pack:
    return Pack("ES", "Spain", "2026-11-01", frozenset(zones), rules, ())


# ------------------------------------------------------------------ the slow gate


def slowly_allowed(question: ContactQuestion, pack: Pack, at: datetime) -> bool:
    """Every rule in its own words, at one instant, without any cleverness."""
    collection = question.purpose is not ContactPurpose.REQUIRED_NOTICE
    answer = question.purpose is ContactPurpose.ANSWER
    zones = [ZoneInfo(name) for name in question.zones or pack.zones]
    if not zones or question.channel in question.stopped:
        return False
    if collection and question.channel in question.opted_out:
        return False
    for hold in question.holds:
        if answer and not hold.answers_too:
            continue
        if hold.until is None or hold.until > at:
            return False
    for each in pack.rules:
        if question.channel not in each.channels:
            continue
        if each.at_work and not question.at_work:
            continue
        if each.but_asked_for and question.asked_for:
            continue
        if at < datetime.combine(each.effective_from, time(), UTC):
            continue
        if not _keeps(each, question, zones, at, collection=collection):
            return False
    return True


def clock_allows(question: ContactQuestion, pack: Pack, at: datetime) -> bool:
    """Hours and holidays alone."""
    rules = tuple(each for each in pack.rules if isinstance(each.limit, Hours | NoHolidays))
    bare = ContactQuestion(
        at,
        question.channel,
        question.zones,
        question.case_ids,
        holidays=question.holidays,
        at_work=question.at_work,
        asked_for=question.asked_for,
    )
    return slowly_allowed(bare, Pack("", "", "", pack.zones, rules, ()), at)


def _keeps(
    each: Rule, question: ContactQuestion, zones: list[ZoneInfo], at: datetime, *, collection: bool
) -> bool:
    if isinstance(each.limit, Hours):
        return all(_in_hours(each.limit.weekly, at.astimezone(zone)) for zone in zones)
    if isinstance(each.limit, Never):
        return False
    if isinstance(each.limit, ClosedOn):
        return all(at.astimezone(zone).date() not in each.limit.days for zone in zones)
    if isinstance(each.limit, NoHolidays):
        return all(at.astimezone(zone).date() not in question.holidays for zone in zones)
    if not collection:
        return True
    if isinstance(each.limit, CoolDown):
        length, scope = each.limit.length, each.limit.scope
        return not any(
            one.conversation and at - one.at < length
            for group in _groups(question, scope)
            for one in group
        )
    ours = [one for one in question.history if one.outbound and one.counts]
    if isinstance(each.limit, ChannelVariety):
        recent = {one.channel for one in ours if at - one.at < each.limit.within}
        return len(recent | {question.channel}) <= each.limit.limit
    assert isinstance(each.limit, Cap)
    if each.but_asked_for:
        ours = [one for one in ours if not one.asked_for]
    if each.limit.reached_only:
        ours = [one for one in ours if one.conversation or one.channel is not Channel.CALL]
    return all(
        _used(each.limit, [one for one in group if one in ours and one.channel in each.channels],
              zones, at) < each.limit.limit
        for group in _groups(question, each.limit.scope)
    )  # fmt: skip


def _used(cap: Cap, contacts: list[Contact], zones: list[ZoneInfo], at: datetime) -> int:
    if cap.within is not None:
        return sum(1 for one in contacts if at - one.at < cap.within)
    return max(
        sum(1 for one in contacts if one.at.astimezone(zone).date() >= at.astimezone(zone).date())
        for zone in zones
    )


def _groups(question: ContactQuestion, scope: Scope) -> list[list[Contact]]:
    history = list(question.history)
    if scope is Scope.PERSON or not question.case_ids:
        return [history]
    return [
        [one for one in history if not one.case_ids or case in one.case_ids]
        for case in question.case_ids
    ]


def _in_hours(weekly: Weekly, local: datetime) -> bool:
    minute = local.hour * 60 + local.minute
    return any(window.start <= minute < window.end for window in weekly[local.weekday()])


# ------------------------------------------------------------------ questions, on quarter hours

ZONES = ("Europe/Madrid", "Atlantic/Canary", "America/New_York", "Australia/Lord_Howe",
         "America/Havana")  # fmt: skip
# Around the days the clocks of these zones change.
_DAYS = (
    datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC),
    datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 10, 31, tzinfo=UTC),
    datetime(2026, 4, 4, tzinfo=UTC), datetime(2026, 12, 23, tzinfo=UTC),
)  # fmt: skip
quarters = st.integers(0, 96)
windows = st.tuples(quarters, quarters).filter(lambda pair: pair[0] != pair[1]).map(
    lambda pair: Window(min(pair) * 15, max(pair) * 15)
)  # fmt: skip
weeklies = st.tuples(
    *[st.lists(windows, min_size=1, max_size=2).map(lambda day: tuple(sorted(day)))] * 7
)
lengths = st.integers(1, 5 * 96).map(lambda count: count * QUARTER)
channels = st.sampled_from(Channel)
some_channels = st.frozensets(channels, min_size=1)
scopes = st.sampled_from(Scope)
limits = st.one_of(
    st.builds(Cap, st.integers(1, 3), scopes, lengths | st.none(), st.booleans()),
    st.builds(Hours, weeklies),
    st.just(NoHolidays()),
    st.builds(CoolDown, lengths, scopes),
    st.builds(ChannelVariety, st.integers(1, 3), lengths),
)
rules = st.builds(
    rule,
    limits,
    channels=st.just(EVERY) | some_channels,
    since=st.just(LONG_AGO) | st.dates(date(2026, 3, 25), date(2026, 12, 31)),
    at_work=st.sampled_from([False, False, True]),
    but_asked_for=st.booleans(),
)
# A place or a channel that is closed would close most packs: only some have one.
closures = st.builds(
    rule, st.just(Never()), channels=some_channels, at_work=st.sampled_from([True, True, False])
)
packs = st.builds(
    lambda made, zones: pack_of(*made, zones=zones),
    st.lists(rules | rules | rules | closures, min_size=1, max_size=5),
    st.frozensets(st.sampled_from(ZONES), min_size=1, max_size=2),
)
cases = st.frozensets(st.sampled_from(CASES), max_size=2)


@st.composite
def questions(draw: st.DrawFn) -> ContactQuestion:
    now = draw(st.sampled_from(_DAYS)) + draw(st.integers(0, 4 * 96)) * QUARTER
    past = st.builds(
        Contact,
        at=st.integers(-96, 8 * 96).map(lambda count: now - count * QUARTER),
        channel=channels,
        case_ids=cases,
        outbound=st.sampled_from([True, True, True, False]),
        conversation=st.sampled_from([False, False, True]),
        counts=st.sampled_from([True, True, True, False]),
        asked_for=st.booleans(),
    )
    hold = st.builds(
        Hold,
        st.just("dispute"),
        st.none() | st.integers(-9, 200).map(lambda n: now + n * QUARTER),
        st.booleans(),
    )
    rarely = st.sampled_from([False] * 15 + [True])
    return ContactQuestion(
        now=now,
        channel=draw(channels),
        zones=draw(st.frozensets(st.sampled_from(ZONES), max_size=2)),
        case_ids=draw(cases),
        purpose=draw(st.sampled_from(ContactPurpose)),
        history=tuple(draw(st.lists(past, min_size=draw(st.sampled_from([0, 6])), max_size=9))),
        opted_out=draw(some_channels) if draw(rarely) else frozenset(),
        holds=tuple(draw(st.lists(hold, max_size=2))) if draw(rarely) else (),
        holidays=draw(
            st.frozensets(st.integers(0, 6).map(lambda n: (now + n * 96 * QUARTER).date()))
        ),
        stopped=draw(some_channels) if draw(rarely) else frozenset(),
        at_work=draw(st.booleans()),
        asked_for=draw(st.booleans()),
    )
