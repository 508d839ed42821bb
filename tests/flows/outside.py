"""Providers that a test holds in its hand: they keep what really happened outside.

They are fakes with a memory, for what the sandbox cannot be asked to do: stop in the middle of a
call, let a second one overtake the first, lose one answer and not the next. Each has a gate that a
test may put before the effect and behind it, and a `watch` at both places for the killer.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from uuid import UUID

from app.domain.errors import NotAllowed
from app.domain.ids import Phone, Secret
from app.domain.payee import IN_EUR, Carried
from app.pay_ports import (
    CancelResult,
    PaymentBegun,
    PaymentHandle,
    PaymentNow,
    PaymentOrder,
    PayStatus,
)
from app.ports import (
    Bank,
    DeliveryState,
    Grant,
    GrantNow,
    GrantState,
    InboundEvent,
    InboundHttp,
    InboundKind,
    LenderCall,
    OutgoingEmail,
    OutgoingSms,
    SendReceipt,
)
from app.side_ports import Stay

Gate = Callable[[], Awaitable[None]]


async def _open() -> None:
    return None


@dataclass(slots=True)
class AtTheBank:
    """One payment as the bank keeps it."""

    ref: str
    order: PaymentOrder
    status: PayStatus = PayStatus.OPEN


@dataclass(slots=True)
class PayBank:
    """`PaymentPort`. `before` runs before a payment exists, `after` before the answer is given."""

    payments: dict[str, AtTheBank] = field(default_factory=dict)
    before: Gate = _open
    after: Gate = _open
    watch: Gate = _open
    on_cancel: CancelResult = CancelResult.CANCELLED
    before_cancel: Gate = _open
    before_now: Gate = _open
    after_now: Gate = _open
    needs_debtor: bool = False
    needs_name: bool = False
    pays: tuple[Carried, ...] = IN_EUR
    _refs: count[int] = field(default_factory=lambda: count(1))

    def banks(self) -> tuple[Bank, ...]:
        return (
            Bank(
                "caja",
                "Caja",
                "ES",
                needs_debtor_iban=self.needs_debtor,
                needs_payer_name=self.needs_name,
                pays=self.pays,
            ),
            Bank("otra", "Otra", "ES", pays=self.pays),
        )

    async def create_payment(self, order: PaymentOrder) -> PaymentBegun:
        await self.watch()
        await self.before()
        ref = f"P{next(self._refs)}"
        self.payments[ref] = AtTheBank(ref, order)
        await self.watch()
        await self.after()
        handle = PaymentHandle(order.bank_id, Secret(ref), order.instant)
        return PaymentBegun(
            handle, f"https://bank.example/{ref}", PaymentNow(PayStatus.OPEN, "RCVD")
        )

    async def payment_now(self, handle: PaymentHandle) -> PaymentNow:
        await self.before_now()
        status = self.payments[handle.ref.reveal()].status
        await self.after_now()
        return PaymentNow(status, status.value.upper())

    async def cancel_payment(self, handle: PaymentHandle) -> CancelResult:
        await self.before_cancel()
        payment = self.payments[handle.ref.reveal()]
        if payment.status is not PayStatus.OPEN:
            return CancelResult.TOO_LATE
        if self.on_cancel is CancelResult.CANCELLED:
            payment.status = PayStatus.CANCELLED
        return self.on_cancel

    # -------------------------------------------------- what the borrower does there

    def say_yes(self, redirect_url: str) -> bool:
        """The borrower authorises the payment behind a page he was sent to; False if it is dead."""
        payment = self.payments[redirect_url.rsplit("/", 1)[1]]
        if payment.status is not PayStatus.OPEN:
            return False
        payment.status = PayStatus.AUTHORISED
        return True

    def turn(self, status: PayStatus) -> None:
        """The newest payment takes this status."""
        list(self.payments.values())[-1].status = status

    @property
    def accepted(self) -> list[AtTheBank]:
        """Payments that the borrower has authorised: money of his that moves."""
        moving = (PayStatus.AUTHORISED, PayStatus.SETTLED)
        return [payment for payment in self.payments.values() if payment.status in moving]


@dataclass(slots=True)
class StayingBank(PayBank):
    """`StayingPort` beside it: nothing is taken back, and a page may be paid once more."""

    free_after: timedelta = timedelta(hours=1)
    page_lasts: timedelta | None = None
    under_way: frozenset[str] = frozenset()
    pays_twice: bool = False
    second: dict[str, PayStatus] = field(default_factory=dict)
    """What became of the second payment on the page of a payment."""

    def stay(self) -> Stay:
        return Stay(self.free_after, self.page_lasts, self.under_way)

    async def cancel_payment(self, handle: PaymentHandle) -> CancelResult:
        del handle
        return CancelResult.IMPOSSIBLE

    async def payment_now(self, handle: PaymentHandle) -> PaymentNow:
        await self.before_now()
        ref, _, second = handle.ref.reveal().partition("/")
        if second:
            status = self.second[ref]
            return PaymentNow(status, status.value.upper())
        more = (PaymentHandle(handle.bank_id, Secret(f"{ref}/2")),) if ref in self.second else ()
        status = self.payments[ref].status
        return PaymentNow(status, status.value.upper(), again=more, repeats=self.pays_twice)


@dataclass(slots=True)
class OnThePhone:
    """One text that the carrier took."""

    ref: str
    sms: OutgoingSms
    state: DeliveryState = DeliveryState.ACCEPTED
    reason: str = ""
    opted_out: bool = False
    permanent: bool = False


@dataclass(slots=True)
class Carrier:
    """`MessagePort`. `before` runs before a text is taken, `after` before the answer is given."""

    taken: list[OnThePhone] = field(default_factory=list)
    before: Gate = _open
    after: Gate = _open
    watch: Gate = _open
    before_find: Gate = _open
    finds_nothing: bool = False

    async def send(self, sms: OutgoingSms) -> SendReceipt:
        await self.watch()
        await self.before()
        text = OnThePhone(f"SM{len(self.taken) + 1}", sms)
        self.taken.append(text)
        await self.watch()
        await self.after()
        return self._receipt(text)

    async def find(self, sms: OutgoingSms) -> SendReceipt | None:
        await self.before_find()
        if self.finds_nothing:
            return None
        for text in self.taken:
            if text.sms.to == sms.to and sms.marker in text.sms.body:
                return self._receipt(text)
        return None

    async def message_now(self, ref: str) -> SendReceipt:
        return self._receipt(next(text for text in self.taken if text.ref == ref))

    def read_webhook(self, call: InboundHttp) -> InboundEvent:
        if call.headers.get("signature") != "good":
            raise NotAllowed("The call's signature is wrong.")
        said = json.loads(call.body)
        return InboundEvent(
            event_id=said["id"],
            kind=InboundKind(said["kind"]),
            message_ref=said.get("ref", ""),
            sender=Phone.parse(said["from"]) if "from" in said else None,
            text=said.get("text", ""),
            stop=said.get("stop"),
        )

    @staticmethod
    def _receipt(text: OnThePhone) -> SendReceipt:
        return SendReceipt(text.ref, text.state, text.reason, text.opted_out, text.permanent)


@dataclass(slots=True)
class PostOffice:
    """`EmailPort`. `before` runs before an e-mail is taken, `after` before the answer is given."""

    taken: list[OutgoingEmail] = field(default_factory=list)
    before: Gate = _open
    after: Gate = _open

    async def send(self, mail: OutgoingEmail) -> SendReceipt:
        await self.before()
        self.taken.append(mail)
        await self.after()
        return SendReceipt(self.ref_of(mail), DeliveryState.ACCEPTED)

    def read_webhook(self, call: InboundHttp) -> InboundEvent:
        if call.headers.get("signature") != "good":
            raise NotAllowed("The call's signature is wrong.")
        said = json.loads(call.body)
        receipt = SendReceipt(
            said["ref"],
            DeliveryState(said["state"]),
            reason=said.get("reason", ""),
            permanent=said.get("permanent", False),
        )
        return InboundEvent(
            event_id=said["id"],
            kind=InboundKind.MESSAGE_STATUS,
            message_ref=said["ref"],
            receipt=receipt,
        )

    @staticmethod
    def ref_of(mail: OutgoingEmail) -> str:
        """The Message-ID."""
        return f"<{mail.key}@sol.example>"


@dataclass(slots=True)
class LenderSystem:
    """`LenderHookPort`: what the lender's own system was told."""

    calls: list[LenderCall] = field(default_factory=list)
    before: Gate = _open

    async def post(self, call: LenderCall) -> None:
        await self.before()
        self.calls.append(call)

    def events(self) -> list[str]:
        """The names of the events, in the order they came."""
        return [str(json.loads(call.body)["type"]) for call in self.calls]


