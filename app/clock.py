"""The one clock of the house: business time, which may run faster than real time, and real time.

*Business time* drives everything with a due date: instalments, contact windows, the read
allowance, ends of links and consents. *Real time* drives machinery: time-outs, heartbeats,
sessions, signatures. Both are aware UTC.

The clock is one small JSON file that every process (and the sandbox) reads:

    {"mode": "real"}
    {"mode": "warp", "real_origin": s, "business_origin": s, "speed": n, "lease_until": s | null}

    business = business_origin + (min(real, lease_until) - real_origin) * speed

All instants are seconds since 1970 UTC. Before `real_origin` the business clock stands at
`business_origin`. The supervisor renews the lease twice a second; when everything is stopped, or
killed, the lease ends and business time stands still until the next start. No file = real time.

Business time never runs backwards, across processes too: a change takes effect a moment in the
future (`_HANDOVER_S`), so that readers of the old and of the new file agree on the switch.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.domain.errors import Invalid, Misconfigured

LEASE_S = 2.0
"""Real seconds a lease lasts; the supervisor's beat is a quarter of it."""

MAX_SPEED = 100_000.0
"""Business seconds per real second. Faster than a day a second helps nobody."""

_HANDOVER_S = 0.02

RealNow = Callable[[], float]
"""Seconds since 1970 of the machine's clock; an argument only so that rules can be tested."""


@dataclass(frozen=True, slots=True)
class Warp:
    """One stretch of business time at one speed. All instants in seconds since 1970 UTC."""

    real_origin: float
    business_origin: float
    speed: float
    lease_until: float | None = None
    resume_speed: float | None = None
    """The speed before a freeze."""

    def at(self, real: float) -> float:
        """Business seconds at the real second `real`."""
        until = real if self.lease_until is None else min(real, self.lease_until)
        return self.business_origin + max(0.0, until - self.real_origin) * self.speed

    def rebased(self, real: float, speed: float) -> Warp:
        """The same business time at `real`, from there on at `speed`."""
        return replace(self, real_origin=real, business_origin=self.at(real), speed=speed)


class Clock:
    """Reads the clock file; `now()` costs microseconds because the file is cached by its stamp."""

    def __init__(self, path: Path | None = None, *, real_now: RealNow = time.time) -> None:
        self._path = path
        self._real_now = real_now
        self._stamp: tuple[int, int, int] | None = None
        self._warp: Warp | None = None
        self._latest = -math.inf

    def now(self) -> datetime:
        """Business time. While the clock is warped it never returns less than before.

        Raises Misconfigured when the file is there and cannot be understood.
        """
        real = self._real_now()
        while self._refresh():
            # The file changed since: the old speed must not be used for a moment after that.
            real = self._real_now()
        if self._warp is None:
            return datetime.fromtimestamp(real, UTC)
        self._latest = max(self._latest, self._warp.at(real))
        return datetime.fromtimestamp(self._latest, UTC)

    def real_now(self) -> datetime:
        """The machine's own clock."""
        return datetime.fromtimestamp(self._real_now(), UTC)

    def speed(self) -> float:
        """Business seconds per real second; 1.0 for the real clock, 0.0 while it stands still."""
        self._refresh()
        warp = self._warp
        if warp is None:
            return 1.0
        ended = warp.lease_until is not None and warp.lease_until <= self._real_now()
        return 0.0 if ended else warp.speed

    @property
    def warped(self) -> bool:
        """True when business time is not real time."""
        self._refresh()
        return self._warp is not None

    def _refresh(self) -> bool:
        """Read the file if it is not the one read last. True when it was another."""
        if self._path is None:
            return False
        try:
            status = os.stat(self._path)  # noqa: PTH116 - a microsecond counts here
        except FileNotFoundError:
            was_there = self._stamp is not None
            self._stamp, self._warp = None, None
            return was_there
        stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        if stamp == self._stamp:
            return False
        self._warp = read_clock(self._path)
        self._stamp = stamp
        return True


# ---------------------------------------------------------------- the file


