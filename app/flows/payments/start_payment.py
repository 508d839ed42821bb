"""The tap: the borrower wants to pay, and is sent to his bank at once.

One payment means one authorised payment. Under the borrower's lock a live payment of his is
found or a new one made and claimed, in one transaction; then the bank is asked; only a recorded
answer redirects. Two browsers that tap in the same moment meet at the lock: the second one finds
the first one's payment and gets the same page of the bank.
"""

from __future__ import annotations

import json
from base64 import b32encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, insert, select

from app.domain.allocation import OpenDue, spread
from app.domain.errors import Invalid, NotAllowed
from app.domain.ids import derive_key
from app.domain.money import Money
from app.domain.payee import carries
from app.domain.payment import PaymentState
from app.flows.actors import ROBOT
from app.flows.house import House
from app.flows.money.ask_owed import ask_owed, stale
from app.flows.payments.cancel_payment import still_wanted
from app.flows.payments.create_initiation import (
    Claim,
    Made,
    claim_initiation,
    create_initiation,
    give_up_if_stale,
)
from app.flows.payments.leave_open import is_under_way, stay_of
from app.flows.payments.record_payment import apply_event
from app.flows.payments.ways_to_pay import moved_by, unpayable
from app.ports import Bank, Presence
from app.store.accounts import of_provider, payer_accounts
from app.store.brakes import Brake, halted
from app.store.dues import Due, dues_of
from app.store.keys import new_id, new_token
from app.store.links import find_link, load_link, session_holds, works
from app.store.locks import lock_borrower
from app.store.payees import payees_of
from app.store.payments import (
    RETURN_HASH,
    amount_of,
    live_payment,
    look_soon,
    note_sent,
    open_redirect,
)
from app.store.tables import accounts, funds_signals, lenders, payment_cases, payments
from app.store.unit import Unit

# Business time: a payment the bank has not made for this long is not waited for any more.
REQUEST_LASTS: Final = timedelta(minutes=10)


class PayStep(StrEnum):
    """Where the borrower stands after the tap.

    to_bank: send him to `redirect_url`. preparing: somebody is asking the bank this moment, or he
    is confirming it there; show a page that looks again. on_its_way: he has authorised one, nothing
    more to do. try_later: the bank does not answer, nothing happened. declined: his bank will not
    make this payment. nothing_due: there is nothing to pay. checking: we are asking the lender what
    is owed, or the bank to take back a payment that is no longer wanted.
    """

    TO_BANK = "to_bank"
    PREPARING = "preparing"
    ON_ITS_WAY = "on_its_way"
    TRY_LATER = "try_later"
    DECLINED = "declined"
    NOTHING_DUE = "nothing_due"
    CHECKING = "checking"


@dataclass(frozen=True, slots=True)
class Started:
    """The answer to a tap. `redirect_url` is set exactly for `to_bank`."""

    step: PayStep
    payment_id: UUID | None = None
    redirect_url: str = ""


@dataclass(frozen=True, slots=True)
class Tap:
    """What came with the tap. `amount=None` pays all that is due, `bank_id=None` his own bank."""

    presence: Presence
    amount: Money | None = None
    bank_id: str | None = None


async def start_payment(
    house: House, now: datetime, token: str, *, session: str | None, tap: Tap
) -> Started:
    """Begin a payment, or find the one that has begun.

    Raises `NotFound` for an unknown link, `NotAllowed` when the link is over, the person was not
    checked in this browser, or the lender has halted payments; `Invalid` for an amount that is
    not between nothing and what is due, or a bank that cannot be paid from.
    """
    found = await find_link(house.store, token)
    house = await house.of(found.lender_id)
    async with house.store.unit(found.lender_id) as unit:
        await lock_borrower(unit, found.borrower_id)
        link = await load_link(unit, found.link_id)
        if not await session_holds(unit, house.real_now(), link.id, session):
            raise NotAllowed("Please prove first that it is you.", code="CheckFirst")
        outcome = await _find_or_make(unit, house, now, link, tap)
    if isinstance(outcome, Started):
        return outcome
    return await _at_the_bank(house, now, outcome)


async def _at_the_bank(house: House, now: datetime, claim: Claim) -> Started:
    initiation = await create_initiation(house, now, claim)
    step = {
        Made.OPENED: PayStep.TO_BANK,
        Made.NOT_MADE: PayStep.TRY_LATER,
        Made.ABANDONED: PayStep.TRY_LATER,
        Made.REJECTED: PayStep.DECLINED,
        Made.LATE: PayStep.PREPARING,
    }[initiation.made]
    return Started(step, claim.payment_id, initiation.redirect_url)


