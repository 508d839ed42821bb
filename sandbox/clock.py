"""The sandbox's watch: it reads the clock file that the whole installation shares.

The file is JSON: `{"mode": "real"}` or `{"mode": "warp", "real_origin": s, "business_origin": s,
"speed": x, "lease_until": s or null}`, all epoch seconds. Without a file, time is real.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

Now = Callable[[], datetime]


def real_now() -> datetime:
    """The present moment, aware UTC."""
    return datetime.now(UTC)


class WarpClock:
    """Business time from the clock file; never goes back while this process lives."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._mark: tuple[int, int, int] | None = None
        self._warp: tuple[float, float, float, float | None] | None = None
        self._last = 0.0

    def _read(self) -> None:
        if self._path is None:
            return
        try:
            stat = self._path.stat()
            mark = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if mark == self._mark:
                return
            content = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            self._mark, self._warp = None, None
            return
        except ValueError:
            # Half-written files cannot happen (the writer renames); keep the last good state.
            return
        self._mark = mark
        if content.get("mode") != "warp":
            self._warp = None
            return
        lease = content.get("lease_until")
        self._warp = (
            float(content["real_origin"]),
            float(content["business_origin"]),
            float(content["speed"]),
            None if lease is None else float(lease),
        )

    def now(self) -> datetime:
        """Business time, aware UTC."""
        self._read()
        real = time.time()
        if self._warp is None:
            stamp = real
        else:
            real_origin, business_origin, speed, lease = self._warp
            until = real if lease is None else min(real, lease)
            stamp = business_origin + max(0.0, until - real_origin) * speed
        self._last = max(self._last, stamp)
        return datetime.fromtimestamp(self._last, UTC)
