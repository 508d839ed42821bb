"""What the page behind a payment link shows. Reads only: previews and prefetchers change nothing.

Before the check it shows who asks and nothing else: not a name, not an amount, not whether anything
is due at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from app.domain.errors import NotFound
from app.domain.hold import HoldBlock
from app.domain.ids import LenderId
from app.domain.message import Channel
from app.domain.money import Money
from app.domain.payment import PaymentState
from app.domain.task import TaskState
from app.flows.consents.check_person import TRIES
from app.flows.house import House
from app.flows.payments.cancel_payment import still_wanted
from app.flows.payments.leave_open import free_at, is_under_way, stay_of
from app.flows.payments.start_payment import bank_seen, payable_banks
from app.flows.providers.banks_away import banks_away
from app.flows.work.borrower_says import SAID_AS, Says
from app.ports import Bank
from app.store.brakes import emails_stopped, holds_of, opted_out
from app.store.dues import coming_of, dues_of
from app.store.links import find_link, load_link, session_holds, works
from app.store.payments import RETURN_HASH, amount_of, live_payment, open_redirect
from app.store.tables import borrowers, lenders, payments, tasks
from app.store.unit import Unit


class LinkPage(StrEnum):
    """Which page stands behind the link now.

    check: prove who you are. locked: too many wrong answers. pay: choose an amount and go on.
    to_bank: a payment has begun, go on at the bank. preparing: look again in a moment. stays: one
    that is no longer wanted and cannot be taken back has begun; wait until `free_at`. at_bank: he
    is confirming it there, and a second visit could pay a second time.
    on_its_way: authorised, not arrived yet. paid: nothing is due any more, thanks to him.
    coming: nothing is due yet, something will be. nothing_due: nothing is and nothing will be.
    over: the link's time has passed.
    """

    CHECK = "check"
    LOCKED = "locked"
    PAY = "pay"
    TO_BANK = "to_bank"
    PREPARING = "preparing"
    STAYS = "stays"
    AT_BANK = "at_bank"
    ON_ITS_WAY = "on_its_way"
    PAID = "paid"
    COMING = "coming"
    NOTHING_DUE = "nothing_due"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Asker:
    """The lender, as the borrower knows him."""

    name: str
    contact_phone: str
    contact_url: str


@dataclass(frozen=True, slots=True)
class DueLine:
    """One loan with something due."""

    case_id: UUID
    loan_ref: str
    product: str
    amount: Money
    oldest_due_on: date


@dataclass(frozen=True, slots=True)
class ComingLine:
    """What falls due next on one loan. `due_on` is a day of the lender's calendar."""

    product: str
    amount: Money
    due_on: date


@dataclass(frozen=True, slots=True)
class LinkView:
    """Everything the page may show in its state; empty where it may not.

    `asks_birth_date` and `asks_document` say which answers the lender has given us to compare.
    `dues` and `totals` (one per currency) are filled only after the check, and so is `coming`,
    where nothing is due. `payment` is the amount of the payment that has begun, `refused` that the
    last one came to nothing. `bank_id` is his own bank, `banks` all he can pay from in each
    currency that something is due in, `away` those that do not answer now (`banks_away`). `said` is
    what he told us before and nobody has dealt with yet. `in_peace`: a hold keeps us from asking
    for any of it, and him from nothing. `expires_at` is business time. `free_at`, too: from then on
    he may begin another payment than the one that has begun, which nobody can take back; None where
    somebody can.
    `emails_stopped` is None for somebody without an e-mail address.
    """

    page: LinkPage
    asker: Asker
    language: str
    time_zone: str
    expires_at: datetime
    checked: bool
    messages_stopped: bool
    emails_stopped: bool | None
    asks_birth_date: bool
    asks_document: bool
    dues: tuple[DueLine, ...] = ()
    totals: tuple[Money, ...] = ()
    coming: tuple[ComingLine, ...] = ()
    payment: Money | None = None
    redirect_url: str = ""
    free_at: datetime | None = None
    refused: bool = False
    bank_id: str | None = None
    banks: Mapping[str, tuple[Bank, ...]] = field(default_factory=dict)
    away: Mapping[str, datetime | None] = field(default_factory=dict)
    said: tuple[Says, ...] = ()
    in_peace: bool = False


