"""A child as the real ones are: ends on TERM and when the lifeline ends. Notes its life.

python small_child.py MARKS [--port N] [--stubborn]
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from pathlib import Path

from app.lifeline import watch


def main() -> None:
    marks = Path(sys.argv[1])
    stubborn = "--stubborn" in sys.argv

    def note(word: str) -> None:
        with marks.open("a") as file:
            file.write(f"{word} {os.getpid()}\n")

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: note("asked") if stubborn else stop.set())

    def orphaned() -> None:
        note("orphaned")
        if not stubborn:
            stop.set()

    watched = watch(orphaned, grace_s=1.0)
    listener = None
    if "--port" in sys.argv:
        number = int(sys.argv[sys.argv.index("--port") + 1])
        listener = socket.create_server(("127.0.0.1", number))
    note("started" if watched else "alone")
    stop.wait()
    if listener is not None:
        listener.close()
    note("ended")


if __name__ == "__main__":
    main()
