"""Attempted contacts in a real browser, on a screen and on a phone."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from app.domain.message import Channel
from app.domain.roles import Role
from tests.browser.conftest import Site
from tests.browser.test_health_page import shoot
from tests.browser.test_pages import look_over
from tests.flows.test_attempts import hold, notice

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


@pytest.mark.long
async def test_sums_and_the_download(site: Site) -> None:
    await site.texted()
    street = site.street
    who = await street.neighbour()
    for channel in (Channel.SMS, Channel.EMAIL):
        await notice(street, who, channel)
    await hold(street, who)
    desk = await site.signed_in(Role.COMPLIANCE)
    await desk.goto(f"{site.url}/audit")
    await desk.get_by_role("link", name="Attempted contacts").click()
    await expect(desk.get_by_role("row", name="All attempts")).to_contain_text("3")
    await look_over(desk)
    await shoot(desk, "attempts")
    async with desk.expect_download() as coming:
        await desk.get_by_role("link", name="3 as CSV").click()
    text = (await (await coming.value).path()).read_text(encoding="utf-8-sig")
    assert text.splitlines()[-1] == "total,kept in Saldo,3"
