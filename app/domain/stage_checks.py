"""What is wrong with a strategy that reads well: found before it is saved, not when it is run.

The caller brings the packs of the countries its borrowers live in, and a look-up of templates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import TypeAlias

from app.domain.contact_policy import ContactPurpose
from app.domain.jurisdiction import Cap, ChannelVariety, Pack, Rule
from app.domain.message import Channel
from app.domain.stages import Notice, Stage, StrategyBody

# The placeholders of a template in each language that it may be sent in; None when there is no
# such template for that channel.
TemplateLookup: TypeAlias = Callable[[str, Channel], Mapping[str, Iterable[str]] | None]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend. `blocks` is false for what works, but not the way it reads."""

    field: str
    words: str
    blocks: bool = True


@dataclass(frozen=True, slots=True)
class _Placed:
    """A notice and where it stands."""

    field: str
    notice: Notice


def validate(
    body: StrategyBody,
    *,
    packs: Iterable[Pack],
    templates: TemplateLookup,
    known_values: Iterable[str],
    begins_on: int = 0,
) -> tuple[Finding, ...]:
    """Every finding, in the order of the body. None that `blocks`: it may be published.

    `begins_on` is the day past due on which this lender's cases open.
    """
    placed = tuple(_placed(body))
    return (
        *_stages(body),
        *_before_it_begins(body, begins_on),
        *_misplaced(body),
        *_cut_short(body),
        *_twice(placed),
        *_template_faults(placed, templates, frozenset(known_values)),
        *_end(body),
        *(finding for pack in packs for finding in _pack_faults(body, placed, pack)),
    )


def _placed(body: StrategyBody) -> Iterator[_Placed]:
    for at, notice in enumerate(body.remind):
        yield _Placed(f"remind[{at}]", notice)
    for number, stage in enumerate(body.stages):
        for at, notice in enumerate(stage.notices):
            yield _Placed(f"stages[{number}].notices[{at}]", notice)


def _stages(body: StrategyBody) -> Iterator[Finding]:
    if not body.stages:
        yield Finding("stages", "There is no stage: nothing would ever be done.")
    names: set[str] = set()
    before: Stage | None = None
    for number, stage in enumerate(body.stages):
        if stage.name in names:
            yield Finding(f"stages[{number}].name", f"There are two stages named {stage.name}.")
        names.add(stage.name)
        if before is not None and stage.from_day <= before.from_day:
            words = (
                f"{stage.name} begins on day {stage.from_day}, not after {before.name} "
                f"(day {before.from_day}): one of them would never be reached."
            )
            yield Finding(f"stages[{number}].from_day", words)
        before = stage


def _before_it_begins(body: StrategyBody, begins_on: int) -> Iterator[Finding]:
    """Stages that are over when a case opens, and messages that others have overtaken by then."""
    for number, (stage, after) in enumerate(pairwise(body.stages)):
        if stage.from_day < after.from_day <= begins_on:
            words = (
                f"A case begins on day {begins_on} (case_after_days), and {after.name} on day "
                f"{after.from_day}: {stage.name} would never be reached."
            )
            yield Finding(f"stages[{number}].from_day", words)
    ripe = [one.day for stage in body.stages for one in stage.notices if one.day <= begins_on]
    newest = max(ripe, default=0)
    for number, stage in enumerate(body.stages):
        for at, notice in enumerate(stage.notices):
            required = notice.purpose is ContactPurpose.REQUIRED_NOTICE
            if notice.day < newest and not required:
                words = f"Day {notice.day} is before day {begins_on}, on which a case begins."
                field = f"stages[{number}].notices[{at}].day"
                yield Finding(field, f"{words} It never leaves.", blocks=False)


def _cut_short(body: StrategyBody) -> Iterator[Finding]:
    """Calls that the next stage leaves no day for."""
    for number, (stage, after) in enumerate(pairwise(body.stages)):
        if stage.calls is None or after.from_day <= stage.from_day:
            continue
        fit = (after.from_day - 1 - stage.from_day) // stage.calls.gap_days + 1
        if fit < stage.calls.attempts:
            words = (
                f"{after.name} begins on day {after.from_day}: {fit} of the "
                f"{stage.calls.attempts} calls fit before it at most."
            )
            yield Finding(f"stages[{number}].calls", words, blocks=False)


