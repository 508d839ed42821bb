"""One row of everything a lender can have, written straight into the tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Table, insert, select, text, update

from app.flows.house import House
from app.store.columns import metadata
from app.store.keys import new_id
from app.store.tables import (
    accounts,
    agencies,
    approvals,
    bulk_files,
    bulk_rows,
    cases,
    consent_choices,
    consent_requests,
    consents,
    experiments,
    funds_signals,
    holds,
    loans,
    messages,
    payment_cases,
    payment_links,
    payments,
    placements,
    promise_parts,
    promises,
    readings,
    segments,
    signal_cases,
    strategies,
    strategy_versions,
    tasks,
    timeline,
)
from app.store.unit import Store, Unit
from tests.api.conftest import NOW, System


@dataclass(frozen=True, slots=True)
class Garden:
    """Ids of what was planted, by the names that the API's addresses use."""

    external_ref: str
    loan_ref: str
    hold_id: UUID
    request_id: UUID
    consent_id: UUID
    case_id: UUID
    payment_id: UUID
    message_id: UUID
    task_id: UUID
    signal_id: UUID
    approval_id: UUID
    promise_id: UUID
    strategy_id: UUID
    segment_id: UUID
    file_id: UUID
    experiment_id: UUID
    agency_id: UUID
    placement_id: UUID


async def plant(system: System, house: House) -> Garden:
    """Give the lender one of everything. Its loan is overdue, its payment settled."""
    await system.register()
    async with house.store.unit(system.lender_id) as unit:
        loan = (await unit.conn.execute(select(loans))).one()
        ids = {name: new_id() for name in Garden.__annotations__ if name.endswith("_id")}
        add = _adder(unit, system)
        borrower = {"borrower_id": loan.borrower_id}
        await add(
            cases, id=ids["case_id"], loan_id=loan.id, state="open", opened_at=NOW, **borrower
        )
        await unit.conn.execute(update(loans).values(case_id=ids["case_id"]))
        await _plant_consent(add, ids, borrower)
        await _plant_signal(add, ids, borrower)
        await _plant_payment(add, ids, loan)
        await _plant_strategy(add, ids)
        await add(
            tasks, id=ids["task_id"], key=new_id(), reason="link_unpaid", created_at=NOW,
            situation={"why": "x"}, case_id=ids["case_id"], **borrower,
        )  # fmt: skip
        await add(
            promises, id=ids["promise_id"], case_id=ids["case_id"], loan_id=loan.id,
            currency="EUR", source="desk", made_by="eva", made_at=NOW, **borrower,
        )  # fmt: skip
        await add(
            promise_parts, promise_id=ids["promise_id"], number=1, due_on=date(2026, 3, 9),
            amount_minor=5_000,
        )  # fmt: skip
        await add(
            holds, id=ids["hold_id"], kind="dispute", reason="x", starts_at=NOW, recorded_at=NOW,
            ends_at=NOW + timedelta(days=9), set_by="desk", **borrower,
        )  # fmt: skip
        await add(
            approvals, id=ids["approval_id"], kind="write_off", subject_id=loan.id,
            loan_id=loan.id, case_id=ids["case_id"], amount_minor=12_000, currency="EUR",
            reason="x", proposed_by="saldo", proposed_at=NOW, **borrower,
        )  # fmt: skip
        await _plant_agency(add, ids, loan)
        await add(
            bulk_files, id=ids["file_id"], kind="book", name="book.csv", digest=b"x" * 32,
            state="checked", totals={"rows": 1}, made_by="eva", made_at=NOW,
        )  # fmt: skip
        await add(
            bulk_rows, file_id=ids["file_id"], number=2, sheet="loans", person=0,
            verdict="invalid", message="due_on: is no day.", row_enc=b"x",
        )  # fmt: skip
        await add(
            experiments, id=ids["experiment_id"], name="holdout", kind="holdout", withholds=[],
            made_by="eva", started_at=NOW,
        )  # fmt: skip
        await add(
            timeline, id=new_id(), at=NOW, kind="decision", actor="saldo",
            details={"step": "ask"}, case_id=ids["case_id"], **borrower,
        )  # fmt: skip
    return Garden(external_ref="C-1", loan_ref="L-1", **ids)


def _adder(unit: Unit, system: System) -> Any:
    async def add(table: Table, **values: Any) -> None:
        await unit.conn.execute(insert(table).values(lender_id=system.lender_id, **values))

    return add


async def _plant_agency(add: Any, ids: dict[str, UUID], loan: Any) -> None:
    await add(
        agencies, id=ids["agency_id"], name="Norte Recobros", contact="cases@norte.example",
        commission_basis_points=2_000, made_by="eva", made_at=NOW,
    )  # fmt: skip
    await add(
        placements, id=ids["placement_id"], agency_id=ids["agency_id"], loan_id=loan.id,
        borrower_id=loan.borrower_id, case_id=ids["case_id"], approval_id=ids["approval_id"],
        hold_id=ids["hold_id"], placed_by="eva", placed_at=NOW, amount_minor=12_000,
        currency="EUR",
    )  # fmt: skip


