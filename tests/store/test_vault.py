"""Encryption at rest: bound to place and row, survives rotation, refuses everything else."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from app.domain.errors import Misconfigured
from app.store.embedded_setup import DatabaseUrls
from app.store.keys import new_id, new_token
from app.store.unit import Store
from app.store.vault import SealBroken, Vault, parse_master_keys
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
