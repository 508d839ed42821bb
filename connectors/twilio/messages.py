"""The Messages resource: send once, look up what is unclear, ask where a message stands."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import structlog
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from app.domain.errors import (
    Declined,
    Misconfigured,
    OutcomeUnknown,
    ProviderError,
    TryLater,
)
from app.ports import (
    NUMBER_INVALID,
    OPTED_OUT,
    DeliveryState,
    InboundEvent,
    InboundHttp,
    OutgoingSms,
    SendReceipt,
    Wire,
)
from connectors._exchange import (
    Call,
    Verdict,
    as_form,
    exchange,
    mask_text,
    read_json,
    retry_after,
    status_error,
    unreadable,
    verdict,
)
from connectors._json import try_json
from connectors._settings import ProviderSettings
from connectors.twilio.hooks import Signer, event_of, verified_form

NAME = "twilio"
API = "2010-04-01"

LONGEST_BODY = 1600
LONGEST_VALIDITY, SHORTEST_VALIDITY = 36_000, 6

# A look-up reads at most this many pages of the messages to one number.
PAGE_SIZE, MOST_PAGES = 200, 10

# Our own standing with Twilio: wrong credentials (20003), account (20404), sender (21606), trial
# account (21608). Nothing was sent, and nothing will be until somebody mends the settings.
CHANNEL_BROKEN = frozenset({20003, 20404, 21606, 21608})
CHANNEL_WAIT = timedelta(minutes=10)
TOO_MANY = 20429
REASONS: Mapping[int, str] = {21610: OPTED_OUT, 21211: NUMBER_INVALID, 21614: NUMBER_INVALID}
# Codes of a failed delivery that will fail again: opted out, no number, no mobile, no route,
# handset unknown, landline or unreachable carrier.
PERMANENT = frozenset({21610, 21211, 21614, 21612, 30005, 30006})

STATES: Mapping[str, DeliveryState] = {
    **dict.fromkeys(
        # `partially_delivered`: some parts of a long message are missing, more may come.
        ("accepted", "scheduled", "queued", "sending", "sent", "partially_delivered"),
        DeliveryState.ACCEPTED,
    ),
    **dict.fromkeys(("delivered", "read"), DeliveryState.DELIVERED),
    **dict.fromkeys(("undelivered", "failed", "canceled"), DeliveryState.UNDELIVERED),
}
_BEST_FIRST = (DeliveryState.DELIVERED, DeliveryState.ACCEPTED, DeliveryState.UNDELIVERED)
_SID = re.compile(r"[A-Z]{2}[0-9a-f]{32}")

log = structlog.get_logger(NAME)


class Settings(ProviderSettings):
    """One Twilio account. Empty settings mean that the channel is not set up."""

    model_config = SettingsConfigDict(env_prefix="SALDO_TWILIO_", frozen=True, extra="ignore")

    account_sid: str = Field(default="", description="Account SID, beginning with AC.")
    auth_token: SecretStr = Field(
        default=SecretStr(""),
        description="Auth token of the account; webhooks are verified with it.",
    )
    api_key_sid: str = Field(
        default="",
        description="API key (SK...) to send with instead of the auth token, which is then kept "
        "for verifying webhooks only.",
    )
    api_key_secret: SecretStr = Field(default=SecretStr(""), description="Secret of the API key.")
    from_number: str = Field(
        default="", description="Sender: a number (+34...), a short code or a name of 11 letters."
    )
    messaging_service_sid: str = Field(
        default="", description="Messaging Service (MG...) to send from instead of a number."
    )
    webhook_key_id: str = Field(
        default="", description="Id of the shared key, if webhooks are signed with HMAC-SHA256."
    )
    webhook_key_secret: SecretStr = Field(
        default=SecretStr(""), description="Secret of that shared key."
    )
    base_url: str = Field(
        default="https://api.twilio.com",
        description="Address of the API. Change it only for a sandbox on this machine.",
    )
    timeout_seconds: float = Field(
        default=20.0, gt=1, le=28, description="Real seconds Twilio may take for one answer."
    )

    def named(self) -> bool:
        """Once there is a client."""
        return bool(self.account_sid)

    def check(self) -> None:
        """Raises Misconfigured for the first thing that is missing."""
        wrong: tuple[tuple[bool, str, str, str], ...] = (
            (
                not self.auth_token.get_secret_value(),
                "AUTH_TOKEN", "is not set", "Copy it from Twilio's console.",
            ),
            (
                bool(self.api_key_sid) != bool(self.api_key_secret.get_secret_value()),
                "API_KEY_SECRET", "does not match API_KEY_SID", "Set both or neither.",
            ),
            (
                bool(self.from_number) == bool(self.messaging_service_sid),
                "FROM_NUMBER", "and MESSAGING_SERVICE_SID exclude each other", "Set one of them.",
            ),
            (
                not re.fullmatch(r"AC[0-9a-f]{32}", self.account_sid),
                "ACCOUNT_SID", "is not an account SID", "Copy it from Twilio's console (AC...).",
            ),
        )  # fmt: skip
        for is_wrong, name, problem, mend in wrong:
            if is_wrong:
                raise Misconfigured(f"SALDO_TWILIO_{name}", problem, mend)


class TwilioMessages:
    """`MessagePort` over the Messages resource."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured when a setting is missing."""
        settings.check()
        user = settings.api_key_sid or settings.account_sid
        secret = settings.api_key_secret if settings.api_key_sid else settings.auth_token
        pair = f"{user}:{secret.get_secret_value()}".encode()
        self._authorization = "Basic " + base64.b64encode(pair).decode()
        self._root = settings.base_url
        self._path = f"/{API}/Accounts/{settings.account_sid}/Messages"
        self._sender = (
            {"MessagingServiceSid": settings.messaging_service_sid}
            if settings.messaging_service_sid
            else {"From": settings.from_number}
        )
        self._account_sid = settings.account_sid
        self._signer = Signer(
            settings.auth_token.get_secret_value(),
            settings.webhook_key_id,
            settings.webhook_key_secret.get_secret_value(),
        )
        self._setup = settings.http_setup()
        self._http: httpx.AsyncClient = wire.http
        self._real_now = wire.real_now

    async def send(self, sms: OutgoingSms) -> SendReceipt:
        """One attempt to send. Only a refused connection, 429 and 503 with Retry-After are
        surely not sent; every other loss is OutcomeUnknown and must be looked up with `find`.
        """
        if len(sms.body) > LONGEST_BODY:
            raise self._declined("send", "the text is too long", "BODY_TOO_LONG")
        if sms.valid_seconds < SHORTEST_VALIDITY:
            raise TryLater(
                "the contact window closes", after=None, connector=NAME, operation="send"
            )
        form = {
            "To": sms.to.reveal(),
            **self._sender,
            "Body": sms.body,
            "ValidityPeriod": str(min(sms.valid_seconds, LONGEST_VALIDITY)),
        }
        if sms.status_url:
            form["StatusCallback"] = sms.status_url
        call = self._call("send", "POST", f"{self._path}.json", form)
        answer = await exchange(self._http, call)
        if answer.status_code not in (200, 201):
            raise self._refusal(answer, call)
        return receipt_of(read_json(answer, call), call, answer.content)

    async def find(self, sms: OutgoingSms) -> SendReceipt | None:
        """Search the messages to this number for the marker. None: it surely never arrived.

        A message may appear with a delay of seconds, so this is for a minute later and not for
        the next moment. OutcomeUnknown when there are more messages than can be looked through.
        """
        if not sms.marker:
            raise OutcomeUnknown("there is no marker to look for", connector=NAME, operation="find")
        query = urlencode({"To": sms.to.reveal(), "PageSize": PAGE_SIZE})
        path: str | None = f"{self._path}.json?{query}"
        found: list[SendReceipt] = []
        for _ in range(MOST_PAGES):
            if path is None:
                break
            call = self._call("find", "GET", path)
            answer = await exchange(self._http, call)
            if not answer.is_success:
                raise self._refusal(answer, call)
            page = read_json(answer, call)
            found += matches(page, sms.marker, call, answer.content)
            path = self._next(page, call, answer.content)
        if found:
            return min(found, key=lambda receipt: _BEST_FIRST.index(receipt.state))
        if path is not None:
            raise OutcomeUnknown(
                "more messages to this number than can be looked through",
                connector=NAME,
                operation="find",
            )
        return None

    async def message_now(self, ref: str) -> SendReceipt:
        """Where a message stands."""
        if not _SID.fullmatch(ref):
            raise self._declined("message_now", "not the id of a message", "REF")
        call = self._call("message_now", "GET", f"{self._path}/{ref}.json")
        answer = await exchange(self._http, call)
        if not answer.is_success:
            raise self._refusal(answer, call)
        return receipt_of(read_json(answer, call), call, answer.content)

    def read_webhook(self, call: InboundHttp) -> InboundEvent:
        """A status callback or an incoming text, verified by its signature.

        Raises NotAllowed when it does not verify, Unreadable when it is signed and neither.
        """
        return event_of(verified_form(call, self._signer, self._account_sid))

    # ------------------------------------------------------------ pieces

    def _call(
        self, operation: str, method: str, path: str, form: dict[str, str] | None = None
    ) -> Call:
        kind, body = as_form(form)
        return Call(
            NAME,
            operation,
            method,
            self._root + path,
            {"Authorization": self._authorization, **kind},
            body,
            writes=form is not None,
            setup=self._setup,
        )

    def _next(self, page: Any, call: Call, body: bytes) -> str | None:
        """The next page's path; only of our own list, whatever the answer says."""
        path = page.get("next_page_uri")
        if not path:
            return None
        if not isinstance(path, str) or not path.startswith(f"{self._path}.json?"):
            raise unreadable("the next page lies somewhere else", call, body)
        return path

    def _refusal(self, answer: httpx.Response, call: Call) -> ProviderError:
        document = try_json(answer.content)
        code = document.get("code") if isinstance(document, dict) else None
        code = code if isinstance(code, int) and not isinstance(code, bool) else 0
        status = answer.status_code
        said = f"HTTP {status}" + (f", code {code}" if code else "")
        wait = retry_after(answer, self._real_now())
        if verdict(status) is Verdict.LATER or code == TOO_MANY or (status == 503 and wait):
            return TryLater(said, after=wait, **call.where)
        at_the_door = status == 401 or (status == 403 and not code)
        if at_the_door or (status < 500 and call.writes and code in CHANNEL_BROKEN):
            log.error("channel_misconfigured", operation=call.operation, status=status, code=code)
            return TryLater(said, after=CHANNEL_WAIT, **call.where)
        if 400 <= status < 500 and status != 408:
            reason = REASONS.get(code) or (str(code) if code else f"HTTP_{status}")
            return Declined(said, reason=reason, **call.where)
        return status_error(answer, call, reason=str(code or ""), now=self._real_now())

    def _declined(self, operation: str, detail: str, reason: str) -> Declined:
        return Declined(detail, reason=reason, connector=NAME, operation=operation)


