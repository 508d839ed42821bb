"""Building blocks for tests on a real database: keys, stores, a lender with its people.

Everything here goes through the same code as production; only the keys are made up.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import event, insert, make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.ids import BorrowerId, LenderId
from app.reference.packs import load_packs
from app.store.embedded_setup import DatabaseUrls
from app.store.jobs import Jobs
from app.store.keys import new_id
from app.store.tables import borrowers, lenders
from app.store.unit import Store, connect
from app.store.vault import Vault
from tests.kept import shelf

PACKS = load_packs()
"""The contact rules as they ship. Reading them takes 10 ms, and nobody changes them."""

MASTER_KEY = b"m" * 32
HASH_KEY = b"h" * 32


def make_vault() -> Vault:
    """A vault with keys that exist nowhere else."""
    return Vault({"test": MASTER_KEY}, HASH_KEY)


class Lent:
    """Engines that go from test to test, each time to another database.

    A new engine compiles every statement anew, which is a tenth of a test's time; a pool that
    was disposed of opens new connections, and asks here where to.
    """

    def __init__(self) -> None:
        self._spare: dict[tuple[str, int], list[AsyncEngine]] = {}
        self._goal: dict[AsyncEngine, str] = {}

    def engine(self, url: str, size: int, name: str) -> AsyncEngine:
        """A spare engine, or a new one, that connects to `url`."""
        spare = self._spare.setdefault((name, size), [])
        engine = spare.pop() if spare else self._made(url, size, name)
        self._goal[engine] = url
        return engine

    def _made(self, url: str, size: int, name: str) -> AsyncEngine:
        engine = connect(url, size=size, name=name)

        @event.listens_for(engine.sync_engine, "do_connect")
        def _to_the_goal(dialect: Any, _record: Any, _args: Any, parameters: Any) -> None:
            parameters.update(dialect.create_connect_args(make_url(self._goal[engine]))[1])
            parameters["async_creator_fn"] = shelf.connect

        return engine

    def give_back(self, size: int, name: str, engine: AsyncEngine) -> None:
        """Once it is disposed of, another test may have it."""
        self._spare[name, size].append(engine)


_lent = Lent()


class LentStore(Store):
    """A store on lent engines."""

    def __init__(self, db: DatabaseUrls, size: int) -> None:
        self._size, self._url = size, db.app
        super().__init__(
            _lent.engine(db.app, size, "test app"),
            _lent.engine(db.engine, size, "test engine"),
            make_vault(),
            Jobs(),
        )

    def address(self) -> str:
        """A lent engine was made for another database."""
        return self._url

    async def close(self) -> None:
        """Close the connections, and let the next test have the engines."""
        await super().close()
        _lent.give_back(self._size, "test app", self._app)
        _lent.give_back(self._size, "test engine", self._engine)


def make_store(db: DatabaseUrls, *, size: int = 5) -> Store:
    """The two pools on one database."""
    return LentStore(db, size)


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
