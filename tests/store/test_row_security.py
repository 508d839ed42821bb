"""A lender's unit sees and writes rows of that lender only, whatever the statement says."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import ProgrammingError

from app.domain.errors import NotAllowed
from app.domain.ids import LenderId
from app.store.columns import metadata
from app.store.embedded_setup import DatabaseUrls
from app.store.keys import new_id
from app.store.tables import borrowers, lenders
from app.store.unit import Store

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


async def _lender(store: Store, slug: str) -> LenderId:
    lender_id = LenderId(new_id())
    async with store.engine_unit() as unit:
        await unit.conn.execute(
            insert(lenders).values(
                id=lender_id,
                slug=slug,
                name=slug,
                jurisdiction="ES",
                time_zone="Europe/Madrid",
                creditor_name=slug,
                created_at=NOW,
            )
        )
        await store.vault.make_key(unit.conn, lender_id, NOW)
    return lender_id


async def _borrower(store: Store, lender_id: LenderId, owner: UUID | None = None) -> UUID:
    row_id = new_id()
    async with store.unit(lender_id) as unit:
        await unit.conn.execute(
            insert(borrowers).values(
                id=row_id,
                lender_id=owner or lender_id,
                external_ref="B-1",
                name_enc=unit.seal("borrowers.name_enc", row_id, "Ana"),
                language="es",
                country="ES",
                created_at=NOW,
                updated_at=NOW,
            )
        )
    return row_id


async def test_a_unit_sees_only_its_lender(store: Store) -> None:
    mine, other = await _lender(store, "mine"), await _lender(store, "other")
    row_id = await _borrower(store, mine)
    async with store.unit(other) as unit:
        assert await unit.conn.scalar(select(func.count()).select_from(borrowers)) == 0
        changed = await unit.conn.execute(
            update(borrowers).where(borrowers.c.id == row_id).values(country="PL")
        )
        assert changed.rowcount == 0
        assert await unit.conn.scalar(select(func.count()).select_from(lenders)) == 1
    async with store.unit(mine) as unit:
        row = (await unit.conn.execute(select(borrowers))).one()
        assert unit.open("borrowers.name_enc", row.id, row.name_enc) == "Ana"


async def test_a_unit_cannot_write_for_another_lender(store: Store) -> None:
    mine, other = await _lender(store, "mine"), await _lender(store, "other")
    with pytest.raises(ProgrammingError, match="row-level security"):
        await _borrower(store, mine, owner=other)


async def test_the_binding_does_not_leak_through_the_pool(store: Store, db: DatabaseUrls) -> None:
    mine = await _lender(store, "mine")
    await _borrower(store, mine)
    with psycopg.connect(db.app) as bare:
        assert bare.execute("SELECT count(*) FROM borrowers").fetchone() == (0,)
    async with store._app.begin() as conn:
        assert await conn.scalar(select(func.count()).select_from(borrowers)) == 0


async def test_an_engine_unit_has_no_lender_of_its_own(store: Store) -> None:
    async with store.engine_unit() as unit:
        with pytest.raises(NotAllowed):
            _ = unit.lender_id


def test_every_table_is_fenced_and_no_role_can_step_over(db: DatabaseUrls) -> None:
    with psycopg.connect(db.owner) as connection:
        fenced: dict[str, bool] = dict(
            connection.execute(
                "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class "
                "WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            ).fetchall()
        )
        roles = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'saldo_%' "
            "AND (rolsuper OR rolbypassrls OR rolcreaterole)"
        ).fetchall()
    for table in metadata.tables.values():
        assert table.info.get("tenant") or table.info.get("engine"), f"{table.name} has no fence"
        assert fenced[table.name] is bool(table.info.get("tenant"))
    assert roles == []


@pytest.mark.parametrize("table", ["timeline", "audit"])
@pytest.mark.parametrize("role", ["app", "engine"])
def test_history_cannot_be_rewritten(db: DatabaseUrls, table: str, role: str) -> None:
    url = db.app if role == "app" else db.engine
    for statement in (f"UPDATE {table} SET at = now()", f"DELETE FROM {table}"):
        with (
            psycopg.connect(url) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement)