def _misplaced(body: StrategyBody) -> Iterator[Finding]:
    """Notices on days on which their stage is not the current one."""
    for number, stage in enumerate(body.stages):
        later = [one.from_day for one in body.stages if one.from_day > stage.from_day]
        ends = min(later, default=None)
        for at, notice in enumerate(stage.notices):
            if notice.day < stage.from_day or (ends is not None and notice.day >= ends):
                span = f"from day {stage.from_day}" + ("" if ends is None else f" to {ends - 1}")
                words = f"Day {notice.day} is not in {stage.name} ({span})."
                yield Finding(f"stages[{number}].notices[{at}].day", words)


def _twice(placed: tuple[_Placed, ...]) -> Iterator[Finding]:
    seen: set[str] = set()
    for one in placed:
        if one.notice.slot in seen:
            words = f"There are two messages by {one.notice.channel} on day {one.notice.day}."
            yield Finding(f"{one.field}.day", words)
        seen.add(one.notice.slot)


def _template_faults(
    placed: tuple[_Placed, ...], templates: TemplateLookup, known: frozenset[str]
) -> Iterator[Finding]:
    for one in placed:
        notice = one.notice
        used = templates(notice.template, notice.channel)
        if used is None:
            words = f"There is no template {notice.template} for {notice.channel}."
            yield Finding(f"{one.field}.template", words)
            continue
        for language, places in used.items():
            unknown = sorted(set(places) - known)
            if unknown:
                words = (
                    f"The template {notice.template} ({language}) asks for "
                    f"{', '.join(unknown)}: nobody knows it."
                )
                yield Finding(f"{one.field}.template", words)


def _end(body: StrategyBody) -> Iterator[Finding]:
    if body.end is None:
        yield Finding("end", "There is no end: a case would stay open with nothing to be done.")


def _pack_faults(body: StrategyBody, placed: tuple[_Placed, ...], pack: Pack) -> Iterator[Finding]:
    """What the rules of one country never allow, counted for one debt alone.

    Money seen on an account asks for a message of its own, so a strategy that uses a cap to the
    full leaves no room for that; this is the lender's choice and no finding.
    """
    for rule in pack.rules:
        if isinstance(rule.limit, Cap):
            yield from _too_many(body, placed, pack, rule, rule.limit)
        elif isinstance(rule.limit, ChannelVariety):
            yield from _too_varied(body, placed, pack, rule, rule.limit)


def _too_many(
    body: StrategyBody, placed: tuple[_Placed, ...], pack: Pack, rule: Rule, cap: Cap
) -> Iterator[Finding]:
    span = 1 if cap.within is None else max(1, -(-cap.within // timedelta(days=1)))
    days = [
        (day, field) for day, channel, field in _contacts(body, placed) if channel in rule.channels
    ]
    for at, (day, field) in enumerate(days):
        begun = [one for one, _ in days[: at + 1] if one > day - span]
        if len(begun) > cap.limit:
            words = (
                f"In {pack.name} the {len(begun)} contacts from day {begun[0]} to {day} are more "
                f"than {cap.limit} in {span} day(s) ({rule.id}: {rule.source})."
            )
            yield Finding(field, words)
            return


def _too_varied(
    body: StrategyBody, placed: tuple[_Placed, ...], pack: Pack, rule: Rule, limit: ChannelVariety
) -> Iterator[Finding]:
    """The gate puts such a message off until it may leave; it is late, and never unlawful."""
    span = max(1, limit.within // timedelta(days=1))
    days = _contacts(body, placed)
    for at, (day, _, field) in enumerate(days):
        used = {channel for one, channel, _ in days[: at + 1] if one > day - span}
        if len(used) > limit.limit:
            words = (
                f"In {pack.name} only {limit.limit} channel(s) may be used in {span} days "
                f"({rule.id}): the contact on day {day} will leave later."
            )
            yield Finding(field, words, blocks=False)
            return


def _contacts(body: StrategyBody, placed: tuple[_Placed, ...]) -> list[tuple[int, Channel, str]]:
    """Day, channel and place of all a borrower would get, by day; calls at their earliest."""
    found = [
        (one.notice.day, one.notice.channel, f"{one.field}.day")
        for one in placed
        if one.notice.purpose is ContactPurpose.COLLECTION
    ]
    for number, stage in enumerate(body.stages):
        if stage.calls is not None:
            for turn in range(stage.calls.attempts):
                day = stage.from_day + turn * stage.calls.gap_days
                found.append((day, Channel.CALL, f"stages[{number}].calls"))
    return sorted(found, key=lambda contact: contact[0])
