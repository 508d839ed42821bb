"""Is this the person the link was sent to? Birth date, or the last four of a document.

Five tries for each link and for each person, then a collector takes over. Wrong answers reveal
nothing: not which part was wrong, not whether anything is owed. The comparison takes the same
time whatever differs.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Row, select, update

from app.domain.errors import Invalid, NotAllowed
from app.domain.task import TaskReason
from app.flows.actors import BORROWER
from app.flows.house import House
from app.flows.work.open_task import open_task
from app.store import timeline
from app.store.borrowers import birth_date_hash, document_hash, document_tail
from app.store.links import FoundLink, begin_session, find_link, load_link, works
from app.store.locks import lock_borrower
from app.store.tables import borrowers, payment_links, payments
from app.store.timeline import Kind, Line
from app.store.unit import Unit
from app.store.vault import Vault

TRIES: Final = 5

# Compared with when the lender never gave the value, so that the time taken is the same.
_NOTHING: Final = bytes(32)


class Outcome(StrEnum):
    """locked: no more tries on this link or for this person, even with the right answer."""

    PASSED = "passed"
    WRONG = "wrong"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class Checked:
    """`session` goes into the browser's cookie when passed; it is good for half an hour."""

    outcome: Outcome
    session: str = ""

    def __repr__(self) -> str:
        return f"Checked({self.outcome})"


async def check_person(
    house: House,
    now: datetime,
    token: str,
    *,
    birth_date: date | None = None,
    document_last4: str | None = None,
) -> Checked:
    """Count the try, compare, and open a session for this browser if it is right.

    Raises `NotFound` for an unknown link, `NotAllowed` for one that is over, `Invalid` for an
    answer that is missing or has no right form (which counts as no try).
    """
    last4 = document_tail(document_last4) if document_last4 and document_last4.strip() else None
    if birth_date is None and last4 is None:
        raise Invalid(
            "birth_date", "or the last four of a document is needed.", mend="Give one of them."
        )
    found = await find_link(house.store, token)
    async with house.store.unit(found.lender_id) as unit:
        person = await lock_borrower(unit, found.borrower_id)
        link = await load_link(unit, found.link_id)
        if not await _may_be_checked(unit, link, now):
            raise NotAllowed("This link is over.", code="LinkOver")
        if link.checks_failed >= TRIES or person.checks_locked_at is not None:
            return Checked(Outcome.LOCKED)
        if _right(unit.vault, person, birth_date, last4):
            return await _passed(unit, house, now, found)
        return await _wrong(unit, now, person, link)


async def _may_be_checked(unit: Unit, link: Row[Any], now: datetime) -> bool:
    """A link that works; or one through which a payment was made, to see what became of it."""
    if works(link, now):
        return True
    paid = await unit.conn.scalar(
        select(payments.c.id).where(payments.c.link_id == link.id).limit(1)
    )
    return paid is not None


def _right(vault: Vault, person: Row[Any], born: date | None, last4: str | None) -> bool:
    """True when every answer given is right. Always two comparisons, in constant time."""
    birth = birth_date_hash(vault, person.id, born or date.min)
    document = document_hash(vault, person.id, last4 or "0000")
    birth_fits = hmac.compare_digest(birth, person.birth_date_hash or _NOTHING)
    document_fits = hmac.compare_digest(document, person.document_hash or _NOTHING)
    return (birth_fits or born is None) and (document_fits or last4 is None)


async def _passed(unit: Unit, house: House, now: datetime, found: FoundLink) -> Checked:
    await unit.conn.execute(
        update(borrowers).where(borrowers.c.id == found.borrower_id).values(checks_failed=0)
    )
    session = await begin_session(unit, house.real_now(), found.link_id)
    details = {"link_id": str(found.link_id)}
    await timeline.write(unit, now, [Line(found.borrower_id, Kind.CHECK_PASSED, BORROWER, details)])
    return Checked(Outcome.PASSED, session)


async def _wrong(unit: Unit, now: datetime, person: Row[Any], link: Row[Any]) -> Checked:
    on_link, on_person = link.checks_failed + 1, person.checks_failed + 1
    locked = max(on_link, on_person) >= TRIES
    await unit.conn.execute(
        update(payment_links).where(payment_links.c.id == link.id).values(checks_failed=on_link)
    )
    await unit.conn.execute(
        update(borrowers)
        .where(borrowers.c.id == person.id)
        .values(checks_failed=on_person, checks_locked_at=now if locked else None)
    )
    details = {"link_id": str(link.id), "tries": on_link, "locked": locked}
    await timeline.write(unit, now, [Line(person.id, Kind.CHECK_FAILED, BORROWER, details)])
    if not locked:
        return Checked(Outcome.WRONG)
    await open_task(
        unit,
        now,
        borrower_id=person.id,
        reason=TaskReason.IDENTITY_CHECK_FAILED,
        cause=link.id,
        situation={"link_id": str(link.id), "tries": TRIES},
    )
    return Checked(Outcome.LOCKED)
