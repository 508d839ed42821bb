"""What rules of one's own would block today: real people, the gate asked with and without them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from app.domain.case import CaseState
from app.domain.contact_policy import ContactQuestion, may_contact
from app.domain.ids import LenderId
from app.domain.jurisdiction import Pack
from app.domain.message import Channel
from app.domain.pack_edition import Edition, with_edition
from app.flows.house import House
from app.flows.messages.ask_gate import question_of
from app.store.tables import borrowers, cases

MOST: Final = 60
CHANNELS: Final = (Channel.CALL, Channel.SMS)
_HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Blocked:
    """One channel over the next 24 hours: people who may be contacted at some full hour.

    `by_pack` by the country's rules alone, `now` with those in force, `then` with the new ones;
    the hours are counted over all people.
    """

    channel: Channel
    by_pack: int
    now: int
    then: int
    hours_now: int
    hours_then: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What was asked: `people` of the pack with an open case, `more` if there are more of them."""

    people: int
    more: bool
    lines: tuple[Blocked, ...]


async def preview_rules(
    house: House, now: datetime, *, lender_id: LenderId, pack: Pack, edition: Edition
) -> Preview:
    """Ask the gate for at most `MOST` people with an open case, hour by hour. Writes nothing."""
    async with house.store.unit(lender_id) as unit:
        found = [
            row
            for row in await unit.conn.execute(
                select(borrowers)
                .where(
                    borrowers.c.id.in_(
                        select(cases.c.borrower_id).where(cases.c.state == CaseState.OPEN.value)
                    )
                )
                .order_by(borrowers.c.id)
            )
            if house.packs.of(row.country).country == pack.country
        ]
        people = found[:MOST]
        asked = [
            (
                channel,
                await question_of(unit, house.packs, now, person, case_ids=(), channel=channel),
            )
            for person in people
            for channel in CHANNELS
        ]
    new = with_edition(pack, edition, 0)
    totals = {channel: [0] * 5 for channel in CHANNELS}
    for channel, (question, in_force, _) in asked:
        hours = [_hours(question, rules) for rules in (pack, in_force, new)]
        found_now = [*(int(bool(one)) for one in hours), *hours[1:]]
        totals[channel] = [
            before + more for before, more in zip(totals[channel], found_now, strict=True)
        ]
        # Thousands of questions: whoever else is served by this process is not kept waiting.
        await asyncio.sleep(0)
    lines = tuple(Blocked(channel, *totals[channel]) for channel in CHANNELS)
    return Preview(len(people), len(found) > MOST, lines)


def _hours(question: ContactQuestion, rules: Pack) -> int:
    """At how many of the next full hours the answer is yes."""
    first = question.now.replace(minute=0, second=0, microsecond=0)
    return sum(
        may_contact(replace(question, now=first + timedelta(hours=step)), rules).allowed
        for step in range(1, _HOURS + 1)
    )
