"""One lender's people against everything of another, through every route of the desk there is.

The list of routes is the desk's own: a new one is walked without being named here, with ids of
rows that the other lender really has, in its address, in its query and in its form.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text, update

from app.domain.ids import LenderId
from app.domain.provider_setup import Slot
from app.domain.roles import Role, may
from app.flows.books.register_borrower import BorrowerWanted, register_borrower
from app.flows.books.register_loan import LoanWanted, register_loan
from app.flows.house import House
from app.flows.strategies.install_strategies import install_strategies
from app.store.columns import metadata
from app.store.keys import new_id
from app.store.loans import Scheduled
from app.store.provider_setups import AccessData, add_setup, fresh_name
from app.store.tables import (
    absences,
    adjustments,
    agent_reminders,
    bulk_files,
    case_moves,
    maintenance_windows,
    moved_cases,
    pack_editions,
    templates,
)
from app.web import Web
from tests.api.conftest import NOW
from tests.api.planting import crossings, plant
from tests.flows.street import Street
from tests.rig import make_lender
from tests.web.conftest import OpenBrowser, desk_of
from tests.web.test_roles import DESKS, GUARDED

pytestmark = pytest.mark.anyio

NAME, REF = "Zenobia Quill", "C-1"

# The parameters of addresses that name no row.
WORDS = {"place": "ES", "job": "messages"}
# What forms and queries call a row of this kind.
NAMED_AS = {
    "case_id": ("case",),
    "agency_id": ("agency",),
    "placement_id": ("placement",),
    "strategy_id": ("strategy", "under"),
    "edition_id": ("edition",),
    "user_id": ("from", "to", "person"),
    "payment_id": ("payment",),
}
# Enough of every form that no route stops at an empty field before it looks for the row.
TYPED = {
    "reason": "x", "note": "x", "why_not": "x", "option": "defer", "word": "approve",
    "scope": "borrower", "target": REF, "product": "consumer loan", "seen": "1",
    "kind": "other", "outcome": "resolved", "channel": "sms", "direction": "outbound",
    "name": "soft", "language": "es", "body": "x", "contact": "x", "commission": "10",
    "role": "compliance", "password": "long enough to be one", "email": "new@luna.example",
    "arrived": "yes", "ended_on": "2026-03-02", "answer": "yes", "brake": "sms",
    "currency": "EUR", "amount": "1.00", "do": "strategy", "ask": "x", "title": "x", "rank": "1",
    "external_ref": "L-1", "find": REF, "share": "50", "days": "30",
    "cap": "5", "time_zone": "Europe/Madrid", "hours_0": "09:00-17:00",
    "starts_on": "2036-03-02", "until_on": "2036-03-03",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Registered:
    """A lender with one borrower and one loan, as the gardener of the API's tests wants it."""

    lender_id: LenderId
    house: House

    async def register(self) -> None:
        """One borrower with one overdue loan."""
        wanted = BorrowerWanted(external_ref=REF, name=NAME, country="ES", language="es")
        await register_borrower(self.house, NOW, self.lender_id, wanted)
        due = (NOW - timedelta(days=30)).date()
        loan = LoanWanted(
            borrower_ref=REF, external_ref="L-1", product="consumer loan", currency="EUR",
            as_of=NOW, schedule=(Scheduled(1, due, 12_000, 0),),
        )  # fmt: skip
        await register_loan(self.house, NOW, self.lender_id, loan)


