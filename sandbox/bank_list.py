"""The banks of the sandbox as lists that the clients of its faces can be configured with (TOML)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sandbox.banks import BANKS, Bank, LimitWord, institution_id, provider_id

# The one customer of the aggregator.
SECRET_ID = "6e1f0c1e-5a1d-4c3b-9d2e-0a5a1d0c0001"  # noqa: S105 - as the key below
SECRET_KEY = "sandbox-secret"  # noqa: S105 - opens nothing but the sandbox on this machine


def as_toml(origin: str) -> str:
    """The `[[bank]]` tables for a sandbox reached at `origin` (http://127.0.0.1:8210)."""
    return _tables(
        lambda bank: {
            "base_url": f"{origin}/banks/{bank.id}/psd2",
            "count_window": bank.window.value,
            "settled_at": bank.settled_at,
            "authorised_at": bank.authorised_at,
            "needs_debtor_iban": bank.needs_debtor_iban,
            "instant_payments": bank.instant_payments,
            "sepa_payments": bank.currency == "EUR",
            **_domestic(bank),
        }
    )


def _domestic(bank: Bank) -> dict[str, _Value]:
    if bank.currency == "EUR" or not bank.products:
        return {}
    return {"domestic_product": bank.products[0], "domestic_currency": bank.currency}


def as_gocardless_toml() -> str:
    """The same banks for a client of the aggregator in `faces/gocardless.py`."""
    return _tables(
        lambda bank: {"institution_id": institution_id(bank), "max_days": bank.consent_days}
    )


def as_gocardless_pay_toml() -> str:
    """The same banks for a client that pays through the face in `faces/gc_pay.py`.

    Without those of a currency that it does not move.
    """
    return _tables(
        lambda bank: {
            "institution": institution_id(bank),
            "instant_payments": bank.instant_payments,
        },
        [bank for bank in BANKS if bank.currency in ("EUR", "GBP")],
    )


def as_enable_banking_toml() -> str:
    """The same banks for a client of Enable Banking."""
    return _tables(
        lambda bank: {
            "aspsp_name": bank.name,
            "maximum_consent_validity": bank.consent_days * 86_400,
            "required_psu_headers": ("Psu-Ip-Address", "Psu-User-Agent"),
            "settled_at": bank.settled_at,
            "authorised_at": bank.authorised_at,
            "needs_debtor_iban": bank.needs_debtor_iban,
            "instant_payments": bank.instant_payments,
            "sepa_payments": bank.currency == "EUR",
            **({"domestic_currency": bank.currency} if _domestic(bank) else {}),
        }
    )


def _language(bank: Bank) -> str:
    return "en" if bank.country == "GB" else bank.country.lower()


def tink_name(bank: Bank) -> str:
    """The bank as a provider of Tink."""
    return f"{bank.country.lower()}-{bank.id}-ob"


def as_tink_toml() -> str:
    """The same banks for a client of Tink."""
    return _tables(
        lambda bank: {
            "provider_name": tink_name(bank),
            "locale": f"{_language(bank)}_{bank.country}",
            # As an operator writes it who believes a bank that says no more.
            "settled_at": ("SENT",) if bank.id == "foerde" else ("SETTLED_PAYEE", "SETTLED"),
            "currencies": (bank.currency,),
            "instant_payments": bank.instant_payments,
        }
    )


def as_truelayer_toml() -> str:
    """The same banks for a client of TrueLayer."""
    return _tables(
        lambda bank: {
            "provider_id": provider_id(bank),
            "consent_days": bank.consent_days,
            "currencies": (bank.currency,),
            "instant_payments": bank.instant_payments,
            "needs_debtor_iban": bank.needs_debtor_iban,
            "executed_is_settled": True,
        }
    )


def plaid_id(bank: Bank) -> str:
    """The bank as an institution of Plaid."""
    return f"ins_{bank.bank_code}"


def as_plaid_toml() -> str:
    """The same banks for a client of Plaid."""
    return _tables(
        lambda bank: {
            "institution_id": plaid_id(bank),
            "language": _language(bank),
            # As an operator writes it who believes what his banks say last.
            "settled_at": (f"PAYMENT_STATUS_{'INITIATED' if bank.id == 'foerde' else 'EXECUTED'}",),
            "currencies": (bank.currency,),
            "instant_payments": bank.instant_payments,
        }
    )


UNNAX_READ, UNNAX_TOKEN = "/api/v3/sandbox/read/", "/api/v3/sandbox/token/"


def as_unnax_toml() -> str:
    """The same banks for a client of Unnax."""
    return _tables(lambda bank: {"unnax_id": bank.id})


def as_unnax_reference() -> str:
    """What this sandbox made up where no public text says how Unnax does it."""
    return f"""\
[reader.body]
merchant_id = "{{merchant_id}}"
merchant_signature = "{{merchant_signature}}"
request_code = "{{request_code}}"
callback_ok = "{{return_url}}"
tokenization_request = true
read_accounts = true
bank_id = "{{bank}}"

[read]
path = "{UNNAX_READ}"
body = {{ token = "{{token}}", request_code = "{{request_code}}" }}

[end]
method = "DELETE"
path = "{UNNAX_TOKEN}"
body = {{ token = "{{token}}" }}

[callbacks]
request_field = "request_code"
token_field = "data.token"

[figures]
account_field = "account"
current_balance = "interimBooked"
amounts = "cents"
"""


_Value = str | bool | int | tuple[str, ...]


def _tables(special: Callable[[Bank], Mapping[str, _Value]], banks: Iterable[Bank] = BANKS) -> str:
    """The banks: what every client asks for, and what this one alone does."""
    tables = []
    for bank in banks:
        values: dict[str, _Value] = {
            "id": bank.id,
            "name": bank.name,
            "country": bank.country,
            "time_zone": bank.time_zone,
            "limits_excluded": bank.limit_word is LimitWord.NEVER,
            **special(bank),
        }
        lines = [f"{name} = {_written(value)}" for name, value in values.items()]
        tables.append("\n".join(["[[bank]]", *lines]))
    return "\n\n".join(tables) + "\n"


def _written(value: _Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_written, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)
