"""Another account to be paid to: somebody proposes it, and nothing moves before another one agrees.

Whoever could change it alone could have every repayment sent to himself. So no role, no key and no
session is enough: a proposal of the page needs a second person, one of the lender's system two.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError

from app.domain.account import BankAccount, canonical
from app.domain.approval import ApprovalKind
from app.domain.errors import Conflict
from app.domain.four_eyes import check_proposer
from app.domain.ids import LenderId, UserId
from app.flows.approvals.propose_approval import Proposed, propose
from app.flows.house import House
from app.flows.lenders.note_refusal import refusals_noted
from app.flows.money.set_payee import lock_payees, read_payee, replace_payee
from app.store import audit
from app.store.approvals import hand_of
from app.store.payees import add_change, end_change, payee_of, waiting_changes
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class PayeeWanted:
    """What somebody typed: one currency (ISO 4217), and an IBAN or a sort code and number."""

    currency: str
    reason: str
    iban: str = ""
    sort_code: str = ""
    account_number: str = ""


async def propose_payee(
    house: House,
    now: datetime,
    wanted: PayeeWanted,
    *,
    lender_id: LenderId,
    actor: str,
    user_id: UserId | None,
) -> Proposed:
    """Put another account before a second person. `user_id` None: the lender's own system.

    Raises `NotAllowed` (also in the audit), `Invalid` naming the field, and `Conflict` when it is
    the account already, or a change of this currency waits.
    """
    currency = wanted.currency
    noted = refusals_noted(
        house, now, lender_id=lender_id, actor=actor, wanted="propose_payee", subject=currency
    )
    async with noted, _one_at_a_time(), house.store.unit(lender_id) as unit:
        if user_id is not None:
            check_proposer(ApprovalKind.PAYEE, await hand_of(unit, user_id))
        account = read_payee(
            currency,
            iban=wanted.iban,
            sort_code=wanted.sort_code,
            account_number=wanted.account_number,
        )
        await lock_payees(unit, lender_id)
        before = await payee_of(unit, lender_id, currency)
        if before is not None and canonical(before) == canonical(account):
            raise Conflict(f"{currency} is paid to this account already.", code="SamePayee")
        if currency in await waiting_changes(unit):
            raise Conflict(
                f"Another account for {currency} waits for a second person. It is decided first.",
                code="OneWaits",
            )
        return await _propose(unit, now, wanted, account, before, actor, user_id)


async def _propose(
    unit: Unit,
    now: datetime,
    wanted: PayeeWanted,
    account: BankAccount,
    before: BankAccount | None,
    actor: str,
    user_id: UserId | None,
) -> Proposed:
    currency, replaces = wanted.currency, "" if before is None else before.masked
    change_id = await add_change(unit, now, currency, account, replaces=replaces, made_by=actor)
    await audit.record(
        unit,
        now,
        actor=actor,
        act="draft_payee",
        subject=str(change_id),
        before={"currency": currency, "account": replaces} if replaces else {},
        after={"currency": currency, "account": account.masked},
        reason=wanted.reason.strip(),
    )
    return await propose(
        unit,
        now,
        kind=ApprovalKind.PAYEE,
        subject_id=change_id,
        reason=wanted.reason,
        considered={
            "title": f"Pay {currency} to another account" if replaces else f"Pay {currency}",
            "link": "/payees",
            "to": account.masked,
            **({"instead_of": replaces} if replaces else {}),
        },
        proposer_id=user_id,
        actor=actor,
    )


@asynccontextmanager
async def _one_at_a_time() -> AsyncIterator[None]:
    """Two at once: the second one hears of it."""
    try:
        yield
    except IntegrityError as error:
        if "uq_payee_changes_waiting" not in str(error.orig):
            raise
        raise Conflict("Somebody else proposed another account at the same moment.") from None


async def change_payee_by_two(unit: Unit, now: datetime, approval: Any, *, actor: str) -> None:
    """Carry an approved proposal out. Raises `Conflict` when the account is another one by now."""
    await lock_payees(unit, approval.lender_id)
    change, account = await end_change(unit, now, approval.subject_id)
    current = await payee_of(unit, approval.lender_id, change.currency)
    if ("" if current is None else current.masked) != change.replaces:
        raise Conflict(
            f"{change.currency} is paid to another account since this was proposed. "
            "Refuse it; it can be proposed anew.",
            code="PayeeChanged",
        )
    await replace_payee(
        unit,
        now,
        approval.lender_id,
        change.currency,
        account,
        actor=actor,
        reason=approval.reason,
    )


async def send_back_payee(unit: Unit, now: datetime, approval: Any, *, actor: str) -> None:
    """Refused or withdrawn: what waited is erased, and the account stays what it is."""
    change, account = await end_change(unit, now, approval.subject_id)
    await audit.record(
        unit,
        now,
        actor=actor,
        act="send_back_payee",
        subject=str(change.id),
        after={"currency": change.currency, "account": account.masked},
    )
