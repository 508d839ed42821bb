"""Enable Banking: transactions, reduced to day and amount, over all pages, the borrower present."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import Declined, ProviderError, Unreadable
from app.domain.ids import Secret
from app.domain.money import Money
from app.ports import Grant, Presence
from app.side_ports import Moved, TransactionsPort
from connectors.enable_banking.transactions import transactions_page
from sandbox.money_life import Salary, Spending
from tests.connectors.answers import answering
from tests.connectors.registry import refused
from tests.connectors.rig_enable_banking import EnableBankingRig
from tests.connectors.scene import HERE

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)


@pytest.fixture
def rig(tmp_path: Path) -> EnableBankingRig:
    return EnableBankingRig(tmp_path)


async def moved_since(
    rig: EnableBankingRig, grant: Grant, ref: Secret
) -> tuple[Moved, ...] | ProviderError:
    """What the last ninety days say, or what is said instead."""
    port = rig.aggregation
    assert isinstance(port, TransactionsPort)
    try:
        return await port.transactions(grant, ref, rig.watch.now().date() - 89 * DAY, HERE)
    except ProviderError as error:
        return error


def entry(word: str = "DBIT", amount: str = "430.00", **about: Any) -> dict[str, Any]:
    return {
        "transaction_amount": {"currency": "EUR", "amount": amount},
        "credit_debit_indicator": word,
        "status": "BOOK",
        "booking_date": "2026-11-05",
        "creditor": {"name": "John Miles"},
        **about,
    }


@pytest.mark.parametrize(
    ("item", "read"),
    [
        (entry(), -43_000),
        (entry(amount="-430.00"), -43_000),
        (entry("CRDT"), 43_000),
        (entry(status="PDNG"), -43_000),
        (entry("CRDT", "-430.00"), None),
        (entry("OTHR"), None),
        (entry(status="SCHD"), None),
        (entry(status="RJCT"), None),
        (entry(booking_date=None), None),
        (entry(booking_date=None, value_date="2026-11-05"), -43_000),
        (entry(amount="rubbish"), None),
        ("rubbish", None),
    ],
)
def test_only_what_surely_came_or_left_is_read(item: Any, read: int | None) -> None:
    found = transactions_page({"transactions": [item]})
    wanted = () if read is None else (Moved(date(2026, 11, 5), Money(read, "EUR")),)
    assert (found.moved, found.following) == (wanted, "")


async def test_all_pages_are_read_and_only_where_it_was_allowed(rig: EnableBankingRig) -> None:
    born = rig.watch.now() - 200 * DAY
    person = rig.person(salary=Salary(150_000), spending=Spending(), born=born)
    plain = await rig.granted(person)
    (account,) = await rig.aggregation.accounts(plain, None)
    assert isinstance(await moved_since(rig, plain, account.ref), ProviderError)
    begun = await rig.begin(transactions=True)
    rig.allow(begun, person)
    grant = await rig.back(begun)
    (account,) = await rig.aggregation.accounts(grant, None)
    found = await moved_since(rig, grant, account.ref)
    assert isinstance(found, tuple)
    assert len(found) > 100
    assert max(one.amount.minor for one in found) == 150_000
    assert min(one.amount.minor for one in found) < 0
    asked = [one for one in rig.seen if "/transactions?" in one.url]
    assert "continuation_key=100" in asked[-1].url
    assert all(one.headers["psu-ip-address"] == HERE.ip for one in asked)


async def test_nobody_is_asked_who_cannot_be_told_of_him(rig: EnableBankingRig) -> None:
    grant = await rig.granted(rig.person())
    (account,) = await rig.aggregation.accounts(grant, None)
    port, before = rig.aggregation, len(rig.seen)
    assert isinstance(port, TransactionsPort)
    call = port.transactions(grant, account.ref, date(2026, 9, 1), Presence(HERE.ip))
    assert isinstance(await refused(call), Declined)
    assert len(rig.seen) == before


@pytest.mark.parametrize(
    "body", [[], {}, {"transactions": {}}, {"transactions": [], "continuation_key": "again"}]
)
async def test_what_is_no_list_or_has_no_end_is_not_read(rig: EnableBankingRig, body: Any) -> None:
    grant = await rig.granted(rig.person())
    (account,) = await rig.aggregation.accounts(grant, None)
    port = rig.aggregation_over(answering(200, body))
    assert isinstance(port, TransactionsPort)
    call = port.transactions(grant, account.ref, date(2026, 9, 1), HERE)
    assert isinstance(await refused(call), Unreadable)
