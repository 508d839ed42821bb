"""A case through the API: where it stands, what comes next and when, calls and a promised day."""

from __future__ import annotations

from uuid import UUID

import pytest

from app.flows.cases.open_cases import open_cases
from app.flows.house import House
from app.flows.strategies.step_cases import step_cases
from tests.api.conftest import BORROWER, LOAN, NOW, System

pytestmark = pytest.mark.anyio


async def test_a_case_says_where_it_stands_and_what_comes_next(sol: System, house: House) -> None:
    await sol.http.post("/v1/borrowers", json=BORROWER)
    late = {"number": 1, "due_on": "2026-03-01", "amount": "120.00"}
    await sol.http.post("/v1/loans", json={**LOAN, "instalments": [late]})
    await open_cases(house, NOW)
    (shown,) = (await sol.http.get("/v1/cases")).json()["items"]
    address = f"/v1/cases/{shown['id']}"
    await step_cases(house, NOW, [UUID(shown["id"])])
    case = (await sol.http.get(address)).json()
    assert (await sol.http.get("/v1/cases")).json()["items"] == [case]
    assert (case["calls_made"], case["promised_on"]) == (0, None)
    assert case["standing"] == {
        "strategy": "soft",
        "version": 1,
        "stage": "grace",
        "days_past_due": 1,
        "waits_for": None,
        "next_step": {
            "kind": "notice",
            "on_day": "2026-03-04",
            "channel": "sms",
            "template": "first_missed",
            "attempt": None,
        },
        "looks_at": "2026-03-03T00:00:00Z",
    }
    call = {
        "channel": "call", "direction": "outbound", "made_at": "2026-03-02T09:30:00Z",
        "conversation": True, "outcome": "reached",
    }  # fmt: skip
    assert (await sol.http.post(f"{address}/contacts", json=call)).status_code == 201
    days = ("2026-03-05", "2026-03-09")
    parts = [{"due_on": day, "amount": "60.00"} for day in days]
    promised = await sol.http.post(f"{address}/promises", json={"parts": parts, "currency": "EUR"})
    assert promised.status_code == 201, promised.text
    case = (await sol.http.get(address)).json()
    assert (case["calls_made"], case["promised_on"]) == (1, "2026-03-05")
    assert (case["standing"]["waits_for"], case["standing"]["next_step"]) == ("promise", None)
    money = {
        "external_ref": "BANK-1", "amount": "120.00", "currency": "EUR",
        "paid_at": "2026-03-02T09:30:00Z",
    }  # fmt: skip
    answer = await sol.http.post("/v1/loans/L-1/repayments", json=money)
    assert answer.is_success, answer.text
    case = (await sol.http.get(address)).json()
    assert (case["state"], case["standing"], case["promised_on"]) == ("closed", None, None)
