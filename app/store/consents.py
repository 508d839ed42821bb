"""Consent requests and consents as rows: looked up by token, locked before they move."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, or_, select, update

from app.domain.consent import ConsentState
from app.domain.errors import NotFound
from app.domain.ids import LenderId, Secret
from app.store.tables import consent_choices, consent_requests, consents
from app.store.unit import Store, Unit

REQUEST_HASH: Final = "consent_link"
RETURN_HASH: Final = "consent_return"


@dataclass(frozen=True, slots=True)
class FoundRequest:
    """Whose consent link a token belongs to."""

    lender_id: LenderId
    request_id: UUID
    borrower_id: UUID


async def find_request(store: Store, token: str) -> FoundRequest:
    """Look a consent link up before the lender is known. Raises `NotFound`."""
    async with store.engine_unit() as unit:
        row = (
            await unit.conn.execute(
                select(
                    consent_requests.c.lender_id,
                    consent_requests.c.id,
                    consent_requests.c.borrower_id,
                ).where(consent_requests.c.token_hash == unit.vault.digest(REQUEST_HASH, token))
            )
        ).one_or_none()
    if row is None:
        raise NotFound("This link does not exist.")
    return FoundRequest(LenderId(row.lender_id), row.id, row.borrower_id)


async def find_returned(store: Store, token: str) -> tuple[LenderId, UUID]:
    """The lender and consent a borrower comes back for from his bank. Raises `NotFound`."""
    async with store.engine_unit() as unit:
        row = (
            await unit.conn.execute(
                select(consents.c.lender_id, consents.c.id).where(
                    consents.c.return_hash == unit.vault.digest(RETURN_HASH, token)
                )
            )
        ).one_or_none()
    if row is None:
        raise NotFound("This link does not exist.")
    return LenderId(row.lender_id), row.id


async def load_request(unit: Unit, request_id: UUID, *, lock: bool = False) -> Row[Any]:
    """The request's row. Raises `NotFound`."""
    query = select(consent_requests).where(consent_requests.c.id == request_id)
    row = (await unit.conn.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise NotFound("There is no such consent request.")
    return row


async def load_consent(unit: Unit, consent_id: UUID, *, lock: bool = False) -> Row[Any]:
    """The consent's row. Raises `NotFound`."""
    query = select(consents).where(consents.c.id == consent_id)
    if lock:
        query = query.with_for_update(key_share=True)
    row = (await unit.conn.execute(query)).one_or_none()
    if row is None:
        raise NotFound("There is no such consent.")
    return row


async def last_consent(unit: Unit, request_id: UUID) -> Row[Any] | None:
    """The newest consent that came of a request, whatever its state."""
    query = (
        select(consents)
        .where(consents.c.request_id == request_id)
        .order_by(consents.c.created_at.desc(), consents.c.id.desc())
        .limit(1)
    )
    return (await unit.conn.execute(query)).one_or_none()


async def of_borrower(
    unit: Unit, borrower_id: UUID, states: Sequence[ConsentState]
) -> list[Row[Any]]:
    """A borrower's consents in these states, oldest first."""
    query = (
        select(consents)
        .where(
            consents.c.borrower_id == borrower_id,
            consents.c.state.in_([state.value for state in states]),
        )
        .order_by(consents.c.created_at, consents.c.id)
    )
    return list((await unit.conn.execute(query)).all())


async def latest_choices(unit: Unit, request_id: UUID) -> dict[str, Row[Any]]:
    """The borrower's last word on each purpose he was asked about."""
    query = (
        select(consent_choices)
        .where(consent_choices.c.request_id == request_id)
        .order_by(consent_choices.c.chosen_at, consent_choices.c.id)
    )
    return {row.purpose: row for row in await unit.conn.execute(query)}


async def lenders_of(unit: Unit, consent_ids: Iterable[UUID]) -> list[tuple[UUID, LenderId]]:
    """Consents of a job with their lenders; those that are gone are left out."""
    rows = await unit.conn.execute(
        select(consents.c.id, consents.c.lender_id).where(consents.c.id.in_(list(consent_ids)))
    )
    return [(row.id, LenderId(row.lender_id)) for row in rows]


async def look_again(unit: Unit, consent_id: UUID, at: datetime) -> None:
    """When to ask the bank for this consent's state again."""
    await unit.conn.execute(
        update(consents)
        .where(consents.c.id == consent_id, consents.c.next_check_at.is_not(None))
        .values(next_check_at=at)
    )


async def keep_token(unit: Unit, consent_id: UUID, token: Secret) -> None:
    """Keep the provider's token of a consent, sealed, in place of the one before."""
    sealed = unit.seal("consents.token_enc", consent_id, token.reveal())
    await unit.conn.execute(
        update(consents)
        .where(consents.c.id == consent_id)
        .values(token_enc=sealed, renewing_since=None)
    )


async def claim_renewal(
    unit: Unit, consent_id: UUID, real_now: datetime, stale: datetime
) -> Secret | None:
    """The right to exchange the token, with the newest one; None while somebody else has it.

    A claim from before `stale` belongs to a process that is gone. Both are real time.
    """
    row = (
        await unit.conn.execute(
            update(consents)
            .where(
                consents.c.id == consent_id,
                consents.c.token_enc.is_not(None),
                or_(consents.c.renewing_since.is_(None), consents.c.renewing_since <= stale),
            )
            .values(renewing_since=real_now)
            .returning(consents.c.id, consents.c.token_enc)
        )
    ).one_or_none()
    return None if row is None else token_of(unit, row)


async def drop_claim(unit: Unit, consent_id: UUID) -> None:
    """Give the right to exchange the token back; the token stays as it is."""
    await unit.conn.execute(
        update(consents).where(consents.c.id == consent_id).values(renewing_since=None)
    )


def token_of(unit: Unit, consent: Row[Any]) -> Secret | None:
    """The provider's token of a consent; None when it was never had or is gone."""
    if consent.token_enc is None:
        return None
    return Secret(unit.open("consents.token_enc", consent.id, consent.token_enc))
