"""The lines of the timeline about numbers and addresses that the desk enters."""

from __future__ import annotations

from typing import Final

from app.domain.contact_detail import Detail
from app.web.telling import Details, Words

_NOUNS: Final = {Detail.PHONE.value: "number", Detail.EMAIL.value: "e-mail address"}
_CONFIRMED: Final = {
    "call": "The borrower answered there himself.",
    "lender": "Your system states the same.",
}
_CHANGED: Final = {
    "new_one_wrong": "The new one was wrong: the one before is in use again.",
    "entered_again": "The good one before was entered again.",
    "lender_states_another": "Your system states another one than the desk had entered.",
}


def detail_entered(details: Details) -> Words:
    """What was entered, masked, and where it is from."""
    source = str(details.get("source", ""))
    said = f"{details.get('shown', '')}, from: “{source}”. Not confirmed yet."
    return Words(f"New {_noun(details)} entered", said, "text", "warn")


def detail_confirmed(details: Details) -> Words:
    """How it is known to be his."""
    how = _CONFIRMED.get(str(details.get("by", "")), "")
    return Words(
        f"New {_noun(details)} confirmed", f"{details.get('shown', '')}. {how}".strip(), "text",
        "good",
    )  # fmt: skip


def detail_changed(details: Details) -> Words:
    """Which one is in use now, and why it is not the one that the desk entered."""
    why = _CHANGED.get(str(details.get("why", "")), "")
    noun = _noun(details)
    return Words(
        f"Another {noun} in use", f"{details.get('shown', '')}. {why}".strip(), "text", "warn"
    )


def _noun(details: Details) -> str:
    return _NOUNS.get(str(details.get("detail", "")), "detail")
