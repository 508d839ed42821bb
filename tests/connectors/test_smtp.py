"""SMTP against a server that does exactly what a test says, and what came through the wire."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any
from uuid import UUID

import pytest

from app.domain.errors import (
    Declined,
    Misconfigured,
    NotAllowed,
    OutcomeUnknown,
    ProviderError,
    TryLater,
    Unreadable,
)
from app.domain.ids import EmailAddress
from app.ports import (
    ADDRESS_INVALID,
    DeliveryState,
    InboundHttp,
    InboundKind,
    OutgoingEmail,
)
from tests.connectors.rawserver import RawServer, Talk, serving
from tests.connectors.registry import EMAIL_RIGS, refused
from tests.connectors.registry import EMAIL_SECRET as SECRET

pytestmark = pytest.mark.anyio

KEY = UUID("11111111-2222-5333-8444-555555555555")
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MAIL = OutgoingEmail(
    key=KEY,
    to=EmailAddress.parse("ana@correo.example"),
    subject="Un mensaje de Préstamos Sol",
    body="Hola, Ana:\n\n.Esto empieza con un punto.\nZażółć gęślą jaźń.\n" + "x" * 1500,
    language="es",
    sender_name="Préstamos Sol, S.L.",
    stop_url="https://pay.example.com/p/abc/stop/email",
)


emails = EMAIL_RIGS["smtp"]


class Server:
    """A mail server by the book, until a step of a test's own takes over."""

    def __init__(self, **steps: bytes | Callable[[Talk], Awaitable[None]]) -> None:
        self.steps = steps
        self.texts: list[bytes] = []
        self.commands: list[bytes] = []

    async def __call__(self, talk: Talk) -> None:
        if not await self._step(talk, "greet", b"220 mail.example ESMTP\r\n"):
            return
        while line := await talk.reader.readline():
            self.commands.append(line.strip())
            word = line.split(None, 1)[0].decode().lower()
            if word == "data":
                if not await self._step(talk, "data", b"354 go on\r\n"):
                    return
                self.texts.append(await talk.reader.readuntil(b"\r\n.\r\n"))
                word = "text"
            if not await self._step(talk, word, b"250 fine\r\n"):
                return

    async def _step(self, talk: Talk, word: str, usual: bytes) -> bool:
        step = self.steps.get(word, usual)
        if isinstance(step, bytes):
            await talk.say(step)
            return True
        await step(talk)
        return False


async def hang_up(_: Talk) -> None:
    """The server closes the connection without a word."""


async def reset(talk: Talk) -> None:
    talk.reset()


async def silence(_: Talk) -> None:
    await asyncio.sleep(60)


async def drip(talk: Talk) -> None:
    """A letter now and then: never an answer, never an end."""
    for letter in b"250 fine and so on and on and on":
        await talk.say(bytes([letter]))
        await asyncio.sleep(0.2)


async def attempt(server: Server, **settings: Any) -> tuple[ProviderError, RawServer]:
    async with serving(server) as running:
        return await refused(emails(running.port, **settings).send(MAIL)), running


