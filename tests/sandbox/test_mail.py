"""The town's mail server, with Saldo's own connector as its client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

import connectors
from app.domain.errors import Declined, OutcomeUnknown, TryLater
from app.domain.ids import EmailAddress
from app.ports import (
    ADDRESS_INVALID,
    DeliveryState,
    EmailPort,
    InboundHttp,
    OutgoingEmail,
    Wire,
)
from connectors.smtp.bounces import event_of, verify
from sandbox.app import create
from sandbox.faces.postmaster import Postmaster
from sandbox.faces.smtp import Smtp
from sandbox.mails import BOUNCE_SECRET, address_of
from sandbox.modes import Mode
from sandbox.people import Person
from sandbox.world import World
from tests.connectors.registry import refused
from tests.connectors.scene import MONDAY

pytestmark = pytest.mark.anyio

HTTP = httpx.AsyncClient()
STOP = "https://pay.example.com/p/abc/stop/email"


@dataclass
class Mail:
    """A town with a mail server and a sender."""

    world: World
    port: EmailPort

    def letter(self, person: Person, **about: Any) -> OutgoingEmail:
        given: dict[str, Any] = {
            "key": uuid4(), "to": EmailAddress.parse(address_of(person)),
            "subject": "Un mensaje de Préstamos Sol", "body": "Hola.\n.Punto.\nhttps://a.example/p/x",
            "language": "es", "sender_name": "Préstamos Sol", "stop_url": STOP,
        }  # fmt: skip
        return OutgoingEmail(**{**given, **about})


@pytest.fixture
async def mail() -> AsyncIterator[Mail]:
    world = World(now=lambda: MONDAY)
    server = await Smtp(world).listen("127.0.0.1", 0)
    connector = connectors.discover()["smtp"]
    assert connector.emails is not None
    settings = connector.settings.model_validate(
        {"host": "127.0.0.1", "port": server.sockets[0].getsockname()[1], "security": "none",
         "from_address": "mensajes@sol.example", "timeout_seconds": 10}
    )  # fmt: skip
    yield Mail(world, connector.emails(settings, Wire(HTTP, lambda: MONDAY, lambda: MONDAY)))
    server.close()
    world.close()


async def test_a_letter_reaches_its_mailbox_and_its_page(mail: Mail) -> None:
    person = mail.world.add_person()
    letter = mail.letter(person)
    sent = await mail.port.send(letter)
    (kept,) = mail.world.mails.of_person(person)
    assert kept.message_id == sent.ref
    assert kept.subject == letter.subject
    assert kept.body.strip() == letter.body
    assert kept.stop_url == STOP
    transport = httpx.ASGITransport(create(mail.world))
    async with httpx.AsyncClient(transport=transport, base_url="http://town") as browser:
        shown = await browser.get(f"/mail/{person.id}")
        phone = await browser.get(f"/phones/{person.id}")
        nobody = await browser.get("/mail/nobody")
    assert letter.subject in shown.text
    assert '<a href="https://a.example/p/x"' in shown.text
    assert "1 in the mailbox" in phone.text
    assert nobody.status_code == 404


async def test_what_is_in_a_letter_is_shown_and_never_run(mail: Mail) -> None:
    person = mail.world.add_person()
    await mail.port.send(mail.letter(person, body="<script>alert(1)</script>"))
    transport = httpx.ASGITransport(create(mail.world))
    async with httpx.AsyncClient(transport=transport, base_url="http://town") as browser:
        assert "<script>alert" not in (await browser.get(f"/mail/{person.id}")).text


async def test_no_such_mailbox(mail: Mail) -> None:
    person = mail.world.add_person()
    mail.world.set_mode(person.id, Mode.EMAIL_UNKNOWN)
    nobody = EmailAddress.parse("nobody@elsewhere.example")
    for letter in (mail.letter(person), mail.letter(person, to=nobody)):
        error = await refused(mail.port.send(letter))
        assert isinstance(error, Declined)
        assert error.reason == ADDRESS_INVALID
    assert mail.world.mails.all() == []


async def test_later_is_once_and_then_it_is_taken(mail: Mail) -> None:
    person = mail.world.add_person()
    mail.world.set_mode(person.id, Mode.EMAIL_LATER)
    letter = mail.letter(person)
    assert isinstance(await refused(mail.port.send(letter)), TryLater)
    await mail.port.send(letter)
    assert len(mail.world.mails.all()) == 1


async def test_a_lost_answer_means_it_may_be_there(mail: Mail) -> None:
    person = mail.world.add_person()
    mail.world.set_mode(person.id, Mode.EMAIL_ANSWER_LOST)
    assert isinstance(await refused(mail.port.send(mail.letter(person))), OutcomeUnknown)
    assert len(mail.world.mails.all()) == 1


async def test_the_same_letter_twice_is_a_wrong_that_shows(mail: Mail) -> None:
    person = mail.world.add_person()
    letter = mail.letter(person, key=UUID(int=5))
    await mail.port.send(letter)
    assert mail.world.wrong() == []
    await mail.port.send(letter)
    assert [one["kind"] for one in mail.world.wrong()] == ["email_twice"]


async def test_what_nobody_lives_for_is_taken_and_comes_back_signed(mail: Mail) -> None:
    person = mail.world.add_person()
    mail.world.set_mode(person.id, Mode.EMAIL_BOUNCES, 3)
    sent = await mail.port.send(mail.letter(person))
    assert mail.world.mails.of_person(person) == []
    heard: list[InboundHttp] = []

    def saldo(request: httpx.Request) -> httpx.Response:
        call = InboundHttp(str(request.url), dict(request.headers), request.content)
        heard.append(call)
        # The first time nobody is there.
        return httpx.Response(204 if len(heard) > 1 else 503)

    http = httpx.AsyncClient(transport=httpx.MockTransport(saldo))
    url = "http://saldo.test/hooks/smtp"
    assert await Postmaster(mail.world, http, url, BOUNCE_SECRET).make_rounds() == 0
    mail.world.now = lambda: MONDAY + timedelta(minutes=3)
    assert await Postmaster(mail.world, http, url, BOUNCE_SECRET).make_rounds() == 0
    assert await Postmaster(mail.world, http, url, BOUNCE_SECRET).make_rounds() == 1
    assert await Postmaster(mail.world, http, url, BOUNCE_SECRET).make_rounds() == 0
    verify(heard[-1], BOUNCE_SECRET, datetime.now(UTC))
    receipt = event_of(heard[-1].body, "sol.example").receipt
    assert receipt is not None
    assert (receipt.ref, receipt.state) == (sent.ref, DeliveryState.UNDELIVERED)
    assert (receipt.reason, receipt.permanent) == ("5.1.1", True)
    transport = httpx.ASGITransport(create(mail.world))
    async with httpx.AsyncClient(transport=transport, base_url="http://town") as browser:
        assert "went back to its sender" in (await browser.get(f"/mail/{person.id}")).text
