"""Create a lender with its own data key, and change its ordinary settings."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import insert, select, update

from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import Iban, LenderId, Phone
from app.domain.payee import EUR
from app.domain.reading_way import ReadingWay
from app.flows.house import House
from app.flows.strategies.install_strategies import install_strategies
from app.reference.places import country_zones
from app.settings import Settings, is_loopback
from app.store import audit
from app.store.keys import new_id
from app.store.payees import payee_of
from app.store.tables import lenders

LANGUAGES = ("en", "es", "pl")
SIGNALS_ACT = ("automatic", "collector", "both")
THRESHOLD_KINDS = ("due", "fixed", "share")
LONGEST_GRACE_DAYS = 365

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{1,39}\Z", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class LenderWanted:
    """What an operator says about a new lender. Everything else has a safe default.

    `time_zone` may stay empty where the jurisdiction has only one.
    """

    slug: str
    name: str
    jurisdiction: str
    time_zone: str
    language: str = "en"
    creditor_name: str = ""
    creditor_iban: str = ""
    contact_phone: str = ""
    contact_url: str = ""
    webhook_url: str = ""
    observe_only: bool = True


@dataclass(frozen=True, slots=True)
class LenderMade:
    """The new lender. `webhook_secret` is shown this once; empty without a webhook address."""

    id: LenderId
    slug: str
    webhook_secret: str = ""


async def make_lender(
    house: House, now: datetime, wanted: LenderWanted, *, actor: str
) -> LenderMade:
    """Create one lender with the shipped strategies, in observe-only mode unless asked otherwise.

    Raises `Invalid` naming the field, `Conflict` when the slug is taken.
    """
    row = _checked(house.settings, wanted)
    lender_id = LenderId(new_id())
    secret = ""
    async with house.store.engine_unit() as unit:
        if await unit.conn.scalar(select(lenders.c.id).where(lenders.c.slug == wanted.slug)):
            raise Conflict(f"A lender {wanted.slug!r} exists already.", code="SlugTaken")
        await unit.conn.execute(insert(lenders).values(id=lender_id, created_at=now, **row))
        await unit.vault.make_key(unit.conn, lender_id, now)
        sealed: dict[str, bytes] = {}
        if wanted.creditor_iban:
            iban = Iban.parse(wanted.creditor_iban, field="creditor_iban").reveal()
            sealed["creditor_iban_enc"] = unit.seal(
                "lenders.creditor_iban_enc", lender_id, iban, lender_id
            )
        if wanted.webhook_url:
            secret = new_webhook_secret()
            sealed["webhook_secret_enc"] = unit.seal(
                "lenders.webhook_secret_enc", lender_id, secret, lender_id
            )
        if sealed:
            await unit.conn.execute(update(lenders).where(lenders.c.id == lender_id).values(sealed))
        await audit.record(
            unit,
            now,
            actor=actor,
            act="make_lender",
            subject=str(lender_id),
            after=row,
            lender_id=lender_id,
        )
        await install_strategies(unit, now, lender_id)
    return LenderMade(lender_id, wanted.slug, secret)


async def set_lender(
    house: House, now: datetime, lender_id: LenderId, changes: Mapping[str, Any], *, actor: str
) -> LenderMade:
    """Change ordinary settings; every change stands in the audit.

    Allowed: name, language, time_zone, contact_phone, contact_url, creditor_name,
    creditor_iban, signals_act, threshold_kind, threshold_minor, threshold_basis_points,
    case_after_days, closes_failed, reading_way, reads_bills, webhook_url, push_url,
    push_fallback_minutes. A new webhook address gets a new secret. Observe-only mode and the
    protected floor have flows of their own, because they ask for a reason and a role.
    Raises `Invalid` and `NotFound`.
    """
    unknown = sorted(set(changes) - set(_CHECKS))
    if unknown:
        raise Invalid(
            unknown[0], "cannot be set here.", mend="Leave it out, or check its spelling."
        )
    values = {name: _CHECKS[name](house.settings, value) for name, value in changes.items()}
    secret = ""
    async with house.store.engine_unit() as unit:
        before = (
            await unit.conn.execute(
                select(lenders).where(lenders.c.id == lender_id).with_for_update()
            )
        ).one_or_none()
        if before is None:
            raise NotFound("There is no such lender.")
        await unit.keys((lender_id,))
        shown = {name: value for name, value in values.items() if name != "creditor_iban"}
        was = {name: getattr(before, name) for name in shown}
        stored = dict(shown)
        if "creditor_iban" in values:
            stored["creditor_iban_enc"] = unit.seal(
                "lenders.creditor_iban_enc", lender_id, values["creditor_iban"], lender_id
            )
            # Where money goes: the audit has what it was and what it is, masked.
            stands = await payee_of(unit, lender_id, EUR)
            was["creditor_iban"] = "" if stands is None else stands.masked
            shown["creditor_iban"] = Iban(values["creditor_iban"]).masked
        if values.get("webhook_url"):
            secret = new_webhook_secret()
            stored["webhook_secret_enc"] = unit.seal(
                "lenders.webhook_secret_enc", lender_id, secret, lender_id
            )
        _check_threshold({**before._mapping, **stored})
        await unit.conn.execute(update(lenders).where(lenders.c.id == lender_id).values(stored))
        await audit.record(
            unit,
            now,
            actor=actor,
            act="set_lender",
            subject=str(lender_id),
            before=was,
            after=shown,
            lender_id=lender_id,
        )
    return LenderMade(lender_id, before.slug, secret)


def new_webhook_secret() -> str:
    """32 random bytes in the form of the Standard Webhooks specification: `whsec_` and base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


