"""Made-up accounts for the backtest: seeded, small, and like nobody's."""

from __future__ import annotations

import csv
import gzip
import random
from datetime import date, timedelta
from pathlib import Path

from app.backtest.files import MINUTES, Entry, History

BEGINS = date(2026, 1, 1)


def salaried(seed: int, days: int = 240, *, timed: bool = False) -> History:
    """A salary on one day of the month, and purchases until it is gone."""
    chance = random.Random(seed)
    payday, hour = chance.randint(1, 28), chance.randint(4, 9) * 60
    balance = chance.randint(5_000, 40_000)
    entries = []
    for day in range(days):
        at = day * MINUTES
        if (BEGINS + timedelta(days=day)).day == payday or day == 0:
            minor = chance.randint(150_000, 170_000)
            balance += minor
            entries.append(Entry(at + (hour + chance.randint(0, 50)) * timed, minor, balance))
        if chance.random() < 0.6 or day == days - 1:
            minor = min(chance.randint(1_000, 18_000), balance)
            balance -= minor
            entries.append(Entry(at + chance.randint(700, 1300) * timed, -minor, balance))
    return History(f"A{seed}", BEGINS, tuple(entries), timed)


def written(path: Path, histories: list[History]) -> Path:
    """The histories as a bank would export them; packed when the name says so."""
    opener = gzip.open if path.name.endswith(".gz") else open
    timed = histories[0].timed
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(["account_id", "date", *(["time"] * timed), "note", "amount", "balance"])
        for history in histories:
            for entry in history.entries:
                day, minute = divmod(entry.minute, MINUTES)
                on = history.begins_on + timedelta(days=day)
                time = [f"{minute // 60:02d}:{minute % 60:02d}"] * timed
                money = (_text(entry.minor), _text(entry.balance_minor))
                sheet.writerow([history.account_id, on.isoformat(), *time, "-", *money])
    return path


def _text(minor: int) -> str:
    sign = "-" if minor < 0 else ""
    return f"{sign}{abs(minor) // 100}.{abs(minor) % 100:02d}"
