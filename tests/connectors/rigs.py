"""One rig per connector: the sandbox's face of its provider, and hands to move the world with.

The contract suite knows only the protocols below; what is special to one provider stays in its
rig. Every exchange is recorded, so that it can be held against the provider's specification.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

import connectors
from app.domain.errors import ConsentEnd, ConsentGone, ProviderError
from app.domain.ids import Iban, Phone, Secret
from app.domain.money import Money
from app.domain.payee import UkAccount
from app.pay_ports import PaymentBegun, PaymentOrder, PaymentPort
from app.ports import (
    AggregationPort,
    ConsentAsk,
    ConsentBegun,
    Grant,
    GrantNow,
    InboundHttp,
    MessagePort,
    OutgoingSms,
    Presence,
    SendReceipt,
    Wire,
)
from app.side_ports import HookPort
from connectors._http import HttpSetup, client
from connectors.berlin_group.profile import BankProfile, BankRoute
from sandbox import psu
from sandbox.app import create
from sandbox.bank_list import as_toml
from sandbox.faces.payment_news import PaymentNews
from sandbox.faces.twilio_calls import signature
from sandbox.modes import BankMode, Mode
from sandbox.people import Person
from sandbox.texts import DEFAULT_NUMBER, DEFAULT_SID, DEFAULT_TOKEN
from sandbox.world import World

ORIGIN = "http://127.0.0.1:8210"
MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HERE = Presence("203.0.113.7", "Mozilla/5.0 (test)")
CREDITOR = Iban.parse("ES9121000418450200051332")
BRITISH = UkAccount.parse("20-00-00", "55779911")

SMALL = HttpSetup(total_seconds=2.0, connect_seconds=1.0)


@dataclass
class Watch:
    """Business time, moved by hand."""

    at: datetime = MONDAY

    def now(self) -> datetime:
        return self.at

    def on(self, **span: float) -> None:
        self.at += timedelta(**span)


@dataclass
class Exchange:
    """One request and what came of it; `answer` is None when it was lost."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    answer: httpx.Response | None = None


