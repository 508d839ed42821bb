"""The portfolio: how late the book is on any day, how it moved, and the loans behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response, StreamingResponse

from app.domain.delinquency import Roll, Share, Standing
from app.domain.errors import Invalid
from app.domain.roles import Act
from app.reports.delinquency import BookOnDay, loan_list, portfolio
from app.web import words
from app.web.desk import brakes_in_force, desk_page, zone_of_seat
from app.web.seats import Seat, needs
from app.web.shares import percent
from app.web.site import Site, site_of

router = APIRouter()

# A month, as roll rates are usually told.
_USUAL_SPAN: Final = timedelta(days=30)
_EARLIEST: Final = date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the drawing, in its own units (0 to 100 wide)."""

    name: str
    width: float
    share: str
    loans: int
    outstanding: object
    overdue: object
    late: bool


@dataclass(frozen=True, slots=True)
class RollRow:
    """One row of the matrix in words. `cells`: (column, share, loans, share of loans, tone)."""

    name: str
    loans: int
    cells: tuple[tuple[str, str, int, str, str], ...]


@router.get("/portfolio")
async def page(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_REPORTS))]
) -> Response:
    """The book at the end of a day, against another day before it."""
    site = site_of(request)
    today, on, since, trouble = _days(request, site, seat)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        found = await portfolio(unit, site.settings.buckets, on=on, since=since)
    return desk_page(
        site,
        request,
        seat,
        "desk/portfolio.html",
        banners=banners,
        here="/portfolio",
        trouble=trouble,
        today=today,
        on=on,
        since=since,
        earliest=_EARLIEST,
        books=[(book, _bars(book), _risks(book)) for book in found.books],
        rolls={currency: _rows(roll) for currency, roll in found.rolls.items()},
        columns={currency: [words.cell(one) for one in roll.columns]
                 for currency, roll in found.rolls.items()},
    )  # fmt: skip


@router.get("/portfolio.csv")
async def list_of_loans(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_REPORTS))]
) -> Response:
    """Every loan with something outstanding on that day, as a spreadsheet reads it."""
    site = site_of(request)
    _today, on, _since, trouble = _days(request, site, seat)
    if trouble:
        raise Invalid("on", trouble, mend="Choose another day.")
    async with site.house.store.unit(seat.lender_id) as unit:
        lines: Iterator[str] = await loan_list(unit, site.settings.buckets, on)
    return StreamingResponse(
        lines,
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="loans-{on.isoformat()}.csv"'},
    )


def _days(request: Request, site: Site, seat: Seat) -> tuple[date, date, date, str]:
    """(today, the day asked for, the day before it, what is wrong). Wrong days become the usual."""
    today = site.now().astimezone(zone_of_seat(seat)).date()
    usual = (today, today, today - _USUAL_SPAN)
    try:
        on = _day(request, "on", today)
        since = _day(request, "since", on - _USUAL_SPAN)
    except ValueError:
        return (*usual, "A day is written like 2026-11-30.")
    if on > today:
        return (*usual, "That day has not come yet.")
    if since >= on:
        return (*usual, "The day to compare with lies before the other one.")
    if since < _EARLIEST:
        return (*usual, "Nothing is known of days so long ago.")
    return today, on, since, ""


def _day(request: Request, name: str, usual: date) -> date:
    text = request.query_params.get(name, "")
    return date.fromisoformat(text) if text else usual


def _bars(book: BookOnDay) -> list[Bar]:
    longest = max((line.outstanding.minor for line in book.lines), default=0) or 1
    return [
        Bar(
            name=words.cell(line.cell),
            width=round(100 * line.outstanding.minor / longest, 2),
            share=percent(book.share(line.outstanding)),
            loans=line.loans,
            outstanding=line.outstanding,
            overdue=line.overdue,
            late=line.cell != Standing.CURRENT.value,
        )
        for line in book.lines
    ]


def _risks(book: BookOnDay) -> list[tuple[str, str, object]]:
    """Portfolio at risk: later than so many days, as a share and as money."""
    return [
        (f"Over {first - 1} days late" if first > 1 else "Late at all",
         percent(book.share(amount)), amount)
        for first, amount in book.at_risk.items()
    ]  # fmt: skip


def _rows(roll: Roll) -> list[RollRow]:
    places = {name: number for number, name in enumerate(roll.columns)}
    return [
        RollRow(
            name=words.cell(row),
            loans=roll.totals(row).loans,
            cells=tuple(
                (
                    words.cell(column),
                    percent(share.of_minor),
                    share.loans,
                    percent(share.of_loans),
                    _tone(row, column, share, places),
                )
                for column in roll.columns
                for share in (roll.share(row, column),)
            ),
        )
        for row in roll.rows
        if roll.totals(row).loans
    ]


def _tone(row: str, column: str, share: Share, places: dict[str, int]) -> str:
    """Better, the same, or worse; the figures say it too."""
    if not share.loans:
        return "none"
    if column == row:
        return "same"
    if column in (Standing.PAID.value, Standing.CLOSED.value):
        return "better"
    if column == Standing.WRITTEN_OFF.value:
        return "worse"
    return "better" if places[column] < places[row] else "worse"
