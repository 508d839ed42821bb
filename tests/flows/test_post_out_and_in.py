"""The outbox and the inbox: once in, surely out; twice in, done once."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.errors import Declined, NotAllowed, NotFound, OutcomeUnknown, TryLater
from app.flows.consents.end_consent import end_consent
from app.flows.lenders.stop_switch import set_switch
from app.flows.messages.deliver_outbox import deliver_outbox, plan_outbox
from app.flows.messages.tell_lender import Told, tell_lenders
from app.flows.providers.handle_inbox import handle_inbox
from app.flows.providers.receive_webhook import receive_webhook
from app.ports import DeliveryState, InboundHttp
from app.reports.texts import texts_of
from app.store.brakes import Brake
from app.store.contacts import LONGEST_SAID
from app.store.keys import new_id
from tests.flows.outside import raising
from tests.flows.street import Neighbour, Street

pytestmark = pytest.mark.anyio


async def tell(street: Street, count: int = 1) -> list[Any]:
    """Queue events of made-up tasks; returns the rows' ids in order."""
    told = [Told("task.opened", new_id(), {"n": n}) for n in range(count)]
    async with street.store.unit(street.lender_id) as unit:
        assert await tell_lenders(unit, street.now, told) == count
        assert await tell_lenders(unit, street.now, told) == 0, "the same again"
    rows = await street.rows("SELECT id FROM outbox ORDER BY created_at, id")
    return [row.id for row in rows]


async def nothing() -> None:
    return None


async def test_an_event_arrives_with_its_id_and_form(street: Street) -> None:
    await tell(street)
    await street.tick()
    call = street.system.calls[0]
    body = json.loads(call.body)
    assert body == {
        "id": str(call.event_id),
        "type": "task.opened",
        "timestamp": street.now.isoformat(),
        "data": {"n": 0},
    }
    assert call.url == "https://sol.example/hooks"
    assert call.at == street.hands.real
    assert await street.value("SELECT state FROM outbox") == "done"


async def test_a_lender_without_an_address_is_told_nothing(street: Street) -> None:
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE lenders SET webhook_url = ''"))
    async with street.store.unit(street.lender_id) as unit:
        assert await tell_lenders(unit, street.now, [Told("task.opened", new_id(), {})]) == 0


async def test_a_word_that_is_no_event_of_ours_is_refused(street: Street) -> None:
    async with street.store.unit(street.lender_id) as unit:
        with pytest.raises(ValueError, match="gossip"):
            await tell_lenders(unit, street.now, [Told("gossip", new_id(), {})])


async def test_a_system_that_is_down_is_tried_again_under_the_same_id(street: Street) -> None:
    await tell(street, 3)
    street.system.before = raising(OutcomeUnknown("no answer within 10 s"))
    await street.tick()
    assert street.system.calls == []
    tries = await street.rows("SELECT attempts, last_error FROM outbox ORDER BY attempts DESC")
    # The first one was tried, the others spared.
    assert [row.attempts for row in tries] == [1, 0, 0]
    street.system.before = nothing
    street.hands.real += timedelta(seconds=4)
    await street.tick()
    assert street.system.calls == []
    street.hands.real += timedelta(seconds=2)
    await street.tick()
    assert len({call.event_id for call in street.system.calls}) == 3
    assert await street.value("SELECT count(*) FROM outbox WHERE state = 'done'") == 3


async def test_it_is_given_up_after_days_not_for_ever(street: Street) -> None:
    await tell(street)
    street.system.before = raising(TryLater("503"))
    for _ in range(60):
        street.hands.real += timedelta(hours=4, seconds=1)
        await street.tick()
        if await street.value("SELECT state FROM outbox") == "dead":
            break
    assert await street.value("SELECT attempts FROM outbox") == 24


async def test_a_clear_no_is_final(street: Street) -> None:
    await tell(street)
    street.system.before = raising(Declined("HTTP 410", reason="HTTP_410"))
    await street.tick()
    row = (await street.rows("SELECT state, last_error, attempts FROM outbox"))[0]
    assert tuple(row) == ("dead", "HTTP_410", 1)


async def test_webhooks_halted_are_kept_for_later(street: Street) -> None:
    await tell(street)
    for halted in (True, False):
        await set_switch(
            street.house,
            street.now,
            lender_id=street.lender_id,
            brake=Brake.WEBHOOK,
            halted=halted,
            reason="their release",
            actor="mara",
        )
        await street.tick()
        if halted:
            assert street.system.calls == []
            assert await street.value("SELECT attempts FROM outbox") == 0
    street.hands.real += timedelta(minutes=1)
    await street.tick()
    assert len(street.system.calls) == 1


