"""Account numbers with right check digits: Spain, Poland, Germany, the United Kingdom.

The bank codes are invented; the arithmetic is ISO 13616 (mod 97) with the national check digits
of Spain (two digits, weights 1,2,4,8,5,10,9,7,3,6 mod 11) and of the Polish bank number
(weights 3,9,7,1,3,9,7 mod 10).
"""

from __future__ import annotations

_SPAIN = (1, 2, 4, 8, 5, 10, 9, 7, 3, 6)
_POLAND = (3, 9, 7, 1, 3, 9, 7)


def _mod97(country: str, bban: str) -> str:
    spelled = "".join(str(int(sign, 36)) for sign in f"{bban}{country}00")
    return f"{98 - int(spelled) % 97:02d}"


def _spanish_digit(ten: str) -> str:
    rest = 11 - sum(w * int(d) for w, d in zip(_SPAIN, ten, strict=True)) % 11
    return {10: "1", 11: "0"}.get(rest, str(rest))


def make(country: str, bank_code: str, account: int) -> str:
    """An IBAN of `country` (ES, PL, DE or GB) for a bank code and an account number.

    Bank codes: ES eight digits (bank and branch), PL seven (the eighth is computed), DE eight, GB
    four letters and the sort code.
    """
    if country == "ES":
        number = f"{account:010d}"
        check = _spanish_digit(f"00{bank_code}") + _spanish_digit(number)
        bban = f"{bank_code}{check}{number}"
    elif country == "PL":
        total = sum(w * int(d) for w, d in zip(_POLAND, bank_code, strict=True))
        bban = f"{bank_code}{(10 - total % 10) % 10}{account:016d}"
    elif country == "DE":
        bban = f"{bank_code}{account:010d}"
    elif country == "GB":
        bban = f"{bank_code}{account % 100_000_000:08d}"
    else:
        raise ValueError(f"no account numbers for {country} here")
    return f"{country}{_mod97(country, bban)}{bban}"


def british(sort_code: object, number: object) -> str:
    """Sort code and account number in one; empty where one of them is none."""
    if not isinstance(sort_code, str) or not isinstance(number, str):
        return ""
    both = f"{sort_code}{number}"
    fits = len(sort_code) == 6 and len(number) == 8 and both.isascii() and both.isdigit()
    return both if fits else ""


def in_britain(iban: str) -> tuple[str, str] | None:
    """Sort code and account number of a British IBAN; None for every other one."""
    return (iban[8:14], iban[14:]) if iban.startswith("GB") else None


def is_valid(iban: str) -> bool:
    """Whether the mod-97 check of an IBAN holds."""
    plain = iban.replace(" ", "").upper()
    if not (5 <= len(plain) <= 34) or not plain.isalnum() or not plain.isascii():
        return False
    return int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 == 1
