"""A lender's system registers people and loans, reports money, and reads what it has."""

from __future__ import annotations

import httpx
import pytest

from tests.api.conftest import BORROWER, LOAN, System

pytestmark = pytest.mark.anyio


async def test_a_borrower_is_made_once_and_changed_after(sol: System) -> None:
    first = await sol.http.post("/v1/borrowers", json=BORROWER)
    assert first.status_code == 201
    assert first.headers["location"] == "/v1/borrowers/C-1"
    shown = first.json()
    assert shown["name"] == "Ana Núñez"
    assert shown["phone_masked"] == "+34•••••78"
    assert shown["has_birth_date"] is True
    assert shown["has_document"] is False
    assert "612345678" not in first.text
    assert "1988" not in first.text

    again = await sol.http.post("/v1/borrowers", json={**BORROWER, "name": "Ana Núñez Gil"})
    assert again.status_code == 200
    assert again.json()["id"] == shown["id"]
    read = await sol.http.get("/v1/borrowers/C-1")
    assert read.json()["name"] == "Ana Núñez Gil"


async def test_the_lenders_language_is_the_default(sol: System) -> None:
    without = {name: value for name, value in BORROWER.items() if name != "language"}
    answer = await sol.http.post("/v1/borrowers", json=without)
    assert answer.json()["language"] == "es"


async def test_a_loan_shows_what_is_due_and_what_is_outstanding(sol: System) -> None:
    await sol.register()
    shown = (await sol.http.get("/v1/loans/L-1")).json()
    assert shown["due"] == {"amount": "120.00", "currency": "EUR"}
    assert shown["outstanding"] == {"amount": "240.00", "currency": "EUR"}
    assert [one["number"] for one in shown["instalments"]] == [1, 2]
    assert (shown["days_past_due"], shown["days_since_due"], shown["bucket"]) == (29, 29, "1-30")
    assert shown["owed_as_of"] == "2026-03-02T09:30:00Z"
    again = await sol.http.post("/v1/loans", json=LOAN)
    assert again.status_code == 200


async def test_a_repayment_is_counted_once(sol: System) -> None:
    await sol.register()
    report = {
        "external_ref": "BANK-1",
        "amount": "100.00",
        "currency": "EUR",
        "paid_at": "2026-03-02T08:00:00+01:00",
    }
    first = await sol.http.post("/v1/loans/L-1/repayments", json=report)
    assert first.status_code == 201, first.text
    assert first.json()["counted"] is True
    assert first.json()["remaining_due"] == {"amount": "20.00", "currency": "EUR"}
    again = await sol.http.post("/v1/loans/L-1/repayments", json=report)
    assert again.status_code == 200
    assert again.json()["counted"] is False
    other = await sol.http.post("/v1/loans/L-1/repayments", json={**report, "amount": "90.00"})
    assert other.status_code == 409
    loan = (await sol.http.get("/v1/loans/L-1")).json()
    assert loan["due"]["amount"] == "20.00"


async def test_the_ledgers_word_replaces_the_schedule(sol: System) -> None:
    await sol.register()
    owed = {
        "as_of": "2026-03-02T09:30:00Z",
        "instalments": [{"number": 1, "due_on": "2026-02-01", "amount": "80.00", "paid": "30.00"}],
    }
    answer = await sol.http.put("/v1/loans/L-1/owed", json=owed)
    assert answer.status_code == 200, answer.text
    assert answer.json()["due"]["amount"] == "50.00"
    assert len(answer.json()["instalments"]) == 1
    older = {**owed, "as_of": "2026-03-01T00:00:00Z"}
    assert (await sol.http.put("/v1/loans/L-1/owed", json=older)).status_code == 409
    closed = await sol.http.put("/v1/loans/L-1/owed", json={**owed, "closed": True})
    assert closed.json()["state"] == "closed"
    assert closed.json()["due"]["amount"] == "0.00"


