"""Folders for tests that run a server: also as root, whose server works under another user."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.store.embedded import EmbeddedServer
from app.store.embedded_place import can_reach, server_account
from app.store.embedded_setup import TEST_TUNING

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
# The server's log of changes alone may grow to 2 GB.
ENOUGH = 4 * 2**30


def reachable_base() -> Path:
    """A temporary folder that the server's user can enter, even when TMPDIR is private."""
    account = server_account(Path("/nonexistent"))
    bases = [Path(tempfile.gettempdir()), Path("/var/tmp"), Path("/tmp")]  # noqa: S108
    return next(folder for folder in bases if can_reach(folder, account))


def run_base() -> Path:
    """Where the run's own server lives: in memory where there is room for it.

    A database per test is hundreds of files made and removed. ext4 looks for inodes that were not
    freed lately before each new one, which took half of two processors away from the tests.
    """
    if MEMORY.is_dir() and can_reach(MEMORY, server_account(Path("/nonexistent"))):
        room = os.statvfs(MEMORY)
        if room.f_bavail * room.f_frsize >= ENOUGH:
            return MEMORY
    return reachable_base()


def lay_out_server(data_dir: Path) -> None:
    """A data folder as the first start of a server leaves it.

    A copy of one that is made once a run: a first start costs most of a second of a processor.
    """
    run = Path(os.environ["SALDO_TEST_RUN_DIR"])
    pattern = run / "pattern"
    with (run / "pattern.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not pattern.exists():
            pattern.mkdir(mode=0o711)
            first = EmbeddedServer(pattern / "data", tuning=TEST_TUNING)
            first.ensure_started()
            first.stop()
    # The owners stay: as root, the server works under another user.
    subprocess.run(["cp", "-a", str(pattern / "data"), str(data_dir)], check=True)


@contextmanager
def server_place() -> Iterator[Path]:
    """A folder a server's user can pass through. What still runs in it at the end is stopped.

    The data folder of the server, if there is one, is `data` in it.
    """
    place = Path(tempfile.mkdtemp(prefix="saldo-test-", dir=run_base()))
    place.chmod(0o711)
    try:
        yield place
    finally:
        EmbeddedServer(place / "data").stop()
        shutil.rmtree(place)
