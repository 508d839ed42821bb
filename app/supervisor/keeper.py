"""The keeper: puts the house in order when the supervisor was killed outright.

It holds the lifeline like every child. When the supervisor is gone and no new one has taken the
lock within a few seconds, nobody would ever stop the private PostgreSQL: the keeper takes the
lock, ends what is left, stops the server and removes the run file.

    python -m app.supervisor.keeper DATA_DIR POSTGRES_DIR CLOCK_FILE LOG_LEVEL LOG_FORMAT

POSTGRES_DIR is empty when the database is the operator's own.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import IO

import psutil
import structlog

from app.clock import end_lease
from app.instance import lock_holder, read_instance, sign_lock, take_lock, withdraw
from app.lifeline import VARIABLE
from app.logs import configure_logs
from app.store.embedded import EmbeddedServer
from app.supervisor.children import end_leftovers

log = structlog.stdlib.get_logger(__name__)

HEIR_WAIT_S = 5.0
"""Real seconds a new supervisor has to take over before the server is stopped."""


def keep(data_dir: Path, postgres_dir: Path | None, clock_file: Path, lifeline_fd: int) -> None:
    """Wait for the supervisor's end, then for an heir; without one, clear up."""
    parent = os.getppid()
    while os.read(lifeline_fd, 64):
        pass
    lock = _inherit(data_dir, parent)
    if lock is None:
        return
    with lock:
        sign_lock(lock, "keeper")
        log.warning("supervisor_was_killed", clearing_up=str(data_dir))
        instance = read_instance(data_dir)
        if instance is not None:
            end_leftovers([mark for mark in instance.children if mark.pid != os.getpid()])
        end_lease(clock_file)
        if postgres_dir is not None:
            EmbeddedServer(data_dir, postgres_dir=postgres_dir).stop()
        withdraw(data_dir)


def _inherit(data_dir: Path, parent: int) -> IO[str] | None:
    """The lock, when no heir came in time; None when a new supervisor signed it.

    That the lock is taken says nothing by itself: somebody may just be looking at it.
    """
    deadline = time.monotonic() + HEIR_WAIT_S
    while True:
        role, pid = lock_holder(data_dir)
        if role == "supervisor" and pid != parent and psutil.pid_exists(pid):
            return None
        if time.monotonic() > deadline and (lock := take_lock(data_dir)) is not None:
            return lock
        time.sleep(0.1)


def main(arguments: list[str]) -> None:
    """Entry point of the keeper process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    data_dir, postgres_dir, clock_file, log_level, log_format = arguments
    configure_logs(log_level, log_format, "keeper")
    postgres = Path(postgres_dir) if postgres_dir else None
    keep(Path(data_dir), postgres, Path(clock_file), int(os.environ.pop(VARIABLE)))


if __name__ == "__main__":
    main(sys.argv[1:])
