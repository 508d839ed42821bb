"""Answers kept for callers who ask twice. Rows belong to one lender; all times are real time.

The row is claimed and committed before the work starts, so that two calls with one key cannot
both do it. The answer is sealed: it may carry a link that is stored nowhere else in the clear.
"""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.store.tables import idempotency_keys
from app.store.unit import Unit

KEPT_FOR = timedelta(hours=24)
"""How long the same key gives the same answer."""

STALE_AFTER = timedelta(seconds=90)
"""A call that has not answered by then died with its process; the next one takes over."""

_PLACE = "idempotency_keys.answer"


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An HTTP answer as it was given the first time."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a key says: go ahead (`mine`), the answer of before, still running, or misused."""

    mine: bool = False
    answer: StoredAnswer | None = None
    running: bool = False
    other_request: bool = False


async def claim(
    unit: Unit, real_now: datetime, *, key: str, operation: str, request_hash: bytes
) -> Claim:
    """Take the key for this request, or say what stands against it."""
    fresh = {
        "operation": operation,
        "request_hash": request_hash,
        "status": None,
        "answer": None,
        "created_at": real_now,
    }
    statement = insert(idempotency_keys).values(lender_id=unit.lender_id, key=key, **fresh)
    # Taken over: what is too old to be repeated, and what its process never finished.
    taken = await unit.conn.scalar(
        statement.on_conflict_do_update(
            index_elements=["lender_id", "key"],
            set_=fresh,
            where=or_(
                idempotency_keys.c.created_at < real_now - KEPT_FOR,
                and_(
                    idempotency_keys.c.status.is_(None),
                    idempotency_keys.c.created_at < real_now - STALE_AFTER,
                    idempotency_keys.c.operation == operation,
                    idempotency_keys.c.request_hash == request_hash,
                ),
            ),
        ).returning(idempotency_keys.c.key)
    )
    if taken is not None:
        return Claim(mine=True)
    row = (
        await unit.conn.execute(select(idempotency_keys).where(idempotency_keys.c.key == key))
    ).one_or_none()
    if row is None:
        # Released between our insert and our look: its caller failed; ours may try again.
        return Claim(running=True)
    same = row.operation == operation and hmac.compare_digest(bytes(row.request_hash), request_hash)
    if not same:
        return Claim(other_request=True)
    if row.status is None:
        return Claim(running=True)
    opened = json.loads(
        unit.open(_PLACE, _row_id(unit, key), base64.b64decode(row.answer["sealed"]))
    )
    return Claim(answer=StoredAnswer(row.status, opened["body"], opened["headers"]))


async def keep(unit: Unit, *, key: str, answer: StoredAnswer) -> None:
    """Store the answer of a claimed key."""
    plain = json.dumps({"body": answer.body, "headers": answer.headers})
    sealed = unit.seal(_PLACE, _row_id(unit, key), plain)
    await unit.conn.execute(
        update(idempotency_keys)
        .where(idempotency_keys.c.key == key, idempotency_keys.c.status.is_(None))
        .values(status=answer.status, answer={"sealed": base64.b64encode(sealed).decode()})
    )


async def release(unit: Unit, *, key: str, created_at: datetime) -> None:
    """Give an unanswered claim back, so that the same call can be made again.

    The app's role may not delete; the row is made so old that anybody may take it over.
    """
    await unit.conn.execute(
        update(idempotency_keys)
        .where(
            idempotency_keys.c.key == key,
            idempotency_keys.c.status.is_(None),
            idempotency_keys.c.created_at == created_at,
        )
        .values(created_at=created_at - KEPT_FOR - STALE_AFTER)
    )


def _row_id(unit: Unit, key: str) -> bytes:
    return unit.vault.digest("idempotency_key", key)
