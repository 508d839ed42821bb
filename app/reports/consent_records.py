"""Consent requests, the choices made in them, and the consents that came of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select, select

from app.domain.consent import ConsentState, RequestState
from app.reports.slices import Key, grouped, narrowed, one, with_borrower
from app.store.tables import accounts, consent_choices, consent_requests, consents
from app.store.unit import Unit

REQUESTS_BY: Final[Key] = (consent_requests.c.id,)
CONSENTS_BY: Final[Key] = (consents.c.id,)


def requests_query(
    *, borrower: str | None = None, state: RequestState | None = None
) -> Select[Any]:
    """Consent requests; their links are known to nobody after they were made."""
    query = with_borrower(
        consent_requests,
        consent_requests.c.id,
        consent_requests.c.purposes,
        consent_requests.c.window_days,
        consent_requests.c.language,
        consent_requests.c.return_url,
        consent_requests.c.state,
        consent_requests.c.created_at,
        consent_requests.c.expires_at,
        consent_requests.c.completed_at,
    )
    return narrowed(query, consent_requests, borrower, state)


async def request_of(unit: Unit, request_id: UUID) -> Row[Any]:
    """One request. Raises `NotFound`."""
    query = requests_query().where(consent_requests.c.id == request_id)
    return await one(unit, query, "consent request")


async def choices_of(unit: Unit, request_ids: Iterable[UUID]) -> Mapping[UUID, list[Row[Any]]]:
    """The borrower's choices by request, in the order he made them."""
    query = (
        select(consent_choices)
        .where(consent_choices.c.request_id.in_(list(request_ids)))
        .order_by(consent_choices.c.id)
    )
    return grouped(await unit.conn.execute(query), "request_id")


async def consents_of(unit: Unit, request_ids: Iterable[UUID]) -> Mapping[UUID, list[Row[Any]]]:
    """Ids and states of the consents that came of each request."""
    query = (
        select(consents.c.id, consents.c.request_id, consents.c.state, consents.c.scoring)
        .where(consents.c.request_id.in_(list(request_ids)))
        .order_by(consents.c.id)
    )
    return grouped(await unit.conn.execute(query), "request_id")


def consents_query(
    *, borrower: str | None = None, state: ConsentState | None = None
) -> Select[Any]:
    """Consents at banks, without their tokens."""
    query = with_borrower(
        consents,
        consents.c.id,
        consents.c.request_id,
        consents.c.connector,
        consents.c.bank_id,
        consents.c.state,
        consents.c.purposes,
        consents.c.valid_until,
        consents.c.ends_at,
        consents.c.created_at,
        consents.c.activated_at,
        consents.c.ended_at,
        consents.c.ended_why,
        consents.c.scoring,
    )
    return narrowed(query, consents, borrower, state)


async def consent_of(unit: Unit, consent_id: UUID) -> Row[Any]:
    """One consent. Raises `NotFound`."""
    return await one(unit, consents_query().where(consents.c.id == consent_id), "consent")


async def accounts_of(unit: Unit, consent_ids: Iterable[UUID]) -> Mapping[UUID, list[Row[Any]]]:
    """The accounts that each consent covers now, masked."""
    query = (
        select(
            accounts.c.consent_id,
            accounts.c.id,
            accounts.c.iban_masked,
            accounts.c.currency,
            accounts.c.usable,
            accounts.c.why_unusable,
            accounts.c.last_read_at,
        )
        .where(accounts.c.consent_id.in_(list(consent_ids)))
        .order_by(accounts.c.id)
    )
    return grouped(await unit.conn.execute(query), "consent_id")
