"""Proposals that wait for a second person, and what was carried out, as rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, func, insert, or_, select

from app.domain.approval import ApprovalKind, ApprovalState
from app.domain.errors import NotAllowed, NotFound
from app.domain.forbearance import read_consideration
from app.domain.four_eyes import Bounds, Hand, Proposal, read_bounds
from app.domain.money import Money
from app.domain.roles import Role
from app.store.keys import new_id
from app.store.locks import lock_borrower
from app.store.promises import zone_of_lender
from app.store.tables import adjustments, approvals, instalments, lenders, users
from app.store.unit import Unit


async def hand_of(
    unit: Unit, user_id: UUID, *, lock: bool = True, one_at_a_time: bool = False
) -> Hand:
    """The person with the role he has now, locked so that it stays so until the unit ends.

    The session may be older than the last change of roles; money asks the row. `lock=False` is for
    pages, which only look. `one_at_a_time` is for decisions: two of one person queue, so that the
    second sees what the first one added up to. Raises `NotAllowed` for a user who may not sign in
    any more, or of another lender.
    """
    query = select(users.c.role, users.c.disabled_at, users.c.unconfirmed_since).where(
        users.c.id == user_id
    )
    if one_at_a_time:
        query = query.with_for_update(key_share=True)
    elif lock:
        query = query.with_for_update(read=True)
    row = (await unit.conn.execute(query)).one_or_none()
    if row is None or row.disabled_at is not None:
        raise NotAllowed("This user may do nothing any more.", code="RoleMissing")
    return Hand(user_id, Role(row.role), confirmed=row.unconfirmed_since is None)


async def lock_approval(unit: Unit, approval_id: UUID) -> Row[Any]:
    """Lock the borrower it is about, if any, then the proposal. Raises `NotFound`.

    Two people who decide at once queue here; the second finds it decided.
    """
    owner = (
        await unit.conn.execute(
            select(approvals.c.borrower_id).where(approvals.c.id == approval_id)
        )
    ).one_or_none()
    if owner is None:
        raise NotFound("There is no such proposal.")
    if owner.borrower_id is not None:
        await lock_borrower(unit, owner.borrower_id)
    return (
        await unit.conn.execute(
            select(approvals).where(approvals.c.id == approval_id).with_for_update(key_share=True)
        )
    ).one()


async def find_approval(unit: Unit, approval_id: UUID) -> Row[Any]:
    """The proposal as it stands, unlocked: to look at. Raises `NotFound`."""
    row: Row[Any] | None = (
        await unit.conn.execute(select(approvals).where(approvals.c.id == approval_id))
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such proposal.")
    return row


async def waiting(unit: Unit, kind: ApprovalKind, subject_id: UUID) -> UUID | None:
    """The proposal of this kind that waits for a decision about this subject, if any."""
    found: UUID | None = await unit.conn.scalar(
        select(approvals.c.id).where(
            approvals.c.kind == kind.value,
            approvals.c.subject_id == subject_id,
            approvals.c.state == ApprovalState.PROPOSED.value,
        )
    )
    return found


async def waiting_of_loan(unit: Unit, loan_id: UUID) -> list[Row[Any]]:
    """Every proposal about this loan that waits, locked. The caller holds the borrower's lock."""
    rows = await unit.conn.execute(
        select(approvals)
        .where(approvals.c.loan_id == loan_id, approvals.c.state == ApprovalState.PROPOSED.value)
        .order_by(approvals.c.id)
        .with_for_update(key_share=True)
    )
    return list(rows)


async def decided_for_case(
    unit: Unit, kind: ApprovalKind, case_id: UUID
) -> Row[*tuple[Any, ...]] | None:
    """The latest proposal of this kind that people decided about while this case was worked."""
    rows = await unit.conn.execute(
        select(approvals.c.id, approvals.c.state)
        .where(
            approvals.c.kind == kind.value,
            approvals.c.case_id == case_id,
            approvals.c.state.in_((ApprovalState.REFUSED.value, ApprovalState.APPROVED.value)),
        )
        .order_by(approvals.c.decided_at.desc())
        .limit(1)
    )
    return rows.one_or_none()


async def bounds_of(unit: Unit, lender_id: UUID) -> Mapping[str, Bounds]:
    """The lender's bounds by currency."""
    stated = await unit.conn.scalar(
        select(lenders.c.approval_tiers).where(lenders.c.id == lender_id)
    )
    return read_bounds(stated or {})


