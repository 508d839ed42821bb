"""The plugs: one file (or folder) per provider, found by looking into this folder.

`discover()` is the whole registry: a module that defines CONNECTOR is a connector, and nothing
else has to be edited to add one. Importing a connector does nothing.
"""

from __future__ import annotations

import importlib
import pkgutil
from datetime import datetime
from functools import cache

from pydantic import BaseModel, ValidationError

from app.domain.errors import Misconfigured
from app.ports import Connector
from connectors._own import leads_to, own_fields, own_settings
from connectors._probe import probe
from connectors._settings import (
    ConnectorSettings,
    StayingSettings,
    WayOut,
    closed_ways,
    faults,
)
from connectors._tls import Fault, Grade

__all__ = [
    "ConnectorSettings",
    "Fault",
    "Grade",
    "WayOut",
    "discover",
    "faults",
    "leads_to",
    "live_addresses",
    "own_fields",
    "own_settings",
    "probe",
    "refuse_broken_ways",
    "refuse_open_payments",
    "settings_of",
    "ways_out",
]


@cache
def discover() -> dict[str, Connector]:
    """Every connector of this folder by its name. Names of modules that begin with `_` are ours."""
    found: dict[str, Connector] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        connector = getattr(importlib.import_module(f"{__name__}.{module.name}"), "CONNECTOR", None)
        if isinstance(connector, Connector):
            found[connector.name] = connector
    return found


def settings_of(connector: Connector) -> BaseModel:
    """The connector's own settings from the environment. Raises `Misconfigured`."""
    try:
        return connector.settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = "_".join(str(part) for part in first["loc"]) or "…"
        raise Misconfigured(
            f"SALDO_{connector.name}_{field}".upper(), str(first["msg"]), "See .env.example."
        ) from None


def live_addresses(settings: BaseModel) -> tuple[str, ...]:
    """The real providers behind these settings; empty when all are a sandbox on this machine.

    A connector with `needs_licence` must not be used while this is not empty and
    SALDO_TPP_BASIS is not set. Raises Misconfigured where the settings name a file that cannot
    be read.
    """
    return settings.live_addresses() if isinstance(settings, ConnectorSettings) else ()


def ways_out(settings: BaseModel) -> tuple[WayOut, ...]:
    """How the connector reaches its provider. Raises Misconfigured for an unreadable list."""
    return tuple(settings.ways_out()) if isinstance(settings, ConnectorSettings) else ()


def refuse_broken_ways(settings: BaseModel, now: datetime) -> None:
    """Raises Misconfigured when certificates cannot be used at `now`, which is real time.

    A certificate for one bank of several that has run out closes this bank alone.
    """
    if isinstance(settings, ConnectorSettings):
        closed_ways(settings, now)


def refuse_open_payments(name: str, settings: BaseModel) -> None:
    """Raises Misconfigured where payments could not be taken back and nobody has accepted that."""
    if not isinstance(settings, StayingSettings) or settings.accept_open_payments:
        return
    setting = f"{settings.setting_prefix()}accept_open_payments".upper()
    raise Misconfigured(
        "SALDO_PAYMENT_CONNECTOR",
        f"{name} cannot take back a payment that has begun: it could be paid after the loan was",
        f"Read docs/providers/{name}.md. To use it all the same, set {setting}=true.",
    )
