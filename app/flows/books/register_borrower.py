"""Take a borrower over from the lender's system, or what has changed about him."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from app.domain.contact_detail import Detail
from app.domain.errors import Invalid
from app.domain.ids import BorrowerId, LenderId, Phone
from app.domain.open_hours import zone_of
from app.domain.task import TaskState
from app.flows.books.heed_statement import heed_statement
from app.flows.house import House
from app.store.borrowers import birth_date_hash, document_hash, email_hash, phone_hash
from app.store.keys import new_id
from app.store.tables import borrowers, tasks
from app.store.unit import Unit

LANGUAGES: Final = ("en", "es", "pl")
LONGEST_REF: Final = 128

_COUNTRY = re.compile(r"[A-Z]{2}\Z", re.ASCII)
_OLDEST = 120


@dataclass(frozen=True, slots=True)
class BorrowerWanted:
    """What the lender says about a person. What is None stays as it was.

    `birth_date` and `document_last4` (the last four characters of an identity document) are kept
    as keyed hashes only, to check who asks. `time_zone` is an IANA name; without one, the zones
    of his number and country count. `country` is ISO 3166 alpha-2, `region` ISO 3166-2 without it.
    """

    external_ref: str
    name: str
    country: str
    language: str
    phone: Phone | None = None
    email: str | None = None
    has_app: bool | None = None
    birth_date: date | None = None
    document_last4: str | None = None
    region: str | None = None
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class BorrowerRegistered:
    """`created` is False when the lender had registered him before."""

    id: BorrowerId
    created: bool


async def register_borrower(
    house: House, now: datetime, lender_id: LenderId, wanted: BorrowerWanted
) -> BorrowerRegistered:
    """Create or update the borrower whom the lender calls `external_ref`.

    Raises `Invalid` naming the field. Sending the same again changes nothing. A number that a
    collector found to be somebody else's is not taken back, and neither is one that the desk put a
    newer one in the place of; any other number or address is taken at once.
    """
    check_borrower(wanted, now)
    async with house.store.unit(lender_id) as unit:
        return await put_borrower(unit, now, wanted)


async def put_borrower(
    unit: Unit, now: datetime, wanted: BorrowerWanted, *, update_known: bool = True
) -> BorrowerRegistered:
    """The same inside the caller's unit, for a record that `check_borrower` has passed.

    With `update_known=False` a borrower who is there already stays as he is.
    """
    made = await unit.conn.scalar(
        insert(borrowers)
        .values(_row(unit, new_id(), wanted, now))
        .on_conflict_do_nothing(index_elements=["lender_id", "external_ref"])
        .returning(borrowers.c.id)
    )
    if made is not None:
        return BorrowerRegistered(BorrowerId(made), created=True)
    known = (
        await unit.conn.execute(
            select(borrowers)
            .where(
                borrowers.c.lender_id == unit.lender_id,
                borrowers.c.external_ref == wanted.external_ref,
            )
            .with_for_update(key_share=True)
        )
    ).one()
    if not update_known:
        return BorrowerRegistered(BorrowerId(known.id), created=False)
    changes = _row(unit, known.id, wanted, now)
    for fixed in ("id", "lender_id", "external_ref", "created_at"):
        del changes[fixed]
    stated: dict[Detail, str] = {}
    if wanted.phone is not None:
        stated[Detail.PHONE] = wanted.phone.reveal()
    if wanted.email is not None:
        stated[Detail.EMAIL] = wanted.email
    await heed_statement(unit, now, known, changes, stated)
    await unit.conn.execute(update(borrowers).where(borrowers.c.id == known.id).values(changes))
    if wanted.language != known.language:
        await _speak_to_him_in(unit, known.id, wanted.language)
    return BorrowerRegistered(BorrowerId(known.id), created=False)


async def _speak_to_him_in(unit: Unit, borrower_id: UUID, language: str) -> None:
    """What waits for a person needs one who speaks his language as it is known now."""
    waiting = tasks.c.state.in_((TaskState.OPEN.value, TaskState.TAKEN.value))
    await unit.conn.execute(
        update(tasks)
        .where(tasks.c.borrower_id == borrower_id, waiting)
        .values(about_language=language)
    )


def _row(unit: Unit, borrower_id: UUID, wanted: BorrowerWanted, now: datetime) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": borrower_id,
        "lender_id": unit.lender_id,
        "external_ref": wanted.external_ref,
        "name_enc": unit.seal("borrowers.name_enc", borrower_id, wanted.name.strip()),
        "language": wanted.language,
        "country": wanted.country,
        "created_at": now,
        "updated_at": now,
    }
    if wanted.phone is not None:
        row["phone_enc"] = unit.seal("borrowers.phone_enc", borrower_id, wanted.phone.reveal())
        row["phone_hash"] = phone_hash(unit.vault, wanted.phone)
    if wanted.email is not None:
        row["email_enc"] = unit.seal("borrowers.email_enc", borrower_id, wanted.email)
        row["email_hash"] = email_hash(unit.vault, wanted.email)
    if wanted.has_app is not None:
        row["has_app"] = wanted.has_app
    if wanted.birth_date is not None:
        row["birth_date_hash"] = birth_date_hash(unit.vault, borrower_id, wanted.birth_date)
    if wanted.document_last4 is not None:
        row["document_hash"] = document_hash(unit.vault, borrower_id, wanted.document_last4)
    if wanted.region is not None:
        row["region"] = wanted.region
    if wanted.time_zone is not None:
        row["time_zone"] = wanted.time_zone
    return row


def check_borrower(wanted: BorrowerWanted, now: datetime) -> None:
    """Raises `Invalid` naming the field."""
    check_ref(wanted.external_ref)
    if not 1 <= len(wanted.name.strip()) <= 140 or not wanted.name.isprintable():
        raise Invalid("name", "has 1 to 140 printable characters.")
    if not _COUNTRY.match(wanted.country):
        raise Invalid("country", "is not a country code.", mend='Use ISO 3166, such as "ES".')
    if wanted.language not in LANGUAGES:
        raise Invalid("language", "is not one of Saldo's.", mend=f"Use {', '.join(LANGUAGES)}.")
    if wanted.region is not None and len(wanted.region) > 10:
        raise Invalid("region", "is not a region code.", mend='Use ISO 3166-2, such as "MD".')
    if wanted.time_zone is not None:
        zone_of(wanted.time_zone)
    born = wanted.birth_date
    if born is not None and not now.year - _OLDEST <= born.year <= now.year:
        raise Invalid("birth_date", "is not a living person's.", mend="Check the year.")


def check_ref(external_ref: str, field: str = "external_ref") -> None:
    """The lender's own name for something: printable, one line, not empty. Raises `Invalid`."""
    if not 1 <= len(external_ref) <= LONGEST_REF or not external_ref.isprintable():
        raise Invalid(field, f"has 1 to {LONGEST_REF} printable characters.")
