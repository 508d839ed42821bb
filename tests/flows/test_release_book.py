"""A released book: by another person, whole people, each row once, and nobody is rushed at."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.book_totals import Expected
from app.domain.errors import Conflict, IllegalTransition, NotAllowed, NotFound
from app.domain.ids import LenderId, UserId
from app.domain.message import Channel
from app.domain.roles import Role
from app.flows.books import apply_book
from app.flows.books.apply_book import apply_books
from app.flows.books.load_book import CheckedBook
from app.flows.books.register_borrower import BorrowerWanted, register_borrower
from app.flows.books.release_book import drop_book, release_book
from app.flows.cases.open_cases import open_cases
from app.flows.lenders.manage_users import add_user
from app.flows.tidy import tidy
from app.flows.work.watch_promises import watch_promises
from app.reports.book_files import book_file, result_list
from app.store.brakes import Brake
from app.store.gate_facts import gate_facts
from app.store.keys import new_id
from app.store.locks import lock_borrower
from tests.flows.book_kit import Book, load
from tests.flows.killing import dies
from tests.flows.street import Street
from tests.rig import make_lender

pytestmark = pytest.mark.anyio


async def user(street: Street, name: str, **more: Any) -> UserId:
    """Somebody at the desk, a supervisor unless said otherwise."""
    return await add_user(
        street.house,
        street.now,
        lender_id=street.lender_id,
        email=f"{name}.{new_id().hex}@sol.example",
        name=name,
        password_hash="x",
        actor="test",
        **{"role": Role.SUPERVISOR, **more},
    )


async def release(street: Street, checked: CheckedBook, **more: object) -> None:
    """Released by somebody who did not load it."""
    assert checked.file_id is not None
    given = {
        "lender_id": street.lender_id,
        "file_id": checked.file_id,
        "user_id": await user(street, "releaser"),
        "actor": "releaser@sol.example",
        **more,
    }
    await release_book(street.house, street.now, **given)  # type: ignore[arg-type]


async def drop(street: Street, checked: CheckedBook) -> None:
    """Thrown away by whoever."""
    assert checked.file_id is not None
    await drop_book(
        street.house,
        street.now,
        lender_id=street.lender_id,
        file_id=checked.file_id,
        actor="x",
    )


async def apply(street: Street) -> None:
    """Ticks until nothing is left to do."""
    for _ in range(50):
        done = await apply_books(street.house, street.now)
        if not done.people and not done.finished:
            return


async def test_a_book_comes_in_with_all_it_means(street: Street) -> None:
    book = Book().person("B1").person("B2")
    book.add("repayments", "B1-L,R-1,20.00,2026-01-05T10:00:00Z")
    book.add("contacts", "B1,sms,2026-03-02T10:00:00Z,outbound,no,sent")
    book.add("opt_outs", "B2,sms,2026-02-11")
    book.add("promises", "B1-L,2026-02-25,120.00,2026-02-21,broken,2026-02-26")
    book.add("promises", "B1-L,2026-03-10,120.00,2026-03-01,open,")
    book.add("holds", "B2,dispute,Says it is paid.,B2-L,2026-02-25,")
    checked = await load(street, book)
    await release(street, checked)
    await apply(street)

    states = await street.rows("SELECT verdict, count(*) AS n FROM bulk_rows GROUP BY verdict")
    assert {row.verdict: row.n for row in states} == {"done": 12}
    assert await street.value("SELECT state FROM bulk_files") == "done"
    promises = await street.rows("SELECT state, source, made_at FROM promises ORDER BY made_at")
    assert [(row.state, row.source) for row in promises] == [
        ("broken", "import"), ("open", "import"),
    ]  # fmt: skip
    hold = (await street.rows("SELECT * FROM holds"))[0]
    assert (hold.kind, hold.case_id is not None) == ("dispute", True)
    assert hold.starts_at == datetime(2026, 2, 25, 22, 59, tzinfo=UTC)
    stopped = (await street.rows("SELECT * FROM opt_outs"))[0]
    assert (stopped.channel, stopped.source) == ("sms", "import")
    assert stopped.stopped_at == datetime(2026, 2, 11, 22, 59, tzinfo=UTC)


async def test_a_promise_of_several_parts_comes_over_as_one(street: Street) -> None:
    book = Book().person("B1").add("promises", "B1-L,2026-03-20,70.00,2026-03-01,open,")
    book.add("promises", "B1-L,2026-03-10,50.00,2026-03-01,open,")
    book.add("promises", "B1-L,2026-02-25,120.00,2026-02-21,broken,2026-02-26")
    await release(street, await load(street, book))
    await apply(street)
    rows = await street.rows(
        "SELECT p.state, r.number, r.due_on, r.amount_minor FROM promises p "
        "JOIN promise_parts r ON r.promise_id = p.id WHERE p.state = 'open' ORDER BY r.number"
    )
    assert [tuple(row) for row in rows] == [
        ("open", 1, date(2026, 3, 10), 5_000),
        ("open", 2, date(2026, 3, 20), 7_000),
    ]
    assert await street.value("SELECT count(*) FROM promises") == 2


async def test_past_contacts_count_at_their_own_times(street: Street) -> None:
    book = Book().person("B1").add("contacts", "B1,sms,2026-03-02T10:00:00Z,outbound,no,sent")
    book.add("contacts", "B1,call,2026-01-02T10:00:00Z,outbound,yes,reached")
    await release(street, await load(street, book))
    await apply(street)
    borrower_id = await street.value("SELECT id FROM borrowers")
    async with street.store.unit(street.lender_id) as unit:
        person = await lock_borrower(unit, borrower_id)
        told = await gate_facts(
            unit, street.now, person, channel=Channel.SMS, brake=Brake.SMS, country="ES"
        )
    # The call lies further back than any rule counts; it is kept all the same.
    assert [contact.at for contact in told.history] == [datetime(2026, 3, 2, 10, tzinfo=UTC)]
    assert await street.value("SELECT count(*) FROM contacts WHERE source = 'import'") == 2


async def test_the_loader_does_not_release_what_he_loaded(street: Street) -> None:
    loader = await user(street, "loader")
    checked = await load(street, Book().person("B1"), user_id=loader)
    for who in ({"user_id": loader}, {"actor": "loader@sol.example"}):
        with pytest.raises(NotAllowed, match="Somebody else"):
            await release(street, checked, **who)
    assert (await apply_books(street.house, street.now)).people == 0


async def test_a_second_user_that_an_admin_just_made_is_no_second_person(street: Street) -> None:
    checked = await load(street, Book().person("B1"), user_id=await user(street, "loader"))
    straw = await user(street, "straw", confirmed=False)
    with pytest.raises(NotAllowed, match="Compliance confirms"):
        await release(street, checked, user_id=straw)
    collector = await user(street, "collector", role=Role.COLLECTOR)
    with pytest.raises(NotAllowed, match="role does not include"):
        await release(street, checked, user_id=collector)
    assert (await apply_books(street.house, street.now)).people == 0


async def test_a_total_that_differs_blocks_the_release(street: Street) -> None:
    checked = await load(street, Book().person("B1"), Expected(owed={"EUR": 12_001}))
    with pytest.raises(Conflict, match=r"owed in EUR: 120.01 EUR expected, 120.00 EUR") as no:
        await release(street, checked)
    assert no.value.code == "TotalsDiffer"


async def test_left_out_rows_have_to_be_said(street: Street) -> None:
    checked = await load(street, Book().person("B1").add("opt_outs", "B9,sms,"))
    with pytest.raises(Conflict, match="1 rows would be left out"):
        await release(street, checked)
    await release(street, checked, leave_out=True)
    await apply(street)
    assert await street.value("SELECT count(*) FROM loans") == 1


async def test_a_release_happens_once_and_a_dropped_file_is_forgotten(street: Street) -> None:
    checked = await load(street, Book().person("B1"))
    await drop(street, checked)
    assert await street.value("SELECT count(*) FROM bulk_rows WHERE row_enc <> ''") == 0
    with pytest.raises(IllegalTransition):
        await release(street, checked)
    again = await load(street, Book().person("B1"))
    await release(street, again)
    for act in (drop, release):
        with pytest.raises(IllegalTransition):
            await act(street, again)


async def test_another_lenders_file_is_not_there(street: Street) -> None:
    checked = await load(street, Book().person("B1"))
    other = LenderId(await make_lender(street.store, street.now))
    with pytest.raises(NotFound):
        await release(street, checked, lender_id=other)
    async with street.store.unit(other) as unit:
        with pytest.raises(NotFound):
            await book_file(unit, checked.file_id)  # type: ignore[arg-type]


async def test_what_was_registered_meanwhile_stays_as_it_is(street: Street) -> None:
    checked = await load(street, Book().person("B1"))
    await register_borrower(
        street.house,
        street.now,
        street.lender_id,
        BorrowerWanted(external_ref="B1", name="Newer Name", country="ES", language="es"),
    )
    before = await street.value("SELECT name_enc FROM borrowers")
    await release(street, checked)
    await apply(street)
    assert await street.value("SELECT name_enc FROM borrowers") == before
    rows = await street.rows("SELECT sheet, verdict FROM bulk_rows ORDER BY sheet")
    assert {row.sheet: row.verdict for row in rows} == {
        "borrowers": "duplicate", "loans": "done", "instalments": "done",
    }  # fmt: skip


async def test_who_cannot_be_taken_over_now_is_left_out_whole(street: Street) -> None:
    await street.neighbour(ref="Other")
    checked = await load(street, Book().person("B1").person("B2"))
    # Meanwhile the loan of B1 became another borrower's.
    await street.rows("UPDATE loans SET external_ref = 'B1-L' RETURNING 1")
    await release(street, checked)
    await apply(street)
    rows = await street.rows("SELECT verdict, message FROM bulk_rows WHERE person = 1")
    assert {row.verdict for row in rows} == {"refused"}
    assert all("another borrower" in row.message for row in rows)
    refs = await street.rows("SELECT external_ref FROM borrowers")
    assert {row.external_ref for row in refs} == {"Other", "B2"}


@pytest.mark.parametrize("people", [1, pytest.param(3, marks=pytest.mark.long)])
async def test_wherever_the_loading_process_dies_each_row_counts_once(
    street: Street, people: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply_book, "PEOPLE", people)
    await street.without_webhooks()
    book = Book()
    for number in range(6):
        book.person(f"B{number}")
        book.add("contacts", f"B{number},sms,2026-03-02T10:00:00Z,outbound,no,sent")
        book.add("promises", f"B{number}-L,2026-03-10,120.00,2026-03-01,open,")
    await release(street, await load(street, book))
    deaths = 0
    # Each life is a little longer than the one before, so every point is died at.
    while await dies(
        street, deaths * 7 + 1, apply_books(street.house, street.now), every_statement=True
    ):
        deaths += 1
        assert deaths < 200
    assert deaths > 10, "the killer must have had something to do"
    await apply(street)
    for table, count in (("borrowers", 6), ("loans", 6), ("contacts", 6), ("promises", 6)):
        assert await street.value(f"SELECT count(*) FROM {table}") == count
    assert await street.value("SELECT count(*) FROM bulk_rows WHERE verdict <> 'done'") == 0
    assert await street.value("SELECT count(*) FROM timeline WHERE kind = 'book_loaded'") == 6


async def test_two_ticks_at_once_take_nobody_over_twice(street: Street) -> None:
    book = Book()
    for number in range(30):
        book.person(f"B{number}")
    await release(street, await load(street, book))
    await asyncio.gather(*(apply_books(street.house, street.now) for _ in range(4)))
    await apply(street)
    assert await street.value("SELECT count(*) FROM borrowers") == 30
    assert await street.value("SELECT count(*) FROM loans") == 30


async def test_loaded_cases_open_by_the_tick_and_no_text_is_queued_for_it(street: Street) -> None:
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE lenders SET observe_only = true"))
    book = Book()
    for number in range(5):
        book.person(f"B{number}", due_on="2025-11-20")
    await release(street, await load(street, book))
    await apply(street)
    assert (await open_cases(street.house, street.now)).opened == 5
    street.hands.go_on(minutes=10)
    await street.work_off()
    assert await street.value("SELECT count(*) FROM messages") == 0
    assert await street.value("SELECT observe_only FROM lenders") is True


async def test_money_of_the_schedules_day_is_recorded_and_newer_money_is_booked(
    street: Street,
) -> None:
    book = Book()
    book.add("borrowers", "B1,Ana,ES,es,,,,").add("loans", "L,B1,Loan,EUR,2026-03-01T00:00:00Z")
    book.add("instalments", "L,1,2026-01-20,100.00,100.00", "L,2,2026-02-20,100.00,50.00")
    book.add("repayments", "L,R-1,100.00,2026-01-20T10:00:00Z", "L,R-2,80.00,2026-02-20T10:00:00Z")
    book.add("repayments", "L,R-3,30.00,2026-03-02T10:00:00Z")
    await release(street, await load(street, book))
    await apply(street)
    rows = await street.rows("SELECT external_ref, applied_minor FROM repayments ORDER BY paid_at")
    assert [(row.external_ref, row.applied_minor) for row in rows] == [
        ("R-1", 7_000), ("R-2", 8_000), ("R-3", 3_000),
    ]  # fmt: skip
    assert await street.value("SELECT sum(paid_minor)::bigint FROM instalments") == 18_000


async def test_the_result_keeps_the_order_and_no_cell_is_a_formula(street: Street) -> None:
    book = Book().person("B2").person("B1")
    book.add("contacts", "B1,sms,2026-03-02T10:00:00Z,outbound,no,=HYPERLINK(0)")
    book.add("contacts", "B1,sms,2026-03-02T11:00:00Z,outbound,no,@cmd")
    checked = await load(street, book)
    await release(street, checked)
    await apply(street)
    async with street.store.unit(street.lender_id) as unit:
        lines = (await result_list(unit, checked.file_id)).split("\r\n")  # type: ignore[arg-type]
    assert lines[0].startswith("\ufeffsheet,row,verdict,message,external_ref")
    assert [line.split(",")[:3] for line in lines[1:4]] == [
        ["borrowers", "2", "done"], ["borrowers", "3", "done"], ["loans", "2", "done"],
    ]  # fmt: skip
    assert ",B2," in lines[1]
    assert "'=HYPERLINK(0)" in lines[-3]
    assert "'@cmd" in lines[-2]
    assert ",=" not in "".join(lines)


async def test_a_loaded_promise_is_kept_by_money_that_came_after_it_alone(street: Street) -> None:
    book = Book().person("B1").person("B2")
    for ref in ("B1", "B2"):
        book.add("promises", f"{ref}-L,2026-03-10,60.00,2026-03-01T09:00:00Z,open,")
    book.add("repayments", "B1-L,R-1,60.00,2026-02-27T10:00:00Z")  # before he promised
    book.add("repayments", "B2-L,R-2,60.00,2026-03-02T10:00:00Z")  # after it
    await release(street, await load(street, book))
    await apply(street)
    # Nobody calls him while it stands.
    waiting = await street.rows("SELECT reason FROM tasks WHERE state IN ('open', 'taken')")
    assert waiting == []
    street.hands.now = datetime(2026, 3, 11, 12, tzinfo=UTC)
    await watch_promises(street.house, street.now)
    rows = await street.rows(
        "SELECT b.external_ref, p.state FROM promises p JOIN borrowers b ON b.id = p.borrower_id "
        "ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == [("B1", "broken"), ("B2", "kept")]


async def test_after_a_while_a_loaded_file_says_nothing_about_people(street: Street) -> None:
    checked = await load(street, Book().person("B1"))
    await release(street, checked)
    await apply(street)
    assert (await tidy(street.house, street.now + timedelta(days=89))).cells == 0
    assert (await tidy(street.house, street.now + timedelta(days=91))).cells == 3
    async with street.store.unit(street.lender_id) as unit:
        lines = (await result_list(unit, checked.file_id)).splitlines()  # type: ignore[arg-type]
    assert lines[1] == "borrowers,2,done,"
    assert (await tidy(street.house, street.now + timedelta(days=91))).cells == 0


async def test_a_day_later_the_invariants_hold(street: Street) -> None:
    await release(street, await load(street, Book().person("B1").person("B2")))
    await apply(street)
    await open_cases(street.house, street.now)
    street.hands.now += timedelta(days=1)
    assert await street.value("SELECT count(*) FROM cases WHERE state = 'open'") == 2
