"""What a person does at his bank, as plain calls: for tests that do not walk the pages.

Each function takes the redirect URL that a bank gave and returns where the bank sends the
person's browser back to.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.payments import Outcome
from sandbox.people import Person
from sandbox.records import Consent, Payment
from sandbox.world import World


def _parts(redirect_url: str) -> tuple[str, str, str]:
    """Bank, kind (consents or payments) and id of a redirect."""
    parts = redirect_url.partition("/banks/")[2].split("/")
    if len(parts) != 4 or parts[1] != "online":
        raise ValueError(f"{redirect_url} is no page of a sandbox bank")
    return parts[0], parts[2], parts[3]


def consent_at(world: World, redirect_url: str) -> Consent:
    """The consent behind a redirect; KeyError when there is none."""
    bank_id, _, key = _parts(redirect_url)
    found = world.consents.get(bank_id, key)
    if found is None:
        raise KeyError(key)
    return found


def payment_at(world: World, redirect_url: str) -> Payment:
    """The payment behind a redirect; KeyError when there is none."""
    bank_id, _, key = _parts(redirect_url)
    found = world.payments.get(bank_id, key)
    if found is None:
        raise KeyError(key)
    return found


def allow(
    world: World, redirect_url: str, person: Person, ibans: Sequence[str] | None = None
) -> str:
    """He allows the reading of the accounts asked for, or of `ibans`, or of his main one."""
    consent = consent_at(world, redirect_url)
    chosen = ibans or consent.asked_ibans or (person.iban,)
    if not world.consents.approve(consent, person, chosen, world.now()):
        return consent.refused_url
    return consent.redirect_url


def forbid(world: World, redirect_url: str, person: Person) -> str:
    """He refuses the reading."""
    consent = consent_at(world, redirect_url)
    world.consents.refuse(consent, person, world.now())
    return consent.refused_url


def pay(world: World, redirect_url: str, person: Person, iban: str = "") -> str:
    """He authorises the payment, from `iban` or his main account."""
    payment = payment_at(world, redirect_url)
    outcome = world.payments.authorise(payment, person, iban or person.iban, world.now())
    done = outcome in (Outcome.DONE, Outcome.ALREADY)
    return payment.redirect_url if done else payment.refused_url


def refuse_to_pay(world: World, redirect_url: str, person: Person) -> str:
    """He refuses the payment."""
    payment = payment_at(world, redirect_url)
    world.payments.refuse(payment, person, world.now())
    return payment.refused_url
