"""How a bank counts the reads made without the person: its habit, and the count so far."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sandbox.banks import Bank, CountKey, Window

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a read is allowed; `counts` tells if it uses one up; `free_in` seconds until the
    next one is allowed, for a refused read.
    """

    allowed: bool
    counts: bool = False
    free_in: int = 0


class Allowance:
    """Counters of unattended reads, in memory; the caller persists each counted read."""

    def __init__(self) -> None:
        self._counted: dict[str, deque[float]] = defaultdict(deque)

    @staticmethod
    def key(bank: Bank, consent_id: str, iban: str, endpoint: str, uri: str) -> str:
        if bank.count_key is CountKey.URI:
            return f"{bank.id}|{consent_id}|{uri}"
        return f"{bank.id}|{consent_id}|{iban}|{endpoint}"

    def count(self, key: str, at: float) -> None:
        """Remember a counted read at `at` (epoch seconds)."""
        self._counted[key].append(at)

    def ask(self, bank: Bank, key: str, frequency: int, now: datetime, window: Window) -> Verdict:
        """What the bank says to an unattended read at `now`. Changes nothing."""
        counted = self._counted.get(key)
        stamp = now.timestamp()
        if not counted:
            return Verdict(True, counts=True)
        if window is Window.CALENDAR:
            local = now.astimezone(bank.zone)
            midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
            tomorrow = (midnight + timedelta(days=1)).replace(tzinfo=bank.zone)
            begins, frees = midnight.timestamp(), tomorrow.astimezone(UTC).timestamp()
        else:
            begins, frees = stamp - _DAY, 0.0
        while counted and counted[0] <= stamp - 2 * _DAY:
            counted.popleft()
        inside = [
            at for at in counted if at > begins or (window is Window.CALENDAR and at == begins)
        ]
        allowed = min(frequency, bank.reads_allowed)
        grace = bank.grace.total_seconds()
        if grace and inside and stamp - inside[-1] < grace:
            return Verdict(True, counts=False)
        if len(inside) < allowed:
            return Verdict(True, counts=True)
        if window is Window.ROLLING:
            frees = inside[len(inside) - allowed] + _DAY
        return Verdict(False, free_in=max(1, round(frees - stamp)))
