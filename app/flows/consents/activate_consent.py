"""Put a consent that the bank calls valid into force, with the accounts it covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, any_, exists, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB

from app.domain.consent import CONSENT, REQUEST, ConsentState, Purpose
from app.domain.open_hours import zone_of
from app.domain.task import TaskReason, TaskState
from app.flows.consents.end_consent import end_consent
from app.flows.consents.link_accounts import link_accounts
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.flows.work.cancel_tasks import cancel_tasks
from app.ports import FoundAccount, GrantNow
from app.store import timeline
from app.store.accounts import schedule_reads
from app.store.consents import latest_choices
from app.store.income_profiles import forget_bills
from app.store.locks import lock_borrower
from app.store.moves import move, move_all
from app.store.tables import accounts, consent_requests, consents, tasks
from app.store.timeline import Kind, Line
from app.store.unit import Unit

# Business time between two looks at an active consent's status. Not a balance read: it counts
# nowhere, and tells of a revocation at the bank even while nothing is due.
STATUS_EVERY: Final = timedelta(hours=24)

_CURED: Final = (TaskReason.NO_CONSENT, TaskReason.CONSENT_ENDED)


@dataclass(frozen=True, slots=True)
class ConsentActivated:
    """`changed` is False when it was in force already, or had ended meanwhile."""

    changed: bool
    superseded: int


async def activate_consent(
    unit: Unit,
    now: datetime,
    consent_id: UUID,
    grant: GrantNow,
    found: Sequence[FoundAccount],
    *,
    zone: str,
) -> ConsentActivated:
    """Activate, link the accounts, supersede what this renews, and start the reading.

    The end is the earlier of what the borrower was told and what the bank grants; `zone` is the
    bank's, in which that day ends. An account is recognised by its IBAN: a renewal points the
    same row at the new consent, with its memory and its allowance, but without what transactions
    said of it where the new one does not cover them. An older consent that has no account left is
    superseded and given back; one with other accounts stays.
    """
    owner = (
        await unit.conn.execute(select(consents.c.borrower_id).where(consents.c.id == consent_id))
    ).scalar_one()
    await lock_borrower(unit, owner)
    await unit.conn.execute(
        select(accounts.c.id)
        .where(accounts.c.borrower_id == owner)
        .order_by(accounts.c.id)
        .with_for_update(key_share=True)
    )
    consent = (
        await unit.conn.execute(
            select(consents).where(consents.c.id == consent_id).with_for_update(key_share=True)
        )
    ).one()
    state = ConsentState(consent.state)
    if state is ConsentState.ACTIVE or "activate" not in CONSENT.events(state):
        return ConsentActivated(changed=False, superseded=0)
    if not await still_meant(unit, consent):
        return ConsentActivated(changed=False, superseded=0)
    last = min(consent.asked_until, grant.valid_until or consent.asked_until)
    ends_at = end_of_day(last, zone)
    await move(
        unit,
        consents,
        consent_id,
        CONSENT,
        "activate",
        activated_at=now,
        valid_until=last,
        ends_at=ends_at,
        ended_at=None,
        ended_why="",
        next_check_at=min(now + STATUS_EVERY, ends_at),
    )
    monitoring = Purpose.REPAYMENT_MONITORING.value in consent.purposes
    await link_accounts(unit, now, consent, found, take_over=monitoring)
    await move_all(
        unit, consent_requests, [consent.request_id], REQUEST, "complete", completed_at=now
    )
    await _announce(unit, now, consent, ends_at, found)
    if monitoring and Purpose.BILLS.value not in consent.purposes:
        await forget_bills(unit, accounts.c.consent_id == consent_id)
    superseded = await _supersede(unit, now, consent) if monitoring else 0
    if monitoring and any(account.usable for account in found):
        await cancel_tasks(unit, now, borrower_id=owner, reasons=_CURED, why="consent_given")
        await _say_no_longer(unit, owner)
    await schedule_reads(unit, (owner,), now)
    return ConsentActivated(changed=True, superseded=superseded)


async def _say_no_longer(unit: Unit, borrower_id: UUID) -> None:
    """A call that was asked for before tells whoever makes it that no account may be read."""
    waiting = (TaskState.OPEN.value, TaskState.TAKEN.value)
    await unit.conn.execute(
        update(tasks)
        .where(tasks.c.borrower_id == borrower_id, tasks.c.state.in_(waiting))
        .values(situation=tasks.c.situation.op("-", return_type=JSONB)("consent_state"))
    )


async def still_meant(unit: Unit, consent: Row[Any]) -> bool:
    """Is a consent that was given up covered by the borrower's last word to us?

    A page of the bank that stayed open may be finished later. What he allowed there is not what
    he wants any more when he has chosen anew since, or stopped the reading.
    """
    if consent.state != ConsentState.ABANDONED.value:
        return True
    last = await latest_choices(unit, consent.request_id)
    return all(
        (choice := last.get(word)) is not None and choice.granted and choice.withdrawn_at is None
        for word in consent.purposes
    )


def end_of_day(day: date, zone: str) -> datetime:
    """The instant at which a day is over at the bank."""
    return datetime.combine(day + timedelta(days=1), time(0), zone_of(zone)).astimezone(UTC)


async def _supersede(unit: Unit, now: datetime, consent: Row[Any]) -> int:
    """End the borrower's other consents for reading that no account stands under any more."""
    any_left = exists().where(accounts.c.consent_id == consents.c.id)
    emptied = await unit.conn.scalars(
        select(consents.c.id)
        .where(
            consents.c.borrower_id == consent.borrower_id,
            consents.c.id != consent.id,
            consents.c.state == ConsentState.ACTIVE.value,
            literal(Purpose.REPAYMENT_MONITORING.value) == any_(consents.c.purposes),
            ~any_left,
        )
        .order_by(consents.c.id)
    )
    ended = 0
    for older in emptied.all():
        done = await end_consent(unit, now, older, "supersede", f"renewed by {consent.id}", "saldo")
        ended += done.changed
    return ended


async def _announce(
    unit: Unit,
    now: datetime,
    consent: Row[Any],
    ends_at: datetime,
    found: Sequence[FoundAccount],
) -> None:
    usable = sum(account.usable for account in found)
    details = {
        "consent_id": str(consent.id),
        "state": ConsentState.ACTIVE.value,
        "purposes": consent.purposes,
        "ends_at": ends_at.isoformat(),
        "accounts": usable,
        "unusable": [account.why_unusable for account in found if not account.usable],
    }
    lender = consent.lender_id
    line = Line(consent.borrower_id, Kind.CONSENT_CHANGED, "bank", details, lender_id=lender)
    await timeline.write(unit, now, [line])
    await tell_lender(
        unit,
        now,
        event=LenderEvent.CONSENT_ACTIVE,
        subject_id=consent.id,
        payload={
            "consent_id": str(consent.id),
            "request_id": str(consent.request_id),
            "purposes": consent.purposes,
            "ends_at": ends_at.isoformat(),
            "accounts": usable,
            "scoring": consent.scoring,
        },
        lender_id=lender,
    )
