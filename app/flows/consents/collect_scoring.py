"""Hand the scoring figure to the lender, once. It is erased in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from app.domain.errors import Conflict, NotFound
from app.domain.ids import LenderId
from app.domain.money import Money
from app.flows.house import House
from app.store import timeline
from app.store.consents import last_consent, load_consent, load_request
from app.store.tables import consents, readings
from app.store.timeline import Kind, Line


@dataclass(frozen=True, slots=True)
class ScoringFigure:
    """What the bank stated while the borrower was there. `credit_excluded`: surely his own."""

    amount: Money
    kind: str
    read_at: datetime
    as_of: datetime | None
    credit_excluded: bool

    def __repr__(self) -> str:
        return "ScoringFigure(…)"


async def collect_scoring(
    house: House, now: datetime, *, lender_id: LenderId, request_id: UUID
) -> ScoringFigure:
    """The figure of a request's scoring read. Raises `NotFound` for an unknown request, and
    `Conflict` with a code that says why there is none: not granted, not read yet, failed,
    handed over already, or withdrawn.
    """
    async with house.store.unit(lender_id) as unit:
        request = await load_request(unit, request_id)
        newest = await last_consent(unit, request.id)
        if newest is None:
            raise Conflict("The borrower has not been at a bank yet.", code="ScoringNotReady")
        consent = await load_consent(unit, newest.id, lock=True)
        if consent.scoring != "stored":
            raise _why_not(consent.scoring)
        reading = (
            await unit.conn.execute(
                select(readings).where(readings.c.id == consent.scoring_reading_id)
            )
        ).one_or_none()
        if reading is None or reading.figure_enc is None:
            raise NotFound("The figure has been erased.")
        minor, currency = unit.open("readings.figure_enc", reading.id, reading.figure_enc).split()
        await unit.conn.execute(
            update(readings)
            .where(readings.c.id == reading.id)
            .values(figure_enc=None, erased_at=now)
        )
        await unit.conn.execute(
            update(consents).where(consents.c.id == consent.id).values(scoring="handed")
        )
        details = {"consent_id": str(consent.id), "count": 1, "why": "handed_to_lender"}
        line = Line(consent.borrower_id, Kind.FIGURES_ERASED, "lender", details)
        await timeline.write(unit, now, [line])
    return ScoringFigure(
        Money(int(minor), currency),
        reading.kind,
        reading.read_at,
        reading.as_of,
        reading.credit_excluded,
    )


def _why_not(scoring: str) -> Conflict:
    words = {
        "none": ("The borrower did not agree to a read for scoring.", "ScoringNotGranted"),
        "due": ("The account has not been read yet.", "ScoringNotReady"),
        "reading": ("The account is being read.", "ScoringNotReady"),
        "handed": ("The figure has been handed over already; it is erased.", "ScoringHanded"),
    }
    text, code = words.get(scoring, ("The read for scoring failed.", "ScoringFailed"))
    return Conflict(text, code=code)
