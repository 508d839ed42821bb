"""Payments at the banks: initiated, authorised once, booked once, seen through to their end.

The status is a pure function of what was persisted and of `now`; nothing runs in between.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import uuid4

from sandbox.banks import BY_ID, Bank
from sandbox.modes import Mode
from sandbox.people import Person
from sandbox.records import Debit, Payment, PayPlan
from sandbox.town import Town

_REJECTED_AFTER = timedelta(minutes=5)
_RETURNED_AFTER = timedelta(hours=24)
_BOOKED = ("ACSC", "ACCC", "ACWP")


class Outcome(StrEnum):
    """What became of the payer's yes."""

    DONE = "done"
    ALREADY = "already"
    TOO_LATE = "too_late"
    CANCELLED = "cancelled"
    NO_FUNDS = "no_funds"
    NOT_YOURS = "not_yours"


class Cancel(StrEnum):
    """What became of the TPP's wish to cancel."""

    DONE = "done"
    NEEDS_PAYER = "needs_payer"
    TOO_LATE = "too_late"


def status_at(payment: Payment, now: datetime) -> str:
    """The Berlin Group status of a payment at `now`."""
    if payment.cancelled_at is not None:
        return "CANC"
    if payment.refused_at is not None:
        return "RJCT"
    if payment.authorised_at is None:
        return "RCVD" if now < payment.authorise_until else "RJCT"
    steps = BY_ID[payment.bank_id].steps_for(payment.product)
    since = now - payment.authorised_at
    if payment.plan is PayPlan.REJECTED and since >= _REJECTED_AFTER:
        return "RJCT"
    if payment.plan is PayPlan.REJECTED:
        return steps[0].status
    if payment.plan is PayPlan.PENDING_LONG:
        since -= timedelta(days=payment.pending_days)
    if payment.plan is PayPlan.RETURNED and since >= steps[-1].after + _RETURNED_AFTER:
        return "RJCT"
    reached = [step.status for step in steps if step.after <= since]
    return reached[-1] if reached else steps[0].status


