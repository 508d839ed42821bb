"""The case page says where a case stands in its strategy, and what comes next."""

from __future__ import annotations

import pytest

from app.domain.roles import Role
from app.flows.strategies.step_cases import step_cases
from tests.flows.street import Street
from tests.web.conftest import OpenBrowser, desk_of

pytestmark = pytest.mark.anyio


async def test_stage_and_next_step_stand_on_the_page(street: Street, browser: OpenBrowser) -> None:
    who = await street.neighbour(days_late=1)
    await step_cases(street.house, street.now, who.cases)
    desk = await desk_of(street, browser, Role.COLLECTOR)
    page = await desk.open(f"/cases/{who.cases[0]}")
    assert "Grace (soft, version 1)" in page.text
    assert "Next, on Wed 4 Mar: a text leaves (first missed)." in page.text
    assert "Stage: grace" in page.text


async def test_an_open_call_is_what_the_strategy_waits_for(
    street: Street, browser: OpenBrowser
) -> None:
    who = await street.neighbour(days_late=30)
    await step_cases(street.house, street.now, who.cases)
    desk = await desk_of(street, browser, Role.COLLECTOR)
    page = await desk.open(f"/cases/{who.cases[0]}")
    assert "The strategy waits for a collector to make the open call." in page.text
    assert "not sent: first missed" in page.text