class Recorder(httpx.AsyncBaseTransport):
    """Hands everything on and keeps it."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.seen: list[Exchange] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        kept = Exchange(request.method, str(request.url), dict(request.headers), request.content)
        self.seen.append(kept)
        answer = await self._inner.handle_async_request(request)
        await answer.aread()
        kept.answer = answer
        return answer


@dataclass
class Scene:
    """A sandbox world and the client that reaches it."""

    watch: Watch = field(default_factory=Watch)
    world: World = field(init=False)
    recorder: Recorder = field(init=False)

    def __post_init__(self) -> None:
        self.world = World(now=self.watch.now, real_now=self.watch.now)
        self.recorder = Recorder(httpx.ASGITransport(create(self.world)))

    def wire(self, transport: httpx.AsyncBaseTransport | None = None) -> Wire:
        http = client(SMALL, transport=transport or self.recorder)
        return Wire(http, self.watch.now, self.watch.now)


class BankRig:
    """Berlin Group over the sandbox's banks. One bank at a time, named by its id.

    Rigs of other providers derive from it and say in the fields below what is different there.
    """

    connector = "berlin_group"
    states_presence = True
    """A present borrower is stated to the bank, and reads with him there are free."""
    presence_header = "psu-ip-address"
    asks_to_begin = True
    """Beginning a consent is a call; elsewhere it is only an address for the borrower."""
    lists_blocked = True
    """A blocked account is seen in the list; elsewhere only when it is read."""
    takes_iban = True
    """A consent can be asked for one account; elsewhere the borrower chooses it."""
    asks_bank_for_status = True
    """A consent's status comes from the bank, so its outage hides the status too."""
    lists_at_bank = True
    """The list of accounts is read at the bank each time."""
    unknown_consent_in_reads: type[ProviderError] = ConsentGone
    """What a read says where the provider does not know the consent."""
    given_back = ConsentEnd.CLOSED_BY_US
    """How a consent is found ended after it was given back."""
    some_ref = "no-such-payment"
    """An id that could be a payment's, and is none's."""
    refusal_ends = True
    """The payer's no at his bank ends the payment; elsewhere its page can be paid again."""
    takes_back = True
    """An open payment can be taken back; elsewhere it stays."""
    pays_again = False
    """A payment page can be paid more than once."""
    dates_calls = True
    """The provider signs the time of its calls to us, so that an old one can be refused."""

    def __init__(self, folder: Path, bank_id: str = "luz") -> None:
        self.scene = Scene()
        self.scene.world.hooks.origin = ORIGIN
        self.scene.world.hooks.urls = {self.connector: f"https://saldo.example{self.hook_path}"}
        self.bank_id = bank_id
        self.bank_list = folder / "banks.toml"
        self.bank_list.write_text(self.banks_as_toml(), encoding="utf-8")
        if connectors.discover()[self.connector].aggregation is not None:
            self.aggregation = self.aggregation_over(None)
        if connectors.discover()[self.connector].payments is not None:
            self.payments = self.payments_over(None)

    def banks_as_toml(self) -> str:
        return as_toml(ORIGIN)

    @property
    def watch(self) -> Watch:
        return self.scene.watch

    @property
    def seen(self) -> list[Exchange]:
        return self.scene.recorder.seen

    def asked_of_banks(self) -> int:
        """How many of the requests so far had a bank asked for something."""
        return len(self.seen)

    def given(self) -> dict[str, Any]:
        """The settings of the connector."""
        return {"banks": self.bank_list}

    def _settings(self) -> Any:
        return connectors.discover()[self.connector].settings.model_validate(self.given())

    def aggregation_over(self, transport: httpx.AsyncBaseTransport | None) -> AggregationPort:
        build = connectors.discover()[self.connector].aggregation
        assert build is not None
        return build(self._settings(), self.scene.wire(transport))

    def payments_over(self, transport: httpx.AsyncBaseTransport | None) -> PaymentPort:
        build = connectors.discover()[self.connector].payments
        assert build is not None
        return build(self._settings(), self.scene.wire(transport))

    # ------------------------------------------------------------ the provider's calls

    @property
    def hook_path(self) -> str:
        return f"/hooks/{self.connector}"

    def hooks_over(self, transport: httpx.AsyncBaseTransport | None) -> HookPort:
        build = connectors.discover()[self.connector].hooks
        assert build is not None
        return build(self._settings(), self.scene.wire(transport))

    def news(self) -> list[InboundHttp]:
        """What the provider tells of payments by now; each change once."""
        watch = self.watch.now
        made = PaymentNews(self.scene.world, self.scene.wire().http, watch).calls()
        return [InboundHttp(one.url, one.headers, one.content) for one in made]

    def news_refs(self, begun: PaymentBegun) -> set[str]:
        """What its news may call a payment."""
        return {begun.handle.ref.reveal()}

    # ------------------------------------------------------------ people and consents

    def person(self, **about: Any) -> Person:
        return self.scene.world.add_person(bank_id=self.bank_id, **about)

    def ask(self, **changes: Any) -> ConsentAsk:
        plain: dict[str, Any] = {
            "key": uuid4(),
            "bank_id": self.bank_id,
            "valid_until": date(2027, 1, 31),
            "recurring": True,
            "frequency_per_day": 4,
            "return_url": "https://saldo.example/back",
            "refused_url": "https://saldo.example/refused",
            "presence": HERE,
        }
        return ConsentAsk(**{**plain, **changes})

    async def begin(self, **changes: Any) -> ConsentBegun:
        return await self.aggregation.begin_consent(self.ask(**changes))

    async def granted(self, person: Person) -> Grant:
        begun = await self.begin()
        self.allow(begun, person)
        return await self.back(begun)

    def any_grant(self, token: str) -> Grant:
        """A grant that the provider is asked with, whatever it thinks of it."""
        return Grant(self.bank_id, Secret(token))

    async def back(self, begun: ConsentBegun) -> Grant:
        """The grant to go on with once the person is back from his bank."""
        return begun.grant

    async def refusal(self, begun: ConsentBegun) -> GrantNow:
        """What is known of the consent once the person is back, having said no."""
        return await self.aggregation.grant_now(begun.grant)

    def page(self, begun: ConsentBegun) -> str:
        """The bank's page behind the redirect."""
        return begun.redirect_url

    def allow(
        self, begun: ConsentBegun, person: Person, ibans: Sequence[str] | None = None
    ) -> None:
        back = psu.allow(self.scene.world, self.page(begun), person, ibans)
        assert back.partition("?")[0].endswith("/back")

    def forbid(self, begun: ConsentBegun, person: Person) -> None:
        psu.forbid(self.scene.world, self.page(begun), person)

    def revoke(self, person: Person) -> None:
        assert self.scene.world.revoke_all(person.id) == 1

    def lose_consent_answer(self, person: Person) -> None:
        self.scene.world.set_mode(person.id, Mode.CONSENT_ANSWER_LOST)

    def lose_payment_answer(self, person: Person) -> None:
        self.scene.world.set_mode(person.id, Mode.PAYMENT_ANSWER_LOST)

    def outages(self) -> list[Callable[[], None]]:
        """Ways in which the whole bank can be down, each as a switch."""

        def switch(mode: BankMode) -> Callable[[], None]:
            return lambda: self.scene.world.town.set_bank_mode(self.bank_id, mode)

        return [switch(BankMode.OUTAGE_401), switch(BankMode.OUTAGE_503)]

    # ------------------------------------------------------------ payments

    def order(self, person: Person, **changes: Any) -> PaymentOrder:
        plain: dict[str, Any] = {
            "key": uuid4(),
            "bank_id": self.bank_id,
            "amount": Money(5_000, "EUR"),
            "creditor_name": "Préstamos Sol SL",
            "creditor_account": CREDITOR,
            "end_to_end_ref": "SALDO-0001",
            "remittance": "Cuota préstamo 17 ñ/ł",
            "return_url": "https://saldo.example/paid",
            "refused_url": "https://saldo.example/not-paid",
            "presence": HERE,
            "debtor_iban": Iban.parse(person.iban),
        }
        return PaymentOrder(**{**plain, **changes})

    def made_orders(self) -> int:
        """How many orders the provider has taken."""
        return len(self.scene.world.payments.all())

    def pay(self, begun: PaymentBegun, person: Person) -> None:
        assert psu.pay(self.scene.world, begun.redirect_url, person).endswith("/paid")

    def refuse_to_pay(self, begun: PaymentBegun, person: Person) -> None:
        psu.refuse_to_pay(self.scene.world, begun.redirect_url, person)