async def _find_or_make(
    unit: Unit, house: House, now: datetime, link: Row[Any], tap: Tap
) -> Started | Claim:
    """Everything that is decided under the lock."""
    live = await live_payment(unit, link.borrower_id)
    if live is not None:
        standing = await _standing(unit, house, now, live, tap)
        if standing is not None:
            return standing
    if not works(link, now):
        raise NotAllowed("This link is over.", code="LinkOver")
    if await halted(unit, link.lender_id, Brake.PAYMENT):
        raise NotAllowed("Payments are paused at the moment.", code="Halted")
    found = await _dues(unit, now, link.borrower_id)
    if not found:
        return Started(PayStep.NOTHING_DUE)
    dues = await _payable(unit, house, link.lender_id, found, tap.amount)
    longest = house.settings.owed_max_age + timedelta(hours=house.settings.link_hours)
    if unsure := stale(dues, now, longest):
        await ask_owed(unit, now, link.lender_id, unsure)
        return Started(PayStep.CHECKING)
    payment = await _insert(unit, house, now, link, dues, tap)
    return await claim_initiation(unit, house, now, payment)


async def _standing(
    unit: Unit, house: House, now: datetime, live: Row[Any], tap: Tap
) -> Started | Claim | None:
    """What the payment that has begun already means for this tap; None: make a new one."""
    match PaymentState(live.state):
        case PaymentState.OPEN:
            if await still_wanted(unit, house, now, live):
                if is_under_way(live, stay_of(house, live)):
                    await look_soon(unit, now, live.id)
                    return Started(PayStep.PREPARING, live.id)
                await note_sent(unit, now, live.id)
                return Started(PayStep.TO_BANK, live.id, open_redirect(unit, live))
            await look_soon(unit, now, live.id)
            return Started(PayStep.CHECKING, live.id)
        case PaymentState.CREATING:
            if await give_up_if_stale(unit, house, now, live):
                return None
            return Started(PayStep.PREPARING, live.id)
        case PaymentState.REQUESTED:
            # Its bank made nothing of it: whoever chooses anew gets what he chooses.
            anew = tap.bank_id not in (None, live.bank_id) or (
                tap.amount not in (None, amount_of(live))
            )
            if now - live.created_at < REQUEST_LASTS and not anew:
                return await claim_initiation(unit, house, now, live)
            await apply_event(unit, now, live, "cancel", actor=ROBOT)
            return None
        case _:
            return Started(PayStep.ON_ITS_WAY, live.id)


async def _dues(unit: Unit, now: datetime, borrower_id: UUID) -> tuple[Due, ...]:
    """What he has due with an open case, oldest first."""
    found = await dues_of(unit, (borrower_id,), now)
    return tuple(due for due in found.get(borrower_id, ()) if due.case_id is not None)


async def _payable(
    unit: Unit, house: House, lender_id: UUID, dues: tuple[Due, ...], wanted: Money | None
) -> tuple[Due, ...]:
    """Those that can be paid here. Raises `NotAllowed` where none can, or not what he chose."""
    lender = (await unit.conn.execute(select(lenders).where(lenders.c.id == lender_id))).one()
    closed = await unpayable(unit, lender, {due.currency for due in dues}, moved_by(house))
    left = tuple(due for due in dues if due.currency not in closed)
    if not left or (wanted is not None and wanted.currency in closed):
        raise NotAllowed("The lender cannot be paid this way at the moment.", code="NoAccount")
    return left


