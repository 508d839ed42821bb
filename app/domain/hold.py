"""Holds: why a person is left in peace, whatever is due."""

from __future__ import annotations

from enum import StrEnum


class HoldKind(StrEnum):
    """Why nobody is contacted. All of them stop every automatic contact alike.

    dispute: stop until it is verified (12 CFR 1006.38; FCA CONC 7.14). hardship: he cannot pay
    now. promise: he said when he will. deceased and insolvency are for specialists and end only
    by hand. represented: a lawyer or an adviser speaks for him. other: the reason says it.
    """

    DISPUTE = "dispute"
    HARDSHIP = "hardship"
    PROMISE = "promise"
    VULNERABLE = "vulnerable"
    BREATHING_SPACE = "breathing_space"
    INSOLVENCY = "insolvency"
    DECEASED = "deceased"
    REPRESENTED = "represented"
    COMPLAINT = "complaint"
    OTHER = "other"
