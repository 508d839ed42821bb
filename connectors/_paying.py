"""Steps of a payment alike at every provider: refused, asked for, taken back, made once more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import httpx

from app.domain.errors import Declined, OutcomeUnknown, ProviderError, TryLater
from app.domain.payee import EUR, Carried, carries
from app.pay_ports import CancelResult, PaymentNow, PaymentOrder, PayStatus
from connectors._exchange import Call, read_json, unreadable

R = TypeVar("R")


def trouble_with(order: PaymentOrder, pays: Iterable[Carried]) -> tuple[str, str] | None:
    """Detail and reason of a refusal, for a bank that moves these; None: nothing is wrong.

    Instant is SEPA's word: other currencies go as fast as they go.
    """
    moved, currency = tuple(pays), order.amount.currency
    if order.amount.minor <= 0 or currency not in {one.currency for one in moved}:
        known = ", ".join(one.currency for one in moved) or "no currency"
        return f"from this bank positive amounts of {known} are paid only", "AMOUNT"
    if order.instant and currency != EUR:
        return "only euro is paid instantly", "AMOUNT"
    if not carries(moved, currency, order.creditor_account):
        return "this is no account that it can go to in this currency", "CREDITOR"
    return None


def stated(answer: httpx.Response, call: Call, name: str = "status") -> dict[str, Any]:
    """The answer that says how a payment stands. Raises Unreadable where it does not."""
    document = read_json(answer, call)
    if not isinstance(document, dict) or name not in document:
        raise unreadable("the answer states no status", call, answer.content)
    return document


def not_known_yet(error: ProviderError, call: Call) -> ProviderError:
    """Why a payment's status was refused. A no is TryLater: the payment may be too new, and is
    never taken for failed.
    """
    if isinstance(error, Declined):
        return TryLater(error.detail, after=None, **call.where)
    return error


async def take_back(
    wish: Callable[[], Awaitable[object]],
    status: Callable[[], Awaitable[PaymentNow]],
    connector: str,
) -> CancelResult:
    """Say the wish to take a payment back, and believe the payment's own status alone.

    A refused wish is raised only where the payment is still open; OutcomeUnknown where that cannot
    be seen, or it is still on its way back.
    """
    where = {"connector": connector, "operation": "cancel_payment"}
    refused: ProviderError | None = None
    try:
        await wish()
    except Declined as no:
        refused = no
    try:
        now = await status()
    except ProviderError as error:
        raise OutcomeUnknown(error.detail, **where) from None
    if now.status in (PayStatus.CANCELLED, PayStatus.REJECTED):
        return CancelResult.CANCELLED
    if now.status is not PayStatus.OPEN:
        return CancelResult.TOO_LATE
    raise refused or OutcomeUnknown("it is being taken back", **where)


async def twice(step: Callable[[], Awaitable[R]]) -> R:
    """Take a step that can be repeated under its key once more when its answer is lost.

    Whatever the second one says, the first may have been taken: unless it says yes it is unknown.
    """
    try:
        return await step()
    except OutcomeUnknown as lost:
        try:
            return await step()
        except ProviderError as error:
            detail = f"{lost.detail}; again: {error.detail}"
            where = {"connector": lost.connector, "operation": lost.operation}
            raise OutcomeUnknown(detail, reference=lost.reference, **where) from None
