"""The portfolio page: a day, a comparison, the loans behind it; and the money on a case."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.roles import Role
from app.flows.cases.open_cases import open_cases
from app.store.loans import Scheduled
from tests.flows.ledger import days, registered, report
from tests.flows.street import Street
from tests.rig import make_lender
from tests.web.conftest import Browser, Desk, OpenBrowser, desk_of

pytestmark = pytest.mark.anyio


async def test_the_book_of_today_and_where_it_came_from(street: Street, sign_in_as: Desk) -> None:
    await street.neighbour(dues=(10_000,), days_late=4)
    await street.neighbour(dues=(30_000,), days_late=49)
    desk: Browser = await sign_in_as(Role.SUPERVISOR)
    page = await desk.open("/portfolio")
    assert page.problems == []
    for words in (
        "Outstanding€400.00",
        "2 loans in EUR",
        "Late at all100.0%",
        "Over 30 days late75.0%",
        "Over 60 days late0.0%",
        "31-60 days 75.0%€300.00€300.00",
        # A month ago one was not due yet, and the other was twenty days late.
        "Not late1 loan",
        "1-30 days1 loan",
        "100.0%1 (100.0%)",
    ):
        assert words in page.text, (words, page.text)
    past = (street.now - timedelta(days=21)).date().isoformat()
    page = await desk.open(f"/portfolio?on={past}")
    assert "Over 30 days late0.0%" in page.text
    assert "1-30 days 75.0%" in page.text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("on=yesterday", "written like"),
        ("on=2126-03-03", "has not come yet"),
        ("on=2026-03-01&since=2026-03-01", "lies before"),
        ("on=2026-03-01&since=1999-03-01", "so long ago"),
    ],
)
async def test_days_nobody_can_mean_are_told_so(
    query: str, words: str, street: Street, sign_in_as: Desk
) -> None:
    desk: Browser = await sign_in_as(Role.AUDITOR)
    page = await desk.open(f"/portfolio?{query}")
    assert desk.status == 422
    assert words in page.text
    await desk.open(f"/portfolio.csv?{query}")
    assert desk.status == 422


async def test_the_loans_come_as_csv_and_only_the_own_ones(
    street: Street, browser: OpenBrowser, sign_in_as: Desk
) -> None:
    await street.neighbour(ref="@B1", days_late=4)
    desk: Browser = await sign_in_as(Role.COMPLIANCE)
    await desk.open("/portfolio.csv")
    assert desk.answer is not None
    assert desk.answer.headers["content-type"].startswith("text/csv")
    assert "loans-2026-03-03.csv" in desk.answer.headers["content-disposition"]
    assert "'@B1-L0,'@B1,Loan,EUR,120.00" in desk.answer.text
    other = await make_lender(street.store, street.now)
    stranger = await desk_of(street, browser, Role.SUPERVISOR, lender_id=other)
    await stranger.open("/portfolio.csv")
    assert stranger.answer is not None
    assert "B1" not in stranger.answer.text
    assert "No loans yet" in (await stranger.open("/portfolio")).text


async def test_a_collector_sees_no_portfolio(street: Street, sign_in_as: Desk) -> None:
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    for path in ("/portfolio", "/portfolio.csv"):
        await desk.open(path)
        assert desk.status == 403, path


async def test_a_case_shows_its_days_and_its_money(street: Street, sign_in_as: Desk) -> None:
    who = await street.neighbour(dues=(12_000,), days_late=40)
    await street.repaid(who, "CASH-1", minor=2_000)
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open(f"/cases/{who.cases[0]}")
    assert page.problems == []
    for words in (
        "Days past due4131-60 days",
        "Payment history",
        "€20.00 reported by your system",
        "CASH-1",
        "Running",
    ):
        assert words in page.text, (words, page.text)
    page = await desk.send(
        page, "hold", kind="hardship", reason="ill", since=str(days(street, -20))
    )
    assert "41 since due, 21 frozen by a hold" in page.text


async def test_money_that_was_too_much_and_taken_back_is_told(
    street: Street, sign_in_as: Desk
) -> None:
    await registered(street, Scheduled(1, days(street, -9), 5_000))
    await open_cases(street.house, street.now)
    await report(street, "R1", 6_000)
    case_id = await street.value("SELECT id FROM cases")
    desk: Browser = await sign_in_as(Role.SUPERVISOR)
    page = await desk.open(f"/cases/{case_id}")
    assert "€60.00 reported by your system €10.00 too much" in page.text
    assert "Paid off" in page.text
    await street.rows("UPDATE repayments SET reversed_at = :now RETURNING 1", now=street.now)
    page = await desk.open(f"/cases/{case_id}")
    assert "Taken back" in page.text