async def test_two_planners_take_different_rows(street: Street) -> None:
    await tell(street, 30)
    planned = await asyncio.gather(*(plan_outbox(street.house, street.now) for _ in range(4)))
    assert sum(one.planned for one in planned) == 30
    await street.work_off()
    assert len(street.system.calls) == 30


async def test_what_a_dead_worker_took_is_tried_again(street: Street) -> None:
    ids = await tell(street)
    await plan_outbox(street.house, street.now)
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE procrastinate_jobs SET status = 'succeeded'"))
    await street.tick()
    assert street.system.calls == []
    street.hands.real += timedelta(minutes=3)
    await street.tick()
    assert len(street.system.calls) == 1
    again = await deliver_outbox(street.house, street.now, ids)
    assert (again.done, again.later, again.dead) == (0, 0, 0)


async def test_a_withdrawn_consent_is_given_back_and_its_token_forgotten(street: Street) -> None:
    who = await street.neighbour()
    street.grants.before = raising(TryLater("503"))
    async with street.store.unit(street.lender_id) as unit:
        await end_consent(unit, street.now, who.consent_id, "withdraw", "page", "page")
    await street.tick()
    assert street.grants.ended == []
    street.grants.before = nothing
    street.hands.real += timedelta(seconds=6)
    await street.tick()
    assert street.grants.ended == [f"token {who.consent_id}"]
    assert await street.value("SELECT token_enc FROM consents") is None


async def test_a_bank_that_will_not_take_it_back_costs_the_token_all_the_same(
    street: Street,
) -> None:
    who = await street.neighbour()
    street.grants.before = raising(Declined("no", reason="SERVICE_BLOCKED"))
    async with street.store.unit(street.lender_id) as unit:
        await end_consent(unit, street.now, who.consent_id, "withdraw", "page", "page")
    await street.tick()
    assert await street.value("SELECT token_enc FROM consents") is None
    state = await street.value("SELECT state FROM outbox WHERE kind = 'revoke_consent'")
    assert state == "dead"


# ------------------------------------------------------------------ in


async def hook(street: Street, said: dict[str, Any], *, signature: str = "good") -> bool:
    call = InboundHttp(
        "https://pay.sol.example/hooks/twilio", {"signature": signature}, json.dumps(said).encode()
    )
    return (await receive_webhook(street.house, street.now, "twilio", call)).new


def stop_from(who: Neighbour, event_id: str = "e1", **more: Any) -> dict[str, Any]:
    said = {"id": event_id, "kind": "inbound_text", "from": who.phone, "text": "BAJA", "stop": True}
    return {**said, **more}


async def test_an_unsigned_call_is_refused_and_leaves_no_trace(street: Street) -> None:
    who = await street.neighbour()
    with pytest.raises(NotAllowed):
        await hook(street, stop_from(who), signature="bad")
    call = InboundHttp("https://pay.sol.example/hooks/pigeon", {}, b"{}")
    with pytest.raises(NotFound):
        await receive_webhook(street.house, street.now, "pigeon", call)
    assert await street.value("SELECT count(*) FROM inbox") == 0


async def test_a_text_from_a_number_nobody_has_is_nobodys(street: Street) -> None:
    who = await street.neighbour(phone="+34611111111")
    for event_id, words in (("e1", "BAJA"), ("e2", "I have paid already")):
        said = {**stop_from(who, event_id), "from": "+34699999999", "text": words}
        await hook(street, {**said, "stop": words == "BAJA"})
    await street.work_off()
    assert await street.tasks(who) == []
    for table in ("contacts", "opt_outs"):
        assert await street.value(f"SELECT count(*) FROM {table}") == 0


async def test_stop_reaches_every_lender_who_has_the_number(street: Street) -> None:
    from tests.flows.street import make_street

    other = await make_street(street.store)
    here = await street.neighbour(phone="+34611111111")
    there = await other.neighbour(phone="+34611111111", ref="X")
    await hook(street, stop_from(here))
    await street.work_off()
    stopped = await street.rows("SELECT borrower_id FROM opt_outs WHERE stopped_at IS NOT NULL")
    assert {row.borrower_id for row in stopped} == {here.id, there.id}
    assert await street.tasks(here) == ["opted_out"]
    await hook(street, stop_from(here, "e2", text="ALTA", stop=False))
    await street.work_off()
    assert await street.value("SELECT count(*) FROM opt_outs WHERE stopped_at IS NOT NULL") == 0


