"""A lender's own provider: which job it does, the name it goes by, and how long it answers.

A lender brings his own contract with a provider. What is begun with it carries its name for good,
so that it is followed with the contract that it was begun with, whatever is set up afterwards.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from app.domain.lifecycle import Lifecycle


class Slot(StrEnum):
    """The job of a set-up, by the slot of the connector that it fills."""

    AGGREGATION = "aggregation"
    PAYMENTS = "payments"
    MESSAGES = "messages"
    EMAILS = "emails"


# Through whom money goes: taking the lender's own away changes that, too.
_TAKEN_AWAY_BY_TWO: Final = frozenset({Slot.PAYMENTS})


def removal_needs_second(slot: Slot) -> bool:
    """Whether a second person has to agree that the installation's does this job again.

    To a set-up somebody always has to, whatever it does and wherever it leads: an account of one's
    own with the same vendor shows whoever holds it the number and the link of everybody who is
    written to, or the accounts of everybody who agrees.
    """
    return slot in _TAKEN_AWAY_BY_TWO


class SetupState(StrEnum):
    """At most one set-up of a slot is in force.

    proposed: waits for a second person. retired: nothing new is begun with it, and what is open
    still is followed with it. closed: its access data is erased.
    """

    PROPOSED = "proposed"
    IN_FORCE = "in_force"
    RETIRED = "retired"
    CLOSED = "closed"


SETUP = Lifecycle(
    "provider set-up",
    SetupState,
    start=SetupState.PROPOSED,
    table={
        SetupState.PROPOSED: {
            "put_in_force": SetupState.IN_FORCE,
            "send_back": SetupState.CLOSED,
        },
        SetupState.IN_FORCE: {
            "retire": SetupState.RETIRED,
            # Other access data of the same contract took its place, under its name.
            "replace": SetupState.CLOSED,
        },
        SetupState.RETIRED: {"close": SetupState.CLOSED},
        SetupState.CLOSED: {},
    },
)

# These have their access data, and nobody else's flow ever uses them.
ANSWERING: Final = (SetupState.IN_FORCE, SetupState.RETIRED)

# A connector's name has no hyphen, so the two parts can be told apart.
_HANDLE: Final = re.compile(r"[a-z2-7]{12}")


def own_name(connector: str, handle: str) -> str:
    """What a set-up is called wherever a connector's name stands, such as `tink-k3v9x2m4q7ab`."""
    if not _HANDLE.fullmatch(handle):
        message = "a handle is twelve letters or digits 2 to 7"
        raise ValueError(message)
    return f"{connector}-{handle}"


def provider_of(name: str) -> str:
    """The connector behind a name: of a lender's own set-up, or of the installation's."""
    return name.partition("-")[0]


def is_own(name: str) -> bool:
    """Does this name a lender's own set-up?"""
    return "-" in name