def receipt_of(document: Any, call: Call, body: bytes) -> SendReceipt:
    """A message resource as a receipt. A status we do not know counts as accepted, with an alarm.

    Raises Unreadable (OutcomeUnknown after a send) when it is not a message resource.
    """
    sid = document.get("sid") if isinstance(document, dict) else None
    if not isinstance(sid, str) or not _SID.fullmatch(sid):
        raise unreadable("the answer is not a message", call, body)
    status = document.get("status")
    state = STATES.get(status) if isinstance(status, str) else None
    if state is None:
        shown = mask_text(status[:40]) if isinstance(status, str) else type(status).__name__
        log.warning("unknown_word", what="status", word=shown)
        state = DeliveryState.ACCEPTED
    code = document.get("error_code")
    code = code if isinstance(code, int) and not isinstance(code, bool) else 0
    return SendReceipt(
        ref=sid,
        state=state,
        reason=str(code) if code else (status if status == "canceled" else ""),
        opted_out=code == 21610,
        permanent=code in PERMANENT,
    )


def matches(page: Any, marker: str, call: Call, body: bytes) -> list[SendReceipt]:
    """The outgoing messages of a page whose text holds the marker."""
    listed = page.get("messages") if isinstance(page, dict) else None
    if not isinstance(listed, list):
        raise unreadable("the answer lists no messages", call, body)
    return [
        receipt_of(message, call, body)
        for message in listed
        if isinstance(message, dict)
        and isinstance(message.get("body"), str)
        and marker in message["body"]
        and str(message.get("direction", "outbound")).startswith("outbound")
    ]
