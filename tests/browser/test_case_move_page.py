"""A move of running cases and its way back, in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from app.domain.roles import Role
from tests.browser.conftest import Site
from tests.browser.test_pages import look_over
from tests.flows.test_take_back_move import moves, neighbours, version_named

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_a_move_is_found_and_taken_back(site: Site) -> None:
    street = site.street
    _here, paid = await neighbours(street, 2)
    await moves(street, "firm")
    await street.repaid(paid, "R1")
    page = await site.signed_in(Role.SUPERVISOR)
    await page.goto(f"{site.url}/strategies/versions/{await version_named(street, 'firm')}/move")
    await look_over(page)
    await page.get_by_role("region", name="Moved before").get_by_role("link").click()
    await look_over(page)
    await page.get_by_label("Reason").fill("It was the wrong one")
    await page.get_by_role("button", name="Move 2 cases back").click()
    await expect(page.get_by_text("1 moved back, 1 stayed")).to_be_visible()
    await look_over(page)
    assert site.complaints == []
    assert site.strangers == set()