async def test_a_hold_is_set_listed_and_lifted(sol: System) -> None:
    await sol.register()
    wanted = {
        "kind": "other",
        "reason": "Moves to another ledger.",
        "ends_at": "2026-04-01T00:00:00Z",
    }
    made = await sol.http.post("/v1/borrowers/C-1/holds", json=wanted)
    assert made.status_code == 201, made.text
    hold_id = made.json()["id"]
    assert made.json()["set_by"].startswith("api sk_")
    listed = (await sol.http.get("/v1/borrowers/C-1/holds")).json()
    assert [one["id"] for one in listed["items"]] == [hold_id]
    lifted = await sol.http.delete(f"/v1/borrowers/C-1/holds/{hold_id}")
    assert lifted.status_code == 204
    twice = await sol.http.delete(f"/v1/borrowers/C-1/holds/{hold_id}")
    assert twice.status_code == 409
    past = await sol.http.post(
        "/v1/borrowers/C-1/holds", json={**wanted, "ends_at": "2026-03-01T00:00:00Z"}
    )
    assert past.status_code == 422
    assert past.json()["errors"][0]["field"] == "ends_at"


async def test_a_channel_is_stopped_and_started(sol: System) -> None:
    await sol.register()
    assert (await sol.http.get("/v1/borrowers/C-1/opt-outs")).json() == []
    stopped = await sol.http.put("/v1/borrowers/C-1/opt-outs/sms")
    assert stopped.status_code == 200, stopped.text
    assert stopped.json()["stopped_at"] == "2026-03-02T09:30:00Z"
    assert stopped.json()["source"] == "api"
    assert (await sol.http.put("/v1/borrowers/C-1/opt-outs/sms")).status_code == 200
    assert (await sol.http.delete("/v1/borrowers/C-1/opt-outs/sms")).status_code == 204
    after = (await sol.http.get("/v1/borrowers/C-1/opt-outs")).json()
    assert after[0]["stopped_at"] is None
    unknown = await sol.http.put("/v1/borrowers/C-1/opt-outs/pigeon")
    assert unknown.status_code == 422


async def test_empty_lists_are_lists(sol: System) -> None:
    for path in ("cases", "signals", "messages", "payments", "tasks", "loans", "borrowers"):
        answer = await sol.http.get(f"/v1/{path}")
        assert answer.status_code == 200, (path, answer.text)
        assert answer.json() == {"items": [], "next_cursor": None}


async def test_pages_neither_repeat_nor_skip(sol: System) -> None:
    for number in range(7):
        person = {**BORROWER, "external_ref": f"C-{number}"}
        assert (await sol.http.post("/v1/borrowers", json=person)).status_code == 201
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(4):
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        answer = (await sol.http.get("/v1/borrowers", params=params)).json()
        seen += [one["external_ref"] for one in answer["items"]]
        cursor = answer["next_cursor"]
    assert seen == [f"C-{number}" for number in range(7)]
    assert cursor is None


async def test_a_cursor_belongs_to_its_list(sol: System) -> None:
    for number in range(2):
        await sol.http.post("/v1/borrowers", json={**BORROWER, "external_ref": f"C-{number}"})
    cursor = (await sol.http.get("/v1/borrowers?limit=1")).json()["next_cursor"]
    for path in ("/v1/loans", "/v1/messages", "/v1/messages?state=queued"):
        answer = await sol.http.get(path, params={"cursor": cursor})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "cursor"
    for broken in ("x", "!!!", "AAAA", cursor[:-2], "bnVsbA"):
        answer = await sol.http.get("/v1/borrowers", params={"cursor": broken})
        assert answer.status_code == 422, broken


async def test_status_counts_this_lender(sol: System, luna: System) -> None:
    await sol.register()
    answer = await sol.http.get("/v1/status")
    assert answer.status_code == 200, answer.text
    assert answer.json()["loans_open"] == 0
    assert answer.json()["observe_only"] is False
    assert answer.json()["business_time"] == "2026-03-02T09:30:00Z"
    assert (await luna.http.get("/v1/status")).json()["loans_recovered"] == 0


async def test_every_switch_is_listed(sol: System) -> None:
    listed = (await sol.http.get("/v1/stop-switches")).json()
    assert [one["channel"] for one in listed] == [
        "sms", "email", "push", "payment", "reading", "webhook", "all",
    ]  # fmt: skip
    assert not any(one["halted"] for one in listed)


async def test_health_needs_no_key(bare: httpx.AsyncClient) -> None:
    assert (await bare.get("/healthz")).json() == {"status": "ok"}
    assert (await bare.get("/readyz")).json() == {"status": "ok"}
