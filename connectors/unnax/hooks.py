"""Unnax's calls: who may call, what a call is about, and what it says once it is opened.

The envelope is publicly known, how it is signed is not. So the address that Unnax calls carries a
secret of ours; where the operator's reference says what the signature is made of, it is checked,
too. Two calls about the same event are one.
"""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from app.domain.errors import NotAllowed, Unreadable
from app.domain.ids import Secret
from app.ports import InboundEvent, InboundHttp, InboundKind, Wire
from connectors._hook_keys import check_key
from connectors._json import try_json
from connectors._same import same
from connectors.unnax.reference import field_of, filled, load_reference
from connectors.unnax.sealing import merchant_signature, opened
from connectors.unnax.settings import NAME, Settings

TOKEN_MADE = "event_credential_token_creation"  # noqa: S105 - the name of an event
ABANDONED = "event_reader_lockstep_cancelled"
READ = "fitnance_read"
# Bank-transfer pay-ins: authorised by the payer, and finished with or without the money.
PAID = ("event_payment_transfer_lockstep_authorized", "event_payment_transfer_lockstep_completed")
_LONGEST_CODE = 100


class Hooks:
    """`HookPort` over Unnax's callbacks."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured when credentials or an entry of the reference are missing."""
        del wire
        settings.check()
        self._settings = settings
        self._reference = load_reference(settings.reference)

    def __repr__(self) -> str:
        return "Hooks(…)"

    async def read_webhooks(self, call: InboundHttp) -> tuple[InboundEvent, ...]:
        """The consent or payment that the call is about; nothing for what Saldo does not use."""
        check_key(call, self._settings.hook_key.get_secret_value())
        said = envelope(call.body, self._settings)
        self._check_signature(said)
        name, order = said["triggered_event"], field_of(said, "data.order_code")
        if name in PAID and isinstance(order, str) and 0 < len(order) <= _LONGEST_CODE:
            return (_event(name, order, payment_ref=Secret(order)),)
        if name not in (TOKEN_MADE, ABANDONED, READ):
            return ()
        code = field_of(said, self._reference.callbacks.request_field)
        if not isinstance(code, str) or not 0 < len(code) <= _LONGEST_CODE:
            raise _unreadable("the call does not say which request it answers")
        return (_event(name, code),)

    def _check_signature(self, said: dict[str, Any]) -> None:
        formula = self._reference.callbacks.signature
        if not formula:
            return
        values = {name: str(value) for name, value in said.items() if isinstance(value, str | int)}
        values["api_id"] = self._settings.api_id
        values["api_code"] = self._settings.api_code.get_secret_value()
        right = merchant_signature(filled({"": formula}, values)[""])
        if not same(str(said.get("signature", "")), right):
            raise NotAllowed("The call's signature is wrong.")


def event_id(name: str, code: str) -> str:
    """Under which a call of this name about this request is kept."""
    return f"{name}:{hashlib.sha256(code.encode()).hexdigest()[:32]}"


def envelope(body: bytes, settings: Settings) -> dict[str, Any]:
    """A call's content, its `data` opened where it is encrypted. Raises Unreadable."""
    said = try_json(body)
    if not isinstance(said, dict) or not isinstance(said.get("triggered_event"), str):
        raise _unreadable("the call names no event")
    code = settings.api_code.get_secret_value()
    if isinstance(said.get("data"), str) and said["triggered_event"] == READ:
        try:
            return {**said, "data": opened(said["data"], settings.api_id, code)}
        except ValueError as error:
            raise _unreadable(str(error)) from None
    return said


def _event(name: str, code: str, payment_ref: Secret | None = None) -> InboundEvent:
    if payment_ref is not None:
        return InboundEvent(event_id(name, code), InboundKind.PAYMENT, payment_ref=payment_ref)
    return InboundEvent(event_id(name, code), InboundKind.CONSENT, consent_key=_uuid(code))


def _uuid(code: str) -> UUID | None:
    """The consent's key, where the request was the one that made it."""
    try:
        return UUID(code)
    except ValueError:
        return None


def _unreadable(problem: str) -> Unreadable:
    return Unreadable(problem, connector=NAME, operation="read_webhooks")
