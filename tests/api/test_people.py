"""Promises, outcomes and contacts through the API: the same rules as at the desk."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from app.clock import Clock
from app.domain.task import TaskReason
from app.flows.cases.open_cases import open_cases
from app.flows.house import House
from app.flows.work.open_task import open_task
from app.store.keys import new_id
from tests.api.conftest import NOW, System

pytestmark = pytest.mark.anyio

PROMISE: dict[str, Any] = {
    "parts": [{"due_on": "2026-03-05", "amount": "60.00"}],
    "currency": "EUR",
    "note": "after payday",
}


async def a_case(system: System, house: House) -> str:
    """One borrower with one case."""
    await system.register()
    await open_cases(house, NOW)
    return str((await system.http.get("/v1/cases")).json()["items"][0]["id"])


async def a_task(system: System, house: House, case_id: str) -> str:
    """A call that the strategy wants."""
    async with house.store.unit(system.lender_id) as unit:
        borrower = await unit.conn.scalar(text("SELECT id FROM borrowers"))
        await open_task(
            unit,
            NOW,
            borrower_id=borrower,
            case_id=None if not case_id else await unit.conn.scalar(text("SELECT id FROM cases")),
            reason=TaskReason.CALL_BORROWER,
            cause=new_id(),
        )
        return str(
            await unit.conn.scalar(text("SELECT id FROM tasks WHERE reason = 'call_borrower'"))
        )


async def test_a_promise_is_taken_read_and_cancelled(sol: System, house: House) -> None:
    case_id = await a_case(sol, house)
    made = await sol.http.post(f"/v1/cases/{case_id}/promises", json=PROMISE)
    assert made.status_code == 201, made.text
    body = made.json()
    assert made.headers["location"] == f"/v1/promises/{body['id']}"
    assert body["state"] == "open"
    assert body["source"] == "api"
    assert body["parts"] == [{"due_on": "2026-03-05", "amount": "60.00"}]
    again = await sol.http.post(f"/v1/cases/{case_id}/promises", json=PROMISE)
    assert again.status_code == 409
    listed = (await sol.http.get("/v1/promises", params={"state": "open"})).json()["items"]
    assert [one["id"] for one in listed] == [body["id"]]
    assert (await sol.http.get("/v1/promises", params={"state": "kept"})).json()["items"] == []
    ended = await sol.http.post(f"/v1/promises/{body['id']}/cancel", json={"reason": "anew"})
    assert ended.json()["state"] == "cancelled"
    twice = await sol.http.post(f"/v1/promises/{body['id']}/cancel", json={"reason": "anew"})
    assert twice.status_code == 409


async def test_money_keeps_it_and_the_case_tells(sol: System, house: House) -> None:
    case_id = await a_case(sol, house)
    made = (await sol.http.post(f"/v1/cases/{case_id}/promises", json=PROMISE)).json()
    paid = {
        "external_ref": "R-1", "amount": "60.00", "currency": "EUR",
        "paid_at": "2026-03-02T09:00:00Z",
    }  # fmt: skip
    assert (await sol.http.post("/v1/loans/L-1/repayments", json=paid)).status_code == 201
    assert (await sol.http.get(f"/v1/promises/{made['id']}")).json()["state"] == "kept"
    story = (await sol.http.get(f"/v1/cases/{case_id}/timeline")).json()["items"]
    kinds = [line["kind"] for line in story]
    assert kinds.index("promise_made") < kinds.index("promise_changed")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"parts": []}, "parts"),
        ({"parts": [{"due_on": "2026-03-01", "amount": "60.00"}]}, "parts[0].due_on"),
        ({"parts": [{"due_on": "2026-03-05", "amount": "120.01"}]}, "parts"),
        ({"parts": [{"due_on": "2026-03-05", "amount": "1,234.56"}]}, "parts[0].amount"),
        ({"parts": [{"due_on": "2026-03-05", "amount": "60.001"}]}, "parts[0].amount"),
        ({"currency": "PLN"}, "parts[0].amount"),
    ],
)
async def test_terms_that_cannot_be_are_named(
    change: dict[str, Any], field: str, sol: System, house: House
) -> None:
    case_id = await a_case(sol, house)
    answer = await sol.http.post(f"/v1/cases/{case_id}/promises", json={**PROMISE, **change})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field


async def test_after_a_broken_one_a_machine_takes_no_other(
    sol: System, house: House, clock: Clock
) -> None:
    case_id = await a_case(sol, house)
    await sol.http.post(f"/v1/cases/{case_id}/promises", json=PROMISE)
    async with house.store.unit(sol.lender_id) as unit:
        await unit.conn.execute(text("UPDATE promises SET state = 'broken', ended_at = made_at"))
    answer = await sol.http.post(f"/v1/cases/{case_id}/promises", json=PROMISE)
    assert answer.status_code == 403
    assert answer.json()["code"] == "promise_broken"


async def test_an_outcome_has_its_consequence(sol: System, house: House) -> None:
    case_id = await a_case(sol, house)
    task_id = await a_task(sol, house, case_id)
    missing = await sol.http.post(
        f"/v1/tasks/{task_id}/outcome", json={"outcome": "promise", "called": True}
    )
    assert missing.status_code == 422
    done = await sol.http.post(
        f"/v1/tasks/{task_id}/outcome",
        json={"outcome": "promise", "called": True, "promise": PROMISE},
    )
    assert done.status_code == 200, done.text
    assert (done.json()["state"], done.json()["outcome"]) == ("done", "promise")
    assert len((await sol.http.get("/v1/promises")).json()["items"]) == 1
    again = await sol.http.post(
        f"/v1/tasks/{task_id}/outcome", json={"outcome": "no_answer", "called": True}
    )
    assert again.status_code == 409


async def test_a_dispute_told_through_the_api_sets_a_hold(sol: System, house: House) -> None:
    case_id = await a_case(sol, house)
    task_id = await a_task(sol, house, case_id)
    await sol.http.post(
        f"/v1/tasks/{task_id}/outcome",
        json={"outcome": "dispute", "called": True, "note": "not mine"},
    )
    async with house.store.unit(sol.lender_id) as unit:
        assert await unit.conn.scalar(text("SELECT kind FROM holds")) == "dispute"
    reasons = {one["reason"] for one in (await sol.http.get("/v1/tasks")).json()["items"]}
    assert "borrower_disputes" in reasons


async def test_a_call_made_elsewhere_is_counted_once(sol: System, house: House) -> None:
    case_id = await a_case(sol, house)
    call = {
        "channel": "call", "direction": "outbound", "made_at": "2026-03-02T09:00:00Z",
        "conversation": True, "outcome": "refuses",
    }  # fmt: skip
    made = await sol.http.post(f"/v1/cases/{case_id}/contacts", json=call)
    assert made.status_code == 201, made.text
    twice = await sol.http.post(f"/v1/cases/{case_id}/contacts", json=call)
    assert twice.status_code == 409
    assert twice.json()["code"] == "contact_known"
    wrong = {**call, "made_at": "2026-03-02T09:01:00Z", "outcome": "promise"}
    answer = await sol.http.post(f"/v1/cases/{case_id}/contacts", json=wrong)
    assert answer.status_code == 422
    async with house.store.unit(sol.lender_id) as unit:
        assert await unit.conn.scalar(text("SELECT count(*) FROM contacts")) == 1


async def test_whether_he_may_be_called_is_asked_before_anybody_dials(
    sol: System, house: House
) -> None:
    case_id = await a_case(sol, house)
    where = f"/v1/cases/{case_id}/call-window"
    shown = (await sol.http.get(where)).json()
    assert (shown["allowed"], shown["because"], shown["opens_at"]) == (True, "", None)
    assert shown["time_zone"] == "Atlantic/Canary", "one of the zones that may be his"
    assert shown["used"].startswith("0 of at most 7 ")
    # Whoever dials can say which rule let him, and where it stands.
    asked = {one["rule"]: one for one in shown["rules"]}
    assert {"stop_switch", "opt_out", "hold", "es.hours", "es.holidays"} <= set(asked)
    assert all(one["passed"] and one["words"] and one["source"] for one in shown["rules"])
    assert asked["es.hours"]["strength"] == "practice"
    assert shown["pack"].startswith("ES 2026-")
    at_work = (await sol.http.get(where, params={"at_work": "true"})).json()
    assert not at_work["allowed"]
    assert [one["rule"] for one in at_work["rules"] if not one["passed"]] == ["es.not_at_work"]
    assert "place of work" in at_work["because"]
    # A call that never connected counts in nothing; one that rang does.
    call = {"channel": "call", "direction": "outbound", "conversation": False}
    for minute, more in ((0, {"connected": False}), (1, {"asked_for": True})):
        given = {**call, "made_at": f"2026-03-02T09:0{minute}:00Z", **more}
        answer = await sol.http.post(f"/v1/cases/{case_id}/contacts", json=given)
        assert answer.status_code == 201, answer.text
        used = (await sol.http.get(where)).json()["used"]
        assert used.startswith(f"{minute} of at most 7 ")
    wrong = {**call, "direction": "inbound", "asked_for": True, "made_at": "2026-03-02T09:05:00Z"}
    answer = await sol.http.post(f"/v1/cases/{case_id}/contacts", json=wrong)
    assert answer.json()["errors"][0]["field"] == "asked_for"
