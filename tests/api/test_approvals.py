"""Proposals through the API: a system may ask and look, and brings nothing to effect."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.approval import ApprovalKind
from app.domain.roles import Role
from app.flows.approvals.decide_approval import Word, decide_approval
from app.flows.approvals.endorse_approval import endorse_approval
from app.flows.house import House
from app.flows.lenders.manage_users import add_user
from tests.api.conftest import NOW, System
from tests.api.test_isolation import BODIES, ROUTES

pytestmark = pytest.mark.anyio

ASKED = {"kind": "forgiveness", "amount": "40.00", "reason": "Our mistake."}
WRITE_OFF = {"kind": "write_off", "reason": "He emigrated."}


async def value(house: House, query: str) -> Any:
    async with house.store.engine_unit() as unit:
        return await unit.conn.scalar(text(query))


async def given_up(house: House) -> bool:
    entries = await value(house, "SELECT count(*) FROM adjustments")
    done = await value(
        house,
        "SELECT (SELECT count(*) FROM approvals WHERE state = 'approved')"
        " + (SELECT count(*) FROM placements)",
    )
    active = await value(house, "SELECT bool_and(state = 'active') FROM loans")
    return bool(entries or done or not active)


async def person(house: House, system: System, name: str, role: Role) -> Any:
    return await add_user(
        house, NOW, lender_id=system.lender_id, email=f"{name}@sol.example", name=name,
        role=role, password_hash="", actor="test",
    )  # fmt: skip


async def test_a_system_proposes_and_people_decide(sol: System, house: House) -> None:
    await sol.register()
    made = await sol.http.post("/v1/loans/L-1/proposals", json=ASKED)
    assert made.status_code == 201, made.text
    shown = made.json()
    assert made.headers["location"] == f"/v1/approvals/{shown['id']}"
    assert shown["amount"] == {"amount": "40.00", "currency": "EUR"}
    assert (shown["state"], shown["endorsed_by"]) == ("proposed", None)
    assert shown["proposed_by"].startswith("api sk_")
    again = await sol.http.post("/v1/loans/L-1/proposals", json=ASKED)
    assert (again.status_code, again.json()["id"]) == (200, shown["id"])

    sue = await person(house, sol, "sue", Role.SUPERVISOR)
    april = await person(house, sol, "april", Role.APPROVER)
    common: dict[str, Any] = {"lender_id": sol.lender_id, "approval_id": shown["id"]}
    await endorse_approval(house, NOW, user_id=sue, actor="sue", options=(), why_not="", **common)
    await decide_approval(house, NOW, user_id=april, actor="april", word=Word.APPROVE, **common)
    read = (await sol.http.get(f"/v1/approvals/{shown['id']}")).json()
    assert (read["state"], read["decided_by"]) == ("approved", "april")
    assert read["endorsed_by"] == "sue@sol.example"
    loan = (await sol.http.get("/v1/loans/L-1")).json()
    before = sum(float(one["amount"]) for one in loan["instalments"])
    assert float(loan["outstanding"]["amount"]) == before - 40


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({**ASKED, "amount": "9999.00"}, 422, "amount"),
        ({"kind": "forgiveness", "reason": "x"}, 422, "amount"),
        ({**WRITE_OFF, "amount": "1.00"}, 422, "amount"),
        ({**WRITE_OFF, "forbearance": ["defer"]}, 422, "why_not"),
        ({**WRITE_OFF, "kind": "reversal"}, 422, "kind"),
        ({**WRITE_OFF, "kind": "strategy"}, 422, "kind"),
        ({**WRITE_OFF, "reason": " "}, 422, "reason"),
        ({**WRITE_OFF, "state": "approved"}, 422, "state"),
        ({**WRITE_OFF, "proposer_id": "x"}, 422, "proposer_id"),
    ],
)
async def test_what_cannot_be_asked_is_named(
    body: dict[str, Any], status: int, field: str, sol: System, house: House
) -> None:
    await sol.register()
    answer = await sol.http.post("/v1/loans/L-1/proposals", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["field"] == field
    assert await value(house, "SELECT count(*) FROM approvals") == 0


async def test_the_list_is_asked_by_state_kind_and_loan(sol: System, house: House) -> None:
    await sol.register()
    for body in (ASKED, WRITE_OFF):
        assert (await sol.http.post("/v1/loans/L-1/proposals", json=body)).status_code == 201
    for query, expected in (
        ("", 2),
        ("?state=proposed", 2),
        ("?state=approved", 0),
        ("?kind=write_off", 1),
        ("?loan=L-1", 2),
        ("?loan=L-9", 0),
    ):
        found = (await sol.http.get(f"/v1/approvals{query}")).json()["items"]
        assert len(found) == expected, query


async def test_no_route_of_the_api_brings_it_to_effect(sol: System, house: House) -> None:
    """Every operation, with every crafted word beside its own body, twice over."""
    await sol.register()
    shown = (await sol.http.post("/v1/loans/L-1/proposals", json=WRITE_OFF)).json()
    crafted = {
        "state": "approved", "decider_id": shown["id"], "approved": True, "closed": False,
        "kind": "write_off", "word": "approve",
    }  # fmt: skip
    for _replay in range(2):
        for method, path, operation in ROUTES:
            ids = dict.fromkeys(re.findall(r"{(\w+_id)}", path), shown["id"])
            where = path.format(external_ref="L-1", channel="sms", **ids)
            body = BODIES.get(operation["operationId"])
            for sent in (body, {**(body or {}), **crafted}, crafted):
                if body is None and sent is None and "requestBody" in operation:
                    continue
                answer = await sol.http.request(method, where, json=sent)
                assert answer.status_code < 500, (method, path, answer.text)
        # Words that an API of decisions would have.
        for verb in ("approve", "refuse", "withdraw", "endorse", "decide"):
            answer = await sol.http.post(f"/v1/approvals/{shown['id']}/{verb}", json=crafted)
            assert answer.status_code == 404, verb
        for method in ("PUT", "PATCH", "DELETE", "POST"):
            answer = await sol.http.request(method, f"/v1/approvals/{shown['id']}", json=crafted)
            assert answer.status_code == 405, method
    assert not await given_up(house)
    assert await value(house, "SELECT state FROM approvals WHERE kind = 'write_off'") == "proposed"
    assert shown["kind"] == ApprovalKind.WRITE_OFF.value


async def test_a_system_proposes_where_it_is_paid_and_people_decide(
    sol: System, house: House
) -> None:
    given = {
        "currency": "GBP", "sort_code": "20-00-00", "account_number": "55779911",
        "reason": "Our bank in London.",
    }  # fmt: skip
    made = await sol.http.post("/v1/payees", json=given)
    assert made.status_code == 201, made.text
    shown = made.json()
    assert (shown["kind"], shown["state"]) == ("payee", "proposed")
    assert made.headers["location"] == f"/v1/approvals/{shown['id']}"
    assert (await sol.http.post("/v1/payees", json=given)).status_code == 409
    (gbp,) = [one for one in (await sol.http.get("/v1/payees")).json() if one["currency"] == "GBP"]
    assert gbp == {
        "currency": "GBP", "account_masked": None, "proposed_masked": "••-••-00 ••••9911",
        "approval_id": shown["id"],
    }  # fmt: skip
    sue = await person(house, sol, "sue", Role.SUPERVISOR)
    april = await person(house, sol, "april", Role.APPROVER)
    common: dict[str, Any] = {"lender_id": sol.lender_id, "approval_id": shown["id"]}
    await endorse_approval(house, NOW, user_id=sue, actor="sue", options=(), why_not="", **common)
    await decide_approval(house, NOW, user_id=april, actor="april", word=Word.APPROVE, **common)
    (gbp,) = [one for one in (await sol.http.get("/v1/payees")).json() if one["currency"] == "GBP"]
    assert (gbp["account_masked"], gbp["approval_id"]) == ("••-••-00 ••••9911", None)
    for field, wrong in (
        ("currency", {**given, "currency": "XXX"}),
        ("account_number", {**given, "account_number": "5577991"}),
        ("iban", {**given, "iban": "ES9121000418450200051332"}),
        ("sort_code", {**given, "currency": "EUR"}),
        ("reason", {**given, "reason": ""}),
    ):
        answer = await sol.http.post("/v1/payees", json=wrong)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"] == field
        assert "55779911" not in answer.text
