"""What observe-only mode would have done: the paper a lender goes live by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, select

from app.domain.case import CaseClose
from app.domain.message import MessageState
from app.store.tables import borrowers, cases, funds_signals, messages, timeline
from app.store.timeline import Kind
from app.store.unit import Unit

MOST_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class WouldSend:
    """One text that would have left at `at` (business time). `body` has no working link.

    `because` says what the contact gate had found: the rules of `pack`. `paid_anyway` are those
    of its cases that the lender's own ledger has closed as paid since.
    """

    message_id: UUID
    at: datetime
    borrower_ref: str
    cases: int
    paid_anyway: int
    language: str
    body: str
    pack: str
    waited: bool


@dataclass(frozen=True, slots=True)
class ObserveReport:
    """Counts of [since, until), and the newest texts. No balance and no number of a telephone.

    `rules` counts decisions by the strategy rule that made them, so that it can be read why
    nothing would have been sent.
    """

    since: datetime
    until: datetime
    signals: int
    people: int
    texts: int
    rules: Mapping[str, int]
    newest: tuple[WouldSend, ...]


async def observe_report(unit: Unit, *, since: datetime, until: datetime) -> ObserveReport:
    """Of the unit's lender. Read-only; the texts shown are at most `MOST_SHOWN`."""
    return ObserveReport(
        since=since,
        until=until,
        signals=await _signals(unit, since, until),
        people=await _people(unit, since, until),
        texts=await _texts(unit, since, until),
        rules=await _rules(unit, since, until),
        newest=await _newest(unit, since, until),
    )


async def _signals(unit: Unit, since: datetime, until: datetime) -> int:
    found = await unit.conn.scalar(
        select(func.count())
        .select_from(funds_signals)
        .where(funds_signals.c.raised_at >= since, funds_signals.c.raised_at < until)
    )
    return int(found or 0)


async def _people(unit: Unit, since: datetime, until: datetime) -> int:
    found = await unit.conn.scalar(
        select(func.count(messages.c.borrower_id.distinct())).where(*_withheld(since, until))
    )
    return int(found or 0)


async def _texts(unit: Unit, since: datetime, until: datetime) -> int:
    found = await unit.conn.scalar(
        select(func.count()).select_from(messages).where(*_withheld(since, until))
    )
    return int(found or 0)


def _withheld(since: datetime, until: datetime) -> tuple[Any, ...]:
    return (
        messages.c.state == MessageState.WITHHELD.value,
        messages.c.created_at >= since,
        messages.c.created_at < until,
    )


async def _rules(unit: Unit, since: datetime, until: datetime) -> dict[str, int]:
    rule = timeline.c.details["rule"].astext
    rows = await unit.conn.execute(
        select(rule, func.count())
        .where(
            timeline.c.kind == Kind.DECISION.value,
            timeline.c.at >= since,
            timeline.c.at < until,
            timeline.c.details["observe_only"].astext == "true",
        )
        .group_by(rule)
        .order_by(func.count().desc(), rule)
    )
    return {str(row[0]): int(row[1]) for row in rows}


async def _newest(unit: Unit, since: datetime, until: datetime) -> tuple[WouldSend, ...]:
    paid = (
        select(func.count())
        .select_from(cases)
        .where(
            cases.c.id == func.any(messages.c.case_ids),
            cases.c.close_reason.in_((CaseClose.PAID_ELSEWHERE.value, CaseClose.NOT_DUE.value)),
        )
        .correlate(messages)
        .scalar_subquery()
    )
    rows = await unit.conn.execute(
        select(messages, borrowers.c.external_ref.label("borrower_ref"), paid.label("paid"))
        .join(borrowers, borrowers.c.id == messages.c.borrower_id)
        .where(*_withheld(since, until))
        .order_by(messages.c.created_at.desc(), messages.c.id.desc())
        .limit(MOST_SHOWN)
    )
    return tuple(_shown(unit, row) for row in rows)


def _shown(unit: Unit, row: Row[Any]) -> WouldSend:
    verdict = row.verdict or {}
    return WouldSend(
        message_id=row.id,
        at=row.ended_at,
        borrower_ref=row.borrower_ref,
        cases=len(row.case_ids),
        paid_anyway=int(row.paid),
        language=row.language,
        body=unit.open("messages.body_enc", row.id, row.body_enc),
        pack=str(verdict.get("pack", "")),
        waited=verdict.get("allowed") is False,
    )
