"""Ask a borrower for consent on behalf of a lender: a link that only he gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import insert, select

from app.domain.consent import Purpose, meant
from app.domain.errors import Invalid
from app.domain.ids import LenderId
from app.flows.consents.owed_look import port_to_look
from app.flows.house import House
from app.settings import is_loopback
from app.store import timeline
from app.store.borrowers import find_borrower
from app.store.consents import REQUEST_HASH
from app.store.keys import new_id, new_token
from app.store.tables import borrowers, consent_requests, lenders
from app.store.timeline import Kind, Line
from app.store.unit import Unit

DEFAULT_WINDOW_DAYS: Final = 90
# Strong authentication lasts 180 days (Delegated Regulation (EU) 2022/2360, art. 10a).
LONGEST_WINDOW_DAYS: Final = 180
LANGUAGES: Final = ("en", "es", "pl")


@dataclass(frozen=True, slots=True)
class ConsentRequested:
    """The link is shown this once; Saldo keeps only a hash of its token."""

    id: UUID
    link: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"ConsentRequested({self.id})"


async def request_consent(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    borrower_ref: str,
    purposes: Sequence[Purpose],
    window_days: int = DEFAULT_WINDOW_DAYS,
    language: str | None = None,
    return_url: str = "",
) -> ConsentRequested:
    """Make a request and its link. A second request for the same person is a renewal.

    `window_days` counts calendar days from the day he authorises. Raises `Invalid` naming the
    field, and `NotFound` for an unknown borrower. Bills are asked for beside the scheduled reads
    alone, and only by a lender whose setting `reads_bills` says so.
    """
    asked = tuple(dict.fromkeys(purposes))
    if not asked:
        raise Invalid("purposes", "must name at least one purpose.")
    if not meant(asked).issuperset(asked):
        raise Invalid(
            "purposes",
            "names bills without repayment_monitoring, which they serve.",
            mend="Name both, or leave bills out.",
        )
    if not 1 <= window_days <= LONGEST_WINDOW_DAYS:
        raise Invalid("window_days", f"must be from 1 to {LONGEST_WINDOW_DAYS}.")
    if language is not None and language not in LANGUAGES:
        raise Invalid("language", "is not one of the pages' languages.", mend="en, es or pl.")
    _check_return_url(return_url, demo=house.settings.demo)
    house = await house.of(lender_id)
    made = ConsentRequested(
        new_id(),
        f"{house.settings.public_url}/c/{(token := new_token())}",
        now + timedelta(days=house.settings.consent_link_days),
    )
    async with house.store.unit(lender_id) as unit:
        borrower_id = await find_borrower(unit, borrower_ref)
        if Purpose.BILLS in asked:
            await _check_bills(unit, house, lender_id)
        spoken = await unit.conn.scalar(
            select(borrowers.c.language).where(borrowers.c.id == borrower_id)
        )
        await unit.conn.execute(
            insert(consent_requests).values(
                id=made.id,
                lender_id=lender_id,
                borrower_id=borrower_id,
                purposes=[purpose.value for purpose in asked],
                window_days=window_days,
                language=language or spoken,
                return_url=return_url,
                token_hash=unit.vault.digest(REQUEST_HASH, token),
                created_at=now,
                expires_at=made.expires_at,
            )
        )
        details = {"request_id": str(made.id), "purposes": list(asked), "days": window_days}
        await timeline.write(
            unit, now, [Line(borrower_id, Kind.CONSENT_REQUESTED, "lender", details)]
        )
    return made


async def _check_bills(unit: Unit, house: House, lender_id: LenderId) -> None:
    """Nobody is asked for what would not be looked at."""
    wanted = select(lenders.c.reads_bills).where(lenders.c.id == lender_id)
    if not await unit.conn.scalar(wanted):
        raise Invalid("purposes", "names bills, which you do not read.", mend="Set reads_bills.")
    if port_to_look(house, house.aggregation_name) is None:
        raise Invalid(
            "purposes",
            "names bills, which your provider of balances cannot show.",
            mend="Leave bills out.",
        )


def _check_return_url(url: str, *, demo: bool) -> None:
    """Where the last page leads: https, or this very machine in a demo. Empty: nowhere."""
    if not url:
        return
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - a port that is no number shows only when asked for
    except ValueError:
        raise Invalid("return_url", "cannot be read.", mend="Send an https address.") from None
    local = demo and parts.scheme == "http" and is_loopback(parts.hostname or "")
    if not parts.hostname or not (parts.scheme == "https" or local):
        raise Invalid("return_url", "must be an https address.")
