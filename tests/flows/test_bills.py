"""Bills over the real wire format: allowed, looked at once, taken off, seen to leave, forgotten."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from app.boundary import guard
from app.domain.consent import Purpose
from app.domain.errors import Invalid, ProviderError, TryLater
from app.domain.ids import Phone, Secret
from app.domain.money import Money
from app.flows.books.register_borrower import BorrowerWanted, register_borrower
from app.flows.books.register_loan import LoanWanted, register_loan
from app.flows.cases.open_cases import open_cases
from app.flows.consents.end_consent import end_consent
from app.flows.consents.finish_bank_consent import Back
from app.flows.consents.request_consent import request_consent
from app.flows.consents.withdraw_consent import withdraw_all
from app.ports import AggregationPort, Grant, Presence
from app.side_ports import Moved
from app.store.loans import Scheduled
from app.store.unit import Store
from sandbox.people import Person
from tests.flows.account_bank import AccountBank
from tests.flows.lane import Lane, make_lane, newcomer
from tests.flows.test_bank_modes import agrees
from tests.neighbourhood import MORNING, Neighbourhood

pytestmark = pytest.mark.anyio

MADRID = ZoneInfo("Europe/Madrid")
PURPOSES = (Purpose.REPAYMENT_MONITORING, Purpose.BILLS)
WAGES, RENT, DUE = 150_000, 43_000, 170_000
# Today is Tuesday, the third of March. The rent leaves on the fifth, wages come on the 25th.
NOW = MORNING


def history() -> list[tuple[datetime, int]]:
    """Booked balances of half a year: wages, rent, and something small every few days."""
    day, balance, found = date(2025, 9, 1), 140_000, []
    while day < date(2026, 4, 1):
        for hour, minor in _movements(day):
            balance += minor
            found.append((datetime.combine(day, time(hour), MADRID).astimezone(UTC), balance))
        day += timedelta(days=1)
    return found


def _movements(day: date) -> list[tuple[int, int]]:
    moved = []
    if day.day == 25:
        moved.append((7, WAGES))
    if day.day == 5:
        moved.append((6, -RENT))
    if day.day % 6 == 4:
        moved.append((18, -14_000 - 917 * (day.toordinal() * 31 % 13)))
    return moved


async def settled(hood: Neighbourhood, ref: str) -> Person:
    """Somebody who lives that history here, and owes."""
    hood.world.town.keep_history(ref, history())
    person = hood.world.add_person(replays=ref)
    await register_borrower(
        hood.house,
        hood.now,
        hood.lender_id,
        BorrowerWanted(ref, person.name, "ES", "es", phone=Phone.parse(person.phone)),
    )
    loan = LoanWanted(
        ref, f"L-{ref}", "Loan", "EUR", hood.now, (Scheduled(1, date(2026, 2, 27), DUE),)
    )
    await register_loan(hood.house, hood.now, hood.lender_id, loan)
    return person


async def allow(hood: Neighbourhood, **changes: Any) -> None:
    names = ", ".join(f"{name} = :{name}" for name in changes)
    async with hood.store.engine_unit() as unit:
        await unit.conn.execute(text(f"UPDATE lenders SET {names}"), changes)


async def signal_of(hood: Neighbourhood, ref: str) -> Any:
    query = """
        SELECT s.covers, s.margin_band, r.verdict, r.aside_by, r.aside_enc IS NOT NULL AS aside
        FROM funds_signals s JOIN readings r ON r.id = s.reading_id
        JOIN borrowers b ON b.id = s.borrower_id WHERE b.external_ref = :ref ORDER BY s.raised_at
    """
    return [tuple(row) for row in await hood.rows(query, ref=ref)]


async def verdicts(hood: Neighbourhood, ref: str) -> list[tuple[str, date | None]]:
    query = """
        SELECT r.verdict, r.aside_by FROM readings r JOIN accounts a ON a.id = r.account_id
        JOIN borrowers b ON b.id = a.borrower_id WHERE b.external_ref = :ref ORDER BY r.read_at
    """
    return [(row.verdict, row.aside_by) for row in await hood.rows(query, ref=ref)]


async def read_all(hood: Neighbourhood) -> None:
    """Let every account be due now, and read it."""
    async with hood.store.engine_unit() as unit:
        await unit.conn.execute(
            text("UPDATE accounts SET next_read_at = :now, leased_until = NULL"), {"now": hood.now}
        )
    await hood.settle()


async def test_rent_that_leaves_in_two_days_is_not_asked_for(hood: Neighbourhood) -> None:
    await allow(hood, reads_bills=True, floor_minor=0, floor_currency="EUR", floor_reason="a test")
    for ref, purposes in (("known", PURPOSES), ("unknown", PURPOSES[:1])):
        person = await settled(hood, ref)
        await agrees(hood, person, ref, purposes)
    await open_cases(hood.house, hood.now)
    await read_all(hood)
    # The same money on both: whoever allowed the look is asked for what the rent leaves.
    assert await signal_of(hood, "unknown") == [("enough", "just_enough", "signal", None, False)]
    assert await signal_of(hood, "known") == [
        ("part", "half_or_more", "signal", date(2026, 3, 5), True)
    ]
    looks = await hood.rows("SELECT attended, outcome FROM read_attempts WHERE purpose = 'bills'")
    assert [tuple(row) for row in looks] == [(True, "read")]
    asked = [row for row in hood.world.store.reads() if row[2] == "transactions"]
    assert {row[5] for row in asked} == {1}, "he was there, and the bank was told so"
    await _shows_no_figure(hood)

    # The rent has left: it is not taken off again, and the part is there as before.
    hood.advance(hours=46)
    await read_all(hood)
    assert (await verdicts(hood, "known"))[-1] == ("below_threshold", None)
    assert (await verdicts(hood, "unknown"))[-1] == ("below_threshold", None)
    live = await hood.rows("SELECT covers, ended_why FROM funds_signals")
    assert {tuple(row) for row in live} == {("part", None), ("enough", "money_gone")}

    # Wages come: all of it is there, with next month's rent kept.
    hood.advance(days=20)
    await read_all(hood)
    assert (await verdicts(hood, "known"))[-1] == ("signal", date(2026, 4, 6))
    assert hood.world.over_allowance() == []
    await _is_forgotten(hood)


async def _shows_no_figure(hood: Neighbourhood) -> None:
    everything = await hood.rows("SELECT details::text AS said FROM timeline")
    everything += await hood.rows("SELECT payload::text AS said FROM outbox")
    said = " ".join(row.said for row in everything)
    assert '"2026-03-05"' in said
    assert not any(figure in said for figure in ("43000", "430.00", "430,00"))


async def _is_forgotten(hood: Neighbourhood) -> None:
    kept = "SELECT count(*) FROM income_profiles WHERE bills_enc IS NOT NULL"
    assert await hood.value(kept) == 1
    aside = "SELECT count(*) FROM readings WHERE aside_enc IS NOT NULL"
    assert int(await hood.value(aside)) > 0
    who = await hood.value("SELECT id FROM borrowers WHERE external_ref = 'known'")
    await withdraw_all(hood.house, hood.now, lender_id=hood.lender_id, borrower_id=who, via="page")
    assert await hood.value(kept) == 0
    assert await hood.value(aside) == 0


async def test_what_a_renewal_does_not_cover_is_forgotten(hood: Neighbourhood) -> None:
    await allow(hood, reads_bills=True)
    person = await settled(hood, "known")
    await agrees(hood, person, "known", PURPOSES)
    kept = "SELECT count(*) FROM income_profiles WHERE bills_enc IS NOT NULL"
    assert await hood.value(kept) == 1
    hood.advance(hours=1)
    await agrees(hood, person, "known", PURPOSES[:1])
    assert await hood.value(kept) == 0
    hood.advance(hours=1)
    await agrees(hood, person, "known", PURPOSES)
    assert await hood.value(kept) == 1
    # However it ends: this one just runs out.
    consent_id = await hood.value("SELECT id FROM consents WHERE state = 'active'")
    async with hood.store.unit(hood.lender_id) as unit:
        await end_consent(unit, hood.now, consent_id, "expire", "its time is over", "saldo")
    assert (
        await hood.value("SELECT count(*) FROM income_profiles WHERE profile_enc IS NOT NULL") == 0
    )


async def test_nobody_is_asked_for_what_would_not_be_looked_at(hood: Neighbourhood) -> None:
    await settled(hood, "known")
    asks: dict[str, Any] = {"lender_id": hood.lender_id, "borrower_ref": "known"}
    with pytest.raises(Invalid, match="do not read"):
        await request_consent(hood.house, hood.now, purposes=PURPOSES, **asks)
    await allow(hood, reads_bills=True)
    with pytest.raises(Invalid, match="repayment_monitoring"):
        await request_consent(hood.house, hood.now, purposes=(Purpose.BILLS,), **asks)
    made = await request_consent(hood.house, hood.now, purposes=PURPOSES, **asks)
    assert made.link


# ------------------------------------------------------------------ a look that brings nothing


@dataclass(slots=True)
class ShowingBank(AccountBank):
    """A bank that shows transactions, and remembers who was there."""

    asked: list[Presence] = field(default_factory=list)
    trouble: ProviderError | None = None
    meanwhile: Callable[[], Awaitable[Any]] | None = None

    async def transactions(
        self, _grant: Grant, _ref: Secret, _since: date, presence: Presence
    ) -> tuple[Moved, ...]:
        self.asked.append(presence)
        if self.meanwhile is not None:
            await self.meanwhile()
        if self.trouble is not None:
            raise self.trouble
        return (Moved(date(2026, 2, 5), Money(-RENT, "EUR")),)


async def showing(store: Store, bank: ShowingBank, **lender: Any) -> Lane:
    lane = await make_lane(store, **{"reads_bills": True, **lender})
    lane.bank = bank
    port = cast("AggregationPort", guard(bank, "berlin_group"))
    lane.street.house = replace(lane.street.house, aggregations={"berlin_group": port})
    return lane


async def looks(lane: Lane) -> list[tuple[bool, str | None, str]]:
    query = "SELECT attended, outcome, detail FROM read_attempts WHERE purpose = 'bills'"
    return [tuple(row) for row in await lane.street.rows(query)]


async def test_a_look_that_fails_leaves_a_consent_as_any_other(store: Store) -> None:
    bank = ShowingBank(trouble=TryLater("HTTP 503"))
    lane = await showing(store, bank)
    who = await newcomer(lane)
    done = await lane.agree(who, PURPOSES)
    assert (done.back, len(bank.asked)) == (Back.ACTIVE, 1)
    assert bank.consents["consent-1"].ask.transactions
    assert await looks(lane) == [(True, "failed", "TryLater")]
    # Pressing again asks nobody a second time.
    token = bank.consents["consent-1"].ask.return_url.rsplit("/", 1)[1]
    await lane.come_back(token)
    assert len(bank.asked) == 1
    assert await lane.street.value("SELECT count(*) FROM income_profiles") == 0
    assert await lane.upright()


async def test_what_comes_after_a_withdrawal_is_not_written_down(store: Store) -> None:
    bank = ShowingBank()
    lane = await showing(store, bank)
    who = await newcomer(lane)

    async def withdraw() -> None:
        await withdraw_all(
            lane.house,
            lane.now,
            lender_id=lane.street.lender_id,
            borrower_id=who.id,
            via="page",
        )

    bank.meanwhile = withdraw
    await lane.agree(who, PURPOSES)
    assert await looks(lane) == [(True, "dropped", "")]
    assert await lane.street.value("SELECT count(*) FROM income_profiles") == 0
    assert await lane.upright()


async def test_a_bank_that_cannot_be_told_of_him_is_not_asked(store: Store) -> None:
    bank = ShowingBank()
    bank.known = tuple(replace(one, attended_reads_count=True) for one in bank.known)
    lane = await showing(store, bank)
    who = await newcomer(lane)
    done = await lane.agree(who, PURPOSES)
    assert (done.back, bank.asked, await looks(lane)) == (Back.ACTIVE, [], [])
    assert not bank.consents["consent-1"].ask.transactions, "nor is a consent to it asked for"