@dataclass(slots=True)
class Caller:
    """`HookPort`: the bank's calls about payments and consents, many in one if it likes."""

    before: Gate = _open

    async def read_webhooks(self, call: InboundHttp) -> tuple[InboundEvent, ...]:
        await self.before()
        if call.headers.get("signature") != "good":
            raise NotAllowed("The call's signature is wrong.")
        return tuple(
            InboundEvent(
                event_id=one["id"],
                kind=InboundKind(one["kind"]),
                payment_ref=Secret(one["payment"]) if "payment" in one else None,
                consent_key=UUID(one["consent"]) if "consent" in one else None,
            )
            for one in json.loads(call.body)
        )


@dataclass(slots=True)
class Consents:
    """The parts of `AggregationPort` that ask for a consent and give it back. Nothing is read."""

    ended: list[str] = field(default_factory=list)
    before: Gate = _open
    now: GrantNow = field(default_factory=lambda: GrantNow(GrantState.ACTIVE))
    asked: int = 0

    def banks(self) -> tuple[Bank, ...]:
        return (Bank("caja", "Caja", "ES"),)

    async def grant_now(self, grant: Grant) -> GrantNow:
        del grant
        self.asked += 1
        return self.now

    async def end_consent(self, grant: Grant) -> None:
        await self.before()
        self.ended.append(grant.token.reveal())


def raising(error: BaseException) -> Gate:
    """A gate that throws."""

    async def gate() -> None:
        raise error

    return gate
