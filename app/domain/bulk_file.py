"""Files with many rows: checked in a dry run, released by a person, then carried out once."""

from __future__ import annotations

from enum import StrEnum

from app.domain.lifecycle import Lifecycle


class BulkState(StrEnum):
    CHECKED = "checked"
    RELEASED = "released"
    DONE = "done"
    DROPPED = "dropped"


BULK = Lifecycle(
    "file",
    BulkState,
    start=BulkState.CHECKED,
    table={
        BulkState.CHECKED: {"release": BulkState.RELEASED, "drop": BulkState.DROPPED},
        BulkState.RELEASED: {"finish": BulkState.DONE},
        BulkState.DONE: {},
        BulkState.DROPPED: {},
    },
)


class RowVerdict(StrEnum):
    """What a row of the file will do, or why it will do nothing."""

    WILL_DO = "will_do"
    DONE = "done"
    INVALID = "invalid"
    DUPLICATE = "duplicate"
    NOT_FOUND = "not_found"
    REFUSED = "refused"
