"""Banks and providers at the desk, announced maintenance, and what payers are told of both."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from app.domain.breaker import MANY, Heard, Service
from app.domain.errors import TryLater
from app.domain.roles import Role
from app.flows.messages.deliver_outbox import plan_outbox
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.pay_ports import PayStatus
from app.store.health import record_heard
from app.store.tables import lenders
from tests.flows.street import Street
from tests.web.conftest import Desk, OpenBrowser
from tests.web.test_pay import proved, texted

pytestmark = pytest.mark.anyio

MADRID = ZoneInfo("Europe/Madrid")
CAJA = ("berlin_group", "caja")


async def heard(street: Street, service: Service, fine: int, failed: int) -> None:
    people = frozenset(UUID(int=number) for number in range(failed))
    one = Heard(fine, failed, people, "HTTP 503")
    async with street.store.engine_unit() as unit:
        await record_heard(unit, street.now, street.hands.real, service, {CAJA: one})


async def goes_down(street: Street) -> None:
    await heard(street, Service.BALANCES, 0, MANY)


async def test_who_answers_since_when_not_and_what_waits(street: Street, sign_in_as: Desk) -> None:
    await street.neighbour()
    await heard(street, Service.BALANCES, 30, 0)
    boss = await sign_in_as(Role.SUPERVISOR)
    page = await boss.open("/health")
    for words in ("Everybody answers.", "Caja", "Answers", "1 account to read", "Twilio"):
        assert words in page.text
    assert page.problems == []
    street.hands.go_on(hours=2)
    await goes_down(street)
    boss = await sign_in_as(Role.AUDITOR)
    page = await boss.open("/health")
    for words in ("1 does not answer", "Does not answer", "HTTP 503", "Left alone until",
                  "100 %", "14 %"):  # fmt: skip
        assert words in page.text
    assert "Asked in 2 hours of the last 24; in 1 of them half or more failed." in boss.answer.text
    street.hands.go_on(minutes=10)
    assert "The next account whose time comes finds out." in (await boss.open("/health")).text
    street.hands.real += timedelta(hours=3)
    boss = await sign_in_as(Role.COMPLIANCE)
    assert "Nobody has asked since." in (await boss.open("/health")).text


async def test_maintenance_is_written_down_and_taken_back(street: Street, sign_in_as: Desk) -> None:
    await street.neighbour()
    admin = await sign_in_as(Role.ADMIN)
    page = await admin.open("/health")
    begins = street.now.astimezone(MADRID).replace(tzinfo=None)
    ends = begins + timedelta(hours=6)
    fields = {
        "bank": "berlin_group/caja", "from": f"{begins:%Y-%m-%dT%H:%M}",
        "until": f"{ends:%Y-%m-%dT%H:%M}", "reason": "its newsletter",
    }  # fmt: skip
    wrong = {
        "until": fields["from"], "bank": "berlin_group/nobody", "reason": "  ", "from": "",
    }  # fmt: skip
    for name, value in wrong.items():
        refused = await admin.send(page, "rest", **{**fields, name: value})
        assert (admin.status, refused.problems) == (422, [])
    assert await street.value("SELECT count(*) FROM maintenance_windows") == 0
    page = await admin.send(page, "rest", **fields)
    for words in ("Written down.", "its newsletter", "Maintenance", "Announced until"):
        assert words in page.text
    auditor = await sign_in_as(Role.AUDITOR)
    seen = await auditor.open("/health")
    assert "its newsletter" in seen.text
    assert not seen.has("rest")
    assert not seen.has("lift-rest")
    page = await admin.send(page, "lift-rest")
    assert "Announced until" not in page.text
    acts = await street.rows(
        "SELECT act, subject FROM audit WHERE act LIKE '%maintenance' ORDER BY at, id"
    )
    assert [(row.act, row.subject) for row in acts] == [
        ("set_maintenance", "berlin_group/caja"), ("lift_maintenance", "berlin_group/caja"),
    ]  # fmt: skip
    collector = await sign_in_as(Role.COLLECTOR)
    await collector.open("/health")
    assert collector.status == 403


async def test_a_payer_is_told_that_his_bank_does_not_answer_and_goes_to_another(
    street: Street, browser: OpenBrowser
) -> None:
    _who, address = await texted(street)
    await goes_down(street)
    phone = browser()
    page = await proved(phone, address)
    assert "Caja does not answer at the moment. Choose another bank" in page.text
    assert "Caja – does not answer at the moment" in page.text
    assert page.form("pay").fields["bank_id"] == ""

    async def refuse() -> None:
        raise TryLater("HTTP 503")

    street.bank.before = refuse
    page = await phone.send(page, "pay", bank_id="caja")
    assert "Nothing was paid." in page.text
    assert page.has("pay"), "he may try, and is kept from nothing"
    street.bank.before = street.bank.after
    await phone.send(page, "pay", follow=False, bank_id="otra", amount="50.00")
    assert phone.answer is not None
    assert phone.answer.headers["location"].startswith("https://bank.example/")
    (order,) = [one.order for one in street.bank.payments.values()]
    assert (order.bank_id, order.amount.plain()) == ("otra", "50.00")
    states = await street.rows("SELECT bank_id, state FROM payments ORDER BY created_at, id")
    assert [(row.bank_id, row.state) for row in states] == [
        ("caja", "cancelled"), ("otra", "open"),
    ]  # fmt: skip
    rows = await street.rows(
        "SELECT bank_id, fine, failed FROM provider_hours WHERE service = 'payments' ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == [("caja", 0, 1), ("otra", 1, 0)]
    assert street.bank.accepted == []
    street.bank.turn(PayStatus.CANCELLED)


async def test_maintenance_shows_where_somebody_chooses_a_bank(
    street: Street, browser: OpenBrowser, sign_in_as: Desk
) -> None:
    _who, address = await texted(street)
    boss = await sign_in_as(Role.SUPERVISOR)
    begins = street.now.astimezone(MADRID).replace(tzinfo=None) - timedelta(minutes=5)
    await boss.send(
        await boss.open("/health"), "rest", bank="berlin_group/", reason="theirs",
        **{"from": f"{begins:%Y-%m-%dT%H:%M}",
           "until": f"{begins + timedelta(hours=4):%Y-%m-%dT%H:%M}"},
    )  # fmt: skip
    page = await proved(browser(), address)
    assert "Caja is under maintenance until" in page.text
    assert "Otra – under maintenance until" in page.text


async def test_a_lenders_own_systems_have_their_lines(street: Street, sign_in_as: Desk) -> None:
    await street.without_webhooks()
    boss = await sign_in_as(Role.SUPERVISOR)
    assert "Your own systems" not in (await boss.open("/health")).text
    async with street.store.engine_unit() as unit:
        named = {"webhook_url": "https://erp.lender.example/in", "push_url": "https://app.example"}
        await unit.conn.execute(update(lenders).values(named))
    assert (await boss.open("/health")).text.count("Not asked yet") >= 2

    async with street.store.unit(street.lender_id) as unit:
        for event in (LenderEvent.CASE_OPENED, LenderEvent.PUSH_REQUESTED):
            await tell_lender(unit, street.now, event=event, subject_id=UUID(int=1), payload={})

    async def away() -> None:
        raise TryLater("HTTP 503")

    street.system.before = away
    await deliver(street)
    page = await boss.open("/health")
    assert page.text.count("Does not answer") == 2
    for words in ("erp.lender.example", "app.example", "it cannot be reached, or asks for later"):
        assert words in page.text

    async def there() -> None: ...

    street.system.before = there
    street.hands.go_on(minutes=10)
    await deliver(street)
    page = await boss.open("/health")
    assert "Does not answer" not in page.text
    assert page.text.count("Last taken") == 2
    assert page.problems == []


async def deliver(street: Street) -> None:
    await plan_outbox(street.house, street.now)
    await street.work_off()
