"""What is made of files, and made anew when one of them is replaced: certificates are renewed
while Saldo runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Generic, TypeVar

import structlog

from app.domain.errors import Misconfigured

Made = TypeVar("Made")
Stamp = tuple[int, int, int] | None

LOOK_EVERY: Final = 60.0
"""Real seconds between two looks at the files."""

log = structlog.get_logger("connectors")


class Renewed(Generic[Made]):
    """Holds what `make` made of `files`. The first time what is wrong with them is raised.

    Later files that cannot be used leave what there is in force, with a word in the log: of two
    that belong together one is always written first. They are tried again when they change again.
    """

    def __init__(
        self,
        files: Iterable[Path | None],
        make: Callable[[], Made],
        *,
        retire: Callable[[Made], None] = lambda _old: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`retire` gets what was replaced. Raises what `make` raises."""
        self._files = tuple(dict.fromkeys(path for path in files if path is not None))
        self._make, self._retire, self._clock = make, retire, clock
        self._stamps = self._look()
        self._looked_at = clock()
        self._made = make()

    @property
    def now(self) -> Made:
        """What stands; the files are looked at once a minute."""
        if self._files and self._clock() - self._looked_at >= LOOK_EVERY:
            self._looked_at = self._clock()
            stamps = self._look()
            if stamps != self._stamps:
                self._stamps = stamps
                self._renew()
        return self._made

    def _renew(self) -> None:
        try:
            made = self._make()
        except Misconfigured as error:
            log.warning("new_file_unusable", setting=error.setting, problem=error.problem)
            return
        old, self._made = self._made, made
        log.info("file_renewed", files=[str(path) for path in self._files])
        self._retire(old)

    def _look(self) -> tuple[Stamp, ...]:
        return tuple(_stamp(path) for path in self._files)


def _stamp(path: Path) -> Stamp:
    """What changes with a file's content; None while there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
