"""Cursor paging: a page of bounded size and an opaque cursor to the next one.

A cursor holds where the last page ended, not an offset: rows that come in between neither
repeat nor skip others. It belongs to one list with one set of filters.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import orjson
from fastapi import Depends, Query, Request
from pydantic import Field

from app.api.wire import Shown
from app.domain.errors import Invalid
from app.reports.slices import Slice

Item = TypeVar("Item", bound=Shown)

LARGEST_PAGE = 200
_LONGEST_CURSOR = 500


class Page(Shown, Generic[Item]):
    """One page of a list."""

    items: Annotated[list[Item], Field(description="The things, in the list's order.")]
    next_cursor: Annotated[
        str | None,
        Field(description="Send it as `cursor` for the next page; null on the last one."),
    ] = None

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """BorrowerShown -> BorrowerPage."""
        return str(params[0].__name__).removesuffix("Shown") + "Page"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which page: at most `limit` rows after the place `after`."""

    limit: int
    after: tuple[Any, ...] | None
    mark: str


def asked(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Most items in one page.")] = 50,
    cursor: Annotated[
        str | None,
        Query(max_length=_LONGEST_CURSOR, description="`next_cursor` of the page before."),
    ] = None,
) -> Asked:
    """The paging parameters of every list. Raises `Invalid` for a cursor that is not ours."""
    mark = _mark(request)
    return Asked(limit, None if cursor is None else _read(cursor, mark), mark)


Paged = Annotated[Asked, Depends(asked)]


def page(
    of: type[Item], found: Slice, asked_for: Asked, show: Callable[[Any], Item] | None = None
) -> Page[Item]:
    """The page behind a slice of rows; `show` turns a row into an item, or its attributes do."""
    make = show or of.model_validate
    last = None if found.last is None else _write(found.last, asked_for.mark)
    return Page[of](items=[make(row) for row in found.rows], next_cursor=last)  # type: ignore[valid-type]


def _mark(request: Request) -> str:
    """A short hash of list and filters, so that a cursor cannot wander to another list."""
    filters = sorted(
        (name, value)
        for name, value in request.query_params.multi_items()
        if name not in {"cursor", "limit"}
    )
    seed = orjson.dumps([request.url.path, filters])
    return blake2b(seed, digest_size=4).hexdigest()


def _write(place: Sequence[Any], mark: str) -> str:
    raw = orjson.dumps([mark, *(_plain(value) for value in place)])
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _plain(value: Any) -> dict[str, str]:
    match value:
        case datetime():
            return {"t": value.isoformat()}
        case UUID():
            return {"u": str(value)}
        case _:
            return {"s": str(value)}


def _read(cursor: str, mark: str) -> tuple[Any, ...]:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found, *place = orjson.loads(raw)
        values = tuple(_value(part) for part in place)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        found, values = None, ()
    if found != mark:
        raise Invalid(
            "cursor", "does not belong to this list.", mend="Start again without a cursor."
        )
    return values


def _value(part: Mapping[str, str]) -> Any:
    ((kind, text),) = part.items()
    match kind:
        case "t":
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                raise ValueError(kind)
            return moment
        case "u":
            return UUID(text)
        case "s" if "\x00" not in text:
            return text
        case _:
            raise ValueError(kind)
