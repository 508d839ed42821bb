"""The page of attempted contacts: sums that agree with the list, for compliance and auditors."""

from __future__ import annotations

import pytest

from app.domain.attempt import Outcome
from app.domain.message import Channel
from app.domain.roles import Role
from app.web.pages.attempts import CHANNELS, OUTCOMES
from tests.flows.street import Street
from tests.flows.test_attempts import hold, notice
from tests.rig import make_lender
from tests.web.conftest import Browser, Desk, OpenBrowser, desk_of

pytestmark = pytest.mark.anyio


def test_everything_has_a_name() -> None:
    assert set(OUTCOMES) == set(Outcome)
    assert set(CHANNELS) == set(Channel)


async def _some(street: Street) -> None:
    people = [await street.neighbour(ref=f"@B{number}") for number in range(3)]
    for who in people:
        await notice(street, who, Channel.SMS)
        await notice(street, who, Channel.EMAIL)
    await hold(street, people[2])
    await notice(street, people[2], Channel.SMS)


async def test_sums_and_the_list_behind_them(street: Street, sign_in_as: Desk) -> None:
    await _some(street)
    desk: Browser = await sign_in_as(Role.COMPLIANCE)
    audit = await desk.open("/audit")
    assert "Attempted contacts" in audit.text
    page = await desk.open("/audit/contacts")
    assert page.problems == []
    for words in ("All attempts437", "7 as CSV", "nobody was contacted", "Not possible"):
        assert words in page.text, (words, page.text)
    only = await desk.open("/audit/contacts?channel=sms&outcome=refused")
    assert "All attempts22" in only.text
    await desk.open("/audit/contacts.csv?channel=sms&outcome=refused")
    assert desk.answer is not None
    assert desk.answer.headers["content-type"].startswith("text/csv")
    assert "contacts-2026-02-25-2026-03-03.csv" in desk.answer.headers["content-disposition"]
    lines = desk.answer.text.splitlines()
    assert lines[-2:] == ["total,written here,2", "total,kept in Saldo,2"]
    assert "total,refused,2" in lines
    assert "'@B2" in lines[1]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("since=yesterday", "written like"),
        ("since=2026-03-03&until=2026-03-01", "lies behind"),
        ("until=2126-03-03", "so far away"),
        ("until=0001-01-01", "written like"),
        ("since=1999-03-03", "so far away"),
        ("since=2024-03-03", "A year at a time"),
    ],
)
async def test_days_nobody_can_mean_are_told_so(
    query: str, words: str, street: Street, sign_in_as: Desk
) -> None:
    desk: Browser = await sign_in_as(Role.AUDITOR)
    page = await desk.open(f"/audit/contacts?{query}")
    assert desk.status == 422
    assert words in page.text
    await desk.open(f"/audit/contacts.csv?{query}")
    assert desk.status == 422


async def test_another_lender_sees_nothing(street: Street, browser: OpenBrowser) -> None:
    await _some(street)
    other = await make_lender(street.store, street.now)
    stranger = await desk_of(street, browser, Role.AUDITOR, lender_id=other)
    assert "Nobody tried" in (await stranger.open("/audit/contacts")).text
    await stranger.open("/audit/contacts.csv")
    assert stranger.answer is not None
    assert "@B" not in stranger.answer.text


@pytest.mark.parametrize("role", [Role.ADMIN, Role.SUPERVISOR, Role.COLLECTOR])
async def test_others_do_not(role: Role, street: Street, sign_in_as: Desk) -> None:
    desk: Browser = await sign_in_as(role)
    for path in ("/audit/contacts", "/audit/contacts.csv"):
        await desk.open(path)
        assert desk.status == 403
    if role is Role.ADMIN:
        assert "Attempted contacts" not in (await desk.open("/audit")).text
