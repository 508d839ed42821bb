"""The treatment suggestion in words: what it means, and its arithmetic for repeating by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.domain.case_facts import Care
from app.domain.money import Money
from app.domain.treatment import Suggestion, Treatment, Worth
from app.reference import formats

_LANGUAGE: Final = "en"

NAMES: Final[Mapping[Treatment, str]] = {
    Treatment.WAIT: "Leave in peace for now",
    Treatment.EXTEND: "A later date",
    Treatment.RESTRUCTURE: "Smaller instalments",
    Treatment.SETTLE: "A settlement",
    Treatment.WRITE_OFF: "Give the debt up",
    Treatment.CALL: "Call",
    Treatment.AGENCY: "Hand over to an agency",
}
CARES: Final[Mapping[Care, str]] = {
    Care.HARDSHIP: "cannot pay now",
    Care.VULNERABLE: "vulnerable",
    Care.BREATHING_SPACE: "breathing space",
    Care.CRISIS: "crisis treatment",
    Care.INSOLVENCY: "insolvency",
    Care.DECEASED: "deceased",
    Care.REPRESENTED: "represented by somebody",
    Care.DISPUTE: "disputes the debt",
    Care.COMPLAINT: "has complained",
}


@dataclass(frozen=True, slots=True)
class Way:
    """One way for the page. `sum_lines` is the arithmetic, one step a line."""

    name: str
    worth: str
    sum_lines: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class SuggestionShown:
    """The suggestion with its alternatives, ready for the page."""

    main: Way
    others: tuple[Way, ...]
    why: str
    reasons: tuple[str, ...]
    care: str
    version: str


def suggestion_shown(found: Suggestion | None) -> SuggestionShown | None:
    """Put a suggestion into words; None stays None."""
    if found is None:
        return None
    return SuggestionShown(
        main=_way(found.main),
        others=tuple(_way(one) for one in found.others),
        why=found.why,
        reasons=tuple(one.words() for one in found.reasons),
        care=", ".join(CARES[one] for one in found.care),
        version=found.version,
    )


def _way(one: Worth) -> Way:
    product = (
        f"{_money(one.owed)} due × {_percent(one.chance)} chance × {_percent(one.share)} share"
    )
    lines = [f"{product} = {_money(one.gross)}"]
    if one.commission:
        lines.append(f"− {_money(one.commission)} commission")
    if one.cost is None:
        lines.append(f"What it costs in {one.owed.currency} is not known, so it has no worth here.")
    elif one.cost:
        lines.append(f"− {_money(one.cost)} cost")
    if one.expected is not None:
        lines.append(f"= {_money(one.expected)} expected")
    return Way(
        NAMES[one.treatment],
        "no worth known" if one.expected is None else f"{_money(one.expected)} expected",
        tuple(lines),
        f"{one.strength}: {one.source}",
    )


def _money(amount: Money) -> str:
    return formats.money(amount, _LANGUAGE)


def _percent(basis_points: int) -> str:
    """7000 -> 70%, 1250 -> 12.5%."""
    whole, rest = divmod(basis_points, 100)
    return f"{whole}{f'.{rest:02d}'.rstrip('0') if rest else ''}%"
