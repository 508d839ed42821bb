"""One e-mail over one connection: all before the text can be repeated, the text itself cannot."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE_POLICY
from email.utils import format_datetime
from typing import Final, Literal, NoReturn

import aiosmtplib
import structlog
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from app.domain.errors import Declined, Invalid, Misconfigured, OutcomeUnknown, TryLater
from app.domain.ids import EmailAddress
from app.ports import (
    ADDRESS_INVALID,
    DeliveryState,
    InboundEvent,
    InboundHttp,
    OutgoingEmail,
    SendReceipt,
    Wire,
)
from connectors._http import is_loopback_host
from connectors._settings import ConnectorSettings
from connectors.smtp.bounces import event_of, verify
from connectors.smtp.sockets import public_socket

NAME: Final = "smtp"
log = structlog.get_logger("connectors.smtp")

# The server refuses us, not this e-mail: a person has to mend the channel.
CHANNEL_WAIT: Final = timedelta(minutes=30)
# Enhanced status codes (RFC 3463) that mean: this mailbox does not exist, or is closed for good.
_DEAD: Final = re.compile(r"5\.(?:1\.(?:1|2|3|6|10)|2\.1)\b")
_ENHANCED: Final = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")


class Settings(ConnectorSettings):
    """One mail server. An empty host means that e-mail is not set up."""

    model_config = SettingsConfigDict(env_prefix="SALDO_SMTP_", frozen=True, extra="ignore")

    host: str = Field(default="", description="Mail server that takes e-mail for sending.")
    port: int = Field(default=587, ge=1, le=65535, description="Its port: 587, or 465 with tls.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="starttls, tls (from the first byte), or none, which is allowed to this "
        "machine itself alone.",
    )
    user: str = Field(default="", description="User name, if the server wants one.")
    password: SecretStr = Field(default=SecretStr(""), description="Its password.")
    from_address: str = Field(
        default="",
        description="Address e-mails come from, such as messages@pay.example.com. The name "
        "beside it is the lender's.",
    )
    reply_to: str = Field(
        default="", description="Address that answers go to. Empty: the address above."
    )
    bounce_address: str = Field(
        default="",
        description="Address that undeliverable e-mails return to (envelope sender). Empty: "
        "the address they come from.",
    )
    bounce_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Secret that signs bounces handed to /hooks/smtp, 32 letters or more. "
        "Empty: no bounce is taken.",
    )
    timeout_seconds: float = Field(
        default=20.0, gt=1, le=28, description="Real seconds one e-mail may take."
    )

    @field_validator("from_address", "reply_to", "bounce_address")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if not value:
            return ""
        try:
            return EmailAddress.parse(value).reveal()
        except Invalid:
            message = "must be a plain e-mail address"
            raise ValueError(message) from None

    @field_validator("bounce_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and len(value.get_secret_value()) < 32:
            message = "must have at least 32 letters"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _no_plain_text_abroad(self) -> Settings:
        if self.security == "none" and self.host and not is_loopback_host(self.host):
            message = "SECURITY none is allowed to this machine itself alone"
            raise ValueError(message)
        return self

    def live_addresses(self) -> tuple[str, ...]:
        """The mail server, unless it stands on this machine."""
        return () if not self.host or is_loopback_host(self.host) else (self.host,)

    def check(self) -> None:
        """Raises `Misconfigured` for the first thing that is missing."""
        if not self.host:
            raise Misconfigured("SALDO_SMTP_HOST", "is not set", "Name your mail server.")
        if not self.from_address:
            raise Misconfigured(
                "SALDO_SMTP_FROM_ADDRESS", "is not set", "Name the address e-mails come from."
            )
        if bool(self.user) != bool(self.password.get_secret_value()):
            raise Misconfigured(
                "SALDO_SMTP_PASSWORD", "does not match SALDO_SMTP_USER", "Set both or neither."
            )


class SmtpEmails:
    """`EmailPort` over one mail server."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises `Misconfigured` when a setting is missing."""
        settings.check()
        self._settings = settings
        self._now = wire.now
        self._real_now = wire.real_now
        self._tls = ssl.create_default_context() if settings.security != "none" else None

    async def send(self, mail: OutgoingEmail) -> SendReceipt:
        """One attempt over a connection of its own."""
        ready = self._compose(mail)
        talk = _Talk(self._settings, self._tls)
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                await talk.open()
                await talk.hand_over(mail.to.reveal(), bytes(ready))
        except TimeoutError:
            raise _lost("no answer in time", after_text=talk.text_begun) from None
        finally:
            talk.close()
        return SendReceipt(str(ready["Message-ID"]), DeliveryState.ACCEPTED)

    def ref_of(self, mail: OutgoingEmail) -> str:
        """The Message-ID, made from the message's own key."""
        return f"<{mail.key}@{self._host}>"

    async def sign_in(self) -> None:
        """All that comes before an e-mail. Raises TryLater."""
        talk = _Talk(self._settings, self._tls)
        try:
            await talk.open()
        finally:
            talk.close()

    def read_webhook(self, call: InboundHttp) -> InboundEvent:
        """A bounce, signed with the shared secret. Raises `NotAllowed`, `Unreadable`."""
        secret = self._settings.bounce_secret.get_secret_value()
        verify(call, secret, self._real_now())
        return event_of(call.body, self._host)

    @property
    def _host(self) -> str:
        return self._settings.from_address.rpartition("@")[2]

    def _compose(self, mail: OutgoingEmail) -> EmailMessage:
        made = EmailMessage(policy=WIRE_POLICY)
        made["From"] = Address(mail.sender_name, addr_spec=self._settings.from_address)
        made["To"] = Address(addr_spec=mail.to.reveal())
        made["Subject"] = mail.subject
        made["Date"] = format_datetime(self._now())
        made["Message-ID"] = self.ref_of(mail)
        if self._settings.reply_to:
            made["Reply-To"] = Address(addr_spec=self._settings.reply_to)
        made["Content-Language"] = mail.language
        # Nobody's holiday notice shall answer, and no filter take it for a list of strangers.
        made["Auto-Submitted"] = "auto-generated"
        if mail.stop_url:
            made["List-Unsubscribe"] = f"<{mail.stop_url}>"
            made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        made.set_content(mail.body, charset="utf-8", cte="quoted-printable")
        return made


