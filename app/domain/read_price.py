"""What one read of an account is worth: its price against what a day of delay costs.

Money that is seen a day later is a day more on which it can leave the account, and the chance to be
paid leaves with it. So a read is worth `cost / (what is due * daily share)` days of delay: little
where much is due, and a lot where a read costs more than it could bring.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from app.domain.errors import Invalid
from app.domain.money import KNOWN_CURRENCIES, Money, currency_digits

# A read worth less than this many days of delay is not told from one for nothing.
CHEAPEST_DAYS, DEAREST_DAYS = 0.0005, 30.0

# Ours, no public source tells either: put in what your provider's contract says of a read.
STANDARD_COSTS = "EUR 0.05, GBP 0.05, PLN 0.20"
STANDARD_DAILY_BP = 50
STANDARD_DAYS = 0.1


@dataclass(frozen=True, slots=True)
class ReadPrices:
    """What a read costs, in whole units per currency, and what a day of delay costs.

    `daily_bp` are basis points of what is due. `otherwise_days` is the worth of a read, in days,
    in currencies without a cost.
    """

    costs: tuple[tuple[str, Decimal], ...]
    daily_bp: int = STANDARD_DAILY_BP
    otherwise_days: float = STANDARD_DAYS

    @classmethod
    def parse(
        cls,
        text: str,
        daily_bp: int = STANDARD_DAILY_BP,
        otherwise_days: float = STANDARD_DAYS,
        *,
        field: str = "read_costs",
    ) -> ReadPrices:
        """Read "EUR 0.05, PLN 0.20"; fractions of a cent are welcome. Raises `Invalid`."""
        costs: dict[str, Decimal] = {}
        for part in filter(None, map(str.strip, text.split(","))):
            currency, _, amount = part.partition(" ")
            plain = amount.replace(".", "", 1)
            if currency not in KNOWN_CURRENCIES or not (plain.isascii() and plain.isdigit()):
                raise Invalid(field, f"{part!r} is no price.", mend='Write it like "EUR 0.05".')
            if currency in costs:
                raise Invalid(field, f"{currency} has two prices.", mend="Leave one of them.")
            costs[currency] = Decimal(amount)
        return cls(tuple(costs.items()), daily_bp, otherwise_days)

    def days(self, due: Money) -> float:
        """What one read is worth, in days of delay, where this is due."""
        cost = dict(self.costs).get(due.currency)
        if cost is None:
            return self.otherwise_days
        minor = float(cost.scaleb(currency_digits(due.currency)))
        if due.minor <= minor or self.daily_bp <= 0:
            return DEAREST_DAYS
        return min(max(minor / (due.minor * self.daily_bp / 10_000), CHEAPEST_DAYS), DEAREST_DAYS)


STANDARD_PRICES = ReadPrices.parse(STANDARD_COSTS)
