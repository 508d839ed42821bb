"""Shared by all tests: one PostgreSQL per run, one database per test, no stray environment.

The server starts when the first test asks for it, whichever xdist worker that is, and is
stopped by the process that began the run. A database is a copy of a migrated template that
nobody is connected to (about 20 ms).
"""

from __future__ import annotations

import fcntl
import gc
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import HealthCheck, settings

from app.store import migrate
from app.store.embedded import EmbeddedServer
from app.store.embedded_setup import TEST_TUNING, DatabaseUrls, read_access
from app.store.unit import Store
from connectors import _tls
from tests.databases import Databases
from tests.places import run_base
from tests.rig import make_store

if TYPE_CHECKING:
    from tests.neighbourhood import Neighbourhood

# Properties run the same everywhere: no clock, no database of examples, no chance. A busy machine
# is no fault of a property. The long run asks for more with `--hypothesis-profile=long`.
settings.register_profile(
    "saldo",
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("long", settings.get_profile("saldo"), max_examples=100)
settings.load_profile("saldo")

# Thousands of tests and their libraries stay alive to the end. Looking through all of them again
# and again for what may go took a tenth of the time; what goes in circles goes now and then.
_COLLECT_EVERY = 100
_run = itertools.count(1)

_FOLDER = "SALDO_TEST_RUN_DIR"
_TEMPLATE = "saldo_template"


def pytest_configure(config: pytest.Config) -> None:
    """Scrub the environment; the process that began the run makes the folder of the server."""
    kept = {_FOLDER, "SALDO_SPECS_DIR", "SALDO_REQUIRE_BROWSER"}
    for name in [name for name in os.environ if name.startswith("SALDO_") and name not in kept]:
        del os.environ[name]
    if not hasattr(config, "workerinput"):
        folder = Path(tempfile.mkdtemp(prefix="saldo-tests-", dir=run_base()))
        folder.chmod(0o755)
        os.environ[_FOLDER] = str(folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: nobody waits for one that began last."""
    items.sort(key=lambda item: item.get_closest_marker("storm") is None)


def pytest_collection_finish() -> None:
    """What is there now stays."""
    gc.collect()
    gc.freeze()
    gc.disable()


def pytest_runtest_setup() -> None:
    """Collect the rubbish of many tests at once, where the tests run."""
    if next(_run) % _COLLECT_EVERY == 0:
        gc.collect()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server and remove its folder, in the process that began the run."""
    if hasattr(config, "workerinput") or _FOLDER not in os.environ:
        return
    folder = Path(os.environ.pop(_FOLDER))
    if (folder / "database.json").exists():
        EmbeddedServer(folder, tuning=TEST_TUNING).stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _keys_are_examined_once() -> Iterator[None]:
    """The library examines an RSA key for a twentieth of a second each time it is loaded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_tls, "load_pem_private_key", cache(load_pem_private_key))
        yield


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """One event loop flavour: the one that runs in production."""
    return "asyncio"


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    with (folder / "template.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def server() -> EmbeddedServer:
    """The run's PostgreSQL with the migrated template in it."""
    folder = Path(os.environ[_FOLDER])
    running = EmbeddedServer(folder, tuning=TEST_TUNING)
    with _one_at_a_time(folder):
        urls = running.ensure_started()
        with psycopg.connect(urls.superuser, autocommit=True) as admin:
            made = admin.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [_TEMPLATE]
            ).fetchone()
            if made is None:
                admin.execute(f"CREATE DATABASE {_TEMPLATE} OWNER saldo_owner")
                migrate.upgrade(urls_to(_TEMPLATE).owner)
    return running


def urls_to(database: str) -> DatabaseUrls:
    """URLs of all roles to one database of the run's server."""
    access = read_access(Path(os.environ[_FOLDER]))
    assert access is not None, "the server is not started"
    return access.urls(database)


@pytest.fixture(scope="session")
def databases(server: EmbeddedServer) -> Iterator[Databases]:
    """Those of this process of tests."""

    def make(admin: psycopg.Connection, name: str) -> None:
        with _one_at_a_time(Path(os.environ[_FOLDER])):
            # Copying the files takes an eighth of what the default takes, block by block (24
            # against 202 ms with 60 tables), and dropping a quarter.
            admin.execute(
                f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} OWNER saldo_owner STRATEGY FILE_COPY"
            )

    made = Databases(server.urls().superuser, urls_to, make)
    yield made
    made.close()


@pytest.fixture
def db(databases: Databases) -> Iterator[DatabaseUrls]:
    """A migrated, empty database."""
    lent = databases.take()
    yield lent.urls
    databases.give_back(lent)


@pytest.fixture
async def store(db: DatabaseUrls) -> AsyncIterator[Store]:
    """The two pools on a fresh database, with keys made for this test."""
    made = make_store(db)
    yield made
    await made.close()


@pytest.fixture
async def hood(db: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Neighbourhood]:
    """Saldo and its outside world, on a Tuesday morning."""
    from tests.neighbourhood import neighbourhood  # heavy: only for tests that want it

    async with neighbourhood(db, tmp_path) as made:
        yield made
