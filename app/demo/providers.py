"""Which providers the demo goes through: rows of settings that lead to the sandbox.

`saldo demo --provider NAME` lays a row over the usual one. The next provider only adds a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.demo.cast import CREDITOR_IBAN
from app.domain.errors import Conflict, Invalid
from sandbox.bank_list import (
    SECRET_ID,
    SECRET_KEY,
    as_enable_banking_toml,
    as_gocardless_pay_toml,
    as_gocardless_toml,
    as_plaid_toml,
    as_tink_toml,
    as_toml,
    as_truelayer_toml,
    as_unnax_reference,
    as_unnax_toml,
)
from sandbox.faces import (
    eb_wire,
    gc_wire,
    plaid_wire,
    tink,
    tink_news,
    tink_wire,
    tl_news,
    tl_signature,
    tl_wire,
    unnax_wire,
)
from sandbox.faces.gateway_calls import VONAGE_KEY
from sandbox.texts import DEFAULT_HOOK_KEY, DEFAULT_SENDER, DEFAULT_TOKEN

_CHOICE = "providers"


@dataclass(frozen=True, slots=True)
class File:
    """A file in the demo's folder that a provider needs, and the settings that name it.

    `content` takes the sandbox's address. A secret one is kept from start to start.
    """

    name: str
    content: Callable[[str], str]
    settings: tuple[str, ...]
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One provider: the settings that choose it and lead it to the sandbox, and its files.

    `settings` takes the sandbox's address.
    """

    settings: Callable[[str], Mapping[str, str]]
    files: tuple[File, ...] = ()


def _banks(name: str, listed: Callable[[], str]) -> File:
    return File(f"banks-{name}.toml", lambda _: listed(), (f"SALDO_{name}_BANKS".upper(),))


def _key(name: str, made: Callable[[], bytes], settings: tuple[str, ...]) -> File:
    """A key to sign with; the sandbox is told of it, too, and knows our signatures by it."""
    return File(f"key-{name}.pem", lambda _: made().decode("ascii"), settings, secret=True)


