"""Plaid over the sandbox's banks."""

from __future__ import annotations

from typing import Any

from app.domain.errors import ConsentEnd
from app.domain.ids import EmailAddress, Phone
from app.pay_ports import PaymentBegun, PaymentOrder
from sandbox import psu
from sandbox.bank_list import as_plaid_toml
from sandbox.faces.plaid_pay import KIND, PlaidPayment
from sandbox.faces.plaid_wire import CLIENT_ID, ROOT, SECRET
from sandbox.people import Person
from tests.connectors.rig_ways import RenewedRig, SentOnRig
from tests.connectors.scene import ORIGIN


class PlaidRig(SentOnRig, RenewedRig):
    """One bank of the sandbox behind Plaid's hosted page, which sends the browser on to it."""

    connector = "plaid"
    states_presence = False
    takes_iban = False
    asks_bank_for_status = False
    lists_at_bank = False
    given_back = ConsentEnd.UNKNOWN_AT_BANK
    takes_back = False
    some_ref = "payment-id-sandbox-none"
    webhook_url = "https://saldo.example/hooks/plaid"

    def banks_as_toml(self) -> str:
        return as_plaid_toml()

    def given(self) -> dict[str, Any]:
        return {
            "banks": self.bank_list,
            "client_id": CLIENT_ID,
            "secret": SECRET,
            "client_name": "Préstamos Sol",
            "base_url": f"{ORIGIN}{ROOT}",
            "webhook_url": self.webhook_url,
            "transactions": True,
        }

    def asked_of_banks(self) -> int:
        return sum(one.url.endswith("/accounts/balance/get") for one in self.seen)

    # ------------------------------------------------------------ payments

    def order(self, person: Person, **changes: Any) -> PaymentOrder:
        plain: dict[str, Any] = {
            "end_to_end_ref": "SALDO0001",
            "debtor_iban": None,
            "payer_name": person.name,
            "payer_phone": Phone.parse(person.phone),
            "payer_email": EmailAddress.parse("ana@correo.example"),
        }
        return super().order(person, **{**plain, **changes})

    def made_orders(self) -> int:
        return len(list(self.scene.world.store.all_of(KIND, PlaidPayment)))

    def pay(self, begun: PaymentBegun, person: Person) -> None:  # noqa: ARG002 - it is open
        assert psu.pay(self.scene.world, self.at_bank, person).endswith("/paid")
