"""Each invariant sees the violation that is planted for it, and an empty house breaks none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import types

from app.store.columns import metadata
from app.store.embedded_setup import DatabaseUrls
from app.store.invariants import INVARIANTS, broken
from app.store.keys import new_id
from app.store.unit import Store

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LENDER, BORROWER, LOAN, CASE, ACCOUNT, CONSENT = (UUID(int=n) for n in range(1, 7))
IBAN = b"i" * 32


class Planter:
    """Puts bare rows into tables, past the rules. Columns not named are made up."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("SET session_replication_role = replica")

    def put(self, name: str, **values: Any) -> UUID:
        """One row; returns its id."""
        table = metadata.tables[name]
        row: dict[str, Any] = {}
        for column in table.columns:
            if column.name in values:
                row[column.name] = values[column.name]
            elif not column.nullable and column.server_default is None:
                row[column.name] = _made_up(column)
        names = ", ".join(row)
        marks = ", ".join(["%s"] * len(row))
        self._connection.execute(
            f"INSERT INTO {name} ({names}) VALUES ({marks})", list(row.values())
        )
        made: UUID = row.get("id", LENDER)
        return made

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()


def _made_up(column: Any) -> Any:
    known = {"lender_id": LENDER, "borrower_id": BORROWER, "currency": "EUR", "purpose": "scoring"}
    known |= {"channel": "sms", "reason": "no_consent", "time_zone": "Europe/Madrid"}
    if column.name in known:
        return known[column.name]
    if isinstance(column.type, types.UUID):
        return new_id()
    if isinstance(column.type, types.DateTime):
        return NOW
    if isinstance(column.type, types.Date):
        return NOW.date()
    if isinstance(column.type, types.Integer):
        return 100
    if isinstance(column.type, types.LargeBinary):
        return new_id().bytes
    if isinstance(column.type, types.JSON):
        return Jsonb({})
    return new_id().hex[-12:][: getattr(column.type, "length", None) or 12]


def _attempt(p: Planter, at: datetime, **values: Any) -> UUID:
    row = {"consent_id": CONSENT, "iban_hash": IBAN, "attended": False, "attempted_at": at}
    return p.put("read_attempts", **{**row, "purpose": "repayment_monitoring", **values})


def _consent(p: Planter, **values: Any) -> None:
    row = {
        "id": CONSENT,
        "state": "active",
        "token_enc": b"t",
        "purposes": ["repayment_monitoring"],
    }
    p.put("consents", **{**row, **values})


def _five_attempts(p: Planter) -> None:
    _consent(p)
    for hours in range(5):
        _attempt(p, NOW - hours * HOUR)


def _attempt_after_the_end(p: Planter) -> None:
    _consent(p, state="withdrawn", ended_at=NOW - HOUR)
    _attempt(p, NOW)


def _kept_figure(p: Planter) -> None:
    _consent(p, state="withdrawn", ended_at=NOW)
    p.put("readings", id=_attempt(p, NOW - HOUR), figure_enc=b"f", erase_at=NOW + DAY)


def _kept_bills(p: Planter) -> None:
    _consent(p)
    account = p.put("accounts", consent_id=CONSENT)
    p.put("income_profiles", account_id=account, profile_enc=b"p", bills_enc=b"b")


def _two_payments(p: Planter) -> None:
    for start, end in ((0, 3), (1, 4)):
        payment = p.put(
            "payments",
            state="settled",
            authorised_at=NOW + start * HOUR,
            settled_at=NOW + end * HOUR,
        )
        p.put("payment_cases", payment_id=payment, case_id=CASE, live=False)
        p.put("repayments", payment_id=payment, source="saldo", amount_minor=1)


def _booked_too_much(p: Planter) -> None:
    payment = p.put("payments", state="settled", amount_minor=100)
    for _ in range(2):
        p.put("repayments", payment_id=payment, source="saldo", amount_minor=60)


def _two_messages(p: Planter) -> None:
    link = new_id()
    for _ in range(2):
        p.put("messages", link_id=link, sent_at=NOW, verdict=Jsonb({}), state="sent")


def _after_opt_out(p: Planter) -> None:
    p.put("opt_outs", stopped_at=NOW - 2 * HOUR)
    p.put("messages", sent_at=NOW, verdict=Jsonb({}), state="sent")


def _closed_with_signal(p: Planter) -> None:
    signal = p.put("funds_signals")
    p.put("cases", id=CASE, state="closed")
    p.put("signal_cases", signal_id=signal, case_id=CASE)


def _nothing_due(p: Planter) -> None:
    p.put("lenders", id=LENDER)
    p.put("loans", id=LOAN, case_id=CASE)
    p.put("cases", id=CASE, loan_id=LOAN, state="open", opened_at=NOW)
    p.put("instalments", loan_id=LOAN, due_on=NOW.date(), amount_minor=100, paid_minor=100)


def _stuck(p: Planter) -> None:
    p.put("lenders", id=LENDER)
    p.put("loans", id=LOAN, case_id=CASE)
    p.put("cases", id=CASE, loan_id=LOAN, state="open", opened_at=NOW - 3 * DAY)
    p.put("instalments", loan_id=LOAN, due_on=NOW.date(), amount_minor=100, paid_minor=0)


def _given_up_alone(p: Planter) -> None:
    one, other = new_id(), new_id()
    approval = p.put(
        "approvals", kind="write_off", state="proposed", proposer_id=one, decider_id=other
    )
    p.put("adjustments", approval_id=approval, kind="write_off", amount_minor=1)


def _written_off_and_worked(p: Planter) -> None:
    p.put("loans", id=LOAN, state="written_off")


