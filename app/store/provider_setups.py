"""Set-ups of lenders' own providers: which there are, what they hold, what is open with them."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import Row, and_, exists, func, insert, or_, select
from sqlalchemy.exc import IntegrityError

from app.domain.errors import Conflict, NotFound
from app.domain.ids import LenderId
from app.domain.message import MessageState
from app.domain.payment import LIVE_STATES
from app.domain.provider_setup import ANSWERING, SETUP, SetupState, Slot, own_name
from app.store import driver
from app.store.keys import new_id
from app.store.moves import move
from app.store.outbox import OutboxKind, OutboxState
from app.store.tables import consents, messages, outbox, payments, provider_setups
from app.store.unit import Unit
from app.store.vault import SealBroken

log = structlog.get_logger("providers")

_PLACE: Final = "provider_setups.settings_enc"
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz234567"
_ANSWER: Final = [state.value for state in ANSWERING]
_OUT: Final = [
    state.value for state in (MessageState.SENDING, MessageState.UNKNOWN, MessageState.SENT)
]


@dataclass(frozen=True, slots=True)
class AccessData:
    """What a set-up holds: settings by name as they were typed, files by name as they came."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def as_text(self) -> str:
        """To be sealed."""
        files = {name: base64.b64encode(body).decode() for name, body in self.files.items()}
        return json.dumps({"values": dict(self.values), "files": files})

    @classmethod
    def of_text(cls, text: str) -> AccessData:
        """As it was before it was sealed."""
        held = json.loads(text)
        files = {name: base64.b64decode(body) for name, body in held["files"].items()}
        return cls(held["values"], files)


@dataclass(frozen=True, slots=True)
class Setup:
    """One set-up as a process needs it. Two with one `id` hold the same for ever."""

    id: UUID
    lender_id: LenderId
    slot: Slot
    connector: str
    name: str
    state: SetupState


@dataclass(frozen=True, slots=True)
class OpenWork:
    """What is still followed with a set-up."""

    consents: int
    payments: int
    messages: int

    def __bool__(self) -> bool:
        return bool(self.consents or self.payments or self.messages)


async def answering(unit: Unit, slot: Slot | None = None) -> list[Setup]:
    """Those whose access data is there and in use: of the unit's lender, or of all (engine).

    Asked at the door of every flow, and so at the driver: a third of what it takes otherwise.
    """
    found = await driver.rows(
        unit, _ANSWERING, {"states": _ANSWER, "slot": None if slot is None else slot.value}
    )
    return [
        Setup(setup_id, LenderId(lender), Slot(job), connector, name, SetupState(state))
        for setup_id, lender, job, connector, name, state in found
    ]


_ANSWERING: Final = """
    SELECT id, lender_id, slot, connector, name, state FROM provider_setups
    WHERE state = ANY(%(states)b::text[])
        AND (%(slot)b::text IS NULL OR slot = %(slot)b::text)
"""


async def has_own(unit: Unit, lender_id: UUID, slot: Slot) -> bool:
    """Has this lender a set-up of his own in force for a job?"""
    found: bool | None = await unit.conn.scalar(
        select(
            exists().where(
                provider_setups.c.lender_id == lender_id,
                provider_setups.c.slot == slot.value,
                provider_setups.c.state == SetupState.IN_FORCE.value,
            )
        )
    )
    return bool(found)


async def owner_of(unit: Unit, name: str) -> LenderId | None:
    """Whose set-up goes by this name, while it answers. An engine unit."""
    found = await unit.conn.scalar(
        select(provider_setups.c.lender_id).where(
            provider_setups.c.name == name, provider_setups.c.state.in_(_ANSWER)
        )
    )
    return None if found is None else LenderId(found)


async def held_by(unit: Unit, setup_ids: Iterable[UUID]) -> dict[UUID, AccessData]:
    """The access data of these, opened. The unit has the keys of their lenders.

    One that cannot be opened is left out: it is no reason to have none of the others.
    """
    wanted = list(setup_ids)
    if not wanted:
        return {}
    rows = await unit.conn.execute(
        select(provider_setups.c.id, provider_setups.c.settings_enc).where(
            provider_setups.c.id.in_(wanted),
            provider_setups.c.settings_enc.is_not(None),
        )
    )
    held: dict[UUID, AccessData] = {}
    for row in rows:
        try:
            held[row.id] = AccessData.of_text(unit.open(_PLACE, row.id, row.settings_enc))
        except SealBroken:
            log.warning("own_provider_not_opened", setup_id=str(row.id))
    return held


