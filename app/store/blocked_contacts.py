"""Contacts that somebody wanted and that were not made: kept once for each cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import null
from sqlalchemy.dialects.postgresql import insert

from app.domain.contact_policy import ContactPurpose
from app.domain.ids import derive_key
from app.domain.message import Channel
from app.domain.stage_plan import Skip
from app.store.keys import new_id
from app.store.strategies import followed_by
from app.store.tables import blocked_contacts
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class Blocked:
    """One attempt that came to nothing. `key` is of its cause; `source` is where it began: saldo,
    desk, api (the lender's own system) or agency. `verdict` is the gate's, where it was asked.
    """

    key: UUID
    borrower_id: UUID
    channel: Channel
    cause: str
    why: Skip
    purpose: ContactPurpose = ContactPurpose.COLLECTION
    source: str = "saldo"
    actor: str = "saldo"
    case_ids: Sequence[UUID] = ()
    loan_ids: Sequence[UUID] = ()
    template: str = ""
    user_id: UUID | None = None
    placement_id: UUID | None = None
    verdict: Mapping[str, Any] | None = None


async def note_blocked(unit: Unit, now: datetime, blocked: Blocked) -> None:
    """Keep it for who asks later what was tried. The same key again changes nothing."""
    await unit.conn.execute(
        insert(blocked_contacts)
        .values(
            id=new_id(),
            key=blocked.key,
            lender_id=unit.lender_id,
            borrower_id=blocked.borrower_id,
            case_ids=list(blocked.case_ids),
            loan_ids=list(blocked.loan_ids),
            version_ids=followed_by(blocked.case_ids),
            channel=blocked.channel.value,
            purpose=blocked.purpose.value,
            cause=blocked.cause,
            template=blocked.template,
            tried_at=now,
            source=blocked.source,
            actor=blocked.actor,
            user_id=blocked.user_id,
            placement_id=blocked.placement_id,
            why=blocked.why.value,
            verdict=null() if blocked.verdict is None else dict(blocked.verdict),
        )
        .on_conflict_do_nothing(index_elements=["lender_id", "key"])
    )


def hourly_key(about: UUID, what: str, now: datetime) -> UUID:
    """The key of a question that people and systems ask again and again: once an hour counts."""
    return derive_key(about, f"{what}|{now:%Y-%m-%dT%H}")
