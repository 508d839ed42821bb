"""Slices of lists by key, never by offset: the cost is the slice, not what lies before.

Every list query selects the columns of its key and runs inside a unit that row security has
bound to one lender.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, Table, select, tuple_

from app.domain.errors import Invalid, NotFound
from app.store.tables import borrowers
from app.store.unit import Unit

Key = tuple[ColumnElement[Any], ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows in order, and the key of the last one when more follow."""

    rows: Sequence[Row[Any]]
    last: tuple[Any, ...] | None


async def take(
    unit: Unit,
    query: Select[Any],
    by: Sequence[ColumnElement[Any]],
    *,
    after: tuple[Any, ...] | None,
    limit: int,
    newest_first: bool = True,
) -> Slice:
    """At most `limit` rows after the key `after`, ordered by `by`, which must end in a unique one.

    The key's columns must be among the selected ones. Raises `Invalid` for a key of another form.
    """
    if after is not None:
        if len(after) != len(by) or any(
            not isinstance(value, column.type.python_type)
            for value, column in zip(after, by, strict=True)
        ):
            raise Invalid(
                "cursor",
                "does not belong to this list.",
                mend="Use next_cursor of the page before, or none.",
            )
        key, place = tuple_(*by), tuple_(*after)
        query = query.where(key < place if newest_first else key > place)
    order = [column.desc() if newest_first else column.asc() for column in by]
    rows = (await unit.conn.execute(query.order_by(*order).limit(limit + 1))).all()
    if len(rows) <= limit:
        return Slice(rows, None)
    kept = rows[:limit]
    return Slice(kept, tuple(kept[-1]._mapping[column] for column in by))


async def one(unit: Unit, query: Select[Any], what: str) -> Row[Any]:
    """The single row of a query. Raises `NotFound`: what another lender has is not there."""
    row: Row[Any] | None = (await unit.conn.execute(query.limit(1))).one_or_none()
    if row is None:
        raise NotFound(f"There is no such {what}.")
    return row


def with_borrower(table: Table, *columns: ColumnElement[Any]) -> Select[Any]:
    """Columns of `table` and the lender's own reference of the borrower they belong to."""
    return select(*columns, borrowers.c.external_ref.label("borrower_ref")).join(
        borrowers, borrowers.c.id == table.c.borrower_id
    )


def narrowed(
    query: Select[Any], table: Table, borrower: str | None, state: StrEnum | None = None
) -> Select[Any]:
    """Only what belongs to one borrower (the lender's reference), only one state."""
    if borrower is not None:
        query = query.where(borrowers.c.external_ref == borrower)
    if state is not None:
        query = query.where(table.c.state == state.value)
    return query


def grouped(rows: Iterable[Row[Any]], column: str) -> dict[UUID, list[Row[Any]]]:
    """Rows by one of their columns, in the order they came."""
    found: dict[UUID, list[Row[Any]]] = {}
    for row in rows:
        found.setdefault(getattr(row, column), []).append(row)
    return found
