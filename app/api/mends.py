"""A refused value in a person's words: which field, what is wrong, what would be right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

_MOST = 20

# By pydantic's error type: (what is wrong, how to mend it).
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "missing": ("is missing.", "Add it."),
    "extra_forbidden": ("is not known here.", "Remove it, or check its spelling."),
    "string_type": ("is not a string.", "Write it in double quotes."),
    "string_too_short": ("is too short.", "Use at least {min_length} characters."),
    "string_too_long": ("is too long.", "Use at most {max_length} characters."),
    "string_pattern_mismatch": ("does not have the right form.", "It must match {pattern}"),
    "string_unicode": ("is not valid Unicode text.", "Send UTF-8."),
    "int_type": ("is not a whole number.", "Write it without quotes and without a point."),
    "int_parsing": ("is not a whole number.", "Write digits only."),
    "int_from_float": ("is not a whole number.", "Write it without a point."),
    "bool_type": ("is not true or false.", "Write true or false without quotes."),
    "bool_parsing": ("is not true or false.", "Write true or false."),
    "greater_than_equal": ("is too small.", "Use {ge} or more."),
    "less_than_equal": ("is too large.", "Use {le} or less."),
    "greater_than": ("is too small.", "Use more than {gt}."),
    "list_type": ("is not a list.", "Write it in square brackets."),
    "too_short": ("is too short.", "Give at least {min_length}."),
    "too_long": ("is too long.", "Give at most {max_length}."),
    "enum": ("is not one of the choices.", "Use {expected}."),
    "literal_error": ("is not one of the choices.", "Use {expected}."),
    "uuid_parsing": ("is not an id.", "Use the id that Saldo gave you."),
    "uuid_type": ("is not an id.", "Use the id that Saldo gave you."),
    "model_attributes_type": (
        "is not a JSON object.",
        "Send an object in curly brackets with Content-Type: application/json.",
    ),
    "model_type": (
        "is not a JSON object.",
        "Send an object in curly brackets with Content-Type: application/json.",
    ),
}


def faults_of(errors: Sequence[Any]) -> list[dict[str, str]]:
    """At most twenty faults with `field`, `message` and `mend`. Never what was sent."""
    return [_fault(error) for error in errors[:_MOST]]


def _fault(error: Mapping[str, Any]) -> dict[str, str]:
    context = error.get("ctx") or {}
    kind = str(error["type"])
    if kind == "saldo_value":
        message, mend = str(context["message"]), str(context["mend"])
    elif kind in _WORDS:
        message, mend = _WORDS[kind]
        mend = mend.format_map(_Known(context))
    else:
        message, mend = f"{error['msg']}.", "See the documentation."
    return {"field": field_of(error["loc"]), "message": message, "mend": mend}


class _Known(dict[str, Any]):
    """A placeholder nobody filled reads as "…", never as an exception in the error path."""

    def __missing__(self, key: str) -> str:
        return "…"


def field_of(place: Sequence[str | int]) -> str:
    """("body", "instalments", 0, "due_on") -> "instalments[0].due_on"."""
    steps = list(place)
    if steps and steps[0] in {"body", "query", "path"}:
        steps = steps[1:]
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text or "body"
