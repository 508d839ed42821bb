"""Let a checked book in, or drop it. What was loaded by one person is released by another."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update

from app.domain.approval import ApprovalKind
from app.domain.bulk_file import BULK, BulkState, RowVerdict
from app.domain.errors import Conflict, NotAllowed, NotFound
from app.domain.four_eyes import check_decider
from app.domain.ids import LenderId, UserId
from app.domain.roles import Act, check_right
from app.flows.books.load_book import KIND
from app.flows.house import House
from app.store import audit
from app.store.approvals import hand_of
from app.store.moves import move
from app.store.tables import bulk_files, bulk_rows
from app.store.unit import Unit


async def release_book(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    file_id: UUID,
    user_id: UserId,
    actor: str,
    leave_out: bool = False,
) -> None:
    """Have the rows of a checked file carried out; apply_book.py does it, person by person.

    Raises `NotFound`; `NotAllowed` for whoever loaded it, for what a system loaded and nobody
    stands behind, and for a person whose word does not count;
    `IllegalTransition` when it was released or dropped before; `Conflict` when a stated total
    differs, when nothing would be loaded, or when rows are left out and nobody said so
    (`leave_out`). Nothing of the lender's settings changes: who is in observe-only mode stays in
    it.
    """
    async with house.store.unit(lender_id) as unit:
        file = await _lock(unit, file_id)
        # His row is asked, not his session: a second user that an admin made is no second person.
        check_decider(ApprovalKind.IMPORT, await hand_of(unit, user_id))
        if _waits_for_a_person(file):
            raise NotAllowed(
                "A system loaded this. A person stands behind it first, and another releases it.",
                code="NobodyBehindIt",
            )
        if file.maker_id == user_id or file.made_by == actor:
            raise NotAllowed("Somebody else than the person who loaded a book releases it.")
        await move(unit, bulk_files, file_id, BULK, "release", released_by=actor, released_at=now)
        _refuse_differences(file.totals)
        if file.totals.get("left_out") and not leave_out:
            raise Conflict(
                f"{file.totals['left_out']} rows would be left out. Say so, or mend the file."
            )
        waiting = await unit.conn.scalar(
            select(bulk_rows.c.file_id)
            .where(bulk_rows.c.file_id == file_id, bulk_rows.c.verdict == RowVerdict.WILL_DO.value)
            .limit(1)
        )
        if waiting is None:
            raise Conflict("Nothing of this file would be loaded.")
        await audit.record(
            unit,
            now,
            actor=actor,
            act="release_book",
            subject=str(file_id),
            before={"made_by": file.made_by},
            after={"name": file.name, "left_out": file.totals.get("left_out", 0)},
        )


async def stand_behind_book(
    house: House, now: datetime, *, lender_id: LenderId, file_id: UUID, user_id: UserId, actor: str
) -> None:
    """Answer for a file that a system loaded, as if one had loaded it: another person releases it.

    Whoever holds a key is one person only. Raises `NotFound`, `NotAllowed` without the right to
    load a book, and `Conflict` when somebody stands behind it or it was released or dropped.
    """
    async with house.store.unit(lender_id) as unit:
        file = await _lock(unit, file_id)
        hand = await hand_of(unit, user_id)
        check_right(hand.role, Act.LOAD_BOOK, confirmed=hand.confirmed)
        if file.state != BulkState.CHECKED.value or not _waits_for_a_person(file):
            raise Conflict("Nobody need stand behind this file any more.")
        await unit.conn.execute(
            update(bulk_files).where(bulk_files.c.id == file_id).values(maker_id=user_id)
        )
        await audit.record(
            unit,
            now,
            actor=actor,
            act="endorse_book",
            subject=str(file_id),
            before={"made_by": file.made_by},
            after={"name": file.name},
        )


def _waits_for_a_person(file: Row[Any]) -> bool:
    return file.key_id is not None and file.maker_id is None


async def drop_book(
    house: House, now: datetime, *, lender_id: LenderId, file_id: UUID, actor: str
) -> None:
    """Throw a checked file away, with everything it said about people.

    The verdicts stay without the cells. The same file may be loaded again. Raises `NotFound` and
    `IllegalTransition` (it was released).
    """
    async with house.store.unit(lender_id) as unit:
        file = await _lock(unit, file_id)
        await move(unit, bulk_files, file_id, BULK, "drop", ended_at=now)
        await unit.conn.execute(
            update(bulk_rows)
            .where(bulk_rows.c.file_id == file_id)
            .values(
                row_enc=b"",
                message="",
                verdict=RowVerdict.REFUSED.value,
            )
        )
        await audit.record(
            unit,
            now,
            actor=actor,
            act="drop_book",
            subject=str(file_id),
            after={"name": file.name},
        )


def _refuse_differences(totals: dict[str, Any]) -> None:
    found = [
        f"{what}: {expected} expected, {here} in the file"
        for what, expected, here in totals.get("differences", [])
    ]
    if found:
        raise Conflict(f"The totals do not agree. {'; '.join(found)}.", code="TotalsDiffer")


async def _lock(unit: Unit, file_id: UUID) -> Row[Any]:
    row = (
        await unit.conn.execute(
            select(bulk_files)
            .where(bulk_files.c.id == file_id, bulk_files.c.kind == KIND)
            .with_for_update()
        )
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such file.")
    return row
