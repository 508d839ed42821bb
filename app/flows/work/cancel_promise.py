"""Cancel a promise that nobody has to keep any more: agreed anew, or taken by mistake."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select

from app.domain.errors import Invalid, NotFound
from app.domain.ids import LenderId
from app.domain.promise import PROMISE, PromiseState
from app.flows.house import House
from app.flows.work.judge_promises import write_change
from app.store.loans import lock_loan
from app.store.moves import move
from app.store.strategies import wake_cases
from app.store.tables import promises

_LONGEST_REASON: Final = 500


async def cancel_promise(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    promise_id: UUID,
    reason: str,
    actor: str,
) -> None:
    """End an open promise without a verdict; the case goes on as if it had not been made.

    Raises `Invalid` for an empty reason, `NotFound`, and `IllegalTransition` when a verdict stands
    already: what was broken stays broken.
    """
    if not 0 < len(reason.strip()) <= _LONGEST_REASON:
        raise Invalid("reason", f"has 1 to {_LONGEST_REASON} characters.", mend="Say why.")
    async with house.store.unit(lender_id) as unit:
        promise = (
            await unit.conn.execute(select(promises).where(promises.c.id == promise_id))
        ).one_or_none()
        if promise is None:
            raise NotFound("There is no such promise.")
        await lock_loan(unit, promise.loan_id)
        await move(
            unit, promises, promise_id, PROMISE, "cancel",
            ended_at=now, ended_why=reason.strip(), next_look_at=None,
        )  # fmt: skip
        details = {"why": reason.strip()}
        await write_change(unit, now, promise, PromiseState.CANCELLED, details, actor=actor)
        await wake_cases(unit, now, borrower_id=promise.borrower_id, case_id=promise.case_id)
