"""Payment links and the browsers that proved who they are. Only hashes of tokens are stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, insert, select

from app.domain.errors import NotFound
from app.domain.ids import LenderId
from app.domain.payment import LinkState
from app.store.keys import new_id, new_token
from app.store.tables import link_sessions, payment_links
from app.store.unit import Store, Unit

LINK_HASH: Final = "payment_link"
SESSION_HASH: Final = "link_session"

# Real time: how long a browser that passed the check may go on without another one.
SESSION_LENGTH: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class FoundLink:
    """Whose link a token belongs to."""

    lender_id: LenderId
    link_id: UUID
    borrower_id: UUID


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link just made. The token goes into one message and is kept nowhere else."""

    id: UUID
    token: str

    def __repr__(self) -> str:
        return f"NewLink({self.id})"


async def make_link(
    unit: Unit,
    now: datetime,
    *,
    lender_id: UUID,
    borrower_id: UUID,
    signal_id: UUID | None,
    expires_at: datetime,
) -> NewLink:
    """A live link with a random 128-bit token, good until `expires_at` (business time)."""
    made = NewLink(new_id(), new_token())
    await unit.conn.execute(
        insert(payment_links).values(
            id=made.id,
            lender_id=lender_id,
            borrower_id=borrower_id,
            signal_id=signal_id,
            token_hash=unit.vault.digest(LINK_HASH, made.token),
            created_at=now,
            expires_at=expires_at,
        )
    )
    return made


async def find_link(store: Store, token: str) -> FoundLink:
    """Look a token up before the lender is known. Raises `NotFound`, whatever is wrong with it."""
    async with store.engine_unit() as unit:
        row = (
            await unit.conn.execute(
                select(
                    payment_links.c.lender_id, payment_links.c.id, payment_links.c.borrower_id
                ).where(payment_links.c.token_hash == unit.vault.digest(LINK_HASH, token))
            )
        ).one_or_none()
    if row is None:
        raise NotFound("This link does not exist.")
    return FoundLink(LenderId(row.lender_id), row.id, row.borrower_id)


async def load_link(unit: Unit, link_id: UUID) -> Row[Any]:
    """The link's row. Raises `NotFound`."""
    row = (
        await unit.conn.execute(select(payment_links).where(payment_links.c.id == link_id))
    ).one_or_none()
    if row is None:
        raise NotFound("This link does not exist.")
    return row


def works(link: Row[Any], now: datetime) -> bool:
    """Is the link live and its time not over (also when nobody has marked it expired yet)?"""
    return bool(link.state == LinkState.LIVE.value and now < link.expires_at)


async def begin_session(unit: Unit, real_now: datetime, link_id: UUID) -> str:
    """Remember, for half an hour of real time, that this browser passed the check."""
    value = new_token()
    await unit.conn.execute(
        insert(link_sessions).values(
            id_hash=unit.vault.digest(SESSION_HASH, value),
            lender_id=unit.lender_id,
            link_id=link_id,
            created_at=real_now,
            expires_at=real_now + SESSION_LENGTH,
        )
    )
    return value


async def session_holds(unit: Unit, real_now: datetime, link_id: UUID, session: str | None) -> bool:
    """Did the browser with this session value pass the check of this very link?"""
    if not session:
        return False
    found = await unit.conn.scalar(
        select(link_sessions.c.link_id).where(
            link_sessions.c.id_hash == unit.vault.digest(SESSION_HASH, session),
            link_sessions.c.link_id == link_id,
            link_sessions.c.expires_at > real_now,
        )
    )
    return found is not None
