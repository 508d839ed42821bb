"""Experiments: start one, see what it has shown with its interval, end it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.errors import Conflict, Invalid
from app.domain.experiment import (
    LARGEST_SHARE,
    LONGEST_DAYS,
    SHORTEST_DAYS,
    ExperimentKind,
    ExperimentTerms,
    Withheld,
)
from app.domain.lift import Lift
from app.domain.roles import Act
from app.flows.strategies.run_experiment import end_experiment, start_experiment
from app.reports.lift import LiftReport, experiment_list, lift_report
from app.reports.strategies import products_of, strategy_lines
from app.web.desk import back_to, brakes_in_force, desk_page
from app.web.forms import Form, read_uuid
from app.web.seats import Seat, needs
from app.web.site import site_of
from app.web.words import Mark

router = APIRouter()

KINDS: Final = {
    ExperimentKind.HOLDOUT.value: "Holdout: leave some cases alone",
    ExperimentKind.CHALLENGER.value: "Challenger: another strategy for some cases",
    ExperimentKind.READING.value: "Reading: when income is likely, against evenly through the day",
}
WITHHOLDS: Final = {
    Withheld.ASK.value: "Payment links and calls because money was seen",
    Withheld.STRATEGY.value: "Reminders, notices and calls of the strategy",
}
# The drawing's own coordinates: a field of 420 by 118.
_LEFT, _WIDTH = 30, 360


@dataclass(frozen=True, slots=True)
class Bar:
    """An interval as the drawing has it: coordinates from left to right, and the words."""

    low: float
    middle: float
    high: float
    words: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """The lift on a line whose middle is no difference. `ticks` are (place, words)."""

    bar: Bar
    zero: float
    ticks: tuple[tuple[float, str], ...]


@router.get("/experiments")
async def experiments(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_REPORTS))]
) -> Response:
    """Every experiment, running ones first."""
    return await _experiments(request, seat)


async def _experiments(
    request: Request, seat: Seat, trouble: str = "", typed: Form | None = None
) -> Response:
    site = site_of(request)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        found = await experiment_list(unit)
        products = await products_of(unit)
        lines = await strategy_lines(unit)
    return desk_page(
        site,
        request,
        seat,
        "desk/experiments.html",
        banners=banners,
        here="/experiments",
        experiments=found,
        kinds=KINDS,
        withholds=WITHHOLDS,
        largest={kind.value: share // 100 for kind, share in LARGEST_SHARE.items()},
        days=(SHORTEST_DAYS, LONGEST_DAYS),
        products=products,
        strategies=[line for line in lines if line.in_force is not None],
        trouble=trouble,
        typed={
            name: typed.text(name) if typed else default
            for name, default in (
                ("name", ""), ("kind", ""), ("product", ""), ("share", "10"), ("days", "30"),
                ("strategy", ""),
            )
        },
        ticked=typed.every("withholds") if typed else (Withheld.ASK.value,),
    )  # fmt: skip


@router.post("/experiments/start")
async def start(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.RUN_EXPERIMENT))]
) -> Response:
    """Draw every case that opens from now on."""
    site, form = site_of(request), seat.posted
    try:
        chosen = form.text("strategy")
        experiment_id = await start_experiment(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            terms=_terms(form),
            strategy_id=read_uuid(chosen) if chosen else None,
            actor=seat.actor,
        )
    except (Invalid, Conflict) as error:
        return await _experiments(request, seat, error.message, form)
    return back_to(f"/experiments/{experiment_id}", "drawing")


def _terms(form: Form) -> ExperimentTerms:
    kind = form.text("kind")
    if kind not in KINDS:
        raise Invalid("kind", "is missing.", mend="Choose one.")
    withholds = form.every("withholds") if kind == ExperimentKind.HOLDOUT.value else ()
    if any(one not in WITHHOLDS for one in withholds):
        raise Invalid(
            "withholds",
            "is not something that may be withheld.",
            mend="Choose one that the page shows.",
        )
    return ExperimentTerms(
        form.text("name"),
        ExperimentKind(kind),
        form.text("product"),
        _whole(form, "share") * 100,
        _whole(form, "days"),
        frozenset(Withheld(one) for one in withholds),
    )


def _whole(form: Form, name: str) -> int:
    text = form.text(name)
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise Invalid(name, "is not a whole number.", mend="Write digits only.")
    return int(text)


@router.get("/experiments/{experiment_id}")
async def one_experiment(
    request: Request, experiment_id: str, seat: Annotated[Seat, Depends(needs(Act.SEE_REPORTS))]
) -> Response:
    """Both arms, the lift, and how sure it is."""
    return await _one(request, seat, experiment_id)


async def _one(request: Request, seat: Seat, experiment_id: str, trouble: str = "") -> Response:
    site = site_of(request)
    now = site.now()
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        report = await lift_report(unit, read_uuid(experiment_id), now)
    return desk_page(
        site,
        request,
        seat,
        "desk/experiment.html",
        banners=banners,
        here="/experiments",
        report=report,
        one=report.experiment,
        verdict=verdict_of(report),
        drawing=drawing_of(report.share),
        kinds=KINDS,
        withholds=WITHHOLDS,
        percent=percent,
        points=points,
        trouble=trouble,
    )


@router.post("/experiments/{experiment_id}/end")
async def end(
    request: Request, experiment_id: str, seat: Annotated[Seat, Depends(needs(Act.RUN_EXPERIMENT))]
) -> Response:
    """Draw no more cases."""
    site = site_of(request)
    try:
        await end_experiment(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            experiment_id=read_uuid(experiment_id),
            reason=seat.posted.text("reason", longest=500),
            actor=seat.actor,
        )
    except (Invalid, Conflict) as error:
        return await _one(request, seat, experiment_id, error.message)
    return back_to(f"/experiments/{experiment_id}", "drawn")


def verdict_of(report: LiftReport) -> Mark:
    """What may be said of it today, in words."""
    if not report.treated.share.count or not report.control.share.count:
        return Mark("Nothing is measured yet", "note")
    if report.share.low > 0:
        return Mark("The treatment brings more", "good")
    if report.share.high < 0:
        return Mark("The treatment brings less", "bad")
    return Mark("No difference can be told from chance yet", "warn")


def percent(share: float) -> str:
    """A share in per cent, one digit behind the point."""
    return f"{share * 100:.1f} %"


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{difference * 100:+.1f}"


def drawing_of(found: Lift) -> Drawing:
    """The interval on a line as wide as it needs: 10, 25, 50 or 100 points to each side."""
    reach = max(abs(found.low), abs(found.high))
    span = next((one for one in (0.1, 0.25, 0.5) if reach <= one), 1.0)

    def place(value: float) -> float:
        return round(_LEFT + _WIDTH * (value + span) / (2 * span), 1)

    words = (
        f"{points(found.difference)} points, between {points(found.low)} and {points(found.high)}"
    )
    ticks = tuple(
        (place(span * at), f"{span * at * 100:+g}" if at else "0") for at in (-1, -0.5, 0, 0.5, 1)
    )
    bar = Bar(place(found.low), place(found.difference), place(found.high), words)
    return Drawing(bar, place(0), ticks)
