"""The pages of texts in a real browser: nothing breaks, nothing sticks out, on desk and phone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.domain.roles import Role
from tests.browser.conftest import Site
from tests.browser.test_pages import look_over

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

TEXT = "/templates/text?name=follow_up&channel=email&language=es"
BAD = "Debe pagar {{iban}} o hablaremos: avisar a su jefe de la lista negra. YA MISMO"


@pytest.mark.long
async def test_reading_and_writing_a_text(site: Site) -> None:
    await site.street.neighbour()
    desk = await site.signed_in(Role.SUPERVISOR, width=390)
    shots = os.environ.get("SHOTS_DIR")

    async def look(name: str) -> None:
        await look_over(desk)
        if shots:
            await desk.screenshot(path=Path(shots) / f"{name}.png", full_page=True)

    await desk.goto(f"{site.url}/templates")
    await look("list")
    await desk.goto(site.url + TEXT)
    await look("text")
    await desk.get_by_role("link", name="Write your own words").click()
    await desk.get_by_label("Text At most").fill(BAD)
    await desk.get_by_role("button", name="Save and look at it").click()
    await desk.get_by_text("Not saved.").wait_for()
    await look("refused")
    words = "Hola, {{name}}: quedan {{amount_due}} por pagar. {{link}}\n\n{{stop_link}}\n{{lender}}"
    await desk.get_by_label("Text At most").fill(words)
    await desk.get_by_role("button", name="Save and look at it").click()
    await desk.get_by_text("Saved as a draft.").wait_for()
    await look("draft")
    await desk.get_by_text("Propose it").click()
    await desk.get_by_label("Reason").fill("shorter")
    await desk.get_by_role("button", name="Put it before a second person").click()
    await desk.get_by_text("Another person has to agree.").wait_for()
    await look("proposed")
    assert site.complaints == []
    assert site.strangers == set()
