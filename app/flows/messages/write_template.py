"""Write a text of one's own, and put it before a second person. Nothing comes into force here."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.domain.approval import ApprovalKind
from app.domain.edition import EDITION, EditionState
from app.domain.errors import Conflict, Invalid, NotAllowed
from app.domain.ids import LenderId, UserId
from app.domain.message import Channel
from app.domain.template import PLACES, Cause, Template, check_template, given_for, missing_for
from app.domain.tone import tone_findings
from app.flows.approvals.propose_approval import propose
from app.flows.house import House
from app.reference.templates import TemplateBook
from app.store import audit
from app.store.keys import new_id
from app.store.moves import move
from app.store.tables import templates
from app.store.template_editions import (
    edition_of,
    in_force,
    lock_edition,
    next_number,
    template_of,
)
from app.store.unit import Unit

_MOST_EDITIONS: Final = 500


def check_words(book: TemplateBook, template: Template) -> None:
    """Raises `Invalid` for the first thing that keeps these words from being sent to anybody.

    A text of a shipped name keeps to the places that can be filled when that one is sent, one of
    the lender's own name to those of a notice.
    """
    check_template(template)
    cause = book.cause_of(template.name)
    for name in sorted(missing_for(template, cause)):
        raise Invalid(name, "cannot be filled when this text is sent.", mend=_places(cause))
    for field, text in (("subject", template.subject), ("body", template.body)):
        for finding in tone_findings(text):
            raise Invalid(field, finding.reason, mend="Say it without that.")


def _places(cause: Cause | None) -> str:
    known = given_for(cause)
    sent = "notice" if cause is None else cause.value
    return f"It is sent for: {sent}. Use: {', '.join(one for one in PLACES if one in known)}."


async def write_template(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    name: str,
    channel: Channel,
    language: str,
    subject: str,
    body: str,
    actor: str,
) -> UUID:
    """Keep a draft; returns its edition. One's own draft is written over, never somebody else's.

    Raises `Invalid` naming what is missing, unknown or not fit to be sent: such words are not kept.
    """
    body = body.replace("\r\n", "\n").strip()
    words = Template(name, channel, language, 1, body, subject.strip(), own=True)
    check_words(house.templates, words)
    async with house.store.unit(lender_id) as unit:
        mine = await _own_draft(unit, words, actor)
        if mine is not None:
            await unit.conn.execute(
                update(templates)
                .where(templates.c.id == mine)
                .values(subject=words.subject, body=words.body, made_at=now)
            )
            edition_id = mine
        else:
            edition_id = await _insert(unit, now, lender_id, words, actor)
        await audit.record(
            unit,
            now,
            actor=actor,
            act="write_template",
            subject=str(edition_id),
            after=shown(words),
        )
    return edition_id


async def _own_draft(unit: Unit, words: Template, actor: str) -> UUID | None:
    found: UUID | None = await unit.conn.scalar(
        select(templates.c.id)
        .where(
            templates.c.name == words.name,
            templates.c.channel == words.channel.value,
            templates.c.language == words.language,
            templates.c.state == EditionState.DRAFT.value,
            templates.c.made_by == actor,
            # One that was in force before is history: it is brought back or left as it is.
            templates.c.published_at.is_(None),
        )
        .order_by(templates.c.number.desc())
        .limit(1)
        .with_for_update(key_share=True)
    )
    return found


async def _insert(
    unit: Unit, now: datetime, lender_id: LenderId, words: Template, actor: str
) -> UUID:
    edition_id = new_id()
    number = await next_number(unit, words.name, words.channel, words.language)
    if number > _MOST_EDITIONS:
        raise Invalid("name", f"has {_MOST_EDITIONS} editions already.", mend="Take another name.")
    try:
        async with unit.conn.begin_nested():
            await unit.conn.execute(
                insert(templates).values(
                    id=edition_id,
                    lender_id=lender_id,
                    name=words.name,
                    channel=words.channel.value,
                    language=words.language,
                    number=number,
                    subject=words.subject,
                    body=words.body,
                    made_by=actor,
                    made_at=now,
                )
            )
    except IntegrityError:
        raise Conflict("Somebody else wrote an edition at the same moment. Try again.") from None
    return edition_id


async def propose_template(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    edition_id: UUID,
    reason: str,
    user_id: UserId,
    actor: str,
) -> UUID:
    """Ask for an edition to come into force, or, for the one in force, to go out of it.

    An older edition is brought back the same way. Returns the proposal's id. Raises `NotFound`,
    `Invalid` (no reason, or words that today's rules refuse), `Conflict` when it waits already or
    when nothing would take the place of what goes out.
    """
    async with house.store.unit(lender_id) as unit:
        row = await lock_edition(unit, edition_id)
        words = template_of(row)
        retire = row.state == EditionState.PUBLISHED.value
        if retire:
            _something_takes_its_place(house.templates, words)
        else:
            if row.state == EditionState.PROPOSED.value:
                raise Conflict("This edition waits for a second person already.")
            check_words(house.templates, words)
            await move(unit, templates, edition_id, EDITION, "propose")
        before = None if retire else await in_force(unit, row)
        proposed = await propose(
            unit,
            now,
            kind=ApprovalKind.TEMPLATE,
            subject_id=edition_id,
            reason=reason,
            considered={
                "template": words.id,
                "retire": retire,
                **shown(words),
                "replaces": None if before is None else template_of(before).id,
            },
            proposer_id=user_id,
            actor=actor,
        )
        return proposed.id


def _something_takes_its_place(book: TemplateBook, words: Template) -> None:
    if book.find(words.name, words.channel, words.language) is None:
        raise Conflict("Nothing would take its place: this text did not ship with Saldo.")


def shown(words: Template) -> dict[str, Any]:
    """A text as the audit and a proposal keep it."""
    return {
        "name": words.name,
        "channel": words.channel.value,
        "language": words.language,
        "subject": words.subject,
        "body": words.body,
    }


async def publish_template(unit: Unit, now: datetime, approval: Any, *, actor: str) -> None:
    """Carry an approved proposal out: the edition comes into force, or goes out of it.

    Raises `NotAllowed` for whoever wrote it, `IllegalTransition` when it moved meanwhile, and
    `Conflict` when the proposal was to take out an edition that is not in force any more.
    """
    row = await edition_of(unit, approval.subject_id)
    before = await in_force(unit, row)
    row = await edition_of(unit, row.id)
    if row.made_by == actor:
        raise NotAllowed(
            "You wrote this text yourself. Somebody else publishes it.", code="OwnWork"
        )
    if approval.considered.get("retire"):
        if row.state != EditionState.PUBLISHED.value:
            raise Conflict("This edition is not in force any more.")
        await _retire(unit, now, row, actor)
        return
    if before is not None:
        await move(unit, templates, before.id, EDITION, "retire", retired_at=now)
    await move(
        unit,
        templates,
        row.id,
        EDITION,
        "publish",
        published_by=actor,
        published_at=now,
        retired_at=None,
    )
    await _record(unit, now, "publish_template", row, before, row, actor)


async def _retire(unit: Unit, now: datetime, row: Row[Any], actor: str) -> None:
    await move(unit, templates, row.id, EDITION, "retire", retired_at=now)
    await _record(unit, now, "retire_template", row, row, None, actor)


async def _record(
    unit: Unit,
    now: datetime,
    act: str,
    about: Row[Any],
    before: Row[Any] | None,
    after: Row[Any] | None,
    actor: str,
) -> None:
    old = {} if before is None else {"id": template_of(before).id, **shown(template_of(before))}
    new = {} if after is None else {"id": template_of(after).id, **shown(template_of(after))}
    await audit.record(
        unit, now, actor=actor, act=act, subject=str(about.id), before=old, after=new
    )


async def send_back_template(unit: Unit, now: datetime, approval: Any, *, actor: str) -> None:
    """A proposal was refused or withdrawn: a proposed edition is a draft again, nothing else."""
    row = await lock_edition(unit, approval.subject_id)
    if row.state == EditionState.PROPOSED.value:
        await move(unit, templates, row.id, EDITION, "send_back")
        await audit.record(unit, now, actor=actor, act="send_back_template", subject=str(row.id))
