"""Building blocks for tests on a real database: keys, stores, a lender with its people.

Everything here goes through the same code as production; only the keys are made up.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import insert

from app.domain.ids import BorrowerId, LenderId
from app.store.embedded_setup import DatabaseUrls
from app.store.jobs import Jobs
from app.store.keys import new_id
from app.store.tables import borrowers, lenders
from app.store.unit import Store, connect
from app.store.vault import Vault

MASTER_KEY = b"m" * 32
HASH_KEY = b"h" * 32


def make_vault() -> Vault:
    """A vault with keys that exist nowhere else."""
    return Vault({"test": MASTER_KEY}, HASH_KEY)


def make_store(db: DatabaseUrls, *, size: int = 5) -> Store:
    """The two pools on one database."""
    return Store(
        connect(db.app, size=size, name="test app"),
        connect(db.engine, size=size, name="test engine"),
        make_vault(),
        Jobs(),
    )


async def make_lender(store: Store, now: datetime, **values: Any) -> LenderId:
    """A lender in Madrid with a data key. `values` override columns."""
    lender_id = LenderId(new_id())
    row = {
        "id": lender_id,
        "slug": f"lender-{lender_id.hex[-8:]}",
        "name": "Préstamos Sol",
        "jurisdiction": "ES",
        "language": "es",
        "time_zone": "Europe/Madrid",
        "contact_phone": "+34910000000",
        "contact_url": "https://sol.example",
        "creditor_name": "Préstamos Sol SL",
        "observe_only": False,
        "created_at": now,
    }
    async with store.engine_unit() as unit:
        await unit.conn.execute(insert(lenders).values({**row, **values}))
        await store.vault.make_key(unit.conn, lender_id, now)
    return lender_id


async def make_borrower(
    store: Store, lender_id: LenderId, now: datetime, **values: Any
) -> BorrowerId:
    """A borrower with a name and nothing else. `values` override columns."""
    borrower_id = BorrowerId(new_id())
    async with store.unit(lender_id) as unit:
        row = {
            "id": borrower_id,
            "lender_id": lender_id,
            "external_ref": f"B-{borrower_id.hex[-8:]}",
            "name_enc": unit.seal("borrowers.name_enc", borrower_id, "Ana Núñez"),
            "language": "es",
            "country": "ES",
            "created_at": now,
            "updated_at": now,
        }
        await unit.conn.execute(insert(borrowers).values({**row, **values}))
    return borrower_id