async def test_one_email_as_the_server_gets_it() -> None:
    server = Server()
    async with serving(server) as running:
        port = emails(running.port, reply_to="hello@example.com")
        receipt = await port.send(MAIL)
    assert receipt.state is DeliveryState.ACCEPTED
    assert receipt.ref == f"<{KEY}@pay.example.com>" == port.ref_of(MAIL)
    (wire,) = server.texts
    assert max(len(line) for line in wire.split(b"\r\n")) <= 998
    assert wire.isascii()
    made = message_from_bytes(
        wire.removesuffix(b"\r\n.\r\n").replace(b"\r\n..", b"\r\n."), policy=default
    )
    assert made["Message-ID"] == receipt.ref
    assert made["Subject"] == MAIL.subject
    assert made["From"].addresses[0].display_name == MAIL.sender_name
    assert made["From"].addresses[0].addr_spec == "messages@pay.example.com"
    assert made["To"] == "ana@correo.example"
    assert made["Reply-To"] == "hello@example.com"
    assert made["List-Unsubscribe"] == f"<{MAIL.stop_url}>"
    assert made["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert made["Auto-Submitted"] == "auto-generated"
    assert made["Date"].datetime == NOW
    assert made.get_content_type() == "text/plain"
    assert made.get_content().replace("\r\n", "\n").rstrip("\n") == MAIL.body
    assert b"RCPT TO:<ana@correo.example>" in server.commands


async def test_the_key_makes_a_repeat_recognisable() -> None:
    server = Server()
    async with serving(server) as running:
        port = emails(running.port)
        assert (await port.send(MAIL)).ref == (await port.send(MAIL)).ref
    assert running.connections == 2


@pytest.mark.parametrize("word", ["greet", "ehlo", "mail", "rcpt"])
@pytest.mark.parametrize("how", [hang_up, reset, silence, drip, b"421 busy\r\n", b"451 later\r\n"])
async def test_before_the_text_nothing_was_sent(word: str, how: Any) -> None:
    server = Server(**{word: how, "helo": how if word == "ehlo" else b"250 fine\r\n"})
    error, _ = await attempt(server)
    assert isinstance(error, TryLater), error
    assert server.texts == []


@pytest.mark.parametrize("how", [hang_up, reset, silence, drip, b"hello?\r\n", b"999 what\r\n"])
async def test_after_the_text_a_lost_answer_is_unknown(how: Any) -> None:
    server = Server(text=how)
    error, _ = await attempt(server)
    assert isinstance(error, OutcomeUnknown), error
    assert len(server.texts) == 1


@pytest.mark.parametrize("how", [hang_up, reset])
async def test_a_connection_lost_at_data_counts_as_unknown(how: Any) -> None:
    error, _ = await attempt(Server(data=how))
    assert isinstance(error, OutcomeUnknown)


@pytest.mark.parametrize("answer", [b"421 4.3.2 shutting down\r\n", b"452 4.2.2 full\r\n"])
async def test_a_later_after_the_text_is_a_clear_word(answer: bytes) -> None:
    error, _ = await attempt(Server(text=answer))
    assert isinstance(error, TryLater)


@pytest.mark.parametrize(
    ("word", "answer", "reason"),
    [
        ("rcpt", b"550 5.1.1 <ana@correo.example> unknown\r\n", ADDRESS_INVALID),
        ("rcpt", b"550 no such user\r\n", ADDRESS_INVALID),
        ("rcpt", b"550-5.1.1 no\r\n550 5.1.1 such user\r\n", ADDRESS_INVALID),
        ("rcpt", b"550 5.7.1 blocked by policy\r\n", "5.7.1"),
        ("rcpt", b"552 5.2.2 mailbox full\r\n", "5.2.2"),
        ("data", b"554 no\r\n", "554"),
        ("text", b"550 5.1.1 no such user\r\n", ADDRESS_INVALID),
        ("text", b"554 5.6.0 looks like spam\r\n", "5.6.0"),
    ],
)
async def test_a_clear_no_is_declined(word: str, answer: bytes, reason: str) -> None:
    error, _ = await attempt(Server(**{word: answer}))
    assert isinstance(error, Declined)
    assert error.reason == reason
    assert "ana@" not in str(error)


async def test_a_server_that_does_not_take_our_sender_is_a_broken_channel() -> None:
    error, _ = await attempt(Server(mail=b"550 5.7.1 not from you\r\n"))
    assert isinstance(error, TryLater)
    assert error.after is not None
    assert error.after >= timedelta(minutes=10)


async def test_a_refused_sign_in_is_a_broken_channel() -> None:
    server = Server(ehlo=b"250-mail.example\r\n250 AUTH PLAIN LOGIN\r\n", auth=b"535 5.7.8 no\r\n")
    error, _ = await attempt(server, user="saldo", password="wrong")
    assert isinstance(error, TryLater)
    assert error.after is not None
    assert server.texts == []


async def test_nobody_there_means_nothing_was_sent() -> None:
    async with serving(Server()) as running:
        port = running.port
    assert isinstance(await refused(emails(port).send(MAIL)), TryLater)


async def test_a_server_without_starttls_gets_no_word_in_the_clear() -> None:
    server = Server()
    error, _ = await attempt(server, security="starttls")
    assert isinstance(error, TryLater)
    assert not any(line.startswith(b"MAIL") for line in server.commands)


async def test_a_quit_that_fails_changes_nothing() -> None:
    async with serving(Server(quit=reset)) as running:
        assert (await emails(running.port).send(MAIL)).state is DeliveryState.ACCEPTED


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"host": ""}, "SALDO_SMTP_HOST"),
        ({"from_address": ""}, "SALDO_SMTP_FROM_ADDRESS"),
        ({"user": "somebody"}, "SALDO_SMTP_PASSWORD"),
    ],
)
def test_what_is_missing_is_named(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(Misconfigured) as refusal:
        emails(**settings)
    assert refusal.value.setting == named


@pytest.mark.parametrize(
    "settings",
    [
        {"host": "mail.example.com", "security": "none"},
        {"from_address": "Saldo <messages@pay.example.com>"},
        {"from_address": "messages@pay.example.com\nBcc: x@y.example"},
        {"bounce_secret": "short"},
    ],
)
def test_dangerous_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"address|letters|machine"):
        emails(**settings)


