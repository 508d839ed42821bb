"""British accounts by sort code and number: one row for one account, whichever name is stated."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.domain.account import UkAccount, canonical
from app.domain.ids import Iban, Secret
from app.flows.consents.link_accounts import known_account, link_accounts
from app.flows.tidy import tidy
from app.ports import FoundAccount
from app.store.account_names import name_hash
from app.store.tables import consents
from tests.flows.lane import MONITORING, Lane, newcomer

pytestmark = pytest.mark.anyio

LONDON = Iban.parse("GB29NWBK60161331926819")  # the example of the IBAN registry
BRITISH = UkAccount("601613", "31926819")
SHOWN = "••-••-13 ••••6819"
NOT_OLD = "FROM accounts WHERE iban_hash <> 'old'"


def stated(lane: Lane, number: Iban | UkAccount | None) -> None:
    """What the bank says of its one account from now on."""
    lane.bank.found = [FoundAccount(Secret("a1"), number, "GBP")]


async def only_row(lane: Lane) -> Any:
    (row,) = await lane.street.rows(f"SELECT * {NOT_OLD}")
    return row


async def iban_in(lane: Lane, row: Any) -> str:
    async with lane.street.store.unit(lane.street.lender_id) as unit:
        return unit.open("accounts.iban_enc", row.id, row.iban_enc)


async def as_it_was(lane: Lane, row: Any) -> bytes:
    """Give a row and its attempts back the name that the IBAN had; that name."""
    old = lane.street.store.vault.digest("iban", LONDON.reveal())
    given: dict[str, Any] = {"old": old, "id": row.id, "masked": LONDON.masked}
    await lane.street.rows(
        "UPDATE accounts SET iban_hash = :old, iban_masked = :masked WHERE id = :id RETURNING 1",
        **given,
    )
    await lane.street.rows(
        "UPDATE read_attempts SET iban_hash = :old WHERE account_id = :id RETURNING 1",
        old=old,
        id=row.id,
    )
    return old


async def test_an_account_without_an_iban_is_known_again(lane: Lane) -> None:
    ana = await newcomer(lane)
    stated(lane, BRITISH)
    await lane.agree(ana, MONITORING)
    first = await only_row(lane)
    assert (first.iban_masked, first.iban_enc, first.usable) == (SHOWN, None, True)
    await lane.agree(ana, MONITORING)
    second = await only_row(lane)
    assert (second.id, second.iban_hash) == (first.id, first.iban_hash)
    assert second.ref_enc != first.ref_enc
    for row in await lane.street.rows("SELECT details::text AS said FROM timeline"):
        assert "31926819" not in row.said


async def test_with_an_iban_later_it_is_the_same_one_and_keeps_the_iban(lane: Lane) -> None:
    ana = await newcomer(lane)
    stated(lane, BRITISH)
    await lane.agree(ana, MONITORING)
    first = await only_row(lane)
    stated(lane, LONDON)
    await lane.agree(ana, MONITORING)
    second = await only_row(lane)
    assert (second.id, second.iban_masked) == (first.id, SHOWN)
    assert await iban_in(lane, second) == LONDON.reveal()
    stated(lane, BRITISH)
    await lane.agree(ana, MONITORING)
    third = await only_row(lane)
    assert third.id == first.id
    assert await iban_in(lane, third) == LONDON.reveal()
    stated(lane, UkAccount("601613", "31926818"))
    await lane.agree(ana, MONITORING)
    assert await lane.street.value(f"SELECT count(*) {NOT_OLD}") == 2


async def test_a_row_from_before_is_found_by_sort_code_with_all_it_remembers(lane: Lane) -> None:
    ana = await newcomer(lane)
    stated(lane, LONDON)
    await lane.agree(ana, MONITORING)
    first = await only_row(lane)
    await lane.set_next_read([first.id], lane.now)
    await lane.plan()
    await lane.work()
    assert await as_it_was(lane, first) != bytes(first.iban_hash)
    stated(lane, BRITISH)
    await lane.agree(ana, MONITORING)
    second = await only_row(lane)
    assert (second.id, second.iban_masked) == (first.id, SHOWN)
    names = await lane.street.rows("SELECT DISTINCT iban_hash FROM read_attempts")
    assert [bytes(row.iban_hash) for row in names] == [bytes(second.iban_hash)]
    assert await iban_in(lane, second) == LONDON.reveal()


async def test_tidying_gives_every_row_of_an_account_its_one_name(lane: Lane) -> None:
    """A couple's account; another one keeps its name, and a second round does nothing."""
    ana, eva = await newcomer(lane), await newcomer(lane)
    stated(lane, LONDON)
    await lane.agree(ana, MONITORING)
    await lane.agree(eva, MONITORING)
    rows = await lane.street.rows(f"SELECT * {NOT_OLD} ORDER BY id")
    for row in rows:
        await lane.set_next_read([row.id], lane.now)
        await lane.plan()
        await lane.work()
        await as_it_was(lane, row)
    stated(lane, Iban.parse("ES9121000418450200051332"))
    await lane.agree(eva, MONITORING)
    await tidy(lane.house, lane.now)
    await tidy(lane.house, lane.now)
    name = name_hash(lane.street.store.vault, BRITISH)
    found = await lane.street.rows(
        f"SELECT id, iban_hash, iban_masked {NOT_OLD} AND currency = 'GBP' ORDER BY id"
    )
    british = [row for row in found if row.iban_masked == SHOWN]
    assert [row.id for row in british] == [row.id for row in rows]
    assert {bytes(row.iban_hash) for row in british} == {name}
    assert [row.iban_masked for row in found if row not in british] == ["ES•• •••• 1332"]
    attempts = await lane.street.rows("SELECT iban_hash FROM read_attempts")
    assert len(attempts) >= 2
    assert {bytes(row.iban_hash) for row in attempts} == {name}
    assert await lane.upright()


