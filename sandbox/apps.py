"""The lender's app on the people's phones, and what it has shown there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sandbox.chance import Chance
from sandbox.modes import Mode
from sandbox.people import Person
from sandbox.town import Town

# Of a hundred people.
_HAVE_IT = 15


@dataclass(slots=True)
class Note:
    """One message in the app. It is on the screen once `shown_at` is set."""

    id: str
    person_id: str
    body: str
    link: str
    shown_at: datetime | None = None


def has_app(person: Person, seed: int) -> bool:
    """Whether somebody has his lender's app; the same on every start."""
    return Chance(seed, ("app", person.id)).between(1, 100, "has") <= _HAVE_IT


class Apps:
    """All notes, in memory and in the store."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._all = {note.id: note for note in town.store.all_of("app_note", Note)}

    def reaches(self, person: Person) -> bool:
        """Whether the app shows anything on this phone now."""
        return self._town.mode(person.id, Mode.APP_SILENT) is None

    def get(self, note_id: str) -> Note | None:
        return self._all.get(note_id)

    def keep(self, note: Note) -> None:
        """Remember a note, or that it has been shown."""
        self._town.store.put("app_note", note.id, note)
        self._all[note.id] = note

    def on_phone(self, person: Person) -> list[tuple[datetime, Note]]:
        """What the app shows on one phone, and since when, the oldest first."""
        shown = [
            (note.shown_at, note)
            for note in self._all.values()
            if note.person_id == person.id and note.shown_at is not None
        ]
        return sorted(shown, key=lambda one: (one[0], one[1].id))
