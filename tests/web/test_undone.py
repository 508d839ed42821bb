"""What was ordered and not done, at the desk: one's own on the board, everybody's for a lead."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.roles import Role
from app.flows.work.tell_undone import tell_undone
from tests.flows.street import Street
from tests.flows.test_next_case import some_task
from tests.flows.test_tell_undone import called_for
from tests.web.conftest import Browser, Desk

pytestmark = pytest.mark.anyio


async def test_a_collector_reads_his_own_and_a_lead_reads_all(
    street: Street, sign_in_as: Desk
) -> None:
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    eva = await street.value("SELECT id FROM users")
    his, nobodys = await called_for(street), await called_for(street)
    await some_task(street, his, given_to=eva)
    assert "Ordered for your cases" not in (await desk.open("/")).text
    street.hands.now += timedelta(days=1)
    await tell_undone(street.house, street.now)
    page = await desk.open("/")
    assert "Ordered for your cases and not done" in page.text
    assert "1 of your cases: nobody took it (1)" in " ".join(page.text.split())
    assert page.problems == []
    link = next(one for one in page.links if one.startswith("/undone/cases"))
    page = await desk.open(link)
    assert f"/cases/{his.cases[0]}" in page.links
    assert f"/cases/{nobodys.cases[0]}" not in page.links
    assert "Calls: nobody took it" in page.text
    page = await desk.open("/undone")
    assert page.problems == []
    assert "Nobody" not in page.text
    await desk.open("/undone/cases?whose=nobody&order=call")
    assert desk.status == 403
    await desk.open("/undone/cases?order=dance")
    assert desk.status == 422
    lead: Browser = await sign_in_as(Role.SUPERVISOR)
    page = await lead.open("/undone")
    assert "Nobody" in page.text
    assert "Pat collector" in page.text
    page = await lead.open("/undone/cases?whose=nobody&order=call")
    assert f"/cases/{nobodys.cases[0]}" in page.links
    page = await lead.open("/")
    assert "Ordered for your cases" not in page.text
