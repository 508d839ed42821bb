"""Who may do what at the desk: one table from act to roles. No table row, no right."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from app.domain.errors import NotAllowed


class Role(StrEnum):
    """A person has one role. Nobody holds all of them: money, rules and users stay apart."""

    COLLECTOR = "collector"
    COLLECTION_MANAGER = "collection_manager"
    SUPERVISOR = "supervisor"
    COMPLIANCE = "compliance"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ADMIN = "admin"
    INTEGRATION = "integration"


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
    LEAVE_OBSERVE_ONLY = "leave_observe_only"
    LOWER_FLOOR = "lower_floor"
    SEE_OBSERVE_REPORT = "see_observe_report"
    MANAGE_USERS = "manage_users"
    OWN_ACCOUNT = "own_account"
    TAKE_PROMISE = "take_promise"
    NOTE_CONTACT = "note_contact"
    ENTER_CONTACT = "enter_contact"
    HAND_OVER = "hand_over"
    GIVE_WORK = "give_work"
    SEE_ASSIGNMENT = "see_assignment"
    SET_ASSIGNMENT = "set_assignment"
    SEE_STRATEGIES = "see_strategies"
    WRITE_STRATEGY = "write_strategy"
    WRITE_TEMPLATE = "write_template"
    PUBLISH = "publish"
    MOVE_CASES = "move_cases"
    SEE_APPROVALS = "see_approvals"
    PROPOSE_RELIEF = "propose_relief"
    PROPOSE_WRITE_OFF = "propose_write_off"
    DECIDE = "decide"
    DECIDE_MONEY = "decide_money"
    RECORD_CONSIDERATION = "record_consideration"
    WITHDRAW_PROPOSAL = "withdraw_proposal"
    SET_TIERS = "set_tiers"
    SEE_REPORTS = "see_reports"
    SEE_AUDIT = "see_audit"
    SEE_ATTEMPTS = "see_attempts"
    CONFIRM_ACCESS = "confirm_access"
    SEE_BOOK_FILES = "see_book_files"
    LOAD_BOOK = "load_book"
    RELEASE_BOOK = "release_book"
    RUN_EXPERIMENT = "run_experiment"
    SETTLE_UNCLEAR = "settle_unclear"
    WRITE_RULES = "write_rules"
    PUBLISH_RULES = "publish_rules"
    SEE_AGENCIES = "see_agencies"
    WRITE_AGENCY = "write_agency"
    RECALL_CASE = "recall_case"
    SEE_HEALTH = "see_health"
    SET_MAINTENANCE = "set_maintenance"
    SEE_PROVIDERS = "see_providers"
    SET_UP_PROVIDER = "set_up_provider"
    APPROVE_PROVIDER = "approve_provider"
    SEE_PAYEES = "see_payees"
    SET_PAYEE = "set_payee"
    APPROVE_PAYEE = "approve_payee"


_PEOPLE = frozenset(Role) - {Role.INTEGRATION}
_WORKERS = frozenset({Role.COLLECTOR, Role.COLLECTION_MANAGER, Role.SUPERVISOR})
_DESK = _WORKERS | {Role.COMPLIANCE}
_READERS = _DESK | {Role.APPROVER, Role.AUDITOR}
_LEADS = frozenset({Role.COLLECTION_MANAGER, Role.SUPERVISOR, Role.COMPLIANCE})

RIGHTS: Mapping[Act, frozenset[Role]] = {
    Act.SEE_BOARD: _READERS,
    Act.FOLLOW_ALERTS: _DESK,
    Act.SEE_CASE: _READERS,
    # Compliance looks at the work and stops it; it does not do it.
    Act.WORK_TASK: _WORKERS,
    Act.TAKE_PROMISE: _WORKERS,
    Act.NOTE_CONTACT: _WORKERS,
    Act.ENTER_CONTACT: _WORKERS,
    Act.HAND_OVER: _WORKERS,
    Act.GIVE_WORK: frozenset({Role.COLLECTION_MANAGER, Role.SUPERVISOR}),
    # Who can do what, and when he works: about the desk's people, never about a borrower.
    Act.SEE_ASSIGNMENT: frozenset(
        {Role.COLLECTION_MANAGER, Role.SUPERVISOR, Role.ADMIN, Role.AUDITOR}
    ),
    Act.SET_ASSIGNMENT: frozenset({Role.SUPERVISOR, Role.ADMIN}),
    # Slowing down is everybody's right; letting pressure go on is not.
    Act.SET_HOLD: _DESK,
    Act.LIFT_HOLD: _LEADS,
    Act.SEE_CONSENTS: _READERS,
    # A borrower may ask anybody at the desk to stop the reading.
    Act.WITHDRAW_CONSENT: _DESK,
    Act.SEE_CONTROLS: _LEADS | {Role.ADMIN, Role.AUDITOR},
    Act.HALT: _LEADS | {Role.ADMIN},
    Act.LET_GO_ON: _LEADS,
    Act.SET_OBSERVE_ONLY: _LEADS,
    Act.LEAVE_OBSERVE_ONLY: _LEADS,
    Act.LOWER_FLOOR: frozenset({Role.COMPLIANCE}),
    Act.SEE_OBSERVE_REPORT: _LEADS | {Role.AUDITOR},
    Act.SEE_STRATEGIES: _LEADS | {Role.APPROVER, Role.AUDITOR},
    Act.WRITE_STRATEGY: frozenset({Role.SUPERVISOR, Role.COMPLIANCE}),
    Act.WRITE_TEMPLATE: frozenset({Role.SUPERVISOR, Role.COMPLIANCE}),
    # Always another person than the writer, whatever his role (decide_approval.py).
    Act.PUBLISH: frozenset({Role.COMPLIANCE, Role.APPROVER}),
    Act.MOVE_CASES: frozenset({Role.SUPERVISOR, Role.COMPLIANCE}),
    Act.SEE_APPROVALS: frozenset({Role.SUPERVISOR, Role.COMPLIANCE, Role.APPROVER, Role.AUDITOR}),
    # A collection manager takes no part in a write-off, on any route.
    Act.PROPOSE_RELIEF: frozenset({Role.COLLECTION_MANAGER, Role.SUPERVISOR}),
    Act.PROPOSE_WRITE_OFF: frozenset({Role.SUPERVISOR}),
    # The door to a decision; what is proposed and its amount decide further
    # (app/domain/four_eyes.py): a supervisor decides about small sums only.
    Act.DECIDE: frozenset({Role.SUPERVISOR, Role.COMPLIANCE, Role.APPROVER}),
    Act.DECIDE_MONEY: frozenset({Role.SUPERVISOR, Role.APPROVER}),
    Act.RECORD_CONSIDERATION: frozenset({Role.SUPERVISOR, Role.APPROVER}),
    # One's own alone; who proposed it is looked at there.
    Act.WITHDRAW_PROPOSAL: _LEADS | {Role.ADMIN},
    Act.SET_TIERS: frozenset({Role.COMPLIANCE}),
    Act.SEE_REPORTS: _LEADS | {Role.APPROVER, Role.AUDITOR},
    Act.SEE_AUDIT: frozenset({Role.COMPLIANCE, Role.AUDITOR, Role.ADMIN}),
    # Whom we wrote to and why not: for those who answer for it, and those who look into it.
    Act.SEE_ATTEMPTS: frozenset({Role.COMPLIANCE, Role.AUDITOR}),
    Act.SEE_BOOK_FILES: _LEADS | {Role.APPROVER, Role.AUDITOR, Role.ADMIN},
    # Whoever hands out roles and passwords does not say that it was right.
    Act.CONFIRM_ACCESS: frozenset({Role.COMPLIANCE}),
    Act.LOAD_BOOK: frozenset({Role.SUPERVISOR, Role.ADMIN}),
    Act.RELEASE_BOOK: frozenset({Role.SUPERVISOR, Role.COMPLIANCE, Role.APPROVER}),
    Act.RUN_EXPERIMENT: frozenset({Role.SUPERVISOR, Role.COMPLIANCE}),
    # Money that "arrived" ends a case: not for those who are measured by ended cases.
    Act.SETTLE_UNCLEAR: frozenset({Role.SUPERVISOR, Role.APPROVER}),
    # How people may be contacted is compliance's word, though others may write it.
    Act.WRITE_RULES: frozenset({Role.SUPERVISOR, Role.COMPLIANCE}),
    Act.PUBLISH_RULES: frozenset({Role.COMPLIANCE}),
    Act.SEE_AGENCIES: _LEADS | {Role.APPROVER, Role.AUDITOR, Role.ADMIN},
    Act.WRITE_AGENCY: frozenset({Role.SUPERVISOR, Role.ADMIN}),
    # Taking a case back only gives back control: one person is enough.
    Act.RECALL_CASE: _LEADS,
    Act.SEE_HEALTH: _LEADS | {Role.APPROVER, Role.AUDITOR, Role.ADMIN},
    # Puts reads off and warns on the payment page; it stops no payment.
    Act.SET_MAINTENANCE: _LEADS | {Role.ADMIN},
    Act.MANAGE_USERS: frozenset({Role.ADMIN}),
    # Never a secret: which providers there are, since when, and who set them up.
    Act.SEE_PROVIDERS: frozenset({Role.ADMIN, Role.COMPLIANCE, Role.APPROVER, Role.AUDITOR}),
    Act.SET_UP_PROVIDER: frozenset({Role.ADMIN}),
    # Through whom money goes: whoever hands out access does not say alone that it is right.
    Act.APPROVE_PROVIDER: frozenset({Role.COMPLIANCE, Role.APPROVER}),
    # Whoever may have a part in a change sees where the lender is paid, and nobody else.
    Act.SEE_PAYEES: frozenset(
        {Role.ADMIN, Role.SUPERVISOR, Role.COMPLIANCE, Role.APPROVER, Role.AUDITOR}
    ),
    Act.SET_PAYEE: frozenset({Role.ADMIN}),
    Act.APPROVE_PAYEE: frozenset({Role.COMPLIANCE, Role.APPROVER}),
    Act.OWN_ACCOUNT: _PEOPLE,
}

# What a user may do whom an admin gave his role or his password, before compliance has confirmed
# that he is another person. Else an admin reaches by a straw man whatever he may not do himself.
# An act that is not named here waits for compliance.
UNCONFIRMED_MAY: frozenset[Act] = frozenset(
    {
        # He looks.
        *(act for act in Act if act.value.startswith("see_")),
        Act.FOLLOW_ALERTS,
        Act.OWN_ACCOUNT,
        # He slows down, or makes safer.
        Act.SET_HOLD,
        Act.WITHDRAW_CONSENT,
        Act.HALT,
        Act.SET_OBSERVE_ONLY,
        Act.RECALL_CASE,
        Act.SET_MAINTENANCE,
        # The work of every collector, who needs nobody's confirmation, and its distribution.
        Act.WORK_TASK,
        Act.TAKE_PROMISE,
        Act.NOTE_CONTACT,
        Act.HAND_OVER,
        Act.GIVE_WORK,
        Act.SET_ASSIGNMENT,
        # He proposes; nothing comes of it without a person whose word counts.
        Act.WRITE_STRATEGY,
        Act.WRITE_TEMPLATE,
        Act.WRITE_RULES,
        Act.PROPOSE_RELIEF,
        Act.PROPOSE_WRITE_OFF,
        Act.WITHDRAW_PROPOSAL,
        # An admin has it by his own role: no straw man gives him more.
        Act.MANAGE_USERS,
        Act.LOAD_BOOK,
        Act.SET_UP_PROVIDER,
        Act.SET_PAYEE,
        Act.WRITE_AGENCY,
    }
)

# Asking for one of these without the right stands in the audit: trying is news by itself. Whatever
# lets money, pressure or a rule loose is among them.
WATCHED: frozenset[Act] = (frozenset(Act) - UNCONFIRMED_MAY) | {
    Act.PROPOSE_WRITE_OFF,
    Act.PROPOSE_RELIEF,
    Act.MANAGE_USERS,
    Act.LOAD_BOOK,
    Act.SET_UP_PROVIDER,
    Act.SET_PAYEE,
}


def may(role: Role, act: Act, *, confirmed: bool = True) -> bool:
    """Whether somebody in the role has the right. An act without a row is nobody's.

    `confirmed` False: an admin had a hand on this user, and compliance has not confirmed it yet.
    """
    return role in RIGHTS.get(act, frozenset()) and (confirmed or act in UNCONFIRMED_MAY)


def check_right(role: Role, act: Act, *, confirmed: bool) -> None:
    """Raises `NotAllowed`: without the right, or before compliance has confirmed the user."""
    if not may(role, act):
        raise NotAllowed("Your role does not include this.", code="RoleMissing")
    if not may(role, act, confirmed=confirmed):
        raise NotAllowed(
            "An admin changed your access. Compliance confirms it before your word counts.",
            code="NotConfirmed",
        )


def acts_of(role: Role) -> frozenset[Act]:
    """Every act of one role."""
    return frozenset(act for act, roles in RIGHTS.items() if role in roles)


def needs_confirming(role: Role) -> bool:
    """Whether compliance confirms an admin's hand on such a user before his word counts.

    Whoever only looks, proposes and does ordinary work needs no confirming. A number that a
    collector enters is such work: it shows him nothing that he does not see, and nothing is
    written to it before somebody has reached the borrower there.
    """
    return not acts_of(role) <= UNCONFIRMED_MAY | {Act.ENTER_CONTACT}