async def test_the_same_event_many_times_at_once_is_one(street: Street) -> None:
    who = await street.neighbour()
    new = await asyncio.gather(*(hook(street, stop_from(who)) for _ in range(8)))
    assert sum(new) == 1
    ids = [await street.value("SELECT id FROM inbox")]
    await asyncio.gather(*(handle_inbox(street.house, street.now, ids) for _ in range(4)))
    assert await street.value("SELECT count(*) FROM timeline WHERE kind = 'opt_out'") == 1


async def test_an_old_stop_handled_again_does_not_undo_a_start(street: Street) -> None:
    who = await street.neighbour()
    await hook(street, stop_from(who, "e1"))
    await street.work_off()
    await hook(street, stop_from(who, "e2", stop=False))
    await street.work_off()
    first = await street.value("SELECT id FROM inbox WHERE event_id = 'e1'")
    await handle_inbox(street.house, street.now, [first])
    assert await street.value("SELECT stopped_at FROM opt_outs") is None


async def test_other_words_are_for_a_person_and_stay_sealed(street: Street) -> None:
    who = await street.neighbour()
    await hook(street, stop_from(who, stop=None, text="I paid on Monday"))
    await street.work_off()
    assert await street.tasks(who) == ["collector_acts"]
    contact = (await street.rows("SELECT direction, conversation FROM contacts"))[0]
    assert tuple(contact) == ("inbound", False)
    await street.tick()
    told = [json.loads(call.body) for call in street.system.calls]
    whom = [(one["data"]["borrower_id"], one["data"]["external_ref"]) for one in told
            if one["type"] == "task.opened"]  # fmt: skip
    assert whom == [(str(who.id), who.ref)]
    assert "Monday" not in str(told)
    everywhere = await street.value("SELECT string_agg(situation::text, '') FROM tasks")
    assert "Monday" not in everywhere
    assert b"Monday" not in bytes(await street.value("SELECT payload_enc FROM inbox"))
    assert b"Monday" not in bytes(await street.value("SELECT said_enc FROM contacts"))
    async with street.store.unit(street.lender_id) as unit:
        assert [one.words for one in await texts_of(unit, who.id)] == ["I paid on Monday"]


async def test_every_text_is_kept_while_the_first_one_waits_and_none_without_bounds(
    street: Street,
) -> None:
    who = await street.neighbour()
    for number in range(8):
        words = f"{number} " + "ñ" * (3_000 if number == 7 else 3)
        await hook(street, stop_from(who, f"e{number}", stop=None, text=words))
        await street.work_off()
        street.hands.go_on(minutes=1)
    assert await street.tasks(who) == ["collector_acts"]
    async with street.store.unit(street.lender_id) as unit:
        texts = await texts_of(unit, who.id)
    assert [one.words[0] for one in texts] == ["7", "6", "5", "4", "3", "2"]
    assert len(texts[0].words) == LONGEST_SAID
    assert texts[0].words.endswith("ñ…")
    assert "ñ" not in repr(texts)
    # Once more by a worker that was thought dead: nothing twice.
    ids = [row.id for row in await street.rows("SELECT id FROM inbox")]
    await handle_inbox(street.house, street.now, ids)
    assert await street.value("SELECT count(*) FROM contacts") == 8


async def test_a_stop_is_acted_on_and_its_words_are_not_kept(street: Street) -> None:
    who = await street.neighbour()
    await hook(street, stop_from(who))
    await street.work_off()
    async with street.store.unit(street.lender_id) as unit:
        assert await texts_of(unit, who.id) == ()


async def test_a_receipt_for_nobody_we_know_is_dropped_after_a_while(street: Street) -> None:
    await hook(street, {"id": "e9", "kind": "message_status", "ref": "SMx"})
    await street.tick()
    assert await street.value("SELECT handled_at FROM inbox") is None
    await street.minutes_pass(2, 4)
    assert await street.value("SELECT result FROM inbox") == "no_such_message"


async def test_receipts_out_of_order_never_go_back(street: Street) -> None:
    who = await street.neighbour()
    await street.money_seen(who)
    await street.tick()
    sent = street.carrier.taken[0]
    for number, state in enumerate((DeliveryState.DELIVERED, DeliveryState.ACCEPTED)):
        sent.state = state
        await hook(street, {"id": f"r{number}", "kind": "message_status", "ref": sent.ref})
        await street.work_off()
    assert await street.states("messages", who) == ["delivered"]
    assert await street.tasks(who) == []
