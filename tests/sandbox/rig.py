"""A small outside world for tests: a clock to turn, one bank customer, a client in-process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from sandbox import psu
from sandbox.app import create
from sandbox.people import Person
from sandbox.world import World

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ORIGIN = "http://sandbox.test"
CREDITOR = "ES7921000813610123456789"
ADDRESS = "203.0.113.7"


class Turned:
    """A clock that only a test moves."""

    def __init__(self, at: datetime = MONDAY) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def forward(self, **by: float) -> datetime:
        self.at += timedelta(**by)
        return self.at


class Town:
    """One world with its clock, and the calls a TPP would make."""

    def __init__(self, file: Path | None = None, people: int = 0, at: datetime = MONDAY) -> None:
        self.clock = Turned(at)
        self.world = World(seed=3, people=people, now=self.clock.now, file=file)
        self.http = client_of(self.world)

    async def ask(self, verb: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """One call with an X-Request-ID of its own unless given; `_` in names means `-`."""
        sent = {"X-Request-ID": str(uuid4())}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(verb, path, json=body, headers=sent)

    async def consent(
        self,
        person: Person,
        *,
        days: int = 90,
        recurring: bool = True,
        frequency: int = 4,
        ibans: Sequence[str] = (),
        allow: bool = True,
        also: Sequence[str] = (),
        **headers: str,
    ) -> str:
        """Ask for a consent and have the person answer it; the consent's id."""
        today = self.clock.at.date()
        answer = await self.ask(
            "POST",
            f"/banks/{person.bank_id}/psd2/v1/consents",
            {
                "access": {
                    kind: [{"iban": iban} for iban in ibans] for kind in ("balances", *also)
                },
                "recurringIndicator": recurring,
                "validUntil": (today + timedelta(days=days)).isoformat(),
                "frequencyPerDay": frequency,
                "combinedServiceIndicator": False,
            },
            PSU_IP_Address=ADDRESS,
            TPP_Redirect_URI="http://saldo.test/back",
            TPP_Nok_Redirect_URI="http://saldo.test/no",
            **headers,
        )
        assert answer.status_code == 201, answer.text
        key: str = answer.json()["consentId"]
        if allow:
            chosen = ibans or [plan.iban for plan in person.accounts]
            psu.allow(self.world, self.online(person, "consents", key), person, chosen)
        return key

    def online(self, person: Person, kind: str, key: str) -> str:
        return f"{ORIGIN}/banks/{person.bank_id}/online/{kind}/{key}"

    async def accounts(self, person: Person, consent_id: str, **headers: str) -> httpx.Response:
        return await self.ask(
            "GET",
            f"/banks/{person.bank_id}/psd2/v1/accounts",
            Consent_ID=consent_id,
            **headers,
        )

    def resource(self, consent_id: str, iban: str) -> str:
        """The bank's id of an account under a consent."""
        for consent in self.world.consents.all():
            if consent.id == consent_id:
                return next(key for key, one in consent.resources.items() if one == iban)
        raise KeyError(consent_id)

    async def balances(
        self, person: Person, consent_id: str, iban: str = "", **headers: str
    ) -> httpx.Response:
        key = self.resource(consent_id, iban or person.iban)
        return await self.ask(
            "GET",
            f"/banks/{person.bank_id}/psd2/v1/accounts/{key}/balances",
            Consent_ID=consent_id,
            **headers,
        )

    async def payment(
        self,
        person: Person,
        amount: str = "120.50",
        *,
        product: str = "sepa-credit-transfers",
        reference: str = "SALDO-1",
        debtor: bool = True,
        **headers: str,
    ) -> httpx.Response:
        """Initiate a payment of the person to the lender."""
        body: dict[str, Any] = {
            "instructedAmount": {"currency": "EUR", "amount": amount},
            "creditorName": "Préstamos Sol SL",
            "creditorAccount": {"iban": CREDITOR},
            "endToEndIdentification": reference,
            "remittanceInformationUnstructured": "Loan L-1",
        }
        if debtor:
            body["debtorAccount"] = {"iban": person.iban}
        return await self.ask(
            "POST",
            f"/banks/{person.bank_id}/psd2/v1/payments/{product}",
            body,
            PSU_IP_Address=ADDRESS,
            TPP_Redirect_URI="http://saldo.test/back",
            TPP_Nok_Redirect_URI="http://saldo.test/no",
            **headers,
        )

    def pay(self, person: Person, made: httpx.Response) -> str:
        """The person authorises a payment at his bank; where he is sent back to."""
        return psu.pay(
            self.world, self.online(person, "payments", made.json()["paymentId"]), person
        )

    async def pay_status(self, made: httpx.Response) -> str:
        path = f"{made.json()['_links']['self']['href']}/status"
        status: str = (await self.ask("GET", path)).json()["transactionStatus"]
        return status

    async def send(
        self, to: str, body: str = "Hola http://127.0.0.1/p/1", **form: str
    ) -> httpx.Response:
        """Send a text through the exchange."""
        account = self.world.texts.account
        return await self.http.post(
            f"/twilio/2010-04-01/Accounts/{account.sid}/Messages.json",
            auth=(account.sid, account.token),
            data={"To": to, "From": account.numbers[0], "Body": body, **form},
        )


def client_of(world: World) -> httpx.AsyncClient:
    """A client whose server is this world, in-process."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(create(world)), base_url=ORIGIN)
