"""A whole timeline in words, where what is said again every day takes one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from app.reports.case_entries import Entry
from app.store.timeline import Kind
from app.web.story import Told, tell
from app.web.telling import day_in_words


def tell_all(entries: Sequence[Entry], zone: ZoneInfo) -> list[Told]:
    """Put lines into words, newest first. A ledger that says the same every day says it once."""
    told: list[Told] = []
    run: list[Entry] = []
    for entry in (*entries, None):
        if entry is not None and _only_confirms(entry):
            run.append(entry)
            continue
        if run:
            told.append(_confirmed(run, zone))
            run = []
        if entry is not None:
            told.append(tell(entry, zone))
    return told


def _only_confirms(entry: Entry) -> bool:
    return entry.kind == Kind.OWED_CONFIRMED.value and not entry.details.get("closed")


def _confirmed(run: Sequence[Entry], zone: ZoneInfo) -> Told:
    newest = tell(run[0], zone)
    if len(run) == 1:
        return newest
    since = day_in_words(run[-1].at.astimezone(zone).date().isoformat())
    return replace(newest, said=f"{len(run)} times since {since}.")
