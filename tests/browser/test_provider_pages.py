"""The pages of own providers in a real browser, over the real connectors and the sandbox."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest
from playwright.async_api import expect

from app.domain.roles import Role
from app.flows.providers.port_book import PortBook
from app.ports import Wire
from app.workshop import LenderWorkshop
from connectors import _http
from sandbox.app import create
from sandbox.texts import DEFAULT_NUMBER, DEFAULT_SID, DEFAULT_TOKEN
from sandbox.world import World
from tests.browser.conftest import Site
from tests.browser.test_pages import look_over

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


def bring(site: Site, world: World) -> None:
    """Lenders may bring contracts of their own to the providers of the sandbox."""
    street = site.street
    transport = httpx.ASGITransport(create(world))

    def opened() -> httpx.AsyncClient:
        return _http.client(transport=transport)

    wire = Wire(None, lambda: street.now, lambda: datetime.now(UTC))
    shop = LenderWorkshop(street.house.settings, street.store, wire, opened)
    book = PortBook(street.store, shop, lambda: street.hands.real)
    house = replace(street.house, book=book)
    street.house = house
    site.web.pages.state.site = replace(site.web.pages.state.site, house=house)


async def test_an_admin_brings_his_own(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALDO_TWILIO_BASE_URL", "http://127.0.0.1:8210/twilio")
    world = World(now=lambda: site.street.now)
    bring(site, world)
    page = await site.signed_in(Role.ADMIN)
    await page.goto(f"{site.url}/providers")
    await look_over(page)
    await page.get_by_role("link", name="Text messages").click()
    await page.get_by_role("link", name="Twilio").click()
    await look_over(page)
    await page.locator("#f_account_sid").fill(DEFAULT_SID)
    await page.locator("#f_auth_token").fill("guessed")
    await page.locator("#f_from_number").fill(DEFAULT_NUMBER)
    await page.get_by_label("Reason").fill("Our own contract from May on.")
    await page.get_by_role("button", name="Try it and propose it").click()
    await expect(page.get_by_role("alert")).to_contain_text("does not take this access data")
    await look_over(page)
    await page.locator("#f_auth_token").fill(DEFAULT_TOKEN)
    await page.get_by_role("button", name="Try it and propose it").click()
    await expect(page.get_by_text("It works and is kept.")).to_be_visible()
    assert DEFAULT_TOKEN not in await page.content()
    other = await site.signed_in(Role.COMPLIANCE)
    await other.goto(f"{site.url}/providers/messages")
    await other.get_by_role("link", name="See the proposal").click()
    await look_over(other)
    await other.get_by_role("button", name="Approve, and do it").click()
    await page.goto(f"{site.url}/providers/messages")
    await page.locator("summary").last.click()
    await look_over(page)
    await page.goto(f"{site.url}/providers/payments?connector=gocardless_pay")
    await look_over(page)
    assert site.complaints == []
    assert site.strangers == set()
    world.close()
