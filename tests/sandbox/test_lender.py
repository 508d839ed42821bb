"""The lender's own system: it registers its book, goes on after a kill, answers what is owed."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.app import create
from sandbox.lender import Lender, LenderConfig, NotNow, signature
from sandbox.lender_book import Loan, Part, loans_of
from sandbox.modes import Mode
from sandbox.people import Person, draw_person
from tests.sandbox.rig import MONDAY, ORIGIN, Town
from tests.sandbox.toy_saldo import SALDO, ToyApi

pytestmark = pytest.mark.anyio

SECRET = b"lender secret of 24 bytes"


class Office:
    """A town of a few people, the lender's system and the toy of Saldo's API."""

    def __init__(self, folder: Path, api: ToyApi, people: int = 4) -> None:
        cast = folder / "cast.json"
        encoded = "whsec_" + base64.b64encode(SECRET).decode()
        cast.write_text(json.dumps({"api_key": "sk_demo", "webhook_secret": encoded}))
        self.town = Town(folder / "world.sqlite", people=people)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(api.app))
        self.lender = Lender(self.town.world, self.http, LenderConfig(SALDO, cast, 7))
        app = create(self.town.world, self.lender.routes())
        self.door = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN)

    async def register_all(self) -> None:
        for person in self.town.world.people.values():
            await self.register(person)

    async def register(self, person: Person) -> None:
        """Register a person who answers his consent link as soon as he has it."""
        try:
            await self.lender.register(person)
        except NotNow:
            mind = self.town.world.mind
            for errand in mind.due_errands(self.town.clock.at):
                mind.walked(errand, "gave a consent")
            await self.lender.register(person)

    async def event(
        self, kind: str, event_id: str = "e1", *, secret: bytes = SECRET, late: int = 0, **data: Any
    ) -> int:
        """Call the lender as Saldo would; the status of the answer."""
        body = json.dumps({"type": kind, "data": data}).encode()
        stamp = str(int(time.time()) - late)
        headers = {
            "webhook-id": event_id,
            "webhook-timestamp": stamp,
            "webhook-signature": signature(secret, event_id, stamp, body),
        }
        answer = await self.door.post("/lender/webhooks", content=body, headers=headers)
        return answer.status_code


async def test_the_whole_book_is_registered_once(tmp_path: Path) -> None:
    api = ToyApi()
    office = Office(tmp_path, api)
    await office.register_all()
    people = office.town.world.people
    assert set(api.borrowers) == {f"C-{key}" for key in people}
    assert api.links == len(people)
    one = api.borrowers["C-p0001"]
    assert one["phone"] == people["p0001"].phone
    assert one["birth_date"] == people["p0001"].birth_date.isoformat()
    assert all(loan["instalments"] for loan in api.loans.values())
    calls = api.calls
    await office.register_all()
    assert api.calls == calls
    assert office.town.world.mind.outcomes() == {"gave a consent": len(people)}


async def test_some_are_asked_for_their_bills_where_somebody_can_show_them(tmp_path: Path) -> None:
    api = ToyApi()
    office = Office(tmp_path, api, people=8)
    await office.register_all()
    plain = ["scoring", "repayment_monitoring"]
    assert {tuple(asked) for asked in api.purposes} == {tuple(plain), (*plain, "bills")}
    blind = ToyApi()
    blind.shows_transactions = False
    (tmp_path / "blind").mkdir()
    await Office(tmp_path / "blind", blind, people=8).register_all()
    assert blind.links == 8, "nobody is left out for that"


async def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    api = ToyApi()
    first = Office(tmp_path, api)
    await first.register(first.town.world.people["p0001"])
    first.town.world.close()
    second = Office(tmp_path, api)
    await second.register_all()
    assert api.links == len(second.town.world.people)
    assert second.town.world.mind.outcomes() == {"gave a consent": 4}


async def test_it_waits_when_saldo_is_busy_or_not_there(tmp_path: Path) -> None:
    api = ToyApi()
    office = Office(tmp_path, api)
    api.busy_until = 2
    person = office.town.world.people["p0001"]
    for _ in range(2):
        with pytest.raises(NotNow):
            await office.lender.register(person)
    await office.register(person)
    assert api.links == 1
    (tmp_path / "cast.json").unlink()
    early = Office(tmp_path, api)
    (tmp_path / "cast.json").unlink()
    with pytest.raises(NotNow):
        await early.lender.register(early.town.world.people["p0002"])
    assert await early.event("case.opened") == 503


async def test_the_app_shows_what_it_confirms_and_nothing_else(tmp_path: Path) -> None:
    api = ToyApi()
    office = Office(tmp_path, api)
    world = office.town.world
    ana, eva, *_ = world.people.values()
    world.set_mode(eva.id, Mode.APP_SILENT)
    api.with_the_app = {"m1": "Hola, Ana.", "m2": "Hola, Eva."}

    async def asked(message_id: str, person: Person, event_id: str) -> None:
        ref = f"C-{person.id}"
        kind = "message.push_requested"
        assert await office.event(kind, event_id, message_id=message_id, external_ref=ref) == 204
        await office.lender.answer_open_events()

    # The last one is no longer with the app: it has left as a text by now.
    for message_id, person, event_id in (("m1", ana, "e1"), ("m2", eva, "e2"), ("m3", ana, "e3")):
        await asked(message_id, person, event_id)
    assert api.pushed == ["m1"]
    shown = [note.body for _, note in world.apps.on_phone(ana)]
    assert (shown, world.apps.on_phone(eva)) == (["Hola, Ana."], [])
    page = await office.door.get(f"/phones/{ana.id}")
    assert "Lender's app" in page.text
    assert f'<a href="{SALDO}/p/x"' in page.text
    again = Office(tmp_path, api)
    assert len(again.town.world.apps.on_phone(again.town.world.people[ana.id])) == 1


@pytest.mark.parametrize(
    ("wrong", "status"),
    [({}, 204), ({"secret": b"another"}, 401), ({"late": 900}, 401), ({"event_id": ""}, 401)],
)
async def test_a_webhook_is_believed_by_its_signature(
    tmp_path: Path, wrong: dict[str, Any], status: int
) -> None:
    office = Office(tmp_path, ToyApi())
    assert await office.event("case.opened", **wrong) == status
    kept = (await office.door.get("/lender/events")).json()
    assert len(kept) == (1 if status == 204 else 0)


def test_the_signature_is_the_standard_one() -> None:
    # The example of the Standard Webhooks specification.
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_what_is_owed_counts_what_saldo_settled_by_then(tmp_path: Path) -> None:
    api = ToyApi()
    office = Office(tmp_path, api)
    loan = next(iter(office.lender._book.loans.values()))
    first_open = next(part for part in loan.parts if part.paid < part.minor)

    def payment(at: datetime, amount: str, ref: str = loan.ref) -> dict[str, Any]:
        return {
            "borrower_ref": loan.borrower_ref,
            "settled_at": at.isoformat().replace("+00:00", "Z"),
            "loans": [{"loan_ref": ref, "amount": amount}],
        }

    now = office.town.clock.at
    api.settled = [
        payment(now - timedelta(hours=1), "10.00"),
        payment(now, "5.00"),
        payment(now + timedelta(seconds=1), "100.00"),
        payment(now - timedelta(hours=2), "7.00", "L-of-another"),
    ]
    assert await office.event("loan.balance_requested", loan=loan.ref) == 204
    assert await office.event("loan.balance_requested", loan=loan.ref) == 204
    assert await office.lender.answer_open_events() == 1
    said = api.owed[loan.ref]
    assert said["as_of"] == now.astimezone(UTC).isoformat().replace("+00:00", "Z")
    paid = {one["number"]: one["paid"] for one in said["instalments"]}
    assert paid[first_open.number] == "15.00"
    assert await office.lender.answer_open_events() == 0


async def test_an_unanswered_event_is_answered_after_a_restart(tmp_path: Path) -> None:
    api = ToyApi()
    office = Office(tmp_path, api)
    loan_ref = next(iter(office.lender._book.loans))
    await office.event("loan.balance_requested", loan=loan_ref)
    office.town.world.close()
    again = Office(tmp_path, api)
    assert await again.lender.answer_open_events() == 1
    assert loan_ref in api.owed


async def test_other_events_are_kept_and_need_no_answer(tmp_path: Path) -> None:
    api = ToyApi()
    office = Office(tmp_path, api)
    await office.event("payment.settled", "e1")
    await office.event("loan.balance_requested", "e2", loan="L-unknown")
    assert await office.lender.answer_open_events() == 2
    assert api.owed == {}


def test_money_pays_the_oldest_instalments_first() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC).date()
    parts = tuple(Part(n, start + timedelta(days=30 * n), 1_000) for n in (1, 2, 3))
    loan = Loan("L", "C", "x", "EUR", parts)
    assert [part.paid for part in loan.with_paid(1_500).parts] == [1_000, 500, 0]
    assert [part.paid for part in loan.with_paid(9_999).parts] == [1_000, 1_000, 1_000]
    assert loan.with_paid(0) == loan


def test_most_of_the_book_is_overdue_and_some_of_it_is_not() -> None:
    today = MONDAY.date()
    books = [loans_of(draw_person(7, number, MONDAY), 7, today) for number in range(1, 241)]
    loans = [loan for book in books for loan in book]
    assert 245 < len(loans) < 290
    overdue = [
        loan for loan in loans
        if any(part.due_on < today and part.paid < part.minor for part in loan.parts)
    ]  # fmt: skip
    assert 0.7 < len(overdue) / len(loans) < 0.92
    for loan in loans:
        assert [part.number for part in loan.parts] == list(range(1, len(loan.parts) + 1))
        assert all(part.paid in (0, part.minor) for part in loan.parts)
        assert any(part.paid < part.minor for part in loan.parts)


async def test_loans_follow_the_answer_to_the_consent_or_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = [1_000.0]
    monkeypatch.setattr("sandbox.lender.time.monotonic", lambda: real[0])
    api = ToyApi()
    office = Office(tmp_path, api)
    person = office.town.world.people["p0001"]
    for _ in range(3):
        with pytest.raises(NotNow):
            await office.lender.register(person)
    assert (api.links, api.loans) == (1, {})
    real[0] += 61
    await office.lender.register(person)
    assert api.loans
