"""Create one payment at a bank: claim, ask, record. Used by the tap and by the sweep after it.

The claim is committed before the bank is asked, so a second process sees that somebody is at it.
The redirect is shown to the borrower only after the row holds the bank's handle. Hence every
initiation whose answer was lost is one that nobody can authorise: it becomes `abandoned`, and
another may be made. An answer that comes too late finds its row abandoned, redirects nobody, and
the payment it speaks of is cancelled at the bank.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import Row, select

from app.domain.breaker import Service
from app.domain.errors import (
    AllowanceSpent,
    ConsentGone,
    Declined,
    NotAllowed,
    OutcomeUnknown,
    Refused,
    SaldoError,
    TryLater,
    Unreadable,
)
from app.domain.ids import EmailAddress, Iban, LenderId, Phone
from app.domain.payment import PAYMENT, PaymentState
from app.flows.actors import ROBOT
from app.flows.house import House
from app.flows.payments.payment_news import write_line
from app.flows.payments.record_payment import apply_event, next_look, record_payment
from app.flows.providers.hear_banks import hear_calls
from app.pay_ports import (
    PaymentBegun,
    PaymentHandle,
    PaymentOrder,
    PaymentWithoutPage,
    PayStatus,
)
from app.ports import Bank, Presence
from app.side_ports import FindingPort
from app.store.accounts import payer_accounts
from app.store.moves import move
from app.store.outbox import OutboxKind, Outgoing, queue
from app.store.payees import payees_of
from app.store.payments import (
    amount_of,
    handle_columns,
    keep_handle,
    lock_payment,
    seal_redirect,
)
from app.store.tables import borrowers, lenders, loans, payment_cases, payment_links, payments
from app.store.unit import Unit

log = structlog.get_logger("payments")

# Real time. A claim older than this belongs to a process that is gone: asking may begin within
# ASK_WITHIN of the claim and the boundary ends every exchange after 30 seconds.
ASK_WITHIN: Final = timedelta(seconds=10)
STALE_AFTER: Final = timedelta(seconds=60)
# The event of a row in the outbox that finds such an order at its provider.
LOST: Final = "lost"
# Business time after which a payment that the bank did not make is tried again.
_TRY_AGAIN: Final = timedelta(seconds=30)


class Made(StrEnum):
    """What came of asking the bank.

    late: somebody gave this initiation up while we asked; nobody may be sent to the bank for it.
    """

    OPENED = "opened"
    NOT_MADE = "not_made"
    REJECTED = "rejected"
    ABANDONED = "abandoned"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Initiation:
    """The outcome. `redirect_url` is the bank's page, set exactly when it was opened."""

    made: Made
    redirect_url: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to ask the bank for one payment, once, from `claimed_at` (real time) on."""

    lender_id: LenderId
    borrower_id: UUID
    payment_id: UUID
    connector: str
    claimed_at: datetime
    order: PaymentOrder


async def claim_initiation(unit: Unit, house: House, now: datetime, payment: Row[Any]) -> Claim:
    """Move a requested payment to `creating` and put its order together.

    Runs in the caller's transaction, which holds the borrower's lock. Raises `IllegalTransition`
    for a payment that is further on.
    """
    claimed_at = house.real_now()
    await move(
        unit,
        payments,
        payment.id,
        PAYMENT,
        "create",
        claimed_at=claimed_at,
        next_look_at=now + STALE_AFTER,
    )
    await write_line(unit, now, payment, PaymentState.CREATING, actor=ROBOT)
    return Claim(
        LenderId(payment.lender_id),
        payment.borrower_id,
        payment.id,
        payment.connector,
        claimed_at,
        await order_of(unit, house, payment),
    )


async def create_initiation(house: House, now: datetime, claim: Claim) -> Initiation:
    """Ask the bank and record what it said. No transaction is open.

    Raises only what is a fault of the installation (`Misconfigured`); the payment then waits.
    """
    if house.real_now() - claim.claimed_at > ASK_WITHIN:
        # This process slept since the claim; whoever sweeps may already be giving it up.
        return Initiation(Made.LATE)
    answer = await _ask(house, claim)
    try:
        return await _record(house, now, claim, answer)
    finally:
        error = answer if isinstance(answer, SaldoError) else None
        call = ((claim.connector, claim.order.bank_id), claim.borrower_id, error)
        await hear_calls(house, now, Service.PAYMENTS, [call])


async def _ask(house: House, claim: Claim) -> PaymentBegun | SaldoError:
    try:
        return await house.payment(claim.connector).create_payment(claim.order)
    except SaldoError as error:
        return error


async def _record(
    house: House, now: datetime, claim: Claim, answer: PaymentBegun | SaldoError
) -> Initiation:
    match answer:
        case PaymentBegun():
            return await _opened(house, now, claim, answer)
        case TryLater(after=after) if after:
            return await _not_made(house, now, claim, min(after, timedelta(hours=1)))
        case TryLater() | AllowanceSpent():
            return await _not_made(house, now, claim, _TRY_AGAIN)
        case Declined(reason=reason):
            return await _end(house, now, claim, Made.REJECTED, reason)
        case ConsentGone() | Refused():
            return await _end(house, now, claim, Made.REJECTED, type(answer).__name__)
        case PaymentWithoutPage(handle=handle):
            return await _made_in_vain(house, now, claim, handle)
        case OutcomeUnknown() | Unreadable():
            return await _end(house, now, claim, Made.ABANDONED, type(answer).__name__)
        case _:
            await _not_made(house, now, claim, timedelta(minutes=10))
            raise answer


async def give_up_if_stale(unit: Unit, house: House, now: datetime, payment: Row[Any]) -> bool:
    """Abandon a locked `creating` payment whose claim is stale; False when it is not."""
    if payment.state != PaymentState.CREATING.value:
        return False
    if house.real_now() - payment.claimed_at <= STALE_AFTER:
        return False
    await _abandon(unit, house, now, payment, "answer_lost")
    return True


async def _abandon(
    unit: Unit, house: House, now: datetime, payment: Row[Any], raw_status: str
) -> None:
    """Nobody will be sent to its page. Where the provider knows an order again, it is found and
    taken back, so that nothing is left open there.
    """
    await apply_event(unit, now, payment, "abandon", actor=ROBOT, raw_status=raw_status)
    if isinstance(house.payments.get(payment.connector), FindingPort):
        lost = Outgoing(OutboxKind.CANCEL_PAYMENT, payment.lender_id, payment.id, LOST)
        await queue(unit, now, [lost])


async def _opened(house: House, now: datetime, claim: Claim, begun: PaymentBegun) -> Initiation:
    async with house.store.unit(claim.lender_id) as unit:
        payment = await lock_payment(unit, claim.payment_id)
        if not _still_ours(payment, claim):
            await _take_back_late(unit, now, payment, begun.handle)
            return Initiation(Made.LATE)
        await move(
            unit,
            payments,
            payment.id,
            PAYMENT,
            "opened",
            raw_status=begun.now.raw_status,
            next_look_at=next_look(payment.created_at, now),
            sent_at=now,
            redirect_enc=seal_redirect(unit, payment.id, begun.redirect_url),
            **handle_columns(unit, payment.id, claim.connector, begun.handle),
        )
        await write_line(
            unit, now, payment, PaymentState.OPEN, actor=ROBOT, raw_status=begun.now.raw_status
        )
        if begun.now.status is not PayStatus.OPEN:
            after = (await record_payment(unit, now, payment.id, begun.now)).after
            if PAYMENT.is_final(after):
                return Initiation(Made.REJECTED)
    return Initiation(Made.OPENED, begun.redirect_url)


async def _made_in_vain(
    house: House, now: datetime, claim: Claim, handle: PaymentHandle
) -> Initiation:
    """It stands at the bank and nobody can be sent to its page: given up, and taken back there."""
    async with house.store.unit(claim.lender_id) as unit:
        payment = await lock_payment(unit, claim.payment_id)
        if not _still_ours(payment, claim):
            await _take_back_late(unit, now, payment, handle)
            return Initiation(Made.LATE)
        await apply_event(unit, now, payment, "abandon", actor=ROBOT, raw_status="without_page")
        await _take_back(unit, now, payment, handle, "without_page")
    return Initiation(Made.ABANDONED)


async def _take_back_late(
    unit: Unit, now: datetime, payment: Row[Any], handle: PaymentHandle
) -> None:
    """The id became known too late: keep it, and have the payment cancelled at the bank."""
    log.warning("payment_answer_late", payment_id=str(payment.id), state=payment.state)
    await _take_back(unit, now, payment, handle, "late")


async def _take_back(
    unit: Unit, now: datetime, payment: Row[Any], handle: PaymentHandle, why: str
) -> None:
    await keep_handle(unit, payment.id, payment.connector, handle)
    out = Outgoing(OutboxKind.CANCEL_PAYMENT, payment.lender_id, payment.id, why)
    await queue(unit, now, [out])


async def _not_made(house: House, now: datetime, claim: Claim, wait: timedelta) -> Initiation:
    """Surely nothing was made: the next tap or the sweep tries again."""
    async with house.store.unit(claim.lender_id) as unit:
        payment = await lock_payment(unit, claim.payment_id)
        if not _still_ours(payment, claim):
            return Initiation(Made.LATE)
        await move(unit, payments, payment.id, PAYMENT, "not_made", next_look_at=now + wait)
        await write_line(unit, now, payment, PaymentState.REQUESTED, actor=ROBOT)
    return Initiation(Made.NOT_MADE)


async def _end(house: House, now: datetime, claim: Claim, made: Made, reason: str) -> Initiation:
    async with house.store.unit(claim.lender_id) as unit:
        payment = await lock_payment(unit, claim.payment_id)
        if not _still_ours(payment, claim):
            return Initiation(Made.LATE)
        if made is Made.ABANDONED:
            await _abandon(unit, house, now, payment, reason)
        else:
            await apply_event(unit, now, payment, "reject", actor=ROBOT, raw_status=reason)
    return Initiation(made)


def _still_ours(payment: Row[Any], claim: Claim) -> bool:
    return bool(
        payment.state == PaymentState.CREATING.value and payment.claimed_at == claim.claimed_at
    )


# ------------------------------------------------------------------ the order


async def order_of(unit: Unit, house: House, payment: Row[Any]) -> PaymentOrder:
    """The order of a payment, the same each time as long as its borrower and lender are.

    Raises `NotAllowed` where the lender has no account for its currency.
    """
    lender = (
        await unit.conn.execute(select(lenders).where(lenders.c.id == payment.lender_id))
    ).one()
    payer = json.loads(unit.open("payments.payer_enc", payment.id, payment.payer_enc))
    back = unit.open("payments.return_enc", payment.id, payment.return_enc)
    return_url = f"{house.settings.public_url}/p/back/{back}"
    account = (await payees_of(unit, lender, (payment.currency,))).get(payment.currency)
    if account is None:
        raise NotAllowed("The lender cannot be paid this way at the moment.", code="NoAccount")
    return PaymentOrder(
        key=payment.key,
        bank_id=payment.bank_id,
        amount=amount_of(payment),
        creditor_name=lender.creditor_name,
        creditor_account=account,
        end_to_end_ref=payment.end_to_end_ref,
        remittance=await _remittance(unit, payment.id),
        return_url=return_url,
        refused_url=return_url,
        presence=Presence(payer["ip"], payer["user_agent"]),
        debtor_iban=await _debtor(unit, payment) if _wants_debtor(house, payment) else None,
        instant=payment.instant,
        **await _payer(unit, house, payment),
    )


async def _payer(unit: Unit, house: House, payment: Row[Any]) -> dict[str, Any]:
    """Who pays, for a provider that takes no order without; nobody else is told."""
    if not any(bank.needs_payer_name for bank in _banks(house, payment)):
        return {}
    row = (
        await unit.conn.execute(select(borrowers).where(borrowers.c.id == payment.borrower_id))
    ).one()
    found: dict[str, Any] = {"payer_name": unit.open("borrowers.name_enc", row.id, row.name_enc)}
    if row.phone_enc is not None:
        found["payer_phone"] = Phone(unit.open("borrowers.phone_enc", row.id, row.phone_enc))
    if row.email_enc is not None:
        found["payer_email"] = EmailAddress(unit.open("borrowers.email_enc", row.id, row.email_enc))
    return found


async def _remittance(unit: Unit, payment_id: UUID) -> str:
    """The lender's own references of the loans: what his bank statement will show."""
    rows = await unit.conn.execute(
        select(loans.c.external_ref)
        .join(payment_cases, payment_cases.c.loan_id == loans.c.id)
        .where(payment_cases.c.payment_id == payment_id)
        .order_by(loans.c.external_ref)
    )
    return " ".join(row.external_ref for row in rows)[:140]


def _banks(house: House, payment: Row[Any]) -> list[Bank]:
    banks = house.payment(payment.connector).banks()
    return [bank for bank in banks if bank.id == payment.bank_id]


def _wants_debtor(house: House, payment: Row[Any]) -> bool:
    return any(bank.needs_debtor_iban for bank in _banks(house, payment))


async def _debtor(unit: Unit, payment: Row[Any]) -> Iban | None:
    """An account of his there, for a bank that will not take the order without.

    Elsewhere the borrower chooses at his bank from which account he pays.
    """
    signal_id = await unit.conn.scalar(
        select(payment_links.c.signal_id).where(payment_links.c.id == payment.link_id)
    )
    known = await payer_accounts(
        unit, payment.borrower_id, connector=payment.connector, signal_id=signal_id
    )
    row = known.get(payment.bank_id)
    if row is None:
        return None
    return Iban(unit.open("accounts.iban_enc", row.id, row.iban_enc))