def read_clock(path: Path) -> Warp | None:
    """The warp in the file; None for the real clock (no file, or mode real).

    Raises Misconfigured when the content is not a clock.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return None if content["mode"] == "real" else _warp_of(content)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise Misconfigured(
            "SALDO_CLOCK_FILE",
            f"{path} is not a clock file ({type(error).__name__})",
            "Restore it, or remove it to go by real time.",
        ) from error


def _warp_of(content: dict[str, Any]) -> Warp:
    if content["mode"] != "warp":
        raise ValueError(content["mode"])
    lease, before = content.get("lease_until"), content.get("resume_speed")
    return Warp(
        real_origin=float(content["real_origin"]),
        business_origin=float(content["business_origin"]),
        speed=float(content["speed"]),
        lease_until=None if lease is None else float(lease),
        resume_speed=None if before is None else float(before),
    )


def start_warp(path: Path, *, business_start: datetime, speed: float, lease: bool = True) -> None:
    """Begin a warped clock at the aware instant `business_start`, replacing what was there.

    With `lease` the clock runs only while somebody renews it; without, it just runs.
    """
    with _locked(path):
        real = time.time()
        until = real + LEASE_S if lease else None
        _write(path, Warp(real, business_start.timestamp(), _checked(speed), until))


def set_speed(path: Path, speed: float) -> None:
    """Change the speed from this moment on. Raises Invalid for a clock that is not warped."""
    wanted = _checked(speed)
    _change(path, lambda warp, real: replace(warp.rebased(real, wanted), resume_speed=None))


def freeze(path: Path) -> None:
    """Let business time stand still until `resume`. Freezing twice changes nothing."""

    def stand(warp: Warp, real: float) -> Warp:
        before = warp.speed if warp.resume_speed is None else warp.resume_speed
        return replace(warp.rebased(real, 0.0), resume_speed=before)

    _change(path, stand)


def resume(path: Path) -> None:
    """Go on at the speed before `freeze`. Without a freeze nothing changes."""

    def go_on(warp: Warp, real: float) -> Warp:
        if warp.resume_speed is None:
            return warp
        return replace(warp.rebased(real, warp.resume_speed), resume_speed=None)

    _change(path, go_on)


def advance_to(path: Path, business: datetime) -> None:
    """Jump forward to the aware instant `business`, keeping the speed. Raises Invalid backwards."""

    def jump(warp: Warp, real: float) -> Warp:
        there = warp.rebased(real, warp.speed)
        if business.timestamp() < there.business_origin:
            raise Invalid("clock", "business time cannot go back.", mend="Give a later moment.")
        return replace(there, business_origin=business.timestamp())

    _change(path, jump)


def renew_lease(path: Path, *, real_now: RealNow = time.time) -> None:
    """The supervisor's beat: business time may run for another `LEASE_S` real seconds.

    A lease that had already ended (all was stopped, the machine slept) is not paid back: time
    goes on from where it stood. A real clock and a clock without a lease are left alone.
    """
    if read_clock(path) is None:
        return
    with _locked(path):
        warp, real = read_clock(path), real_now()
        if warp is None or warp.lease_until is None:
            return
        if warp.lease_until <= real:
            warp = warp.rebased(real, warp.speed)
        _write(path, replace(warp, lease_until=real + LEASE_S), sync=False)


def end_lease(path: Path) -> None:
    """Stop business time now; the next `renew_lease` lets it go on from here."""
    if read_clock(path) is None:
        return
    with _locked(path):
        warp, real = read_clock(path), time.time()
        if warp is None or warp.lease_until is None:
            return
        _write(path, replace(warp, lease_until=min(warp.lease_until, real + _HANDOVER_S)))


# ---------------------------------------------------------------- one writer at a time


def _checked(speed: float) -> float:
    if not (math.isfinite(speed) and 0.0 <= speed <= MAX_SPEED):
        raise Invalid("speed", "is not possible.", mend=f"Choose 0 to {MAX_SPEED:,.0f}.")
    return float(speed)


def _change(path: Path, change: Callable[[Warp, float], Warp]) -> None:
    """Replace the warp by `change(warp, real)`, where `real` is the moment it takes effect."""
    with _locked(path):
        warp = read_clock(path)
        if warp is None:
            raise Invalid("clock", "runs on real time.", mend="Only the demo's clock can be set.")
        ahead = _HANDOVER_S
        for _ in range(8):
            effective = time.time() + ahead
            draft = _draft(path, change(warp, effective), sync=True)
            if time.time() < effective - ahead / 2:
                break
            # The disk was slow and the moment has passed: aim further ahead.
            draft.unlink()
            ahead *= 2
        else:
            raise Misconfigured("SALDO_CLOCK_FILE", f"{path.parent} is too slow", "Move it.")
        draft.replace(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One writer at a time, across processes; readers need no lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(path.name + ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, warp: Warp, *, sync: bool = True) -> None:
    _draft(path, warp, sync=sync).replace(path)


def _draft(path: Path, warp: Warp, *, sync: bool) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"mode": "warp", **asdict(warp)}, file)
        file.flush()
        os.fchmod(handle, 0o644)
        if sync:
            os.fsync(handle)
    return Path(name)
