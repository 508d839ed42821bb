"""The way out of e-mails: the page with its button, and the mailbox's own One-Click."""

from __future__ import annotations

import pytest

from tests.flows.mailbox import give_address, queue_email
from tests.flows.street import Neighbour, Street
from tests.web.conftest import OpenBrowser

pytestmark = pytest.mark.anyio

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


async def mailed(street: Street) -> tuple[Neighbour, str]:
    """Somebody who got an e-mail, and the token in it."""
    who = await street.neighbour(language="en")
    await give_address(street, who)
    _, token = await queue_email(street, who, await street.money_seen(who))
    await street.tick()
    assert len(street.post.taken) == 1
    return who, token


async def stopped(street: Street, who: Neighbour) -> list[str]:
    rows = await street.rows(
        "SELECT channel FROM opt_outs WHERE borrower_id = :id AND stopped_at IS NOT NULL", id=who.id
    )
    return [row.channel for row in rows]


async def test_one_click_from_the_mailbox(street: Street, browser: OpenBrowser) -> None:
    who, token = await mailed(street)
    address = street.post.taken[0].stop_url
    assert address.endswith(f"/p/{token}/stop/email")
    mailbox = browser().http
    for _ in range(2):
        answer = await mailbox.post(address, data=ONE_CLICK)
        assert (answer.status_code, answer.text) == (200, "No more e-mails.")
    assert await stopped(street, who) == ["email"]


async def test_one_click_as_the_standard_writes_it(street: Street, browser: OpenBrowser) -> None:
    who, _ = await mailed(street)
    parts = {"List-Unsubscribe": (None, "One-Click")}
    answer = await browser().http.post(street.post.taken[0].stop_url, files=parts)
    assert answer.status_code == 200
    assert await stopped(street, who) == ["email"]


async def test_looking_changes_nothing(street: Street, browser: OpenBrowser) -> None:
    who, token = await mailed(street)
    page = await browser().open(f"/p/{token}/stop/email")
    assert "Stop the e-mails" in page.text
    assert await stopped(street, who) == []


@pytest.mark.parametrize(
    ("fields", "headers", "status"),
    [
        ({}, {}, 422),
        ({"List-Unsubscribe": "Yes"}, {}, 422),
        (ONE_CLICK, {"sec-fetch-site": "cross-site"}, 403),
        (ONE_CLICK, {"origin": "https://elsewhere.example"}, 403),
    ],
)
async def test_it_is_for_mailboxes_and_for_nothing_else(
    street: Street,
    browser: OpenBrowser,
    fields: dict[str, str],
    headers: dict[str, str],
    status: int,
) -> None:
    who, _ = await mailed(street)
    address = street.post.taken[0].stop_url
    answer = await browser().http.post(address, data=fields, headers=headers)
    assert answer.status_code == status
    assert await stopped(street, who) == []


async def test_a_made_up_token_stops_nobody(street: Street, browser: OpenBrowser) -> None:
    who, _ = await mailed(street)
    unknown = await browser().http.post("/p/AAAAAAAAAAAAAAAAAAAAAA/stop/email", data=ONE_CLICK)
    assert unknown.status_code == 404
    assert await stopped(street, who) == []


async def test_the_button_on_the_page(street: Street, browser: OpenBrowser) -> None:
    who, token = await mailed(street)
    visitor = browser()
    page = await visitor.open(f"/p/{token}/stop")
    after = await visitor.send(page, "stop-emails")
    assert "The e-mails have been stopped." in after.text
    assert "Stop the messages" in after.text
    assert await stopped(street, who) == ["email"]


async def test_who_has_no_address_is_not_asked(street: Street, browser: OpenBrowser) -> None:
    who = await street.neighbour(language="en")
    await street.money_seen(who)
    await street.tick()
    page = await browser().open(f"/p/{street.token_on(who)}/stop")
    assert "e-mail" not in page.text.lower()
