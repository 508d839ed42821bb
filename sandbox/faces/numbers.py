"""By which numbers aggregators name an account: British ones mostly without an IBAN."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox import ibans
from sandbox.modes import BankMode
from sandbox.world import World


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is stated of one account; empty what is not."""

    iban: str
    sort_code: str = ""
    number: str = ""

    @property
    def dashed(self) -> str:
        """The sort code as it stands on a card."""
        code = self.sort_code
        return f"{code[:2]}-{code[2:4]}-{code[4:]}" if code else ""


def numbers_of(world: World, iban: str) -> Numbers:
    """The IBAN, and in Britain sort code and number in its place or, where stated, beside it."""
    british = ibans.in_britain(iban)
    if british is None:
        return Numbers(iban)
    bank = world.town.accounts[iban].bank.id
    both = world.town.bank_mode(bank, BankMode.IBANS_STATED, world.now())
    return Numbers(iban if both else "", *british)
