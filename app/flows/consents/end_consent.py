"""End one consent: from this transaction on nothing is read under it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import Row, any_, exists, literal, or_, select, update

from app.domain.case import CaseState
from app.domain.consent import CONSENT, REQUEST, ConsentState, Purpose
from app.domain.errors import NotFound
from app.domain.message import CancelReason
from app.domain.task import TaskReason
from app.flows.actors import BANK, BORROWER, ROBOT
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.flows.signals.end_signals import end_signals
from app.flows.work.open_task import open_task
from app.store import timeline
from app.store.brakes import in_peace
from app.store.income_profiles import forget_bills
from app.store.locks import lock_borrower
from app.store.moves import move, move_all
from app.store.outbox import OutboxKind, Outgoing, queue
from app.store.readings import erase_of_consent
from app.store.tables import (
    accounts,
    cases,
    consent_choices,
    consent_requests,
    consents,
)
from app.store.timeline import Kind, Line
from app.store.unit import Unit

Via = Literal["page", "api", "desk", "bank", "saldo"]

# The borrower's own no, said to us or to the bank: the figures go at once.
_HIS_NO: Final = ("withdraw", "revoke_at_bank")
# The bank does not know yet that we are done with it.
_GIVE_BACK: Final = ("withdraw", "supersede", "abandon")


@dataclass(frozen=True, slots=True)
class ConsentEnded:
    """`changed` is False when it had ended before."""

    changed: bool
    erased: int


async def end_consent(
    unit: Unit,
    now: datetime,
    consent_id: UUID,
    event: str,
    why: str,
    via: Via,
    *,
    may_go_on: bool = False,
) -> ConsentEnded:
    """Move a consent by `event` (see `app.domain.consent.CONSENT`) and draw every conclusion.

    Its accounts leave the reading plan; at the borrower's own no all figures are erased here
    and now; what was about to be sent because of its readings is cancelled; the bank is told
    where it does not know; an open case without another consent becomes a person's task. Locks
    the borrower, then the accounts. A consent that has ended before stays as it ended.
    `may_go_on`: he is on his way with the same link, so nobody is called and nobody is told.
    """
    consent, last_attempt = await _locked(unit, consent_id)
    # The clock of whoever ends it may have stood still behind our lock while an attempt left.
    ended_at = max(now, last_attempt) if last_attempt is not None else now
    state = ConsentState(consent.state)
    if state not in CONSENT.sources(event) or CONSENT.step(state, event) is state:
        if CONSENT.is_final(state) or state is ConsentState.ABANDONED:
            if event == "withdraw":
                # A page of the bank may still be open somewhere: no yes there counts any more.
                await _note_withdrawal(unit, now, consent_id, via)
            return ConsentEnded(changed=False, erased=0)
        CONSENT.step(state, event)
    give_back = event in _GIVE_BACK and consent.token_enc is not None
    moved = await move(
        unit,
        consents,
        consent_id,
        CONSENT,
        event,
        ended_at=ended_at,
        ended_why=why,
        next_check_at=None,
        scoring="failed" if consent.scoring in ("due", "reading") else consent.scoring,
        # Giving it back needs the token once more; whoever does that destroys it then.
        token_enc=consent.token_enc if give_back else None,
    )
    await _take_off_plan(unit, consent_id)
    # What his transactions said was allowed for as long as this consent.
    await forget_bills(unit, accounts.c.consent_id == consent_id)
    erased = await _erase(unit, now, consent) if event in _HIS_NO else 0
    if event in _HIS_NO:
        await _note_withdrawal(unit, now, consent_id, via)
    if event == "reject":
        await move_all(unit, consent_requests, [consent.request_id], REQUEST, "reject")
    await _write_lines(unit, now, consent, moved.after, why, via, erased)
    if give_back:
        revoke = Outgoing(OutboxKind.REVOKE_CONSENT, consent.lender_id, consent_id, "revoke")
        await queue(unit, now, [revoke])
    if event != "supersede":
        await _end_its_signals(unit, now, consent_id)
        if not may_go_on:
            await _leave_to_people(unit, now, consent, moved.after, why)
    if not may_go_on:
        await _tell(unit, now, consent, moved.after, why)
    return ConsentEnded(changed=True, erased=erased)


async def _locked(unit: Unit, consent_id: UUID) -> tuple[Row[Any], datetime | None]:
    """The consent behind the locks, and the last attempt to read one of its accounts."""
    owner = await unit.conn.scalar(
        select(consents.c.borrower_id).where(consents.c.id == consent_id)
    )
    if owner is None:
        raise NotFound("There is no such consent.")
    await lock_borrower(unit, owner)
    under_it = await unit.conn.execute(
        select(accounts.c.last_attempt_at)
        .where(accounts.c.consent_id == consent_id)
        .order_by(accounts.c.id)
        .with_for_update(key_share=True)
    )
    moments = [row.last_attempt_at for row in under_it if row.last_attempt_at is not None]
    consent = (
        await unit.conn.execute(
            select(consents).where(consents.c.id == consent_id).with_for_update(key_share=True)
        )
    ).one()
    return consent, max(moments, default=None)


async def _take_off_plan(unit: Unit, consent_id: UUID) -> None:
    await unit.conn.execute(
        update(accounts)
        .where(accounts.c.consent_id == consent_id)
        .values(next_read_at=None, leased_until=None)
    )


async def _erase(unit: Unit, now: datetime, consent: Row[Any]) -> int:
    erased = await erase_of_consent(unit, consent.id, now)
    if consent.scoring == "stored":
        await unit.conn.execute(
            update(consents).where(consents.c.id == consent.id).values(scoring="failed")
        )
    return erased


async def _note_withdrawal(unit: Unit, now: datetime, consent_id: UUID, via: Via) -> None:
    await unit.conn.execute(
        update(consent_choices)
        .where(
            consent_choices.c.consent_id == consent_id,
            consent_choices.c.granted,
            consent_choices.c.withdrawn_at.is_(None),
        )
        .values(withdrawn_at=now, withdrawn_via=via)
    )


async def _write_lines(
    unit: Unit, now: datetime, consent: Row[Any], state: str, why: str, via: Via, erased: int
) -> None:
    details = {"consent_id": str(consent.id), "state": state, "why": why, "via": via}
    person, lender = consent.borrower_id, consent.lender_id
    lines = [Line(person, Kind.CONSENT_CHANGED, _actor(via), details, lender_id=lender)]
    if erased:
        gone = {"consent_id": str(consent.id), "count": erased}
        lines.append(Line(person, Kind.FIGURES_ERASED, ROBOT, gone, lender_id=lender))
    await timeline.write(unit, now, lines)


def _actor(via: Via) -> str:
    return {"page": BORROWER, "api": "lender", "desk": "desk", "bank": BANK, "saldo": ROBOT}[via]


async def _end_its_signals(unit: Unit, now: datetime, consent_id: UUID) -> None:
    """What was about to happen because of this consent's readings does not happen."""
    read = await unit.conn.scalars(select(accounts.c.id).where(accounts.c.consent_id == consent_id))
    await end_signals(unit, now, account_ids=list(read), why=CancelReason.CONSENT_ENDED)


