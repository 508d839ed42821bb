"""Put one person before the contact gate, with everything the gate wants to know about him."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from app.domain.contact_policy import (
    ContactPurpose,
    ContactQuestion,
    Hold,
    Verdict,
    may_contact,
)
from app.domain.hold import HoldBlock, HoldKind
from app.domain.ids import CaseId
from app.domain.jurisdiction import Pack
from app.domain.message import Channel
from app.domain.pack_edition import Edition, read_edition, with_edition
from app.flows.messages.find_clock import zones_for
from app.reference.packs import PackBook
from app.reference.places import holiday_dates
from app.store.brakes import Brake
from app.store.gate_facts import HeldBy, gate_facts
from app.store.unit import Unit

# Business time after which the lender's stop switch is looked at again.
HALTED_FOR: Final = timedelta(minutes=5)

_BRAKES: Final = {
    Channel.SMS: Brake.SMS,
    Channel.EMAIL: Brake.EMAIL,
    Channel.CALL: Brake.ALL,
    Channel.PUSH: Brake.PUSH,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """The gate's answer, and what else the asker needs.

    `zone` is where the borrower's clock is. `look_again_at` is when asking again may help: the
    gate's own earliest moment, or, while the lender's stop switch is on, a little later than what
    it would be without. None: waiting does not help.
    """

    verdict: Verdict
    zone: str
    look_again_at: datetime | None


async def ask_gate(
    unit: Unit,
    packs: PackBook,
    now: datetime,
    person: Row[Any],
    *,
    case_ids: Iterable[UUID],
    channel: Channel,
    purpose: ContactPurpose = ContactPurpose.COLLECTION,
    at_work: bool = False,
    asked_for: bool = False,
    observing: bool = False,
    for_agency: bool = False,
) -> Asked:
    """Ask whether `person` (his row, locked by the caller) may be contacted about these cases.

    `at_work`: the call would reach him where he works; `asked_for`: he asked for it himself.
    `observing` counts messages that observe-only mode held back as if they had left. `for_agency`:
    the agency that has these cases asks, so that the placement itself does not stand in its way;
    every other rule does. The gate follows the borrower's country, not the lender's.
    """
    question, pack, halted = await question_of(
        unit,
        packs,
        now,
        person,
        case_ids=case_ids,
        channel=channel,
        purpose=purpose,
        at_work=at_work,
        asked_for=asked_for,
        observing=observing,
        for_agency=for_agency,
    )
    verdict = may_contact(question, pack)
    again = verdict.earliest_at
    if halted:
        # The switch may be released at any moment; everything else tells when that would help.
        without = may_contact(replace(question, stopped=frozenset()), pack).earliest_at
        again = None if without is None else max(without, now + HALTED_FOR)
    shown = sorted(question.zones or pack.zones)
    return Asked(verdict, shown[0] if shown else "UTC", again)


async def question_of(
    unit: Unit,
    packs: PackBook,
    now: datetime,
    person: Row[Any],
    *,
    case_ids: Iterable[UUID],
    channel: Channel,
    purpose: ContactPurpose = ContactPurpose.COLLECTION,
    at_work: bool = False,
    asked_for: bool = False,
    observing: bool = False,
    for_agency: bool = False,
) -> tuple[ContactQuestion, Pack, bool]:
    """The question that `ask_gate` asks, the rules it asks (the pack and the lender's own), and
    whether the lender's stop switch is on.
    """
    wanted = frozenset(CaseId(one) for one in case_ids)
    zones = zones_for(unit, person)
    pack = packs.of(person.country)
    facts = await gate_facts(
        unit,
        now,
        person,
        channel=channel,
        brake=_BRAKES[channel],
        country=pack.country,
        look_back=pack.look_back,
        with_withheld=observing,
    )
    if facts.own is not None:
        pack = with_edition(pack, _edition(facts.own.body), facts.own.number)
    question = ContactQuestion(
        now=now,
        channel=channel,
        zones=zones,
        case_ids=wanted,
        purpose=purpose,
        at_work=at_work,
        asked_for=asked_for,
        history=facts.history,
        opted_out=frozenset((channel,)) if facts.refused else frozenset(),
        holds=tuple(
            _hold(held)
            for held in facts.holds
            if _stands(held, wanted) and not (for_agency and held.kind == HoldKind.PLACED.value)
        ),
        holidays=_holidays(person, now),
        stopped=frozenset((channel,)) if facts.halted else frozenset(),
    )
    return question, pack, facts.halted


@lru_cache(maxsize=64)
def _edition(body: str) -> Edition:
    """A stored edition; the same text is read once."""
    return read_edition(json.loads(body))


def _stands(held: HeldBy, wanted: frozenset[CaseId]) -> bool:
    """Does it keep us from a contact about any of these cases? About none counts as about all."""
    about = held.case_id is None or not wanted or held.case_id in wanted
    return about and HoldBlock.CONTACT in held.blocks


def _hold(held: HeldBy) -> Hold:
    named = "with an agency" if held.kind == HoldKind.PLACED.value else held.kind
    return Hold(named, held.ends_at, answers_too=HoldBlock.EVERY_CONTACT in held.blocks)


def verdict_notes(asked: Asked) -> dict[str, Any]:
    """The verdict as plain JSON, with every rule asked: what an auditor reads years later."""
    verdict = asked.verdict
    return {
        "allowed": verdict.allowed,
        "pack": verdict.pack,
        "because": verdict.because,
        "earliest_at": _iso(verdict.earliest_at),
        "valid_until": _iso(verdict.valid_until),
        "zone": asked.zone,
        "checks": [{**asdict(check), "strength": check.strength.value} for check in verdict.checks],
    }


def _holidays(person: Row[Any], now: datetime) -> frozenset[Any]:
    """This year's and the next; a day before and after, since his clock is not ours."""
    years = sorted({(now + timedelta(days=days)).year for days in (-1, 0, 366)})
    return holiday_dates(person.country, person.region or None, tuple(years))


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