async def proposal_of(unit: Unit, row: Row[Any]) -> Proposal:
    """What a decision about this row of `approvals` depends on."""
    kind = ApprovalKind(row.kind)
    weight = forgives = None
    if row.amount_minor is not None:
        weight = Money(row.amount_minor, row.currency)
        if kind is ApprovalKind.FORGIVENESS:
            forgives = weight
        if kind in (ApprovalKind.FORGIVENESS, ApprovalKind.WRITE_OFF):
            # The last slice is a slice too, whatever it is called.
            weight += await forgiven_so_far(unit, row.loan_id, row.currency)
    return Proposal(
        kind=kind,
        proposer=row.proposer_id,
        endorser=row.endorser_id,
        first_decider=row.first_decider_id,
        weight=weight,
        considered=read_consideration(row.considered) is not None,
        forgives=forgives,
    )


async def approved_this_month(
    unit: Unit, now: datetime, user_id: UUID, proposal: Proposal
) -> Money | None:
    """What this person approved of forgiveness in the lender's calendar month; None: not asked.

    In the currency of what the proposal forgives. His first yes to what needs two counts like any
    other while it waits; what was taken back later counts on, for he had said yes to it.
    """
    if proposal.forgives is None:
        return None
    currency = proposal.forgives.currency
    begins = await _month_begins(unit, now)
    said = or_(
        and_(
            approvals.c.decider_id == user_id,
            approvals.c.state == ApprovalState.APPROVED.value,
            approvals.c.decided_at >= begins,
        ),
        and_(
            approvals.c.first_decider_id == user_id,
            approvals.c.state.in_((ApprovalState.PROPOSED.value, ApprovalState.APPROVED.value)),
            approvals.c.first_decided_at >= begins,
        ),
    )
    total = await unit.conn.scalar(
        select(func.coalesce(func.sum(approvals.c.amount_minor), 0)).where(
            approvals.c.kind == ApprovalKind.FORGIVENESS.value,
            approvals.c.currency == currency,
            said,
        )
    )
    return Money(int(total or 0), currency)


async def _month_begins(unit: Unit, now: datetime) -> datetime:
    zone = await zone_of_lender(unit, unit.lender_id)
    first = now.astimezone(zone).date().replace(day=1)
    return datetime.combine(first, time(), zone).astimezone(UTC)


async def unpaid_in_all(unit: Unit, loan_id: UUID, currency: str) -> Money:
    """What of the loan is not paid, due or not."""
    total = await unit.conn.scalar(
        select(
            func.coalesce(func.sum(instalments.c.amount_minor - instalments.c.paid_minor), 0)
        ).where(instalments.c.loan_id == loan_id)
    )
    return Money(int(total or 0), currency)


# ------------------------------------------------------------------ what was carried out


async def add_adjustment(
    unit: Unit,
    now: datetime,
    approval: Row[Any],
    *,
    kind: ApprovalKind,
    amount: Money,
    reverses_id: UUID | None = None,
    repayment_id: UUID | None = None,
) -> UUID:
    """Write the entry of an approved act. The unique key on the approval keeps it at one."""
    adjustment_id = new_id()
    await unit.conn.execute(
        insert(adjustments).values(
            id=adjustment_id,
            lender_id=approval.lender_id,
            loan_id=approval.loan_id,
            borrower_id=approval.borrower_id,
            approval_id=approval.id,
            kind=kind.value,
            amount_minor=amount.minor,
            currency=amount.currency,
            reverses_id=reverses_id,
            repayment_id=repayment_id,
            made_at=now,
        )
    )
    return adjustment_id


async def adjustment(unit: Unit, adjustment_id: UUID) -> Row[Any]:
    """One entry, with `reversed` saying whether a later one undid it. Raises `NotFound`."""
    later = adjustments.alias("later")
    row = (
        await unit.conn.execute(
            select(adjustments, later.c.id.is_not(None).label("reversed"))
            .outerjoin(later, later.c.reverses_id == adjustments.c.id)
            .where(adjustments.c.id == adjustment_id)
        )
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such entry.")
    return row


async def adjustments_of(unit: Unit, loan_id: UUID) -> list[Row[Any]]:
    """Every entry of the loan, oldest first, with `reversed`."""
    later = adjustments.alias("later")
    rows = await unit.conn.execute(
        select(adjustments, later.c.id.is_not(None).label("reversed"))
        .outerjoin(later, later.c.reverses_id == adjustments.c.id)
        .where(adjustments.c.loan_id == loan_id)
        .order_by(adjustments.c.made_at, adjustments.c.id)
    )
    return list(rows)


async def forgiven_so_far(unit: Unit, loan_id: UUID, currency: str) -> Money:
    """What was forgiven on the loan and stands: slices count together."""
    later = adjustments.alias("later")
    total = await unit.conn.scalar(
        select(func.coalesce(func.sum(adjustments.c.amount_minor), 0))
        .outerjoin(later, later.c.reverses_id == adjustments.c.id)
        .where(
            adjustments.c.loan_id == loan_id,
            adjustments.c.kind == ApprovalKind.FORGIVENESS.value,
            later.c.id.is_(None),
        )
    )
    return Money(int(total or 0), currency)