class _Talk:
    """One conversation with the server. `text_begun`: from here on it may have been sent."""

    def __init__(self, settings: Settings, tls: ssl.SSLContext | None) -> None:
        self.text_begun = False
        self._settings = settings
        self._client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=None if settings.public_only else settings.port,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            tls_context=tls,
            timeout=settings.timeout_seconds,
        )

    async def open(self) -> None:
        """Connect, secure, sign in. Whatever fails here: nothing was sent."""
        try:
            await self._client.connect(sock=await self._socket())
            if self._settings.user:
                await self._client.login(
                    self._settings.user, self._settings.password.get_secret_value()
                )
        except aiosmtplib.SMTPAuthenticationError as no:
            self._channel_broken(no)
        except aiosmtplib.SMTPResponseException as no:
            raise _later(no) from None
        except (aiosmtplib.SMTPException, OSError) as broken:
            raise _lost(type(broken).__name__, after_text=False) from None

    async def _socket(self) -> socket.socket | None:
        """For a server that a lender has named; None: whoever runs this installation did."""
        if not self._settings.public_only:
            return None
        return await public_socket(self._settings.host, self._settings.port)

    async def hand_over(self, to: str, content: bytes) -> None:
        """Sender, recipient, text. Raises what the answer means."""
        sender = self._settings.bounce_address or self._settings.from_address
        try:
            await self._client.mail(sender)
        except aiosmtplib.SMTPResponseException as no:
            if 500 <= no.code < 600:
                self._channel_broken(no)
            raise _later(no) from None
        except aiosmtplib.SMTPException as broken:
            raise _lost(type(broken).__name__, after_text=False) from None
        try:
            await self._client.rcpt(to)
        except aiosmtplib.SMTPResponseException as no:
            raise _answer(no) from None
        except aiosmtplib.SMTPException as broken:
            raise _lost(type(broken).__name__, after_text=False) from None
        self.text_begun = True
        try:
            await self._client.data(content)
        except aiosmtplib.SMTPResponseException as no:
            if 200 <= no.code < 300:
                return
            raise _answer(no) from None
        except (aiosmtplib.SMTPException, OSError) as broken:
            raise _lost(type(broken).__name__, after_text=True) from None

    def close(self) -> None:
        """Hang up. What was accepted is accepted, whether or not the server hears a QUIT."""
        self._client.close()

    def _channel_broken(self, no: aiosmtplib.SMTPResponseException) -> NoReturn:
        log.error("channel_misconfigured", connector=NAME, code=no.code)
        raise TryLater(_said(no), after=CHANNEL_WAIT, connector=NAME, operation="send") from None


def _answer(no: aiosmtplib.SMTPResponseException) -> Declined | TryLater | OutcomeUnknown:
    """A clear no is final, "later" is later; what is no SMTP answer tells nothing."""
    if 500 <= no.code < 600:
        text = str(no.message)
        enhanced = _ENHANCED.search(text)
        dead = bool(_DEAD.search(text)) or (no.code == 550 and enhanced is None)
        reason = ADDRESS_INVALID if dead else (enhanced.group() if enhanced else str(no.code))
        return Declined(_said(no), reason=reason, connector=NAME, operation="send")
    if 400 <= no.code < 500:
        return _later(no)
    return OutcomeUnknown(_said(no), connector=NAME, operation="send")


def _later(no: aiosmtplib.SMTPResponseException) -> TryLater:
    return TryLater(_said(no), connector=NAME, operation="send")


def _lost(why: str, *, after_text: bool) -> TryLater | OutcomeUnknown:
    kind = OutcomeUnknown if after_text else TryLater
    return kind(why, connector=NAME, operation="send")


def _said(no: aiosmtplib.SMTPResponseException) -> str:
    """The code alone: servers repeat the address in their words."""
    enhanced = _ENHANCED.search(str(no.message))
    return f"SMTP {no.code}" + (f" {enhanced.group()}" if enhanced else "")
