"""What the consent pages show: who asks, for what, what was chosen, how it stands. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from app.domain.breaker import Service
from app.domain.consent import ConsentState, Purpose, RequestState
from app.domain.ids import LenderId
from app.domain.message import Channel
from app.domain.open_hours import zone_of
from app.flows.consents.owed_look import look_owed, without_him
from app.flows.house import House
from app.flows.providers.banks_away import banks_away
from app.store.brakes import emails_stopped, opted_out
from app.store.consents import find_request, find_returned, of_borrower
from app.store.tables import accounts, consent_choices, consent_requests, consents, lenders
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class LenderSeen:
    """The lender as borrowers know him."""

    id: LenderId
    name: str
    contact_phone: str
    contact_url: str


@dataclass(frozen=True, slots=True)
class AccountSeen:
    """An account by its bank and the last digits."""

    bank_id: str
    iban_masked: str
    usable: bool


@dataclass(frozen=True, slots=True)
class ConsentSeen:
    """The latest consent of a request. `ends_at` is business time, None until it is in force.

    `waits_for_him`: a look that needs him (for scoring, at his transactions) is still to be made.
    """

    id: UUID
    state: ConsentState
    bank_id: str
    purposes: tuple[Purpose, ...]
    valid_until: date | None
    ends_at: datetime | None
    waits_for_him: bool
    accounts: tuple[AccountSeen, ...]


@dataclass(frozen=True, slots=True)
class ConsentPage:
    """A request as its own link shows it.

    `state` says `expired` as soon as the link's time is over. `until` is the last day the
    reading may reach if he agrees today. `choices` are his latest, empty before the first.
    `emails_stopped` is None for somebody without an e-mail address. `time_zone` is the lender's.
    `away` are the banks that do not answer now (`banks_away`).
    """

    lender: LenderSeen
    request_id: UUID
    borrower_id: UUID
    language: str
    purposes: tuple[Purpose, ...]
    state: RequestState
    expires_at: datetime
    until: date
    return_url: str
    choices: Mapping[Purpose, bool]
    consent: ConsentSeen | None
    reading_stopped: bool
    messages_stopped: bool
    emails_stopped: bool | None
    time_zone: str
    away: Mapping[str, datetime | None] = field(default_factory=dict)


async def open_consent(house: House, now: datetime, token: str) -> ConsentPage:
    """The page of `/c/{token}`. Raises `NotFound`."""
    found = await find_request(house.store, token)
    house = await house.of(found.lender_id)
    async with house.store.unit(found.lender_id) as unit:
        page = await _page(unit, house, now, found.request_id)
        connector = house.aggregation_name
        away = await banks_away(
            unit, house, connector, found.lender_id, now, services=(Service.BALANCES,)
        )
        return replace(page, away=away)


async def open_return(house: House, now: datetime, return_token: str) -> ConsentPage:
    """The same request, found by the address the bank sends the borrower back to."""
    lender_id, consent_id = await find_returned(house.store, return_token)
    house = await house.of(lender_id)
    async with house.store.unit(lender_id) as unit:
        request_id = (
            await unit.conn.execute(
                select(consents.c.request_id).where(consents.c.id == consent_id)
            )
        ).scalar_one()
        return await _page(unit, house, now, request_id, consent_id=consent_id)


async def _page(
    unit: Unit, house: House, now: datetime, request_id: UUID, consent_id: UUID | None = None
) -> ConsentPage:
    row: Row[Any] = (
        await unit.conn.execute(
            select(
                consent_requests,
                lenders.c.name.label("lender_name"),
                lenders.c.contact_phone,
                lenders.c.contact_url,
                lenders.c.time_zone,
            )
            .join(lenders, lenders.c.id == consent_requests.c.lender_id)
            .where(consent_requests.c.id == request_id)
        )
    ).one()
    state = RequestState(row.state)
    if row.expires_at <= now and state is not RequestState.COMPLETED:
        state = RequestState.EXPIRED
    live = (ConsentState.PENDING, ConsentState.ACTIVE)
    return ConsentPage(
        lender=LenderSeen(
            LenderId(row.lender_id), row.lender_name, row.contact_phone, row.contact_url
        ),
        request_id=row.id,
        borrower_id=row.borrower_id,
        language=row.language,
        purposes=tuple(Purpose(word) for word in row.purposes),
        state=state,
        expires_at=row.expires_at,
        until=now.astimezone(zone_of(row.time_zone)).date() + timedelta(days=row.window_days),
        return_url=row.return_url,
        choices=await _choices(unit, request_id),
        consent=await _consent(unit, house, now, request_id, consent_id),
        reading_stopped=not await of_borrower(unit, row.borrower_id, live),
        messages_stopped=bool(await opted_out(unit, (row.borrower_id,), Channel.SMS)),
        emails_stopped=await emails_stopped(unit, row.borrower_id),
        time_zone=row.time_zone,
    )


async def _choices(unit: Unit, request_id: UUID) -> Mapping[Purpose, bool]:
    rows = await unit.conn.execute(
        select(consent_choices.c.purpose, consent_choices.c.granted)
        .where(consent_choices.c.request_id == request_id)
        .order_by(consent_choices.c.chosen_at, consent_choices.c.id)
    )
    return {Purpose(row.purpose): row.granted for row in rows}


async def _consent(
    unit: Unit, house: House, now: datetime, request_id: UUID, consent_id: UUID | None
) -> ConsentSeen | None:
    query = select(consents).where(consents.c.request_id == request_id)
    if consent_id is not None:
        query = query.where(consents.c.id == consent_id)
    row = (await unit.conn.execute(query.order_by(consents.c.id.desc()).limit(1))).first()
    if row is None:
        return None
    listed = await unit.conn.execute(
        select(accounts.c.bank_id, accounts.c.iban_masked, accounts.c.usable)
        .where(accounts.c.consent_id == row.id)
        .order_by(accounts.c.id)
    )
    copied = without_him(house, row.connector)
    looks = not copied and await look_owed(unit, house, now, row)
    return ConsentSeen(
        id=row.id,
        state=ConsentState(row.state),
        bank_id=row.bank_id,
        purposes=tuple(Purpose(word) for word in row.purposes),
        valid_until=row.valid_until,
        ends_at=row.ends_at,
        waits_for_him=row.scoring == "due" or looks,
        accounts=tuple(AccountSeen(*account) for account in listed),
    )
