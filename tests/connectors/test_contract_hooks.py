"""What every connector must do alike with a provider's calls about payments."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import connectors
from app.domain.errors import NotAllowed, TryLater, Unreadable
from app.pay_ports import PaymentBegun
from app.ports import InboundEvent, InboundHttp, InboundKind
from sandbox.modes import Mode
from tests.connectors.registry import BANK_RIGS
from tests.connectors.rigs import BankRig
from tests.connectors.test_fuzz import JSON

pytestmark = pytest.mark.anyio

HOOKED = [name for name in BANK_RIGS if connectors.discover()[name].hooks is not None]
TELLING = [name for name in HOOKED if connectors.discover()[name].payments is not None]


@pytest.fixture(params=TELLING)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> BankRig:
    return BANK_RIGS[request.param](tmp_path)


async def _paid(rig: BankRig, *modes: Mode) -> PaymentBegun:
    """Somebody has paid, with these faults."""
    person = rig.person(opening_minor=100_000)
    for mode in modes:
        rig.scene.world.set_mode(person.id, mode)
    begun = await rig.payments.create_payment(rig.order(person))
    assert rig.news() == []  # an order that nobody has answered is no news
    rig.pay(begun, person)
    return begun


async def test_each_change_is_told_and_names_its_payment(rig: BankRig) -> None:
    begun, hooks = await _paid(rig), rig.hooks_over(None)
    events: list[InboundEvent] = []
    for _ in range(2):
        (call,) = rig.news()
        told = await hooks.read_webhooks(call)
        assert told
        assert (await hooks.read_webhooks(call)) == told  # the same call is the same events
        events.extend(told)
        rig.watch.on(days=1)
    assert {one.kind for one in events} == {InboundKind.PAYMENT}
    refs = {one.payment_ref.reveal() for one in events if one.payment_ref}
    assert refs == rig.news_refs(begun)
    assert len({one.event_id for one in events}) == len(events)
    assert begun.handle.ref.reveal() not in repr(events)
    assert rig.news() == []
    # What the provider calls it later is told with the state, so that it is found by that too.
    now = await rig.payments.payment_now(begun.handle)
    known = {ref.reveal() for ref in (begun.handle.ref, now.hook_ref) if ref}
    assert known == rig.news_refs(begun)


@pytest.mark.parametrize("mode", [Mode.CALLBACK_UNSIGNED, Mode.CALLBACK_BADLY_SIGNED])
async def test_unsigned_and_forged_calls_are_refused(rig: BankRig, mode: Mode) -> None:
    await _paid(rig, mode)
    (call,) = rig.news()
    with pytest.raises(NotAllowed):
        await rig.hooks_over(None).read_webhooks(call)


async def test_a_call_that_was_changed_or_is_old_is_refused(rig: BankRig) -> None:
    await _paid(rig)
    (call,) = rig.news()
    hooks = rig.hooks_over(None)
    changed = [replace(call, body=call.body + b" "), replace(call, headers={})]
    for one in changed:
        with pytest.raises(NotAllowed):
            await hooks.read_webhooks(one)
    assert await hooks.read_webhooks(call)
    rig.watch.on(days=40)
    if rig.dates_calls:
        with pytest.raises(NotAllowed):
            await hooks.read_webhooks(call)
    else:
        assert await hooks.read_webhooks(call) == ()  # signed, and about nothing new


@pytest.fixture(scope="module", params=HOOKED)
def hooked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> BankRig:
    return BANK_RIGS[request.param](tmp_path_factory.mktemp("hooks"))


SIGNATURES = ("tl-signature", "x-tink-signature", "webhook-signature", "x-tl-webhook-timestamp")
HEADERS = st.dictionaries(
    st.sampled_from(SIGNATURES), st.text(max_size=80) | st.just("eyJhbGciOiJFUzUxMiJ9..AA")
)


@given(headers=HEADERS, body=st.binary(max_size=80), keys=JSON)
def test_anybody_may_call_with_anything(
    hooked: BankRig, headers: dict[str, str], body: bytes, keys: object
) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=keys))
    hooks = hooked.hooks_over(transport)
    call = InboundHttp(f"https://saldo.example{hooked.hook_path}", headers, body)

    async def attempt() -> None:
        with pytest.raises((NotAllowed, Unreadable, TryLater)):
            await hooks.read_webhooks(call)

    asyncio.run(attempt())
