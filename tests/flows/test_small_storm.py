"""Everything at once, at random, from a seed: taps, lost answers, deaths, reports, second thoughts.

At the end the providers are well again, time passes, and then it must be true that no text left
twice, that Saldo's payments never took more than was due, and that nothing is left hanging.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.errors import Declined, OutcomeUnknown, ProviderError, Refused, TryLater
from app.domain.message import Channel
from app.domain.money import Money
from app.domain.stamp import History
from app.flows.consents.check_person import check_person
from app.flows.messages.opt_out import opt_in, opt_out
from app.flows.payments.cancel_payment import give_up_payment
from app.flows.payments.start_payment import Tap, start_payment
from app.flows.stamp_history import stamp_history
from app.flows.work.borrower_says import Says, borrower_says
from app.pay_ports import CancelResult, PayStatus
from app.reports.history_check import check_history
from app.store import invariants
from tests.flows.killing import Killer, killed, killing
from tests.flows.outside import raising
from tests.flows.street import BORN, HERE, Neighbour, Street

pytestmark = [pytest.mark.anyio, pytest.mark.storm]

SEEDS: list[Any] = [int(seed) for seed in os.environ.get("STORM_SEEDS", "").split()]
if not SEEDS:
    SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in (2, 6))]
STEPS = 50


async def _fine() -> None:
    return None


@dataclass(slots=True)
class Somebody:
    """A borrower with his browser: the pages of banks he was sent to, and what he owed."""

    who: Neighbour
    owed: int
    reported: int = 0
    too_much: int = 0
    """What the lender's own reports were more than was left: his ledger's matter."""
    session: str = ""
    pages: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Storm:
    """The street, its people, and the dice."""

    street: Street
    dice: random.Random
    people: list[Somebody]
    log: list[str] = field(default_factory=list)
    _reports: int = 0

    def somebody(self) -> Somebody:
        return self.dice.choice(self.people)

    # -------------------------------------------------- what happens

    async def sees_money(self) -> None:
        one = self.somebody()
        open_cases = "SELECT count(*) FROM cases WHERE borrower_id = :id AND state = 'open'"
        if await self.street.value(open_cases, id=one.who.id):
            await self.street.money_seen_again(one.who)
        await self.street.tick()

    async def ticks(self) -> None:
        await self.street.tick()

    async def checks(self, whom: Somebody | None = None) -> None:
        one = whom or self.somebody()
        if self.street.texts_to(one.who):
            token = self.street.token_on(one.who)
            checked = await check_person(self.street.house, self.street.now, token, birth_date=BORN)
            one.session = checked.session

    async def taps(self, whom: Somebody | None = None) -> None:
        one = whom or self.somebody()
        if one.session:
            amount = Money(self.dice.randrange(1, 9_000), "EUR")
            tap = Tap(HERE, amount if self.dice.random() < 0.9 else None)
            token = self.street.token_on(one.who)
            started = await start_payment(
                self.street.house, self.street.now, token, session=one.session, tap=tap
            )
            if started.redirect_url:
                one.pages.append(started.redirect_url)

    async def checks_and_taps(self) -> None:
        one = self.somebody()
        await self.checks(one)
        await self.taps(one)

    async def changes_his_mind(self) -> None:
        one = self.somebody()
        if one.session:
            await give_up_payment(
                self.street.house,
                self.street.now,
                self.street.token_on(one.who),
                session=one.session,
            )

    async def says_yes(self) -> None:
        """Somebody goes back to any page of a bank he ever saw and says yes there."""
        sent = [one for one in self.people if one.pages]
        if sent:
            one = self.dice.choice(sent)
            self.street.bank.say_yes(self.dice.choice(one.pages))

    async def bank_moves(self) -> None:
        waiting = [
            payment
            for payment in self.street.bank.payments.values()
            if payment.status in (PayStatus.OPEN, PayStatus.AUTHORISED)
        ]
        if waiting:
            payment = self.dice.choice(waiting)
            if payment.status is PayStatus.AUTHORISED and self.dice.random() < 0.8:
                payment.status = PayStatus.SETTLED
            elif self.dice.random() < 0.5:
                payment.status = PayStatus.REJECTED

    async def lender_reports(self) -> None:
        one = self.somebody()
        left = "SELECT sum(amount_minor - paid_minor)::bigint FROM instalments WHERE loan_id = :id"
        due = int(await self.street.value(left, id=one.who.loans[0]) or 0)
        if due:
            amount = self.dice.randrange(1, due // 8 + 2) if self.dice.random() < 0.9 else due
            self._reports += 1
            said = await self.street.repaid(one.who, f"r{self._reports}", minor=amount)
            one.reported += amount
            one.too_much += said.overpaid.minor

    async def borrower_speaks(self) -> None:
        one = self.somebody()
        if self.street.texts_to(one.who) and self.dice.random() < 0.05:
            token = self.street.token_on(one.who)
            says = self.dice.choice(list(Says))
            await borrower_says(
                self.street.house, self.street.now, token, says=says, session=one.session
            )

    async def stops_or_starts(self) -> None:
        one = self.somebody()
        act = opt_out if self.dice.random() < 0.1 else opt_in
        async with self.street.store.unit(self.street.lender_id) as unit:
            await act(
                unit, self.street.now, borrower_id=one.who.id, channel=Channel.SMS, source="api"
            )

    async def providers_change(self) -> None:
        carrier, bank = self.street.carrier, self.street.bank
        declined = Declined("no", reason="NO")
        carrier.before = self.dice.choice((_fine, _fine, raising(TryLater("429"))))
        carrier.after = self.dice.choice((_fine, _fine, raising(OutcomeUnknown("lost"))))
        carrier.before_find = self.dice.choice((_fine, _fine, raising(TryLater("503"))))
        bank.before = self.dice.choice(
            (_fine, _fine, _fine, _fine, raising(TryLater("503")), raising(declined))
        )
        bank.after = self.dice.choice((_fine, _fine, raising(OutcomeUnknown("lost"))))
        bank.before_now = self.dice.choice((_fine, _fine, raising(TryLater("503"))))
        bank.on_cancel = self.dice.choice(tuple(CancelResult))

    async def time_passes(self) -> None:
        self.street.hands.go_on(minutes=self.dice.choice((1, 1, 2, 5, 20, 90)))

    async def a_night_passes(self) -> None:
        """To the next morning on which texts may leave, and collectors have cleared the board."""
        days = 3 if self.street.now.weekday() == 4 else 1
        morning = self.street.now.replace(hour=10, minute=0) + timedelta(days=days)
        self.street.hands.go_on(minutes=(morning - self.street.now).total_seconds() / 60)
        async with self.street.store.engine_unit() as unit:
            await unit.conn.execute(
                text("UPDATE tasks SET state = 'done', ended_at = :now WHERE state = 'open'"),
                {"now": self.street.now},
            )
            await unit.conn.execute(
                text("UPDATE holds SET lifted_at = :now"), {"now": self.street.now}
            )

    async def history_is_stamped(self) -> None:
        """Among all the others' transactions, and like them it may die on the way."""
        await stamp_history(self.street.house, self.street.now, patience_s=0.1)

    # -------------------------------------------------- one step

    async def step(self) -> None:
        acts: dict[Callable[[], Awaitable[None]], int] = {
            self.sees_money: 3,
            self.ticks: 4,
            self.checks: 1,
            self.checks_and_taps: 6,
            self.taps: 2,
            self.changes_his_mind: 1,
            self.says_yes: 5,
            self.bank_moves: 3,
            self.lender_reports: 1,
            self.borrower_speaks: 1,
            self.stops_or_starts: 1,
            self.providers_change: 2,
            self.time_passes: 4,
            self.a_night_passes: 1,
        }
        chosen = self.dice.choices(list(acts), list(acts.values()), k=self.dice.randint(1, 4))
        point = self.dice.randint(1, 120) if self.dice.random() < 0.4 else 0
        killer = Killer(point)
        self.log.append(f"{[act.__name__ for act in chosen]} death at {point}")
        with killing(killer, self.street.store, self.street.bank, self.street.carrier):
            results = await asyncio.gather(
                *(self._alone(act) for act in (*chosen, self.history_is_stamped)),
                return_exceptions=True,
            )
        for result in results:
            if isinstance(result, BaseException) and not killed(result):
                raise result

    async def _alone(self, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await act()
        except (Refused, ProviderError):
            # Our own rules, or a bank, said no to what chance wanted.
            return


async def set_out(street: Street, seed: int) -> Storm:
    dice = random.Random(seed)
    people = []
    for _ in range(6):
        dues = tuple(dice.choice((20_000, 40_000, 90_000)) for _ in range(dice.randint(1, 2)))
        people.append(Somebody(await street.neighbour(dues=dues), sum(dues)))
    for one in people:
        await street.money_seen(one.who)
    await street.tick()
    return Storm(street, dice, people)


async def calm_down(storm: Storm) -> None:
    """The providers are well, the banks end what was authorised, and days pass."""
    street = storm.street
    street.carrier.before = street.carrier.after = street.carrier.before_find = _fine
    street.bank.before = street.bank.after = street.bank.before_now = _fine
    street.bank.before_cancel = _fine
    street.bank.on_cancel = CancelResult.CANCELLED
    await street.minutes_pass(2, 2, 2)
    for payment in street.bank.payments.values():
        if payment.status is PayStatus.AUTHORISED:
            payment.status = PayStatus.SETTLED
    await street.days_pass(2, minutes=240)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.timeout(600)
async def test_a_small_storm(street: Street, seed: int) -> None:
    storm = await set_out(street, seed)
    try:
        for _ in range(STEPS):
            await storm.step()
        await calm_down(storm)
        await look_round(storm)
    except BaseException:
        print(f"seed {seed}")
        print("\n".join(storm.log))
        raise


async def look_round(storm: Storm) -> None:
    street = storm.street
    texts = Counter(sent.sms.marker for sent in street.carrier.taken)
    assert max(texts.values()) <= 1, "a text left twice"
    assert street.bank.payments, "a storm that nobody noticed"
    hanging = await street.rows(
        "SELECT 'message' AS what, state FROM messages WHERE state IN ('sending', 'unknown') "
        "UNION ALL SELECT 'payment', state FROM payments "
        "WHERE state IN ('requested', 'creating', 'open', 'authorised')"
    )
    assert hanging == []
    await money_adds_up(storm)
    await history_holds(street)
    async with street.store.engine_unit() as unit:
        assert await invariants.broken(unit, street.now) == []


async def history_holds(street: Street) -> None:
    """Every line of it is under a stamp, none is missed, and nobody is suspected."""
    await stamp_history(street.house, street.now)
    for history in History:
        told = [one async for one in check_history(street.store, street.lender_id, history)]
        found = told[-1]
        lines = await street.value(f"SELECT count(*) FROM {history}")
        assert (found.faults, found.unstamped, found.lines) == ([], 0, lines)


async def money_adds_up(storm: Storm) -> None:
    """What left each borrower's account through Saldo is at most what he owed, and is booked."""
    street = storm.street
    for one in storm.people:
        refs = await street.rows(
            "SELECT end_to_end_ref FROM payments WHERE borrower_id = :id", id=one.who.id
        )
        his = {row.end_to_end_ref for row in refs}
        moved = sum(
            payment.order.amount.minor
            for payment in street.bank.payments.values()
            if payment.status is PayStatus.SETTLED and payment.order.end_to_end_ref in his
        )
        assert moved <= one.owed, "Saldo took more than was due"
        booked = await street.value(
            "SELECT coalesce(sum(amount_minor), 0)::bigint FROM payments "
            "WHERE borrower_id = :id AND state = 'settled'",
            id=one.who.id,
        )
        assert booked == moved, "the bank moved money that we do not know of"
        too_much = max(0, moved + one.reported - one.owed)
        assert await street.due(one.who) == one.owed - moved - one.reported + too_much
        if too_much > one.too_much:
            said = "SELECT count(*) FROM tasks WHERE borrower_id = :id AND reason = 'overpaid'"
            assert await street.value(said, id=one.who.id) > 0
