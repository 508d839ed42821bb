"""Write rules of one's own beside a country's pack, and put them in force by two people."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from app.domain.approval import ApprovalKind
from app.domain.edition import EDITION, EditionState
from app.domain.errors import Conflict, Invalid, NotAllowed
from app.domain.ids import LenderId, UserId
from app.domain.jurisdiction import Pack
from app.domain.pack_edition import Edition, check_edition, read_edition, with_edition
from app.flows.approvals.propose_approval import propose
from app.flows.house import House
from app.store import audit
from app.store.keys import new_id
from app.store.moves import move
from app.store.pack_editions import lock_editions, next_number
from app.store.tables import pack_editions
from app.store.unit import Unit

_MOST_EDITIONS: Final = 500


async def write_pack_edition(
    house: House, now: datetime, *, lender_id: LenderId, pack: Pack, edition: Edition, actor: str
) -> UUID:
    """Keep a draft; returns its id. One's own draft is written over, never somebody else's.

    Raises `Invalid` naming every rule that it would loosen, with both values.
    """
    check_edition(edition, pack)
    values: dict[str, Any] = {
        "body": edition.as_notes(),
        "look_back_days": with_edition(pack, edition, 1).look_back.days + 1,
        "made_at": now,
    }
    async with house.store.unit(lender_id) as unit:
        edition_id = await _own_draft(unit, pack.country, actor)
        if edition_id is None:
            edition_id = await _insert(unit, lender_id, pack.country, actor, values)
        else:
            await unit.conn.execute(
                update(pack_editions).where(pack_editions.c.id == edition_id).values(**values)
            )
        await audit.record(
            unit,
            now,
            actor=actor,
            act="write_pack",
            subject=str(edition_id),
            after={"country": pack.country, **edition.as_notes()},
        )
    return edition_id


async def _own_draft(unit: Unit, country: str, actor: str) -> UUID | None:
    found: UUID | None = await unit.conn.scalar(
        select(pack_editions.c.id)
        .where(
            pack_editions.c.country == country,
            pack_editions.c.state == EditionState.DRAFT.value,
            pack_editions.c.made_by == actor,
            # One that was in force before is history: it is brought back or left as it is.
            pack_editions.c.published_at.is_(None),
        )
        .order_by(pack_editions.c.number.desc())
        .limit(1)
        .with_for_update(key_share=True)
    )
    return found


async def _insert(
    unit: Unit, lender_id: LenderId, country: str, actor: str, values: dict[str, Any]
) -> UUID:
    number = await next_number(unit, country)
    if number > _MOST_EDITIONS:
        raise Invalid(
            "edition",
            f"is one too many: there are {_MOST_EDITIONS} already.",
            mend="Bring an older one back instead.",
        )
    row_id = new_id()
    try:
        async with unit.conn.begin_nested():
            await unit.conn.execute(
                insert(pack_editions).values(
                    id=row_id,
                    lender_id=lender_id,
                    country=country,
                    number=number,
                    made_by=actor,
                    **values,
                )
            )
    except IntegrityError:
        raise Conflict("Somebody else wrote an edition at the same moment. Try again.") from None
    return row_id


async def propose_pack_edition(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    edition_id: UUID,
    reason: str,
    user_id: UserId,
    actor: str,
) -> UUID:
    """Ask for an edition to come into force; an older one is brought back the same way.

    Returns the proposal's id. Raises `NotFound`, `Invalid` (no reason, or the pack is stricter by
    now than a rule of it), and `Conflict` when it waits or is in force already.
    """
    async with house.store.unit(lender_id) as unit:
        row, before = await lock_editions(unit, edition_id)
        if row.state in (EditionState.PROPOSED.value, EditionState.PUBLISHED.value):
            raise Conflict("This edition waits for a second person, or is in force already.")
        pack = house.packs.of(row.country)
        check_edition(read_edition(row.body), pack)
        await move(unit, pack_editions, edition_id, EDITION, "propose")
        proposed = await propose(
            unit,
            now,
            kind=ApprovalKind.PACK,
            subject_id=edition_id,
            reason=reason,
            considered={
                "title": f"{pack.name}, own edition {row.number}",
                "link": f"/rules/{slug(row.country)}?edition={row.id}",
                "replaces": None if before is None else before.number,
            },
            proposer_id=user_id,
            actor=actor,
        )
        return proposed.id


def slug(country: str) -> str:
    """The country of a pack as an address carries it."""
    return "elsewhere" if country == "*" else country.lower()


async def publish_pack_edition(unit: Unit, now: datetime, approval: Any, *, actor: str) -> None:
    """Carry an approved proposal out: the edition comes into force in place of the one before.

    Raises `NotAllowed` for whoever wrote it, and `IllegalTransition` when it moved meanwhile.
    """
    row, before = await lock_editions(unit, approval.subject_id)
    if row.made_by == actor:
        raise NotAllowed("You wrote these rules yourself. Somebody else publishes.", code="OwnWork")
    EDITION.step(EditionState(row.state), "publish")
    if before is not None:
        await move(unit, pack_editions, before.id, EDITION, "retire", retired_at=now)
    await move(
        unit,
        pack_editions,
        row.id,
        EDITION,
        "publish",
        published_by=actor,
        published_at=now,
        retired_at=None,
    )
    await audit.record(
        unit,
        now,
        actor=actor,
        act="publish_pack",
        subject=str(row.id),
        before={} if before is None else {"number": before.number, **before.body},
        after={"country": row.country, "number": row.number, **row.body},
        reason=approval.reason,
    )


async def send_back_pack_edition(unit: Unit, now: datetime, approval: Any, *, actor: str) -> None:
    """A proposal was refused or withdrawn: the edition is a draft again, nothing else."""
    row, _ = await lock_editions(unit, approval.subject_id)
    await move(unit, pack_editions, row.id, EDITION, "send_back")
    await audit.record(unit, now, actor=actor, act="send_back_pack", subject=str(row.id))
