"""Rights: every act has a row, every route names its act, and the act decides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest
from fastapi.routing import APIRoute

from app.domain.roles import RIGHTS, UNCONFIRMED_MAY, Act, Role, acts_of, may, needs_confirming
from app.store.keys import new_id
from app.web import Web
from app.web.pages import ROUTERS
from tests.flows.street import Street
from tests.web.conftest import OpenBrowser, desk_of

pytestmark = pytest.mark.anyio

# Systems come with an API key; their users cannot sign in.
DESKS = [role for role in Role if role is not Role.INTEGRATION]

# Pages without a person behind them: the door itself, and borrowers with a link.
_OPEN = ("/sign-in", "/c/", "/p/")


def routes() -> Iterator[tuple[str, str, Act | None]]:
    """(method, path, act) of every route of the pages."""
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            acts = [
                act
                for one in route.dependant.dependencies
                if (act := getattr(one.call, "act", None)) is not None
            ]
            assert len(acts) <= 1, f"{route.path} asks twice"
            for method in (route.methods or set()) - {"HEAD"}:
                yield method, route.path, acts[0] if acts else None


ROUTES = sorted(routes(), key=str)
GUARDED: list[tuple[str, str, Act]] = [
    (method, path, act) for method, path, act in ROUTES if act is not None
]


def test_every_act_is_somebodys_and_every_role_may_do_something() -> None:
    assert set(RIGHTS) == set(Act)
    assert all(roles for roles in RIGHTS.values())
    # A lender's own system has a key for the API and no place at the desk.
    assert [role for role in Role if not acts_of(role)] == [Role.INTEGRATION]


def test_nobody_may_everything_and_money_rules_and_users_stay_apart() -> None:
    assert all(acts_of(role) != set(Act) for role in Role)
    assert not may(Role.ADMIN, Act.SEE_CASE)
    assert not may(Role.COMPLIANCE, Act.WORK_TASK)
    assert [role for role in Role if may(role, Act.LOWER_FLOOR)] == [Role.COMPLIANCE]
    assert [role for role in Role if may(role, Act.MANAGE_USERS)] == [Role.ADMIN]


def test_an_act_without_a_row_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.domain.roles.RIGHTS", {})
    assert not any(may(role, act) for role in Role for act in Act)


# Each lets money, pressure or a rule loose, or is the second person's word.
WAITS_FOR_COMPLIANCE = {
    Act.LIFT_HOLD, Act.LET_GO_ON, Act.LEAVE_OBSERVE_ONLY, Act.LOWER_FLOOR, Act.SETTLE_UNCLEAR,
    Act.MOVE_CASES, Act.RUN_EXPERIMENT, Act.RECORD_CONSIDERATION, Act.DECIDE, Act.DECIDE_MONEY,
    Act.SET_TIERS, Act.PUBLISH, Act.PUBLISH_RULES, Act.RELEASE_BOOK, Act.APPROVE_PROVIDER,
    Act.APPROVE_PAYEE, Act.CONFIRM_ACCESS, Act.ENTER_CONTACT,
}  # fmt: skip


def test_an_act_that_nobody_thought_about_waits_for_compliance() -> None:
    assert set(RIGHTS) - UNCONFIRMED_MAY == WAITS_FOR_COMPLIANCE
    for act, roles in RIGHTS.items():
        for role in roles:
            assert may(role, act, confirmed=False) is (act not in WAITS_FOR_COMPLIANCE)
    # What an admin has himself he reaches without a straw man; nothing else of an admin's waits.
    assert acts_of(Role.ADMIN) <= UNCONFIRMED_MAY


def test_every_route_of_the_desk_names_its_act() -> None:
    unguarded = {path for _, path, act in ROUTES if act is None}
    assert all(path.startswith(_OPEN) for path in unguarded), unguarded
    assert len(GUARDED) > 20


def _address(path: str) -> str:
    for name in re.findall(r"{(\w+_id)}", path):
        path = path.replace("{" + name + "}", str(new_id()))
    path = path.replace("{place}", "es").replace("{job}", "messages")
    assert "{" not in path, path
    return path


@pytest.mark.parametrize("role", DESKS)
async def test_every_route_asks_for_the_right(
    role: Role, street: Street, web: Web, browser: OpenBrowser
) -> None:
    desk = await desk_of(street, browser, role)
    csrf = (await desk.open("/account")).forms[0].fields["csrf"]
    web.stop()  # the live stream ends at once instead of staying open
    for method, path, act in GUARDED:
        if path == "/sign-out":
            continue
        data: dict[str, Any] | None = {"csrf": csrf} if method == "POST" else None
        answer = await desk.http.request(method, _address(path), data=data)
        seen = (role.value, method, path, answer.status_code)
        if may(role, act):
            assert answer.status_code != 403, seen
        else:
            assert answer.status_code == 403, seen


@pytest.mark.parametrize("role", [role for role in DESKS if needs_confirming(role)])
async def test_before_compliance_confirms_him_he_only_slows_down(
    role: Role, street: Street, web: Web, browser: OpenBrowser
) -> None:
    desk = await desk_of(street, browser, role)
    csrf = (await desk.open("/account")).forms[0].fields["csrf"]
    await street.rows("UPDATE users SET unconfirmed_since = now() RETURNING 1")
    web.stop()  # the live stream ends at once instead of staying open
    refused = 0
    for method, path, act in GUARDED:
        if path == "/sign-out" or not may(role, act):
            continue
        data: dict[str, Any] | None = {"csrf": csrf} if method == "POST" else None
        answer = await desk.http.request(method, _address(path), data=data)
        waits = act in WAITS_FOR_COMPLIANCE
        assert (answer.status_code == 403) is waits, (method, path, answer.status_code)
        assert not waits or "Compliance confirms it" in answer.text, path
        refused += waits
    noted = "SELECT count(*) FROM audit WHERE act = 'refused' AND after->>'code' = 'NotConfirmed'"
    assert refused == await street.value(noted) > 0


async def test_a_system_is_refused_at_every_route(street: Street, browser: OpenBrowser) -> None:
    desk = await desk_of(street, browser, Role.INTEGRATION)
    for method, path, _act in GUARDED:
        answer = await desk.http.request(method, _address(path))
        assert answer.status_code == 403, (method, path)


async def test_without_a_session_every_route_leads_to_the_door(browser: OpenBrowser) -> None:
    stranger = browser()
    for method, path, _act in GUARDED:
        answer = await stranger.http.request(method, _address(path))
        assert answer.status_code == 303, (method, path)
        assert answer.headers["location"].startswith("/sign-in"), (method, path)


async def test_every_form_of_the_desk_needs_its_token(street: Street, browser: OpenBrowser) -> None:
    for role in DESKS:
        desk = await desk_of(street, browser, role)
        tokens = cycle(["", "wrong", "AAAAAAAAAAAAAAAAAAAAAAAA"])
        for method, path, act in GUARDED:
            if method != "POST" or not may(role, act):
                continue
            answer = await desk.http.post(_address(path), data={"csrf": next(tokens)})
            assert answer.status_code == 403, (path, answer.status_code)
            assert "no longer valid" in answer.text
        assert (await desk.http.get("/account")).status_code == 200
