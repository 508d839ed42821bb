"""Everything that is wrong with a strategy for one lender: his countries, his texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from app.domain.edition import EditionState
from app.domain.jurisdiction import Pack
from app.domain.message import Channel
from app.domain.pack_edition import read_edition, with_edition
from app.domain.stage_checks import Finding, validate
from app.domain.stages import StrategyBody
from app.domain.template import FALLBACK_LANGUAGE, GIVEN, Cause, Template
from app.flows.house import House
from app.store.pack_editions import published_editions
from app.store.tables import borrowers, lenders, templates
from app.store.template_editions import template_of
from app.store.unit import Unit

_MOST_COUNTRIES: Final = 60
_MOST_LANGUAGES: Final = 60


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one lender that a strategy may name, by channel and name, then by language.

    `spoken` are the languages of the lender's borrowers. Who reads one that a text lacks gets it in
    the first of `instead` that it has (app/flows/messages/find_template.py).
    """

    by_name: Mapping[tuple[Channel, str], Mapping[str, Template]]
    spoken: tuple[str, ...]
    instead: tuple[str, ...]
    has_phone: bool

    def places(self, name: str, channel: Channel) -> Mapping[str, frozenset[str]] | None:
        """The places of a text in each language; None when there is none for the channel."""
        found = self.by_name.get((channel, name))
        return None if found is None else {one: found[one].places for one in sorted(found)}

    def given(self, cause: Cause) -> frozenset[str]:
        """The places that this lender can fill."""
        return GIVEN[cause] if self.has_phone else GIVEN[cause] - {"contact_phone"}

    def names(self) -> list[str]:
        """Every name, sorted."""
        return sorted({name for _, name in self.by_name})


async def texts_of(unit: Unit, house: House) -> Texts:
    """The published texts of the unit's lender over those that ship, in every language.

    Texts about money seen and about promises have their own moment and are not among them.
    """
    lender = (
        await unit.conn.execute(
            select(lenders.c.language, lenders.c.contact_phone).where(
                lenders.c.id == unit.lender_id
            )
        )
    ).one()
    found: dict[tuple[Channel, str], dict[str, Template]] = {}
    for name, shipped in house.templates.shipped.items():
        if shipped.cause in (Cause.NOTICE, Cause.REMIND):
            for (channel, language), text in shipped.texts.items():
                found.setdefault((channel, name), {})[language] = text
    rows = await unit.conn.execute(
        select(templates).where(
            templates.c.lender_id == unit.lender_id,
            templates.c.state == EditionState.PUBLISHED.value,
        )
    )
    for row in rows:
        if house.templates.cause_of(row.name) in (None, Cause.NOTICE, Cause.REMIND):
            text = template_of(row)
            found.setdefault((text.channel, text.name), {})[text.language] = text
    return Texts(
        found,
        spoken=await _spoken(unit),
        instead=tuple(dict.fromkeys((lender.language, FALLBACK_LANGUAGE))),
        has_phone=bool(lender.contact_phone),
    )


async def _spoken(unit: Unit) -> tuple[str, ...]:
    rows = await unit.conn.scalars(
        select(borrowers.c.language)
        .where(borrowers.c.lender_id == unit.lender_id)
        .distinct()
        .limit(_MOST_LANGUAGES)
    )
    return tuple(sorted(rows))


async def packs_of_book(unit: Unit, house: House) -> tuple[Pack, ...]:
    """The packs of the lender's own country and of every country its borrowers live in, with the
    lender's own rules beside theirs: the gate asks both.
    """
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
    for country, row in (await published_editions(unit)).items():
        if country in packs:
            packs[country] = with_edition(packs[country], read_edition(row.body), row.number)
    return tuple(packs[country] for country in sorted(packs))


async def findings_of(unit: Unit, house: House, body: StrategyBody) -> tuple[Finding, ...]:
    """Every finding about a body for the unit's lender. One that `blocks` keeps it from use."""
    texts = await texts_of(unit, house)
    begins_on = await unit.conn.scalar(
        select(lenders.c.case_after_days).where(lenders.c.id == unit.lender_id)
    )
    found = validate(
        body,
        packs=await packs_of_book(unit, house),
        templates=texts.places,
        known_values=texts.given(Cause.NOTICE),
        begins_on=int(begins_on or 0),
    )
    return (*found, *_too_early(body, texts), *_unspoken(body, texts))


def _too_early(body: StrategyBody, texts: Texts) -> Iterator[Finding]:
    """Before anything is due, nothing is past due: such a place could not be filled."""
    for at, notice in enumerate(body.remind):
        for language, places in (texts.places(notice.template, notice.channel) or {}).items():
            missing = (places & GIVEN[Cause.NOTICE]) - GIVEN[Cause.REMIND]
            if missing:
                says = f"{notice.template} ({language}) says {', '.join(sorted(missing))}"
                yield Finding(f"remind[{at}].template", f"{says}: nothing is due yet.")


def _unspoken(body: StrategyBody, texts: Texts) -> Iterator[Finding]:
    """Languages that borrowers read and a text lacks; it blocks when they would get nothing."""
    placed = [(f"remind[{at}]", one) for at, one in enumerate(body.remind)] + [
        (f"stages[{number}].notices[{at}]", one)
        for number, stage in enumerate(body.stages)
        for at, one in enumerate(stage.notices)
    ]
    for field, notice in placed:
        known = texts.by_name.get((notice.channel, notice.template))
        lacking = [one for one in texts.spoken if one not in known] if known else []
        if not known or not lacking:
            continue
        instead = next((one for one in texts.instead if one in known), None)
        gets = "nothing" if instead is None else f"it in {instead}"
        words = (
            f"{notice.template} for {notice.channel} is not written in {', '.join(lacking)}: "
            f"whoever reads that gets {gets}."
        )
        yield Finding(f"{field}.template", words, blocks=instead is None)
