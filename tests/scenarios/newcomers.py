"""Who lives in the town: seeded borrowers with loans, some with a bank account that may be read."""

from __future__ import annotations

import random
from datetime import date, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from app.domain.consent import Purpose
from app.domain.ids import EmailAddress, Iban, Phone, Secret
from app.domain.stages import body_notes, parse_body
from app.flows.books.register_borrower import BorrowerWanted, register_borrower
from app.flows.books.register_loan import LoanWanted, register_loan
from app.flows.strategies.choose_strategy import ChoiceScope, choose_strategy
from app.flows.strategies.install_strategies import install_strategies
from app.ports import FoundAccount
from app.store.keys import new_id
from app.store.loans import Scheduled
from app.store.tables import strategies, strategy_versions
from tests.flows.lane import Lane
from tests.flows.street import LAST4, Neighbour, Street
from tests.scenarios.town import Dweller, LenderWanted, Loan, Place, Town

PRODUCTS = ("Loan", "Card")
# What somebody is like decides how often he does what (tests/scenarios/lives.py).
TEMPERS = ("payer", "promiser", "talker", "ghost")
_NUMBERS = count(1)

# A second strategy, quicker than the shipped one and with other rules for everything.
BRISK: dict[str, Any] = {
    "name": "brisk",
    "remind": [{"day": -2, "channel": "email", "template": "pre_due"}],
    "stages": [
        {
            "name": "first",
            "from_day": 1,
            "notices": [
                {"day": 1, "channel": "sms", "template": "first_missed"},
                {"day": 2, "channel": "email", "template": "follow_up",
                 "purpose": "required_notice"},
                {"day": 5, "channel": "email", "template": "escalated"},
            ],
        },
        {
            "name": "calls",
            "from_day": 7,
            "notices": [{"day": 9, "channel": "sms", "template": "escalated"}],
            "calls": {"attempts": 2, "gap_days": 2, "working_days_only": False},
        },
    ],
    "promise": {"max_days_ahead": 21, "grace_days": 2, "tolerance_minor": 150,
                "remind_days_before": 2},
    "end": {"do": "hand_to_person", "wait_days": 2, "review_every_days": 14},
}  # fmt: skip


async def settle_in(town: Town, people: int) -> None:
    """Strategies for every lender, and so many borrowers with one to three loans each."""
    for _, street in town.streets:
        await _strategies(town, street)
    for _ in range(people):
        wanted, street = town.dice.choice(town.streets)
        await _arrive(town, wanted, street)
    carded = {one.street.lender_id for one in town.people.values() if one.has_card}
    for _, street in town.streets:
        if street.lender_id not in carded:
            continue
        await choose_strategy(
            town.house, town.now, lender_id=street.lender_id, scope=ChoiceScope.PRODUCT,
            target="Card", strategy_id=await _brisk(street), reason="cards", actor="test",
        )  # fmt: skip


async def _strategies(town: Town, street: Street) -> None:
    own = {"lender_id": street.lender_id}
    strategy_id = new_id()
    async with street.store.engine_unit() as unit:
        await install_strategies(unit, town.now, street.lender_id)
        await unit.conn.execute(
            insert(strategies).values(id=strategy_id, name="brisk", created_at=town.now, **own)
        )
        await unit.conn.execute(
            insert(strategy_versions).values(
                id=new_id(), strategy_id=strategy_id, number=1, state="published",
                body=body_notes(parse_body(BRISK)), made_by="ana", made_at=town.now,
                published_by="eva", published_at=town.now, **own,
            )
        )  # fmt: skip


async def _brisk(street: Street) -> UUID:
    found: UUID = await street.value(
        "SELECT id FROM strategies WHERE name = 'brisk' AND lender_id = :id", id=street.lender_id
    )
    return found


