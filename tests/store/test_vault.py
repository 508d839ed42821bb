"""Encryption at rest: bound to place and row, survives rotation, refuses everything else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Row

from app.domain.errors import Misconfigured
from app.domain.ids import LenderId
from app.store.embedded_setup import DatabaseUrls
from app.store.keys import new_id, new_token
from app.store.unit import Store
from app.store.vault import LOOK_AGAIN, SETTLED, SealBroken, Vault, parse_master_keys
from tests.rig import HASH_KEY, MASTER_KEY, make_lender, make_store

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PLACE = "borrowers.name_enc"


async def test_what_was_sealed_opens_only_at_its_place_and_row(store: Store) -> None:
    lender_id = await make_lender(store, NOW)
    row = new_id()
    sealed = store.vault.seal(lender_id, PLACE, row, "Ana Núñez")
    assert b"Ana" not in sealed
    assert store.vault.open(PLACE, row, sealed) == "Ana Núñez"
    for place, other in ((PLACE, new_id()), ("borrowers.phone_enc", row)):
        with pytest.raises(SealBroken):
            store.vault.open(place, other, sealed)
    with pytest.raises(SealBroken):
        store.vault.open(PLACE, row, sealed[:-1] + bytes([sealed[-1] ^ 1]))


async def test_the_same_text_never_looks_the_same_twice(store: Store) -> None:
    lender_id = await make_lender(store, NOW)
    row = new_id()
    assert store.vault.seal(lender_id, PLACE, row, "x") != store.vault.seal(
        lender_id, PLACE, row, "x"
    )


async def test_another_process_opens_it_and_rotation_keeps_old_rows(
    store: Store, db: DatabaseUrls
) -> None:
    lender_id = await make_lender(store, NOW)
    row = new_id()
    old = store.vault.seal(lender_id, PLACE, row, "before")

    rotated = make_store(db)
    rotated.vault = Vault({"new": b"n" * 32, "test": MASTER_KEY}, HASH_KEY)
    async with rotated.engine_unit() as unit:
        await unit.keys([lender_id])
        assert unit.open(PLACE, row, old) == "before"
        assert await rotated.vault.rewrap(unit.conn) == 1
        await rotated.vault.make_key(unit.conn, lender_id, NOW)
        fresh = rotated.vault.seal(lender_id, PLACE, row, "after")
    await rotated.close()

    only_new = make_store(db)
    only_new.vault = Vault({"new": b"n" * 32}, HASH_KEY)
    async with only_new.unit(lender_id) as unit:
        assert unit.open(PLACE, row, old) == "before"
        assert unit.open(PLACE, row, fresh) == "after"
    await only_new.close()


class Ticks:
    """Real time in the test's hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Two:
    """Two running processes on one database, and their time."""

    ticks: Ticks
    one: Store
    other: Store
    lender_id: LenderId

    async def seals(self, store: Store, text: str) -> tuple[UUID, bytes]:
        row = new_id()
        async with store.unit(self.lender_id) as unit:
            return row, unit.seal(PLACE, row, text)

    async def opens(self, store: Store, sealed: tuple[UUID, bytes]) -> str:
        async with store.unit(self.lender_id) as unit:
            return unit.open(PLACE, *sealed)

    async def rotate(self, db: DatabaseUrls) -> bytes:
        """What `saldo keys rotate` does, in a process of its own. Returns the new key's id."""
        command = make_store(db)
        async with command.engine_unit() as unit:
            key_id = await command.vault.make_key(unit.conn, self.lender_id, NOW)
        await command.close()
        return key_id.bytes


@pytest.fixture
async def two(store: Store, db: DatabaseUrls) -> AsyncIterator[Two]:
    ticks = Ticks()
    one, other = make_store(db), make_store(db)
    for process in (one, other):
        process.vault = Vault({"test": MASTER_KEY}, HASH_KEY, ticks)
    pair = Two(ticks, one, other, await make_lender(store, NOW))
    for process in (one, other):
        await pair.seals(process, "both have the first key")
    yield pair
    await one.close()
    await other.close()


async def test_running_processes_learn_a_new_key_and_none_meets_a_row_it_cannot_open(
    two: Two, db: DatabaseUrls
) -> None:
    new = await two.rotate(db)
    used = []
    # The one is busy, the other comes by only now and then, as seldom as it may.
    for turn in range(40):
        two.ticks.now += 1
        sealed = await two.seals(two.one, f"turn {turn}")
        used.append(sealed[1][:16] == new)
        if turn % int(LOOK_AGAIN) == 0:
            assert await two.opens(two.other, sealed) == f"turn {turn}"
    assert used[0] is False
    assert used[-1] is True
    assert used == sorted(used), "once it seals with the new key, it stays with it"
    assert used.index(True) <= LOOK_AGAIN + SETTLED + 1
    assert (await two.seals(two.other, "x"))[1][:16] == new


