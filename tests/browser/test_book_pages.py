"""The pages of book files in a real browser: a file is chosen, and everything fits a phone."""

from __future__ import annotations

import pytest
from playwright.async_api import FilePayload, expect

from app.domain.roles import Role
from tests.browser.conftest import Site
from tests.browser.test_pages import look_over
from tests.flows.book_kit import Book

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_a_book_is_chosen_checked_and_released(site: Site) -> None:
    book = Book().person("B1").person("B2").add("opt_outs", "B9,sms,", "B2,pigeon,")
    files: list[FilePayload] = [
        {"name": one.name, "mimeType": "text/csv", "buffer": one.content} for one in book.files()
    ]
    desk = await site.signed_in(Role.ADMIN, width=390)
    await desk.goto(f"{site.url}/book")
    await look_over(desk)
    await desk.locator("#files-field").set_input_files(files)
    await desk.get_by_label("Unpaid in all").fill("120.00 EUR")
    await desk.get_by_role("button", name="Check the files").click()
    await expect(desk.get_by_text("Waits for release")).to_be_visible()
    await look_over(desk)
    address = desk.url
    other = await site.signed_in(Role.APPROVER, width=390)
    await other.goto(address)
    await look_over(other)
    await other.get_by_label("Leave 5 rows out").check()
    await other.get_by_role("button", name="Release").click()
    await expect(other.get_by_text("Being loaded", exact=True)).to_be_visible()
    await look_over(other)
    await desk.goto(f"{site.url}/book")
    await look_over(desk)
    assert site.complaints == []
    assert site.strangers == set()
