"""Whatever one person, or one machine, does through the flows: nothing comes to effect."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.domain.approval import ApprovalKind, ApprovalState
from app.domain.errors import Conflict, Invalid, NotAllowed, NotFound
from app.domain.money import Money
from app.domain.roles import Role
from app.flows.approvals.decide_approval import Word
from app.flows.cases.recall_case import recall_case
from app.flows.lenders.manage_users import change_role, disable_user
from tests.flows.desk_people import Desk
from tests.flows.street import Street
from tests.rig import make_lender

pytestmark = pytest.mark.anyio


async def refused_lines(street: Street) -> list[tuple[str, str, str]]:
    """(who, what he wanted, why not) of every refusal in the audit."""
    rows = await street.rows(
        "SELECT actor, after->>'wanted' AS wanted, after->>'code' AS code FROM audit"
        " WHERE act = 'refused' ORDER BY at, id"
    )
    return [(row.actor, row.wanted, row.code) for row in rows]


async def untouched(street: Street) -> bool:
    """Nothing was carried out."""
    entries = await street.value("SELECT count(*) FROM adjustments")
    active = await street.value("SELECT bool_and(state = 'active') FROM loans")
    return bool(entries == 0 and active)


@pytest.mark.parametrize("robot_first", [True, False])
async def test_one_user_in_every_role_brings_no_write_off_about(
    robot_first: bool, street: Street, desk: Desk
) -> None:
    """One person, given one role after the other, tries everything there is, in every order."""
    who = await street.neighbour()
    loan_id = who.loans[0]
    await desk.person("ada", Role.ADMIN)
    solo = await desk.person("solo", Role.SUPERVISOR)
    if robot_first:
        proposed = await desk.robot_proposes(loan_id)
    else:
        proposed = await desk.propose(ApprovalKind.WRITE_OFF, loan_id, by="solo")
    for role in (*Role, Role.SUPERVISOR, Role.APPROVER):
        await change_role(
            street.house, street.now, lender_id=street.lender_id, user_id=solo, role=role,
            actor="ada",
        )  # fmt: skip
        for step in (
            desk.says(Word.APPROVE, proposed.id, by="solo"),
            desk.endorses(proposed.id, by="solo"),
            desk.propose(ApprovalKind.WRITE_OFF, loan_id, by="solo"),
            desk.says(Word.APPROVE, proposed.id, by="solo"),
        ):
            with suppress(NotAllowed, Conflict, Invalid):
                await step
        assert await untouched(street), role
        assert await street.value("SELECT count(*) FROM approvals") == 1
    assert await street.value("SELECT state FROM approvals") == "proposed"
    assert len(await refused_lines(street)) > len(Role)
    # Somebody else's yes is all that was missing.
    await desk.says(Word.APPROVE, proposed.id, by="april")
    assert not await untouched(street)


@pytest.mark.parametrize("robot_first", [True, False])
async def test_one_user_in_every_role_places_no_case(
    robot_first: bool, street: Street, desk: Desk
) -> None:
    """The same with an agency: proposed, endorsed, decided, all by one person."""
    who = await street.neighbour()
    case_id = who.cases[0]
    await desk.person("ada", Role.ADMIN)
    agency = await desk.agency()
    solo = await desk.person("solo", Role.SUPERVISOR)
    if robot_first:
        proposed = await desk.robot_proposes(case_id, ApprovalKind.PLACEMENT)
    else:
        made = (await desk.propose_placement(case_id, agency, by="solo")).proposed
        assert made is not None
        proposed = made
    for role in (*Role, Role.SUPERVISOR, Role.APPROVER):
        await change_role(
            street.house, street.now, lender_id=street.lender_id, user_id=solo, role=role,
            actor="ada",
        )  # fmt: skip
        for step in (
            desk.says(Word.APPROVE, proposed.id, by="solo"),
            desk.endorses(proposed.id, by="solo", agency_id=agency),
            desk.propose_placement(case_id, agency, by="solo"),
            desk.says(Word.APPROVE, proposed.id, by="solo"),
        ):
            with suppress(NotAllowed, Conflict, Invalid):
                await step
        assert await street.value("SELECT count(*) FROM placements") == 0, role
        assert await street.value("SELECT count(*) FROM approvals") == 1
        assert await street.value("SELECT count(*) FROM holds") == 0
    assert await street.value("SELECT state FROM approvals") == "proposed"
    # Somebody else's yes is all that was missing; taking it back needs nobody else.
    await desk.says(Word.APPROVE, proposed.id, by="april")
    placed = await street.value("SELECT id FROM placements")
    await recall_case(
        street.house, street.now, lender_id=street.lender_id, placement_id=placed, reason="x",
        user_id=await desk.person("mia", Role.COLLECTION_MANAGER), actor="mia",
    )  # fmt: skip
    assert await street.value("SELECT state FROM placements") == "recalled"


@pytest.mark.parametrize(
    ("role", "wanted"),
    [
        (Role.COLLECTION_MANAGER, ApprovalKind.WRITE_OFF),
        (Role.COLLECTOR, ApprovalKind.WRITE_OFF),
        (Role.APPROVER, ApprovalKind.WRITE_OFF),
        (Role.ADMIN, ApprovalKind.FORGIVENESS),
        (Role.INTEGRATION, ApprovalKind.FORGIVENESS),
    ],
)
async def test_who_may_not_propose_leaves_nothing(
    role: Role, wanted: ApprovalKind, street: Street, desk: Desk
) -> None:
    who = await street.neighbour()
    with pytest.raises(NotAllowed):
        await desk.propose(wanted, who.loans[0], by="max", role=role, amount=Money(12_000, "EUR"))
    assert await street.value("SELECT count(*) FROM approvals") == 0


async def test_forgiving_all_is_a_write_off_for_a_manager(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    manager: dict[str, Any] = {"by": "max", "role": Role.COLLECTION_MANAGER}
    with pytest.raises(NotAllowed):
        await desk.propose(
            ApprovalKind.FORGIVENESS, who.loans[0], amount=Money(12_000, "EUR"), **manager
        )


async def test_a_manager_decides_about_nothing_and_each_try_is_recorded(
    street: Street, desk: Desk
) -> None:
    who = await street.neighbour()
    proposed = await desk.propose(ApprovalKind.WRITE_OFF, who.loans[0])
    manager: dict[str, Any] = {"by": "max", "role": Role.COLLECTION_MANAGER}
    for word in Word:
        with pytest.raises(NotAllowed):
            await desk.says(word, proposed.id, **manager)
    with pytest.raises(NotAllowed):
        await desk.endorses(proposed.id, **manager)
    assert await untouched(street)
    assert await street.value("SELECT state FROM approvals") == "proposed"
    assert await refused_lines(street) == [
        ("max", "approve", "RoleMissing"),
        ("max", "refuse", "RoleMissing"),
        ("max", "withdraw", "RoleMissing"),
        ("max", "endorse", "RoleMissing"),
    ]


async def test_the_robot_needs_two_people(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    proposed = await desk.robot_proposes(who.loans[0])
    with pytest.raises(Invalid, match="considered"):
        await desk.says(Word.APPROVE, proposed.id, by="april")
    await desk.endorses(proposed.id, by="axel", role=Role.APPROVER)
    with pytest.raises(NotAllowed):
        await desk.says(Word.APPROVE, proposed.id, by="axel")
    with pytest.raises(Conflict):
        await desk.endorses(proposed.id, by="sue")
    assert await untouched(street)
    decided = await desk.says(Word.APPROVE, proposed.id, by="april")
    assert decided.state is ApprovalState.APPROVED
    considered = await street.value("SELECT considered FROM approvals")
    assert (considered["forbearance"], considered["by"]) == (["defer"], "axel")


async def test_a_large_sum_needs_two_approvers(street: Street, desk: Desk) -> None:
    who = await street.neighbour(dues=(1_000_001,))
    proposed = await desk.propose(ApprovalKind.WRITE_OFF, who.loans[0])
    first = await desk.says(Word.APPROVE, proposed.id, by="april")
    assert first.state is ApprovalState.PROPOSED
    assert await untouched(street)
    with pytest.raises(NotAllowed) as again:
        await desk.says(Word.APPROVE, proposed.id, by="april")
    assert again.value.code == "SaidYes"
    second = await desk.says(Word.APPROVE, proposed.id, by="axel")
    assert second.state is ApprovalState.APPROVED


async def test_the_first_of_two_may_think_again(street: Street, desk: Desk) -> None:
    who = await street.neighbour(dues=(1_000_001,))
    proposed = await desk.propose(ApprovalKind.WRITE_OFF, who.loans[0])
    await desk.says(Word.APPROVE, proposed.id, by="april")
    refused = await desk.says(Word.REFUSE, proposed.id, by="april", note="I was wrong.")
    assert refused.state is ApprovalState.REFUSED
    assert await untouched(street)


async def test_the_role_of_this_moment_counts(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    proposed = await desk.propose(ApprovalKind.WRITE_OFF, who.loans[0])
    april = await desk.person("april")
    await change_role(
        street.house, street.now, lender_id=street.lender_id, user_id=april,
        role=Role.COLLECTOR, actor="ada",
    )  # fmt: skip
    with pytest.raises(NotAllowed):
        await desk.says(Word.APPROVE, proposed.id)
    axel = await desk.person("axel")
    await disable_user(
        street.house, street.now, lender_id=street.lender_id, user_id=axel, actor="ada"
    )
    with pytest.raises(NotAllowed):
        await desk.says(Word.APPROVE, proposed.id, by="axel")
    assert await untouched(street)


async def test_only_who_proposed_withdraws(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    proposed = await desk.propose(ApprovalKind.WRITE_OFF, who.loans[0])
    with pytest.raises(NotAllowed) as refused:
        await desk.says(Word.WITHDRAW, proposed.id, by="tom", role=Role.SUPERVISOR)
    assert refused.value.code == "NotYours"
    gone = await desk.says(Word.WITHDRAW, proposed.id, by="sue", role=Role.SUPERVISOR)
    assert gone.state is ApprovalState.WITHDRAWN
    assert await untouched(street)


async def test_another_lenders_people_find_nothing(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    proposed = await desk.propose(ApprovalKind.WRITE_OFF, who.loans[0])
    luna = await make_lender(street.store, street.now)
    stranger = Desk(street)
    mine = street.lender_id
    street.lender_id = luna
    try:
        await stranger.person("luis")
        with pytest.raises(NotFound):
            await stranger.says(Word.APPROVE, proposed.id, by="luis")
        with pytest.raises(NotFound):
            await stranger.propose(ApprovalKind.WRITE_OFF, who.loans[0])
    finally:
        street.lender_id = mine
    # An approver of that house is nobody in this one.
    desk.ids["luis"] = stranger.ids["luis"]
    with pytest.raises(NotAllowed):
        await desk.says(Word.APPROVE, proposed.id, by="luis")
    assert await untouched(street)


@pytest.mark.parametrize(
    "crafted",
    [
        "state = 'approved', decider_id = proposer_id",
        "state = 'approved', decider_id = NULL",
        "state = 'approved', decider_id = :other, proposer_id = NULL",
        "state = 'approved', decider_id = :other, endorser_id = :other",
        "state = 'approved', decider_id = :other, first_decider_id = :other",
        "first_decider_id = proposer_id",
    ],
)
async def test_the_database_says_so_too(crafted: str, street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    await desk.propose(ApprovalKind.WRITE_OFF, who.loans[0])
    other = await desk.person("april")
    values = {"other": other} if ":other" in crafted else {}
    with pytest.raises(IntegrityError):
        async with street.store.engine_unit() as unit:
            await unit.conn.execute(text(f"UPDATE approvals SET {crafted}"), values)
