"""The gate over the book: what it is told about a person is what the book says about him."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.contact_policy import ContactPurpose, Verdict
from app.domain.message import Channel
from app.flows.lenders.stop_switch import set_switch
from app.flows.messages.ask_gate import ask_gate
from app.flows.messages.opt_out import opt_out
from app.flows.work.set_hold import set_hold
from app.store.brakes import Brake, halted, holds_of, silenced
from app.store.gate_facts import GateFacts, gate_facts
from app.store.locks import lock_borrower
from tests.flows.street import Neighbour, Street

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)


async def asked(street: Street, who: Neighbour, **more: Any) -> Verdict:
    given = {"case_ids": who.cases, "channel": Channel.CALL, **more}
    async with street.store.unit(street.lender_id) as unit:
        person = await lock_borrower(unit, who.id)
        answer = await ask_gate(unit, street.house.packs, street.now, person, **given)
    return answer.verdict


async def told(street: Street, who: Neighbour, channel: Channel = Channel.SMS) -> GateFacts:
    """What the gate is told; checked against the functions that everybody else asks."""
    async with street.store.unit(street.lender_id) as unit:
        person = await lock_borrower(unit, who.id)
        facts = await gate_facts(
            unit, street.now, person, channel=channel, brake=Brake.SMS, country="ES"
        )
        assert facts.refused == bool(await silenced(unit, (who.id,), channel))
        assert facts.halted == await halted(unit, street.lender_id, Brake.SMS)
        held = (await holds_of(unit, (who.id,), street.now)).get(who.id, ())
        assert [(one.kind, one.case_id, one.ends_at, one.blocks) for one in facts.holds] == [
            (one.kind, one.case_id, one.ends_at, one.blocks) for one in held
        ]
    return facts


async def contacted(street: Street, who: Neighbour, at: datetime, **more: Any) -> None:
    """A contact straight into the book, whoever made it."""
    values = {
        "channel": "call", "direction": "outbound", "conversation": False, "counts": True,
        "case_ids": [], "message_id": None, "asked_for": False, **more,
    }  # fmt: skip
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(
            text(
                "INSERT INTO contacts (id, lender_id, borrower_id, made_at, channel, direction, "
                "conversation, counts, case_ids, message_id, asked_for) VALUES "
                "(gen_random_uuid(), :lender, :who, :at, :channel, :direction, :conversation, "
                ":counts, :case_ids, :message_id, :asked_for)"
            ),
            {"lender": street.lender_id, "who": who.id, "at": at, **values},
        )


async def test_brakes_are_those_of_the_book(street: Street) -> None:
    who, other = await street.neighbour(), await street.neighbour(phone="+34600009999")
    same = await street.neighbour(phone="+34600009999")
    assert await told(street, who) == GateFacts(False, False, (), (), None)
    async with street.store.unit(street.lender_id) as unit:
        await opt_out(unit, street.now, borrower_id=other.id, channel=Channel.SMS, source="a test")
        await set_hold(
            unit, street.now, borrower_id=who.id, case_id=who.cases[0], kind="dispute",
            reason="no", ends_at=street.now + DAY, set_by="eva",
        )  # fmt: skip
        await set_hold(
            unit, street.now, borrower_id=who.id, case_id=None, kind="other", reason="rest",
            ends_at=None, set_by="eva", blocks=["contact", "payment_ask"],
        )  # fmt: skip
    assert (await told(street, same)).refused, "the phone in a hand has one owner"
    assert not (await told(street, same, Channel.EMAIL)).refused
    assert len((await told(street, who)).holds) == 2
    await set_switch(
        street.house, street.now, lender_id=street.lender_id, brake=Brake.ALL, halted=True,
        reason="stop", actor="mara",
    )  # fmt: skip
    assert (await told(street, who)).halted
    street.hands.go_on(days=1)
    assert [one.kind for one in (await told(street, who)).holds] == ["other"]


async def test_what_counts_is_what_left_the_house(street: Street) -> None:
    who = await street.neighbour()
    await street.money_seen(who)
    await street.tick()
    assert [one.channel for one in (await told(street, who)).history] == [Channel.SMS]
    for state, error, left in (
        ("cancelled", "", False),
        ("failed", "refused", False),
        ("failed", "outcome_unknown", True),
        ("unknown", "", True),
    ):
        await street.rows(
            "UPDATE messages SET state = :state, error_code = :error RETURNING 1",
            state=state, error=error,
        )  # fmt: skip
        assert bool((await told(street, who)).history) == left, (state, error)


async def test_exempt_inbound_and_old_contacts_count_in_no_cap(street: Street) -> None:
    who = await street.neighbour()
    for days in range(1, 8):
        await contacted(street, who, street.now - days * timedelta(hours=20), counts=False)
        await contacted(street, who, street.now - days * timedelta(hours=21), direction="inbound")
        await contacted(street, who, street.now - (32 + days) * DAY)
    facts = await told(street, who)
    assert len(facts.history) == 14
    assert (await asked(street, who)).allowed
    for days in range(1, 8):
        await contacted(street, who, street.now - days * timedelta(hours=22))
    verdict = await asked(street, who)
    assert "7 of at most 7 contacts with this person in 7 days used" in verdict.because
    assert verdict.earliest_at is not None


async def test_a_contact_about_another_debt_counts_for_the_person_only(street: Street) -> None:
    who = await street.neighbour(dues=(7_000, 5_000), country="US", time_zone="America/New_York")
    street.hands.now = datetime(2026, 3, 3, 16, tzinfo=UTC)
    spoke = {"conversation": True, "case_ids": [who.cases[0]]}
    await contacted(street, who, street.now - DAY, **spoke)
    assert not (await asked(street, who)).allowed
    assert not (await asked(street, who, case_ids=[])).allowed
    assert (await asked(street, who, case_ids=[who.cases[1]])).allowed


async def test_a_hold_over_him_counts_for_a_contact_about_nothing_in_particular(
    street: Street,
) -> None:
    who = await street.neighbour()
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit, street.now, borrower_id=who.id, case_id=None, kind="dispute", reason="no",
            ends_at=None, set_by="eva",
        )  # fmt: skip
    assert not (await asked(street, who, case_ids=[])).allowed
    assert (await asked(street, who, purpose=ContactPurpose.ANSWER)).allowed
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit, street.now, borrower_id=who.id, case_id=None, kind="represented",
            reason="lawyer", ends_at=None, set_by="eva",
        )  # fmt: skip
    verdict = await asked(street, who, purpose=ContactPurpose.ANSWER)
    assert "On hold (represented)" in verdict.because


async def test_the_holidays_of_his_region_are_kept(street: Street) -> None:
    # 19 March is a holiday in Valencia in 2026, not in Madrid.
    valencia = await street.neighbour(region="VC")
    madrid = await street.neighbour(region="MD")
    street.hands.now = datetime(2026, 3, 19, 10, tzinfo=UTC)
    assert street.now.date() == date(2026, 3, 19)
    assert "public holiday" in (await asked(street, valencia)).because
    assert (await asked(street, madrid)).allowed


async def test_nobody_is_called_at_work_in_spain(street: Street) -> None:
    who = await street.neighbour()
    assert (await asked(street, who)).allowed
    verdict = await asked(street, who, at_work=True)
    assert "place of work" in verdict.because
    assert verdict.earliest_at is None
