"""Where the lender is paid, in a real browser: proposed by one, compared by another one."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from app.domain.roles import Role
from tests.browser.conftest import Site
from tests.browser.test_pages import look_over

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_another_account_is_proposed_and_compared(site: Site) -> None:
    page = await site.signed_in(Role.ADMIN)
    await page.goto(f"{site.url}/payees")
    await look_over(page)
    await page.get_by_label("Currency").select_option("GBP")
    await page.get_by_label("Sort code").fill("20-00-00")
    await page.get_by_label("Account number").fill("5577991")
    await page.get_by_label("Reason").fill("Our bank in London.")
    await page.get_by_role("button", name="Propose it").click()
    await expect(page.get_by_role("alert")).to_contain_text("The account number has 8 digits.")
    await look_over(page)
    await page.get_by_label("Account number").fill("55779911")
    await page.get_by_role("button", name="Propose it").click()
    await expect(page.get_by_text("Nothing changes before a second person agrees.")).to_be_visible()
    assert "55779911" not in await page.content()
    await look_over(page)
    other = await site.signed_in(Role.COMPLIANCE)
    await other.goto(f"{site.url}/payees")
    await expect(other.get_by_text("20-00-00 55779911")).to_be_visible()
    await look_over(other)
    await other.get_by_role("link", name="See the proposal").click()
    await look_over(other)
    await other.get_by_role("button", name="Approve, and do it").click()
    await other.goto(f"{site.url}/payees")
    await expect(other.get_by_text("••-••-00 ••••9911")).to_be_visible()
    assert site.complaints == []
    assert site.strangers == set()
