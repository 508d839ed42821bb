"""The one read for scoring: the borrower is there, the lender gets the figure once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, insert, update

from app.domain.balance import Spendable
from app.domain.consent import ConsentState, Purpose
from app.domain.errors import ProviderError
from app.domain.ids import LenderId, Secret
from app.flows.actors import BANK
from app.flows.consents.link_accounts import known_account
from app.flows.house import House
from app.flows.providers.bank_book import bank_book
from app.flows.reads.judge_reading import spendable_at
from app.ports import FoundAccount, Grant, Presence
from app.store import timeline
from app.store.consents import load_consent, token_of
from app.store.keys import new_id
from app.store.reading_rows import READ
from app.store.tables import consents, read_attempts, readings
from app.store.timeline import Kind, Line
from app.store.unit import Unit

log = structlog.get_logger("consent")


async def read_for_scoring(
    house: House,
    now: datetime,
    lender_id: LenderId,
    consent_id: UUID,
    found: Sequence[FoundAccount],
    presence: Presence,
) -> bool:
    """Read the first usable account once, if this consent is for scoring and was not read yet.

    `found` are the consent's accounts as the bank has just listed them, with its references.

    The borrower's own request in his own session: an attended read, outside the allowance (RTS
    (EU) 2018/389 art. 36(5)(a)), with his presence stated to the bank. Where that cannot be
    stated it counts, and is written down, as an unattended one. The attempt is written before the
    call, and there is no second one: what fails here stays failed. Returns whether a figure was
    stored.
    """
    begun = await _begin(house, now, lender_id, consent_id, found)
    if begun is None:
        return False
    account, attempt_id, grant, ref = begun
    try:
        answer = await house.aggregation(account.connector).balances(grant, ref, presence)
    except ProviderError as error:
        await _failed(house, lender_id, consent_id, attempt_id, type(error).__name__)
        return False
    bank = bank_book(house).of(account.connector, account.bank_id)
    spendable = spendable_at(answer, answer.currency or account.currency, bank, now)
    await _record(house, now, lender_id, consent_id, account, attempt_id, spendable)
    return spendable.amount is not None


async def _begin(
    house: House,
    now: datetime,
    lender_id: LenderId,
    consent_id: UUID,
    found: Sequence[FoundAccount],
) -> tuple[Row[Any], UUID, Grant, Secret] | None:
    chosen = next((one for one in found if one.usable), None)
    async with house.store.unit(lender_id) as unit:
        consent = await load_consent(unit, consent_id, lock=True)
        if consent.state != ConsentState.ACTIVE.value or consent.scoring != "due":
            return None
        token = token_of(unit, consent)
        account = None if chosen is None else await known_account(unit, consent, chosen)
        if token is None or account is None or chosen is None:
            await _mark(unit, consent_id, "failed")
            return None
        attempt_id = new_id()
        bank = bank_book(house).of(account.connector, account.bank_id)
        await unit.conn.execute(
            insert(read_attempts).values(
                id=attempt_id,
                lender_id=lender_id,
                account_id=account.id,
                consent_id=consent_id,
                iban_hash=account.iban_hash,
                attended=not bank.attended_reads_count,
                purpose=Purpose.SCORING.value,
                attempted_at=now,
            )
        )
        await _mark(unit, consent_id, "reading")
        return account, attempt_id, Grant(consent.bank_id, token), chosen.ref


async def _record(
    house: House,
    now: datetime,
    lender_id: LenderId,
    consent_id: UUID,
    account: Row[Any],
    attempt_id: UUID,
    spendable: Spendable,
) -> None:
    amount = spendable.amount
    async with house.store.unit(lender_id) as unit:
        consent = await load_consent(unit, consent_id, lock=True)
        if consent.state != ConsentState.ACTIVE.value:
            # Withdrawn while the bank answered: the figure is not written down at all.
            await _close_attempt(unit, attempt_id, "dropped")
            return
        figure = None
        if amount is not None:
            text = f"{amount.minor} {amount.currency}"
            figure = unit.seal("readings.figure_enc", attempt_id, text)
        await unit.conn.execute(
            insert(readings).values(
                id=attempt_id,
                lender_id=lender_id,
                account_id=account.id,
                purpose=Purpose.SCORING.value,
                read_at=now,
                as_of=spendable.as_of,
                kind=spendable.kind or "",
                figure_enc=figure,
                credit_excluded=spendable.credit_excluded,
                verdict="scoring" if figure else (spendable.unusable or "unusable"),
                erase_at=now + timedelta(days=house.settings.reading_expiry_days),
            )
        )
        await _close_attempt(unit, attempt_id, READ)
        await _mark(unit, consent_id, "stored" if figure else "failed", attempt_id)
        details = {"consent_id": str(consent_id), "reading_id": str(attempt_id)}
        line = Line(consent.borrower_id, Kind.READING, BANK, {**details, "purpose": "scoring"})
        await timeline.write(unit, now, [line])


async def _failed(
    house: House, lender_id: LenderId, consent_id: UUID, attempt_id: UUID, error: str
) -> None:
    log.info("scoring_read_failed", consent_id=str(consent_id), error=error)
    async with house.store.unit(lender_id) as unit:
        await _close_attempt(unit, attempt_id, "failed", error)
        await _mark(unit, consent_id, "failed")


async def _close_attempt(unit: Unit, attempt_id: UUID, outcome: str, detail: str = "") -> None:
    await unit.conn.execute(
        update(read_attempts)
        .where(read_attempts.c.id == attempt_id)
        .values(outcome=outcome, detail=detail)
    )


async def _mark(unit: Unit, consent_id: UUID, scoring: str, reading_id: UUID | None = None) -> None:
    await unit.conn.execute(
        update(consents)
        .where(consents.c.id == consent_id)
        .values(scoring=scoring, scoring_reading_id=reading_id)
    )
