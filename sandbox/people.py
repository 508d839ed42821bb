"""Who lives in the sandbox: persons with a bank, a phone, a salary, habits and moods."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sandbox import ibans
from sandbox.banks import BY_ID, Bank
from sandbox.chance import Chance
from sandbox.money_life import Bill, Rhythm, Salary, Spending, Weekend
from sandbox.moods import Mood, draw


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """One account before it lives. `limit_minor` is an overdraft the bank grants."""

    iban: str
    currency: str = "EUR"
    name: str = "Current account"
    cash_account_type: str = "CACC"
    opening_minor: int = 0
    limit_minor: int = 0
    salary: Salary | None = None
    spending: Spending | None = None
    replays: str = ""
    """The name of a recorded history that this account repeats."""


@dataclass(frozen=True, slots=True)
class Person:
    """One person. `code` is what he types at his bank's login."""

    id: str
    name: str
    birth_date: date
    document_last4: str
    phone: str
    language: str
    country: str
    time_zone: str
    bank_id: str
    code: str
    accounts: tuple[AccountPlan, ...]
    mood: Mood = field(default_factory=Mood)

    @property
    def iban(self) -> str:
        """The main account."""
        return self.accounts[0].iban


_NAMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "ES": (
        (
            "Lucía",
            "Hugo",
            "Martina",
            "Mateo",
            "Sofía",
            "Leo",
            "Paula",
            "Daniel",
            "Carmen",
            "Álvaro",
            "Elena",
            "Adrián",
            "Laura",
            "Diego",
            "Irene",
            "Mario",
            "Nuria",
            "Rubén",
            "Alba",
            "Sergio",
            "Marta",
            "Iván",
            "Rocío",
            "Óscar",
        ),
        (
            "García",
            "Romero",
            "Navarro",
            "Torres",
            "Vidal",
            "Ramos",
            "Molina",
            "Serrano",
            "Ortega",
            "Delgado",
            "Castro",
            "Rubio",
            "Marín",
            "Sanz",
            "Iglesias",
            "Núñez",
            "Medina",
            "Garrido",
            "Cortés",
            "Lozano",
            "Peña",
            "Fuentes",
            "Carrasco",
            "Reyes",
        ),
    ),
    "PL": (
        (
            "Zofia",
            "Jakub",
            "Hanna",
            "Szymon",
            "Julia",
            "Filip",
            "Maja",
            "Michał",
            "Alicja",
            "Wojciech",
            "Ewa",
            "Piotr",
            "Agnieszka",
            "Tomasz",
            "Kinga",
            "Marek",
        ),
        (
            "Kowal",
            "Zieliński",
            "Wójcik",
            "Mazur",
            "Krawczyk",
            "Dudek",
            "Pawlak",
            "Sikora",
            "Baran",
            "Szulc",
            "Walczak",
            "Rutkowski",
            "Górski",
            "Lis",
            "Czarnecki",
            "Sobczak",
        ),
    ),
    "DE": (
        (
            "Emma",
            "Ben",
            "Mia",
            "Jonas",
            "Lina",
            "Paul",
            "Clara",
            "Felix",
            "Greta",
            "Anton",
            "Ida",
            "Moritz",
            "Frieda",
            "Jakob",
            "Nele",
            "Lars",
        ),
        (
            "Brandt",
            "Vogel",
            "Krüger",
            "Winter",
            "Lorenz",
            "Busch",
            "Seidel",
            "Böhm",
            "Arnold",
            "Otto",
            "Jansen",
            "Kühn",
            "Pohl",
            "Horn",
            "Sauer",
            "Thiel",
        ),
    ),
    "GB": (
        ("Amelia", "Oliver", "Isla", "George", "Freya", "Arthur", "Poppy", "Harry"),
        ("Ashworth", "Bramley", "Carver", "Dunmore", "Ellery", "Fairfax", "Garrick", "Hollis"),
    ),
}
_LANGUAGE = {"ES": "es", "PL": "pl", "DE": "de", "GB": "en"}
_SALARY = {
    "ES": (150_000, 320_000),
    "PL": (140_000, 300_000),
    "DE": (200_000, 360_000),
    "GB": (170_000, 340_000),
}
# Where people live for whom nobody names a bank: all in one currency.
_BANK_OF: tuple[tuple[str, int], ...] = (("luz", 52), ("ribera", 34), ("foerde", 9), ("wisla", 5))


