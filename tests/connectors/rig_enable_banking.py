"""Enable Banking over the sandbox's banks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.domain.errors import ConsentDoubtful
from app.pay_ports import PaymentBegun, PaymentOrder
from sandbox import psu
from sandbox.bank_list import as_enable_banking_toml
from sandbox.faces.eb_wire import APP_ID, ROOT, customer_key
from sandbox.modes import BankMode
from sandbox.people import Person
from tests.connectors.rig_ways import BroughtRig
from tests.connectors.scene import ORIGIN


class EnableBankingRig(BroughtRig):
    """The person's browser brings a code back; `back` hands it on as the page does."""

    connector = "enable_banking"
    asks_bank_for_status = False
    lists_at_bank = False
    unknown_consent_in_reads = ConsentDoubtful
    takes_back = False

    def __init__(self, folder: Path, bank_id: str = "luz") -> None:
        self.key = folder / "application.pem"
        self.key.touch(0o600)
        self.key.write_bytes(customer_key())
        super().__init__(folder, bank_id)

    def banks_as_toml(self) -> str:
        return as_enable_banking_toml()

    def given(self) -> dict[str, Any]:
        return {
            "banks": self.bank_list,
            "app_id": APP_ID,
            "private_key": self.key,
            "base_url": f"{ORIGIN}{ROOT}",
            "payment_page_minutes": 30,
        }

    # ------------------------------------------------------------ payments

    def order(self, person: Person, **changes: Any) -> PaymentOrder:
        back = {"return_url": "https://saldo.example/p/back/t0k3n"}
        return super().order(person, **{**back, **changes})

    def lose_payment_answer(self, person: Person) -> None:
        self.scene.world.town.set_bank_mode(person.bank_id, BankMode.PAYMENT_ANSWER_LOST)

    def pay(self, begun: PaymentBegun, person: Person) -> None:
        back = psu.pay(self.scene.world, begun.redirect_url, person)
        assert back == "https://saldo.example/p/back?state=t0k3n"
