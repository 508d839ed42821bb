"""The pages of agencies in a real browser: cases ticked on the list, placed, and never too wide."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from app.domain.roles import Role
from tests.browser.conftest import Site
from tests.browser.test_pages import look_over
from tests.flows.desk_people import Desk as People

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


@pytest.mark.long
async def test_ticked_cases_are_proposed_together(site: Site) -> None:
    people = People(site.street)
    who, *_others = [await site.street.neighbour() for _ in range(3)]
    await people.placed(who.cases[0], await people.agency())
    desk = await site.signed_in(Role.SUPERVISOR, width=390)
    await desk.goto(f"{site.url}/agencies")
    await look_over(desk)
    await desk.get_by_label("Name").last.fill("Sur Cobros")
    await desk.get_by_label("Contact").last.fill("hola@sur.example")
    await desk.get_by_label("Its share in per cent").last.fill("25")
    await desk.get_by_role("button", name="Add").click()
    await expect(desk.get_by_text("Sur Cobros").first).to_be_visible()
    await desk.goto(f"{site.url}/cases")
    for box in await desk.get_by_label("Choose Ana").all():
        await box.check()
    await look_over(desk)
    await desk.get_by_role("button", name="Place the ticked ones").click()
    await expect(desk.get_by_text("Norte has this case already.")).to_be_visible()
    await look_over(desk)
    await desk.get_by_label("Agency").select_option(index=1)
    await desk.get_by_label("Reason").fill("Nobody answers.")
    await desk.get_by_label("Part payments").check()
    await desk.get_by_label("Why none of it is used").fill("He cannot pay.")
    await desk.get_by_role("button", name="Propose 2 cases").click()
    await expect(desk.get_by_text("Waits for a decision")).to_have_count(2)
    await look_over(desk)
    await desk.goto(f"{site.url}/cases/{who.cases[0]}")
    await look_over(desk)
    assert site.complaints == []
    assert site.strangers == set()