class TwilioRig:
    """Twilio over the sandbox's exchange."""

    name = "twilio"
    hook = "https://saldo.example/hooks/twilio?a=1"
    number = DEFAULT_NUMBER
    ref = "SM" + "a" * 32
    # What the provider cannot do; the contract suite then asks for what it does instead.
    searchable = True
    knows_repeats = False
    refuses_at_once = True
    proves_absence = True
    tells_opt_outs = True
    tells_permanent = True
    valid_seconds = 3600
    shortest_valid = 600

    def __init__(self, **settings: Any) -> None:
        self.scene = Scene()
        self.scene.world.texts.set_inbound_url(self.hook)
        self.settings = {
            "account_sid": DEFAULT_SID,
            "auth_token": DEFAULT_TOKEN,
            "from_number": DEFAULT_NUMBER,
            "base_url": f"{ORIGIN}/twilio",
            **settings,
        }
        self.messages = self.messages_over(None)

    @property
    def watch(self) -> Watch:
        return self.scene.watch

    @property
    def seen(self) -> list[Exchange]:
        return self.scene.recorder.seen

    def messages_over(self, transport: httpx.AsyncBaseTransport | None) -> MessagePort:
        connector = connectors.discover()[self.name]
        assert connector.messages is not None
        settings = connector.settings.model_validate(self.settings)
        return connector.messages(settings, self.scene.wire(transport))

    def person(self) -> Person:
        return self.scene.world.add_person()

    def sms(self, person: Person, **changes: Any) -> OutgoingSms:
        marker = uuid4().hex
        plain: dict[str, Any] = {
            "key": uuid4(),
            "to": Phone.parse(person.phone),
            "body": f"Préstamos Sol: {ORIGIN}/p/{marker}",
            "marker": marker,
            "valid_seconds": self.valid_seconds,
            "status_url": self.hook,
            "sent_after": self.watch.at,
        }
        return OutgoingSms(**{**plain, **changes})

    def count(self, person: Person) -> int:
        """How many texts the provider has taken for this person."""
        texts = self.scene.world.texts.all()
        return sum(sms.to == person.phone and not sms.inbound for sms in texts)

    async def now(self, sent: SendReceipt) -> SendReceipt:
        """Where a text stands, as the provider tells it."""
        return await self.messages.message_now(sent.ref)

    def fault(self, person: Person, mode: Mode) -> None:
        self.scene.world.set_mode(person.id, mode)

    def text_back(self, person: Person, words: str) -> None:
        self.scene.world.texts.from_phone(person.phone, self.number, words)

    def webhooks(self, *, good: bool = True) -> list[InboundHttp]:
        """The calls the exchange makes by now."""
        made = []
        for callback in self.scene.world.texts.due_callbacks(self.watch.at):
            token = DEFAULT_TOKEN if good else "another token"
            headers = {
                "X-Twilio-Signature": signature(token, callback.url, callback.params),
                "Content-Type": "application/x-www-form-urlencoded",
            }
            made.append(InboundHttp(callback.url, headers, b"", tuple(map(tuple, callback.params))))  # type: ignore[arg-type]
        return made


def visiting(port: PaymentPort, visit: Callable[[PaymentBegun], Awaitable[None]]) -> PaymentPort:
    """The port of a provider whose page leads to the bank: each payer goes there at once."""
    create = port.create_payment

    async def create_and_visit(order: PaymentOrder) -> PaymentBegun:
        begun = await create(order)
        await visit(begun)
        return begun

    setattr(port, "create_payment", create_and_visit)  # noqa: B010 - mypy takes no other
    return port


def answering(status: int, body: Any, **headers: str) -> httpx.MockTransport:
    """A provider that always says the same."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.MockTransport(lambda _: httpx.Response(status, headers=named, content=content))


def failing(error: type[httpx.TransportError]) -> httpx.MockTransport:
    """A provider whose connection fails in one way."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise error("broken on purpose", request=request)

    return httpx.MockTransport(fail)


# ---------------------------------------------------------------- Berlin Group by hand


def bank(**about: Any) -> BankRoute:
    plain = {
        "id": "b",
        "name": "Bank",
        "country": "ES",
        "base_url": "https://api.bank.example/psd2",
    }
    return BankRoute.of(BankProfile.model_validate({**plain, **about}))


def tpp(code: str, text: str = "", category: str = "ERROR") -> dict[str, Any]:
    return {"tppMessages": [{"category": category, "code": code, "text": text}]}


def problem(code: str, detail: str = "") -> dict[str, Any]:
    return {"type": "https://bank.example/e", "title": code, "detail": detail, "code": code}
