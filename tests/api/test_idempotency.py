"""POST with an Idempotency-Key: done once, answered as often as asked."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from typing import Any

import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, update

from app.flows.house import House
from app.store import idempotency
from app.store.tables import holds, idempotency_keys
from tests.api.conftest import BORROWER, System

pytestmark = pytest.mark.anyio

HOLD = {"kind": "hardship", "reason": "Lost his job."}
URL = "/v1/borrowers/C-1/holds"
KEY = {"Idempotency-Key": "abc-1"}


async def holds_made(house: House) -> int:
    async with house.store.engine_unit() as unit:
        return int(await unit.conn.scalar(select(func.count()).select_from(holds)) or 0)


async def test_the_same_call_gets_the_same_answer(sol: System, house: House) -> None:
    await sol.register()
    first = await sol.http.post(URL, json=HOLD, headers=KEY)
    again = await sol.http.post(URL, json=HOLD, headers=KEY)
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == "application/json"
    assert first.headers["x-request-id"] != again.headers["x-request-id"]
    assert await holds_made(house) == 1


async def test_without_a_key_every_call_counts(sol: System, house: House) -> None:
    await sol.register()
    for _ in range(2):
        assert (await sol.http.post(URL, json=HOLD)).status_code == 201
    assert await holds_made(house) == 2


async def test_a_location_is_repeated_too(sol: System) -> None:
    for _ in range(2):
        answer = await sol.http.post("/v1/borrowers", json=BORROWER, headers=KEY)
        assert answer.status_code == 201
        assert answer.headers["location"] == "/v1/borrowers/C-1"


async def test_another_body_or_address_under_the_same_key_is_refused(sol: System) -> None:
    await sol.register()
    await sol.http.post(URL, json=HOLD, headers=KEY)
    for url, body in ((URL, {**HOLD, "reason": "x"}), ("/v1/borrowers", BORROWER)):
        answer = await sol.http.post(url, json=body, headers=KEY)
        assert answer.status_code == 422
        assert answer.json()["code"] == "key_reused"


async def test_ten_at_once_do_it_once(sol: System, house: House) -> None:
    await sol.register()
    answers = await asyncio.gather(*(sol.http.post(URL, json=HOLD, headers=KEY) for _ in range(10)))
    by_status: dict[int, list[Any]] = {}
    for answer in answers:
        by_status.setdefault(answer.status_code, []).append(answer)
    assert set(by_status) <= {201, 409}
    assert len({answer.content for answer in by_status[201]}) == 1
    for busy in by_status.get(409, []):
        assert busy.json()["code"] == "in_progress"
        assert busy.headers["retry-after"] == "1"
    assert await holds_made(house) == 1


async def test_a_refusal_is_an_answer_and_kept(sol: System) -> None:
    first = await sol.http.post(URL, json=HOLD, headers=KEY)
    assert first.status_code == 404
    await sol.register()
    again = await sol.http.post(URL, json=HOLD, headers=KEY)
    assert again.status_code == 404
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == "application/problem+json"
    assert (await sol.http.post(URL, json=HOLD)).status_code == 201


async def test_a_body_that_never_fitted_does_not_use_the_key_up(sol: System) -> None:
    await sol.register()
    wrong = await sol.http.post(URL, json={**HOLD, "kind": "mood"}, headers=KEY)
    assert wrong.status_code == 422
    assert (await sol.http.post(URL, json=HOLD, headers=KEY)).status_code == 201


async def test_a_failure_of_ours_does_not_use_the_key_up(
    sol: System, app: FastAPI, house: House
) -> None:
    await sol.register()
    stand_in = House(
        store=house.store,
        settings=house.settings,
        packs=house.packs,
        aggregations={},
        payments={},
        messages={},
        lender_hooks=house.lender_hooks,
        real_now=house.real_now,
    )
    app.state.house = stand_in
    clock, app.state.clock = app.state.clock, None
    broken = await sol.http.post(URL, json=HOLD, headers=KEY)
    assert broken.status_code == 500
    app.state.clock = clock
    assert (await sol.http.post(URL, json=HOLD, headers=KEY)).status_code == 201
    assert await holds_made(house) == 1


async def test_a_call_that_died_is_taken_over_after_a_while(sol: System, house: House) -> None:
    await sol.register()
    await sol.http.post(URL, json=HOLD, headers=KEY)
    long_ago = house.real_now() - idempotency.STALE_AFTER - timedelta(seconds=1)

    async def leave_running(**values: Any) -> None:
        async with house.store.engine_unit() as unit:
            await unit.conn.execute(
                update(idempotency_keys).values(status=None, answer=None, **values)
            )

    await leave_running(created_at=house.real_now())
    busy = await sol.http.post(URL, json=HOLD, headers=KEY)
    assert busy.json()["code"] == "in_progress"
    await leave_running(created_at=long_ago)
    other = await sol.http.post(URL, json={**HOLD, "reason": "x"}, headers=KEY)
    assert other.json()["code"] == "key_reused"
    assert (await sol.http.post(URL, json=HOLD, headers=KEY)).status_code == 201


async def test_after_a_day_a_key_is_free_again(sol: System, house: House) -> None:
    await sol.register()
    await sol.http.post(URL, json=HOLD, headers=KEY)
    async with house.store.engine_unit() as unit:
        await unit.conn.execute(
            update(idempotency_keys).values(
                created_at=house.real_now() - idempotency.KEPT_FOR - timedelta(seconds=1)
            )
        )
    again = await sol.http.post(URL, json={**HOLD, "reason": "x"}, headers=KEY)
    assert again.status_code == 201
    assert await holds_made(house) == 2


async def test_keys_belong_to_their_lender_and_answers_are_sealed(
    sol: System, luna: System, house: House
) -> None:
    for system in (sol, luna):
        await system.register()
        answer = await system.http.post(URL, json=HOLD, headers=KEY)
        assert answer.status_code == 201
        assert "idempotency-replayed" not in answer.headers
    async with house.store.engine_unit() as unit:
        rows = (await unit.conn.execute(select(idempotency_keys))).all()
    assert len(rows) == 2
    assert all("hardship" not in repr(row) for row in rows)


async def test_a_copy_of_the_rows_tells_nobody_a_birth_date(sol: System, house: House) -> None:
    """Whoever knows the rest of a body could try all days against a hash without a key."""
    body = orjson.dumps(BORROWER)
    headers = {**KEY, "content-type": "application/json"}
    await sol.http.post("/v1/borrowers", content=body, headers=headers)
    async with house.store.engine_unit() as unit:
        row = (await unit.conn.execute(select(idempotency_keys))).one()
    assert bytes(row.request_hash) not in {
        hashlib.sha256(tried).digest() for tried in (body, b"\n" + body)
    }


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 201, "ключ".encode().decode("latin-1")])
async def test_keys_that_are_none(sol: System, key: str) -> None:
    answer = await sol.http.post(
        "/v1/borrowers", json=BORROWER, headers={b"Idempotency-Key": key.encode("latin-1")}
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
