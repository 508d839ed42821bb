"""Folders for tests that run a server: also as root, whose server works under another user."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.store.embedded import EmbeddedServer
from app.store.embedded_place import can_reach, server_account


def reachable_base() -> Path:
    """A temporary folder that the server's user can enter, even when TMPDIR is private."""
    account = server_account(Path("/nonexistent"))
    bases = [Path(tempfile.gettempdir()), Path("/var/tmp"), Path("/tmp")]  # noqa: S108
    return next(folder for folder in bases if can_reach(folder, account))


@contextmanager
def server_place() -> Iterator[Path]:
    """A folder a server's user can pass through. What still runs in it at the end is stopped.

    The data folder of the server, if there is one, is `data` in it.
    """
    place = Path(tempfile.mkdtemp(prefix="saldo-test-", dir=reachable_base()))
    place.chmod(0o711)
    try:
        yield place
    finally:
        EmbeddedServer(place / "data").stop()
        shutil.rmtree(place)
