"""Sets of values as one array parameter, so that a statement's text never depends on their number.

An `IN (...)` grows with the batch: it is rendered anew each time, and the server plans each length
for itself. `= ANY(array)` and `unnest(arrays)` are compiled once and prepared once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, any_, bindparam
from sqlalchemy.dialects.postgresql import ARRAY


def among(column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """`column = ANY(values)`; no value matches nothing."""
    return column == any_(bindparam(None, list(values), type_=ARRAY(column.type), unique=True))
