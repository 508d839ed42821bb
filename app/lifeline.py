"""The lifeline: how a child process learns that its supervisor is gone, however it went.

The supervisor keeps the writing end of a pipe and never writes. A child reads: nothing comes,
until the last writing end is closed, which the operating system does even after a kill -9.
A process that was started without a supervisor has no lifeline and lives its own life.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

VARIABLE = "SALDO_LIFELINE_FD"
GRACE_S = 8.0
"""Real seconds a child has for a clean end after its supervisor died; then it is ended hard."""

EXIT_ORPHANED = 70


def watch(
    on_end: Callable[[], None],
    *,
    grace_s: float = GRACE_S,
    hard_exit: Callable[[int], object] = os._exit,
) -> bool:
    """Call `on_end` when the supervisor is gone, and end the process hard if it lingers.

    `on_end` runs in a thread of its own: in an asyncio program pass
    `lambda: loop.call_soon_threadsafe(stop.set)`. Returns False when there is no supervisor.
    Call it once a process: it takes the lifeline out of the environment.
    """
    number = os.environ.pop(VARIABLE, "")
    if not number.isdigit():
        return False
    fd = int(number)
    os.set_inheritable(fd, False)

    def wait() -> None:
        try:
            while os.read(fd, 64):
                pass
        except OSError:
            pass  # no lifeline to hold is the same as a broken one
        try:
            on_end()
        finally:
            threading.Event().wait(grace_s)
            hard_exit(EXIT_ORPHANED)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
    return True
