"""Reading at the banks: how the four reads are counted, what consents allow, what goes wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from sandbox.allowance import Allowance
from sandbox.banks import BY_ID, IN_EURO, Bank, Window
from sandbox.modes import BankMode, Mode
from sandbox.people import Person
from tests.sandbox.rig import ADDRESS, Town

pytestmark = pytest.mark.anyio


def amounts(answer: httpx.Response) -> dict[str, str]:
    """Kind -> amount of a balance answer; kinds with a credit limit in them carry a plus."""
    return {
        one["balanceType"] + ("+" if one.get("creditLimitIncluded") else ""): one["balanceAmount"][
            "amount"
        ]
        for one in answer.json()["balances"]
    }


async def read(
    town: Town, person: Person, consent_id: str, times: int, **every: float
) -> list[int]:
    """Statuses of several unattended reads, the clock moved between them."""
    seen = []
    for _ in range(times):
        seen.append((await town.balances(person, consent_id)).status_code)
        town.clock.forward(**every)
    return seen


# ---------------------------------------------------------------- the four reads


async def test_a_rolling_day_refuses_the_fifth_read_until_the_first_is_a_day_old(
    town: Town,
) -> None:
    ana = town.world.add_person("Ana", bank_id="luz")
    consent_id = await town.consent(ana)
    assert await read(town, ana, consent_id, 5, hours=2) == [200, 200, 200, 200, 429]
    refused = await town.balances(ana, consent_id)
    assert refused.json()["tppMessages"][0]["code"] == "ACCESS_EXCEEDED"
    assert int(refused.headers["retry-after"]) == 14 * 3600
    town.clock.forward(hours=13, minutes=59)
    assert (await town.balances(ana, consent_id)).status_code == 429
    town.clock.forward(minutes=1)
    assert (await town.balances(ana, consent_id)).status_code == 200


async def test_a_calendar_day_frees_the_reads_at_the_banks_own_midnight(town: Town) -> None:
    ana = town.world.add_person("Ana", bank_id="ribera")
    town.clock.at = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
    consent_id = await town.consent(ana)
    assert await read(town, ana, consent_id, 5, minutes=30) == [200, 200, 200, 200, 429]
    assert "retry-after" not in (await town.balances(ana, consent_id)).headers
    town.clock.at = datetime(2026, 3, 2, 22, 59, 59, tzinfo=UTC)
    assert (await town.balances(ana, consent_id)).status_code == 429
    town.clock.at = datetime(2026, 3, 2, 23, 0, tzinfo=UTC)  # midnight in Madrid
    assert (await town.balances(ana, consent_id)).status_code == 200


def test_a_calendar_day_of_23_hours_ends_at_its_own_midnight() -> None:
    bank, counts = BY_ID["ribera"], Allowance()
    early = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)  # midnight before clocks change in Madrid
    for hour in range(4):
        counts.count("k", (early + timedelta(hours=hour)).timestamp())
    at = datetime(2026, 3, 29, 21, 30, tzinfo=UTC)
    refused = counts.ask(bank, "k", 4, at, Window.CALENDAR)
    assert not refused.allowed
    assert refused.free_in == 30 * 60
    assert counts.ask(bank, "k", 4, at + timedelta(minutes=30), Window.CALENDAR).allowed


async def test_a_grace_after_a_counted_read_is_free(town: Town) -> None:
    ewa = town.world.add_person("Ewa", bank_id="wisla")
    consent_id = await town.consent(ewa)
    assert await read(town, ewa, consent_id, 8, minutes=1) == [200] * 8
    town.clock.forward(hours=1)
    assert await read(town, ewa, consent_id, 3, hours=1) == [200, 200, 429]


async def test_reads_with_the_person_present_are_never_counted(town: Town) -> None:
    ana = town.world.add_person("Ana")
    consent_id = await town.consent(ana)
    for _ in range(9):
        answer = await town.balances(ana, consent_id, PSU_IP_Address=ADDRESS)
        assert answer.status_code == 200
    assert await read(town, ana, consent_id, 5, minutes=1) == [200, 200, 200, 200, 429]
    answer = await town.balances(ana, consent_id, PSU_IP_Address=ADDRESS)
    assert answer.status_code == 200


async def test_counters_belong_to_account_and_endpoint(town: Town) -> None:
    ana = town.world.add_person("Ana", second=True)
    consent_id = await town.consent(ana)
    assert await read(town, ana, consent_id, 4, minutes=1) == [200] * 4
    other = ana.accounts[1].iban
    assert (await town.balances(ana, consent_id, other)).status_code == 200
    assert (await town.accounts(ana, consent_id)).status_code == 200
    assert (await town.balances(ana, consent_id)).status_code == 429


async def test_a_frequency_below_four_is_kept(town: Town) -> None:
    ana = town.world.add_person("Ana")
    consent_id = await town.consent(ana, frequency=2)
    assert await read(town, ana, consent_id, 3, minutes=1) == [200, 200, 429]


async def test_the_ledger_sees_an_allowance_that_was_broken(town: Town) -> None:
    ana = town.world.add_person("Ana")
    consent_id = await town.consent(ana)
    await read(town, ana, consent_id, 4, minutes=1)
    assert town.world.over_allowance() == []
    renewed = await town.consent(ana)
    await read(town, ana, renewed, 1)
    assert len(town.world.over_allowance()) == 1, "a renewal gives no new allowance by law"


# ---------------------------------------------------------------- consents


async def test_the_bank_cuts_a_window_that_is_too_long(town: Town) -> None:
    ana = town.world.add_person("Ana", bank_id="ribera")
    consent_id = await town.consent(ana, days=2000)
    shown = await town.ask("GET", f"/banks/ribera/psd2/v1/consents/{consent_id}")
    assert shown.json()["validUntil"] == "2026-05-31"
    assert shown.json()["consentStatus"] == "valid"


@pytest.mark.parametrize(("bank_id", "status"), [("luz", 401), ("ribera", 400)])
async def test_a_consent_ends_at_the_banks_midnight(town: Town, bank_id: str, status: int) -> None:
    ana = town.world.add_person("Ana", bank_id=bank_id)
    consent_id = await town.consent(ana, days=2)
    town.clock.at = datetime(2026, 3, 4, 22, 59, 59, tzinfo=UTC)
    assert (await town.balances(ana, consent_id)).status_code == 200
    town.clock.forward(seconds=1)
    ended = await town.balances(ana, consent_id)
    assert ended.status_code == status
    assert "CONSENT_EXPIRED" in ended.text
    path = f"/banks/{bank_id}/psd2/v1/consents/{consent_id}/status"
    assert (await town.ask("GET", path)).json()["consentStatus"] == "expired"


async def test_a_new_recurring_consent_ends_the_earlier_one_of_the_same_person(
    town: Town,
) -> None:
    ana, eva = (town.world.add_person(name) for name in ("Ana", "Eva"))
    first, hers = await town.consent(ana), await town.consent(eva)
    once = await town.consent(ana, recurring=False, frequency=1)
    assert (await town.balances(ana, first)).status_code == 200
    waiting = await town.consent(ana, allow=False)
    assert (await town.balances(ana, first)).status_code == 200, "not before it is authorised"
    second = await town.consent(ana)
    assert (await town.balances(ana, first)).status_code == 401
    for consent_id, person in ((second, ana), (once, ana), (hers, eva)):
        assert (await town.balances(person, consent_id)).status_code == 200
    path = f"/banks/luz/psd2/v1/consents/{waiting}/status"
    assert (await town.ask("GET", path)).json()["consentStatus"] == "received"


@pytest.mark.parametrize("bank", IN_EURO, ids=lambda bank: bank.id)
async def test_a_renewal_gives_new_account_ids_where_the_bank_does_so(
    town: Town, bank: Bank
) -> None:
    ana = town.world.add_person("Ana", bank_id=bank.id)
    first, second = await town.consent(ana), await town.consent(ana)
    ids = {town.resource(key, ana.iban) for key in (first, second)}
    assert len(ids) == (2 if bank.new_ids_on_renewal else 1)
    town.world.set_mode(ana.id, Mode.NEW_IDS_ON_RENEWAL)
    third = await town.consent(ana)
    assert town.resource(third, ana.iban) not in ids
    listed = (await town.accounts(ana, third)).json()["accounts"]
    assert [one["iban"] for one in listed] == [ana.iban]


@pytest.mark.parametrize(("bank_id", "ends"), [("luz", "rejected"), ("ribera", "expired")])
async def test_an_unanswered_consent_lapses(town: Town, bank_id: str, ends: str) -> None:
    ana = town.world.add_person("Ana", bank_id=bank_id)
    consent_id = await town.consent(ana, allow=False)
    path = f"/banks/{bank_id}/psd2/v1/consents/{consent_id}/status"
    assert (await town.ask("GET", path)).json()["consentStatus"] == "received"
    town.clock.forward(days=2)
    assert (await town.ask("GET", path)).json()["consentStatus"] == ends


async def test_a_revocation_at_the_bank_stops_reads_at_once(town: Town) -> None:
    ana = town.world.add_person("Ana")
    consent_id = await town.consent(ana)
    assert town.world.revoke_all(ana.id) == 1
    assert (await town.balances(ana, consent_id)).status_code == 401
    path = f"/banks/luz/psd2/v1/consents/{consent_id}/status"
    assert (await town.ask("GET", path)).json()["consentStatus"] == "revokedByPsu"


async def test_a_consent_of_another_bank_or_account_opens_nothing(town: Town) -> None:
    ana, eva = (town.world.add_person(name) for name in ("Ana", "Eva"))
    mine, hers = await town.consent(ana), await town.consent(eva)
    foreign = town.resource(hers, eva.iban)
    path = f"/banks/luz/psd2/v1/accounts/{foreign}/balances"
    assert (await town.ask("GET", path, Consent_ID=mine)).status_code == 404
    elsewhere = path.replace("/luz/", "/foerde/")
    assert (await town.ask("GET", elsewhere, Consent_ID=mine)).status_code == 403


async def test_an_account_of_another_bank_cannot_be_asked_for(town: Town) -> None:
    ana = town.world.add_person("Ana", bank_id="luz")
    jan = town.world.add_person("Jan", bank_id="wisla")
    with pytest.raises(AssertionError, match="not kept at this bank"):
        await town.consent(ana, ibans=[jan.iban])


# ---------------------------------------------------------------- what the bank says


async def test_each_bank_says_balances_in_its_own_way(town: Town) -> None:
    said = {}
    for bank in IN_EURO:
        person = town.world.add_person("P", bank_id=bank.id, opening_minor=10_000, limit_minor=500)
        said[bank.id] = amounts(await town.balances(person, await town.consent(person)))
    assert said["luz"] == {
        "interimAvailable": "100.00", "interimAvailable+": "105.00",
        "interimBooked": "100.00", "closingBooked": "100.00",
    }  # fmt: skip
    assert said["wisla"] == {"interimAvailable": "105.00", "interimBooked": "100.00"}
    assert said["foerde"] == {"interimBooked": "100.00", "expected": "100.00"}
    assert said["ribera"]["expected"] == "100.00"


async def test_money_on_its_way_is_booked_and_no_longer_available(town: Town) -> None:
    ana = town.world.add_person("Ana", opening_minor=50_000)
    consent_id = await town.consent(ana)
    town.pay(ana, await town.payment(ana, "120.50"))
    said = amounts(await town.balances(ana, consent_id))
    assert (said["interimAvailable"], said["interimBooked"]) == ("379.50", "500.00")
    town.clock.forward(minutes=11)
    said = amounts(await town.balances(ana, consent_id))
    assert (said["interimAvailable"], said["interimBooked"]) == ("379.50", "379.50")


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (Mode.ONLY_AVAILABLE_WITH_LIMIT, {"interimAvailable+": "2100.00"}),
        (Mode.LIMIT_UNSTATED, {"interimAvailable": "2100.00", "interimBooked": "100.00"}),
        (Mode.EMPTY_BALANCES, {}),
        (Mode.UNKNOWN_TYPES, {"previouslyClosedBooked": "100.00", "information": "877.00"}),
    ],
)
async def test_balances_that_mislead(town: Town, mode: Mode, said: dict[str, str]) -> None:
    ana = town.world.add_person("Ana", opening_minor=10_000)
    consent_id = await town.consent(ana)
    town.world.set_mode(ana.id, mode)
    assert amounts(await town.balances(ana, consent_id)) == said
    town.world.set_mode(ana.id, mode, on=False)
    assert amounts(await town.balances(ana, consent_id))["interimBooked"] == "100.00"


async def test_a_frozen_figure_keeps_its_old_date(town: Town) -> None:
    ana = town.world.add_person("Ana", opening_minor=10_000)
    consent_id = await town.consent(ana)
    town.world.set_mode(ana.id, Mode.FROZEN_OLD_DATE)
    town.world.town.set_balance(ana.iban, 99_900)
    town.clock.forward(days=3)
    answer = await town.balances(ana, consent_id)
    assert set(amounts(answer).values()) == {"100.00"}
    assert {one["referenceDate"] for one in answer.json()["balances"]} == {"2026-02-21"}


async def test_figures_of_now_may_bear_the_date_of_the_next_weekday(town: Town) -> None:
    ana = town.world.add_person("Ana", opening_minor=10_000)
    consent_id = await town.consent(ana)
    town.world.set_mode(ana.id, Mode.DATED_AHEAD)
    dates = {}
    for _ in range(7):
        here = town.clock.at.astimezone(town.world.town.accounts[ana.iban].bank.zone)
        listed = (await town.balances(ana, consent_id)).json()["balances"]
        of_now = {one["referenceDate"] for one in listed if one["balanceType"] != "closingBooked"}
        (stated,) = of_now
        dates[here.weekday()] = (date.fromisoformat(stated) - here.date()).days
        town.clock.forward(days=1)
    assert dates == {0: 0, 1: 0, 2: 0, 3: 0, 4: 0, 5: 2, 6: 1}
    town.clock.forward(hours=12)
    (evening,) = {
        one["referenceDate"]
        for one in (await town.balances(ana, consent_id)).json()["balances"]
        if one["balanceType"] != "closingBooked"
    }
    assert date.fromisoformat(evening) > town.clock.at.date()


async def test_one_of_two_accounts_fails(town: Town) -> None:
    ana = town.world.add_person("Ana", opening_minor=10_000, second=True)
    consent_id = await town.consent(ana)
    town.world.set_mode(ana.id, Mode.SECOND_ACCOUNT_ERROR)
    assert (await town.balances(ana, consent_id)).status_code == 200
    assert (await town.balances(ana, consent_id, ana.accounts[1].iban)).status_code == 500


async def test_consent_expired_in_both_dialects(town: Town) -> None:
    for mode, status in ((Mode.EXPIRED_AS_400, 400), (Mode.EXPIRED_AS_401, 401)):
        ana = town.world.add_person("Ana")
        consent_id = await town.consent(ana)
        town.world.set_mode(ana.id, mode)
        answer = await town.balances(ana, consent_id)
        assert (answer.status_code, "CONSENT_EXPIRED" in answer.text) == (status, True)


async def test_somebody_revokes_after_some_reads(town: Town) -> None:
    ana = town.world.add_person("Ana")
    consent_id = await town.consent(ana)
    town.world.set_mode(ana.id, Mode.REVOKED_MIDWAY, 3)
    assert await read(town, ana, consent_id, 4, hours=1) == [200, 200, 200, 401]


async def test_an_authorisation_that_is_stuck(town: Town) -> None:
    ana = town.world.add_person("Ana")
    town.world.set_mode(ana.id, Mode.AUTHORISATION_STUCK)
    consent_id = await town.consent(ana)
    town.clock.forward(days=30)
    path = f"/banks/luz/psd2/v1/consents/{consent_id}/status"
    assert (await town.ask("GET", path)).json()["consentStatus"] == "received"


@pytest.mark.parametrize(
    ("mode", "header"),
    [
        (Mode.LIMITED_AT_ONCE, "86400"),
        (Mode.LIMIT_RESET_NEGATIVE, "-1875538"),
        (Mode.LIMIT_RESET_MISSING, None),
    ],
)
async def test_how_a_limit_is_said(town: Town, mode: Mode, header: str | None) -> None:
    ana = town.world.add_person("Ana")
    consent_id = await town.consent(ana)
    if mode is not Mode.LIMITED_AT_ONCE:
        await read(town, ana, consent_id, 4)
    town.world.set_mode(ana.id, mode)
    answer = await town.balances(ana, consent_id)
    assert answer.status_code == 429
    assert answer.headers.get("retry-after") == header


async def test_a_limit_in_the_banks_own_words(town: Town) -> None:
    ana = town.world.add_person("Ana")
    consent_id = await town.consent(ana)
    town.world.set_mode(ana.id, Mode.LIMIT_OWN_SHAPE)
    await read(town, ana, consent_id, 4)
    answer = await town.balances(ana, consent_id)
    assert answer.status_code == 429
    assert answer.json() == {"code": 429, "description": "Access limit exceeded"}


async def test_the_window_can_be_changed_for_one_person(town: Town) -> None:
    for bank_id, mode in (("luz", Mode.LIMIT_CALENDAR), ("ribera", Mode.LIMIT_ROLLING)):
        town.clock.at = datetime(2026, 3, 2, 22, 0, tzinfo=UTC)
        ana = town.world.add_person("Ana", bank_id=bank_id)
        town.world.set_mode(ana.id, mode)
        consent_id = await town.consent(ana)
        assert await read(town, ana, consent_id, 4) == [200] * 4
        town.clock.at = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
        after_midnight = (await town.balances(ana, consent_id)).status_code
        assert after_midnight == (200 if mode is Mode.LIMIT_CALENDAR else 429)


async def test_a_whole_bank_answers_401_and_ends_no_consent(town: Town) -> None:
    ana = town.world.add_person("Ana")
    consent_id = await town.consent(ana)
    town.world.town.set_bank_mode("luz", BankMode.OUTAGE_401, 3)
    answer = await town.balances(ana, consent_id)
    assert answer.status_code == 401
    assert "CONSENT" not in answer.text
    town.clock.forward(hours=3)
    assert (await town.balances(ana, consent_id)).status_code == 200


async def test_a_whole_bank_refuses_unattended_reads(town: Town) -> None:
    ana = town.world.add_person("Ana")
    consent_id = await town.consent(ana)
    town.world.town.set_bank_mode("luz", BankMode.LIMITED_AT_ONCE)
    assert (await town.balances(ana, consent_id)).status_code == 429
    attended = await town.balances(ana, consent_id, PSU_IP_Address=ADDRESS)
    assert attended.status_code == 200


async def test_account_lists_are_counted_by_consent(town: Town) -> None:
    people = [town.world.add_person(f"P{number}") for number in range(6)]
    for person in people:
        assert (await town.accounts(person, await town.consent(person))).status_code == 200
    assert town.world.over_allowance() == []
    consent_id = await town.consent(people[0])
    for _ in range(5):
        await town.accounts(people[0], consent_id)
    assert [one["endpoint"] for one in town.world.over_allowance()] == ["accounts"]
