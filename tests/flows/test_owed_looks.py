"""The look at transactions that is still to be made: he was not back yet, or the copy not ready."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import cast

import pytest

from app.boundary import guard
from app.domain.errors import TryLater
from app.domain.ids import Secret
from app.domain.money import Money
from app.flows.consents.finish_bank_consent import Back
from app.flows.consents.open_consent import open_return
from app.ports import AggregationPort, Grant
from app.side_ports import Moved
from app.store.unit import Store
from tests.flows.account_bank import AccountBank
from tests.flows.lane import Lane, consent, make_lane, newcomer
from tests.flows.street import HERE
from tests.flows.test_bills import PURPOSES, RENT, ShowingBank, looks, showing

pytestmark = pytest.mark.anyio

# ------------------------------------------------------------------ in force before he is back


async def begun_alone(lane: Lane) -> str:
    """He said yes at his bank and is not back yet; we asked the bank ourselves. His way back."""
    token = await lane.ask(await newcomer(lane), PURPOSES)
    assert await lane.choose(token, PURPOSES)
    way_back = await lane.leave(token)
    lane.bank.says_yes()
    await lane.later(hours=1)
    await lane.follow()
    assert (await consent(lane)).state == "active"
    return way_back


async def test_a_consent_in_force_before_he_is_back_gets_its_look_with_him(store: Store) -> None:
    bank = ShowingBank()
    lane = await showing(store, bank)
    way_back = await begun_alone(lane)
    assert (bank.asked, await looks(lane)) == ([], []), "he is not there"
    page = await open_return(lane.house, lane.now, way_back)
    assert page.consent is not None
    assert page.consent.waits_for_him, "so the page asks for one more tap"
    done = await lane.come_back(way_back)
    assert (done.back, bank.asked) == (Back.ACTIVE, [HERE])
    assert await looks(lane) == [(True, "read", "")]
    # Pressing again asks nobody a second time, not even for the list.
    listed = len(bank.list_calls)
    await lane.come_back(way_back)
    page = await open_return(lane.house, lane.now, way_back)
    assert page.consent is not None
    assert (len(bank.asked), len(bank.list_calls), page.consent.waits_for_him) == (1, listed, False)
    assert await lane.upright()


async def test_now_is_over_after_a_day(store: Store) -> None:
    bank = ShowingBank()
    lane = await showing(store, bank)
    way_back = await begun_alone(lane)
    await lane.later(days=1)
    await lane.come_back(way_back)
    assert (bank.asked, await looks(lane)) == ([], [])


# ------------------------------------------------------------------ a copy at the provider


@dataclass(slots=True)
class CopyingProvider(AccountBank):
    """A provider that fetched the transactions itself, and takes a while until it has them."""

    ready: bool = False
    asked: int = 0

    async def copied_transactions(
        self, _grant: Grant, _ref: Secret, _since: date
    ) -> tuple[Moved, ...]:
        self.asked += 1
        if not self.ready:
            raise TryLater("NOT_READY")
        return (Moved(date(2026, 2, 5), Money(-RENT, "EUR")),)


async def copying(store: Store, bank: CopyingProvider) -> Lane:
    bank.known = tuple(replace(one, attended_reads_count=True) for one in bank.known)
    lane = await make_lane(store, reads_bills=True)
    lane.bank = bank
    port = cast("AggregationPort", guard(bank, "berlin_group"))
    lane.street.house = replace(lane.street.house, aggregations={"berlin_group": port})
    return lane


async def test_a_copy_is_taken_without_him_once_it_is_complete(store: Store) -> None:
    bank = CopyingProvider()
    lane = await copying(store, bank)
    way_back = await begun_alone(lane)
    assert bank.consents["consent-1"].ask.transactions
    assert await looks(lane) == [(True, "failed", "TryLater")]
    page = await open_return(lane.house, lane.now, way_back)
    assert page.consent is not None
    assert not page.consent.waits_for_him, "he is kept from nothing"
    bank.ready = True
    await lane.later(minutes=3)
    await lane.follow()
    assert (await looks(lane))[1:] == [(True, "read", "")]
    assert await lane.street.value("SELECT count(*) FROM income_profiles") == 1
    await lane.later(minutes=3)
    await lane.follow()
    assert bank.asked == 2, "one look, and no other"
    assert await lane.upright()


async def test_a_copy_that_never_comes_is_not_asked_for_all_day(store: Store) -> None:
    bank = CopyingProvider()
    lane = await copying(store, bank)
    await begun_alone(lane)
    for _ in range(60):
        await lane.later(minutes=2)
        await lane.follow()
    assert 10 < bank.asked < 20
    assert await lane.upright()


async def test_transactions_counted_by_themselves_are_looked_at_with_him(store: Store) -> None:
    bank = ShowingBank()
    bank.known = tuple(
        replace(one, attended_reads_count=True, transactions_apart=True) for one in bank.known
    )
    lane = await showing(store, bank)
    way_back = await begun_alone(lane)
    assert bank.asked == []
    await lane.come_back(way_back)
    assert (bank.asked, await looks(lane)) == ([HERE], [(True, "read", "")])