# ---------------------------------------------------------------- bounces

REPORT = """\
From: MAILER-DAEMON@mail.example
To: bounces@pay.example.com
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: text/plain; charset=us-ascii

I am sorry.

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example
X-Postfix-Queue-ID: 4F2

Final-Recipient: rfc822; ana@correo.example
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 {status} no

--B
Content-Type: {copy}

Message-ID: {ref}
Subject: x

{rest}
--B--
"""


def report(
    action: str = "failed",
    status: str = "5.1.1",
    ref: str = f"<{KEY}@pay.example.com>",
    copy: str = "message/rfc822",
) -> bytes:
    text = REPORT.format(action=action, status=status, ref=ref, copy=copy, rest="")
    return text.replace("\n", "\r\n").encode()


def call(body: bytes, *, at: datetime = NOW, secret: str = SECRET) -> InboundHttp:
    stamp = str(int(at.timestamp()))
    signed = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"saldo-timestamp": stamp, "saldo-signature": f"v1={signed}"}
    return InboundHttp("https://pay.example.com/hooks/smtp", headers, body)


@pytest.mark.parametrize("copy", ["message/rfc822", "text/rfc822-headers"])
@pytest.mark.parametrize(
    ("action", "status", "state", "permanent"),
    [
        ("failed", "5.1.1", DeliveryState.UNDELIVERED, True),
        ("failed", "5.1.10", DeliveryState.UNDELIVERED, True),
        ("Failed", "5.2.2", DeliveryState.UNDELIVERED, False),
        ("failed", "4.4.7", DeliveryState.UNDELIVERED, False),
        ("failed", "5.7.1", DeliveryState.UNDELIVERED, False),
        ("delivered", "2.0.0", DeliveryState.DELIVERED, False),
        ("delayed", "4.4.1", DeliveryState.ACCEPTED, False),
        ("relayed", "2.0.0", DeliveryState.ACCEPTED, False),
    ],
)
def test_a_bounce_says_what_became_of_one_email(
    copy: str, action: str, status: str, state: DeliveryState, permanent: bool
) -> None:
    event = emails().read_webhook(call(report(action, status, copy=copy)))
    assert event.kind is InboundKind.MESSAGE_STATUS
    assert event.message_ref == f"<{KEY}@pay.example.com>"
    assert event.receipt is not None
    assert (event.receipt.state, event.receipt.permanent) == (state, permanent)
    assert event.receipt.reason == status


def test_the_same_bounce_is_the_same_event() -> None:
    port = emails()
    first = port.read_webhook(call(report()))
    again = port.read_webhook(call(report(), at=NOW + timedelta(minutes=1)))
    assert first.event_id == again.event_id
    assert port.read_webhook(call(report(status="5.2.2"))).event_id != first.event_id


@pytest.mark.parametrize(
    "wrong",
    [
        call(report(), secret="another secret of thirty-two letters"),
        call(report(), at=NOW - timedelta(minutes=11)),
        call(report(), at=NOW + timedelta(minutes=11)),
        InboundHttp("https://x", {}, report()),
        InboundHttp("https://x", {"saldo-timestamp": "x", "saldo-signature": "v1="}, report()),
        InboundHttp("https://x", call(report()).headers, report(status="2.0.0")),
    ],
)
def test_an_unsigned_bounce_is_not_taken(wrong: InboundHttp) -> None:
    with pytest.raises(NotAllowed):
        emails().read_webhook(wrong)


def test_without_a_secret_no_bounce_is_taken() -> None:
    with pytest.raises(NotAllowed):
        emails(bounce_secret="").read_webhook(call(report(), secret=""))


@pytest.mark.parametrize(
    "body",
    [
        b"Subject: I am on holiday\r\n\r\nBack on Monday.",
        b"",
        b"\xff\xfe\x00",
        report(ref="<somebody-elses@mail.example>"),
        report(ref=f"<{KEY}@elsewhere.example>"),
        report(action="unheard-of"),
        report()[:200],
    ],
)
def test_what_is_no_bounce_of_ours_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        emails().read_webhook(call(body))
