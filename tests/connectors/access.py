"""What the sandbox's providers know a lender by, as he would type it in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain.provider_setup import Slot
from app.store.provider_setups import AccessData
from sandbox.bank_list import SECRET_ID, SECRET_KEY
from sandbox.faces import eb_wire, gc_wire, plaid_wire, tink_wire, tl_signature, tl_wire
from sandbox.texts import DEFAULT_NUMBER, DEFAULT_SENDER, DEFAULT_SID, DEFAULT_TOKEN


@dataclass(frozen=True, slots=True)
class Access:
    """Good access data for one job; `secret` is the field that an attacker mistypes."""

    slot: Slot
    connector: str
    values: Mapping[str, str]
    secret: str
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.connector}-{self.slot}"

    def typed(self, **other: str) -> AccessData:
        return AccessData({**self.values, **other}, self.files)


_TINK = {"client_id": tink_wire.CLIENT_ID, "client_secret": tink_wire.CLIENT_SECRET}
_TRUELAYER = {"client_id": tl_wire.CLIENT_ID, "client_secret": tl_wire.CLIENT_SECRET}
_PLAID = {"client_id": plaid_wire.CLIENT_ID, "secret": plaid_wire.SECRET, "client_name": "Sol"}
_OPEN = {"accept_open_payments": "yes"}
_EB_FILES = {"private_key": eb_wire.customer_key()}
_TL_FILES = {"signing_key": tl_signature.customer_key()}

EVERY: tuple[Access, ...] = (
    Access(
        Slot.AGGREGATION,
        "gocardless",
        {"secret_id": SECRET_ID, "secret_key": SECRET_KEY},
        "secret_key",
    ),
    Access(Slot.AGGREGATION, "tink", _TINK, "client_secret"),
    Access(Slot.PAYMENTS, "tink", {**_TINK, **_OPEN}, "client_secret"),
    Access(Slot.AGGREGATION, "truelayer", _TRUELAYER, "client_secret"),
    Access(
        Slot.PAYMENTS,
        "truelayer",
        {**_TRUELAYER, "key_id": tl_signature.KEY_ID},
        "key_id",
        _TL_FILES,
    ),
    Access(Slot.AGGREGATION, "plaid", _PLAID, "secret"),
    Access(
        Slot.PAYMENTS, "plaid", {**_PLAID, **_OPEN, "payment_page_minutes": "480"}, "secret"
    ),
    Access(Slot.AGGREGATION, "enable_banking", {"app_id": eb_wire.APP_ID}, "app_id", _EB_FILES),
    Access(
        Slot.PAYMENTS,
        "enable_banking",
        {"app_id": eb_wire.APP_ID, **_OPEN, "payment_page_minutes": "480"},
        "app_id",
        _EB_FILES,
    ),
    Access(
        Slot.PAYMENTS,
        "gocardless_pay",
        {"access_token": gc_wire.ACCESS_TOKEN, "creditor_iban": "ES7921000813610123456789"},
        "access_token",
    ),
    Access(
        Slot.MESSAGES,
        "twilio",
        {"account_sid": DEFAULT_SID, "auth_token": DEFAULT_TOKEN, "from_number": DEFAULT_NUMBER},
        "auth_token",
    ),
    Access(
        Slot.MESSAGES, "smsapi", {"token": DEFAULT_TOKEN, "sender": DEFAULT_SENDER}, "token"
    ),
    Access(
        Slot.MESSAGES, "infobip", {"api_key": DEFAULT_TOKEN, "sender": DEFAULT_SENDER}, "api_key"
    ),
)  # fmt: skip
BY_NAME = {one.name: one for one in EVERY}
