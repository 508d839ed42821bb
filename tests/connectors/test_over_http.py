"""The connectors against the sandbox over real HTTP: what an in-process call cannot show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from app.domain.errors import OutcomeUnknown, TryLater
from app.domain.ids import Iban
from app.pay_ports import CancelResult
from app.ports import Grant, Wire
from connectors._http import HttpSetup, client
from connectors.berlin_group.aggregation import Aggregation
from connectors.berlin_group.payments import Payments
from connectors.berlin_group.profile import Settings
from sandbox import psu
from sandbox.app import create
from sandbox.bank_list import as_toml
from sandbox.banks import BANKS
from sandbox.modes import BankMode, Mode
from sandbox.world import World
from tests.connectors.authority import Authority
from tests.connectors.rigs import BankRig
from tests.connectors.scene import MONDAY, Scene

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def listening(world: World) -> AsyncIterator[str]:
    """The sandbox on a free port of this machine."""
    config = uvicorn.Config(
        create(world), port=0, log_level="critical", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event for this
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def banks(
    tmp_path: Path, entry: str = "", **more: Any
) -> AsyncIterator[tuple[Scene, Aggregation, Payments]]:
    """The sandbox's banks; `entry` is added to the list's last one, `more` to the settings."""
    scene = Scene()
    async with listening(scene.world) as origin:
        path = tmp_path / "banks.toml"
        path.write_text(as_toml(origin) + entry, encoding="utf-8")
        settings = Settings.model_validate({"banks": path, "timeout_seconds": 1.1, **more})
        async with client(HttpSetup()) as http:
            wire = Wire(http, scene.watch.now, scene.watch.now)
            yield scene, Aggregation(settings, wire), Payments(settings, wire)


async def test_lost_slow_and_dripping_answers(tmp_path: Path) -> None:
    plain = BankRig(tmp_path)  # lends its orders; nothing is sent over it
    async with banks(tmp_path) as (scene, aggregation, payments):
        person = scene.world.add_person(opening_minor=50_000)
        begun = await aggregation.begin_consent(plain.ask())
        psu.allow(scene.world, begun.redirect_url, person)
        (account,) = await aggregation.accounts(begun.grant, None)
        assert (await aggregation.balances(begun.grant, account.ref, None)).entries

        scene.world.set_mode(person.id, Mode.PAYMENT_ANSWER_LOST)
        with pytest.raises(OutcomeUnknown):
            await payments.create_payment(plain.order(person))
        assert len(scene.world.payments.all()) == 1
        scene.world.set_mode(person.id, Mode.CONSENT_ANSWER_LOST)
        with pytest.raises(OutcomeUnknown):
            await aggregation.begin_consent(plain.ask(iban=Iban.parse(person.iban)))

        for mode in (Mode.SLOW, Mode.DRIP):
            scene.world.set_mode(person.id, mode, 2)
            with pytest.raises(TryLater):
                await aggregation.balances(begun.grant, account.ref, None)
            scene.world.set_mode(person.id, mode, on=False)
        # Each of them was one attempt at the bank, and counted there.
        reads = [row for row in scene.world.store.reads(scene.watch.now()) if row[2] == "balances"]
        assert len(reads) == 3


async def test_what_is_signed_is_what_arrives(tmp_path: Path) -> None:
    """Headers and body on a real connection, host and path among what is signed."""
    seal, key = Authority(tmp_path, now=MONDAY).issue("seal", key=generate_private_key(65537, 2048))
    names = '"(request-target)", "host", "content-type", "consent-id", "date", "tpp-redirect-uri"'
    entry = f'[bank.signature]\nheaders = [{names}, "digest", "x-request-id"]\n'
    bank = BANKS[-1].id
    plain = BankRig(tmp_path, bank)
    async with banks(tmp_path, entry, seal_cert=seal, seal_key=key) as (scene, accounts, payments):
        scene.world.town.set_bank_mode(bank, BankMode.SIGNED)
        person = scene.world.add_person(bank_id=bank, opening_minor=50_000)
        begun = await accounts.begin_consent(plain.ask())
        psu.allow(scene.world, begun.redirect_url, person)
        (account,) = await accounts.accounts(begun.grant, None)
        assert (await accounts.balances(begun.grant, account.ref, None)).entries
        paid = await payments.create_payment(plain.order(person))
        assert await payments.cancel_payment(paid.handle) is CancelResult.CANCELLED
        await accounts.end_consent(begun.grant)


async def test_many_at_once_are_one_request_each(tmp_path: Path) -> None:
    plain = BankRig(tmp_path)
    async with banks(tmp_path) as (scene, aggregation, _):

        async def one(number: int) -> None:
            person = scene.world.add_person(opening_minor=number)
            begun = await aggregation.begin_consent(plain.ask())
            psu.allow(scene.world, begun.redirect_url, person)
            grant: Grant = begun.grant
            (account,) = await aggregation.accounts(grant, None)
            answer = await aggregation.balances(grant, account.ref, None)
            assert {entry.amount.minor for entry in answer.entries if entry.amount} == {number}

        await asyncio.gather(*(one(number) for number in range(1, 41)))
        assert len(scene.world.store.reads(scene.watch.now())) == 80