async def setups_of(unit: Unit, slot: Slot | None = None) -> list[Row[Any]]:
    """All of the unit's lender that are not closed, as rows, the newest first."""
    query = select(provider_setups).where(provider_setups.c.state != SetupState.CLOSED.value)
    if slot is not None:
        query = query.where(provider_setups.c.slot == slot.value)
    rows = await unit.conn.execute(query.order_by(provider_setups.c.made_at.desc()))
    return list(rows)


async def lock_setup(unit: Unit, setup_id: UUID) -> Row[Any]:
    """One of the unit's lender, locked. Raises `NotFound`."""
    row: Row[Any] | None = (
        await unit.conn.execute(
            select(provider_setups)
            .where(provider_setups.c.id == setup_id)
            .with_for_update(key_share=True)
        )
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such provider.")
    return row


async def in_force(unit: Unit, slot: Slot) -> Row[Any] | None:
    """The one of the unit's lender that does this job now, locked."""
    row: Row[Any] | None = (
        await unit.conn.execute(
            select(provider_setups)
            .where(
                provider_setups.c.slot == slot.value,
                provider_setups.c.state == SetupState.IN_FORCE.value,
            )
            .with_for_update(key_share=True)
        )
    ).one_or_none()
    return row


def fresh_name(connector: str) -> str:
    """A name that nothing goes by. It is no secret: calls to it are verified."""
    return own_name(connector, "".join(secrets.choice(_LETTERS) for _ in range(12)))


async def add_setup(
    unit: Unit,
    now: datetime,
    *,
    slot: Slot,
    name: str,
    connector: str,
    data: AccessData,
    shown: Mapping[str, Any],
    made_by: str,
) -> UUID:
    """Write one down, sealed; nobody uses it yet. `shown` never holds a secret."""
    row_id = new_id()
    before = await unit.conn.scalar(
        select(func.max(provider_setups.c.number)).where(provider_setups.c.name == name)
    )
    await unit.conn.execute(
        insert(provider_setups).values(
            id=row_id,
            lender_id=unit.lender_id,
            slot=slot.value,
            connector=connector,
            name=name,
            number=int(before or 0) + 1,
            settings_enc=unit.seal(_PLACE, row_id, data.as_text()),
            shown=dict(shown),
            made_by=made_by,
            made_at=now,
            tested_at=now,
        )
    )
    return row_id


@asynccontextmanager
async def one_at_a_time() -> AsyncIterator[None]:
    """Two admins at once: the second one hears of it. Put round the whole unit."""
    try:
        yield
    except IntegrityError as error:
        if "uq_provider_setups" not in str(error.orig):
            raise
        raise Conflict("Somebody else set up a provider at the same moment. Try again.") from None


async def close(unit: Unit, now: datetime, setup_id: UUID, event: str, by: str) -> None:
    """End one for good: its access data is erased. `event` leads to `closed`."""
    await move(
        unit,
        provider_setups,
        setup_id,
        SETUP,
        event,
        settings_enc=None,
        ended_by=by,
        ended_at=now,
    )


async def open_work(unit: Unit, name: str) -> OpenWork:
    """What is not at its end with the set-up of this name, of the unit's lender."""
    waits = exists().where(
        outbox.c.subject_id == consents.c.id,
        outbox.c.kind == OutboxKind.REVOKE_CONSENT.value,
        outbox.c.state == OutboxState.DUE.value,
    )
    taken_back = exists().where(
        outbox.c.subject_id == payments.c.id,
        outbox.c.kind == OutboxKind.CANCEL_PAYMENT.value,
        outbox.c.state == OutboxState.DUE.value,
    )
    live = [state.value for state in LIVE_STATES]
    queries = (
        select(func.count())
        .select_from(consents)
        .where(
            consents.c.connector == name,
            or_(consents.c.state.in_(("pending", "active")), waits),
        ),
        select(func.count())
        .select_from(payments)
        .where(
            payments.c.connector == name,
            # One that has ended is looked at once more where its page can be paid again.
            or_(payments.c.state.in_(live), payments.c.next_look_at.is_not(None), taken_back),
        ),
        select(func.count())
        .select_from(messages)
        .where(
            messages.c.connector == name,
            messages.c.next_look_at.is_not(None),
            or_(
                messages.c.state.in_(_OUT),
                # An attempt of it may have left, so nobody else gets it.
                and_(messages.c.state == MessageState.QUEUED.value, messages.c.bound),
            ),
        ),
    )
    found = [int(await unit.conn.scalar(query) or 0) for query in queries]
    return OpenWork(*found)
