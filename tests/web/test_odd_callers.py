"""Signs that no keyboard types, and callers with more addresses than anybody can count."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import quote

import pytest

from app.domain.roles import Role
from app.web import Web
from app.web.client import place_of
from tests.web.conftest import HOST, Browser, Desk, OpenBrowser

pytestmark = pytest.mark.anyio

ADDRESSES = (
    "/cases?find=",
    "/cases?after=",
    "/consents?after=",
    "/sign-in?next=",
    "/account?done=",
)


@pytest.mark.parametrize("address", ADDRESSES)
async def test_an_address_with_a_nul_is_nobodys(address: str, sign_in_as: Desk) -> None:
    desk: Browser = await sign_in_as(Role.COLLECTION_MANAGER)
    assert (await desk.http.get(f"{address}%00abc")).status_code == 400


@pytest.mark.parametrize("sign", ["\x00", "\x07", "\x1b", "\x7f", "\x85"])
async def test_a_field_with_control_signs_is_refused(sign: str, sign_in_as: Desk) -> None:
    desk: Browser = await sign_in_as(Role.COLLECTION_MANAGER)
    page = await desk.open("/controls")
    csrf = {"csrf": (await desk.open("/account")).form("sign-out").fields["csrf"]}
    fields = {**csrf, "brake": "sms", "reason": f"because{sign}of"}
    answer = await desk.http.post("/controls/halt", data=fields)
    assert answer.status_code == 422, page.title
    fields["reason"] = "because\r\nof Zoë and 李, 👩‍👩‍👧"
    assert (await desk.http.post("/controls/halt", data=fields)).status_code == 303


async def test_a_stranger_at_the_door_breaks_nothing(browser: OpenBrowser) -> None:
    stranger = browser()
    page = await stranger.open("/sign-in")
    await stranger.send(page, "sign-in", email="a\x00@b.example", password="\x00")
    assert stranger.status == 422


async def test_a_line_of_ipv6_is_one_caller(browser: OpenBrowser) -> None:
    """Each try from another address of the same network: 20 a minute all the same."""
    unknown = "/p/" + quote("A" * 22)
    for number in range(20):
        guest = browser(ip=f"2001:db8:1:2::{number:x}")
        assert (await guest.http.get(unknown)).status_code == 404
    assert (await browser(ip="2001:db8:1:2:ffff::1").http.get(unknown)).status_code == 429
    assert (await browser(ip="2001:db8:1:3::1").http.get(unknown)).status_code == 404


@pytest.mark.parametrize(
    ("ip", "place"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.7"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_what_tries_are_counted_by(ip: str, place: str) -> None:
    assert place_of(ip) == place


async def test_whoever_leaves_in_the_middle_of_a_form_breaks_nothing(web: Web) -> None:
    """A browser that is closed while it sends is no error of ours."""
    answered: list[int] = []

    async def leaves() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def listens(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answered.append(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": "/sign-in",
        "raw_path": b"/sign-in",
        "query_string": b"",
        "headers": [
            (b"host", HOST.encode()),
            (b"content-type", b"application/x-www-form-urlencoded"),
            (b"content-length", b"100"),
            (b"origin", f"https://{HOST}".encode()),
            (b"cookie", b"__Host-saldo-visitor=abc"),
        ],
        "client": ("198.51.100.9", 40000),
        "server": (HOST, 443),
    }
    await web.pages(scope, leaves, listens)
    assert answered == [400]
