"""The list of cases says at a glance what stands on each: a hold, a task, a locked page."""

from __future__ import annotations

import pytest

from app.domain.roles import Role
from tests.flows.street import BORN, Street
from tests.web.conftest import Browser, Desk, OpenBrowser
from tests.web.test_pay import proved, texted

pytestmark = pytest.mark.anyio


async def test_a_dispute_shows_as_hold_and_task(
    street: Street, browser: OpenBrowser, sign_in_as: Desk
) -> None:
    who, address = await texted(street)
    other = await street.neighbour()
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open("/cases", params={"find": who.ref})
    assert "On hold" not in page.text
    phone = browser()
    await phone.send(await proved(phone, address), "wrong")
    page = await desk.open("/cases", params={"find": who.ref})
    assert page.problems == []
    assert "On hold" in page.text
    assert "1 task" in page.text
    page = await desk.open("/cases", params={"find": other.ref})
    assert "On hold" not in page.text
    # Lifted and dealt with, nothing of it is left.
    await street.rows("UPDATE holds SET lifted_at = :now RETURNING 1", now=street.now)
    await street.rows(
        "UPDATE tasks SET state = 'done', ended_at = :now RETURNING 1", now=street.now
    )
    page = await desk.open("/cases", params={"find": who.ref})
    assert "On hold" not in page.text
    assert "1 task" not in page.text


async def test_a_locked_page_is_not_said_to_work(
    street: Street, browser: OpenBrowser, sign_in_as: Desk
) -> None:
    who, address = await texted(street)
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open(f"/cases/{who.cases[0]}")
    assert "A payment link works until" in page.text
    phone = browser()
    page = await phone.open(f"{address}?lang=en")
    for _ in range(5):
        page = await phone.send(page, "check", birth_date="1951-01-01")
    page = await desk.open(f"/cases/{who.cases[0]}")
    assert "A payment link works until" not in page.text
    assert "The page behind the payment link is locked" in page.text
    assert str(BORN) not in page.text
