"""The boundary: no call from inside a transaction, an end to every call, only our errors out."""

from __future__ import annotations

import asyncio

import pytest

from app.boundary import CallInsideTransaction, guard
from app.domain.errors import NotAllowed, OutcomeUnknown, TryLater, Unreadable
from app.store.unit import Store

pytestmark = pytest.mark.anyio


class Port:
    """A port that does what its test asks of it."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.hang = False

    def banks(self) -> tuple[str, ...]:
        return ("one",)

    async def balances(self) -> str:
        return await self._answer()

    async def send(self) -> str:
        return await self._answer()

    async def _answer(self) -> str:
        if self.hang:
            await asyncio.Event().wait()
        if self.error:
            raise self.error
        return "answer"


async def test_a_call_inside_a_transaction_is_a_crash(store: Store) -> None:
    port = guard(Port(), "acme")
    assert await port.balances() == "answer"
    assert port.banks() == ("one",)
    async with store.engine_unit():
        with pytest.raises(CallInsideTransaction, match=r"acme\.balances"):
            await port.balances()


async def test_our_errors_pass_with_their_origin_filled_in() -> None:
    bare = Port()
    port = guard(bare, "acme")
    bare.error = TryLater("busy")
    with pytest.raises(TryLater) as caught:
        await port.balances()
    assert (caught.value.connector, caught.value.operation) == ("acme", "balances")
    bare.error = NotAllowed("bad signature")
    with pytest.raises(NotAllowed):
        await port.balances()


@pytest.mark.parametrize(
    ("operation", "slow", "odd"),
    [("balances", TryLater, Unreadable), ("send", OutcomeUnknown, OutcomeUnknown)],
)
async def test_anything_else_becomes_one_of_ours(
    operation: str, slow: type[Exception], odd: type[Exception]
) -> None:
    bare = Port()
    port = guard(bare, "acme", limit_s=0.01)
    bare.hang = True
    with pytest.raises(slow, match="no answer"):
        await getattr(port, operation)()
    bare.hang, bare.error = False, KeyError("secret-token")
    with pytest.raises(odd) as caught:
        await getattr(port, operation)()
    assert "secret-token" not in str(caught.value)
