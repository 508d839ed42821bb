"""A provider calls: Saldo looks at once, and believes nothing but the provider's own answer."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.domain.consent import ConsentState
from app.domain.errors import ConsentEnd, NotAllowed, TryLater
from app.flows.providers.receive_webhook import receive_webhook
from app.pay_ports import PayStatus
from app.ports import GrantNow, GrantState, InboundHttp
from tests.flows.at_the_page import at_the_page
from tests.flows.outside import raising
from tests.flows.street import Street

pytestmark = pytest.mark.anyio


def about(payment: str, **also: Any) -> dict[str, Any]:
    return {"id": str(uuid4()), "kind": "payment", "payment": payment, **also}


async def call(street: Street, *events: dict[str, Any], signature: str = "good") -> bool:
    """The bank calls, and what that queues is done; no time passes and no tick comes."""
    body = json.dumps(events).encode()
    inbound = InboundHttp("https://pay.sol.example/x", {"signature": signature}, body)
    received = await receive_webhook(street.house, street.now, "berlin_group", inbound)
    await street.work_off()
    return received.new


async def results(street: Street) -> list[str]:
    rows = await street.rows("SELECT result FROM inbox ORDER BY received_at, id")
    return [row.result for row in rows]


async def test_a_call_makes_saldo_look_and_the_answer_counts(street: Street) -> None:
    ana = await at_the_page(street)
    await ana.taps()
    assert await call(street, about("P1"))
    assert await ana.payments() == ["open"]  # the bank says that nobody has answered yet
    ana.says_yes_everywhere()
    assert await ana.payments() == ["open"]
    news = about("P1")
    assert await call(street, news, about("P1"))
    assert await ana.payments() == ["authorised"]
    street.bank.turn(PayStatus.SETTLED)
    assert not await call(street, news)  # caught and sent again: nobody looks
    assert await ana.payments() == ["authorised"]
    assert await call(street, about("P1"))
    assert await ana.payments() == ["settled"]
    assert await street.due(ana.who) == 0
    assert set(await results(street)) == {"looked"}


async def test_what_is_not_signed_changes_nothing(street: Street) -> None:
    ana = await at_the_page(street)
    await ana.taps()
    ana.says_yes_everywhere()
    for signature in ("", "forged"):
        with pytest.raises(NotAllowed):
            await call(street, about("P1"), signature=signature)
    street.caller.before = raising(TryLater("no keys", after=None))
    with pytest.raises(TryLater):
        await call(street, about("P1"))
    assert await street.value("SELECT count(*) FROM inbox") == 0
    assert await ana.payments() == ["open"]


async def test_money_that_comes_back_reopens_the_debt_at_once(street: Street) -> None:
    ana = await at_the_page(street)
    await ana.taps()
    ana.says_yes_everywhere()
    street.bank.turn(PayStatus.SETTLED)
    await call(street, about("P1"))
    assert await street.due(ana.who) == 0
    street.bank.turn(PayStatus.RETURNED)
    await call(street, about("P1"))
    assert await ana.payments() == ["returned"]
    assert await street.due(ana.who) == 12_000
    await call(street, about("P1"))
    assert await ana.payments() == ["returned"]


async def test_a_failure_after_the_money_is_put_before_a_person(street: Street) -> None:
    ana = await at_the_page(street)
    await ana.taps()
    ana.says_yes_everywhere()
    street.bank.turn(PayStatus.SETTLED)
    await call(street, about("P1"))
    assert await street.tasks(ana.who) == []
    street.bank.turn(PayStatus.REJECTED)
    await call(street, about("P1"))
    assert await ana.payments() == ["settled"]  # nothing is taken back on such a word alone
    assert await street.tasks(ana.who) == ["payment_unclear"]


async def test_news_may_be_of_nothing_of_ours_and_a_bank_may_not_answer(street: Street) -> None:
    ana = await at_the_page(street)
    await ana.taps()
    assert await call(street, about("P77"))
    assert not await call(street)  # verified, and about nothing
    street.bank.before_now = raising(TryLater("down", after=None))
    assert await call(street, about("P1"))
    assert await results(street) == ["", ""]  # it may be told before we know of it
    street.bank.before_now = street.bank.after_now
    ana.says_yes_everywhere()
    await street.minutes_pass(1)
    assert await ana.payments() == ["authorised"]
    await street.minutes_pass(6)
    assert sorted(await results(street)) == ["looked", "nothing_ours"]


async def test_a_consent_in_force_is_asked_for_and_only_its_own_providers(street: Street) -> None:
    who = await street.neighbour()
    other = str(uuid4())
    state = "SELECT state FROM consents"

    def news(consent: UUID | str) -> dict[str, Any]:
        return {"id": str(uuid4()), "kind": "consent", "consent": str(consent)}

    await call(street, news(who.consent_id), news(other))
    assert street.grants.asked == 1
    street.grants.now = GrantNow(GrantState.ENDED, end=ConsentEnd.REVOKED_AT_BANK)
    await street.rows("UPDATE consents SET connector = 'another' RETURNING id")
    await call(street, news(who.consent_id))
    assert street.grants.asked == 1
    await street.rows("UPDATE consents SET connector = 'berlin_group' RETURNING id")
    await call(street, news(who.consent_id))
    assert await street.value(state) == ConsentState.REVOKED_AT_BANK.value
    await call(street, news(who.consent_id))
    assert street.grants.asked == 2
