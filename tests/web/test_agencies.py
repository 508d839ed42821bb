"""Agencies at the desk: written down, cases placed by ticks, decided by another, taken back."""

from __future__ import annotations

import pytest

from app.domain.approval import ApprovalKind
from app.domain.hold import HoldKind
from app.domain.roles import Role
from app.flows.work.set_hold import set_hold
from tests.flows.desk_people import Desk as People
from tests.flows.street import Street
from tests.web.conftest import Desk

pytestmark = pytest.mark.anyio


async def test_from_the_list_to_the_agency_and_back(street: Street, sign_in_as: Desk) -> None:
    ana, ben, carl = [await street.neighbour() for _ in range(3)]
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit, street.now, borrower_id=carl.id, case_id=None, kind=HoldKind.DISPUTE,
            reason="x", ends_at=None, set_by="eva",
        )  # fmt: skip
    boss = await sign_in_as(Role.SUPERVISOR)
    page = await boss.open("/agencies")
    assert "No agency yet." in page.text
    page = await boss.send(
        page, "agency-new", name="Norte", contact="a@norte.example", commission="12.5"
    )
    assert "12.5 %" in page.text
    wrong = await boss.send(page, "agency-new", name="Sur", contact="x", commission="99")
    assert (boss.status, "per cent" in wrong.text) == (422, True)

    manager = await sign_in_as(Role.COLLECTION_MANAGER)
    chosen = "&".join(f"case={who.cases[0]}" for who in (ana, ben, carl))
    page = await manager.open(f"/placements/propose?{chosen}")
    assert "A hold forbids it: dispute." in page.text
    fields = {
        "agency": str(await street.value("SELECT id FROM agencies")), "reason": "Nobody answers.",
        "option": ["defer"], "why_not": "He cannot pay.",
        "case": [str(who.cases[0]) for who in (ana, ben, carl)],
    }  # fmt: skip
    missing = await manager.send(page, "place", **{**fields, "option": []})
    assert (manager.status, "considered" in missing.text) == (422, True)
    page = await manager.send(page, "place", **fields)
    assert page.text.count("Waits for a decision") == 2
    assert "A hold forbids it: dispute." in page.text
    assert "Nothing is left to propose here." in page.text

    approver = await sign_in_as(Role.APPROVER)
    inbox = await approver.open("/approvals")
    assert inbox.text.count("Placement with an agency") == 2
    approval = await street.value("SELECT id FROM approvals WHERE case_id = :id", id=ana.cases[0])
    page = await approver.open(f"/approvals/{approval}")
    for seen in ("Nobody answers.", "120.00", "Norte", "Defer all or part"):
        assert seen in page.text
    await approver.send(page, "approve")
    page = await manager.open(f"/cases/{ana.cases[0]}")
    assert "With Norte" in page.text
    assert "Placed with Norte. Nothing leaves from here that asks for money." in page.text
    assert "With Norte" in (await manager.open("/cases")).text

    # A contact of the agency is written down on the case, as the agency's.
    when = "2026-03-03T11:00"
    placed = str(await street.value("SELECT id FROM placements"))
    noted = await manager.send(page, "contact", made_at=when, placement=placed)
    assert "By Norte." in noted.text
    assert await street.value("SELECT source FROM contacts") == "agency"

    page = await manager.send(page, "recall", reason="They were rude.")
    assert "Taken back from Norte" in page.text
    assert "With Norte" not in page.text
    page = await boss.open("/agencies")
    assert "“They were rude.”" in page.text


async def test_an_admin_writes_agencies_and_sees_no_borrower(
    street: Street, sign_in_as: Desk
) -> None:
    who = await street.neighbour()
    people = People(street)
    await people.placed(who.cases[0], await people.agency())
    admin = await sign_in_as(Role.ADMIN)
    page = await admin.open("/agencies")
    assert "Norte" in page.text
    assert "Ana Núñez" not in page.text
    await admin.send(page, "agency-change", name="Norte", contact="n", commission="20")
    assert await street.value("SELECT active FROM agencies") is False
    for path in (f"/placements/propose?case={who.cases[0]}", f"/cases/{who.cases[0]}"):
        await admin.open(path)
        assert admin.status == 403


async def test_the_machines_proposal_gets_its_agency_from_who_stands_behind_it(
    street: Street, sign_in_as: Desk
) -> None:
    who = await street.neighbour()
    people = People(street)
    agency = await people.agency()
    proposed = await people.robot_proposes(who.cases[0], ApprovalKind.PLACEMENT)
    boss = await sign_in_as(Role.SUPERVISOR)
    page = await boss.open(f"/approvals/{proposed.id}")
    await boss.send(
        page, "endorse", agency=str(agency), option="defer", why_not="He answers nobody."
    )
    approver = await sign_in_as(Role.APPROVER)
    page = await approver.open(f"/approvals/{proposed.id}")
    assert "Norte" in page.text
    await approver.send(page, "approve")
    assert await street.value("SELECT state FROM placements") == "placed"