async def everything_planted(street: Street, browser: OpenBrowser) -> dict[str, str]:
    """One row of everything at the street's lender: its ids, by the names that addresses use."""
    system: Any = Registered(street.lender_id, street.house)
    garden = await plant(system, street.house)
    await desk_of(street, browser, Role.COLLECTOR)
    ids = {name: str(value) for name, value in asdict(garden).items() if name.endswith("_id")}
    ids["user_id"] = str(await street.value("SELECT id FROM users"))
    ids["version_id"] = str(await street.value("SELECT id FROM strategy_versions LIMIT 1"))
    borrower_id = await street.value("SELECT id FROM borrowers")
    loan_id = await street.value("SELECT id FROM loans")
    more = {
        name: new_id()
        for name in (
            "adjustment_id",
            "reminder_id",
            "edition_id",
            "rest_id",
            "absence_id",
            "move_id",
        )
    }
    own = {"lender_id": street.lender_id}
    async with street.store.unit(street.lender_id) as unit:

        async def add(table: Any, **values: Any) -> None:
            await unit.conn.execute(insert(table).values(**own, **values))

        await add(
            adjustments, id=more["adjustment_id"], loan_id=loan_id, borrower_id=borrower_id,
            approval_id=garden.approval_id, kind="write_off", amount_minor=1, currency="EUR",
            made_at=NOW,
        )  # fmt: skip
        await add(
            agent_reminders, id=more["reminder_id"], user_id=ids["user_id"],
            case_id=garden.case_id, borrower_id=borrower_id, due_at=NOW, created_at=NOW,
        )  # fmt: skip
        await add(
            pack_editions, id=more["edition_id"], country="ES", state="draft", body={},
            made_by="eva", made_at=NOW,
        )  # fmt: skip
        await add(
            templates, id=new_id(), name="soft", channel="sms", language="es", state="draft",
            body="Planted words", made_by="eva", made_at=NOW,
        )  # fmt: skip
        await add(
            maintenance_windows, id=more["rest_id"], connector="berlin_group", bank_id="caja",
            starts_at=NOW, ends_at=NOW + timedelta(days=900), reason="x", set_by="eva",
            set_at=NOW,
        )  # fmt: skip
        await add(
            absences, id=more["absence_id"], user_id=ids["user_id"], starts_on=NOW.date(),
            until_on=NOW.date() + timedelta(days=300), entered_by="eva", entered_at=NOW,
        )  # fmt: skip
        await add(
            case_moves, id=more["move_id"], version_id=ids["version_id"], reason="x",
            made_by="eva", made_at=NOW,
        )  # fmt: skip
        await add(
            moved_cases, move_id=more["move_id"], case_id=garden.case_id,
            before_id=ids["version_id"], moved_at=NOW,
        )  # fmt: skip
        totals = {
            "rows": 1, "sheets": [], "verdicts": {}, "sums": {}, "left_out": 1, "expected": {},
            "differences": [], "unknown_columns": {}, "sheets_left_out": [], "time_zone": "UTC",
        }  # fmt: skip
        await unit.conn.execute(update(bulk_files).values(totals=totals))
        setup_id = await add_setup(
            unit, NOW, slot=Slot.MESSAGES, name=fresh_name("twilio"), connector="twilio",
            data=AccessData({"auth_token": "open sesame"}), shown={"set": [], "since": {}},
            made_by="ada",
        )  # fmt: skip
    return ids | {name: str(value) for name, value in more.items()} | {"setup_id": str(setup_id)}


async def rows_of(street: Street) -> dict[str, Any]:
    """Every row of the street's lender but who is signed in."""
    found: dict[str, Any] = {}
    async with street.store.unit(street.lender_id) as unit:
        for table in metadata.sorted_tables:
            if table.info.get("tenant") and table.name != "sessions":
                rows = await unit.conn.execute(
                    text(f"SELECT t::text FROM {table.name} t ORDER BY 1")
                )
                found[table.name] = [row[0] for row in rows]
    return found


@pytest.mark.parametrize("role", DESKS)
async def test_what_belongs_to_another_is_not_there(
    role: Role, street: Street, web: Web, browser: OpenBrowser
) -> None:
    ids = await everything_planted(street, browser)
    other = await make_lender(street.store, street.now)
    async with street.store.unit(other) as unit:
        await install_strategies(unit, street.now, other)
    before = await rows_of(street)
    desk = await desk_of(street, browser, role, lender_id=other)
    csrf = (await desk.open("/account")).forms[0].fields["csrf"]
    web.stop()  # the live stream ends at once instead of staying open
    named = {word: ids[kind] for kind, words in NAMED_AS.items() for word in words if kind in ids}
    secrets = {NAME, "Planted words", "open sesame", "Norte Recobros", *ids.values()}
    walked = 0
    for method, path, act in GUARDED:
        if path in ("/sign-out", "/account/password", "/live") or not may(role, act):
            continue
        address = path.format(**ids, **WORDS)
        sent = TYPED | named
        wanted: dict[str, Any] = {"params": sent}
        if method == "POST":
            wanted = {"data": {**sent, "csrf": csrf}}
        answer = await desk.http.request(method, address, **wanted)
        seen = (role.value, method, path, answer.status_code)
        assert answer.status_code < 500, (seen, answer.text[:300])
        if re.search(r"{\w+_id}", path):
            assert answer.status_code in {404, 422}, (seen, answer.headers.get("location"))
            assert address not in answer.headers.get("location", ""), seen
        # What he sent himself may come back, nothing else.
        shown = {one for one in secrets - set(sent.values()) if one in answer.text}
        assert not shown, (seen, shown)
        walked += 1
    assert walked
    assert await rows_of(street) == before
    assert await crossings(street.store) == []


async def test_its_owner_finds_it(street: Street, web: Web, browser: OpenBrowser) -> None:
    """Proof that the addresses above lead somewhere."""
    ids = await everything_planted(street, browser)
    web.stop()
    found = set()
    for role in set(DESKS) - {Role.COLLECTOR}:
        desk = await desk_of(street, browser, role)
        for method, path, act in GUARDED:
            if method == "GET" and "_id}" in path and may(role, act):
                answer = await desk.http.get(path.format(**ids, **WORDS))
                assert answer.status_code != 404, (role, path, answer.status_code)
                found.add(path)
    assert found == {path for method, path, _ in GUARDED if method == "GET" and "_id}" in path}
