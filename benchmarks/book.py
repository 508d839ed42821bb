"""Books of any size, made by the database itself, for measuring what a tick or a read costs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import bindparam, update

from app.store.tables import accounts as account_rows
from app.store.tables import consents as consent_rows
from app.store.unit import Store
from app.store.vault import Vault

# Rows are numbered; ids are made from their numbers so that tables fit together without joins.
_ID = "('0198{kind:04x}-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"
KINDS = {"lender": 1, "borrower": 2, "request": 3, "consent": 4, "account": 5, "loan": 6, "case": 7}


def row_id(kind: str, number: int) -> UUID:
    """The id that the n-th row of a kind gets."""
    return UUID(f"0198{KINDS[kind]:04x}-0000-7000-8000-{number:012x}")


def _id(kind: str, number: str = "n") -> str:
    return _ID.format(kind=KINDS[kind]).replace("(n)", f"({number})")


def build(
    superuser_url: str,
    *,
    accounts: int,
    lenders: int,
    due: int,
    now: datetime,
    bank_id: str,
    spread: timedelta = timedelta(hours=24),
) -> None:
    """Fill a migrated, empty database: one borrower, consent, loan, case and account a row.

    The first `due` accounts are due a minute ago; all others within `spread` from an hour ahead.
    Ciphertexts are placeholders; `seal_tokens` makes real ones for those that will be read.
    """
    values: dict[str, Any] = {
        "accounts": accounts,
        "lenders": lenders,
        "due": due,
        "now": now,
        "bank": bank_id,
        "spread": spread,
    }
    lender = _id("lender", "1 + n %% %(lenders)s::int")
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        # Foreign keys hold by construction; checking a million of them is not what we measure.
        connection.execute("SET session_replication_role = replica")
        for statement in (*_PEOPLE, *_WORK):
            text = statement.format(lender=lender, **{f"{kind}_id": _id(kind) for kind in KINDS})
            connection.execute(text.encode(), values)
        connection.execute("SET session_replication_role = origin")
        connection.execute("ANALYZE")


_PEOPLE = (
    """INSERT INTO lenders (id, slug, name, jurisdiction, time_zone, creditor_name, observe_only,
           created_at)
       SELECT {lender_id}, 'lender-' || n, 'Lender ' || n, 'ES', 'Europe/Madrid', 'Lender', false,
           %(now)s FROM generate_series(1, %(lenders)s) n""",
    """INSERT INTO borrowers (id, lender_id, external_ref, name_enc, language, country,
           created_at, updated_at)
       SELECT {borrower_id}, {lender}, 'B-' || n, '\\x00', 'es', 'ES', %(now)s, %(now)s
       FROM generate_series(1, %(accounts)s) n""",
    """INSERT INTO consent_requests (id, lender_id, borrower_id, language, token_hash, state,
           created_at, expires_at)
       SELECT {request_id}, {lender}, {borrower_id}, 'es', int8send(n), 'completed', %(now)s,
           %(now)s FROM generate_series(1, %(accounts)s) n""",
    """INSERT INTO consents (id, lender_id, borrower_id, request_id, connector, bank_id, state,
           purposes, token_enc, return_hash, asked_until, ends_at, created_at)
       SELECT {consent_id}, {lender}, {borrower_id}, {request_id}, 'berlin_group', %(bank)s,
           'active', '{{repayment_monitoring}}', '\\x00', int8send(n), '2027-01-01',
           '2027-01-01', %(now)s FROM generate_series(1, %(accounts)s) n""",
)
_WORK = (
    """INSERT INTO accounts (id, lender_id, borrower_id, consent_id, connector, bank_id, iban_hash,
           currency, ref_enc, created_at, next_read_at)
       SELECT {account_id}, {lender}, {borrower_id}, {consent_id}, 'berlin_group', %(bank)s,
           sha256(int8send(n)), 'EUR', '\\x00', %(now)s,
           CASE WHEN n <= %(due)s THEN %(now)s::timestamptz - interval '1 minute'
               ELSE %(now)s::timestamptz + interval '1 hour'
                   + %(spread)s * (hashint8(n)::float8 / 4294967296.0 + 0.5) END
       FROM generate_series(1, %(accounts)s) n""",
    """INSERT INTO loans (id, lender_id, borrower_id, external_ref, product, currency, owed_as_of,
           created_at, next_due_on, case_id)
       SELECT {loan_id}, {lender}, {borrower_id}, 'L-' || n, 'micro', 'EUR', %(now)s, %(now)s,
           (%(now)s::timestamptz - interval '5 days')::date, {case_id}
       FROM generate_series(1, %(accounts)s) n""",
    """INSERT INTO instalments (id, lender_id, loan_id, number, due_on, amount_minor)
       SELECT {loan_id}, {lender}, {loan_id}, 1,
           (%(now)s::timestamptz - interval '5 days')::date, 150000
       FROM generate_series(1, %(accounts)s) n""",
    """INSERT INTO cases (id, lender_id, loan_id, borrower_id, state, opened_at)
       SELECT {case_id}, {lender}, {loan_id}, {borrower_id}, 'open', %(now)s
       FROM generate_series(1, %(accounts)s) n""",
)


async def seal_tokens(
    store: Store, vault: Vault, *, accounts: int, lenders: int, now: datetime
) -> None:
    """Give each lender a data key, and each account and consent a real encrypted token."""
    async with store.engine_unit() as unit:
        for number in range(1, lenders + 1):
            await vault.make_key(unit.conn, row_id("lender", number), now)
        for table, kind, column in (
            (account_rows, "account", "ref_enc"),
            (consent_rows, "consent", "token_enc"),
        ):
            sealed = [
                {
                    "row": row_id(kind, n),
                    "value": vault.seal(
                        row_id("lender", 1 + n % lenders),
                        f"{table.name}.{column}",
                        row_id(kind, n),
                        f"{kind}-{n:08d}-f6c0-4a31",
                    ),
                }
                for n in range(1, accounts + 1)
            ]
            await unit.conn.execute(
                update(table)
                .where(table.c.id == bindparam("row"))
                .values({column: bindparam("value")}),
                sealed,
            )