class Payments:
    """All payments of all banks, in memory and in the store."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._all: dict[str, Payment] = {}
        self._on_the_way: dict[str, list[Payment]] = defaultdict(list)
        for payment in town.store.all_of("payment", Payment):
            self._all[payment.id] = payment
            self._remember(payment)

    def _remember(self, payment: Payment) -> None:
        if payment.authorised_at is not None and payment.plan is not PayPlan.REJECTED:
            self._on_the_way[payment.debtor_iban].append(payment)

    def all(self) -> list[Payment]:
        return list(self._all.values())

    def get(self, bank_id: str, payment_id: str) -> Payment | None:
        payment = self._all.get(payment_id)
        return payment if payment is not None and payment.bank_id == bank_id else None

    def by_request(self, bank_id: str, request_key: str) -> Payment | None:
        """The payment that an earlier request with this X-Request-ID made."""
        for payment in reversed(self._all.values()):
            if payment.bank_id == bank_id and payment.request_key == request_key:
                return payment
        return None

    def _save(self, payment: Payment) -> None:
        self._town.store.put("payment", payment.id, payment)
        self._all[payment.id] = payment

    def create(
        self,
        bank: Bank,
        *,
        product: str,
        amount_minor: int,
        currency: str,
        creditor_name: str,
        creditor_iban: str,
        redirect_url: str,
        refused_url: str,
        debtor_iban: str = "",
        end_to_end: str = "",
        remittance: str = "",
        request_key: str = "",
        now: datetime,
    ) -> Payment:
        """A payment that waits for the payer until the bank's time for that is over."""
        payment = Payment(
            id=str(uuid4()),
            bank_id=bank.id,
            product=product,
            amount_minor=amount_minor,
            currency=currency,
            creditor_name=creditor_name,
            creditor_iban=creditor_iban,
            created_at=now,
            authorise_until=now + bank.authorise_within,
            redirect_url=redirect_url,
            refused_url=refused_url,
            debtor_iban=debtor_iban,
            end_to_end=end_to_end,
            remittance=remittance,
            request_key=request_key,
        )
        self._save(payment)
        return payment

    def tell(self, payment: Payment, word: str) -> None:
        """Keep what the provider has told its customer."""
        payment.told = word
        self._save(payment)

    def authorise(self, payment: Payment, person: Person, iban: str, now: datetime) -> Outcome:
        """The payer says yes. Money is booked in the same transaction, and only once."""
        if payment.authorised_at is not None:
            return Outcome.ALREADY
        if payment.cancelled_at is not None:
            return Outcome.CANCELLED
        if status_at(payment, now) != "RCVD":
            return Outcome.TOO_LATE
        debtor = payment.debtor_iban or iban
        plan_of = {plan.iban: plan for plan in person.accounts}
        if debtor not in plan_of or person.bank_id != payment.bank_id:
            return Outcome.NOT_YOURS
        if plan_of[debtor].currency != payment.currency:
            return Outcome.NOT_YOURS
        if self._town.balance(debtor, now) + plan_of[debtor].limit_minor < payment.amount_minor:
            payment.person_id, payment.debtor_iban = person.id, debtor
            self._refused(payment, "not enough money", now)
            return Outcome.NO_FUNDS
        payment.person_id, payment.debtor_iban = person.id, debtor
        payment.authorised_at = now
        payment.plan, payment.pending_days = self._plan(person)
        with self._town.store.together():
            self._save(payment)
            self._book(payment, now)
        self._remember(payment)
        return Outcome.DONE

    def _plan(self, person: Person) -> tuple[PayPlan, int]:
        if self._town.mode(person.id, Mode.PAYMENT_REJECTED) is not None:
            return PayPlan.REJECTED, 0
        days = self._town.mode(person.id, Mode.PAYMENT_PENDING_LONG)
        if days is not None:
            return PayPlan.PENDING_LONG, int(days)
        if self._town.mode(person.id, Mode.PAYMENT_RETURNED) is not None:
            return PayPlan.RETURNED, 0
        return PayPlan.SETTLES, 0

    def _book(self, payment: Payment, now: datetime) -> None:
        if payment.plan is PayPlan.REJECTED:
            return
        self._town.move(
            Debit(
                id=f"{payment.id}-out",
                iban=payment.debtor_iban,
                minor=-payment.amount_minor,
                at=now,
                payment_id=payment.id,
                end_to_end=payment.end_to_end,
                why="payment",
            )
        )
        if payment.plan is PayPlan.RETURNED:
            last = BY_ID[payment.bank_id].steps_for(payment.product)[-1]
            self._town.move(
                Debit(
                    id=f"{payment.id}-back",
                    iban=payment.debtor_iban,
                    minor=payment.amount_minor,
                    at=now + last.after + _RETURNED_AFTER,
                    payment_id=payment.id,
                    end_to_end=payment.end_to_end,
                    why="return",
                )
            )

    def _refused(self, payment: Payment, why: str, now: datetime) -> None:
        payment.refused_at, payment.refused_why = now, why
        self._save(payment)

    def refuse(self, payment: Payment, person: Person, now: datetime) -> bool:
        """The payer says no. False: there was nothing left to refuse."""
        if payment.authorised_at is not None or status_at(payment, now) != "RCVD":
            return False
        payment.person_id = person.id
        self._refused(payment, "refused by the payer", now)
        return True

    def cancel(self, payment: Payment, now: datetime) -> Cancel:
        """The TPP cancels. Before the payer's yes this is final at once."""
        if payment.cancelled_at is not None:
            return Cancel.DONE
        status = status_at(payment, now)
        if status == "RCVD":
            payment.cancelled_at = now
            self._save(payment)
            return Cancel.DONE
        if status in ("PDNG", "ACTC", "ACCP") and BY_ID[payment.bank_id].cancel_needs_payer:
            return Cancel.NEEDS_PAYER
        return Cancel.TOO_LATE

    def on_the_way(self, iban: str, now: datetime) -> int:
        """Minor units that were authorised and are not booked yet."""
        waiting = self._on_the_way.get(iban)
        if not waiting:
            return 0
        still = [p for p in waiting if status_at(p, now) not in (*_BOOKED, "RJCT")]
        self._on_the_way[iban] = still
        return sum(p.amount_minor for p in still)

    def of_person(self, person_id: str) -> list[Payment]:
        """Newest first."""
        return [p for p in reversed(self._all.values()) if p.person_id == person_id]
