"""The page Performance: figures of a period, the cases behind them, and who may see it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.roles import Role
from tests.flows.desk_people import Desk as People
from tests.flows.street import Street
from tests.flows.test_performers import called
from tests.rig import make_lender
from tests.web.conftest import Browser, Desk, OpenBrowser, desk_of

pytestmark = pytest.mark.anyio


async def test_recovery_by_month_and_the_cases_behind_it(
    street: Street, sign_in_as: Desk, browser: OpenBrowser
) -> None:
    people = await street.neighbours(31, dues=(10_000,))
    await street.repaid(people[0], "R-0", minor=4_000)
    for number, who in enumerate(people[1:21]):
        await street.repaid(who, f"R-{number + 1}")
    street.hands.go_on(days=30)
    desk: Browser = await sign_in_as(Role.AUDITOR)
    page = await desk.open("/performance")
    assert page.problems == []
    # 2,040 of 3,100: by hand 0.6581, residuals squared and summed 65.4 cases' worth.
    for words in ("March 2026", "The whole period", "€3,100.00", "65.8%", "49.1% to 82.5%",
                  "31 cases", "None is so old", "Average days overdue", "36.0 days"):  # fmt: skip
        assert words in page.text, (words, page.text)
    days = f"since={street.now.date() - timedelta(days=60)}&until={street.now.date()}"
    for which, there, absent in (
        ("whole", "B2-L0", "B1-L0"), ("short", "B1-L0", "B2-L0"), ("entered", "B31-L0", "none")
    ):  # fmt: skip
        page = await desk.open(
            f"/performance/cases?{days}&which={which}&currency=EUR&month=2026-03-01&after=30"
        )
        assert page.problems == []
        assert there in page.text, which
        assert absent not in page.text, which
    await desk.open(f"/performance.csv?{days}")
    assert desk.answer is not None
    lines = desk.answer.text.splitlines()
    assert lines[0].startswith("\ufeffas_of,since,until,currency,opened_in")
    assert lines[1].split(",")[3:12] == [
        "EUR", "2026-03", "31", "3100.00", "30", "31", "3100.00", "2040.00", "0.6581"
    ]  # fmt: skip
    assert lines[-1].split(",")[4:] == [
        "all",
        "31",
        "3100.00",
        "90",
        "0",
        "0.00",
        "0.00",
        "",
        "",
        "",
    ]
    other = await make_lender(street.store, street.now)
    stranger = await desk_of(street, browser, Role.SUPERVISOR, lender_id=other)
    assert "No case opened" in (await stranger.open("/performance")).text
    page = await stranger.open("/performance/cases?which=entered&currency=EUR")
    assert "There is no such case" in page.text


async def test_few_cases_are_told_as_few(street: Street, sign_in_as: Desk) -> None:
    await street.neighbours(2)
    street.hands.go_on(days=30)
    desk: Browser = await sign_in_as(Role.COLLECTION_MANAGER)
    page = await desk.open("/performance")
    assert "2 cases" in page.text
    assert "Too few to tell" in page.text
    await street.rows("UPDATE cases SET entered_minor = NULL RETURNING 1")
    page = await desk.open("/performance")
    assert "Of 2 cases more nobody wrote down" in page.text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("on=yesterday", "written like"),
        ("on=2126-03-03", "has not come yet"),
        ("since=2026-03-02&until=2026-03-01&on=2026-03-02", "lies before the first day"),
        ("until=2026-03-03&on=2026-03-02", "as of which it is told"),
        ("since=2024-03-03", "more than 400 days"),
        ("since=1990-03-03", "so long ago"),
        ("until=0001-01-02", "written like"),
        ("until=2000-12-31&since=1999-12-31", "so long ago"),
    ],
)
async def test_days_nobody_can_mean_are_told_so(
    query: str, words: str, street: Street, sign_in_as: Desk
) -> None:
    desk: Browser = await sign_in_as(Role.SUPERVISOR)
    page = await desk.open(f"/performance?{query}")
    assert desk.status == 422
    assert words in page.text, page.text
    page = await desk.open(f"/performance/people?{query}")
    assert desk.status == 422
    assert words in page.text
    for path in ("/performance.csv?", "/performance/people.csv?",
                 "/performance/cases?currency=EUR&"):  # fmt: skip
        await desk.open(f"{path}{query}")
        assert desk.status == 422, path


async def test_who_reads_no_reports_sees_none(street: Street, sign_in_as: Desk) -> None:
    for role in (Role.COLLECTOR, Role.ADMIN):
        desk: Browser = await sign_in_as(role)
        for path in ("/performance", "/performance.csv", "/performance/people",
                     "/performance/people.csv", "/performance/cases?currency=EUR"):  # fmt: skip
            await desk.open(path)
            assert desk.status == 403, (role, path)
    reader: Browser = await sign_in_as(Role.APPROVER)
    await reader.open("/performance/cases?currency=EU1")
    assert reader.status == 422


async def test_people_and_agencies_with_their_cases(
    street: Street, sign_in_as: Desk, browser: OpenBrowser
) -> None:
    team = People(street)
    hard, easy = (
        await street.neighbours(33, dues=(90_000,), days_late=70),
        await street.neighbours(33, dues=(1_000,), days_late=2),
    )
    she, he = [await team.person(name, Role.COLLECTOR) for name in ("=eva", "leo")]
    street.hands.go_on(hours=1)
    for number, (of_hard, of_easy) in enumerate(zip(hard, easy, strict=True)):
        # Both bring in the same of each kind; she has more of the hard ones.
        await called(street, of_hard, she if number < 27 else he)
        await called(street, of_easy, he if number < 27 else she)
    street.hands.go_on(hours=1)
    for of_easy in easy[::3]:
        await street.repaid(of_easy, "R")
    street.hands.go_on(days=30)
    desk: Browser = await sign_in_as(Role.SUPERVISOR)
    page = await desk.open("/performance/people")
    assert page.problems == []
    # She: 2 of 33, he 9 of 33. Like with like: 2 of 6 and 9 of 27 of the easy half.
    for words in ("=eva", "6.1%", "27.3%", "16.7%", "33 of 33", "€20.00 of €24,360.00",
                  "In alphabetical order, and no ranking"):  # fmt: skip
        assert words in page.text, (words, page.text)
    for who, there, absent in ((she, "B1-L0", "B34-L0"), (he, "B34-L0", "B1-L0")):
        page = await desk.open(f"/performance/collectors/{who}/cases")
        assert page.problems == []
        assert there in page.text
        assert absent not in page.text
    page = await desk.open(f"/performance/collectors/{he}/cases?which=whole")
    assert ("B34-L0" in page.text, "B35-L0" in page.text) == (True, False)
    await desk.open("/performance/people.csv")
    assert desk.answer is not None
    heads, first, second = [line.split(",") for line in desk.answer.text.splitlines()]
    assert first[3:9] == ["collector", "'=eva", "33", "0.0606", *first[7:9]]
    assert second[heads.index("like_with_like")] == "0.1667"
    assert second[heads.index("reached_rate")] == "1.0000"
    other = await make_lender(street.store, street.now)
    stranger = await desk_of(street, browser, Role.SUPERVISOR, lender_id=other)
    await stranger.open(f"/performance/collectors/{she}/cases")
    assert stranger.status == 404
    assert "eva" not in (await stranger.open("/performance/people")).text


async def test_an_agency_has_its_cases_and_few_are_few(street: Street, sign_in_as: Desk) -> None:
    team = People(street)
    norte = await team.agency()
    who = await street.neighbour()
    street.hands.go_on(hours=1)
    await team.placed(who.cases[0], norte)
    street.hands.go_on(days=30)
    desk: Browser = await sign_in_as(Role.AUDITOR)
    page = await desk.open("/performance/people")
    assert page.problems == []
    for words in ("Norte", "1 case", "Too few to tell", "€0.00 of €120.00",
                  "36.0 days, 1 loan in EUR"):  # fmt: skip
        assert words in page.text, words
    page = await desk.open(f"/performance/agencies/{norte}/cases?which=short")
    assert "B1-L0" in page.text
