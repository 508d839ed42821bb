"""One decision a case, one message a person, and everything that decides otherwise."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.detector import Cover
from app.domain.hold import HoldKind
from app.domain.message import Channel
from app.flows.messages.opt_out import opt_out
from app.flows.signals.decide_signals import decide_signals
from app.flows.work.set_hold import set_hold
from app.reports.observe import observe_report
from app.store.unit import Store
from tests.flows.street import PUBLIC, Neighbour, Street, make_street

pytestmark = pytest.mark.anyio


async def decisions(street: Street, who: Neighbour) -> list[tuple[str, str]]:
    """(rule, first step) of each decision about him."""
    rows = await street.rows(
        "SELECT details FROM timeline WHERE borrower_id = :id AND kind = 'decision' "
        "ORDER BY at, id",
        id=who.id,
    )
    return [(row.details["rule"], row.details["steps"][0]["do"]) for row in rows]


async def test_one_message_for_all_his_cases(street: Street) -> None:
    who = await street.neighbour(dues=(7_000, 5_000, 3_000))
    await street.money_seen(who)
    await street.tick()
    assert street.texts_to(who) == 1
    assert sorted(await street.value("SELECT case_ids FROM messages")) == sorted(who.cases)
    assert await decisions(street, who) == [("funds_seen", "ask_to_pay")] * 3


async def test_the_text_says_nothing_and_the_link_is_random(street: Street) -> None:
    who = await street.neighbour()
    await street.money_seen(who)
    await street.tick()
    body = street.carrier.taken[0].sms.body
    token = street.token_on(who)
    assert body == (
        f"Préstamos Sol: tiene un mensaje: {PUBLIC}/p/{token} Para no recibir estos SMS, "
        "responda BAJA o use el enlace."
    )
    assert len(token) == 22
    # Nowhere in the database, except sealed: not the token, not the text, not the number.
    for table, column in (
        ("messages", "body_enc"),
        ("messages", "to_enc"),
        ("messages", "marker_enc"),
    ):
        sealed = bytes(await street.value(f"SELECT {column} FROM {table}"))
        assert token.encode() not in sealed
        assert who.phone.encode() not in sealed
    told = await street.value("SELECT string_agg(details::text, '') FROM timeline")
    assert token not in told
    assert who.phone not in told


async def test_the_decision_can_be_replayed(street: Street) -> None:
    who = await street.neighbour()
    signal_id = await street.money_seen(who)
    await street.work_off()
    details = await street.value("SELECT details FROM timeline WHERE kind = 'decision'")
    situation = details["situation"]
    assert situation["owed"] == {"minor": 12_000, "currency": "EUR"}
    assert situation["funds"] == {
        "signal_id": str(signal_id),
        "kind": "enough",
        "cover": "whole",
        "margin_band": "ample",
        "seen_at": street.now.isoformat(),
    }
    verdict = await street.value("SELECT verdict FROM messages")
    assert verdict["allowed"] is True
    assert {"es.hours", "es.holidays", "opt_out", "hold"} <= {
        check["rule"] for check in verdict["checks"]
    }
    assert all(check["source"] for check in verdict["checks"])


async def test_run_again_it_does_nothing(street: Street) -> None:
    who = await street.neighbour()
    ids = [await street.money_seen(who)]
    await asyncio.gather(*(decide_signals(street.house, street.now, ids) for _ in range(4)))
    await decide_signals(street.house, street.now, ids)
    assert await street.states("messages", who) == ["queued"]
    assert len(await decisions(street, who)) == 1


async def test_a_second_signal_while_a_link_is_with_him_waits(street: Street) -> None:
    who = await street.neighbour()
    await street.money_seen(who)
    await street.tick()
    await street.money_seen_again(who)
    await street.tick()
    assert street.texts_to(who) == 1
    assert (await decisions(street, who))[-1] == ("link_is_out", "wait")


async def test_a_second_signal_while_a_text_is_queued_waits(street: Street) -> None:
    street.hands.now = datetime(2026, 3, 3, 22, 0, tzinfo=UTC)
    who = await street.neighbour()
    await street.money_seen(who)
    await street.money_seen_again(who)
    await street.work_off()
    assert await street.states("messages", who) == ["queued"]


async def test_money_for_a_part_asks_too_and_for_none_does_not(street: Street) -> None:
    some = await street.neighbour()
    await street.money_seen(some, Cover.PART)
    none = await street.neighbour()
    await street.money_seen(none, Cover.NONE)
    await street.tick()
    assert (street.texts_to(some), street.texts_to(none)) == (1, 0)


@pytest.mark.parametrize(
    ("lacks", "task"),
    [
        ({"phone": ""}, "sms_blocked"),
        ({"birth_date": None, "document_last4": None}, "identity_check_failed"),
    ],
)
async def test_who_cannot_be_reached_is_a_person_s(
    street: Street, lacks: dict[str, Any], task: str
) -> None:
    who = await street.neighbour(**lacks)
    await street.money_seen(who)
    await street.tick()
    assert street.carrier.taken == []
    assert await street.tasks(who) == [task]


async def test_who_opted_out_is_never_texted(street: Street) -> None:
    who = await street.neighbour()
    async with street.store.unit(street.lender_id) as unit:
        assert await opt_out(
            unit, street.now, borrower_id=who.id, channel=Channel.SMS, source="api"
        )
        assert not await opt_out(
            unit, street.now, borrower_id=who.id, channel=Channel.SMS, source="api"
        )
    await street.money_seen(who)
    await street.tick()
    assert street.carrier.taken == []
    assert await street.tasks(who) == ["opted_out"]
    await street.tick()
    assert street.system.events().count("borrower.opted_out") == 1


async def test_on_hold_nothing_is_done_and_no_task_either(street: Street) -> None:
    who = await street.neighbour()
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit,
            street.now,
            borrower_id=who.id,
            case_id=None,
            kind=HoldKind.DECEASED,
            reason="the daughter called",
            ends_at=None,
            set_by="eva",
        )
    await street.money_seen(who)
    await street.tick()
    assert street.carrier.taken == []
    assert await street.tasks(who) == []
    assert await decisions(street, who) == [("on_hold", "wait")]


@pytest.mark.parametrize(
    ("signals_act", "texts", "tasks"),
    [("automatic", 1, []), ("collector", 0, ["collector_acts"]), ("both", 1, ["collector_acts"])],
)
async def test_who_acts_on_a_signal_is_the_lender_s_choice(
    store: Store, signals_act: str, texts: int, tasks: list[str]
) -> None:
    street = await make_street(store, signals_act=signals_act)
    who = await street.neighbour()
    await street.money_seen(who)
    await street.tick()
    assert street.texts_to(who) == texts
    assert await street.tasks(who) == tasks


async def test_observe_only_sends_nothing_and_says_what_it_would_have_sent(store: Store) -> None:
    street = await make_street(store, observe_only=True)
    ana, eva = await street.neighbour(), await street.neighbour(dues=(7_000, 5_000))
    began = street.now
    await street.money_seen(ana)
    await street.money_seen(eva)
    await street.days_pass(1.2, minutes=180)
    # Seen again within the week: the caps are kept as the real thing would keep them.
    for _ in range(4):
        await street.money_seen_again(ana)
        await street.days_pass(0.05, minutes=36)
    assert street.carrier.taken == []
    assert await street.value("SELECT count(*) FROM payment_links") == 0
    assert await street.value("SELECT count(*) FROM contacts") == 0
    await street.repaid(eva, "cash")
    async with street.store.unit(street.lender_id) as unit:
        report = await observe_report(unit, since=began, until=street.now + timedelta(days=1))
    assert report.signals == 6
    assert report.people == 2
    assert report.texts == len(report.newest)
    assert 3 <= report.texts <= 6
    assert report.rules["funds_seen"] >= 6
    his = [one for one in report.newest if one.borrower_ref == eva.ref]
    assert [(one.cases, one.paid_anyway) for one in his] == [(2, 1)]
    assert "/p/…" in his[0].body
    assert his[0].pack.startswith("ES ")
    leaving = sorted(one.at for one in report.newest if one.borrower_ref == ana.ref)
    assert all(later - earlier >= timedelta(hours=24) for earlier, later in pairwise(leaving))


async def test_a_borrower_abroad_has_his_own_hours_and_law(street: Street) -> None:
    """Eleven in Madrid is five in the morning in Bogotá."""
    who = await street.neighbour(
        phone="+573001234567", country="CO", time_zone="America/Bogota", language="es"
    )
    await street.money_seen(who)
    await street.tick()
    assert street.carrier.taken == []
    planned = await street.value("SELECT next_look_at FROM messages")
    assert planned == datetime(2026, 3, 3, 12, 0, tzinfo=UTC), "seven in Bogotá"
    verdict = await street.value("SELECT verdict FROM messages")
    assert verdict["pack"].startswith("CO ")


async def test_a_zone_stated_and_another_by_number_count_both(street: Street) -> None:
    """He says Madrid, his number says New York: nine must have come in both."""
    street.hands.now = datetime(2026, 3, 3, 8, 30, tzinfo=UTC)
    who = await street.neighbour(phone="+12125550123", time_zone="Europe/Madrid")
    await street.money_seen(who)
    await street.work_off()
    planned = await street.value("SELECT next_look_at FROM messages")
    assert planned == datetime(2026, 3, 3, 14, 0, tzinfo=UTC), "nine in New York"


async def test_holidays_are_his(street: Street) -> None:
    street.hands.now = datetime(2026, 1, 6, 10, 0, tzinfo=UTC)
    who = await street.neighbour()
    await street.money_seen(who)
    await street.tick()
    assert street.carrier.taken == [], "Epiphany"
    planned = await street.value("SELECT next_look_at FROM messages")
    assert planned.date() == date(2026, 1, 7)


async def test_lost_decisions_are_found(street: Street) -> None:
    who = await street.neighbour()
    await street.money_seen(who)
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE procrastinate_jobs SET status = 'succeeded'"))
    await street.tick()
    assert street.carrier.taken == []
    await street.minutes_pass(6, 1)
    assert street.texts_to(who) == 1
