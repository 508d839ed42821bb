"""The wrapper round every connector: no call from inside a transaction, none without an end.

It adds the connector's name and the operation to each error, bounds the whole exchange in real
time, turns whatever is not one of our errors into one, and writes one masked log line per
failure. A connector never decides what happens next; the error it raises does.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import structlog

from app.domain.errors import (
    OutcomeUnknown,
    ProviderError,
    Refused,
    SaldoError,
    TryLater,
    Unreadable,
)
from app.store.unit import inside_unit

P = TypeVar("P")

log = structlog.get_logger("boundary")

# Calls that have an effect outside: when their answer is lost, they may have happened.
WRITES = frozenset(
    {
        "begin_consent",
        "came_back",
        "renew",
        "end_consent",
        "create_payment",
        "find_payment",
        "cancel_payment",
        "send",
        "post",
    }
)

# Real seconds for a whole exchange, longer than the transport's own limits.
DEFAULT_LIMIT_S = 30.0


class CallInsideTransaction(RuntimeError):
    """A provider was called while a transaction was open: a programming mistake."""


class Guarded:
    """A port whose asynchronous methods go through the checks. Made by `guard`."""

    def __init__(self, port: object, connector: str, limit_s: float) -> None:
        self._port = port
        for name in dir(port):
            method = None if name.startswith("_") else getattr(port, name)
            if inspect.iscoroutinefunction(method):
                setattr(self, name, _guarded(method, connector, name, limit_s))
            elif callable(method):
                setattr(self, name, method)

    def __repr__(self) -> str:
        return f"Guarded({type(self._port).__name__})"


def guard(port: P, connector: str, *, limit_s: float = DEFAULT_LIMIT_S) -> P:
    """Wrap a port. The result has the same methods, so it is typed as the port itself."""
    return cast("P", Guarded(port, connector, limit_s))


def _guarded(
    method: Callable[..., Awaitable[Any]], connector: str, operation: str, limit_s: float
) -> Callable[..., Awaitable[Any]]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        if inside_unit():
            raise CallInsideTransaction(
                f"{connector}.{operation} was awaited while a transaction is open; "
                "leave the unit first, then ask, then record in a new unit"
            )
        began = time.monotonic()
        try:
            async with asyncio.timeout(limit_s):
                return await method(*args, **kwargs)
        except Refused:
            raise
        except ProviderError as error:
            error.connector = error.connector or connector
            error.operation = error.operation or operation
            _report(error, began)
            raise
        except TimeoutError:
            slow = _slow(connector, operation, limit_s)
            _report(slow, began)
            raise slow from None
        except SaldoError:
            raise
        except Exception as error:
            # The class is safe to show, the text may not be.
            odd = _odd(error, connector, operation)
            _report(odd, began)
            raise odd from error

    return call


def _slow(connector: str, operation: str, limit_s: float) -> ProviderError:
    detail = f"no answer within {limit_s:g} s"
    if operation in WRITES:
        return OutcomeUnknown(detail, connector=connector, operation=operation)
    return TryLater(detail, connector=connector, operation=operation)


def _odd(error: Exception, connector: str, operation: str) -> ProviderError:
    detail = f"the connector failed with {type(error).__name__}"
    if operation in WRITES:
        return OutcomeUnknown(detail, connector=connector, operation=operation)
    return Unreadable(detail, connector=connector, operation=operation)


def _report(error: ProviderError, began: float) -> None:
    log.info(
        "provider_call_failed",
        connector=error.connector,
        operation=error.operation,
        error=type(error).__name__,
        detail=error.detail,
        reference=error.reference,
        ms=round((time.monotonic() - began) * 1000),
    )
