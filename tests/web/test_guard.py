"""What stands before every page: headers, origins, sizes, and who the caller is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.roles import Role
from app.web.client import client_ip
from tests.flows.street import PUBLIC
from tests.web.conftest import Browser, Desk, OpenBrowser

pytestmark = pytest.mark.anyio

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    "path", ["/sign-in", "/", "/p/AAAAAAAAAAAAAAAAAAAAAA", "/c/AAAAAAAAAAAAAAAAAAAAAA", "/nowhere"]
)
async def test_every_answer_carries_the_headers(path: str, browser: OpenBrowser) -> None:
    answer = await browser().http.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "noindex" in answer.headers["x-robots-tag"]
    assert answer.headers["strict-transport-security"].startswith("max-age=")


async def test_desk_forms_stay_here_and_borrowers_forms_may_lead_to_a_bank(
    browser: OpenBrowser,
) -> None:
    desk = await browser().http.get("/sign-in")
    assert desk.headers["content-security-policy"].endswith("form-action 'self'")
    pay = await browser().http.get("/p/AAAAAAAAAAAAAAAAAAAAAA")
    assert pay.headers["content-security-policy"].endswith("form-action 'self' https:")


async def test_static_files_are_kept_by_their_content(browser: OpenBrowser) -> None:
    page = (await browser().http.get("/sign-in")).text
    address = page.split('href="/static/base.css')[1].split('"')[0]
    answer = await browser().http.get(f"/static/base.css{address}")
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert (await browser().http.get("/static/../site.py")).status_code == 404
    assert (await browser().http.get("/static/%2e%2e/site.py")).status_code == 404


@pytest.mark.parametrize(
    ("headers", "welcome"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": PUBLIC}, False),
        ({"Origin": PUBLIC}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": PUBLIC + ":8443"}, False),
        ({"Origin": "null"}, True),
        ({}, True),
    ],
)
async def test_a_form_comes_from_our_own_page(
    headers: dict[str, str], welcome: bool, sign_in_as: Desk
) -> None:
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open("/account")
    form = page.form("sign-out")
    answer = await desk.http.post(form.action, data=form.fields, headers=headers)
    assert answer.status_code == (303 if welcome else 403)
    assert (await desk.http.get("/account")).status_code == (303 if welcome else 200)


async def test_large_bodies_are_refused_announced_or_not(sign_in_as: Desk) -> None:
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    csrf = (await desk.open("/account")).form("sign-out").fields["csrf"]
    body = f"csrf={csrf}&x=".encode() + b"y" * 70_000
    kind = {"content-type": "application/x-www-form-urlencoded"}
    answer = await desk.http.post("/sign-out", content=body, headers=kind)
    assert answer.status_code == 413

    async def drip() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 8192):
            yield body[start : start + 8192]

    answer = await desk.http.post("/sign-out", content=drip(), headers=kind)
    assert answer.status_code == 413
    assert (await desk.http.get("/account")).status_code == 200


async def test_only_plain_forms_are_read(sign_in_as: Desk) -> None:
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    csrf = (await desk.open("/account")).form("sign-out").fields["csrf"]
    answer = await desk.http.post("/sign-out", json={"csrf": csrf})
    assert answer.status_code == 422
    answer = await desk.http.post("/sign-out", files={"file": b"x"}, data={"csrf": csrf})
    assert answer.status_code == 422


# ------------------------------------------------------------------ the caller's address


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.5", [], "203.0.113.5"),
        # Nobody but our proxies is believed.
        ("203.0.113.5", ["198.51.100.7"], "203.0.113.5"),
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        # What the caller wrote himself stands further left and is not reached.
        ("10.0.0.1", ["6.6.6.6, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.7, 10.0.0.9"], "198.51.100.7"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
        ("10.0.0.1", ["rubbish"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7:5555"], "198.51.100.7"),
        ("fd00::1", ["[2001:db8::7]:443"], "2001:db8::7"),
        ("::ffff:10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("", [], ""),
    ],
)
def test_the_caller_is_who_our_proxies_saw(peer: str, forwarded: list[str], address: str) -> None:
    assert client_ip(peer, forwarded, PROXIES) == address


@given(
    claimed=st.lists(st.ip_addresses().map(str), max_size=4),
    caller=st.ip_addresses(v=4, network="198.51.100.0/24").map(str),
    hops=st.integers(0, 3),
)
def test_nobody_can_choose_his_own_address(claimed: list[str], caller: str, hops: int) -> None:
    chain = [*claimed, caller, *(f"10.0.0.{hop + 2}" for hop in range(hops))]
    assert client_ip("10.0.0.1", [", ".join(chain)], PROXIES) == caller
