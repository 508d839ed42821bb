"""Consent over the API: the link is shown once, the scoring figure is handed over once."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from app.flows.house import House
from app.store.keys import new_id
from app.store.tables import accounts, consent_requests, consents, idempotency_keys, readings
from tests.api.conftest import NOW, System
from tests.api.planting import Garden, plant

pytestmark = pytest.mark.anyio

ASK = {"borrower_ref": "C-1", "purposes": ["scoring", "repayment_monitoring"]}


async def test_a_request_gives_a_link_that_is_stored_nowhere(sol: System, house: House) -> None:
    await sol.register()
    made = await sol.http.post("/v1/consent-requests", json=ASK)
    assert made.status_code == 201, made.text
    link = made.json()["link"]
    assert link.startswith("https://saldo.test/c/")
    token = link.rpartition("/")[2]
    assert made.headers["location"] == f"/v1/consent-requests/{made.json()['id']}"
    shown = await sol.http.get(made.headers["location"])
    assert shown.json()["state"] == "open"
    assert shown.json()["window_days"] == 90
    assert token not in shown.text
    async with house.store.engine_unit() as unit:
        row = (await unit.conn.execute(select(consent_requests))).one()
    assert token not in repr(row)


async def test_a_repeated_request_gets_the_same_link(sol: System, house: House) -> None:
    await sol.register()
    key = {"Idempotency-Key": "once"}
    first = await sol.http.post("/v1/consent-requests", json=ASK, headers=key)
    again = await sol.http.post("/v1/consent-requests", json=ASK, headers=key)
    assert first.json() == again.json()
    async with house.store.engine_unit() as unit:
        stored = (await unit.conn.execute(select(idempotency_keys))).one()
        assert len((await unit.conn.execute(select(consent_requests))).all()) == 1
    assert first.json()["link"].rpartition("/")[2] not in repr(stored)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"purposes": []}, "purposes"),
        ({"purposes": ["marketing"]}, "purposes[0]"),
        ({"window_days": 0}, "window_days"),
        ({"window_days": 181}, "window_days"),
        ({"window_days": "90"}, "window_days"),
        ({"language": "xx"}, "language"),
        ({"return_url": "http://lender.example/x"}, "return_url"),
        ({"return_url": "javascript:alert(1)"}, "return_url"),
    ],
)
async def test_refusals_name_the_field(sol: System, change: dict[str, Any], field: str) -> None:
    await sol.register()
    answer = await sol.http.post("/v1/consent-requests", json={**ASK, **change})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


async def stored_figure(sol: System, house: House, garden: Garden) -> None:
    """The bank was read for scoring, and the figure waits to be collected."""
    reading_id = new_id()
    async with house.store.unit(sol.lender_id) as unit:
        account_id = await unit.conn.scalar(select(accounts.c.id))
        await unit.conn.execute(
            readings.insert().values(
                id=reading_id,
                lender_id=sol.lender_id,
                account_id=account_id,
                purpose="scoring",
                read_at=NOW,
                kind="interimAvailable",
                credit_excluded=True,
                verdict="scoring",
                figure_enc=unit.seal("readings.figure_enc", reading_id, "-1234 EUR"),
                erase_at=NOW,
            )
        )
        await unit.conn.execute(
            update(consents)
            .where(consents.c.id == garden.consent_id)
            .values(scoring="stored", scoring_reading_id=reading_id)
        )


async def test_the_scoring_figure_is_handed_over_once_and_kept_nowhere(
    sol: System, house: House
) -> None:
    garden = await plant(sol, house)
    await stored_figure(sol, house, garden)
    url = f"/v1/consent-requests/{garden.request_id}/scoring"
    first = await sol.http.post(url, headers={"Idempotency-Key": "once"})
    assert first.status_code == 200, first.text
    assert first.json()["spendable"] == {"amount": "-12.34", "currency": "EUR"}
    assert first.json()["credit_excluded"] is True
    assert first.headers["cache-control"] == "no-store"
    again = await sol.http.post(url, headers={"Idempotency-Key": "once"})
    assert again.status_code == 409
    assert again.json()["code"] == "scoring_handed"
    async with house.store.engine_unit() as unit:
        assert (await unit.conn.execute(select(idempotency_keys))).all() == []
        figures = await unit.conn.scalars(select(readings.c.figure_enc))
        assert not any(figures.all())


async def test_a_withdrawal_by_api_ends_the_reading(sol: System, house: House) -> None:
    garden = await plant(sol, house)
    url = f"/v1/consents/{garden.consent_id}"
    assert (await sol.http.get(url)).json()["state"] == "active"
    for _ in range(2):
        answer = await sol.http.post(f"{url}/withdraw")
        assert answer.status_code == 200, answer.text
        assert answer.json()["state"] == "withdrawn"