async def _insert(
    unit: Unit, house: House, now: datetime, link: Row[Any], dues: tuple[Due, ...], tap: Tap
) -> Row[Any]:
    """Write the payment and what it is for; the caller claims it in the same transaction."""
    paid, parts = _parts(dues, tap.amount)
    connector = house.payment_name
    bank = await _bank(unit, house, link, tap.bank_id, paid.currency)
    payment_id, back = new_id(), new_token()
    before = await unit.conn.scalar(
        select(func.count()).select_from(payments).where(payments.c.link_id == link.id)
    )
    row: Row[Any] = (
        await unit.conn.execute(
            insert(payments)
            .values(
                id=payment_id,
                lender_id=link.lender_id,
                borrower_id=link.borrower_id,
                link_id=link.id,
                key=derive_key(link.id, "payment", int(before or 0)),
                connector=connector,
                bank_id=bank.id,
                amount_minor=paid.minor,
                currency=paid.currency,
                # SEPA instant knows euros only.
                instant=bank.instant_payments and paid.currency == "EUR",
                end_to_end_ref=reference_of(payment_id, bank.longest_reference),
                return_hash=unit.vault.digest(RETURN_HASH, back),
                return_enc=unit.seal("payments.return_enc", payment_id, back),
                payer_enc=unit.seal(
                    "payments.payer_enc",
                    payment_id,
                    json.dumps({"ip": tap.presence.ip, "user_agent": tap.presence.user_agent}),
                ),
                created_at=now,
                next_look_at=now,
            )
            .returning(payments)
        )
    ).one()
    await unit.conn.execute(
        insert(payment_cases),
        [
            {
                "lender_id": link.lender_id,
                "payment_id": payment_id,
                "case_id": due.case_id,
                "loan_id": due.loan_id,
                "amount_minor": amount.minor,
            }
            for due, amount in parts
        ],
    )
    return row


def reference_of(payment_id: UUID, longest: int) -> str:
    """Our reference of a payment, letters and digits: what the lender's statement knows it by.

    "S" and 32 hexadecimal digits, unique by themselves. Where the provider takes fewer characters,
    a digest of them: 85 bits in 18 characters, so that none is met twice.
    """
    whole = f"S{payment_id.hex.upper()}"
    if len(whole) <= longest:
        return whole
    return f"S{b32encode(sha256(payment_id.bytes).digest()).decode()}"[:longest]


def _parts(dues: tuple[Due, ...], wanted: Money | None) -> tuple[Money, list[tuple[Due, Money]]]:
    """The amount to pay and its spread, oldest due first. One payment has one currency."""
    currency = dues[0].currency if wanted is None else wanted.currency
    same = {due.loan_id: due for due in dues if due.currency == currency}
    total = sum((due.amount for due in same.values()), Money.zero(currency))
    amount = total if wanted is None else wanted
    if not Money.zero(currency) < amount <= total:
        raise Invalid("amount", "must be above zero and at most what is due.")
    result = spread(
        amount, [OpenDue(due.loan_id, due.oldest_due_on, due.amount) for due in same.values()]
    )
    return amount, [(same[part.ref], part.amount) for part in result.parts]


async def _bank(
    unit: Unit, house: House, link: Row[Any], chosen: str | None, currency: str
) -> Bank:
    """The bank he chose, or the one where the money was seen."""
    found = await payable_banks(unit, house, link, (currency,))
    reachable = {bank.id: bank for bank in found[currency]}
    bank_id = chosen or await bank_seen(unit, house.payment_name, link.signal_id)
    if bank_id is None or bank_id not in reachable:
        raise Invalid("bank_id", "is not a bank one can pay from.", mend="Choose another bank.")
    return reachable[bank_id]


async def payable_banks(
    unit: Unit, house: House, link: Row[Any], currencies: Iterable[str]
) -> dict[str, tuple[Bank, ...]]:
    """For each currency the banks he can pay it from: none without the lender's account for it.

    One that wants the payer's account only where we know it.
    """
    wanted = set(currencies)
    port = house.payments.get(house.payment_name)
    if port is None:
        return dict.fromkeys(wanted, ())
    known = await payer_accounts(
        unit, link.borrower_id, connector=house.payment_name, signal_id=link.signal_id
    )
    lender = (await unit.conn.execute(select(lenders).where(lenders.c.id == link.lender_id))).one()
    accounts = await payees_of(unit, lender, wanted)
    banks = [bank for bank in port.banks() if bank.id in known or not bank.needs_debtor_iban]
    return {
        one: tuple(
            bank for bank in banks if one in accounts and carries(bank.pays, one, accounts[one])
        )
        for one in wanted
    }


async def bank_seen(unit: Unit, connector: str, signal_id: UUID | None) -> str | None:
    """The bank of the account behind a signal, if this connector reaches it."""
    found: str | None = await unit.conn.scalar(
        select(accounts.c.bank_id)
        .join(funds_signals, funds_signals.c.account_id == accounts.c.id)
        .where(funds_signals.c.id == signal_id, of_provider(connector))
    )
    return found