async def _plant_consent(add: Any, ids: dict[str, UUID], borrower: dict[str, Any]) -> None:
    await add(
        consent_requests, id=ids["request_id"], purposes=["scoring"], language="es",
        token_hash=new_id().bytes, created_at=NOW, expires_at=NOW + timedelta(days=1),
        state="completed", **borrower,
    )  # fmt: skip
    await add(
        consents, id=ids["consent_id"], request_id=ids["request_id"], connector="berlin_group",
        bank_id="sol", state="active", purposes=["scoring", "repayment_monitoring"],
        return_hash=new_id().bytes, asked_until=date(2026, 5, 1), created_at=NOW,
        ends_at=NOW + timedelta(days=60), scoring="none", **borrower,
    )  # fmt: skip
    await add(
        consent_choices, id=new_id(), request_id=ids["request_id"], purpose="scoring",
        granted=True, wording_version="1", language="es", chosen_at=NOW, **borrower,
    )  # fmt: skip


async def _plant_strategy(add: Any, ids: dict[str, UUID]) -> None:
    await add(strategies, id=ids["strategy_id"], name="soft", created_at=NOW)
    in_force = {
        "state": "published", "made_by": "Eva", "made_at": NOW, "published_by": "Pat",
        "published_at": NOW,
    }  # fmt: skip
    await add(
        strategy_versions, id=new_id(), strategy_id=ids["strategy_id"],
        body={"name": "soft", "stages": []}, **in_force,
    )  # fmt: skip
    await add(
        segments, id=ids["segment_id"], name="late", rank=1, action={"do": "review", "ask": "x"},
        conditions={"title": "Late", "when": {"field": "open_loans", "op": "is", "value": 1}},
        **in_force,
    )  # fmt: skip


async def _plant_signal(add: Any, ids: dict[str, UUID], borrower: dict[str, Any]) -> None:
    account_id, reading_id = new_id(), new_id()
    await add(
        accounts, id=account_id, consent_id=ids["consent_id"], connector="berlin_group",
        bank_id="sol", iban_hash=new_id().bytes, iban_masked="ES•• •••• 1332", currency="EUR",
        ref_enc=b"x", created_at=NOW, **borrower,
    )  # fmt: skip
    await add(
        readings, id=reading_id, account_id=account_id, purpose="repayment_monitoring",
        read_at=NOW, verdict="signal", erase_at=NOW + timedelta(days=30),
    )  # fmt: skip
    await add(
        funds_signals, id=ids["signal_id"], account_id=account_id, reading_id=reading_id,
        raised_at=NOW, covers="enough", margin_band="wide", **borrower,
    )  # fmt: skip
    await add(signal_cases, signal_id=ids["signal_id"], case_id=ids["case_id"], covers="whole")
    await add(
        messages, id=ids["message_id"], key=new_id(), channel="sms", wording="click_and_pay/1",
        language="es", signal_id=ids["signal_id"], case_ids=[ids["case_id"]], to_enc=b"x",
        body_enc=b"x", marker_enc=b"x", state="sent", created_at=NOW, sent_at=NOW,
        verdict={"allowed": True}, **borrower,
    )  # fmt: skip


async def _plant_payment(add: Any, ids: dict[str, UUID], loan: Any) -> None:
    borrower = {"borrower_id": loan.borrower_id}
    link_id = new_id()
    await add(
        payment_links, id=link_id, token_hash=new_id().bytes, created_at=NOW, state="spent",
        expires_at=NOW + timedelta(days=1), **borrower,
    )  # fmt: skip
    await add(
        payments, id=ids["payment_id"], key=new_id(), link_id=link_id, connector="berlin_group",
        bank_id="sol", amount_minor=12_000, currency="EUR", state="settled",
        end_to_end_ref=f"SALDO{link_id.hex[:20]}", return_hash=new_id().bytes, return_enc=b"x",
        payer_enc=b"x", created_at=NOW, authorised_at=NOW, settled_at=NOW, **borrower,
    )  # fmt: skip
    await add(
        payment_cases, payment_id=ids["payment_id"], case_id=ids["case_id"], loan_id=loan.id,
        amount_minor=12_000, live=False,
    )  # fmt: skip


async def crossings(store: Store) -> list[str]:
    """Columns by which a row of one lender points to a row of another: row security stops none."""
    found = []
    async with store.engine_unit() as unit:
        for table in metadata.sorted_tables:
            for column in table.columns:
                for key in column.foreign_keys:
                    there = key.column.table
                    if not (table.info.get("tenant") and "lender_id" in there.columns):
                        continue
                    crossed = await unit.conn.scalar(
                        text(
                            f"SELECT count(*) FROM {table.name} a JOIN {there.name} b "
                            f"ON b.{key.column.name} = a.{column.name} "
                            "WHERE a.lender_id <> b.lender_id"
                        )
                    )
                    found += [f"{table.name}.{column.name}"] if crossed else []
    return found