def _promise_left_over(p: Planter) -> None:
    p.put("cases", id=CASE, state="closed")
    promise = p.put("promises", case_id=CASE, state="open")
    p.put("promise_parts", promise_id=promise, number=1, due_on=NOW.date())


def _called_for_nothing(p: Planter) -> None:
    p.put("cases", id=CASE, state="closed")
    p.put("tasks", case_id=CASE, state="open", reason="call_borrower")


def _task_of_two(p: Planter) -> None:
    p.put("tasks", state="taken", taken_by=new_id(), given_to=new_id(), assigned_at=NOW)


PLANTED: dict[str, Callable[[Planter], Any]] = {
    "given_up_alone": _given_up_alone,
    "written_off_and_worked": _written_off_and_worked,
    "read_allowance": _five_attempts,
    "read_without_consent": _attempt_after_the_end,
    "figure_kept_too_long": _kept_figure,
    "bills_without_consent": _kept_bills,
    "consent_without_token": lambda p: _consent(p, token_enc=None),
    "two_payments_at_once": _two_payments,
    "settled_and_not_booked": lambda p: p.put("payments", state="settled"),
    "booked_more_than_paid": _booked_too_much,
    "paid_more_than_asked": lambda p: p.put("instalments", amount_minor=5, paid_minor=6),
    "link_spent_for_nothing": lambda p: p.put("payment_links", state="spent"),
    "two_messages_for_one_link": _two_messages,
    "message_after_opt_out": _after_opt_out,
    "message_without_verdict": lambda p: p.put("messages", sent_at=NOW, state="sent"),
    "message_left_hanging": lambda p: p.put(
        "messages", state="sending", claimed_at=datetime.now(UTC) - HOUR
    ),
    "signal_for_closed_cases": _closed_with_signal,
    "loan_and_case_disagree": lambda p: p.put("loans", case_id=CASE),
    "case_with_nothing_due": _nothing_due,
    "promise_never_judged": lambda p: p.put("promises", state="open"),
    "promise_of_a_closed_case": _promise_left_over,
    "case_stuck": _stuck,
    "step_without_effect": lambda p: p.put("strategy_steps", kind="notice"),
    "called_after_the_end": _called_for_nothing,
    "task_of_two": _task_of_two,
}


def test_every_invariant_has_a_violation_to_see() -> None:
    assert {one.name for one in INVARIANTS} == set(PLANTED)


async def test_an_empty_house_breaks_nothing(store: Store) -> None:
    async with store.engine_unit() as unit:
        assert await broken(unit, NOW) == []


@pytest.mark.parametrize("name", PLANTED)
async def test_a_planted_violation_is_counted(name: str, store: Store, db: DatabaseUrls) -> None:
    planter = Planter(db.superuser)
    PLANTED[name](planter)
    planter.close()
    async with store.engine_unit() as unit:
        found = {one.name: one.count for one in await broken(unit, NOW)}
    assert found.pop(name) >= 1
    assert found == {}, "the planted rows break other rules too"


async def test_a_notice_that_the_law_demands_breaks_no_stop(store: Store, db: DatabaseUrls) -> None:
    planter = Planter(db.superuser)
    planter.put("opt_outs", stopped_at=NOW - 2 * HOUR)
    planter.put("messages", sent_at=NOW, verdict=Jsonb({}), state="sent", purpose="required_notice")
    planter.close()
    async with store.engine_unit() as unit:
        assert await broken(unit, NOW) == []


NEXT_ACTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("tasks", {"case_id": CASE, "state": "open", "borrower_id": BORROWER}),
    ("messages", {"state": "queued"}),
    ("payment_links", {"state": "live"}),
    ("approvals", {"loan_id": LOAN, "state": "proposed", "kind": "write_off"}),
    ("holds", {"case_id": None, "lifted_at": None, "starts_at": NOW - HOUR}),
    ("promises", {"case_id": CASE, "state": "open"}),
    ("accounts", {"next_read_at": NOW + HOUR}),
)


@pytest.mark.parametrize(("table", "columns"), NEXT_ACTIONS, ids=lambda one: str(one)[:20])
async def test_a_case_with_a_next_action_is_not_stuck(
    table: str, columns: dict[str, Any], store: Store, db: DatabaseUrls
) -> None:
    planter = Planter(db.superuser)
    _stuck(planter)
    planter.put(table, **{"borrower_id": BORROWER, **columns})
    planter.close()
    async with store.engine_unit() as unit:
        assert "case_stuck" not in {one.name for one in await broken(unit, NOW)}


@pytest.mark.parametrize(
    ("next_step_at", "stuck"),
    [(NOW + DAY, False), (NOW - HOUR, False), (NOW - 3 * DAY, True), (None, True)],
)
async def test_a_strategy_that_sleeps_is_no_next_action(
    next_step_at: datetime | None, stuck: bool, store: Store, db: DatabaseUrls
) -> None:
    planter = Planter(db.superuser)
    planter.put("lenders", id=LENDER)
    planter.put("loans", id=LOAN, case_id=CASE)
    planter.put("instalments", loan_id=LOAN, due_on=NOW.date(), amount_minor=100, paid_minor=0)
    planter.put(
        "cases", id=CASE, loan_id=LOAN, state="open", opened_at=NOW - 3 * DAY,
        strategy_version_id=new_id(), next_step_at=next_step_at,
    )  # fmt: skip
    planter.close()
    async with store.engine_unit() as unit:
        assert ("case_stuck" in {one.name for one in await broken(unit, NOW)}) is stuck
