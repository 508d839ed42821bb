"""The plugs: one file (or folder) per provider, found by looking into this folder.

`discover()` is the whole registry: a module that defines CONNECTOR is a connector, and nothing
else has to be edited to add one. Importing a connector does nothing.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

import httpx
from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

from app.domain.errors import Misconfigured
from app.ports import Connector
from connectors._http import Client, ConnectorSettings, client


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


def load(connector: Connector) -> BaseModel:
    """The connector's settings from the environment.

    Raises Misconfigured naming the variable, the fault and the mend, never the value.
    """
    prefix = str(connector.settings.model_config.get("env_prefix", ""))
    try:
        return connector.settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = f"{prefix}{first['loc'][0]}".upper() if first["loc"] else f"{prefix}*"
        problem = str(first["msg"]).removeprefix("Value error, ")
        raise Misconfigured(name, problem, "See .env.example for what it means.") from None
    except SettingsError as error:
        raise Misconfigured(f"{prefix}*", str(error), "See .env.example.") from None


def open_client(
    settings: BaseModel, *, transport: httpx.AsyncBaseTransport | None = None
) -> Client:
    """The HTTP client these settings ask for: what wiring puts into `Wire.http`.

    `transport` replaces the network (an ASGI application in tests). Raises Misconfigured when
    TLS files named in the settings cannot be used.
    """
    setup = settings.http_setup() if isinstance(settings, ConnectorSettings) else None
    return client(setup, transport=transport)


def live_addresses(settings: BaseModel) -> tuple[str, ...]:
    """The real providers behind these settings; empty when all are a sandbox on this machine.

    A connector with `needs_licence` must not be used while this is not empty and
    SALDO_TPP_BASIS is not set.
    """
    return settings.live_addresses() if isinstance(settings, ConnectorSettings) else ()