PROVIDERS: Mapping[str, Row] = {
    "berlin_group": Row(
        lambda _: {
            "SALDO_AGGREGATION_CONNECTOR": "berlin_group",
            "SALDO_PAYMENT_CONNECTOR": "berlin_group",
        },
        (File("banks.toml", as_toml, ("SALDO_BERLIN_GROUP_BANKS",)),),
    ),
    "enable_banking": Row(
        lambda sandbox: {
            "SALDO_AGGREGATION_CONNECTOR": "enable_banking",
            "SALDO_PAYMENT_CONNECTOR": "enable_banking",
            "SALDO_ENABLE_BANKING_ACCEPT_OPEN_PAYMENTS": "true",
            "SALDO_ENABLE_BANKING_PAYMENT_PAGE_MINUTES": "480",
            "SALDO_ENABLE_BANKING_BASE_URL": f"{sandbox}{eb_wire.ROOT}",
            "SALDO_ENABLE_BANKING_APP_ID": eb_wire.APP_ID,
        },
        (
            _banks("enable_banking", as_enable_banking_toml),
            _key(
                "enable_banking",
                eb_wire.customer_key,
                ("SALDO_ENABLE_BANKING_PRIVATE_KEY", eb_wire.KEY_FILE),
            ),
        ),
    ),
    "gocardless": Row(
        lambda sandbox: {
            "SALDO_AGGREGATION_CONNECTOR": "gocardless",
            "SALDO_GOCARDLESS_BASE_URL": f"{sandbox}/gocardless",
            "SALDO_GOCARDLESS_SECRET_ID": SECRET_ID,
            "SALDO_GOCARDLESS_SECRET_KEY": SECRET_KEY,
        },
        (_banks("gocardless", as_gocardless_toml),),
    ),
    "gocardless_pay": Row(
        lambda sandbox: {
            "SALDO_PAYMENT_CONNECTOR": "gocardless_pay",
            "SALDO_GOCARDLESS_PAY_BASE_URL": f"{sandbox}{gc_wire.ROOT}",
            "SALDO_GOCARDLESS_PAY_ACCESS_TOKEN": gc_wire.ACCESS_TOKEN,
            "SALDO_GOCARDLESS_PAY_WEBHOOK_SECRET": gc_wire.HOOK_SECRET,
            "SALDO_GOCARDLESS_PAY_CREDITOR_IBAN": CREDITOR_IBAN,
            "SALDO_GOCARDLESS_PAY_CONFIRMED_IS_SETTLED": "true",
        },
        (_banks("gocardless_pay", as_gocardless_pay_toml),),
    ),
    "infobip": Row(
        lambda sandbox: {
            "SALDO_MESSAGE_CONNECTOR": "infobip",
            "SALDO_INFOBIP_BASE_URL": f"{sandbox}/infobip",
            "SALDO_INFOBIP_API_KEY": DEFAULT_TOKEN,
            "SALDO_INFOBIP_SENDER": DEFAULT_SENDER,
            "SALDO_INFOBIP_HOOK_KEY": DEFAULT_HOOK_KEY,
        }
    ),
    "plaid": Row(
        lambda sandbox: {
            "SALDO_AGGREGATION_CONNECTOR": "plaid",
            "SALDO_PAYMENT_CONNECTOR": "plaid",
            "SALDO_PLAID_ACCEPT_OPEN_PAYMENTS": "true",
            # The demo's clock runs a thousand times faster than a person taps.
            "SALDO_PLAID_PAYMENT_PAGE_MINUTES": "480",
            "SALDO_PLAID_BASE_URL": f"{sandbox}{plaid_wire.ROOT}",
            "SALDO_PLAID_CLIENT_ID": plaid_wire.CLIENT_ID,
            "SALDO_PLAID_SECRET": plaid_wire.SECRET,
            "SALDO_PLAID_CLIENT_NAME": "Préstamos Sol",
            "SALDO_PLAID_TRANSACTIONS": "true",
        },
        (_banks("plaid", as_plaid_toml),),
    ),
    "smsapi": Row(
        lambda sandbox: {
            "SALDO_MESSAGE_CONNECTOR": "smsapi",
            "SALDO_SMSAPI_BASE_URL": f"{sandbox}/smsapi",
            "SALDO_SMSAPI_TOKEN": DEFAULT_TOKEN,
            "SALDO_SMSAPI_SENDER": DEFAULT_SENDER,
            "SALDO_SMSAPI_HOOK_KEY": DEFAULT_HOOK_KEY,
            # What the sandbox's SMSAPI calls them; the real one's are in its customers' panel.
            "SALDO_SMSAPI_REPORT_ID_FIELD": "MsgId",
            "SALDO_SMSAPI_REPLY_ID_FIELD": "sms_id",
            "SALDO_SMSAPI_REPLY_FROM_FIELD": "sms_from",
            "SALDO_SMSAPI_REPLY_TEXT_FIELD": "sms_text",
        }
    ),
    "tink": Row(
        lambda sandbox: {
            "SALDO_AGGREGATION_CONNECTOR": "tink",
            "SALDO_PAYMENT_CONNECTOR": "tink",
            "SALDO_TINK_ACCEPT_OPEN_PAYMENTS": "true",
            "SALDO_TINK_BASE_URL": f"{sandbox}{tink.ROOT}",
            "SALDO_TINK_LINK_URL": f"{sandbox}{tink.LINK}",
            "SALDO_TINK_TRANSACTIONS_LINK_URL": f"{sandbox}{tink.LOOK_LINK}",
            "SALDO_TINK_PAY_LINK_URL": f"{sandbox}{tink.PAY_LINK}",
            "SALDO_TINK_CLIENT_ID": tink_wire.CLIENT_ID,
            "SALDO_TINK_CLIENT_SECRET": tink_wire.CLIENT_SECRET,
            "SALDO_TINK_WEBHOOK_SECRET": tink_news.HOOK_SECRET,
        },
        (_banks("tink", as_tink_toml),),
    ),
    "truelayer": Row(
        lambda sandbox: {
            "SALDO_AGGREGATION_CONNECTOR": "truelayer",
            "SALDO_PAYMENT_CONNECTOR": "truelayer",
            "SALDO_TRUELAYER_AUTH_URL": f"{sandbox}{tl_wire.AUTH}",
            "SALDO_TRUELAYER_API_URL": f"{sandbox}{tl_wire.API}",
            "SALDO_TRUELAYER_CLIENT_ID": tl_wire.CLIENT_ID,
            "SALDO_TRUELAYER_CLIENT_SECRET": tl_wire.CLIENT_SECRET,
            "SALDO_TRUELAYER_HOSTED_URL": f"{sandbox}{tl_wire.HOSTED}",
            "SALDO_TRUELAYER_WEBHOOK_KEYS_URL": f"{sandbox}{tl_news.KEYS}",
            "SALDO_TRUELAYER_KEY_ID": tl_signature.KEY_ID,
        },
        (
            _banks("truelayer", as_truelayer_toml),
            _key(
                "truelayer",
                tl_signature.customer_key,
                ("SALDO_TRUELAYER_SIGNING_KEY", tl_signature.KEY_FILE),
            ),
        ),
    ),
    "unnax": Row(
        lambda sandbox: {
            "SALDO_AGGREGATION_CONNECTOR": "unnax",
            "SALDO_UNNAX_BASE_URL": f"{sandbox}{unnax_wire.ROOT}",
            "SALDO_UNNAX_API_ID": unnax_wire.API_ID,
            "SALDO_UNNAX_API_CODE": unnax_wire.API_CODE,
            "SALDO_UNNAX_HOOK_KEY": unnax_wire.HOOK_KEY,
        },
        (
            _banks("unnax", as_unnax_toml),
            File(
                "reference-unnax.toml",
                lambda _: as_unnax_reference(),
                ("SALDO_UNNAX_REFERENCE",),
            ),
        ),
    ),
    "vonage": Row(
        lambda sandbox: {
            "SALDO_MESSAGE_CONNECTOR": "vonage",
            "SALDO_VONAGE_BASE_URL": f"{sandbox}/vonage",
            "SALDO_VONAGE_API_KEY": VONAGE_KEY,
            "SALDO_VONAGE_API_SECRET": DEFAULT_TOKEN,
            "SALDO_VONAGE_SIGNATURE_SECRET": DEFAULT_TOKEN,
            "SALDO_VONAGE_SIGNATURE_METHOD": "sha256",
            "SALDO_VONAGE_SENDER": DEFAULT_SENDER,
        }
    ),
}
USUAL = "berlin_group"


