"""Everything the contact gate wants to know about one person, in one round trip.

The gate is asked before every message and every call; its history may be hundreds of contacts.
Columns travel as arrays in PostgreSQL's binary format (app/store/driver.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from app.domain.contact_policy import Contact
from app.domain.hold import HoldBlock, blocks_in_force
from app.domain.ids import CaseId
from app.domain.message import Channel
from app.store import driver
from app.store.brakes import Brake
from app.store.contacts import LOOK_BACK, OUTCOME_UNKNOWN, withheld_of
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class HeldBy:
    """A hold in force. `case_id` None: over every case of his."""

    kind: str
    case_id: UUID | None
    ends_at: datetime | None
    blocks: frozenset[HoldBlock]


@dataclass(frozen=True, slots=True)
class GateFacts:
    """`halted`: the lender's stop switch; `refused`: he wants nothing on this channel."""

    halted: bool
    refused: bool
    holds: tuple[HeldBy, ...]
    history: tuple[Contact, ...]
    own: OwnRules | None


@dataclass(frozen=True, slots=True)
class OwnRules:
    """The lender's edition in force for the pack: its number, and its body as JSON text."""

    number: int
    body: str


# The same rules as `halted`, `silenced` and `in_force` in app/store/brakes.py and `really_made` in
# app/store/contacts.py, written for the driver.
_FACTS: Final = """
    WITH own AS (
        SELECT number, body::text AS body, look_back_days FROM pack_editions
        WHERE lender_id = %(lender)b AND country = %(country)b AND state = 'published'
    )
    SELECT
        EXISTS (SELECT FROM stop_switches w WHERE w.lender_id = %(lender)b
            AND w.channel = ANY(%(brakes)b::text[]) AND w.halted),
        EXISTS (SELECT FROM opt_outs o WHERE o.borrower_id = %(borrower)b
                AND o.channel = %(channel)b AND o.stopped_at IS NOT NULL)
            OR EXISTS (SELECT FROM borrowers b JOIN opt_outs o ON o.borrower_id = b.id
                WHERE %(channel)b <> 'email' AND b.lender_id = %(lender)b
                AND b.phone_hash = %(phone)b AND b.phone_enc IS NOT NULL
                AND o.channel = %(channel)b AND o.stopped_at IS NOT NULL),
        h.kinds, h.cases, h.ends, h.blocks,
        c.made, c.channels, c.cases, c.outbound, c.conversation, c.counts, c.asked_for,
        (SELECT number FROM own), (SELECT body FROM own)
    FROM (
        SELECT array_agg(kind) AS kinds, array_agg(case_id) AS cases, array_agg(ends_at) AS ends,
            array_agg(array_to_string(blocks, ',')) AS blocks
        FROM (
            SELECT kind, case_id, ends_at, blocks FROM holds
            WHERE borrower_id = %(borrower)b AND starts_at <= %(now)b AND lifted_at IS NULL
                AND (ends_at IS NULL OR ends_at > %(now)b)
            ORDER BY starts_at, id
        ) AS one
    ) AS h, (
        SELECT array_agg(made_at) AS made, array_agg(channel) AS channels,
            array_agg(array_to_string(case_ids, ',')) AS cases,
            array_agg(direction = 'outbound') AS outbound,
            array_agg(conversation) AS conversation, array_agg(counts) AS counts,
            array_agg(asked_for) AS asked_for
        FROM (
            SELECT k.made_at, k.channel, k.case_ids, k.direction, k.conversation, k.counts,
                k.asked_for
            FROM contacts k LEFT JOIN messages m ON m.id = k.message_id
            WHERE k.borrower_id = %(borrower)b AND k.made_at > least(%(since)b, %(now)b
                    - make_interval(days => (SELECT look_back_days FROM own)::int))
                AND (m.id IS NULL OR NOT (m.state IN ('queued', 'cancelled')
                    OR (m.state = 'failed' AND m.error_code <> %(unknown)b)))
            ORDER BY k.made_at
        ) AS one
    ) AS c
"""


async def gate_facts(
    unit: Unit,
    now: datetime,
    person: Row[Any],
    *,
    channel: Channel,
    brake: Brake,
    country: str,
    look_back: timedelta = LOOK_BACK,
    with_withheld: bool = False,
) -> GateFacts:
    """What stands about `person` (his row) at `now`, business time.

    `country` is that of the pack; `look_back` is how far back a contact can matter for it
    (`Pack.look_back`), and the lender's own rules may look further. `with_withheld` adds the
    messages that observe-only mode held back, so that its report keeps the caps that the real
    thing would keep.
    """
    found = await driver.rows(
        unit,
        _FACTS,
        {
            "lender": person.lender_id,
            "borrower": person.id,
            "phone": person.phone_hash,
            "channel": channel.value,
            "brakes": [brake.value, Brake.ALL.value],
            "country": country,
            "now": now,
            "since": now - look_back,
            "unknown": OUTCOME_UNKNOWN,
        },
    )
    halted, refused, *rest = found[0]
    *columns, number, body = rest
    history = _contacts(*(column or () for column in columns[4:]))
    if with_withheld:
        history += await withheld_of(unit, person.id, now)
        history.sort(key=lambda contact: contact.at)
    return GateFacts(
        halted,
        refused,
        _holds(*(column or () for column in columns[:4])),
        tuple(history),
        None if number is None else OwnRules(number, body),
    )


def _holds(kinds: Any, cases: Any, ends: Any, blocks: Any) -> tuple[HeldBy, ...]:
    return tuple(
        HeldBy(kind, case_id, ends_at, blocks_in_force(kind, filter(None, stops.split(","))))
        for kind, case_id, ends_at, stops in zip(kinds, cases, ends, blocks, strict=True)
    )


def _contacts(
    made: Any,
    channels: Any,
    cases: Any,
    outbound: Any,
    conversation: Any,
    counts: Any,
    asked_for: Any,
) -> list[Contact]:
    # Hundreds of contacts speak of a handful of cases: each list of them is read once.
    about = {
        text: frozenset(CaseId(UUID(one)) for one in filter(None, text.split(",")))
        for text in set(cases)
    }
    known = {channel.value: channel for channel in Channel}
    return [
        Contact(at, known[channel], about[text], out, spoke, counted, wished)
        for at, channel, text, out, spoke, counted, wished in zip(
            made, channels, cases, outbound, conversation, counts, asked_for, strict=True
        )
    ]
