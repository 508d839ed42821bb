"""What was true when a text was queued counts for nothing when it is about to leave."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from app.domain.hold import HoldKind
from app.domain.message import Channel
from app.flows.consents.end_consent import end_consent
from app.flows.lenders.set_observe_only import set_observe_only
from app.flows.lenders.stop_switch import set_switch
from app.flows.messages.opt_out import opt_out
from app.flows.money.confirm_owed import confirm_owed
from app.flows.work.set_hold import set_hold
from app.store.brakes import Brake
from app.store.contacts import note_contact
from app.store.loans import Scheduled
from tests.flows.street import MORNING, Neighbour, Street

pytestmark = pytest.mark.anyio

NIGHT = datetime(2026, 3, 3, 21, 30, tzinfo=UTC)
FRIDAY_EVENING = datetime(2026, 3, 6, 20, 30, tzinfo=UTC)


async def queued(street: Street, *, dues: tuple[int, ...] = (12_000,)) -> Neighbour:
    """A text that is queued and could leave now."""
    who = await street.neighbour(dues=dues)
    await street.money_seen(who)
    await street.work_off()
    return who


async def why(street: Street, who: Neighbour) -> tuple[str, str | None]:
    query = "SELECT state, cancel_reason FROM messages WHERE borrower_id = :id"
    row = (await street.rows(query, id=who.id))[0]
    return row.state, row.cancel_reason


async def test_paid_meanwhile(street: Street) -> None:
    who = await queued(street)
    await street.repaid(who, "cash")
    await street.tick()
    assert await why(street, who) == ("cancelled", "paid")
    assert street.carrier.taken == []
    # Nobody saw its link, so it does not stand in the way of the next one.
    assert await street.states("payment_links", who) == ["withdrawn"]


async def test_one_of_two_loans_paid_meanwhile(street: Street) -> None:
    who = await queued(street, dues=(7_000, 5_000))
    await street.repaid(who, "cash")
    await street.tick()
    assert street.texts_to(who) == 1
    spoke_of = await street.value("SELECT case_ids FROM messages")
    assert spoke_of == [who.cases[1]]


async def test_a_hold_on_him_and_one_on_a_single_case(street: Street) -> None:
    who = await queued(street, dues=(7_000, 5_000))
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit,
            street.now,
            borrower_id=who.id,
            case_id=who.cases[0],
            kind=HoldKind.OTHER,
            reason="looked into",
            ends_at=None,
            set_by="eva",
        )
    await street.tick()
    assert street.texts_to(who) == 1, "the other case goes on"
    other = await queued(street)
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit,
            street.now,
            borrower_id=other.id,
            case_id=None,
            kind=HoldKind.DISPUTE,
            reason="says no",
            ends_at=None,
            set_by="eva",
        )
    await street.tick()
    assert await why(street, other) == ("cancelled", "hold")
    assert await street.value("SELECT count(*) FROM funds_signals WHERE ended_why = 'hold'") == 1


async def test_money_that_was_there_when_a_hold_ends_counts_as_new(street: Street) -> None:
    who = await queued(street)
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit,
            street.now,
            borrower_id=who.id,
            case_id=None,
            kind=HoldKind.HARDSHIP,
            reason="a month",
            ends_at=street.now + timedelta(days=7),
            set_by="eva",
        )
    armed = "SELECT armed FROM accounts WHERE id = :id"
    assert await street.value(armed, id=who.account_id)
    # Seen again while it stands: no text, no alert, and still new afterwards.
    await street.money_seen(who)
    await street.tick()
    assert street.carrier.taken == []
    assert await street.value("SELECT count(*) FROM funds_signals WHERE ended_at IS NULL") == 0
    assert await street.value(armed, id=who.account_id)


async def test_the_money_is_gone_or_the_consent(street: Street) -> None:
    who = await queued(street)
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(
            text("UPDATE funds_signals SET ended_at = :now, ended_why = 'money_gone'"),
            {"now": street.now},
        )
    await street.tick()
    assert await why(street, who) == ("cancelled", "money_gone")
    other = await queued(street)
    async with street.store.unit(street.lender_id) as unit:
        await end_consent(unit, street.now, other.consent_id, "withdraw", "page", "page")
    await street.tick()
    assert await why(street, other) == ("cancelled", "consent_ended")
    assert street.carrier.taken == []


async def test_a_consent_that_ran_out_by_itself(street: Street) -> None:
    who = await queued(street)
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(
            text("UPDATE consents SET ends_at = :now WHERE id = :id"),
            {"now": street.now, "id": who.consent_id},
        )
    await street.tick()
    assert await why(street, who) == ("cancelled", "consent_ended")


async def test_out_of_hours_it_waits_and_at_nine_it_leaves(street: Street) -> None:
    street.hands.now = NIGHT
    who = await queued(street)
    await street.tick()
    assert street.carrier.taken == []
    planned = await street.value("SELECT next_look_at FROM messages")
    assert planned == datetime(2026, 3, 4, 8, 0, tzinfo=UTC), "nine in Madrid"
    street.hands.now = planned + timedelta(minutes=1)
    await street.tick()
    assert street.texts_to(who) == 1
    # It is worth delivering until the hours end at nine in the evening.
    assert street.carrier.taken[0].sms.valid_seconds == 12 * 3600 - 60


async def test_the_window_closed_between_planning_and_leaving(street: Street) -> None:
    street.hands.now = datetime(2026, 3, 3, 19, 50, tzinfo=UTC)
    who = await queued(street)
    street.hands.now = datetime(2026, 3, 3, 19, 59, tzinfo=UTC)
    await street.tick()
    assert street.carrier.taken == [], "one minute before nine is too late to be delivered"
    street.hands.now = datetime(2026, 3, 3, 21, 0, tzinfo=UTC)
    await street.tick()
    assert street.carrier.taken == []
    street.hands.now = datetime(2026, 3, 4, 8, 1, tzinfo=UTC)
    await street.tick()
    assert street.texts_to(who) == 1


async def test_over_a_weekend_nobody_writes_on_a_reading_of_friday(street: Street) -> None:
    street.hands.now = FRIDAY_EVENING
    who = await queued(street)
    monday = datetime(2026, 3, 9, 8, 30, tzinfo=UTC)
    street.hands.now = monday
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE loans SET owed_as_of = :now"), {"now": monday})
    await street.tick()
    assert street.carrier.taken == []
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE accounts SET last_read_at = :now"), {"now": monday})
    await street.minutes_pass(70)
    assert street.texts_to(who) == 1


async def test_what_the_clock_puts_off_keeps_its_link_good(street: Street) -> None:
    """Friday, ten to nine in the evening: too late to be delivered, and then it is the weekend."""
    street.hands.now = datetime(2026, 3, 6, 19, 50, tzinfo=UTC)
    who = await queued(street)
    street.hands.now = datetime(2026, 3, 6, 19, 59, tzinfo=UTC)
    await street.tick()
    await street.minutes_pass(5)
    assert await street.value("SELECT next_look_at FROM messages") == datetime(
        2026, 3, 9, 8, 0, tzinfo=UTC
    )
    street.hands.now = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)
    await street.tick()
    assert await why(street, who) == ("queued", None)
    street.hands.now = monday = datetime(2026, 3, 9, 8, 1, tzinfo=UTC)
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE loans SET owed_as_of = :now"), {"now": monday})
        await unit.conn.execute(text("UPDATE accounts SET last_read_at = :now"), {"now": monday})
    await street.tick()
    assert street.texts_to(who) == 1
    ends = await street.value("SELECT expires_at FROM payment_links")
    assert ends == monday + timedelta(hours=24), "its day begins when the text leaves"


async def test_the_stop_switch_halts_within_a_tick_and_keeps_the_text(street: Street) -> None:
    who = await queued(street)
    await throw(street, halted=True)
    await street.tick()
    await street.minutes_pass(10, 10)
    assert street.carrier.taken == []
    assert await why(street, who) == ("queued", None)
    await throw(street, halted=False)
    await street.minutes_pass(10)
    assert street.texts_to(who) == 1


async def test_what_was_halted_too_long_becomes_a_task_not_a_late_text(street: Street) -> None:
    who = await queued(street)
    await throw(street, halted=True)
    await street.days_pass(1.1, minutes=120)
    await throw(street, halted=False)
    await street.minutes_pass(10)
    assert street.carrier.taken == []
    assert await why(street, who) == ("cancelled", "link_expired")
    assert await street.tasks(who) == ["sms_blocked"]


async def throw(street: Street, *, halted: bool, brake: Brake = Brake.SMS) -> bool:
    return await set_switch(
        street.house,
        street.now,
        lender_id=street.lender_id,
        brake=brake,
        halted=halted,
        reason="test",
        actor="eva",
    )


async def test_the_switch_for_everything_halts_texts_too_and_is_audited(street: Street) -> None:
    await queued(street)
    assert await throw(street, halted=True, brake=Brake.ALL)
    assert not await throw(street, halted=True, brake=Brake.ALL), "it stood so already"
    await street.tick()
    assert street.carrier.taken == []
    acts = await street.rows(
        "SELECT act, subject, reason, actor FROM audit WHERE actor <> 'installation'"
    )
    assert [tuple(row) for row in acts] == [("halt", "all", "test", "eva")]


async def test_observe_only_turned_on_meanwhile_withholds_it(street: Street) -> None:
    who = await queued(street)
    await observe(street, on=True)
    await street.tick()
    assert street.carrier.taken == []
    assert (await why(street, who))[0] == "withheld"
    # Turned off again: what was withheld stays withheld.
    await observe(street, on=False)
    await street.minutes_pass(10, 10)
    assert street.carrier.taken == []


async def observe(street: Street, *, on: bool) -> None:
    await set_observe_only(
        street.house, street.now, lender_id=street.lender_id, on=on, reason="go live", actor="eva"
    )


async def test_an_old_amount_is_asked_for_and_then_it_leaves(street: Street) -> None:
    who = await queued(street)
    await age_the_amount(street)
    await street.tick()
    await street.tick()
    assert street.carrier.taken == []
    assert "loan.balance_requested" in street.system.events()
    await confirm_owed(
        street.house,
        street.now,
        street.lender_id,
        f"{who.ref}-L0",
        as_of=street.now,
        schedule=(Scheduled(1, (street.now - timedelta(days=6)).date(), 12_000, 0),),
    )
    await street.minutes_pass(16)
    assert street.texts_to(who) == 1


async def test_an_old_amount_that_nobody_confirms_is_a_task(street: Street) -> None:
    who = await queued(street)
    await age_the_amount(street)
    await street.minutes_pass(*[30] * 10)
    assert await why(street, who) == ("cancelled", "owed_amount_stale")
    assert await street.tasks(who) == ["owed_amount_stale"]
    assert await street.value("SELECT case_id FROM tasks") == who.cases[0]
    asked = street.system.events().count("loan.balance_requested")
    assert 1 < asked <= 6, "at most once an hour"
    # His word, however late, ends the matter: machines may go on with the money in sight.
    await confirm_owed(
        street.house,
        street.now,
        street.lender_id,
        f"{who.ref}-L0",
        as_of=street.now,
        schedule=(Scheduled(1, (street.now - timedelta(days=6)).date(), 12_000, 0),),
    )
    assert await street.tasks(who) == []
    assert await street.value("SELECT armed FROM accounts")


async def test_without_a_webhook_an_old_amount_is_refused_at_once(street: Street) -> None:
    who = await queued(street)
    await age_the_amount(street)
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE lenders SET webhook_url = ''"))
    await street.tick()
    assert await why(street, who) == ("cancelled", "owed_amount_stale")


async def age_the_amount(street: Street) -> None:
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(
            text("UPDATE loans SET owed_as_of = :then"), {"then": MORNING - timedelta(hours=25)}
        )


async def test_he_is_paying_through_an_older_link_this_moment(street: Street) -> None:
    who = await queued(street)
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(
            text(
                "INSERT INTO payments (id, lender_id, borrower_id, key, connector, bank_id, "
                "amount_minor, currency, state, end_to_end_ref, return_hash, return_enc, "
                "payer_enc, created_at) VALUES (gen_random_uuid(), :lender, :who, "
                "gen_random_uuid(), 'berlin_group', 'caja', 12000, 'EUR', 'open', 'S1', 'x', "
                "'x', 'x', :now)"
            ),
            {"lender": street.lender_id, "who": who.id, "now": street.now},
        )
    await street.tick()
    assert street.carrier.taken == []
    assert (await why(street, who))[0] == "queued"


async def test_calls_that_people_made_count_in_the_caps(street: Street) -> None:
    who = await queued(street)
    async with street.store.unit(street.lender_id) as unit:
        for _ in range(7):
            await note_contact(
                unit,
                street.now,
                lender_id=street.lender_id,
                borrower_id=who.id,
                channel=Channel.CALL,
                outbound=True,
                conversation=False,
            )
    await street.tick()
    assert street.carrier.taken == []
    # Seven contacts in seven days are the most; a week later there is room again.
    assert await street.value("SELECT next_look_at FROM messages") == street.now + timedelta(days=7)


async def test_who_wants_no_calls_gets_the_text_that_waits(street: Street) -> None:
    """It was called off as if he had stopped the texts, and a task said that calls are allowed."""
    who = await queued(street)
    async with street.store.unit(street.lender_id) as unit:
        await opt_out(unit, street.now, borrower_id=who.id, channel=Channel.CALL, source="api")
    await street.tick()
    assert street.texts_to(who) == 1
    assert await street.tasks(who) == []
