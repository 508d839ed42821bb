"""What a lender's book holds already of all that a file speaks about."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import select

from app.flows.books.check_book import Known, KnownLoan
from app.store.arrays import among
from app.store.tables import borrowers, contacts, loans, repayments
from app.store.unit import Unit

_CHUNK: Final = 10_000


async def known_of(unit: Unit, people: Collection[str], debts: Collection[str]) -> Known:
    """Look up the borrowers and loans of the unit's lender that go by these references."""
    found_people: set[str] = set()
    found_loans: dict[str, KnownLoan] = {}
    paid: set[tuple[str, str]] = set()
    made: set[tuple[str, str, datetime]] = set()
    mine = borrowers.c.lender_id == unit.lender_id
    for some in _chunks(people):
        rows = await unit.conn.execute(
            select(borrowers.c.external_ref).where(mine, among(borrowers.c.external_ref, some))
        )
        found_people.update(row.external_ref for row in rows)
        rows = await unit.conn.execute(
            select(borrowers.c.external_ref, contacts.c.channel, contacts.c.made_at)
            .join(contacts, contacts.c.borrower_id == borrowers.c.id)
            .where(mine, among(borrowers.c.external_ref, some))
        )
        made.update((row.external_ref, row.channel, row.made_at) for row in rows)
    for some in _chunks(debts):
        of_these = (loans.c.lender_id == unit.lender_id, among(loans.c.external_ref, some))
        rows = await unit.conn.execute(
            select(loans.c.external_ref, borrowers.c.external_ref.label("whose"), loans.c.currency)
            .join(borrowers, borrowers.c.id == loans.c.borrower_id)
            .where(*of_these)
        )
        found_loans.update({row.external_ref: KnownLoan(row.whose, row.currency) for row in rows})
        rows = await unit.conn.execute(
            select(loans.c.external_ref, repayments.c.external_ref.label("paid"))
            .join(repayments, repayments.c.loan_id == loans.c.id)
            .where(*of_these)
        )
        paid.update((row.external_ref, row.paid) for row in rows)
    return Known(frozenset(found_people), found_loans, frozenset(paid), frozenset(made))


def _chunks(refs: Collection[str]) -> Iterator[Sequence[str]]:
    listed = sorted(refs)
    for start in range(0, len(listed), _CHUNK):
        yield listed[start : start + _CHUNK]
