"""Holds through the API: backdated, with what they stop, and ended only by who may end them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.domain.hold import BY_HAND, HoldKind
from app.domain.roles import Role
from app.flows.cases.open_cases import open_cases
from app.flows.house import House
from app.flows.work.lift_hold import lift_hold
from app.flows.work.set_hold import set_hold
from app.reports.book import borrower_id_of
from app.store.tables import tasks
from tests.api.conftest import NOW, System

pytestmark = pytest.mark.anyio


async def set_one(sol: System, **given: Any) -> dict[str, Any]:
    answer = await sol.http.post(
        "/v1/borrowers/C-1/holds", json={"kind": "dispute", "reason": "says no", **given}
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_hold_may_begin_before_it_was_known(sol: System) -> None:
    await sol.register()
    late = (await sol.http.get("/v1/loans/L-1")).json()["days_past_due"]
    shown = await set_one(sol, starts_at="2026-02-20T00:00:00Z")
    assert shown["starts_at"] == "2026-02-20T00:00:00Z"
    assert shown["recorded_at"] == "2026-03-02T09:30:00Z"
    assert {"contact", "fees", "days"} <= set(shown["blocks"])
    loan = (await sol.http.get("/v1/loans/L-1")).json()
    assert loan["days_past_due"] == late - 11
    assert loan["days_since_due"] == late


async def test_what_was_made_before_a_hold_was_known_is_listed_with_it(
    sol: System, house: House
) -> None:
    await sol.register()
    await open_cases(house, NOW)
    case_id = (await sol.http.get("/v1/cases")).json()["items"][0]["id"]
    call = {"channel": "call", "direction": "outbound", "conversation": False}
    for made_at in ("2026-02-25T10:00:00Z", "2026-03-01T10:00:00Z"):
        answer = await sol.http.post(
            f"/v1/cases/{case_id}/contacts", json={**call, "made_at": made_at}
        )
        assert answer.status_code == 201, answer.text
    late = await set_one(sol, starts_at="2026-02-28T00:00:00Z")
    asked = await sol.http.get(f"/v1/borrowers/C-1/holds/{late['id']}/contacts")
    assert asked.json() == [{"at": "2026-03-01T10:00:00Z", "channel": "call"}]
    known = await set_one(sol)
    asked = await sol.http.get(f"/v1/borrowers/C-1/holds/{known['id']}/contacts")
    assert asked.json() == []


async def test_less_may_be_stopped_where_the_kind_allows_it(sol: System) -> None:
    await sol.register()
    shown = await set_one(sol, kind="other", blocks=["payment_ask", "days", "contact"])
    assert shown["blocks"] == ["contact", "days", "payment_ask"]
    for wrong in (
        {"kind": "other", "blocks": ["fees"]},
        {"kind": "complaint", "blocks": ["agency"]},
        {"kind": "dispute", "blocks": ["contact"]},
        {"kind": "deceased", "ends_at": "2026-04-01T00:00:00Z"},
        {"starts_at": "2026-03-03T00:00:00Z"},
        {"blocks": ["sunshine"]},
    ):
        answer = await sol.http.post(
            "/v1/borrowers/C-1/holds", json={"kind": "dispute", "reason": "x", **wrong}
        )
        assert answer.status_code == 422, wrong


@pytest.mark.parametrize("kind", [kind.value for kind in BY_HAND if kind is not HoldKind.OTHER])
async def test_a_key_lifts_nothing_that_protects_and_asks_a_person(
    kind: str, sol: System, house: House
) -> None:
    await sol.register()
    shown = await set_one(sol, kind=kind)
    where = f"/v1/borrowers/C-1/holds/{shown['id']}"
    for _ in range(2):
        answer = await sol.http.delete(where)
        assert (answer.status_code, answer.content) == (202, b"")
    (still,) = (await sol.http.get("/v1/borrowers/C-1/holds")).json()["items"]
    assert still["lifted_at"] is None
    waiting = await tasks_of(house, sol)
    assert [(row.reason, row.state) for row in waiting] == [("lift_asked", "open")]
    assert kind.replace("_", " ") in waiting[0].situation["because"]
    # Who may lift it does, and the task is done with.
    async with house.store.unit(sol.lender_id) as unit:
        await lift_hold(
            unit,
            NOW,
            hold_id=UUID(shown["id"]),
            lifted_by="coral",
            role=Role.COMPLIANCE,
            reason="over",
        )
    assert [row.state for row in await tasks_of(house, sol)] == ["cancelled"]
    assert (await sol.http.delete(where)).status_code == 409


async def test_a_key_lifts_what_it_set_itself_for_a_reason_of_its_own(
    sol: System, house: House
) -> None:
    await sol.register()
    own = await set_one(sol, kind="other")
    async with house.store.unit(sol.lender_id) as unit:
        borrower_id = await borrower_id_of(unit, "C-1")
        ours = await set_hold(
            unit, NOW, borrower_id=borrower_id, case_id=None, kind="other", reason="in hospital",
            ends_at=None, set_by="mara",
        )  # fmt: skip
    for hold_id, status in ((own["id"], 204), (ours, 202)):
        answer = await sol.http.delete(f"/v1/borrowers/C-1/holds/{hold_id}")
        assert answer.status_code == status
    (task,) = await tasks_of(house, sol)
    assert (task.reason, task.situation["hold_id"]) == ("lift_asked", str(ours))


async def test_a_promise_is_no_hold(sol: System) -> None:
    await sol.register()
    answer = await sol.http.post(
        "/v1/borrowers/C-1/holds", json={"kind": "promise", "reason": "on Friday"}
    )
    assert answer.status_code == 422


async def tasks_of(house: House, sol: System) -> list[Any]:
    async with house.store.unit(sol.lender_id) as unit:
        return list(await unit.conn.execute(select(tasks).order_by(tasks.c.id)))