def make_phone(country: str, number: int) -> str:
    """A mobile number in the form +34..., different for every `number` below a million."""
    if country == "ES":
        return f"+34612{number % 1_000_000:06d}"
    if country == "PL":
        return f"+48512{number % 1_000_000:06d}"
    if country == "GB":
        return f"+447512{number % 1_000_000:06d}"
    return f"+491512{number % 10_000_000:07d}"


def _payday(chance: Chance, origin: datetime) -> int:
    """A day of the month; for most people within the week after `origin`, so that a story can
    be seen without waiting a month.
    """
    if chance.fraction("soon") < 0.7:
        return (origin + timedelta(days=chance.between(0, 5, "payday"))).day
    return chance.pick((1, 5, 10, 15, 25, 28, 31), "payday")


def _salary(chance: Chance, country: str, origin: datetime) -> Salary:
    low, high = _SALARY[country]
    amount = chance.between(low // 500, high // 500, "amount") * 500
    rhythm = chance.weighted(
        ((Rhythm.MONTHLY, 90), (Rhythm.WEEKLY, 5), (Rhythm.IRREGULAR, 5)), "rhythm"
    )
    if rhythm is Rhythm.WEEKLY:
        return Salary(amount // 4, day=chance.between(0, 4, "weekday"), hour=6, rhythm=rhythm)
    if rhythm is Rhythm.IRREGULAR:
        return Salary(amount // 2, hour=11, rhythm=rhythm, swing_percent=45)
    return Salary(
        amount,
        day=_payday(chance, origin),
        hour=chance.between(5, 10, "hour"),
        minute=chance.between(0, 59, "minute"),
        weekend=chance.pick((Weekend.BEFORE, Weekend.AFTER), "weekend"),
        swing_percent=chance.pick((0, 0, 0, 8), "swing"),
    )


def _bills(chance: Chance, salary: Salary) -> tuple[Bill, ...]:
    """What leaves each month for energy, phone, insurance: within two weeks after payday."""
    if salary.rhythm is not Rhythm.MONTHLY:
        return ()
    return tuple(
        Bill(
            salary.amount_minor * chance.between(20, 80, "bill", number) // 1_000,
            day=(salary.day + chance.between(3, 14, "bill on", number)) % 28 + 1,
        )
        for number in range(chance.between(0, 2, "bills"))
    )


def _account(chance: Chance, bank: Bank, number: int, origin: datetime) -> AccountPlan:
    base = chance.weighted(((500, 2), (2_500, 4), (9_000, 3), (-12_000, 1)), "base")
    limit = chance.weighted(((0, 6), (50_000, 2), (100_000, 1)), "limit")
    salary = _salary(chance, bank.country, origin)
    spending = Spending(
        base_minor=max(base, -limit),
        rent_share=chance.between(25, 45, "rent"),
        bills=_bills(chance, salary),
    )
    return AccountPlan(
        iban=ibans.make(bank.country, bank.bank_code, 1_000_000 + number),
        currency=bank.currency,
        opening_minor=max(base, -limit) + chance.between(0, 6_000, "opening"),
        limit_minor=limit,
        salary=salary,
        spending=spending,
    )


def draw_person(seed: int, number: int, origin: datetime, bank_id: str | None = None) -> Person:
    """The person with this number. The same seed, number and origin give the same person."""
    chance = Chance(seed, ("person", number))
    bank = BY_ID[bank_id or chance.weighted(_BANK_OF, "bank")]
    first_names, last_names = _NAMES[bank.country]
    main = _account(chance.under("main"), bank, number, origin)
    plans = [main]
    if chance.fraction("second") < 0.12:
        plans.append(
            AccountPlan(
                iban=ibans.make(bank.country, bank.bank_code, 5_000_000 + number),
                currency=bank.currency,
                name="Savings",
                cash_account_type="SVGS",
                opening_minor=chance.between(0, 40_000, "savings"),
            )
        )
    born = date(1958, 1, 1) + timedelta(days=chance.between(0, 16_500, "born"))
    return Person(
        id=f"p{number:04d}",
        name=f"{chance.pick(first_names, 'first')} {chance.pick(last_names, 'last')}",
        birth_date=born,
        document_last4=f"{chance.between(0, 9999, 'document'):04d}",
        phone=make_phone(bank.country, chance.between(0, 99, "phone") * 10_000 + number),
        language=_LANGUAGE[bank.country],
        country=bank.country,
        time_zone=bank.time_zone,
        bank_id=bank.id,
        code=f"{100_000 + number * 7 % 900_000:06d}",
        accounts=tuple(plans),
        mood=draw(chance.under("mood")),
    )
