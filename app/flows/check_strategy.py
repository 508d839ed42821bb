"""Everything that is wrong with a strategy for one lender: his countries, his texts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from app.domain.edition import EditionState
from app.domain.jurisdiction import Pack
from app.domain.message import Channel
from app.domain.stage_checks import Finding, validate
from app.domain.stages import StrategyBody
from app.domain.template import CHANNELS, FALLBACK_LANGUAGE, GIVEN, Cause, Template
from app.flows.house import House
from app.store.tables import borrowers, lenders, templates
from app.store.unit import Unit

_MOST_COUNTRIES: Final = 60


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one lender that a strategy may name, by channel and name."""

    by_name: dict[tuple[Channel, str], Template]

    def places(self, name: str, channel: Channel) -> Iterable[str] | None:
        """The places of a text; None when there is none for the channel."""
        found = self.by_name.get((channel, name))
        return None if found is None else found.places

    def names(self) -> list[str]:
        """Every name, sorted."""
        return sorted({name for _, name in self.by_name})


async def texts_of(unit: Unit, house: House) -> Texts:
    """The published texts of the unit's lender over those that ship, in his own language.

    Texts about money seen and about promises have their own moment and are not among them.
    """
    language = await unit.conn.scalar(
        select(lenders.c.language).where(lenders.c.id == unit.lender_id)
    )
    found: dict[tuple[Channel, str], Template] = {}
    for name, shipped in house.templates.shipped.items():
        if shipped.cause not in (Cause.NOTICE, Cause.REMIND):
            continue
        for channel in CHANNELS:
            text = house.templates.find(name, channel, str(language))
            text = text or house.templates.find(name, channel, FALLBACK_LANGUAGE)
            if text is not None:
                found[channel, name] = text
    rows = await unit.conn.execute(
        select(templates).where(
            templates.c.lender_id == unit.lender_id,
            templates.c.state == EditionState.PUBLISHED.value,
        )
    )
    for row in rows:
        if house.templates.cause_of(row.name) in (None, Cause.NOTICE, Cause.REMIND):
            channel = Channel(row.channel)
            found[channel, row.name] = Template(
                row.name, channel, row.language, row.number, row.body, row.subject, own=True
            )
    return Texts(found)


async def packs_of_book(unit: Unit, house: House) -> tuple[Pack, ...]:
    """The packs of the lender's own country and of every country its borrowers live in."""
    own = await unit.conn.scalar(
        select(lenders.c.jurisdiction).where(lenders.c.id == unit.lender_id)
    )
    rows = await unit.conn.scalars(
        select(borrowers.c.country)
        .where(borrowers.c.lender_id == unit.lender_id)
        .distinct()
        .limit(_MOST_COUNTRIES)
    )
    packs = {house.packs.of(country).country: house.packs.of(country) for country in (own, *rows)}
    return tuple(packs[country] for country in sorted(packs))


async def findings_of(unit: Unit, house: House, body: StrategyBody) -> tuple[Finding, ...]:
    """Every finding about a body for the unit's lender. One that `blocks` keeps it from use."""
    texts = await texts_of(unit, house)
    found = list(
        validate(
            body,
            packs=await packs_of_book(unit, house),
            templates=texts.places,
            known_values=GIVEN[Cause.NOTICE],
        )
    )
    # Before anything is due, nothing is past due: such a place could not be filled.
    for at, notice in enumerate(body.remind):
        missing = set(texts.places(notice.template, notice.channel) or ()) - GIVEN[Cause.REMIND]
        if missing & GIVEN[Cause.NOTICE]:
            words = f"{notice.template} says {', '.join(sorted(missing))}: nothing is due yet."
            found.append(Finding(f"remind[{at}].template", words))
    return tuple(found)
