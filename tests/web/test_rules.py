"""Contact rules at the desk: read, written stricter, looked at before, published by compliance."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.domain.roles import Role
from app.reports.findings import Verdict
from app.reports.own_rules_check import check_own_rules
from tests.flows.street import Street
from tests.web.conftest import Desk

pytestmark = pytest.mark.anyio


async def test_from_the_countrys_rules_to_ones_own(street: Street, sign_in_as: Desk) -> None:
    await street.neighbour()
    boss = await sign_in_as(Role.SUPERVISOR)
    page = await boss.open("/rules")
    assert "Spain" in page.text
    page = await boss.open("/rules/es")
    assert "Monday to Friday 09:00–21:00" in page.text
    loose = {"hours-es.hours": "mon-fri 08:00-20:00", "cap-es.contacts_per_person_and_week": "9"}
    page = await boss.send(page, "write", **loose)
    assert boss.status == 422
    assert "es.hours: Monday to Friday 08:00–20:00 instead of" in page.text
    assert "at most 9 instead of at most 7" in page.text
    assert "mon-fri 08:00-20:00" in str(page.form("write").fields)
    odd = await boss.send(page, "write", **{"hours-es.hours": "now and then"})
    assert (boss.status, "cannot be read" in odd.text) == (422, True)

    strict = {
        "hours-es.hours": "mon-thu 10:00-13:00, 15:00-18:00; fri 10:00-13:00",
        "cap-es.contacts_per_person_and_week": "3", "closed_on": "2026-12-24, 2026-12-31",
        "contacts_per_week": "3",
    }  # fmt: skip
    page = await boss.send(page, "write", **strict)
    assert "What it would block" in page.text
    assert "1 person may be contacted now, 1 with it" in page.text
    typed = page.form("write").fields
    assert typed["cap-es.contacts_per_person_and_week"] == "3"
    assert typed["hours-es.hours"].startswith("mon-thu 10:00-13:00, 15:00-18:00; fri")
    page = await boss.send(page, "propose", reason="Too many calls.")
    assert "waits for compliance" in page.text

    compliance = await sign_in_as(Role.COMPLIANCE)
    approval = await street.value("SELECT id FROM approvals")
    page = await compliance.open(f"/approvals/{approval}")
    for seen in ("Rule pack", "Spain, own edition 1", "Too many calls."):
        assert seen in page.text
    await compliance.send(page, "approve")
    page = await boss.open("/rules")
    assert "Edition 1" in page.text
    assert "In force" in (await boss.open("/rules/es")).text
    assert (await boss.http.get("/rules/xx")).status_code == 404
    assert (await boss.http.get(f"/rules/es?edition={approval}")).status_code == 404


async def test_what_the_country_has_no_longer_is_said(street: Street, sign_in_as: Desk) -> None:
    boss = await sign_in_as(Role.SUPERVISOR)
    page = await boss.open("/rules/es")
    await boss.send(page, "write", **{"cap-es.contacts_per_person_and_week": "3"})
    async with street.store.engine_unit() as unit:
        assert await check_own_rules(unit, street.house.packs) == []
        await unit.conn.execute(
            text(
                "UPDATE pack_editions SET state = 'published', body = replace(body::text,"
                " 'es.contacts_per_person_and_week', 'es.contacts_of_old')::jsonb"
            )
        )
        (found,) = await check_own_rules(unit, street.house.packs)
    assert found.verdict is Verdict.WRONG
    assert "edition 1 for Spain is stricter than es.contacts_of_old" in found.what
    page = await boss.open("/rules/es")
    assert "Part of this edition is not kept" in page.text
    assert "es.contacts_of_old" in page.text