def choose(folder: Path, asked: Sequence[str]) -> tuple[str, ...]:
    """The providers of the demo in `folder`, the usual one first; kept for its next start.

    Raises `Invalid` for a name that is no row, and `Conflict` when the demo that lives there
    already goes through others: its consents and payments could be found by nobody.
    """
    for name in asked:
        if name not in PROVIDERS:
            raise Invalid(
                "provider", f"{name!r} is none the demo knows.", mend=f"Use: {_names(PROVIDERS)}."
            )
    kept = folder / _CHOICE
    before = tuple(kept.read_text(encoding="utf-8").split()) if kept.is_file() else ()
    if asked or not before:
        wanted = tuple(dict.fromkeys((USUAL, *asked)))
        # A folder from before there was a choice has a clock and no note: it is the usual one.
        if not before and (folder / "clock.json").exists():
            before = (USUAL,)
        if before and set(before) != set(wanted):
            raise Conflict(
                f"The demo in {folder} goes through {_names(before)}. Begin anew to change that: "
                "make demo FRESH=1, or saldo demo --fresh."
            )
        before = wanted
    kept.write_text(" ".join(before), encoding="utf-8")
    return before


def _names(names: Sequence[str] | Mapping[str, Row]) -> str:
    return ", ".join(names)


def settings_of(names: Sequence[str], sandbox: str, folder: Path) -> dict[str, str]:
    """The settings of these rows; a later row wins over an earlier one."""
    found: dict[str, str] = {}
    for name in names:
        row = PROVIDERS[name]
        found |= row.settings(sandbox)
        for file in row.files:
            found |= dict.fromkeys(file.settings, str(folder / file.name))
    return found


def write_files(names: Sequence[str], sandbox: str, folder: Path) -> None:
    """Write what these connectors look for: the sandbox's banks, a key, what is known of a way."""
    for file in (file for name in names for file in PROVIDERS[name].files):
        path = folder / file.name
        if file.secret and path.exists():
            continue
        content = file.content(sandbox)
        if file.secret:
            path.touch(0o600)
        path.write_text(content, encoding="utf-8")
