"""Money as whole minor units of one ISO 4217 currency. Never a float, never a guess."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.domain.errors import Invalid

# Currencies whose minor unit is not a hundredth (ISO 4217, table A.1). All others listed
# in KNOWN_CURRENCIES have two digits.
_ODD_DIGITS = {
    "BHD": 3, "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "IQD": 3, "ISK": 0, "JOD": 3, "JPY": 0,
    "KMF": 0, "KRW": 0, "KWD": 3, "LYD": 3, "OMR": 3, "PYG": 0, "RWF": 0, "TND": 3, "UGX": 0,
    "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
}  # fmt: skip
_TWO_DIGITS = frozenset({
    "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN",
    "BMD", "BND", "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CNY",
    "COP", "CRC", "CUP", "CVE", "CZK", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD",
    "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GTQ", "GYD", "HKD", "HNL", "HRK", "HTG", "HUF",
    "IDR", "ILS", "INR", "IRR", "JMD", "KES", "KGS", "KHR", "KPW", "KYD", "KZT", "LAK", "LBP",
    "LKR", "LRD", "LSL", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR",
    "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK",
    "PHP", "PKR", "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD",
    "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TOP",
    "TRY", "TTD", "TWD", "TZS", "UAH", "USD", "UYU", "UZS", "VED", "VES", "WST", "XCD", "XCG",
    "YER", "ZAR", "ZMW", "ZWG",
})  # fmt: skip
KNOWN_CURRENCIES = _TWO_DIGITS | frozenset(_ODD_DIGITS)

# PostgreSQL's BIGINT is the widest place an amount is ever written to.
_LARGEST_MINOR = 2**63 - 1
_DECIMAL_STRING = re.compile(r"[+-]?\d{1,18}(\.\d{1,6})?\Z", re.ASCII)


def currency_digits(currency: str, *, field: str = "currency") -> int:
    """How many decimal digits the currency has. Raises `Invalid` for an unknown one."""
    if currency in _TWO_DIGITS:
        return 2
    if currency in _ODD_DIGITS:
        return _ODD_DIGITS[currency]
    raise Invalid(field, f"{currency!r} is not a currency Saldo knows.", mend="Use ISO 4217.")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents for EUR, yen for JPY) of `currency`. May be negative."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if isinstance(self.minor, bool) or not isinstance(self.minor, int):
            raise Invalid(
                "amount",
                "minor units must be a whole number.",
                mend="Give the amount in cents, or in the smallest unit there is.",
            )
        if abs(self.minor) > _LARGEST_MINOR:
            raise Invalid(
                "amount",
                "is larger than any amount Saldo can store.",
                mend="Check the number of digits.",
            )
        currency_digits(self.currency)

    @classmethod
    def parse(cls, text: str, currency: str, *, field: str = "amount") -> Money:
        """Read a provider's or a lender's decimal string, such as "1234.56".

        Refuses NaN, exponents, thousands separators, decimal commas and digits finer than
        the currency has, because each of them has been read as the wrong amount somewhere.
        Trailing zeros beyond the currency's digits are harmless and accepted.
        """
        digits = currency_digits(currency)
        if not isinstance(text, str) or not _DECIMAL_STRING.match(text):
            raise Invalid(field, "is not a plain decimal string.", mend='Write it like "1234.56".')
        scaled = Decimal(text).scaleb(digits)
        if scaled != scaled.to_integral_value():
            raise Invalid(
                field,
                f"is finer than {currency} allows ({digits} decimal digits).",
                mend="Round it.",
            )
        return cls(int(scaled), currency)

    @classmethod
    def zero(cls, currency: str) -> Money:
        """Nothing, in `currency`."""
        return cls(0, currency)

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise Invalid(
                "currency",
                f"{self.currency} and {other.currency} cannot be mixed.",
                mend="Use one currency.",
            )

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.minor < other.minor

    def __le__(self, other: Money) -> bool:
        self._same(other)
        return self.minor <= other.minor

    def __gt__(self, other: Money) -> bool:
        return other < self

    def __ge__(self, other: Money) -> bool:
        return other <= self

    def __bool__(self) -> bool:
        return self.minor != 0

    def share(self, basis_points: int) -> Money:
        """`basis_points` hundredths of a percent of this, rounded up to a whole minor unit."""
        return Money(-(-self.minor * basis_points // 10_000), self.currency)

    def split(self, weights: Sequence[int]) -> tuple[Money, ...]:
        """Divide by weights so that the parts add up exactly; leftovers go to the first parts."""
        total = sum(weights)
        if total <= 0 or any(weight < 0 for weight in weights):
            raise Invalid(
                "weights",
                "must be non-negative and not all zero.",
                mend="Give at least one above zero.",
            )
        parts = [self.minor * weight // total for weight in weights]
        for index in range(self.minor - sum(parts)):
            parts[index] += 1
        return tuple(Money(part, self.currency) for part in parts)

    def plain(self) -> str:
        """The decimal string that providers expect, such as "-12.30"."""
        digits = currency_digits(self.currency)
        sign = "-" if self.minor < 0 else ""
        whole, fraction = divmod(abs(self.minor), 10**digits)
        return f"{sign}{whole}" + (f".{fraction:0{digits}d}" if digits else "")

    def __str__(self) -> str:
        return f"{self.plain()} {self.currency}"
