"""One slice of a list by its key, never by offset: the cost is the slice, not what lies before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, tuple_

from app.domain.errors import Invalid
from app.store.unit import Unit


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
            raise Invalid("cursor", "does not belong to this list.")
        key, place = tuple_(*by), tuple_(*after)
        query = query.where(key < place if newest_first else key > place)
    order = [column.desc() if newest_first else column.asc() for column in by]
    rows = (await unit.conn.execute(query.order_by(*order).limit(limit + 1))).all()
    if len(rows) <= limit:
        return Slice(rows, None)
    kept = rows[:limit]
    return Slice(kept, tuple(kept[-1]._mapping[column] for column in by))
