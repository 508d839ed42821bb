"""The texts of a lender for the desk: what is in force, what waits, and one text on a real case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.domain.case import CaseState
from app.domain.edition import EditionState
from app.domain.errors import NotFound
from app.domain.message import Channel
from app.domain.template import CHANNELS, LANGUAGES, Cause
from app.flows.house import House
from app.flows.messages.template_values import debt_values, promise_values, who_values
from app.reference.templates import TemplateBook
from app.store.dues import due_of_loan
from app.store.promises import open_promise_of
from app.store.tables import borrowers, cases, lenders, loans, templates
from app.store.unit import Unit

# Stands for the token: a page of the desk must not hand out a borrower's link. As long as a real
# one, so that the size of a text is that of the text which leaves.
NO_TOKEN = "x" * 22


@dataclass(frozen=True, slots=True)
class TextLine:
    """One text in one channel and language. `own` is the number of the lender's edition in force;
    None: the shipped one counts. `there` is False where nothing could be sent at all.
    """

    channel: Channel
    language: str
    there: bool
    own: int | None
    drafts: int
    proposed: bool


@dataclass(frozen=True, slots=True)
class TextGroup:
    """All texts of one name."""

    name: str
    cause: Cause | None
    purpose: str
    lines: tuple[TextLine, ...]

    @property
    def proposed(self) -> int:
        """How many wait for a second person."""
        return sum(line.proposed for line in self.lines)


@dataclass(frozen=True, slots=True)
class PreviewCase:
    """A real case to show a text on. `example_promise`: nothing is promised, so one was made up."""

    case_id: UUID
    borrower: str
    loan_ref: str
    language: str
    values: Mapping[str, str]
    example_promise: bool


async def text_groups(unit: Unit, book: TemplateBook) -> list[TextGroup]:
    """Every text there is, shipped or the lender's own, by name."""
    rows = await unit.conn.execute(
        select(
            templates.c.name,
            templates.c.channel,
            templates.c.language,
            templates.c.number,
            templates.c.state,
        )
    )
    own: dict[str, dict[tuple[str, str], list[Any]]] = {}
    for row in rows:
        own.setdefault(row.name, {}).setdefault((row.channel, row.language), []).append(row)
    return [_group(book, name, own.get(name, {})) for name in sorted({*book.shipped, *own})]


def _group(book: TemplateBook, name: str, own: Mapping[tuple[str, str], list[Any]]) -> TextGroup:
    shipped = book.shipped.get(name)
    languages = [*LANGUAGES, *sorted({language for _, language in own} - set(LANGUAGES))]
    lines = []
    for channel in CHANNELS:
        for language in languages:
            editions = own.get((channel.value, language), [])
            found = book.find(name, channel, language)
            if found is None and not editions and language not in LANGUAGES:
                continue
            in_force = [row.number for row in editions if row.state == EditionState.PUBLISHED.value]
            lines.append(
                TextLine(
                    channel=channel,
                    language=language,
                    there=bool(in_force) or found is not None,
                    own=in_force[0] if in_force else None,
                    drafts=sum(row.state == EditionState.DRAFT.value for row in editions),
                    proposed=any(row.state == EditionState.PROPOSED.value for row in editions),
                )
            )
    return TextGroup(
        name=name,
        cause=None if shipped is None else shipped.cause,
        purpose="" if shipped is None else shipped.purpose,
        lines=tuple(lines),
    )


async def some_cases(unit: Unit, *, most: int = 12) -> list[tuple[UUID, str]]:
    """Open cases to choose from for a preview: (id, the lender's number of the loan)."""
    rows = await unit.conn.execute(
        select(cases.c.id, loans.c.external_ref)
        .join(loans, loans.c.id == cases.c.loan_id)
        .where(cases.c.state != CaseState.CLOSED.value)
        .order_by(cases.c.opened_at.desc(), cases.c.id)
        .limit(most)
    )
    return [(row.id, row.external_ref) for row in rows]


async def preview_case(
    unit: Unit, house: House, now: datetime, case_id: UUID, language: str
) -> PreviewCase:
    """What would stand in the places of a text about this case now. Raises `NotFound`."""
    row = (
        await unit.conn.execute(
            select(
                cases.c.loan_id,
                loans.c.external_ref,
                loans.c.borrower_id,
                borrowers.c.name_enc,
                borrowers.c.language,
                borrowers.c.time_zone,
                lenders.c.name,
                lenders.c.contact_phone,
                lenders.c.time_zone.label("lender_zone"),
            )
            .join(loans, loans.c.id == cases.c.loan_id)
            .join(borrowers, borrowers.c.id == loans.c.borrower_id)
            .join(lenders, lenders.c.id == loans.c.lender_id)
            .where(cases.c.id == case_id)
        )
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such case.")
    name = unit.open("borrowers.name_enc", row.borrower_id, row.name_enc)
    values = who_values(
        house, lender=row.name, contact_phone=row.contact_phone, name=name, token=NO_TOKEN
    )
    today = now.astimezone(ZoneInfo(row.time_zone or row.lender_zone)).date()
    due = await due_of_loan(unit, row.loan_id, now)
    promise = await open_promise_of(unit, case_id)
    if due is not None:
        values |= debt_values(
            language,
            owed=due.amount,
            due_on=due.oldest_due_on,
            today=today,
            loan_ref=row.external_ref,
        )
        amount = due.amount if promise is None else promise.total
        on = today + timedelta(days=7) if promise is None else promise.last_due_on
        values |= promise_values(language, amount=amount, on=on)
    return PreviewCase(case_id, name, row.external_ref, row.language, values, promise is None)
