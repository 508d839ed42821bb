"""One lender's key against everything of another, through every route there is.

The list of routes is the API's own description: a new one without its values here fails.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from app.api.openapi import operations
from app.domain.provider_setup import Slot
from app.flows.house import House
from app.store.columns import metadata
from app.store.provider_setups import AccessData, add_setup, fresh_name
from tests.api.conftest import BORROWER, LOAN, System
from tests.api.description import DESCRIPTION
from tests.api.planting import Garden, crossings, plant

pytestmark = pytest.mark.anyio

INSTALMENTS = [{"number": 1, "due_on": "2026-02-01", "amount": "1.00"}]
BODIES: dict[str, Any] = {
    "post_borrower": BORROWER,
    "post_loan": LOAN,
    "post_payee": {
        "currency": "GBP", "sort_code": "200000", "account_number": "55779911", "reason": "x",
    },
    "post_hold": {"kind": "dispute", "reason": "x"},
    "put_owed": {"as_of": "2026-03-02T09:30:00Z", "instalments": INSTALMENTS},
    "post_repayment": {
        "external_ref": "R-1", "amount": "1.00", "currency": "EUR",
        "paid_at": "2026-03-02T09:00:00Z",
    },
    "post_request": {"borrower_ref": "C-1", "purposes": ["scoring"]},
    "post_return": {"reason": "came back"},
    "post_proposal": {"kind": "forgiveness", "amount": "1.00", "reason": "x"},
    "post_placement": {"agency_id": str(UUID(int=7)), "reason": "x"},
    "post_recall": {"reason": "x"},
    "post_agency_contact": {
        "channel": "call", "direction": "outbound", "made_at": "2026-03-02T09:30:00Z",
        "conversation": False,
    },
    "put_switch": {"halted": True, "reason": "x"},
    "post_cancel": {"reason": "agreed anew"},
    "post_outcome": {"outcome": "no_answer", "called": False},
    "post_contact": {
        "channel": "call", "direction": "outbound", "made_at": "2026-03-02T09:00:00Z",
        "conversation": False,
    },
    "post_book_file": {
        "files": [
            {
                "name": "borrowers.csv",
                "content": "external_ref,name,country,language\nC-9,Ana,ES,es\n",
            },
        ],
    },
    "post_promise": {
        "parts": [{"due_on": "2026-03-05", "amount": "1.00"}], "currency": "EUR",
    },
}  # fmt: skip

# Routes that name nothing of anybody: what they do to another lender is asked below.
OWN = {
    "list_payees",
    "post_payee",
    "get_status",
    "list_providers",
    "list_own_providers",
    "list_switches",
    "put_switch",
    "post_borrower",
    "post_book_file",
}
# Read twice: bookkeeping of keys, not of business.
NOT_BUSINESS = {"api_keys", "idempotency_keys", "slots", "inbox"}


def described() -> list[tuple[str, str, dict[str, Any]]]:
    """Method, address and operation of every described route of /v1."""
    return [
        (method, path, operation)
        for path, operation, method in operations(DESCRIPTION)
        if path.startswith("/v1/")
    ]


ROUTES = described()
NAMES = [operation["operationId"] for _, _, operation in ROUTES]


def address(path: str, garden: Garden) -> str:
    values = asdict(garden) | {"channel": "sms"}
    if path.startswith("/v1/loans/"):
        values["external_ref"] = garden.loan_ref
    return path.format(**values)


async def call(
    system: System, method: str, path: str, operation: dict[str, Any], garden: Garden
) -> httpx.Response:
    body = BODIES.get(operation["operationId"])
    if body is not None and "agency_id" in body:
        body = {**body, "agency_id": str(garden.agency_id)}
    if "requestBody" in operation:
        assert body is not None, f"give {operation['operationId']} a body here"
    return await system.http.request(method, address(path, garden), json=body)


async def everything(house: House, system: System) -> dict[str, Any]:
    """Every business row of one lender."""
    found: dict[str, Any] = {}
    async with house.store.unit(system.lender_id) as unit:
        for table in metadata.sorted_tables:
            if table.name in NOT_BUSINESS or not table.info.get("tenant"):
                continue
            rows = await unit.conn.execute(text(f"SELECT t::text FROM {table.name} t ORDER BY 1"))
            found[table.name] = [row[0] for row in rows]
    return found


async def test_what_belongs_to_another_is_not_there(
    sol: System, luna: System, house: House
) -> None:
    garden = await plant(sol, house)
    before = await everything(house, sol)
    own = [str(value) for value in (*asdict(garden).values(), sol.lender_id)]
    # What luna does to its own lender comes last: until then it has nothing at all.
    for method, path, operation in sorted(ROUTES, key=lambda route: _name(route) in OWN):
        name = operation["operationId"]
        answer = await call(luna, method, path, operation, garden)
        assert answer.status_code < 500, (name, answer.text)
        if name in OWN:
            continue
        if "{" in path or name in ("post_loan", "post_request"):
            # The last two name a borrower that only the other lender has.
            assert answer.status_code == 404, (name, answer.text)
            assert answer.json()["code"] == "not_found"
        else:
            assert name.startswith("list_"), f"say in this test what {name} may show"
            assert answer.json() == {"items": [], "next_cursor": None}, name
        assert not [value for value in own if len(value) > 8 and value in answer.text], name
    assert await everything(house, sol) == before
    assert await crossings(house.store) == []


async def test_its_owner_finds_it(sol: System, house: House) -> None:
    """Proof that the addresses above lead somewhere."""
    garden = await plant(sol, house)
    for method, path, operation in sorted(ROUTES, key=lambda route: route[0] != "get"):
        name = operation["operationId"]
        answer = await call(sol, method, path, operation, garden)
        if name == "post_scoring":
            assert answer.json()["code"] == "scoring_not_granted"
            continue
        if name == "post_proposal":
            # By now the loan was paid by the calls before; it is found all the same.
            assert answer.json()["code"] == "nothing_owed"
            continue
        if name in ("post_placement", "post_recall"):
            # And with the debt the placement was over.
            assert answer.json()["code"] in ("case_closed", "illegal_transition"), answer.text
            continue
        if name in ("get_push", "post_pushed"):
            # A text is what was planted: it is found, and told apart (tests/flows/test_push.py).
            assert "the app" in answer.text, (name, answer.text)
            continue
        assert answer.status_code in {200, 201, 202, 204}, (name, answer.text)
        if name.startswith("list_") and "items" in answer.text:
            assert len(answer.json()["items"]) == 1, name


async def test_whose_bank_answers_is_told_to_whoever_has_people_there(
    sol: System, luna: System, house: House
) -> None:
    await plant(sol, house)
    own = (await sol.http.get("/v1/providers")).json()
    found = {(one["bank_id"], one["service"]): one for one in own}
    assert found["sol", "balances"]["answers"] is True
    assert found["sol", "balances"]["failed_share_day"] is None
    others = (await luna.http.get("/v1/providers")).json()
    assert not [one for one in others if one["bank_id"]]


async def test_own_providers_are_told_to_their_lender_without_their_secrets(
    sol: System, luna: System, house: House
) -> None:
    made = house.real_now()
    async with house.store.unit(sol.lender_id) as unit:
        setup_id = await add_setup(
            unit,
            made,
            slot=Slot.AGGREGATION,
            name=fresh_name("truelayer"),
            connector="truelayer",
            data=AccessData({"client_id": "sol", "client_secret": "open sesame"}),
            shown={
                "client_id": "sol",
                "auth_url": "https://auth.example",
                "set": ["client_secret"],
                "since": {"client_secret": made.isoformat()},
                "changed": ["client_secret"],
            },
            made_by="ada",
        )
    answer = await sol.http.get("/v1/own-providers")
    (own,) = answer.json()
    assert (own["id"], own["job"], own["state"]) == (str(setup_id), "aggregation", "proposed")
    assert own["settings"] == {"client_id": "sol", "auth_url": "https://auth.example"}
    assert list(own["secrets"]) == ["client_secret"]
    assert "sesame" not in answer.text
    assert (await luna.http.get("/v1/own-providers")).json() == []


async def test_nobody_gets_in_without_a_key(bare: httpx.AsyncClient) -> None:
    values = dict.fromkeys(
        (
            "request_id",
            "consent_id",
            "case_id",
            "payment_id",
            "message_id",
            "task_id",
            "hold_id",
            "approval_id",
            "promise_id",
            "strategy_id",
            "file_id",
            "experiment_id",
            "placement_id",
        ),
        "0190d9a4-7c1b-7e34-9a52-3f8a1f0b7c11",
    )
    for method, path, operation in ROUTES:
        where = path.format(external_ref="C-1", channel="sms", **values)
        answer = await bare.request(method, where, json=BODIES.get(operation["operationId"]))
        assert answer.status_code == 401, (path, answer.text)


def _name(route: tuple[str, str, dict[str, Any]]) -> str:
    return str(route[2]["operationId"])


async def test_two_lenders_may_use_the_same_references(sol: System, luna: System) -> None:
    for system in (sol, luna):
        await system.register()
    mine = (await sol.http.get("/v1/loans/L-1")).json()
    theirs = (await luna.http.get("/v1/loans/L-1")).json()
    assert mine["id"] != theirs["id"]


async def test_a_foreign_cursor_leads_nowhere(sol: System, luna: System, house: House) -> None:
    for number in range(3):
        await sol.http.post("/v1/borrowers", json={**BORROWER, "external_ref": f"C-{number}"})
    cursor = (await sol.http.get("/v1/borrowers?limit=1")).json()["next_cursor"]
    answer = await luna.http.get("/v1/borrowers", params={"limit": "1", "cursor": cursor})
    assert answer.json() == {"items": [], "next_cursor": None}


async def test_a_foreign_case_cannot_be_held(sol: System, luna: System, house: House) -> None:
    garden = await plant(sol, house)
    await luna.register()
    hold = {"kind": "dispute", "reason": "x", "case_id": str(garden.case_id)}
    answer = await luna.http.post("/v1/borrowers/C-1/holds", json=hold)
    assert answer.status_code == 404


async def test_a_foreign_payment_is_no_payment_of_this_loan(
    sol: System, luna: System, house: House
) -> None:
    garden = await plant(sol, house)
    await luna.register()
    report = {**BODIES["post_repayment"], "payment_id": str(garden.payment_id)}
    answer = await luna.http.post("/v1/loans/L-1/repayments", json=report)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "payment_id"


async def test_every_route_is_asked() -> None:
    assert len(NAMES) == len(set(NAMES))
    assert len(NAMES) >= 35
