"""The treatment that is suggested for a case, with its arithmetic."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from app.domain.case import CaseState
from app.domain.treatment import Suggestion, suggest
from app.reference.segments import shipped_treatments
from app.store.case_facts import facts_of
from app.store.tables import cases
from app.store.unit import Unit


async def suggestion_of(unit: Unit, now: datetime, case_id: UUID) -> Suggestion | None:
    """The suggestion for an open case with something due; None for any other."""
    state = await unit.conn.scalar(select(cases.c.state).where(cases.c.id == case_id))
    if state is None or state == CaseState.CLOSED.value:
        return None
    facts = (await facts_of(unit, [case_id], now)).get(case_id)
    if facts is None or not facts.owed:
        return None
    return suggest(shipped_treatments(), facts)
