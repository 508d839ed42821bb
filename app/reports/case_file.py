"""Everything the case page shows: the person, the debt, the accounts, the brakes, the timeline.

Balance figures are not among it: the timeline and the alerts hold verdicts and references only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, and_, any_, literal, select

from app.domain.case import CaseClose, CaseState
from app.domain.consent import ConsentState
from app.domain.errors import NotFound
from app.domain.ids import EmailAddress, Phone
from app.domain.message import Channel
from app.domain.money import Money
from app.domain.read_planner import UNATTENDED_WINDOW, allowance
from app.reports.board import TaskLine, tasks_of_case
from app.reports.case_entries import Entry, entries_of
from app.reports.texts import BorrowerText, texts_of
from app.store.brakes import HoldInForce, holds_of, silenced, stopped_channels
from app.store.dues import dues_of
from app.store.tables import (
    accounts,
    borrowers,
    cases,
    consents,
    funds_signals,
    income_profiles,
    instalments,
    lenders,
    loans,
    messages,
    payment_cases,
    payment_links,
    payments,
    read_attempts,
)
from app.store.unit import Unit

_RECENT: Final = 6


@dataclass(frozen=True, slots=True)
class Person:
    """The borrower. `phone` and `email` are None when none is in use; they mask themselves."""

    id: UUID
    name: str
    external_ref: str
    language: str
    country: str
    time_zone: str
    phone: Phone | None
    email: EmailAddress | None
    wants_no_texts: bool
    stopped: frozenset[Channel]
    wants_no_emails: bool
    checks_locked: bool
    number_doubted_at: datetime | None
    """Since somebody else answered on his number; None when nobody has."""


@dataclass(frozen=True, slots=True)
class InstalmentLine:
    number: int
    due_on: date
    amount: Money
    paid: Money
    is_due: bool

    @property
    def open(self) -> Money:
        """What is still unpaid of it."""
        return self.amount - self.paid


@dataclass(frozen=True, slots=True)
class AccountLine:
    """One account and how much reading is left. Times are business time."""

    id: UUID
    bank_id: str
    masked: str
    currency: str
    consent_id: UUID
    consent_state: ConsentState
    consent_ends_at: datetime | None
    usable: bool
    why_unusable: str
    last_read_at: datetime | None
    next_read_at: datetime | None
    next_read_reason: str
    """A word of `PlanReason` where the account is read by its income; else empty."""
    next_read_odds: float
    reads_left: int
    read_free_at: datetime


@dataclass(frozen=True, slots=True)
class SeenMoney:
    """A live signal: `covers` is `enough` or `part`, never how much."""

    covers: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class CaseFile:
    """One case. `due` is None when nothing of this loan is due; `others` are his other cases."""

    id: UUID
    state: CaseState
    opened_at: datetime
    closed_at: datetime | None
    close_reason: CaseClose | None
    person: Person
    product: str
    loan_ref: str
    owed_as_of: datetime
    outstanding: Money
    due: Money | None
    oldest_due_on: date | None
    instalments: tuple[InstalmentLine, ...]
    accounts: tuple[AccountLine, ...]
    holds: tuple[HoldInForce, ...]
    tasks: tuple[TaskLine, ...]
    links: tuple[Row[Any], ...]
    messages: tuple[Row[Any], ...]
    payments: tuple[Row[Any], ...]
    signal: SeenMoney | None
    entries: tuple[Entry, ...]
    older: str
    """Key of the next slice of the timeline; empty at its beginning."""
    others: tuple[UUID, ...] = field(default=())
    texts: tuple[BorrowerText, ...] = field(default=())


async def case_file(
    unit: Unit, now: datetime, case_id: UUID, *, margin: timedelta, before: str = ""
) -> CaseFile:
    """The case page's content. `margin` is the setting that widens the read allowance's window.

    Raises `NotFound`: a case of another lender is not there.
    """
    row = (
        await unit.conn.execute(
            select(
                cases,
                loans.c.product,
                loans.c.external_ref.label("loan_ref"),
                loans.c.currency,
                loans.c.owed_as_of,
            )
            .join(loans, loans.c.id == cases.c.loan_id)
            .where(cases.c.id == case_id)
        )
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such case.")
    mine = [
        due
        for due in (await dues_of(unit, (row.borrower_id,), now)).get(row.borrower_id, ())
        if due.loan_id == row.loan_id
    ]
    schedule = await _instalments(unit, row, mine[0].oldest_due_on if mine else None, now)
    held = (await holds_of(unit, (row.borrower_id,), now)).get(row.borrower_id, ())
    entries, older = await entries_of(unit, row.borrower_id, case_id, before)
    return CaseFile(
        id=row.id,
        state=CaseState(row.state),
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        close_reason=CaseClose(row.close_reason) if row.close_reason else None,
        person=await _person(unit, row.borrower_id),
        product=row.product,
        loan_ref=row.loan_ref,
        owed_as_of=row.owed_as_of,
        outstanding=sum((one.open for one in schedule), Money.zero(row.currency)),
        due=mine[0].amount if mine else None,
        oldest_due_on=mine[0].oldest_due_on if mine else None,
        instalments=schedule,
        accounts=await _accounts(unit, row.borrower_id, now, margin),
        holds=tuple(hold for hold in held if hold.covers(case_id)),
        tasks=await tasks_of_case(unit, now, borrower_id=row.borrower_id, case_id=case_id),
        links=await _links(unit, row.borrower_id),
        messages=await _messages(unit, row.borrower_id, case_id),
        payments=await _payments(unit, case_id),
        signal=await _signal(unit, row.borrower_id),
        entries=entries,
        older=older,
        others=await _others(unit, row.borrower_id, case_id),
        texts=await texts_of(unit, row.borrower_id),
    )


async def borrower_of_case(unit: Unit, case_id: UUID) -> UUID:
    """Whose case it is. Raises `NotFound`."""
    found = await unit.conn.scalar(select(cases.c.borrower_id).where(cases.c.id == case_id))
    if found is None:
        raise NotFound("There is no such case.")
    return UUID(str(found))


async def _person(unit: Unit, borrower_id: UUID) -> Person:
    row = (
        await unit.conn.execute(
            select(borrowers, lenders.c.time_zone.label("lender_zone"))
            .join(lenders, lenders.c.id == borrowers.c.lender_id)
            .where(borrowers.c.id == borrower_id)
        )
    ).one()
    phone = None
    if row.phone_enc is not None:
        phone = Phone(unit.open("borrowers.phone_enc", row.id, row.phone_enc))
    email = None
    if row.email_enc is not None:
        email = EmailAddress(unit.open("borrowers.email_enc", row.id, row.email_enc))
    return Person(
        id=row.id,
        name=unit.open("borrowers.name_enc", row.id, row.name_enc),
        external_ref=row.external_ref,
        language=row.language,
        country=row.country,
        time_zone=row.time_zone or row.lender_zone,
        phone=phone,
        email=email,
        wants_no_texts=bool(await silenced(unit, (row.id,), Channel.SMS)),
        stopped=await stopped_channels(unit, row.id),
        wants_no_emails=bool(await silenced(unit, (row.id,), Channel.EMAIL)),
        checks_locked=row.checks_locked_at is not None,
        number_doubted_at=row.phone_doubted_at,
    )


async def _instalments(
    unit: Unit, case: Row[Any], oldest_due_on: date | None, now: datetime
) -> tuple[InstalmentLine, ...]:
    rows = await unit.conn.execute(
        select(instalments, lenders.c.time_zone, lenders.c.case_after_days)
        .join(lenders, lenders.c.id == instalments.c.lender_id)
        .where(instalments.c.loan_id == case.loan_id)
        .order_by(instalments.c.number)
    )
    found = []
    for row in rows:
        last_day = now.astimezone(ZoneInfo(row.time_zone)).date() - timedelta(
            days=row.case_after_days
        )
        unpaid = row.paid_minor < row.amount_minor
        found.append(
            InstalmentLine(
                number=row.number,
                due_on=row.due_on,
                amount=Money(row.amount_minor, case.currency),
                paid=Money(row.paid_minor, case.currency),
                is_due=unpaid and oldest_due_on is not None and row.due_on <= last_day,
            )
        )
    return tuple(found)


async def _accounts(
    unit: Unit, borrower_id: UUID, now: datetime, margin: timedelta
) -> tuple[AccountLine, ...]:
    rows = (
        await unit.conn.execute(
            select(
                accounts,
                consents.c.state.label("consent_state"),
                consents.c.ends_at,
                income_profiles.c.reason,
                income_profiles.c.odds_basis_points,
            )
            .join(consents, consents.c.id == accounts.c.consent_id)
            # What it said counts only for the read that is planned.
            .outerjoin(
                income_profiles,
                and_(
                    income_profiles.c.account_id == accounts.c.id,
                    income_profiles.c.planned_at == accounts.c.next_read_at,
                ),
            )
            .where(accounts.c.borrower_id == borrower_id)
            .order_by(accounts.c.created_at, accounts.c.id)
        )
    ).all()
    tried = await unit.conn.execute(
        select(read_attempts.c.iban_hash, read_attempts.c.attempted_at).where(
            read_attempts.c.iban_hash.in_([row.iban_hash for row in rows]),
            ~read_attempts.c.attended,
            read_attempts.c.attempted_at > now - UNATTENDED_WINDOW - margin,
        )
    )
    attempts: dict[bytes, list[datetime]] = {}
    for one in tried:
        attempts.setdefault(bytes(one.iban_hash), []).append(one.attempted_at)
    return tuple(_account(row, attempts.get(bytes(row.iban_hash), []), now, margin) for row in rows)


def _account(
    row: Row[Any], attempts: list[datetime], now: datetime, margin: timedelta
) -> AccountLine:
    left = allowance(attempts, now, margin)
    return AccountLine(
        id=row.id,
        bank_id=row.bank_id,
        masked=row.iban_masked,
        currency=row.currency,
        consent_id=row.consent_id,
        consent_state=ConsentState(row.consent_state),
        consent_ends_at=row.ends_at,
        usable=row.usable,
        why_unusable=row.why_unusable,
        last_read_at=row.last_read_at,
        # The planner's mark for "not placed in the day yet" is no time for people.
        next_read_at=row.next_read_at if row.next_read_at and row.next_read_at > now else None,
        next_read_reason=row.reason or "",
        next_read_odds=(row.odds_basis_points or 0) / 10_000,
        reads_left=left.left,
        read_free_at=left.next_free_at,
    )


async def _links(unit: Unit, borrower_id: UUID) -> tuple[Row[Any], ...]:
    return await _recent(
        unit,
        select(
            payment_links.c.id,
            payment_links.c.state,
            payment_links.c.token_hash,
            payment_links.c.created_at,
            payment_links.c.expires_at,
        )
        .where(payment_links.c.borrower_id == borrower_id)
        .order_by(payment_links.c.created_at.desc(), payment_links.c.id.desc()),
    )


async def _messages(unit: Unit, borrower_id: UUID, case_id: UUID) -> tuple[Row[Any], ...]:
    return await _recent(
        unit,
        select(
            messages.c.id,
            messages.c.state,
            messages.c.created_at,
            messages.c.sent_at,
            messages.c.next_look_at,
            messages.c.cancel_reason,
            messages.c.error_code,
        )
        .where(messages.c.borrower_id == borrower_id, literal(case_id) == any_(messages.c.case_ids))
        .order_by(messages.c.created_at.desc(), messages.c.id.desc()),
    )


async def _payments(unit: Unit, case_id: UUID) -> tuple[Row[Any], ...]:
    return await _recent(
        unit,
        select(
            payments.c.id,
            payments.c.state,
            payments.c.currency,
            payment_cases.c.amount_minor,
            payments.c.created_at,
            payments.c.settled_at,
            payments.c.end_to_end_ref,
        )
        .join(payment_cases, payment_cases.c.payment_id == payments.c.id)
        .where(payment_cases.c.case_id == case_id)
        .order_by(payments.c.created_at.desc(), payments.c.id.desc()),
    )


async def _recent(unit: Unit, query: Any) -> tuple[Row[Any], ...]:
    return tuple((await unit.conn.execute(query.limit(_RECENT))).all())


async def _signal(unit: Unit, borrower_id: UUID) -> SeenMoney | None:
    row = (
        await unit.conn.execute(
            select(funds_signals.c.covers, funds_signals.c.raised_at)
            .where(funds_signals.c.borrower_id == borrower_id, funds_signals.c.ended_at.is_(None))
            .order_by(funds_signals.c.raised_at.desc())
            .limit(1)
        )
    ).one_or_none()
    return None if row is None else SeenMoney(row.covers, row.raised_at)


async def _others(unit: Unit, borrower_id: UUID, case_id: UUID) -> tuple[UUID, ...]:
    rows = await unit.conn.execute(
        select(cases.c.id)
        .where(
            cases.c.borrower_id == borrower_id,
            cases.c.id != case_id,
            cases.c.state != CaseState.CLOSED.value,
        )
        .order_by(cases.c.opened_at)
        .limit(10)
    )
    return tuple(row.id for row in rows)
