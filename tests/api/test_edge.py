"""The edge of the API: keys, pace, bodies, ids of calls, and problems for everything."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest
import structlog
from fastapi import FastAPI
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from app.api.app import build_api
from app.api.problems import BY_ERROR, KINDS, problem_of
from app.clock import Clock
from app.domain import errors
from app.domain.errors import (
    AllowanceSpent,
    Declined,
    Misconfigured,
    OutcomeUnknown,
    SaldoError,
    TryLater,
)
from app.flows.house import House
from app.flows.lenders.make_key import list_keys, make_key, revoke_key
from app.logs import configure_logs
from app.store.embedded_setup import DatabaseUrls
from app.store.tables import api_keys
from tests.api.conftest import BORROWER, NOW, System, client_of

pytestmark = pytest.mark.anyio


def check(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The answer is a whole problem of this kind; its content."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    content: dict[str, Any] = answer.json()
    assert content["status"] == status
    assert content["code"] == code
    assert content["type"].startswith("https://saldo.test/v1/docs#problem-")
    assert content["request_id"] == answer.headers["x-request-id"]
    assert content["title"]
    assert content["detail"]
    return content


# ------------------------------------------------------------------ keys


async def test_no_key_and_wrong_keys_are_refused_alike(bare: httpx.AsyncClient) -> None:
    for value in ("", "Bearer", "Bearer ", "Basic abc", "Bearer sk_wrong", "Bearer " + "x" * 300):
        headers = {"Authorization": value} if value else {}
        answer = await bare.get("/v1/borrowers", headers=headers)
        check(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_revoked_key_is_refused_at_once(sol: System, house: House) -> None:
    assert (await sol.http.get("/v1/borrowers")).status_code == 200
    (listed,) = await list_keys(house, sol.lender_id)
    assert listed.prefix == sol.token[:8]
    await revoke_key(house, NOW, listed.id, actor="test")
    check(await sol.http.get("/v1/borrowers"), 401, "unauthenticated")
    await revoke_key(house, NOW, listed.id, actor="test")


async def test_the_key_itself_is_stored_nowhere(sol: System, house: House) -> None:
    async with house.store.engine_unit() as unit:
        row = (await unit.conn.execute(select(api_keys))).one()
    assert sol.token not in repr(row)
    assert len(row.key_hash) == 32


async def test_use_is_noted_at_most_once_a_minute(sol: System, house: House) -> None:
    async def used() -> Any:
        async with house.store.engine_unit() as unit:
            return await unit.conn.scalar(select(api_keys.c.used_at))

    assert await used() is None
    await sol.http.get("/v1/borrowers")
    first = await used()
    await sol.http.get("/v1/borrowers")
    assert await used() == first
    async with house.store.engine_unit() as unit:
        await unit.conn.execute(update(api_keys).values(used_at=first - timedelta(minutes=2)))
    await sol.http.get("/v1/borrowers")
    assert await used() >= first


async def test_a_key_that_calls_too_fast_has_to_wait(
    house: House, clock: Clock, sol: System
) -> None:
    slow = House(
        store=house.store,
        settings=house.settings.model_copy(update={"api_calls_per_minute": 3}),
        packs=house.packs,
        aggregations=house.aggregations,
        payments=house.payments,
        messages=house.messages,
        lender_hooks=house.lender_hooks,
        real_now=house.real_now,
    )
    other = await make_key(house, NOW, sol.lender_id, "another", actor="test")
    app = build_api(slow, clock)
    async with client_of(app, sol.token) as http, client_of(app, other.token) as second:
        for _ in range(3):
            assert (await http.get("/v1/tasks")).status_code == 200
        answer = await http.get("/v1/tasks")
        check(answer, 429, "rate_limited")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert (await second.get("/v1/tasks")).status_code == 200


# ------------------------------------------------------------------ what is sent


async def test_a_wrong_body_names_every_field_and_shows_nothing_back(sol: System) -> None:
    wrong = {
        "external_ref": "C 1",
        "name": "secret-name\x00",
        "phone": "612345678",
        "country": "ES",
        "birth_date": "17.4.1988",
        "nickname": "secret-nick",
    }
    answer = await sol.http.post("/v1/borrowers", json=wrong)
    content = check(answer, 422, "invalid")
    fields = {fault["field"] for fault in content["errors"]}
    assert fields == {"external_ref", "name", "phone", "birth_date", "nickname"}
    assert all(fault["message"] and fault["mend"] for fault in content["errors"])
    for secret in ("secret", '"612', "17.4.", "1988"):
        assert secret not in answer.text


@pytest.mark.parametrize(
    ("amount", "field"),
    [
        ("1,20", "instalments[0].amount"),
        ("1e3", "instalments[0].amount"),
        ("NaN", "instalments[0].amount"),
        ("-5.00", "instalments[0].amount"),
        ("0.00", "instalments[0].amount"),
        ("1.234", "instalments[0].amount"),
        (12.5, "instalments[0].amount"),
        (12, "instalments[0].amount"),
        (None, "instalments[0].amount"),
    ],
)
async def test_amounts_are_plain_decimal_strings(sol: System, amount: Any, field: str) -> None:
    await sol.http.post("/v1/borrowers", json=BORROWER)
    loan = {
        "external_ref": "L-1",
        "borrower_ref": "C-1",
        "product": "loan",
        "currency": "EUR",
        "instalments": [{"number": 1, "due_on": "2026-02-01", "amount": amount}],
    }
    content = check(await sol.http.post("/v1/loans", json=loan), 422, "invalid")
    assert [fault["field"] for fault in content["errors"]] == [field]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[1]", 422),
        (b"", 422),
        (b'{"external_ref": NaN}', 422),
        (b"[" * 100_000, 400),
        (b'{"external_ref": "\\ud800"}', 422),
    ],
)
async def test_bodies_that_are_no_object(sol: System, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await sol.http.post("/v1/borrowers", content=body, headers=headers)
    check(answer, status, "malformed" if status == 400 else "invalid")


async def test_a_large_body_is_refused_announced_or_not(sol: System) -> None:
    async def drops() -> Any:
        for _ in range(30):
            yield b"x" * 65_536

    headers = {"Content-Type": "application/json"}
    announced = await sol.http.post("/v1/borrowers", content=b"x" * 2_000_000, headers=headers)
    check(announced, 413, "too_large")
    streamed = await sol.http.post("/v1/borrowers", content=drops(), headers=headers)
    check(streamed, 413, "too_large")


# ------------------------------------------------------------------ addresses and methods


async def test_unknown_addresses_and_methods_are_problems(sol: System) -> None:
    check(await sol.http.get("/v1/nothing"), 404, "not_found")
    check(await sol.http.get("/v1/loans/"), 404, "not_found")
    wrong = await sol.http.patch("/v1/borrowers")
    check(wrong, 405, "method_not_allowed")
    assert wrong.headers["allow"] == "GET, POST"


async def test_ids_that_are_none_are_refused_kindly(sol: System) -> None:
    answer = await sol.http.get("/v1/cases/not-an-id")
    assert check(answer, 422, "invalid")["errors"][0]["field"] == "case_id"
    answer = await sol.http.get("/v1/loans/a%00b")
    assert check(answer, 422, "invalid")["errors"][0]["field"] == "external_ref"


async def test_a_plain_request_id_comes_back_and_a_strange_one_does_not(sol: System) -> None:
    plain = await sol.http.get("/v1/tasks", headers={"X-Request-ID": "lender-4711-a"})
    assert plain.headers["x-request-id"] == "lender-4711-a"
    strange = await sol.http.get("/v1/tasks", headers={"X-Request-ID": 'a"><script>'})
    assert strange.headers["x-request-id"] != 'a"><script>'
    assert len(strange.headers["x-request-id"]) == 36


async def test_a_stopping_process_is_not_ready(app: FastAPI, bare: httpx.AsyncClient) -> None:
    app.state.stopping.set()
    answer = await bare.get("/readyz")
    check(answer, 503, "try_later")
    assert int(answer.headers["retry-after"]) >= 1
    assert (await bare.get("/healthz")).status_code == 200


# ------------------------------------------------------------------ the table


def test_every_error_of_the_tree_has_its_answer() -> None:
    tree = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, SaldoError)
    ]
    assert set(tree) == set(BY_ERROR)
    assert set(BY_ERROR.values()) <= set(KINDS)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (TryLater("busy", after=timedelta(seconds=7)), 503, "try_later"),
        (AllowanceSpent("spent", until=NOW + timedelta(seconds=90)), 503, "try_later"),
        (Declined("no", reason="AC04"), 502, "provider_refused"),
        (OutcomeUnknown("lost"), 502, "provider_unclear"),
        (Misconfigured("SALDO_X", "secret path", "mend"), 500, "internal"),
    ],
)
def test_errors_from_outside(error: Exception, status: int, code: str) -> None:
    problem = problem_of(error, NOW)
    assert problem is not None
    assert (problem.kind.status, problem.kind.code) == (status, code)
    assert "secret" not in problem.detail
    if status == 503:
        assert problem.headers["Retry-After"] in {"7", "90"}


def test_a_restarting_database_is_a_reason_to_wait() -> None:
    problem = problem_of(OperationalError("SELECT 1", {}, psycopg.OperationalError("gone")))
    assert problem is not None
    assert problem.kind.code == "try_later"


@pytest.fixture
def logs(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Logging as in production, for one test."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    configure_logs("info", "text", "test")
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def test_cut_connections_are_made_anew(sol: System, db: DatabaseUrls) -> None:
    assert (await sol.http.get("/v1/tasks")).status_code == 200
    with psycopg.connect(db.superuser, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert (await sol.http.get("/v1/tasks")).status_code == 200


async def test_a_mistake_of_ours_shows_nothing(
    logs: None, app: FastAPI, sol: System, capsys: pytest.CaptureFixture[str]
) -> None:
    # A cursor, a key and a body cannot break it; a process without its clock can.
    broken = app.state.clock
    app.state.clock = None
    answer = await sol.http.get("/v1/tasks")
    app.state.clock = broken
    content = check(answer, 500, "internal")
    assert "NoneType" not in answer.text
    logged = capsys.readouterr().err
    assert content["request_id"] in logged
    assert "AttributeError" in logged
    assert sol.token not in logged


async def test_many_calls_at_once_are_all_answered(sol: System) -> None:
    answers = await asyncio.gather(*(sol.http.get("/v1/tasks") for _ in range(40)))
    assert {answer.status_code for answer in answers} == {200}


async def test_a_parameter_that_an_address_does_not_know_is_refused_by_name(sol: System) -> None:
    answer = await sol.http.get("/v1/cases?stat=open")
    assert answer.status_code == 422
    assert "stat: is no parameter of this address." in answer.text
    assert "limit" in answer.text
    assert (await sol.http.post("/v1/borrowers?x%0a=1", json={})).json()["code"]
    nobody = await sol.http.get("/v1/cases?stat=open", headers={"Authorization": "Bearer none"})
    assert nobody.status_code == 401
    assert (await sol.http.get("/healthz?probe=7")).status_code == 200