async def test_a_key_nobody_could_know_yet_is_found_by_the_next_try(
    two: Two, db: DatabaseUrls
) -> None:
    await two.rotate(db)
    fresh = make_store(db)
    sealed = await two.seals(fresh, "by a process that started after the rotation")
    with pytest.raises(SealBroken):
        await two.opens(two.one, sealed)
    assert await two.opens(two.one, sealed) == "by a process that started after the rotation"
    await fresh.close()


async def test_looking_again_is_bounded(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[UUID] = []
    learn = two.one.vault._learn

    def counted(lender: UUID, rows: Sequence[Row[Any]]) -> None:
        asked.append(lender)
        learn(lender, rows)

    monkeypatch.setattr(two.one.vault, "_learn", counted)
    for _ in range(50):
        await two.seals(two.one, "within the same second")
    assert asked == []
    two.ticks.now += LOOK_AGAIN
    for _ in range(50):
        await two.seals(two.one, "later")
    assert len(asked) == 1


async def test_erased_keys_are_forgotten_by_running_processes(two: Two, db: DatabaseUrls) -> None:
    sealed = await two.seals(two.one, "to be erased")
    assert await two.opens(two.other, sealed) == "to be erased"
    # No process of ours may do this; whoever owns the database may.
    async with await psycopg.AsyncConnection.connect(db.superuser) as owner:
        gone = await owner.execute("DELETE FROM data_keys WHERE lender_id = %s", (two.lender_id,))
    assert gone.rowcount == 1
    two.ticks.now += LOOK_AGAIN
    for process in (two.one, two.other):
        with pytest.raises(SealBroken):
            await two.opens(process, sealed)


async def test_a_key_under_an_unknown_master_key_does_not_stop_the_process(
    two: Two, db: DatabaseUrls
) -> None:
    before = await two.seals(two.one, "before")
    command = make_store(db)
    command.vault = Vault({"new": b"n" * 32, "test": MASTER_KEY}, HASH_KEY)
    async with command.engine_unit() as unit:
        await command.vault.make_key(unit.conn, two.lender_id, NOW)
    await command.close()
    two.ticks.now += LOOK_AGAIN + SETTLED
    assert await two.opens(two.one, before) == "before"
    assert await two.opens(two.one, await two.seals(two.one, "after")) == "after"


async def test_a_missing_or_wrong_master_key_is_named(store: Store, db: DatabaseUrls) -> None:
    lender_id = await make_lender(store, NOW)
    for vault, words in (
        (Vault({"other": b"o" * 32}, HASH_KEY), "is missing"),
        (Vault({"test": b"o" * 32}, HASH_KEY), "is not the one"),
    ):
        wrong = make_store(db)
        wrong.vault = vault
        with pytest.raises(Misconfigured, match=words):
            async with wrong.unit(lender_id):
                raise AssertionError("the unit must not open")
        await wrong.close()


def test_installation_rows_open_under_an_older_master_key() -> None:
    before = Vault({"a": b"a" * 32}, HASH_KEY)
    sealed = before.seal(None, "inbox.payload_enc", UUID(int=7), "hello")
    after = Vault({"b": b"b" * 32, "a": b"a" * 32}, HASH_KEY)
    assert after.open("inbox.payload_enc", UUID(int=7), sealed) == "hello"


def test_hashes_differ_by_purpose_and_key() -> None:
    vault = Vault({"a": b"a" * 32}, HASH_KEY)
    assert vault.digest("iban", "ES1") != vault.digest("phone", "ES1")
    assert vault.digest("iban", "ES1") != Vault({"a": b"a" * 32}, b"x" * 32).digest("iban", "ES1")


@pytest.mark.parametrize("text", ["", "a", "a:", "a:xx", "a:" + "A" * 10, ":" + "A" * 43 + "="])
def test_unusable_master_keys_are_refused(text: str) -> None:
    with pytest.raises(Misconfigured):
        Vault(parse_master_keys(text), HASH_KEY)


def test_ids_come_in_order_and_tokens_do_not_repeat() -> None:
    ids = [new_id() for _ in range(50)]
    assert all(one.version == 7 for one in ids)
    assert sorted(one.int >> 80 for one in ids) == [one.int >> 80 for one in ids]
    assert len({new_token() for _ in range(1000)}) == 1000
    assert len(new_token()) == 22
