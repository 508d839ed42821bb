"""Many people at once, each with a consent at a bank of the sandbox, in a handful of statements.

The way through consent page and bank is walked elsewhere; here only its outcome is wanted, for
more people than could walk it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import insert

from app.domain.consent import Purpose
from app.domain.ids import derive_key
from app.store.keys import new_id
from app.store.tables import (
    accounts,
    borrowers,
    cases,
    consent_requests,
    consents,
    instalments,
    loans,
)
from sandbox.banks import BY_ID
from tests.neighbourhood import Neighbourhood

Rows = dict[Any, list[dict[str, Any]]]


async def crowd(hood: Neighbourhood, bank_id: str, size: int) -> None:
    """So many people with an overdue loan and a monitored account at this bank, nearly empty."""
    rows: Rows = {
        table: []
        for table in (borrowers, consent_requests, consents, accounts, loans, cases, instalments)
    }
    async with hood.store.engine_unit() as unit:
        await unit.keys((hood.lender_id,))
        with hood.world.store.together():
            for number in range(size):
                token, ref, iban = _at_the_bank(hood, bank_id)
                _ours(hood, rows, unit, f"{bank_id}-{number}", bank_id, token, ref, iban)
        for table, values in rows.items():
            await unit.conn.execute(insert(table), values)


def _at_the_bank(hood: Neighbourhood, bank_id: str) -> tuple[str, str, str]:
    """(id of his consent, id of the account in it, its IBAN)."""
    bank, world = BY_ID[bank_id], hood.world
    person = world.add_person(bank_id=bank_id, opening_minor=500)
    iban = person.accounts[0].iban
    consent = world.consents.create(
        bank,
        recurring=True,
        frequency=4,
        valid_until=(hood.now + timedelta(days=80)).date(),
        redirect_url="https://saldo.example/",
        refused_url="https://saldo.example/",
        asked_ibans=(),
        balances=True,
        request_key=person.id,
        now=hood.now,
    )
    assert world.consents.approve(consent, person, [iban], hood.now)
    return consent.id, next(iter(consent.resources)), iban


def _ours(
    hood: Neighbourhood,
    rows: Rows,
    unit: Any,
    name: str,
    bank_id: str,
    token: str,
    ref: str,
    iban: str,
) -> None:
    now, lender = hood.now, {"lender_id": hood.lender_id}
    borrower, request, consent, account, loan, case = (new_id() for _ in range(6))
    his = {**lender, "borrower_id": borrower}
    monitoring = [Purpose.REPAYMENT_MONITORING.value]
    sealed_name = unit.seal("borrowers.name_enc", borrower, name, hood.lender_id)
    rows[borrowers].append(
        {
            "id": borrower, "external_ref": name, "name_enc": sealed_name, "language": "es",
            "country": "ES", "created_at": now, "updated_at": now, **lender,
        }
    )  # fmt: skip
    rows[consent_requests].append(
        {
            "id": request, "language": "es", "token_hash": request.bytes, "state": "completed",
            "purposes": monitoring, "created_at": now, "expires_at": now, **his,
        }
    )  # fmt: skip
    rows[consents].append(
        {
            "id": consent, "request_id": request, "connector": "berlin_group", "bank_id": bank_id,
            "state": "active", "purposes": monitoring, "return_hash": consent.bytes,
            "token_enc": unit.seal("consents.token_enc", consent, token, hood.lender_id),
            "asked_until": (now + timedelta(days=80)).date(), "created_at": now,
            "ends_at": now + timedelta(days=80), "activated_at": now,
            # A few are looked at today, as on any day.
            "next_check_at": now + timedelta(hours=2 if borrower.int % 20 == 0 else 40), **his,
        }
    )  # fmt: skip
    rows[accounts].append(
        {
            "id": account, "consent_id": consent, "connector": "berlin_group", "bank_id": bank_id,
            "iban_hash": derive_key(account, iban).bytes, "currency": "EUR", "created_at": now,
            "ref_enc": unit.seal("accounts.ref_enc", account, ref, hood.lender_id),
            "next_read_at": now - timedelta(days=30), **his,
        }
    )  # fmt: skip
    rows[loans].append(
        {
            "id": loan, "external_ref": name, "product": "Loan", "currency": "EUR",
            "owed_as_of": now, "created_at": now, "case_id": case,
            "next_due_on": (now - timedelta(days=5)).date(), **his,
        }
    )  # fmt: skip
    rows[cases].append({"id": case, "loan_id": loan, "state": "open", "opened_at": now, **his})
    rows[instalments].append(
        {
            "id": new_id(), "loan_id": loan, "number": 1, "amount_minor": 90_000,
            "due_on": (now - timedelta(days=5)).date(), **lender,
        }
    )  # fmt: skip
