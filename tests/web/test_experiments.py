"""Experiments at the desk: started, read with their interval, ended; and measured rightly."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.domain.experiment import Arm
from app.domain.lift import Lift
from app.domain.money import Money
from app.domain.roles import Role
from app.reports.lift import LiftReport, lift_report
from app.web.pages.experiments import drawing_of
from tests.flows.street import Neighbour, Street
from tests.rig import make_lender
from tests.web.conftest import Browser, Desk, OpenBrowser, desk_of
from tests.web.reading import Page

pytestmark = pytest.mark.anyio

HOLDOUT = {"name": "Asking", "kind": "holdout", "share": "50", "days": "30"}


async def started(desk: Browser, **fields: str) -> Page:
    """Fill in the form; ticked boxes are given by name."""
    page = await desk.open("/experiments")
    given: dict[str, Any] = {**HOLDOUT, "withholds": "ask", **fields}
    return await desk.send(page, "start", **given)


async def report_of(street: Street) -> LiftReport:
    """The only experiment, measured now."""
    experiment_id = await street.value("SELECT id FROM experiments")
    async with street.store.unit(street.lender_id) as unit:
        return await lift_report(unit, experiment_id, street.now)


async def test_an_experiment_goes_through_the_pages(street: Street, sign_in_as: Desk) -> None:
    desk = await sign_in_as(Role.SUPERVISOR)
    page = await started(desk)
    assert desk.status == 200
    assert "Nothing is measured yet" in page.text
    assert "Payment links and calls because money was seen" in page.text
    assert "Running" in (await desk.open("/experiments")).text
    page = await desk.open(f"/experiments/{await street.value('SELECT id FROM experiments')}")
    page = await desk.send(page, "end", reason="Asking is worth it.")
    assert "ended by supervisor@" in page.text
    assert not [form for form in page.forms if form.step == "end"]


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("share", "51", "share: must be 1 to 50 per cent"),
        ("share", "ten", "share: is not a whole number"),
        ("days", "3", "days: must be 7 to 120"),
        ("withholds", "care", "withholds: is not something that may be withheld"),
        ("strategy", "00000000-0000-0000-0000-000000000001", "strategy: belongs to a challenger"),
        ("kind", "magic", "kind: is missing"),
    ],
)
async def test_what_cannot_be_meant_is_said_and_nothing_starts(
    street: Street, sign_in_as: Desk, field: str, value: str, says: str
) -> None:
    desk = await sign_in_as(Role.COMPLIANCE)
    page = await started(desk, **{field: value})
    assert desk.status == 422
    assert says in page.text
    assert await street.value("SELECT count(*) FROM experiments") == 0


async def test_readers_see_no_forms_and_collectors_see_nothing(
    street: Street, sign_in_as: Desk
) -> None:
    await started(await sign_in_as(Role.SUPERVISOR))
    reader = await sign_in_as(Role.AUDITOR)
    assert [form.step for form in (await reader.open("/experiments")).forms] == ["sign-out"]
    collector = await sign_in_as(Role.COLLECTOR)
    await collector.open("/experiments")
    assert collector.status == 403


async def test_another_lenders_experiment_is_not_there(
    street: Street, sign_in_as: Desk, browser: OpenBrowser
) -> None:
    await started(await sign_in_as(Role.SUPERVISOR))
    other = await make_lender(street.store, street.now)
    stranger = await desk_of(street, browser, Role.SUPERVISOR, lender_id=other)
    await stranger.open(f"/experiments/{await street.value('SELECT id FROM experiments')}")
    assert stranger.status == 404
    assert "Asking" not in (await stranger.open("/experiments")).text


async def test_outcomes_are_counted_once_their_time_is_over_and_for_their_time_alone(
    street: Street, sign_in_as: Desk
) -> None:
    desk = await sign_in_as(Role.SUPERVISOR)
    await started(desk)
    treated: list[Neighbour] = []
    control: list[Neighbour] = []
    while len(treated) < 3 or not control:  # the lot falls anew in each run
        who = await street.neighbour()
        arm = await street.value("SELECT arm FROM case_arms WHERE case_id = :id", id=who.cases[0])
        (treated if arm == "treated" else control).append(who)
    begun = street.now
    street.hands.now = begun + timedelta(days=3)
    for who in treated:
        await street.repaid(who, f"all {who.ref}", minor=15_000)  # more than all counts as all
    await street.repaid(control[0], "a quarter", minor=3_000)
    early = await report_of(street)
    assert early.treated.share.count == early.control.share.count == 0
    assert early.waiting == len(treated) + len(control)

    street.hands.now = begun + timedelta(days=31)
    await street.repaid(control[0], "too late", minor=1_000)
    report = await report_of(street)
    assert report.waiting == 0
    assert report.treated.share.mean == report.treated.cleared.mean == 1.0
    assert report.control.share.total == pytest.approx(0.25)
    assert report.control.cleared.total == 0
    assert report.treated.arm is Arm.TREATED
    assert report.treated.recovered == (Money(12_000 * len(treated), "EUR"),)
    assert report.control.recovered == (Money(3_000, "EUR"),)
    assert report.share.low < report.share.difference < report.share.high
    page = await desk.open(f"/experiments/{report.experiment.id}")
    assert "100.0 %" in page.text
    assert "Lift: +" in (desk.answer.text if desk.answer else "")


async def test_money_that_was_sent_back_in_time_is_no_outcome(
    street: Street, sign_in_as: Desk
) -> None:
    await started(await sign_in_as(Role.SUPERVISOR))
    who = await street.neighbour()
    await street.repaid(who, "bounces")
    await street.rows("UPDATE repayments SET reversed_at = :now RETURNING 1", now=street.now)
    street.hands.now += timedelta(days=40)
    report = await report_of(street)
    assert report.treated.share.total + report.control.share.total == 0


def test_the_drawing_is_as_wide_as_it_needs() -> None:
    drawing = drawing_of(Lift(0.05, -0.02, 0.12))
    assert [words for _, words in drawing.ticks] == ["-25", "-12.5", "0", "+12.5", "+25"]
    assert drawing.zero == 210
    assert drawing.bar.low < drawing.zero < drawing.bar.middle < drawing.bar.high
    widest = drawing_of(Lift(0.0, -1.0, 1.0))
    assert (widest.bar.low, widest.bar.high) == (30, 390)
