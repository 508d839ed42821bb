"""Banks and providers in a real browser, and the payment page while a bank does not answer."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from playwright.async_api import Page, expect

from app.domain.breaker import MANY, Heard, Service
from app.domain.roles import Role
from app.store.health import record_heard
from tests.browser.conftest import Site
from tests.browser.test_pages import look_over
from tests.flows.street import BORN

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def shoot(page: Page, name: str) -> None:
    """Keep what it looks like, for whoever asked for it."""
    folder = os.environ.get("SHOTS_DIR")
    for width in (1280, 390) if folder else ():
        await page.set_viewport_size({"width": width, "height": 900})
        await page.screenshot(path=Path(folder or "") / f"{name}-{width}.png", full_page=True)


@pytest.mark.long
async def test_a_bank_that_does_not_answer(site: Site) -> None:
    _who, link = await site.texted()
    street = site.street
    people = frozenset(UUID(int=number) for number in range(MANY))
    async with street.store.engine_unit() as unit:
        for back, bad in ((9, 0), (7, 0), (6, 1), (4, 0), (3, 2), (1, 0)):
            one = {("berlin_group", "caja"): Heard(12, bad)}
            at = street.now - timedelta(hours=back)
            await record_heard(unit, at, street.hands.real, Service.BALANCES, one)
        down = {("berlin_group", "caja"): Heard(0, MANY, people, "HTTP 503")}
        await record_heard(unit, street.now, street.hands.real, Service.BALANCES, down)
    desk = await site.signed_in(Role.SUPERVISOR)
    await desk.goto(f"{site.url}/health")
    await expect(desk.get_by_text("Left alone until")).to_be_visible()
    await desk.get_by_label("Bank", exact=True).select_option(label="Caja (Berlin Group)")
    begins = street.now + timedelta(hours=20)
    await desk.get_by_label("From").fill(f"{begins:%Y-%m-%dT%H:%M}")
    await desk.get_by_label("Until").fill(f"{begins + timedelta(hours=9):%Y-%m-%dT%H:%M}")
    await desk.get_by_label("Reason").fill("Its newsletter of Monday")
    await desk.get_by_role("button", name="Write it down").click()
    await expect(desk.get_by_text("Its newsletter of Monday")).to_be_visible()
    await look_over(desk)
    await shoot(desk, "health")
    phone = await site.window(width=390)
    await phone.goto(f"{link}?lang=en")
    await phone.locator("#birth_date").fill(BORN.isoformat())
    await phone.locator("form[data-step=check] button").click()
    await expect(phone.get_by_text("Caja does not answer at the moment.")).to_be_visible()
    await look_over(phone)
    await shoot(phone, "owed")
    assert site.complaints == []
    assert site.strangers == set()