@dataclass(frozen=True, slots=True)
class ReturnView:
    """What the browser that comes back is told: the bank's word, not the browser's."""

    state: PaymentState
    amount: Money
    asker: Asker
    language: str


async def open_link(
    house: House, now: datetime, token: str, *, session: str | None = None
) -> LinkView:
    """The page for this browser. Raises `NotFound` for a token that is not ours."""
    found = await find_link(house.store, token)
    house = await house.of(found.lender_id)
    async with house.store.unit(found.lender_id) as unit:
        link = await load_link(unit, found.link_id)
        person = await _one(unit, borrowers, found.borrower_id)
        lender = await _one(unit, lenders, found.lender_id)
        checked = await session_holds(unit, house.real_now(), link.id, session)
        stopped = await opted_out(unit, (person.id,), Channel.SMS)
        view = LinkView(
            page=_before_the_check(link, person, now),
            asker=_asker(lender),
            language=person.language,
            time_zone=person.time_zone or lender.time_zone,
            expires_at=link.expires_at,
            checked=checked,
            messages_stopped=bool(stopped),
            emails_stopped=await emails_stopped(unit, person.id),
            asks_birth_date=person.birth_date_hash is not None,
            asks_document=person.document_hash is not None,
        )
        if not checked:
            return view
        return await _after_the_check(unit, house, now, link, view)


async def open_return(house: House, return_token: str) -> ReturnView:
    """The page a bank sends the borrower back to. Raises `NotFound`.

    The visit proves nothing and changes nothing; the status is read from the bank by the sweep.
    """
    async with house.store.engine_unit() as unit:
        digest = unit.vault.digest(RETURN_HASH, return_token)
        lender_id = await unit.conn.scalar(
            select(payments.c.lender_id).where(payments.c.return_hash == digest)
        )
    if lender_id is None:
        raise NotFound("This page does not exist.")
    async with house.store.unit(LenderId(lender_id)) as unit:
        payment = (
            await unit.conn.execute(select(payments).where(payments.c.return_hash == digest))
        ).one()
        person = await _one(unit, borrowers, payment.borrower_id)
        lender = await _one(unit, lenders, lender_id)
    return ReturnView(
        PaymentState(payment.state), amount_of(payment), _asker(lender), person.language
    )


async def last_return(house: House, token: str) -> str:
    """The return token of the newest payment begun behind a link, for the browser that began it.

    Raises `NotFound` where there is none.
    """
    found = await find_link(house.store, token)
    async with house.store.unit(found.lender_id) as unit:
        row = (
            await unit.conn.execute(
                select(payments.c.id, payments.c.return_enc)
                .where(payments.c.link_id == found.link_id)
                .order_by(payments.c.created_at.desc(), payments.c.id.desc())
                .limit(1)
            )
        ).one_or_none()
        if row is None:
            raise NotFound("This page does not exist.")
        return unit.open("payments.return_enc", row.id, row.return_enc)


def _before_the_check(link: Row[Any], person: Row[Any], now: datetime) -> LinkPage:
    if link.checks_failed >= TRIES or person.checks_locked_at is not None:
        return LinkPage.LOCKED
    return LinkPage.CHECK if works(link, now) or link.state == "spent" else LinkPage.OVER


async def _after_the_check(
    unit: Unit, house: House, now: datetime, link: Row[Any], view: LinkView
) -> LinkView:
    found = (await dues_of(unit, (link.borrower_id,), now)).get(link.borrower_id, ())
    lines = tuple(
        DueLine(due.case_id, due.external_ref, due.product, due.amount, due.oldest_due_on)
        for due in found
        if due.case_id is not None
    )
    live = await live_payment(unit, link.borrower_id)
    last = await _last_payment(unit, link.id)
    connector = house.payment_name
    page, redirect_url = LinkPage.PAY, ""
    coming: tuple[ComingLine, ...] = ()
    free: datetime | None = None
    if live is not None:
        stay = stay_of(house, live)
        if stay is not None and live.state == PaymentState.OPEN.value:
            free = free_at(live, stay)
        page, redirect_url = await _standing(unit, house, now, live, free)
    elif not lines:
        coming = await _coming(unit, link.borrower_id)
        page = LinkPage.COMING if coming else LinkPage.NOTHING_DUE
        page = LinkPage.PAID if last in _GOOD else page
    elif not works(link, now):
        page = LinkPage.PAID if last in _GOOD else LinkPage.OVER
    return replace(
        view,
        page=page,
        dues=lines,
        totals=_totals(lines),
        coming=coming,
        payment=amount_of(live) if live is not None else None,
        redirect_url=redirect_url,
        free_at=free,
        refused=last is PaymentState.REJECTED,
        bank_id=await bank_seen(unit, connector, link.signal_id),
        banks=await payable_banks(unit, house, link, {line.amount.currency for line in lines}),
        away=_away(await banks_away(unit, house, connector, link.lender_id, now), page, live),
        said=await _waits_for_a_person(unit, link.borrower_id),
        in_peace=await _in_peace(unit, now, link.borrower_id, lines),
    )


