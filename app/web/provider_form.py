"""The form of a lender's own provider: its settings as fields, and what was typed into them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.domain.provider_setup import SetupState, Slot
from app.flows.providers.set_up_provider import LARGEST_FILE
from app.reports.providers import ProviderLine
from app.side_ports import FieldKind, Offer, OwnField
from app.store.provider_setups import AccessData
from app.web.forms import Form
from app.web.words import Mark

SLOTS: Final[Mapping[Slot, tuple[str, str]]] = {
    Slot.AGGREGATION: ("Reading accounts", "Consents, lists of accounts and balances"),
    Slot.PAYMENTS: ("Payments", "What borrowers pay through their banks"),
    Slot.MESSAGES: ("Text messages", "SMS, their receipts and answers"),
    Slot.EMAILS: ("E-mails", "Through a mail server of your own"),
}
STATES: Final[Mapping[SetupState, Mark]] = {
    SetupState.PROPOSED: Mark("Waits for a second person", "warn"),
    SetupState.IN_FORCE: Mark("In use", "good"),
    SetupState.RETIRED: Mark("Taken away"),
    SetupState.CLOSED: Mark("Erased"),
}
_LONGEST: Final = 4_000
# Words that are not written like others.
_SPELT: Final = {
    "id": "id", "sid": "SID", "url": "address", "iban": "IBAN", "api": "API", "cert": "certificate",
    "idx": "idx",
}  # fmt: skip
_PREFIX: Final = "f_"


@dataclass(frozen=True, slots=True)
class ShownField:
    """One field as the page shows it. A secret is never shown: only `since` when it is there."""

    name: str
    label: str
    kind: FieldKind
    hint: str
    value: str
    choices: tuple[str, ...]
    since: datetime | None
    wrong: str
    rare: bool


def label_of(name: str) -> str:
    """A setting as people call it."""
    words = [_SPELT.get(word, word) for word in name.split("_")]
    said = " ".join(words)
    return f"{said[:1].upper()}{said[1:]}"


def shown_fields(
    offer: Offer, now: ProviderLine | None, typed: Mapping[str, str], wrong: tuple[str, str]
) -> list[ShownField]:
    """The fields with what is in force (`now`) or was typed; `wrong` names one and says why."""
    return [
        ShownField(
            name=f"{_PREFIX}{field.name}",
            label=label_of(field.name),
            kind=field.kind,
            hint=_hint(field),
            value=_value(field, now, typed),
            choices=field.choices,
            since=None if now is None else now.since.get(field.name),
            wrong=wrong[1] if wrong[0] == field.name else "",
            rare=field.rare,
        )
        for field in offer.fields
    ]


def _hint(field: OwnField) -> str:
    also = ""
    if field.shared:
        also = " Empty: that of this installation."
    elif field.usual and field.kind is FieldKind.TEXT:
        also = f" Empty: {field.usual}"
    return f"{field.description}{also}"


def _value(field: OwnField, now: ProviderLine | None, typed: Mapping[str, str]) -> str:
    if field.kind in (FieldKind.SECRET, FieldKind.FILE):
        return ""
    if field.name in typed:
        return typed[field.name]
    if now is not None:
        return now.values.get(field.name, "")
    return field.usual if field.kind in (FieldKind.TICK, FieldKind.CHOICE) else ""


def read_fields(form: Form, offer: Offer) -> AccessData:
    """What was typed and chosen. Raises `Invalid` for a text or a file that is too large."""
    values: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for field in offer.fields:
        name = f"{_PREFIX}{field.name}"
        if field.kind is FieldKind.FILE:
            for _, body in form.files(name, largest=LARGEST_FILE):
                files[field.name] = body
        elif field.kind is FieldKind.TICK:
            values[field.name] = "yes" if form.ticked(name) else "no"
        elif field.kind is FieldKind.SECRET:
            values[field.name] = form.password(name)[:_LONGEST].strip()
        else:
            values[field.name] = form.text(name, longest=_LONGEST)
    return AccessData(values, files)


def plain_values(data: AccessData, offer: Offer) -> dict[str, str]:
    """What may be shown again of a form that was not carried out."""
    secret = {field.name for field in offer.fields if field.kind is FieldKind.SECRET}
    return {name: value for name, value in data.values.items() if name not in secret}
