"""A segment as a plain form: rows of comparisons that all, or any, have to hold; or its text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.domain.case_facts import FIELDS, FieldKind
from app.domain.conditions import AllOf, AnyOf, Condition, Leaf, condition_notes
from app.domain.errors import Invalid
from app.domain.segments import Segment, Start, parse_segment
from app.web.forms import Form
from app.web.strategy_form import read_text

MOST_ROWS: Final = 12
_SPARE: Final = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison as it stands in the form."""

    field: str = ""
    op: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class TypedSegment:
    """The whole form as text. `rows` None: the condition is too rich for rows, `text` holds it."""

    name: str
    title: str
    rank: str
    join: str
    rows: tuple[Row, ...] | None
    text: str
    do: str
    ask: str
    strategy: str

    def shown_rows(self) -> tuple[Row, ...]:
        """Rows with empty ones to add something in."""
        rows = self.rows or ()
        return (*rows, *[Row()] * min(_SPARE if rows else 3, MOST_ROWS - len(rows)))


EMPTY: Final = TypedSegment("", "", "100", "all", (), "", "review", "", "")


def typed_segment(segment: Segment) -> TypedSegment:
    """What the form shows for a rule."""
    join, rows = _rows(segment.when)
    start = isinstance(segment.action, Start)
    return TypedSegment(
        name=segment.name,
        title=segment.title,
        rank=str(segment.rank),
        join=join,
        rows=rows,
        text=json.dumps(condition_notes(segment.when), indent=2, ensure_ascii=False),
        do="start" if start else "review",
        ask="" if isinstance(segment.action, Start) else segment.action.ask,
        strategy=segment.action.strategy if isinstance(segment.action, Start) else "",
    )


def _rows(condition: Condition) -> tuple[str, tuple[Row, ...] | None]:
    match condition:
        case Leaf():
            return "all", (_row(condition),)
        case AllOf(parts) | AnyOf(parts):
            flat = [_row(part) for part in parts if isinstance(part, Leaf)]
            if len(flat) == len(parts) <= MOST_ROWS:
                return ("all" if isinstance(condition, AllOf) else "any"), tuple(flat)
    return "all", None


def _row(leaf: Leaf) -> Row:
    return Row(leaf.field.name, leaf.op, ", ".join(str(one) for one in leaf.values))


def read_segment_form(form: Form) -> TypedSegment:
    """The form as it was sent; rows without any word are left out."""
    rows = [
        Row(
            form.text(f"row-{at}-field", longest=40),
            form.text(f"row-{at}-op", longest=20),
            form.text(f"row-{at}-value", longest=300),
        )
        for at in range(MOST_ROWS)
    ]
    return TypedSegment(
        name=form.text("name", longest=60),
        title=form.text("title"),
        rank=form.text("rank", longest=6),
        join="any" if form.text("join") == "any" else "all",
        rows=tuple(row for row in rows if row.field or row.value),
        text=form.text("text", longest=10_000),
        do=form.text("do", longest=20),
        ask=form.text("ask", longest=300),
        strategy=form.text("strategy"),
    )


def segment_from(typed: TypedSegment) -> Segment:
    """The rule somebody typed. Text, where there is some, comes before rows. Raises `Invalid`."""
    if typed.text:
        when: Any = read_text(typed.text)
    else:
        parts = [_leaf(number, row) for number, row in enumerate(typed.rows or (), 1)]
        if not parts:
            raise Invalid("when", "is empty.", mend="Say what has to hold.")
        when = parts[0] if len(parts) == 1 else {typed.join: parts}
    if not typed.rank.isascii() or not typed.rank.isdigit():
        raise Invalid("rank", "is not a whole number.", mend="Write digits only.")
    action: Mapping[str, Any] = (
        {"do": "start", "strategy": typed.strategy}
        if typed.do == "start"
        else {"do": "review", "ask": typed.ask}
    )
    return parse_segment(typed.name, typed.title, int(typed.rank), when, action)


def _leaf(number: int, row: Row) -> dict[str, Any]:
    where = f"comparison {number}"
    if not row.field or not row.op:
        raise Invalid(where, "is not complete.", mend="Choose what, and how it is compared.")
    field = FIELDS.get(row.field)
    parts = [part.strip() for part in row.value.split(",") if part.strip()]
    value: Any = row.value
    if field is not None and field.kind is FieldKind.NUMBER:
        if not row.value.isascii() or not row.value.isdigit():
            raise Invalid(where, f"{row.value!r} is not a whole number.", mend="Write digits only.")
        value = int(row.value)
    elif row.op == "one_of" or (field is not None and field.kind is FieldKind.MONEY):
        value = parts if len(parts) != 1 or row.op == "one_of" else parts[0]
    return {"field": row.field, "op": row.op, "value": value}
