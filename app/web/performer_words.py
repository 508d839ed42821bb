"""How people and agencies do, as rows of a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from app.domain.money import Money
from app.domain.performance import Estimate
from app.reports.performers import Performer
from app.web.shares import ShareShown, percent, share_shown


@dataclass(frozen=True, slots=True)
class PerformerShown:
    """One person or agency. `sums`: what was left to collect and what came, by currency."""

    id: UUID | None
    name: str
    cases: int
    as_is: ShareShown
    like_others: ShareShown
    sums: tuple[tuple[Money, Money], ...]
    reached: ShareShown
    kept: ShareShown
    followed: ShareShown
    money: tuple[Money, ...]
    overdue: tuple[str, ...]


def performers_shown(found: Iterable[Performer]) -> list[PerformerShown]:
    """In the order they come in."""
    return [
        PerformerShown(
            one.id,
            one.name,
            one.brought.as_is.count,
            _estimate(one.brought.as_is),
            _compared(one.brought.like_others),
            tuple(zip(one.brought.owed, one.brought.came, strict=True)),
            share_shown(one.reached),
            share_shown(one.kept),
            share_shown(one.followed),
            one.money,
            tuple(
                f"{late.by_money:.1f} days, {late.loans} loan{'' if late.loans == 1 else 's'}"
                f" in {currency}"
                for currency, late in one.overdue.items()
            ),
        )
        for one in found
    ]


def _estimate(one: Estimate) -> ShareShown:
    counts = f"{one.count} case{'' if one.count == 1 else 's'}"
    if one.small:
        return ShareShown(counts, any=one.count > 0)
    return ShareShown(counts, percent(one.mean), f"{percent(one.low)} to {percent(one.high)}")


def _compared(one: Estimate) -> ShareShown:
    """What may stand beside the others', or why it may not."""
    if one.small:
        return ShareShown("Too few to tell")
    if not one.comparable:
        return ShareShown(f"Speaks for {percent(one.covered)} of the mix")
    return _estimate(one)