async def _arrive(town: Town, wanted: LenderWanted, street: Street) -> None:
    dice, number = town.dice, len(town.people) + 1
    place = dice.choice(wanted.places)
    who = Dweller(
        id=new_id(),
        ref=f"B{number}",
        street=street,
        wanted=wanted,
        country=place.country,
        zone=dice.choice(place.zones),
        states_zone=dice.random() < 0.6,
        phone=new_number(place) if dice.random() < 0.95 else "",
        email=f"b{number}@correo.example" if dice.random() < 0.7 else "",
        born=date(1960, 1, 1) + timedelta(days=dice.randrange(15_000)),
        temper=dice.choice(TEMPERS),
    )
    await register(town, who)
    for ordinal in range(dice.choice((1, 1, 1, 2, 3))):
        who.loans.append(await _loan(town, who, ordinal))
    if wanted.country == "ES" and dice.random() < 0.5:
        await agree_to_reading(town, who)


def new_number(place: Place) -> str:
    """A telephone number nobody has yet."""
    return place.phone.format(next(_NUMBERS))


def place_of(who: Dweller) -> Place:
    """Where he lives."""
    return next(one for one in who.wanted.places if who.zone in one.zones)


async def register(town: Town, who: Dweller) -> None:
    """The lender's system says who he is, or what has changed about him."""
    made = await register_borrower(
        town.house,
        town.now,
        who.street.lender_id,
        BorrowerWanted(
            external_ref=who.ref,
            name="Ana Núñez",
            country=who.country,
            language=who.wanted.language,
            phone=Phone.parse(who.phone) if who.phone else None,
            email=EmailAddress.parse(who.email).reveal() if who.email else None,
            birth_date=who.born,
            document_last4=LAST4,
            time_zone=who.zone if who.states_zone else None,
        ),
    )
    who.id = made.id
    town.people[who.id] = who
    if who.phone:
        town.by_phone[who.phone] = who
    if who.email:
        town.by_email[who.email] = who


async def _loan(town: Town, who: Dweller, ordinal: int) -> Loan:
    """Up to three instalments a month apart; the first falls due about when the story begins."""
    dice, ref = town.dice, f"{who.ref}-L{ordinal}"
    first = who.local_day(town.now) + timedelta(days=dice.randint(-12, 14))
    amount = dice.randrange(3_000, 30_000)
    schedule = tuple(
        Scheduled(number + 1, first + timedelta(days=30 * number), amount, 0)
        for number in range(dice.choice((1, 1, 2, 3)))
    )
    product = dice.choice(PRODUCTS)
    who.has_card = who.has_card or product == "Card"
    made = await register_loan(
        town.house,
        town.now,
        who.street.lender_id,
        LoanWanted(who.ref, ref, product, who.wanted.currency, town.now, schedule),
    )
    return Loan(made.id, ref)


# ------------------------------------------------------------------ accounts


async def agree_to_reading(town: Town, who: Dweller) -> None:
    """He is asked, ticks, goes to his bank, and comes back."""
    number = len(town.people)
    who.account_ref = who.account_ref or f"a{number}"
    account = FoundAccount(Secret(who.account_ref), _iban(number), who.wanted.currency)
    town.accounts.found = [account]
    lane = Lane(who.street, town.accounts)
    neighbour = Neighbour(who.id, who.ref, who.phone, [], [], new_id(), new_id())  # type: ignore[arg-type]
    await lane.agree(neighbour, (Purpose.REPAYMENT_MONITORING,))


def hold_money(town: Town, who: Dweller, minor: int) -> None:
    """His account shows this balance from now on."""
    town.accounts.holds(minor, ref=who.account_ref, currency=who.wanted.currency)


def _iban(number: int) -> Iban:
    body = f"{number:020d}"
    check = 98 - int(body + "142800") % 97
    return Iban.parse(f"ES{check:02d}{body}")


def parts_of(dice: random.Random, minor: int, most: int) -> list[int]:
    """An amount in one to `most` pieces of at least one whole unit each."""
    pieces = dice.randint(1, most)
    if minor < 100 * pieces:
        return [minor]
    each = minor // pieces
    return [each] * (pieces - 1) + [minor - each * (pieces - 1)]
