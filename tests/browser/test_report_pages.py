"""The pages that tell how well rules and people do, in a real browser: they fit and lead on."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from app.domain.roles import Role
from app.flows.cases.flag_cases import flag_cases
from app.flows.strategies.install_segments import install_segments
from tests.browser.conftest import Site
from tests.browser.test_pages import look_over
from tests.flows.desk_people import Desk as People
from tests.flows.test_performers import called

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_the_results_of_rules_fit_and_lead_to_the_cases(site: Site) -> None:
    street = site.street
    async with street.store.unit(street.lender_id) as unit:
        await install_segments(unit, street.now, street.lender_id)
    people = await street.neighbours(11, dues=(1_000, 2_000, 3_000))
    await flag_cases(street.house, street.now)
    for number, who in enumerate(people):
        await street.repaid(who, f"R-{number}")
    street.hands.go_on(days=60)
    page = await site.signed_in(Role.SUPERVISOR)
    await page.goto(f"{site.url}/segments?horizon=60")
    await page.get_by_text("What these figures mean").click()
    await look_over(page, (1280, 390, 320))
    results = page.get_by_role("region", name="How well the rules flag")
    rule = results.get_by_role("row", name="Several loans at once")
    await rule.get_by_role("link", name="22", exact=True).first.click()
    await expect(page.get_by_role("heading", name="Flagged, and not paid 60 days")).to_be_visible()
    await expect(page.locator("tbody tr")).to_have_count(22)
    await look_over(page)
    assert site.complaints == []
    assert site.strangers == set()


async def test_performance_fits_and_leads_to_the_cases(site: Site) -> None:
    street = site.street
    people = await street.neighbours(35, dues=(123_456,))
    team = People(street)
    eva, leo = [await team.person(name, Role.COLLECTOR) for name in ("eva", "leo")]
    norte = await team.agency("Norte")
    street.hands.go_on(hours=1)
    for number, who in enumerate(people):
        await called(street, who, leo if number % 5 == 0 else eva, reached=number % 3 > 0)
    await team.placed(people[30].cases[0], norte)
    street.hands.go_on(hours=1)
    for number, who in enumerate(people[:12]):
        await street.repaid(who, f"R-{number}")
    street.hands.go_on(days=62)
    page = await site.signed_in(Role.AUDITOR)
    await page.get_by_role("link", name="Performance").click()
    await page.get_by_text("What these figures mean").click()
    await look_over(page, (1280, 390, 320))
    await page.get_by_role("link", name="People and agencies", exact=True).click()
    await page.get_by_text("What these figures mean").click()
    await expect(page.get_by_role("row", name="norte")).to_be_visible()
    await look_over(page, (1280, 390, 320))
    await page.get_by_role("row", name="eva").get_by_role("link", name="28").click()
    await expect(page.locator("tbody tr")).to_have_count(28)
    await page.get_by_role("link", name="Back to the figures").click()
    await page.get_by_role("link", name="Recovery", exact=True).click()
    await page.get_by_role("row", name="The whole period").get_by_role("link", name="35").click()
    await expect(page.get_by_role("heading", name="Cases that opened")).to_be_visible()
    await expect(page.locator("tbody tr")).to_have_count(35)
    await page.go_back()
    await page.get_by_role("row", name="March").get_by_role("link", name="all came").first.click()
    await expect(page.locator("tbody tr")).to_have_count(12)
    await look_over(page)
    assert site.complaints == []
    assert site.strangers == set()
