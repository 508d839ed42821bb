"""The lender states a number or an address: it wins, unless it is old news or was given up."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row

from app.domain.contact_detail import Detail, Statement, weigh
from app.flows.actors import LENDER
from app.flows.work.say_detail import say_detail
from app.store.contact_details import change_detail, forget_others, known_detail, standing_of
from app.store.timeline import Kind
from app.store.unit import Unit


async def heed_statement(
    unit: Unit, now: datetime, person: Row[Any], changes: dict[str, Any], stated: dict[Detail, str]
) -> None:
    """Take out of `changes` (columns of the borrower's row) what is not to be taken over.

    The caller has locked the row. `stated` has the bare numbers and addresses of `changes`.
    """
    for detail, address in stated.items():
        await _heed(unit, now, person, changes, detail, address)


async def _heed(
    unit: Unit,
    now: datetime,
    person: Row[Any],
    changes: dict[str, Any],
    detail: Detail,
    address: str,
) -> None:
    sealed, hashed = f"{detail.value}_enc", f"{detail.value}_hash"
    said: bytes = changes[hashed]
    known = await known_detail(unit, person.id, detail, said)
    statement = weigh(standing_of(person, detail, said, known))
    if statement in (Statement.GIVEN_UP, Statement.OLD):
        del changes[sealed], changes[hashed]
    if statement is Statement.SAME and known is not None and detail is Detail.PHONE:
        # He has heard of it by now: the one before is news when he says it again.
        await forget_others(unit, person.id, detail, said, stated=True)
    if statement in (Statement.NEWS, Statement.CONFIRMS):
        if detail is Detail.PHONE and not _answered_since(person, known, statement):
            changes["phone_doubted_at"] = None
        await _note(unit, now, person, detail, address, said, known, statement)


def _answered_since(person: Row[Any], known: Row[Any] | None, statement: Statement) -> bool:
    """Has somebody else answered on the very number since it was entered? That stays a doubt."""
    return (
        statement is Statement.CONFIRMS
        and known is not None
        and person.phone_doubted_at != known.entered_at
    )


async def _note(
    unit: Unit,
    now: datetime,
    person: Row[Any],
    detail: Detail,
    address: str,
    said: bytes,
    known: Row[Any] | None,
    statement: Statement,
) -> None:
    """What the desk entered does not go without a word."""
    before = getattr(person, f"{detail.value}_hash")
    entered = None
    if before is not None and before != said:
        entered = await known_detail(unit, person.id, detail, before)
    await forget_others(unit, person.id, detail, said, stated=True)
    if known is not None:
        await change_detail(unit, known.id, confirmed_at=now, address_enc=None, replaced_at=None)
    if statement is Statement.CONFIRMS:
        await say_detail(
            unit, now, person, Kind.DETAIL_CONFIRMED, detail, address, LENDER, tell=False,
            by="lender",
        )  # fmt: skip
    elif entered is not None and entered.entered_at is not None:
        await say_detail(
            unit, now, person, Kind.DETAIL_CHANGED, detail, address, LENDER, tell=False,
            why="lender_states_another",
        )  # fmt: skip