async def test_one_that_had_no_number_until_now_gets_it(lane: Lane) -> None:
    """Its bank's id was its name; the day a number is stated under that id, the number is."""
    ana = await newcomer(lane)
    stated(lane, None)
    done = await lane.agree(ana, MONITORING)
    first = await only_row(lane)
    ref = Secret("consent-1/a1")
    async with lane.street.store.unit(lane.street.lender_id) as unit:
        query = select(consents).where(consents.c.id == done.consent_id)
        consent = (await unit.conn.execute(query)).one()

        async def linked(number: Iban | UkAccount | None, ref: Secret) -> list[UUID]:
            found = [FoundAccount(ref, number, "GBP")]
            return await link_accounts(unit, lane.now, consent, found, take_over=True)

        assert await linked(None, ref) == [first.id]
        assert await linked(BRITISH, ref) == [first.id]
        assert await linked(LONDON, Secret("another")) == [first.id]
        seen = await known_account(unit, consent, FoundAccount(Secret("x"), BRITISH, "GBP"))
        assert seen is not None
        assert (seen.id, seen.iban_masked) == (first.id, canonical(LONDON).masked)
        assert await known_account(unit, consent, FoundAccount(Secret("x"), None, "GBP")) is None


# ------------------------------------------------------------------ a provider's lasting word


def named(ref: str, word: str | None, number: Iban | None = None) -> FoundAccount:
    return FoundAccount(Secret(ref), number, "GBP", lasting=Secret(word) if word else None)


async def test_a_provider_may_have_a_lasting_word_for_an_account_without_a_number(
    lane: Lane,
) -> None:
    """Enable Banking gives another id in every session, and a hash that stays."""
    ana = await newcomer(lane)
    lane.bank.found = [named("u1", "hash")]
    await lane.agree(ana, MONITORING)
    first = await only_row(lane)
    lane.bank.found = [named("u2", "hash")]
    await lane.agree(ana, MONITORING)
    second = await only_row(lane)
    assert second.id == first.id
    assert second.ref_enc != first.ref_enc
    # The day it comes with a number it is the same one, and stays it.
    lane.bank.found = [named("u3", "hash", LONDON)]
    await lane.agree(ana, MONITORING)
    lane.bank.found = [named("u4", None, LONDON)]
    await lane.agree(ana, MONITORING)
    assert (await only_row(lane)).id == first.id
    lane.bank.found = [named("u5", "another")]
    await lane.agree(ana, MONITORING)
    assert await lane.street.value(f"SELECT count(*) {NOT_OLD}") == 2


async def test_a_row_that_was_known_by_the_id_alone_gets_the_lasting_word(lane: Lane) -> None:
    ana = await newcomer(lane)
    lane.bank.found = [named("a1", None)]
    done = await lane.agree(ana, MONITORING)
    first = await only_row(lane)
    async with lane.street.store.unit(lane.street.lender_id) as unit:
        query = select(consents).where(consents.c.id == done.consent_id)
        consent = (await unit.conn.execute(query)).one()
        for ref in ("consent-1/a1", "consent-2/a1"):
            found = [named(ref, "hash")]
            rows = await link_accounts(unit, lane.now, consent, found, take_over=True)
            assert rows == [first.id]
