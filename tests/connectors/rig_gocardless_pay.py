"""GoCardless's instant bank payments over the sandbox's banks."""

from __future__ import annotations

from typing import Any

from app.domain.ids import EmailAddress, Phone
from app.pay_ports import PaymentBegun, PaymentOrder
from sandbox import psu
from sandbox.bank_list import as_gocardless_pay_toml
from sandbox.faces.gc_pay import KIND
from sandbox.faces.gc_wire import ACCESS_TOKEN, HOOK_SECRET, ROOT, BillingRequest, payment_id_of
from sandbox.modes import BankMode
from sandbox.people import Person
from tests.connectors.rigs import BankRig
from tests.connectors.scene import BRITISH, CREDITOR, ORIGIN


class GoCardlessPayRig(BankRig):
    """A request is paid behind GoCardless's page, which leads to the bank that was chosen."""

    connector = "gocardless_pay"
    dates_calls = False
    some_ref = "BRQ0NOSUCHREQUEST"
    refusal_ends = False

    def banks_as_toml(self) -> str:
        return as_gocardless_pay_toml()

    def given(self) -> dict[str, Any]:
        return {
            "banks": self.bank_list,
            "access_token": ACCESS_TOKEN,
            "creditor_iban": CREDITOR.reveal(),
            "creditor_uk_account": BRITISH.reveal(),
            "base_url": f"{ORIGIN}{ROOT}",
            "webhook_secret": HOOK_SECRET,
        }

    def requests(self) -> list[BillingRequest]:
        return list(self.scene.world.store.all_of(KIND, BillingRequest))

    def lose_payment_answer(self, person: Person) -> None:
        """Twice: what is lost once is asked for again."""
        self.scene.world.town.set_bank_mode(person.bank_id, BankMode.PAYMENT_ANSWER_LOST, 2)

    def order(self, person: Person, **changes: Any) -> PaymentOrder:
        plain: dict[str, Any] = {
            "debtor_iban": None,
            "payer_name": person.name,
            "payer_phone": Phone.parse(person.phone),
            "payer_email": EmailAddress.parse("ana@correo.example"),
        }
        return super().order(person, **{**plain, **changes})

    def news_refs(self, begun: PaymentBegun) -> set[str]:
        """The request, and its payment once there is one."""
        ref = begun.handle.ref.reveal()
        (request,) = [one for one in self.requests() if one.id == ref]
        return {ref, payment_id_of(request)}

    def payment_page(self, begun: PaymentBegun) -> str:
        """The bank's page to which GoCardless's leads (the test of the face follows it)."""
        assert begun.redirect_url.startswith(f"{ORIGIN}{ROOT}/flow/BRF")
        ref = begun.handle.ref.reveal()
        (request,) = [one for one in self.requests() if one.id == ref]
        return f"{ORIGIN}/banks/{self.bank_id}/online/payments/{request.payment_id}"

    def pay(self, begun: PaymentBegun, person: Person) -> None:
        back = psu.pay(self.scene.world, self.payment_page(begun), person)
        assert back.startswith("https://saldo.example/paid?outcome=success&id=BRF")

    def refuse_to_pay(self, begun: PaymentBegun, person: Person) -> None:
        psu.refuse_to_pay(self.scene.world, self.payment_page(begun), person)
