"""The handle of a consent as a connector keeps it: JSON of our own, sealed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import orjson

from app.domain.ids import Secret
from connectors._json import try_json


def held_in(token: Secret) -> dict[str, Any] | None:
    """What a handle holds; None for one that is none of ours, such as a provider's bare token."""
    found = try_json(token.reveal().encode("utf-8", "surrogatepass"))
    return found if isinstance(found, dict) else None


def sealed(content: Mapping[str, Any]) -> Secret:
    """The handle to keep. Days and instants in it are written as ISO 8601."""
    return Secret(orjson.dumps(content).decode("utf-8"))


def day_in(content: Mapping[str, Any], name: str) -> date | None:
    """A day that we wrote ourselves."""
    try:
        return date.fromisoformat(content[name])
    except (KeyError, ValueError, TypeError):
        return None
