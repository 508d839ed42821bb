"""One look at transactions: every connector that has it, through the same behaviours."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import httpx
import pytest

import connectors
from app.domain.errors import (
    AllowanceSpent,
    ConsentDoubtful,
    ConsentGone,
    ProviderError,
    TryLater,
    Unreadable,
)
from app.domain.ids import Secret
from app.ports import AggregationPort, Grant
from app.side_ports import CopiedTransactionsPort, Moved, TransactionsPort
from sandbox.money_life import Salary, Spending, moved
from sandbox.people import Person
from tests.connectors.answers import answering, failing
from tests.connectors.registry import BANK_RIGS, refused
from tests.connectors.rigs import BankRig
from tests.connectors.scene import HERE

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
SHOWING = ("berlin_group", "enable_banking", "gocardless", "plaid", "tink", "truelayer")
AT_THE_BANK = ("berlin_group", "enable_banking", "gocardless", "truelayer")
BANKS = ("luz", "wharf")


async def shown(port: AggregationPort, grant: Grant, ref: Secret, since: date) -> tuple[Moved, ...]:
    """The transactions through whichever socket the connector has."""
    if isinstance(port, CopiedTransactionsPort):
        return await port.copied_transactions(grant, ref, since)
    assert isinstance(port, TransactionsPort)
    return await port.transactions(grant, ref, since, HERE)


@pytest.fixture(params=[(name, bank) for name in SHOWING for bank in BANKS])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> BankRig:
    name, bank = request.param
    return BANK_RIGS[name](tmp_path, bank)


def liver(rig: BankRig) -> Person:
    """Somebody whose account has moved for half a year, several times a day."""
    born = rig.watch.now() - 200 * DAY
    return rig.person(salary=Salary(150_000), spending=Spending(), born=born)


async def agreed(rig: BankRig, person: Person) -> tuple[Grant, Secret]:
    """His consent to a look as well, and his account under it."""
    begun = await rig.begin(transactions=True)
    rig.allow(begun, person)
    grant = await rig.back(begun)
    (account,) = await rig.aggregation.accounts(grant, HERE)
    return grant, account.ref


async def allowed(rig: BankRig, person: Person) -> tuple[Grant, Secret]:
    """The same, once a provider that fetches them has all of them."""
    found = await agreed(rig, person)
    if isinstance(rig.aggregation, CopiedTransactionsPort):
        rig.watch.on(seconds=30)
    return found


def since_of(rig: BankRig, days: int = 89) -> date:
    return rig.watch.now().date() - days * DAY


def lived(rig: BankRig, person: Person, since: date) -> Counter[tuple[date, int, str]]:
    """What his bank has booked, by day at the bank and minor units."""
    account = rig.scene.world.town.accounts[person.iban]
    zone = account.bank.zone
    begin = datetime.combine(since, time(0), zone).astimezone(UTC) - timedelta(microseconds=1)
    return Counter(
        (at.astimezone(zone).date(), minor, account.plan.currency)
        for at, minor in moved(account.life, begin, rig.watch.now())
    )


@pytest.mark.parametrize("name", BANK_RIGS)
def test_every_connector_that_shows_transactions_is_here(tmp_path: Path, name: str) -> None:
    if connectors.discover()[name].aggregation is None:
        assert name not in SHOWING
        return
    port = BANK_RIGS[name](tmp_path).aggregation
    shows = isinstance(port, (TransactionsPort, CopiedTransactionsPort))
    assert shows is (name in SHOWING)


@pytest.mark.parametrize("days", [0, 1, 31, 89])
async def test_everything_since_a_day_is_shown_to_the_cent(rig: BankRig, days: int) -> None:
    person = liver(rig)
    grant, ref = await allowed(rig, person)
    since = since_of(rig, days)
    found = await shown(rig.aggregation, grant, ref, since)
    expected = lived(rig, person, since)
    assert Counter((one.on, one.amount.minor, one.amount.currency) for one in found) == expected
    if days == 89:
        assert expected.total() > 100, "more than one page of any provider"
        assert {one.amount.minor > 0 for one in found} == {True, False}


async def test_what_was_not_allowed_is_not_shown(rig: BankRig) -> None:
    grant = await rig.granted(liver(rig))
    (account,) = await rig.aggregation.accounts(grant, HERE)
    error = await refused(shown(rig.aggregation, grant, account.ref, since_of(rig)))
    assert not isinstance(error, Unreadable)
    assert (await rig.aggregation.balances(grant, account.ref, HERE)).entries, "but for the rest"


async def test_a_look_takes_no_read_of_a_balance(rig: BankRig) -> None:
    grant, ref = await allowed(rig, liver(rig))
    for _ in range(3):
        assert await shown(rig.aggregation, grant, ref, since_of(rig))
    for _ in range(4):
        assert (await rig.aggregation.balances(grant, ref, None)).entries
        rig.watch.on(minutes=10)
    error = await refused(rig.aggregation.balances(grant, ref, None))
    assert isinstance(error, AllowanceSpent)


async def test_he_is_named_where_a_bank_is_asked_and_can_be_told(rig: BankRig) -> None:
    grant, ref = await allowed(rig, liver(rig))
    before, asked = len(rig.seen), rig.asked_of_banks()
    await shown(rig.aggregation, grant, ref, since_of(rig))
    sent = [one for one in rig.seen[before:] if "transactions" in one.url]
    assert sent
    if rig.states_presence:
        assert {one.headers[rig.presence_header] for one in sent} == {HERE.ip}
    else:
        assert all(HERE.ip not in f"{one.url} {one.headers} {one.body!r}" for one in sent)
    if isinstance(rig.aggregation, CopiedTransactionsPort):
        assert rig.asked_of_banks() == asked


async def test_a_consent_that_was_taken_back_shows_nothing(rig: BankRig) -> None:
    person = liver(rig)
    grant, ref = await allowed(rig, person)
    rig.revoke(person)
    error = await refused(shown(rig.aggregation, grant, ref, since_of(rig)))
    assert isinstance(error, (ConsentDoubtful, ConsentGone))


@pytest.mark.parametrize("name", AT_THE_BANK)
async def test_a_bank_that_is_down_is_no_answer(tmp_path: Path, name: str) -> None:
    rig = BANK_RIGS[name](tmp_path)
    grant, ref = await allowed(rig, liver(rig))
    for break_down in rig.outages():
        break_down()
        error = await refused(shown(rig.aggregation, grant, ref, since_of(rig)))
        assert isinstance(error, TryLater)


# ---------------------------------------------------------------- what comes instead of a list


async def shown_instead(rig: BankRig, other: httpx.AsyncBaseTransport) -> ProviderError:
    """What comes of it where all but the transactions is answered as ever."""
    grant, ref = await allowed(rig, liver(rig))
    rig.scene.recorder.divert("/transactions", other)
    return await refused(shown(rig.aggregation, grant, ref, since_of(rig)))


@pytest.mark.parametrize("name", SHOWING)
@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadError, httpx.ReadTimeout])
async def test_a_lost_look_is_one_to_try_later(
    tmp_path: Path, name: str, error: type[httpx.TransportError]
) -> None:
    said = await shown_instead(BANK_RIGS[name](tmp_path), failing(error))
    assert isinstance(said, TryLater)


@pytest.mark.parametrize("name", SHOWING)
@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b"<html>", Unreadable),
        (200, [], Unreadable),
        (200, {}, Unreadable),
        (200, {"transactions": 7, "results": {}, "added": "x"}, Unreadable),
        (429, b"", (AllowanceSpent, TryLater)),
        (500, b"", TryLater),
        (503, b"", TryLater),
        (404, b"", ProviderError),
    ],
)
async def test_what_a_provider_says_instead(
    tmp_path: Path,
    name: str,
    status: int,
    body: object,
    expected: type[ProviderError] | tuple[type[ProviderError], ...],
) -> None:
    said = await shown_instead(BANK_RIGS[name](tmp_path), answering(status, body))
    assert isinstance(said, expected)