# ------------------------------------------------------------------ what each field may hold


def _checked(settings: Settings, wanted: LenderWanted) -> dict[str, Any]:
    if not _SLUG.match(wanted.slug):
        raise Invalid("slug", "has 2 to 40 of a-z, 0-9 and -.", mend='Write it like "acme-es".')
    zones = country_zones(wanted.jurisdiction)
    if not _COUNTRY.match(wanted.jurisdiction) or not zones:
        raise Invalid("jurisdiction", "is not a country code.", mend='Write it like "ES".')
    if not wanted.time_zone and len(zones) > 1:
        raise Invalid(
            "time_zone",
            f"is needed: {wanted.jurisdiction} has {len(zones)}.",
            mend=f"One of {', '.join(sorted(zones))}.",
        )
    return {
        "slug": wanted.slug,
        "name": _words(settings, wanted.name, "name"),
        "jurisdiction": wanted.jurisdiction,
        "language": _language(settings, wanted.language),
        "time_zone": _zone(settings, wanted.time_zone or next(iter(zones))),
        "creditor_name": _words(settings, wanted.creditor_name or wanted.name, "creditor_name"),
        "contact_phone": _contact_phone(settings, wanted.contact_phone),
        "contact_url": _contact_url(settings, wanted.contact_url),
        "webhook_url": webhook_address(settings, wanted.webhook_url),
        "observe_only": wanted.observe_only,
    }


def _words(_settings: Settings, value: Any, field: str = "name") -> str:
    text = str(value).strip()
    # SEPA's creditor name ends at 70 characters; no name on our pages needs more.
    if not 1 <= len(text) <= 70 or not text.isprintable():
        raise Invalid(field, "has 1 to 70 printable characters.")
    return text


def _language(_settings: Settings, value: Any) -> str:
    if value not in LANGUAGES:
        raise Invalid("language", "is not one of Saldo's.", mend=f"Use {', '.join(LANGUAGES)}.")
    return str(value)


def _zone(_settings: Settings, value: Any) -> str:
    try:
        return ZoneInfo(str(value)).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(
            "time_zone", "is not a time zone.", mend='Write it like "Europe/Madrid".'
        ) from None


def _contact_phone(_settings: Settings, value: Any) -> str:
    return Phone.parse(value, field="contact_phone").reveal() if value else ""


def _contact_url(_settings: Settings, value: Any) -> str:
    if value and urlsplit(str(value)).scheme not in {"https", "http", "mailto"}:
        raise Invalid("contact_url", "is not a web address.", mend="Begin it with https://.")
    return str(value)


def webhook_address(settings: Settings, value: Any, field: str = "webhook_url") -> str:
    """Where a lender's webhooks go: https, or this machine itself in demo mode only."""
    if not value:
        return ""
    parts = urlsplit(str(value))
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
        raise Invalid(
            field,
            "is not a full address without a password in it.",
            mend='Write it like "https://lender.example/hooks".',
        )
    if is_loopback(parts.hostname):
        if not settings.demo:
            raise Invalid(field, "names this machine itself.", mend="Use a public address.")
    elif parts.scheme != "https":
        raise Invalid(field, "is not encrypted.", mend="Begin it with https://.")
    return str(value)


def _creditor_iban(_settings: Settings, value: Any) -> str:
    return Iban.parse(value, field="creditor_iban").reveal()


def _one_of(field: str, choices: tuple[str, ...]) -> Any:
    def check(_settings: Settings, value: Any) -> str:
        if value not in choices:
            raise Invalid(field, "is not one of the choices.", mend=f"Use {', '.join(choices)}.")
        return str(value)

    return check


def _whole(field: str, low: int, high: int) -> Any:
    def check(_settings: Settings, value: Any) -> int | None:
        if value is None and field.startswith("threshold"):
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Invalid(field, f"is a whole number from {low} to {high}.")
        return value

    return check


def _yes_or_no(field: str) -> Any:
    def check(_settings: Settings, value: Any) -> bool:
        if not isinstance(value, bool):
            raise Invalid(field, "is yes or no.")
        return value

    return check


def _check_threshold(row: Mapping[str, Any]) -> None:
    if row["threshold_kind"] == "fixed" and row["threshold_minor"] is None:
        raise Invalid("threshold_minor", "is missing.", mend="A fixed threshold needs its amount.")
    if row["threshold_kind"] == "share" and row["threshold_basis_points"] is None:
        raise Invalid(
            "threshold_basis_points", "is missing.", mend="5000 stands for half of what is due."
        )


_CHECKS: Mapping[str, Any] = {
    "name": _words,
    "language": _language,
    "time_zone": _zone,
    "contact_phone": _contact_phone,
    "contact_url": _contact_url,
    "creditor_name": lambda settings, value: _words(settings, value, "creditor_name"),
    "creditor_iban": _creditor_iban,
    "signals_act": _one_of("signals_act", SIGNALS_ACT),
    "threshold_kind": _one_of("threshold_kind", THRESHOLD_KINDS),
    "threshold_minor": _whole("threshold_minor", 1, 10**12),
    "threshold_basis_points": _whole("threshold_basis_points", 1, 10_000),
    "case_after_days": _whole("case_after_days", 0, LONGEST_GRACE_DAYS),
    "closes_failed": _yes_or_no("closes_failed"),
    "reading_way": _one_of("reading_way", tuple(ReadingWay)),
    "reads_bills": _yes_or_no("reads_bills"),
    "webhook_url": webhook_address,
    "push_url": lambda settings, value: webhook_address(settings, value, "push_url"),
    "push_fallback_minutes": _whole("push_fallback_minutes", 1, 24 * 60),
}
