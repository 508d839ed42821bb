"""The people and their accounts, and what is switched for each: the ground the faces stand on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sandbox import history, ibans
from sandbox.banks import BY_ID, Bank
from sandbox.chance import Chance
from sandbox.clock import Now
from sandbox.modes import BankMode, Mode
from sandbox.money_life import HabitLife, Life, Movement, ReplayedLife, Salary, Spending
from sandbox.moods import ConsentMood, Mood, Reaction
from sandbox.people import AccountPlan, Person, draw_person, make_phone
from sandbox.records import BankSettings, Debit, PersonSettings
from sandbox.store import Store

# The past that every drawn person already has when the world begins: what a bank shows of it, and
# the month before.
PAST = timedelta(days=120)
_FIRST_ADDED = 5_000

ALWAYS = 0.0
DEFAULT_VALUE: dict[Mode, float] = {
    Mode.EMAIL_BOUNCES: 5,
    Mode.REVOKED_MIDWAY: 2,
    Mode.CONSENT_ANSWER_LOST: 1,
    Mode.PAYMENT_ANSWER_LOST: 1,
    Mode.SLOW: 5,
    Mode.DRIP: 5,
    Mode.PAYMENT_PENDING_LONG: 3,
    Mode.SMS_ANSWER_LOST: 1,
    Mode.SMS_TOO_MANY: 1,
    Mode.SMS_ERROR_BEFORE: 1,
    Mode.SMS_ERROR_AFTER: 1,
    Mode.SMS_BACKLOG: 5,
    Mode.EMAIL_LATER: 1,
    Mode.EMAIL_ANSWER_LOST: 1,
    Mode.CALLBACK_LATE: 6,
}


@dataclass(slots=True)
class Account:
    """One account and the life on it."""

    plan: AccountPlan
    person_id: str
    bank: Bank
    life: Life

    @property
    def iban(self) -> str:
        return self.plan.iban


@dataclass(slots=True)
class Begin:
    """How this world began; kept so that every later start draws the same people."""

    seed: int
    people: int
    origin: datetime


class Town:
    """People, accounts, settings. Everything changed here is in the store before it returns."""

    def __init__(self, store: Store, now: Now, begin: Begin) -> None:
        self.store = store
        self.now = now
        self.begin = begin
        self.people: dict[str, Person] = {}
        self.accounts: dict[str, Account] = {}
        self._by_code: dict[str, str] = {}
        self._by_phone: dict[str, str] = {}
        self._settings = {s.id: s for s in store.all_of("person_settings", PersonSettings)}
        self._banks = {s.id: s for s in store.all_of("bank_settings", BankSettings)}
        self.debits: list[Debit] = []
        for number in range(1, begin.people + 1):
            self._settle(self._drawn(number), begin.origin - PAST)
        for added in store.all_of("person", _Added):
            self._settle(added.person, added.born)
        for debit in store.all_of("debit", Debit):
            self._book(debit)

    # ------------------------------------------------------------ people

    def _drawn(self, number: int) -> Person:
        person = draw_person(self.begin.seed, number, self.begin.origin)
        if number == 2 and self.begin.people >= 2:
            # One of the town lives the shipped history of a real account.
            plan = replace(person.accounts[0], replays=history.SHIPPED, salary=None, spending=None)
            person = replace(person, accounts=(plan, *person.accounts[1:]))
        return person

    def _settle(self, person: Person, born: datetime) -> None:
        self.people[person.id] = person
        self._by_code[person.code] = person.id
        self._by_phone[person.phone] = person.id
        bank = BY_ID[person.bank_id]
        for plan in person.accounts:
            self.accounts[plan.iban] = Account(plan, person.id, bank, self._life(plan, bank, born))

    def _life(self, plan: AccountPlan, bank: Bank, born: datetime) -> Life:
        if plan.replays == history.SHIPPED:
            return ReplayedLife(history.shipped(born, bank.zone))
        if plan.replays:
            return ReplayedLife(self._recorded(plan.replays))
        return HabitLife(
            born=born,
            opening_minor=plan.opening_minor,
            salary=plan.salary,
            spending=plan.spending,
            zone=bank.zone,
            chance=Chance(self.begin.seed, ("life", plan.iban)),
        )

    def _recorded(self, name: str) -> history.History:
        kept = self.store.one("history", name, _Recorded)
        if kept is None:
            raise ValueError(f"no recorded history named {name}")
        return [(at, minor) for at, minor in kept.balances]

    def keep_history(self, name: str, balances: history.History) -> None:
        """Remember a recorded history under a name that an account's `replays` can use."""
        self.store.put("history", name, _Recorded(balances))

    def add_person(
        self,
        name: str = "Ana Prueba",
        *,
        person_id: str | None = None,
        bank_id: str = "luz",
        birth_date: date = date(1990, 5, 17),
        document_last4: str = "1234",
        phone: str | None = None,
        language: str = "es",
        opening_minor: int = 0,
        limit_minor: int = 0,
        currency: str = "",
        salary: Salary | None = None,
        spending: Spending | None = None,
        mood: Mood | None = None,
        second: bool = False,
        replays: str = "",
        born: datetime | None = None,
    ) -> Person:
        """A new person. Without salary and spending the balance stands still at its opening.

        Without a `currency` the accounts have his bank's.

        Raises ValueError when the id or the phone is taken.
        """
        number = _FIRST_ADDED + sum(1 for p in self.people.values() if p.id.startswith("v")) + 1
        bank = BY_ID[bank_id]
        plans = [
            AccountPlan(
                iban=ibans.make(bank.country, bank.bank_code, 1_000_000 + number),
                currency=currency or bank.currency,
                opening_minor=opening_minor,
                limit_minor=limit_minor,
                salary=salary,
                spending=spending,
                replays=replays,
            )
        ]
        if second:
            plans.append(
                AccountPlan(
                    iban=ibans.make(bank.country, bank.bank_code, 6_000_000 + number),
                    currency=currency or bank.currency,
                    name="Second account",
                    opening_minor=opening_minor,
                )
            )
        person = Person(
            id=person_id or f"v{number:04d}",
            name=name,
            birth_date=birth_date,
            document_last4=document_last4,
            phone=phone or make_phone(bank.country, number),
            language=language,
            country=bank.country,
            time_zone=bank.time_zone,
            bank_id=bank.id,
            code=f"{700_000 + number:06d}",
            accounts=tuple(plans),
            mood=mood or Mood(),
        )
        if person.id in self.people or person.phone in self._by_phone:
            raise ValueError("a person with this id or phone lives here already")
        added = _Added(person, born or self.now() - timedelta(days=1))
        self.store.put("person", person.id, added)
        self._settle(person, added.born)
        return person

    def person(self, person_id: str) -> Person:
        return self.people[person_id]

    def by_code(self, code: str) -> Person | None:
        found = self._by_code.get(code)
        return self.people[found] if found else None

    def by_phone(self, phone: str) -> Person | None:
        found = self._by_phone.get(phone)
        return self.people[found] if found else None

    def owner(self, iban: str) -> Person | None:
        account = self.accounts.get(iban)
        return self.people[account.person_id] if account else None

    # ------------------------------------------------------------ money

    def balance(self, iban: str, at: datetime | None = None) -> int:
        """The booked balance in minor units."""
        return self.accounts[iban].life.at(at or self.now())

    def move(self, debit: Debit) -> None:
        """Book money on an account, once per id."""
        if self.store.one("debit", debit.id, Debit) is not None:
            return
        self.store.put("debit", debit.id, debit)
        self._book(debit)

    def set_balance(self, iban: str, minor: int) -> None:
        """Make the booked balance `minor` from now on (a cash deposit or withdrawal)."""
        now = self.now()
        gap = minor - self.balance(iban, now)
        number = sum(1 for debit in self.debits if debit.why == "by hand")
        self.move(Debit(f"hand-{iban}-{number}", iban, gap, now, why="by hand"))

    def _book(self, debit: Debit) -> None:
        self.debits.append(debit)
        if debit.iban in self.accounts:
            self.accounts[debit.iban].life.add(Movement(debit.at, debit.minor, debit.id))

    # ------------------------------------------------------------ settings

    def settings(self, person_id: str) -> PersonSettings:
        return self._settings.get(person_id) or PersonSettings(person_id)

    def save_settings(self, settings: PersonSettings) -> None:
        self.store.put("person_settings", settings.id, settings)
        self._settings[settings.id] = settings

    def set_mode(
        self, person_id: str, mode: Mode, value: float | None = None, *, on: bool = True
    ) -> None:
        """Switch a fault on (with its value) or off for a person."""
        settings = self.settings(person_id)
        if on:
            settings.modes[mode.value] = DEFAULT_VALUE.get(mode, ALWAYS) if value is None else value
            settings.mode_since[mode.value] = self.now()
            if mode is Mode.FROZEN_OLD_DATE:
                for plan in self.people[person_id].accounts:
                    settings.frozen_minor[plan.iban] = self.balance(plan.iban)
        else:
            settings.modes.pop(mode, None)
            settings.mode_since.pop(mode, None)
        self.save_settings(settings)

    def mode(self, person_id: str, mode: Mode) -> float | None:
        """The value of a fault that is on, else None."""
        settings = self._settings.get(person_id)
        return None if settings is None else settings.modes.get(mode)

    def take(self, person_id: str, mode: Mode) -> bool:
        """Whether a fault with a limited number of times strikes now; counts it down."""
        left = self.mode(person_id, mode)
        if left is None:
            return False
        if left > 0:
            if left <= 1:
                self.set_mode(person_id, mode, on=False)
            else:
                self.set_mode(person_id, mode, left - 1)
        return True

    def bank_settings(self, bank_id: str) -> BankSettings:
        return self._banks.get(bank_id) or BankSettings(bank_id)

    def set_bank_mode(
        self, bank_id: str, mode: BankMode, value: float | None = None, *, on: bool = True
    ) -> None:
        """Switch a fault of a whole bank on or off; for outages the value is hours, 0 = no end."""
        settings = self.bank_settings(bank_id)
        if on:
            settings.modes[mode.value] = ALWAYS if value is None else value
            settings.mode_since[mode.value] = self.now()
        else:
            settings.modes.pop(mode, None)
            settings.mode_since.pop(mode, None)
        self.store.put("bank_settings", bank_id, settings)
        self._banks[bank_id] = settings

    def bank_mode(self, bank_id: str, mode: BankMode, now: datetime) -> bool:
        """Whether a fault of the bank is on at `now`."""
        settings = self._banks.get(bank_id)
        if settings is None or mode not in settings.modes:
            return False
        hours = settings.modes[mode]
        if mode in (BankMode.OUTAGE_401, BankMode.OUTAGE_503) and hours > 0:
            return now < settings.mode_since[mode] + timedelta(hours=hours)
        return True

    def take_bank(self, bank_id: str, mode: BankMode) -> bool:
        """Like `take`, for a bank."""
        settings = self._banks.get(bank_id)
        if settings is None or mode not in settings.modes:
            return False
        left = settings.modes[mode]
        if left > 0:
            self.set_bank_mode(bank_id, mode, left - 1, on=left > 1)
        return True

    def mood(self, person_id: str) -> Mood:
        """The person's mood with what was changed by hand."""
        settings, mood = self.settings(person_id), self.people[person_id].mood
        if settings.reactions:
            mood = replace(mood, reactions=tuple(Reaction(r) for r in settings.reactions))
        if settings.consent_mood:
            mood = replace(mood, consent=ConsentMood(settings.consent_mood))
        if settings.delay_minutes is not None:
            mood = replace(mood, delay_minutes=settings.delay_minutes)
        return mood


@dataclass(slots=True)
class _Added:
    """A person added by hand, and when his accounts began."""

    person: Person
    born: datetime


@dataclass(slots=True)
class _Recorded:
    """A recorded history kept for replay."""

    balances: list[tuple[datetime, int]]
