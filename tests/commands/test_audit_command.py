"""`saldo audit verify`: one command that finds tampering, and says so with its exit status."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from app.domain.ids import LenderId
from app.domain.stamp import History, Line, stamp
from app.store import audit
from app.store.embedded_setup import DatabaseUrls
from app.store.stamps import keep_stamp, last_stamp, lines_between, unstamped
from app.store.unit import Store
from tests.commands.conftest import Saldo, answer, done, refusal
from tests.rig import make_lender

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


async def _acts(store: Store, lender_id: LenderId, *acts: str, at: datetime = NOW) -> None:
    for act in acts:
        async with store.unit(lender_id) as unit:
            await audit.record(unit, at, actor="ana", act=act, subject="x")


async def _stamped(store: Store) -> None:
    async with store.engine_unit() as unit:
        for one in await unstamped(unit, History.AUDIT):
            before = await last_stamp(unit, one.lender_id, History.AUDIT)
            lines: list[Line] = await lines_between(
                unit, one.lender_id, History.AUDIT, before, until=one.newest, at_most=99
            )
            made = stamp(
                before, lines, lender_id=one.lender_id, history=History.AUDIT, stamped_at=NOW
            )
            assert await keep_stamp(unit, made)


async def test_untouched_history_and_its_head(store: Store, saldo: Saldo) -> None:
    lender_id = await make_lender(store, NOW, slug="sol")
    await _acts(store, lender_id, "one", "two")
    await _stamped(store)
    await _acts(store, lender_id, "three")
    said = await asyncio.to_thread(lambda: done(saldo("audit", "verify")))
    assert "sol/audit: 2 lines under 1 stamps" in said
    assert "1 lines not stamped yet" in said
    assert "Nothing was tampered with." in said
    found = await asyncio.to_thread(lambda: answer(saldo("audit", "verify", "--json")))
    [head] = [one["head"] for one in found["histories"] if one["head"]]
    assert f"--head {head}" in said
    await _stamped(store)
    assert await asyncio.to_thread(lambda: saldo("audit", "verify", "--head", head).exit_code) == 0


async def test_what_was_changed_is_named(store: Store, saldo: Saldo, db: DatabaseUrls) -> None:
    lender_id = await make_lender(store, NOW, slug="sol")
    await _acts(store, lender_id, "one", "two", "three")
    await _stamped(store)
    with psycopg.connect(db.superuser) as connection:
        changed = connection.execute(
            "UPDATE audit SET actor = 'eva' WHERE act = 'two' RETURNING id"
        ).fetchone()
    assert changed is not None
    result = await asyncio.to_thread(lambda: saldo("audit", "verify"))
    assert result.exit_code == 1
    assert f"line {changed[0]} (place 2, stamp 1) was changed" in result.output
    assert "1 things were tampered with." in result.output


async def test_a_tail_that_was_cut_off(store: Store, saldo: Saldo, db: DatabaseUrls) -> None:
    lender_id = await make_lender(store, NOW, slug="sol")
    await _acts(store, lender_id, "one")
    await _stamped(store)
    await _acts(store, lender_id, "two")
    await _stamped(store)
    found = await asyncio.to_thread(lambda: answer(saldo("audit", "verify", "--json")))
    [head] = [one["head"] for one in found["histories"] if one["head"]]
    with psycopg.connect(db.superuser) as connection:
        connection.execute("DELETE FROM audit WHERE act = 'two'")
        connection.execute("DELETE FROM stamps WHERE number = 2")
    assert await asyncio.to_thread(lambda: saldo("audit", "verify").exit_code) == 0
    result = await asyncio.to_thread(lambda: saldo("audit", "verify", "--head", head))
    assert result.exit_code == 1
    assert "stamp 2 was written down and is not there" in result.output


async def test_an_old_moment_behind_newer_ones_is_pointed_at(store: Store, saldo: Saldo) -> None:
    lender_id = await make_lender(store, NOW, slug="sol")
    await _acts(store, lender_id, "one")
    await _acts(store, lender_id, "two", at=NOW - timedelta(days=2))
    await _stamped(store)
    result = await asyncio.to_thread(lambda: saldo("audit", "verify"))
    assert result.exit_code == 0
    assert "(place 2) says that it is more than a day older" in result.output
    assert "1 stamps, the last of them number 1 of 2026-03-02 09:00 UTC" in result.output


@pytest.mark.parametrize("head", ["", "sol", "sol/letters/1/aa", "sol/audit/one/aa"])
def test_a_head_that_nobody_printed(saldo: Saldo, head: str) -> None:
    assert "--head" in refusal(saldo("audit", "verify", "--head", head))


def test_a_lender_who_is_not_there(saldo: Saldo) -> None:
    assert "no such lender" in refusal(saldo("audit", "verify", "--lender", "nobody"))
    assert "no lender sol" in refusal(saldo("audit", "verify", "--head", "sol/audit/1/aa"))
