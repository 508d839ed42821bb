"""Nobody alone: who may propose and decide, by role, by part already taken, and by amount."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.approval import AFTER_FORBEARANCE, APPROVAL, ApprovalKind, ApprovalState
from app.domain.errors import Invalid, NotAllowed, Refused
from app.domain.four_eyes import (
    DEFAULT_BOUNDS,
    Bounds,
    Hand,
    Outcome,
    Proposal,
    Tier,
    check_proposer,
    check_refuser,
    deciding_act,
    judge,
    proposing_act,
    read_bounds,
    tier_of,
)
from app.domain.money import Money
from app.domain.roles import RIGHTS, Act, Role, needs_confirming

SUE, APRIL, AXEL, MAX, CORAL = (UUID(int=number) for number in range(1, 6))
BOUNDS = {"EUR": Bounds(50_000, 1_000_000)}
SMALL, USUAL, LARGE = (Money(minor, "EUR") for minor in (50_000, 50_001, 1_000_001))

WRITE_OFF = Proposal(ApprovalKind.WRITE_OFF, SUE, None, None, USUAL, considered=True)


def yes(proposal: Proposal, user_id: UUID, role: Role) -> Outcome | str:
    """The outcome, or the code of the refusal."""
    try:
        return judge(proposal, Hand(user_id, role), BOUNDS)
    except Refused as refused:
        return refused.code


@pytest.mark.parametrize(
    ("changes", "user_id", "role", "expected"),
    [
        ({}, APRIL, Role.APPROVER, Outcome.CARRY_OUT),
        # Nobody decides about his own, in whatever role he is by now.
        ({}, SUE, Role.SUPERVISOR, "OwnProposal"),
        ({}, SUE, Role.APPROVER, "OwnProposal"),
        # The amount decides who may.
        ({"weight": SMALL}, MAX, Role.SUPERVISOR, Outcome.CARRY_OUT),
        ({"weight": USUAL}, MAX, Role.SUPERVISOR, "AmountTooLarge"),
        ({"weight": LARGE}, APRIL, Role.APPROVER, Outcome.ONE_MORE),
        ({"weight": LARGE, "first_decider": APRIL}, AXEL, Role.APPROVER, Outcome.CARRY_OUT),
        ({"weight": LARGE, "first_decider": APRIL}, APRIL, Role.APPROVER, "SaidYes"),
        ({"weight": LARGE, "first_decider": APRIL}, MAX, Role.SUPERVISOR, "AmountTooLarge"),
        ({"weight": Money(1, "JPY")}, APRIL, Role.APPROVER, Outcome.ONE_MORE),
        # A machine proposed: a person stands behind it first, and has no part in the decision.
        ({"proposer": None}, APRIL, Role.APPROVER, "NobodyBehindIt"),
        ({"proposer": None, "endorser": SUE}, APRIL, Role.APPROVER, Outcome.CARRY_OUT),
        ({"proposer": None, "endorser": APRIL}, APRIL, Role.APPROVER, "OwnProposal"),
        # No write-off without the record of forbearance; other things do not need it.
        ({"considered": False}, APRIL, Role.APPROVER, "Invalid"),
        ({"considered": False, "proposer": None}, APRIL, Role.APPROVER, "Invalid"),
        (
            {"kind": ApprovalKind.FORGIVENESS, "considered": False},
            APRIL,
            Role.APPROVER,
            Outcome.CARRY_OUT,
        ),
        (
            {"kind": ApprovalKind.PLACEMENT, "considered": False},
            APRIL,
            Role.APPROVER,
            "Invalid",
        ),
        ({"kind": ApprovalKind.PLACEMENT, "weight": LARGE}, APRIL, Role.APPROVER, Outcome.ONE_MORE),
        # Words and rules are published by others than money is decided by.
        ({"kind": ApprovalKind.TEMPLATE, "weight": None}, CORAL, Role.COMPLIANCE, "carry_out"),
        ({"kind": ApprovalKind.TEMPLATE, "weight": None}, MAX, Role.SUPERVISOR, "RoleMissing"),
        ({"kind": ApprovalKind.PACK, "weight": None}, CORAL, Role.COMPLIANCE, "carry_out"),
        ({"kind": ApprovalKind.PACK, "weight": None}, APRIL, Role.APPROVER, "RoleMissing"),
        ({}, CORAL, Role.COMPLIANCE, "RoleMissing"),
        ({}, MAX, Role.COLLECTION_MANAGER, "RoleMissing"),
        ({}, MAX, Role.ADMIN, "RoleMissing"),
        ({}, MAX, Role.INTEGRATION, "RoleMissing"),
    ],
)
def test_whose_yes_counts(
    changes: dict[str, object], user_id: UUID, role: Role, expected: object
) -> None:
    assert yes(replace(WRITE_OFF, **changes), user_id, role) == expected  # type: ignore[arg-type]


ALL_PEOPLE = (SUE, APRIL, AXEL, MAX, CORAL)
PEOPLE = st.sampled_from(ALL_PEOPLE)


@pytest.mark.parametrize("kind", list(ApprovalKind))
def test_whom_an_admin_touched_decides_about_nothing(kind: ApprovalKind) -> None:
    proposal = replace(WRITE_OFF, kind=kind, weight=None)
    for role in Role:
        hand = Hand(APRIL, role, confirmed=False)
        for check in (lambda hand=hand: judge(proposal, hand, BOUNDS),
                      lambda hand=hand: check_refuser(proposal, hand)):  # fmt: skip
            with pytest.raises(NotAllowed):
                check()


def test_who_decides_or_lets_go_on_is_to_be_confirmed() -> None:
    leads = RIGHTS[Act.DECIDE] | RIGHTS[Act.LIFT_HOLD]
    assert {role for role in Role if needs_confirming(role)} == leads


PROPOSALS = st.builds(
    Proposal,
    st.sampled_from(ApprovalKind),
    st.none() | PEOPLE,
    st.none() | PEOPLE,
    st.none() | PEOPLE,
    st.none() | st.builds(Money, st.integers(0, 10**8), st.sampled_from(["EUR", "JPY"])),
    st.booleans(),
)


@given(PROPOSALS)
def test_behind_every_act_stand_two_people(proposal: Proposal) -> None:
    behind = {proposal.proposer, proposal.endorser} - {None}
    for user, role in product(ALL_PEOPLE, Role):
        if yes(proposal, user, role) is not Outcome.CARRY_OUT:
            continue
        assert behind, "a machine alone proposed"
        assert user not in behind
        assert user != proposal.first_decider
        deciders = {proposal.first_decider, user} - {None}
        if proposal.weight is not None and tier_of(proposal.weight, BOUNDS) is Tier.DOUBLE:
            assert len(deciders) == 2
        assert role in {Role.SUPERVISOR, Role.COMPLIANCE, Role.APPROVER}
        if proposal.kind in AFTER_FORBEARANCE:
            assert proposal.considered


@given(PROPOSALS, st.integers(0, 10**7), st.integers(1, 10**7))
def test_more_money_never_needs_fewer_people(proposal: Proposal, minor: int, more: int) -> None:
    lighter = replace(proposal, weight=Money(minor, "EUR"))
    heavier = replace(proposal, weight=Money(minor + more, "EUR"))
    for user, role in product(ALL_PEOPLE, Role):
        if yes(heavier, user, role) is Outcome.CARRY_OUT:
            assert yes(lighter, user, role) is Outcome.CARRY_OUT


@pytest.mark.parametrize("kind", list(ApprovalKind))
def test_a_collection_manager_has_no_part_in_a_write_off(kind: ApprovalKind) -> None:
    manager = Hand(MAX, Role.COLLECTION_MANAGER)
    for whole in (False, True):
        part_of_it = kind in {ApprovalKind.WRITE_OFF, ApprovalKind.REVERSAL} or whole
        if part_of_it and kind is not ApprovalKind.PLACEMENT:
            with pytest.raises(NotAllowed):
                check_proposer(kind, manager, whole=whole)
    with pytest.raises(NotAllowed):
        check_refuser(replace(WRITE_OFF, kind=kind), manager)


def test_forgiving_a_part_is_for_managers_and_all_of_it_is_not() -> None:
    manager = Hand(MAX, Role.COLLECTION_MANAGER)
    check_proposer(ApprovalKind.FORGIVENESS, manager)
    with pytest.raises(NotAllowed):
        check_proposer(ApprovalKind.FORGIVENESS, manager, whole=True)
    check_proposer(ApprovalKind.FORGIVENESS, Hand(SUE, Role.SUPERVISOR), whole=True)


def test_one_withdraws_and_does_not_refuse_what_one_proposed() -> None:
    with pytest.raises(NotAllowed) as refused:
        check_refuser(WRITE_OFF, Hand(SUE, Role.APPROVER))
    assert refused.value.code == "OwnProposal"
    check_refuser(WRITE_OFF, Hand(APRIL, Role.APPROVER))


def test_every_kind_has_people_for_both_sides() -> None:
    for kind in ApprovalKind:
        propose, decide = RIGHTS[proposing_act(kind)], RIGHTS[deciding_act(kind)]
        assert propose
        assert decide
        # The door is open to everybody who may decide about something.
        assert decide <= RIGHTS[Act.DECIDE]
    assert APPROVAL.is_final(ApprovalState.APPROVED)


# ------------------------------------------------------------------ bounds


def test_bounds_of_the_lender_stand_over_the_defaults() -> None:
    assert read_bounds({}) == DEFAULT_BOUNDS
    stated = read_bounds({"EUR": {"small_minor": 0, "single_minor": 5}})
    assert stated["EUR"] == Bounds(0, 5)
    assert stated["PLN"] == DEFAULT_BOUNDS["PLN"]
    assert tier_of(Money(1, "EUR"), stated) is Tier.SINGLE
    assert tier_of(Money(6, "EUR"), stated) is Tier.DOUBLE


@pytest.mark.parametrize(
    "notes",
    [
        {"EUR": {"small_minor": 10, "single_minor": 5}},
        {"EUR": {"small_minor": -1, "single_minor": 5}},
        {"EUR": {"small_minor": True, "single_minor": 5}},
        {"EUR": {"small_minor": 1.5, "single_minor": 5}},
        {"EUR": {"single_minor": 5}},
        {"EUR": {"small_minor": 1, "single_minor": 10**14}},
        {"EUR": 7},
        {"EUR": {"small_minor": 1, "single_minor": 5, "monthly_minor": -1}},
        {"EUR": {"small_minor": 1, "single_minor": 5, "monthly_minor": "5"}},
        {"ZZZ": {"small_minor": 1, "single_minor": 5}},
    ],
)
def test_bounds_that_nobody_can_have_meant_are_refused(notes: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        read_bounds(notes)


@given(st.integers(0, 10**10), st.integers(0, 10**10), st.integers(0, 10**10))
def test_every_amount_is_in_the_tier_its_bounds_say(amount: int, one: int, other: int) -> None:
    small, single = sorted((one, other))
    tier = tier_of(Money(amount, "EUR"), {"EUR": Bounds(small, single)})
    expected = Tier.SMALL if amount <= small else Tier.SINGLE if amount <= single else Tier.DOUBLE
    assert tier is expected


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.none() | st.integers(0, 10**6))
def test_a_month_is_used_up_exactly_at_its_cap(approved: int, more: int, cap: int | None) -> None:
    euros = Money(more, "EUR")
    forgiveness = Proposal(ApprovalKind.FORGIVENESS, SUE, None, None, euros, False, forgives=euros)
    bounds = {"EUR": Bounds(0, 10**7, cap)}
    april = Hand(APRIL, Role.APPROVER)
    if cap is None or approved + more <= cap:
        assert judge(forgiveness, april, bounds, Money(approved, "EUR")) is Outcome.CARRY_OUT
    else:
        with pytest.raises(NotAllowed, match="one person may approve in a month"):
            judge(forgiveness, april, bounds, Money(approved, "EUR"))
    # A write-off has no such month.
    assert judge(WRITE_OFF, april, bounds, Money(10**7, "EUR")) is Outcome.CARRY_OUT