def _away(
    away: Mapping[str, datetime | None], page: LinkPage, live: Row[Any] | None
) -> Mapping[str, datetime | None]:
    """With the bank that has just made nothing of his tap, whomever else it answers."""
    if page is not LinkPage.PAY or live is None:
        return away
    return {live.bank_id: None, **away}


async def _coming(unit: Unit, borrower_id: UUID) -> tuple[ComingLine, ...]:
    return tuple(
        ComingLine(due.product, due.amount, due.oldest_due_on)
        for due in await coming_of(unit, borrower_id)
    )


async def _waits_for_a_person(unit: Unit, borrower_id: UUID) -> tuple[Says, ...]:
    """What he said on this page or an earlier one, as long as the task for it is unfinished."""
    reasons = await unit.conn.scalars(
        select(tasks.c.reason)
        .distinct()
        .where(
            tasks.c.borrower_id == borrower_id,
            tasks.c.reason.in_([reason.value for reason in SAID_AS.values()]),
            tasks.c.state.in_([TaskState.OPEN.value, TaskState.TAKEN.value]),
        )
    )
    waiting = set(reasons)
    return tuple(said for said, reason in SAID_AS.items() if reason.value in waiting)


async def _in_peace(
    unit: Unit, now: datetime, borrower_id: UUID, lines: tuple[DueLine, ...]
) -> bool:
    """Is there a hold over everything that is due here?"""
    holds = (await holds_of(unit, (borrower_id,), now)).get(borrower_id, ())
    asking = [hold for hold in holds if hold.stops(HoldBlock.PAYMENT_ASK)]
    return bool(lines) and all(any(hold.covers(line.case_id) for hold in asking) for line in lines)


_GOOD = (PaymentState.AUTHORISED, PaymentState.SETTLED)


async def _standing(
    unit: Unit, house: House, now: datetime, live: Row[Any], free: datetime | None
) -> tuple[LinkPage, str]:
    match PaymentState(live.state):
        case PaymentState.OPEN:
            if await still_wanted(unit, house, now, live):
                if is_under_way(live, stay_of(house, live)):
                    return LinkPage.AT_BANK, ""
                return LinkPage.TO_BANK, open_redirect(unit, live)
            if free is not None and now < free:
                return LinkPage.STAYS, ""
            return LinkPage.PREPARING, ""
        case PaymentState.REQUESTED if live.claimed_at is not None:
            # His bank was asked and made nothing: he may try again, or choose another one.
            return LinkPage.PAY, ""
        case PaymentState.REQUESTED | PaymentState.CREATING:
            return LinkPage.PREPARING, ""
        case _:
            return LinkPage.ON_ITS_WAY, ""


async def _last_payment(unit: Unit, link_id: UUID) -> PaymentState | None:
    """The state of the newest payment begun through this link."""
    state = await unit.conn.scalar(
        select(payments.c.state)
        .where(payments.c.link_id == link_id)
        .order_by(payments.c.created_at.desc(), payments.c.id.desc())
        .limit(1)
    )
    return None if state is None else PaymentState(state)


def _totals(lines: tuple[DueLine, ...]) -> tuple[Money, ...]:
    totals: dict[str, Money] = {}
    for line in lines:
        currency = line.amount.currency
        totals[currency] = totals.get(currency, Money.zero(currency)) + line.amount
    return tuple(totals.values())


def _asker(lender: Row[Any]) -> Asker:
    return Asker(lender.name, lender.contact_phone, lender.contact_url)


async def _one(unit: Unit, table: Any, row_id: UUID) -> Row[Any]:
    row: Row[Any] = (await unit.conn.execute(select(table).where(table.c.id == row_id))).one()
    return row
