"""What was ordered and not done, in a real browser: from the board down to the case."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.async_api import expect

from app.domain.roles import Role
from app.flows.work.tell_undone import tell_undone
from tests.browser.conftest import Site
from tests.browser.test_pages import look_over
from tests.flows.test_next_case import some_task
from tests.flows.test_tell_undone import called_for

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_from_the_board_down_to_the_case(site: Site) -> None:
    street = site.street
    desk = await site.signed_in(Role.COLLECTOR)
    eva = await street.value("SELECT id FROM users")
    his, _nobodys = await called_for(street), await called_for(street)
    await some_task(street, his, given_to=eva)
    street.hands.now += timedelta(days=1)
    await tell_undone(street.house, street.now)
    await desk.goto(site.url)
    await look_over(desk)
    lead = await site.signed_in(Role.SUPERVISOR)
    await lead.goto(f"{site.url}/undone")
    await look_over(lead)
    await desk.get_by_role("link", name="nobody took it (1)").click()
    await look_over(desk)
    await desk.get_by_role("link", name="Ana Núñez").click()
    await expect(desk.get_by_role("heading", name="Call the borrower")).to_be_visible()
    assert site.complaints == []
    assert site.strangers == set()
