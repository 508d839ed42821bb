"""Stamps on history: what was written down cannot be changed behind them without being found.

A stamp covers a stretch of one history of one lender, in the order in which its lines were written.
It carries a hash of every line in it and the hash of the stamp before, so that the last one speaks
for all. Whoever wants to change an old line has to make all stamps from there on anew, which takes
the key, or has to take them away, and Saldo makes them anew: later than such lines are stamped. And
whoever wrote a hash down elsewhere sees even that.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import UUID

# Old stamps were made with this form of a line and a stamp; another form needs another name.
_LINE: Final = b"saldo history line 1\n"
_STAMP: Final = b"saldo history stamp 1\n"
_FIRST: Final = bytes(32)

_MARK: Final = struct.Struct(">q16s8s")
_SHORT: Final = 8

# Lines are written some moments after the "now" that they carry. More than this is not that.
BACKDATED: Final = timedelta(days=1)


class History(StrEnum):
    """What is stamped: what happened to borrowers and cases, and who changed or came in."""

    TIMELINE = "timeline"
    AUDIT = "audit"


class Kind(StrEnum):
    """What may be wrong with a line, a stamp, or the end of the chain."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    REORDERED = "reordered"
    STAMP_CHANGED = "stamp_changed"
    STAMP_REMOVED = "stamp_removed"
    CUT_OFF = "cut_off"
    STAMPED_ANEW = "stamped_anew"


class Line(NamedTuple):
    """One line: its place in the order of writing, its moment, and all of it as text, in order."""

    place: int
    id: UUID
    at: datetime
    parts: tuple[str | None, ...]

    def digest(self) -> bytes:
        """SHA-256 over every field. Each says its own length: no two lines read alike."""
        pieces = [_LINE]
        for part in self.parts:
            raw = None if part is None else part.encode()
            pieces.append(b"-;" if raw is None else b"%d:%b;" % (len(raw), raw))
        return sha256(b"".join(pieces)).digest()


class Mark(NamedTuple):
    """What a stamp remembers of one line, to name the line that is not what it was."""

    place: int
    id: UUID
    short: bytes


class Difference(NamedTuple):
    """The first line of a stretch that is not as it was stamped."""

    kind: Kind
    place: int
    id: UUID


@dataclass(frozen=True, slots=True)
class Stamp:
    """One stamp. `marks` are those of its lines, packed; `lines_hash` is over their digests.

    `hash` is over everything here and the hash of the stamp before. It covers all lines behind
    the last place of that one, up to `last_place`.
    """

    lender_id: UUID
    history: History
    number: int
    last_place: int
    lines: int
    stamped_at: datetime
    marks: bytes
    lines_hash: bytes
    hash: bytes

    def chained(self, before: bytes | None) -> bytes:
        """The hash that this stamp has to have behind the hash of the one before (None: none)."""
        head = (
            f"{self.lender_id}\n{self.history}\n{self.number}\n{self.last_place}\n"
            f"{self.lines}\n{self.stamped_at.astimezone(UTC).isoformat()}\n"
        )
        marks = sha256(self.marks).digest()
        return sha256(
            b"".join((_STAMP, before or _FIRST, head.encode(), marks, self.lines_hash))
        ).digest()

    def each_mark(self) -> Iterator[Mark]:
        """The marks of its lines. What is cut in the middle of a mark ends there."""
        whole = len(self.marks) - len(self.marks) % _MARK.size
        for place, raw, short in _MARK.iter_unpack(self.marks[:whole]):
            yield Mark(place, UUID(bytes=raw), short)


def stamp(
    before: Stamp | None,
    lines: Sequence[Line],
    *,
    lender_id: UUID,
    history: History,
    stamped_at: datetime,
) -> Stamp:
    """The next stamp, over these lines in the order of their places. There is at least one."""
    digests = [line.digest() for line in lines]
    bare = Stamp(
        lender_id=lender_id,
        history=history,
        number=1 if before is None else before.number + 1,
        last_place=lines[-1].place,
        lines=len(lines),
        stamped_at=stamped_at,
        marks=b"".join(
            _MARK.pack(line.place, line.id.bytes, digest[:_SHORT])
            for line, digest in zip(lines, digests, strict=True)
        ),
        lines_hash=_over(digests),
        hash=b"",
    )
    return _with_hash(bare, None if before is None else before.hash)


def _with_hash(bare: Stamp, before: bytes | None) -> Stamp:
    values = {name: getattr(bare, name) for name in Stamp.__slots__}
    return Stamp(**{**values, "hash": bare.chained(before)})


def _over(digests: Sequence[bytes]) -> bytes:
    return sha256(b"".join(digests)).digest()


def first_difference(one: Stamp, lines: Sequence[Line]) -> Difference | None:
    """Where the lines of its stretch are not those that were stamped; None when all are.

    `lines` are in the order of their places; one more than the stamp has is enough.
    """
    digests = [line.digest() for line in lines]
    if len(lines) == one.lines and _over(digests) == one.lines_hash:
        return None
    marks = list(one.each_mark())
    stamped, there = {mark.id for mark in marks}, {line.id for line in lines}
    for index in range(max(len(marks), len(lines))):
        mark = marks[index] if index < len(marks) else None
        line = lines[index] if index < len(lines) else None
        if mark is not None and line is not None and mark[:2] == line[:2]:
            if mark.short != digests[index][:_SHORT]:
                return Difference(Kind.CHANGED, line.place, line.id)
        elif mark is not None and mark.id not in there:
            return Difference(Kind.REMOVED, mark.place, mark.id)
        elif line is not None and line.id not in stamped:
            return Difference(Kind.INSERTED, line.place, line.id)
        elif line is not None:
            return Difference(Kind.REORDERED, line.place, line.id)
    # No line stands out, and together they are others: only an altered stamp can say so.
    return Difference(Kind.STAMP_CHANGED, one.last_place, UUID(int=0))
