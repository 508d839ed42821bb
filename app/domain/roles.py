"""Who may do what at the desk: one table from act to roles. No table row, no right."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    """A person has one role. Nobody holds all of them: money, rules and users stay apart."""

    COLLECTOR = "collector"
    COLLECTION_MANAGER = "collection_manager"
    COMPLIANCE = "compliance"
    ADMIN = "admin"


class Act(StrEnum):
    """Everything a signed-in person can ask for. Each route of the desk names exactly one."""

    SEE_BOARD = "see_board"
    FOLLOW_ALERTS = "follow_alerts"
    SEE_CASE = "see_case"
    WORK_TASK = "work_task"
    SET_HOLD = "set_hold"
    LIFT_HOLD = "lift_hold"
    SEE_CONSENTS = "see_consents"
    WITHDRAW_CONSENT = "withdraw_consent"
    SEE_CONTROLS = "see_controls"
    HALT = "halt"
    LET_GO_ON = "let_go_on"
    SET_OBSERVE_ONLY = "set_observe_only"
    LOWER_FLOOR = "lower_floor"
    SEE_OBSERVE_REPORT = "see_observe_report"
    MANAGE_USERS = "manage_users"
    OWN_ACCOUNT = "own_account"


_EVERYBODY = frozenset(Role)
_DESK = frozenset({Role.COLLECTOR, Role.COLLECTION_MANAGER, Role.COMPLIANCE})
_LEADS = frozenset({Role.COLLECTION_MANAGER, Role.COMPLIANCE})

RIGHTS: Mapping[Act, frozenset[Role]] = {
    Act.SEE_BOARD: _DESK,
    Act.FOLLOW_ALERTS: _DESK,
    Act.SEE_CASE: _DESK,
    # Compliance looks at the work and stops it; it does not do it.
    Act.WORK_TASK: frozenset({Role.COLLECTOR, Role.COLLECTION_MANAGER}),
    # Slowing down is everybody's right; letting pressure go on is not.
    Act.SET_HOLD: _DESK,
    Act.LIFT_HOLD: _LEADS,
    Act.SEE_CONSENTS: _DESK,
    # A borrower may ask anybody at the desk to stop the reading.
    Act.WITHDRAW_CONSENT: _DESK,
    Act.SEE_CONTROLS: _LEADS | {Role.ADMIN},
    Act.HALT: _LEADS | {Role.ADMIN},
    Act.LET_GO_ON: _LEADS,
    Act.SET_OBSERVE_ONLY: _LEADS,
    Act.LOWER_FLOOR: frozenset({Role.COMPLIANCE}),
    Act.SEE_OBSERVE_REPORT: _LEADS,
    Act.MANAGE_USERS: frozenset({Role.ADMIN}),
    Act.OWN_ACCOUNT: _EVERYBODY,
}


def may(role: Role, act: Act) -> bool:
    """Whether the role has the right. An act without a row is nobody's."""
    return role in RIGHTS.get(act, frozenset())


def acts_of(role: Role) -> frozenset[Act]:
    """Every act of one role."""
    return frozenset(act for act, roles in RIGHTS.items() if role in roles)
