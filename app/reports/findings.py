"""What a check found: one line a person can act on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """ok: nothing to do. note: good to know. wrong: something does not work until it is mended."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its name, the verdict, what is so, and how to mend it where it is wrong."""

    check: str
    verdict: Verdict
    what: str
    mend: str = ""


def ok(check: str, what: str) -> Finding:
    """All is well."""
    return Finding(check, Verdict.OK, what)


def note(check: str, what: str, mend: str = "") -> Finding:
    """Worth knowing, and not an error."""
    return Finding(check, Verdict.NOTE, what, mend)


def wrong(check: str, what: str, mend: str) -> Finding:
    """Something to mend."""
    return Finding(check, Verdict.WRONG, what, mend)