async def _leave_to_people(
    unit: Unit, now: datetime, consent: Row[Any], state: str, why: str
) -> None:
    """A task for every open case of a borrower whose accounts nobody may read any more.

    Nobody is sent to ask somebody whom a hold leaves in peace.
    """
    other = exists().where(
        consents.c.borrower_id == consent.borrower_id,
        consents.c.id != consent.id,
        consents.c.state == ConsentState.ACTIVE.value,
        literal(Purpose.REPAYMENT_MONITORING.value) == any_(consents.c.purposes),
        or_(consents.c.ends_at.is_(None), consents.c.ends_at > now),
    )
    waiting = await unit.conn.execute(
        select(cases.c.id)
        .where(
            cases.c.borrower_id == consent.borrower_id,
            cases.c.state != CaseState.CLOSED.value,
            ~other,
        )
        .order_by(cases.c.id)
    )
    was_active = consent.activated_at is not None
    for case in waiting.all():
        if await in_peace(unit, now, consent.borrower_id, case.id):
            continue
        await open_task(
            unit,
            now,
            borrower_id=consent.borrower_id,
            case_id=case.id,
            reason=TaskReason.CONSENT_ENDED if was_active else TaskReason.NO_CONSENT,
            cause=f"{consent.id}|{case.id}",
            situation={"consent_state": state, "why": why, "bank_id": consent.bank_id},
            lender_id=consent.lender_id,
        )


async def _tell(unit: Unit, now: datetime, consent: Row[Any], state: str, why: str) -> None:
    was_active = consent.activated_at is not None
    await tell_lender(
        unit,
        now,
        event=LenderEvent.CONSENT_ENDED if was_active else LenderEvent.CONSENT_REFUSED,
        subject_id=consent.id,
        payload={
            "consent_id": str(consent.id),
            "request_id": str(consent.request_id),
            "state": state,
            "why": why,
            "at": now.isoformat(),
        },
        lender_id=consent.lender_id,
    )
