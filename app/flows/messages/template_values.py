"""What stands in the places of a text: amounts and days as the borrower reads them."""

from __future__ import annotations

from datetime import date

from app.domain.money import Money
from app.flows.house import House
from app.reference import formats


def link_address(house: House, token: str) -> str:
    """The borrower's own page behind this token."""
    return f"{house.settings.public_url}/p/{token}"


def who_values(
    house: House, *, lender: str, contact_phone: str, name: str, token: str
) -> dict[str, str]:
    """The places every message can fill. An empty telephone number is left out: it is missing."""
    link = link_address(house, token)
    values = {"lender": lender, "name": name, "link": link, "stop_link": f"{link}/stop"}
    if contact_phone:
        values["contact_phone"] = formats.phone_in_words(contact_phone)
    return values


def debt_values(
    language: str, *, owed: Money, due_on: date, today: date, loan_ref: str
) -> dict[str, str]:
    """What is due and since when; `today` is the borrower's. Before the day nothing is past due."""
    values = {
        "amount_due": formats.money(owed, language),
        "due_on": formats.day(due_on, language),
        "loan_ref": loan_ref,
    }
    if due_on <= today:
        values["days_past_due"] = str((today - due_on).days)
    return values


def promise_values(language: str, *, amount: Money, on: date) -> dict[str, str]:
    """What was promised, and by which day."""
    return {
        "promise_amount": formats.money(amount, language),
        "promise_on": formats.day(on, language),
    }
