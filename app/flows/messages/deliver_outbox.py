"""Let what waits in the outbox out: lender webhooks, revocations and cancellations at banks.

All of it is safe to do twice: a webhook carries its id, a consent given back is given back, and a
cancelled payment stays cancelled. So a row is tried until it is done, with growing pauses in real
time, and given up after some three days.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, assert_never
from uuid import UUID

import orjson
import structlog
from sqlalchemy import Row, select, update

from app.domain.consent import ConsentState
from app.domain.errors import (
    AllowanceSpent,
    ConsentGone,
    Declined,
    OutcomeUnknown,
    ProviderError,
    TryLater,
    Unreadable,
)
from app.domain.ids import LenderId, Secret
from app.flows.consents.fresh_grant import fresh_grant
from app.flows.house import House
from app.flows.messages.tell_lender import LenderEvent
from app.flows.payments.cancel_payment import cancel_at_bank
from app.flows.payments.create_initiation import LOST
from app.flows.payments.take_back_lost import take_back_lost
from app.flows.side_by_side import side_by_side
from app.ports import Grant, LenderCall
from app.store import jobs, outbox
from app.store.arrays import among
from app.store.batches import Leased, is_behind
from app.store.brakes import Brake, halted
from app.store.outbox import OutboxKind, OutboxState, Taken
from app.store.tables import consents, lenders
from app.store.tables import outbox as outbox_table

log = structlog.get_logger("outbox")

BATCH: Final = 50
_MOST: Final = 500
# Real time, all of it.
LEASE: Final = timedelta(minutes=2)
_HALTED_FOR: Final = timedelta(seconds=30)
# After each failed try; the last one repeats. Some three days in all.
_PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=4),
)
MOST_TRIES: Final = 24
_FOR_THE_APP: Final = outbox_table.c.event == LenderEvent.PUSH_REQUESTED.value


class Try(StrEnum):
    """What came of one row in one job."""

    DONE = "done"
    LATER = "later"
    DEAD = "dead"
    NOT_OURS = "not_ours"


@dataclass(frozen=True, slots=True)
class OutboxPlanned:
    """Rows handed to jobs."""

    planned: int


@dataclass(frozen=True, slots=True)
class OutboxDelivered:
    """How many rows came to what."""

    done: int
    later: int
    dead: int


def pause_after(tries: int) -> timedelta:
    """How long to wait (real time) after so many failed tries."""
    return _PAUSES[min(max(tries, 1), len(_PAUSES)) - 1]


async def plan_outbox(house: House, now: datetime) -> OutboxPlanned:
    """Hand every row whose next try has come to a job. Tries are a matter of real time."""
    del now
    real_now = house.real_now()
    async with house.store.engine_unit() as unit:
        if await is_behind(unit, jobs.DELIVER_OUTBOX):
            return OutboxPlanned(0)
        due = Leased(await outbox.lease(unit, real_now, real_now + LEASE, _MOST))
        for batch in due.in_batches(BATCH):
            await unit.defer(jobs.DELIVER_OUTBOX, ids=batch)
    return OutboxPlanned(len(due.ids))


async def deliver_outbox(house: House, now: datetime, ids: list[UUID]) -> OutboxDelivered:
    """Try each row once. Lenders go side by side, one lender's rows in their order.

    When a lender's system does not answer, the rest of its rows wait for the same pause: one
    system that is down must not hold up the others, nor the gateway of the same lender's app.
    """
    async with house.store.engine_unit() as unit:
        rows = await unit.conn.execute(
            select(
                outbox_table.c.id,
                outbox_table.c.lender_id,
                outbox_table.c.kind,
                _FOR_THE_APP.label("for_app"),
            )
            .where(among(outbox_table.c.id, ids), outbox_table.c.state == OutboxState.DUE.value)
            .order_by(outbox_table.c.created_at, outbox_table.c.id)
        )
        queues: dict[tuple[UUID, str, bool], list[UUID]] = {}
        for row in rows:
            queues.setdefault((row.lender_id, row.kind, row.for_app), []).append(row.id)

    async def one(item: tuple[tuple[UUID, str, bool], list[UUID]]) -> Counter[Try]:
        (lender_id, kind, _), waiting = item
        return await _deliver(house, now, LenderId(lender_id), OutboxKind(kind), waiting)

    came: Counter[Try] = sum(await side_by_side(queues.items(), one), Counter())
    return OutboxDelivered(came[Try.DONE], came[Try.LATER], came[Try.DEAD])


async def _deliver(
    house: House, now: datetime, lender_id: LenderId, kind: OutboxKind, ids: Sequence[UUID]
) -> Counter[Try]:
    came: Counter[Try] = Counter()
    if kind is OutboxKind.LENDER_WEBHOOK and await _halted(house, lender_id, ids):
        came[Try.LATER] = len(ids)
        return came
    for place, row_id in enumerate(ids):
        result, pause = await _try(house, now, lender_id, row_id)
        came[result] += 1
        if result is Try.LATER and kind is OutboxKind.LENDER_WEBHOOK:
            rest = ids[place + 1 :]
            await _put_back(house, lender_id, rest, pause)
            came[Try.LATER] += len(rest)
            break
    return came


async def _halted(house: House, lender_id: LenderId, ids: Sequence[UUID]) -> bool:
    async with house.store.unit(lender_id) as unit:
        if not await halted(unit, lender_id, Brake.WEBHOOK):
            return False
        for row_id in ids:
            await outbox.put_back(unit, row_id, house.real_now() + _HALTED_FOR, "halted")
    return True


async def _put_back(
    house: House, lender_id: LenderId, ids: Sequence[UUID], pause: timedelta
) -> None:
    async with house.store.unit(lender_id) as unit:
        for row_id in ids:
            await outbox.put_back(unit, row_id, house.real_now() + pause, "lender_away")


async def _try(
    house: House, now: datetime, lender_id: LenderId, row_id: UUID
) -> tuple[Try, timedelta]:
    """Count the try, make it, and record what came of it."""
    async with house.store.unit(lender_id) as unit:
        row = await outbox.take(unit, row_id, house.real_now() + LEASE)
    if row is None:
        return Try.NOT_OURS, timedelta(0)
    pause = pause_after(row.attempts)
    try:
        state = await _do(house, now, row)
    except (Declined, ConsentGone) as no:
        return await _give_up(house, now, row, no), pause
    except (TryLater, AllowanceSpent, OutcomeUnknown, Unreadable) as error:
        if row.attempts >= MOST_TRIES:
            return await _give_up(house, now, row, error), pause
        if isinstance(error, TryLater) and error.after is not None:
            pause = max(pause, min(error.after, _PAUSES[-1]))
        async with house.store.unit(lender_id) as unit:
            await outbox.put_back(unit, row.id, house.real_now() + pause, type(error).__name__)
        return Try.LATER, pause
    if state is None:
        async with house.store.unit(lender_id) as unit:
            await outbox.put_back(unit, row.id, house.real_now() + pause, "not_yet")
        return Try.LATER, pause
    async with house.store.unit(lender_id) as unit:
        await outbox.finish(unit, now, row.id, state, "")
    return Try.DONE, pause


async def _do(house: House, now: datetime, row: Taken) -> OutboxState | None:
    """Have the effect. None: it is not certain yet, try again."""
    match row.kind:
        case OutboxKind.LENDER_WEBHOOK:
            return await _post(house, row)
        case OutboxKind.REVOKE_CONSENT:
            return await _revoke(house, row)
        case OutboxKind.CANCEL_PAYMENT:
            take_back = take_back_lost if row.event == LOST else cancel_at_bank
            done = await take_back(house, now, LenderId(row.lender_id), row.subject_id)
            return OutboxState.DONE if done else None
        case _ as never:
            assert_never(never)


async def _give_up(house: House, now: datetime, row: Taken, error: ProviderError) -> Try:
    """No more tries. `saldo doctor` shows dead rows; a token kept for giving back goes now."""
    word = error.reason if isinstance(error, Declined) else type(error).__name__
    log.warning("outbox_given_up", kind=row.kind.value, outbox_event=row.event, error=word)
    async with house.store.unit(LenderId(row.lender_id)) as unit:
        state = OutboxState.DONE if isinstance(error, ConsentGone) else OutboxState.DEAD
        await outbox.finish(unit, now, row.id, state, word)
        if row.kind is OutboxKind.REVOKE_CONSENT:
            await unit.conn.execute(
                update(consents).where(consents.c.id == row.subject_id).values(token_enc=None)
            )
    return Try.DONE if state is OutboxState.DONE else Try.DEAD


# ------------------------------------------------------------------ the three effects


def webhook_body(row: Taken) -> bytes:
    """The event as the lender gets it (Standard Webhooks: type, timestamp, data)."""
    return orjson.dumps(
        {
            "id": str(row.key),
            "type": row.event,
            "timestamp": row.created_at.isoformat(),
            "data": row.payload,
        }
    )


def _address(lender: Row[Any], row: Taken) -> str:
    """Requests for the app go to its own gateway, where the lender has named one."""
    for_the_app = row.event == LenderEvent.PUSH_REQUESTED.value
    return str(lender.push_url if for_the_app and lender.push_url else lender.webhook_url)


async def _post(house: House, row: Taken) -> OutboxState:
    async with house.store.unit(LenderId(row.lender_id)) as unit:
        lender: Row[Any] = (
            await unit.conn.execute(select(lenders).where(lenders.c.id == row.lender_id))
        ).one()
        if not lender.webhook_url or lender.webhook_secret_enc is None:
            return OutboxState.CANCELLED
        secret = unit.open("lenders.webhook_secret_enc", lender.id, lender.webhook_secret_enc)
    await house.lender_hooks.post(
        LenderCall(
            event_id=row.key,
            url=_address(lender, row),
            body=webhook_body(row),
            secret=Secret(secret),
            at=house.real_now(),
        )
    )
    return OutboxState.DONE


async def _revoke(house: House, row: Taken) -> OutboxState:
    """Give the consent back to the bank, then forget its token."""
    house = await house.of(LenderId(row.lender_id))
    async with house.store.unit(LenderId(row.lender_id)) as unit:
        consent: Row[Any] = (
            await unit.conn.execute(select(consents).where(consents.c.id == row.subject_id))
        ).one()
        if consent.token_enc is None:
            return OutboxState.DONE
        if consent.state == ConsentState.ACTIVE.value:
            # Given up, and put into force after all before the bank heard of it.
            return OutboxState.CANCELLED
        token = Secret(unit.open("consents.token_enc", consent.id, consent.token_enc))
    await _end_at_bank(house, LenderId(row.lender_id), consent, token)
    async with house.store.unit(LenderId(row.lender_id)) as unit:
        await unit.conn.execute(
            update(consents).where(consents.c.id == row.subject_id).values(token_enc=None)
        )
    return OutboxState.DONE


async def _end_at_bank(house: House, lender_id: LenderId, consent: Row[Any], token: Secret) -> None:
    grant, connector = Grant(consent.bank_id, token), consent.connector
    try:
        grant = await fresh_grant(house, lender_id, consent.id, connector, grant)
    except ConsentGone:
        return
    await house.aggregation(connector).end_consent(grant)
