"""The banks of the sandbox as lists that the clients of its faces can be configured with (TOML)."""

from __future__ import annotations

from sandbox.banks import BANKS, Bank, LimitWord, institution_id, provider_id

# The one customer of the aggregator.
SECRET_ID = "6e1f0c1e-5a1d-4c3b-9d2e-0a5a1d0c0001"  # noqa: S105 - as the key below
SECRET_KEY = "sandbox-secret"  # noqa: S105 - opens nothing but the sandbox on this machine


def as_toml(origin: str) -> str:
    """The `[[bank]]` tables for a sandbox reached at `origin` (http://127.0.0.1:8210)."""
    tables = []
    for bank in BANKS:
        words = {
            "id": bank.id,
            "name": bank.name,
            "country": bank.country,
            "time_zone": bank.time_zone,
            "base_url": f"{origin}/banks/{bank.id}/psd2",
            "count_window": bank.window.value,
        }
        lines = ["[[bank]]", *(f'{name} = "{value}"' for name, value in words.items())]
        lines.append(f"settled_at = {list(bank.settled_at)}")
        lines.append(f"authorised_at = {list(bank.authorised_at)}")
        lines.append(f"limits_excluded = {str(bank.limit_word is LimitWord.NEVER).lower()}")
        lines.append(f"needs_debtor_iban = {str(bank.needs_debtor_iban).lower()}")
        lines.append(f"instant_payments = {str(bank.instant_payments).lower()}")
        tables.append("\n".join(lines))
    return "\n\n".join(tables) + "\n"


def as_gocardless_toml() -> str:
    """The same banks for a client of the aggregator in `faces/gocardless.py`."""
    tables = []
    for bank in BANKS:
        words = {
            "id": bank.id,
            "name": bank.name,
            "country": bank.country,
            "time_zone": bank.time_zone,
            "institution_id": institution_id(bank),
        }
        lines = ["[[bank]]", *(f'{name} = "{value}"' for name, value in words.items())]
        lines.append(f"max_days = {bank.consent_days}")
        lines.append(f"limits_excluded = {str(bank.limit_word is LimitWord.NEVER).lower()}")
        tables.append("\n".join(lines))
    return "\n\n".join(tables) + "\n"


def as_enable_banking_toml() -> str:
    """The same banks for a client of Enable Banking."""
    tables = []
    for bank in BANKS:
        words = {
            "id": bank.id,
            "name": bank.name,
            "aspsp_name": bank.name,
            "country": bank.country,
            "time_zone": bank.time_zone,
        }
        lines = ["[[bank]]", *(f'{name} = "{value}"' for name, value in words.items())]
        lines.append(f"maximum_consent_validity = {bank.consent_days * 86_400}")
        lines.append('required_psu_headers = ["Psu-Ip-Address", "Psu-User-Agent"]')
        lines.append(f"limits_excluded = {str(bank.limit_word is LimitWord.NEVER).lower()}")
        tables.append("\n".join(lines))
    return "\n\n".join(tables) + "\n"


def tink_name(bank: Bank) -> str:
    """The bank as a provider of Tink."""
    return f"{bank.country.lower()}-{bank.id}-ob"


def as_tink_toml() -> str:
    """The same banks for a client of Tink."""
    tables = []
    for bank in BANKS:
        words = {
            "id": bank.id,
            "name": bank.name,
            "country": bank.country,
            "time_zone": bank.time_zone,
            "provider_name": tink_name(bank),
            "locale": f"{bank.country.lower()}_{bank.country}",
        }
        lines = ["[[bank]]", *(f'{name} = "{value}"' for name, value in words.items())]
        lines.append(f"limits_excluded = {str(bank.limit_word is LimitWord.NEVER).lower()}")
        tables.append("\n".join(lines))
    return "\n\n".join(tables) + "\n"


def as_truelayer_toml() -> str:
    """The same banks for a client of TrueLayer."""
    tables = []
    for bank in BANKS:
        words = {
            "id": bank.id,
            "name": bank.name,
            "country": bank.country,
            "time_zone": bank.time_zone,
            "provider_id": provider_id(bank),
        }
        lines = ["[[bank]]", *(f'{name} = "{value}"' for name, value in words.items())]
        lines.append(f"consent_days = {bank.consent_days}")
        lines.append(f"limits_excluded = {str(bank.limit_word is LimitWord.NEVER).lower()}")
        tables.append("\n".join(lines))
    return "\n\n".join(tables) + "\n"


def plaid_id(bank: Bank) -> str:
    """The bank as an institution of Plaid."""
    return f"ins_{bank.bank_code}"


def as_plaid_toml() -> str:
    """The same banks for a client of Plaid."""
    tables = []
    for bank in BANKS:
        words = {
            "id": bank.id,
            "name": bank.name,
            "country": bank.country,
            "time_zone": bank.time_zone,
            "institution_id": plaid_id(bank),
            "language": bank.country.lower(),
        }
        lines = ["[[bank]]", *(f'{name} = "{value}"' for name, value in words.items())]
        lines.append(f"limits_excluded = {str(bank.limit_word is LimitWord.NEVER).lower()}")
        tables.append("\n".join(lines))
    return "\n\n".join(tables) + "\n"
