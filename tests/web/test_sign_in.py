"""Signing in: the right ones get in, everybody else learns nothing, sessions end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.domain.roles import Role
from app.store.sessions import ABSOLUTE, IDLE
from tests.flows.street import Street
from tests.web.conftest import HOST, PASSWORD, Browser, Desk, OpenBrowser, desk_of

pytestmark = pytest.mark.anyio


async def _by_the_door(street: Street, browser: OpenBrowser) -> Browser:
    """Somebody who signed in with his password."""
    await desk_of(street, browser, Role.COLLECTOR)
    desk = browser()
    page = await desk.open("/sign-in")
    email = f"collector@{street.lender_id.hex[-8:]}.example"
    await desk.send(page, "sign-in", email=email, password=PASSWORD)
    return desk


def cookie(browser: Browser, name: str = "__Host-saldo") -> str:
    return str(browser.http.cookies.get(name, ""))


async def test_a_right_password_opens_the_board(street: Street, browser: OpenBrowser) -> None:
    desk = await _by_the_door(street, browser)
    page = await desk.open("/")
    assert desk.status == 200
    assert "Pat collector" in page.text
    assert page.title == "Board · Saldo"


async def test_the_cookie_is_bound_to_this_host_and_to_https(
    street: Street, browser: OpenBrowser
) -> None:
    desk = await desk_of(street, browser, Role.COLLECTOR)
    page = await desk.open("/account")
    assert page.title.startswith("Account")
    await desk.http.post("/sign-out", data={"csrf": page.forms[0].fields["csrf"]})
    page = await desk.open("/sign-in")
    form = page.form("sign-in").fields
    email = f"collector@{street.lender_id.hex[-8:]}.example"
    answer = await desk.http.post("/sign-in", data={**form, "email": email, "password": PASSWORD})
    written = [one for one in answer.headers.get_list("set-cookie") if "__Host-saldo=" in one]
    assert len(written) == 1
    assert all(part in written[0] for part in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"))
    assert "Domain" not in written[0]


async def test_a_system_has_no_desk(street: Street, browser: OpenBrowser) -> None:
    await desk_of(street, browser, Role.INTEGRATION)
    door = browser()
    page = await door.open("/sign-in")
    email = f"integration@{street.lender_id.hex[-8:]}.example"
    page = await door.send(page, "sign-in", email=email, password=PASSWORD)
    assert door.status == 403
    assert "is not right" in page.text
    assert not cookie(door)


async def test_wrong_password_and_unknown_person_get_the_same_answer(
    street: Street, browser: OpenBrowser
) -> None:
    await desk_of(street, browser, Role.COLLECTOR)
    known = f"collector@{street.lender_id.hex[-8:]}.example"
    said = []
    for email in (known, "nobody@example.org", "not an address"):
        other = browser(ip="203.0.113.9")
        page = await other.open("/sign-in")
        page = await other.send(page, "sign-in", email=email, password="wrong wrong wrong")
        assert other.status == 403
        assert cookie(other) == ""
        said.append(page.text.replace(email, ""))
    assert len(set(said)) == 1


async def test_what_is_stored_signs_nobody_in(street: Street, browser: OpenBrowser) -> None:
    desk = await _by_the_door(street, browser)
    stored = await street.rows("SELECT id_hash FROM sessions ORDER BY created_at")
    assert all(cookie(desk).encode() not in bytes(row.id_hash) for row in stored)
    assert len(cookie(desk)) >= 40


async def test_signing_in_makes_a_new_value_and_ends_the_old_one(
    street: Street, browser: OpenBrowser
) -> None:
    desk = await _by_the_door(street, browser)
    first = cookie(desk)
    page = await desk.open("/account")
    # A form on another tab is still open; the person signs in again there.
    desk.http.cookies.delete("__Host-saldo")
    page = await desk.open("/sign-in")
    desk.http.cookies.set("__Host-saldo", first, domain=HOST)
    email = f"collector@{street.lender_id.hex[-8:]}.example"
    form = {**page.form("sign-in").fields, "email": email, "password": PASSWORD}
    answer = await desk.http.post("/sign-in", data=form)
    assert answer.status_code == 303
    second = answer.cookies["__Host-saldo"]
    assert second != first
    old = browser()
    old.http.cookies.set("__Host-saldo", first, domain=HOST)
    assert (await old.http.get("/")).status_code == 303


@pytest.mark.parametrize("away", [IDLE + timedelta(minutes=1), ABSOLUTE + timedelta(minutes=1)])
async def test_a_session_ends_in_real_time(
    street: Street, sign_in_as: Desk, away: timedelta
) -> None:
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    # Business time does not matter to a session.
    street.hands.now += timedelta(days=30)
    assert (await desk.http.get("/")).status_code == 200
    steps = 1 if away < ABSOLUTE else int(away / timedelta(minutes=30)) + 1
    for _ in range(steps - 1):
        street.hands.real += away / steps
        assert (await desk.http.get("/account")).status_code == 200
    street.hands.real += away / steps
    answer = await desk.http.get("/account")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Faccount"


async def test_signing_out_ends_the_session_itself(browser: OpenBrowser, sign_in_as: Desk) -> None:
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    value = cookie(desk)
    await desk.send(await desk.open("/"), "sign-out")
    stolen = browser()
    stolen.http.cookies.set("__Host-saldo", value, domain=HOST)
    assert (await stolen.http.get("/")).status_code == 303


async def test_after_signing_in_one_is_where_one_wanted_to_be(
    street: Street, browser: OpenBrowser
) -> None:
    await desk_of(street, browser, Role.COLLECTOR)
    email = f"collector@{street.lender_id.hex[-8:]}.example"
    for wanted, reached in (
        ("/cases?find=Ana", "/cases?find=Ana"),
        ("//evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
    ):
        other = browser()
        page = await other.open("/sign-in", params={"next": wanted})
        form = {**page.form("sign-in").fields, "email": email, "password": PASSWORD}
        answer = await other.http.post("/sign-in", data=form)
        assert answer.headers["location"] == reached
        street.hands.real += timedelta(minutes=2)


async def test_guessing_is_slowed_down_by_account_and_by_address(
    street: Street, browser: OpenBrowser
) -> None:
    await desk_of(street, browser, Role.COLLECTOR)
    email = f"collector@{street.lender_id.hex[-8:]}.example"
    stranger = browser(ip="192.0.2.1")
    statuses = await guesses(stranger, email, 8)
    assert statuses == [403] * 5 + [429] * 3
    # From the same network not even the right password is looked at; from another one it is.
    assert await tries(browser(ip="192.0.2.1"), email) == 429
    assert await tries(browser(ip="198.51.100.9"), email) == 303
    many = browser(ip="192.0.2.99")
    page = await many.open("/sign-in")
    answers = []
    for turn in range(22):
        await many.send(page, "sign-in", email=f"p{turn}@example.org", password="x" * 12)
        answers.append(many.status)
    assert answers[-1] == 429


async def guesses(browser: Browser, email: str, times: int) -> list[int]:
    """What each of so many wrong passwords is answered with."""
    page = await browser.open("/sign-in")
    statuses = []
    for _ in range(times):
        await browser.send(page, "sign-in", email=email, password="wrong wrong wrong")
        statuses.append(browser.status)
    return statuses


async def tries(browser: Browser, email: str) -> int:
    """What the right password is answered with."""
    page = await browser.open("/sign-in")
    await browser.send(page, "sign-in", email=email, password=PASSWORD, follow=False)
    return browser.status


async def test_a_crowd_of_networks_is_slowed_down_and_a_known_browser_is_not(
    street: Street, browser: OpenBrowser
) -> None:
    await desk_of(street, browser, Role.COLLECTOR)
    await desk_of(street, browser, Role.SUPERVISOR)
    email = f"collector@{street.lender_id.hex[-8:]}.example"
    home, office = browser(ip="198.51.100.9"), browser(ip="198.51.100.10")
    assert await tries(home, email) == 303
    home.http.cookies.delete("__Host-saldo")
    statuses: list[int] = []
    for turn in range(8):
        statuses += await guesses(browser(ip=f"192.0.2.{turn}"), email, 4)
    assert statuses == [403] * 29 + [429] * 3
    # An unknown browser waits, wherever it is; the one he signed in with before does not.
    assert await tries(office, email) == 429
    assert await tries(home, email) == 303
    # The mark is his and nobody else's, and cannot be made up.
    for value in (cookie(home, "__Host-saldo-known").replace(".", "x."), "x.y", ".", "x" * 300):
        forger = browser(ip="198.51.100.11")
        forger.http.cookies.set("__Host-saldo-known", value, domain=HOST)
        assert await tries(forger, email) == 429
    other = browser(ip="198.51.100.12")
    assert await tries(other, f"supervisor@{street.lender_id.hex[-8:]}.example") == 303
    other.http.cookies.delete("__Host-saldo")
    assert await tries(other, email) == 429


async def test_a_known_browser_guesses_no_faster(street: Street, browser: OpenBrowser) -> None:
    await desk_of(street, browser, Role.COLLECTOR)
    email = f"collector@{street.lender_id.hex[-8:]}.example"
    thief = browser(ip="192.0.2.1")
    assert await tries(thief, email) == 303
    known = cookie(thief, "__Host-saldo-known")
    statuses = []
    for turn in range(2, 6):
        moved = browser(ip=f"192.0.2.{turn}")
        moved.http.cookies.set("__Host-saldo-known", known, domain=HOST)
        statuses += await guesses(moved, email, 4)
    assert statuses == [403] * 10 + [429] * 6


async def test_a_disabled_person_is_out_at_once(
    street: Street, browser: OpenBrowser, sign_in_as: Desk
) -> None:
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    admin: Browser = await sign_in_as(Role.ADMIN)
    page = await admin.open("/team")
    user_id = await street.value("SELECT id FROM users WHERE role = 'collector'")
    form = next(one for one in page.forms if one.action == f"/team/{user_id}/disable")
    await admin.http.post(form.action, data=form.fields)
    assert (await desk.http.get("/")).status_code == 303
    email = f"collector@{street.lender_id.hex[-8:]}.example"
    again = browser()
    page = await again.open("/sign-in")
    await again.send(page, "sign-in", email=email, password=PASSWORD)
    assert again.status == 403


async def test_a_new_password_ends_all_other_sessions(
    street: Street, browser: OpenBrowser, sign_in_as: Desk
) -> None:
    here: Browser = await sign_in_as(Role.COLLECTOR)
    email = f"collector@{street.lender_id.hex[-8:]}.example"
    there = browser()
    page = await there.open("/sign-in")
    await there.send(page, "sign-in", email=email, password=PASSWORD)
    page = await here.open("/account")
    new: dict[str, Any] = {"old": PASSWORD, "new": "another long one", "again": "another long one"}
    page = await here.send(page, "password", **{**new, "old": "not the old one"})
    assert here.status == 422
    assert "not right" in page.text
    page = await here.send(page, "password", **{**new, "again": "something else!"})
    assert "differ" in page.text
    page = await here.send(page, "password", **new)
    assert "The new password is set" in page.text
    assert (await here.http.get("/")).status_code == 200
    assert (await there.http.get("/")).status_code == 303


async def test_the_last_admin_stays(street: Street, sign_in_as: Desk) -> None:
    admin: Browser = await sign_in_as(Role.ADMIN)
    page = await admin.open("/team")
    page = await admin.send(page, "disable")
    assert admin.status == 422
    assert "last admin" in page.text
    page = await admin.send(page, "role", role="collector")
    assert "last admin" in page.text
    assert await street.value("SELECT role FROM users") == "admin"
