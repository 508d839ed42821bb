"""Holds through the API: backdated, with what they stop, and ended only by who may end them."""

from __future__ import annotations

from typing import Any

import pytest

from app.flows.house import House
from app.flows.open_cases import open_cases
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


async def test_the_system_ends_its_own_kinds_and_no_other(sol: System) -> None:
    await sol.register()
    for kind, status in (("dispute", 204), ("insolvency", 403), ("breathing_space", 403)):
        shown = await set_one(sol, kind=kind)
        answer = await sol.http.delete(f"/v1/borrowers/C-1/holds/{shown['id']}")
        assert answer.status_code == status, kind
