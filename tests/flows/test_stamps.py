"""Whoever changes history behind its stamps is found, and nobody else is suspected."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError

from app.domain.ids import LenderId
from app.domain.stamp import History, Kind, stamp
from app.flows import stamp_history as flow
from app.flows.stamp_history import stamp_history
from app.flows.tidy import tidy
from app.reports.history_check import Checked, Fault, Head, Late, check_history, check_stamps
from app.store import audit
from app.store.embedded_setup import DatabaseUrls
from app.store.keys import new_id
from app.store.stamps import FIELDS, TABLES, keep_stamp, lines_between, unstamped
from app.store.timeline import Kind as LineKind
from app.store.timeline import Line, write
from app.store.vault import Vault
from tests.flows.street import Street
from tests.rig import HASH_KEY, MASTER_KEY, make_borrower, make_lender

pytestmark = pytest.mark.anyio


async def _written(street: Street, count: int, lender_id: LenderId | None = None) -> list[UUID]:
    """So many lines, each in a transaction of its own; their ids in the order of writing."""
    owner = lender_id or street.lender_id
    borrower = await make_borrower(street.store, owner, street.now)
    for number in range(count):
        async with street.store.unit(owner) as unit:
            details = {"n": number, "share": 0.25, "words": "año «ok»"}
            await write(unit, street.now, [Line(borrower, LineKind.READING, "saldo", details)])
    found = await street.rows(
        "SELECT id FROM timeline WHERE borrower_id = :id ORDER BY place", id=borrower
    )
    return [row.id for row in found]


async def _checked(
    street: Street,
    history: History = History.TIMELINE,
    lender_id: UUID | None = None,
    heads: Sequence[Head] = (),
) -> Checked:
    owner = lender_id or street.lender_id
    told = [one async for one in check_history(street.store, owner, history, heads)]
    return told[-1]


async def _stamped(street: Street, monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """Twelve lines under four stamps."""
    monkeypatch.setattr(flow, "LINES_AT_MOST", 3)
    ids = await _written(street, 12)
    assert await stamp_history(street.house, street.now) >= 12
    assert (await _checked(street)).faults == []
    return ids


def _tamper(db: DatabaseUrls, *statements: str, **values: Any) -> None:
    """What somebody does who owns the database and not the keys."""
    with psycopg.connect(db.superuser) as connection:
        for statement in statements:
            done = connection.execute(statement.encode(), values)
            assert done.rowcount > 0, statement


async def _place(street: Street, line_id: UUID) -> int:
    return int(await street.value("SELECT place FROM timeline WHERE id = :id", id=line_id))


# ------------------------------------------------------------------ nobody touched it


async def test_untouched_history_of_many_writers_verifies(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writers of two lenders at once, some of whom change their mind, and the stamper with them."""
    monkeypatch.setattr(flow, "LINES_AT_MOST", 7)
    other = await make_lender(street.store, street.now)
    owners = (street.lender_id, other)
    people = {owner: await make_borrower(street.store, owner, street.now) for owner in owners}

    async def writes(number: int) -> None:
        owner = owners[number % 2]
        for turn in range(10):
            try:
                async with street.store.unit(owner) as unit:
                    line = Line(people[owner], LineKind.READING, "saldo", {"turn": turn})
                    await write(unit, street.now, [line, line])
                    await asyncio.sleep(0.002 * (number % 3))
                    if turn % 4 == 3:
                        await unit.conn.execute(text("SELECT 1/0"))
            except DataError:
                continue  # and rolled back: its places are drawn, and nothing stands there

    async def stamps(writing: asyncio.Future[Any]) -> None:
        while not writing.done():
            await stamp_history(street.house, street.now)

    writing = asyncio.ensure_future(asyncio.gather(*(writes(number) for number in range(6))))
    await asyncio.gather(stamps(writing), writing)
    await stamp_history(street.house, street.now)
    for owner in owners:
        found = await _checked(street, lender_id=owner)
        lines = await street.value("SELECT count(*) FROM timeline WHERE lender_id = :id", id=owner)
        assert (found.faults, found.unstamped, found.lines) == ([], 0, lines)
        assert lines >= 3 * 8 * 2
        assert found.stamps > 3
        assert found.backdated is None


async def test_a_transaction_that_commits_late_is_stamped_later(street: Street) -> None:
    borrower = await make_borrower(street.store, street.lender_id, street.now)
    line = Line(borrower, LineKind.READING, "saldo", {})
    await _written(street, 1)
    await stamp_history(street.house, street.now)
    before = (await _checked(street)).lines
    async with street.store.unit(street.lender_id) as slow:
        await write(slow, street.now, [line])
        await _written(street, 1)
        # The quick one's place is the later one, and it shows: stamping it would lose the slow one.
        assert await stamp_history(street.house, street.now, patience_s=0.2) == 0
        assert (await _checked(street)).unstamped == 1
    assert await stamp_history(street.house, street.now) == 2
    found = await _checked(street)
    assert (found.faults, found.unstamped, found.lines) == ([], 0, before + 2)


async def test_a_writer_who_ends_in_time_is_waited_for(street: Street) -> None:
    borrower = await make_borrower(street.store, street.lender_id, street.now)
    async with street.store.unit(street.lender_id) as slow:
        await write(slow, street.now, [Line(borrower, LineKind.READING, "saldo", {})])
        await _written(street, 1)
        stamping = asyncio.create_task(stamp_history(street.house, street.now))
        await asyncio.sleep(0.2)
        assert not stamping.done()
    assert await stamping >= 2
    assert (await _checked(street)).unstamped == 0


async def test_nobody_who_writes_waits_for_a_stamp(street: Street) -> None:
    """A stamp is made and its transaction still open: lines go on being written."""
    await _written(street, 2)
    owner, history = street.lender_id, History.TIMELINE
    async with street.store.engine_unit() as unit:
        [one] = await unstamped(unit, history)
        lines = await lines_between(unit, owner, history, None, until=one.newest, at_most=9)
        made = stamp(None, lines, lender_id=owner, history=history, stamped_at=street.now)
        assert await keep_stamp(unit, made)
        await asyncio.wait_for(_written(street, 1), 5)
    assert (await _checked(street)).unstamped == 1


async def test_two_stampers_at_once_make_one_chain(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "LINES_AT_MOST", 3)
    await _written(street, 20)
    await asyncio.gather(*(stamp_history(street.house, street.now) for _ in range(3)))
    await stamp_history(street.house, street.now)
    found = await _checked(street)
    assert (found.faults, found.unstamped) == ([], 0)


async def test_the_audit_is_stamped_too(street: Street, db: DatabaseUrls) -> None:
    async with street.store.unit(street.lender_id) as unit:
        await audit.record(
            unit, street.now, actor="ana", act="lower_floor", subject="x", before={"floor": 1}
        )
    await stamp_history(street.house, street.now)
    assert (await _checked(street, History.AUDIT)).lines >= 1
    _tamper(db, "UPDATE audit SET actor = 'eva' WHERE act = 'lower_floor'")
    faults = (await _checked(street, History.AUDIT)).faults
    assert [one.kind for one in faults] == [Kind.CHANGED]


async def test_the_doctor_sees_that_nothing_is_stamped(street: Street, db: DatabaseUrls) -> None:
    async def looks(**later: float) -> str:
        async with street.store.engine_unit() as unit:
            [found] = await check_stamps(unit, street.now + timedelta(**later))
        return found.verdict.value

    await _written(street, 1)
    assert (await looks(), await looks(hours=2)) == ("ok", "wrong")
    # A moment that no clock shows stops neither him nor the stamps.
    _tamper(db, "UPDATE timeline SET at = '-infinity'")
    assert await looks() == "wrong"
    await stamp_history(street.house, street.now)
    assert await looks(hours=2) == "ok"


async def test_tidying_raises_no_alarm(street: Street) -> None:
    """Nothing of history is ever tidied away."""
    await _written(street, 3)
    await stamp_history(street.house, street.now)
    await tidy(street.house, street.now + timedelta(days=5_000))
    assert (await _checked(street)).faults == []


def test_a_stamp_covers_every_column() -> None:
    """A new column would be open to anybody: it needs a new form of the line, with a new name."""
    for history, table in TABLES.items():
        assert set(FIELDS[history]) == {column.name for column in table.columns}


# ------------------------------------------------------------------ somebody touched it


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'eva'",
        "kind = 'gate'",
        "at = at + interval '1 microsecond'",
        "at = 'infinity'",
        "at = '0044-03-15 12:00 BC'",
        "details = details || '{\"n\": 99}'",
        "details = '{}'",
        "case_id = id",
    ],
)
async def test_a_changed_line_is_named(
    street: Street, db: DatabaseUrls, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    ids = await _stamped(street, monkeypatch)
    place = await _place(street, ids[7])
    _tamper(db, f"UPDATE timeline SET {change} WHERE id = %(id)s", id=ids[7])
    [fault] = (await _checked(street)).faults
    assert (fault.kind, fault.id, fault.place) == (Kind.CHANGED, ids[7], place)


@pytest.mark.parametrize("index", [0, 5, 11])
async def test_a_removed_line_is_named(
    street: Street, db: DatabaseUrls, monkeypatch: pytest.MonkeyPatch, index: int
) -> None:
    ids = await _stamped(street, monkeypatch)
    place = await _place(street, ids[index])
    _tamper(db, "DELETE FROM timeline WHERE id = %(id)s", id=ids[index])
    [fault] = (await _checked(street)).faults
    assert (fault.kind, fault.id, fault.place) == (Kind.REMOVED, ids[index], place)


INSERT = """
    INSERT INTO timeline (id, lender_id, borrower_id, case_id, at, kind, actor, details, place)
    OVERRIDING SYSTEM VALUE
    SELECT %(new)s, lender_id, borrower_id, case_id, at - interval '3 days', kind, actor, details,
        {place} FROM timeline WHERE id = %(id)s
"""


async def test_a_line_put_in_behind_a_stamp_is_named(
    street: Street, db: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await _stamped(street, monkeypatch)
    new = new_id()
    _tamper(db, INSERT.format(place="-place"), id=ids[6], new=new)
    [fault] = (await _checked(street)).faults
    assert (fault.kind, fault.id, fault.number) == (Kind.INSERTED, new, 1)


async def test_a_line_put_in_at_the_end_says_an_earlier_moment_than_those_before(
    street: Street, db: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing behind a stamp was touched. Still somebody should look why it is so old."""
    ids = await _stamped(street, monkeypatch)
    new = new_id()
    _tamper(db, INSERT.format(place="nextval('timeline_place_seq')"), id=ids[6], new=new)
    await stamp_history(street.house, street.now)
    found = await _checked(street)
    assert found.faults == []
    assert found.backdated is not None
    assert found.backdated.id == new


async def test_lines_that_changed_places_are_named(
    street: Street, db: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await _stamped(street, monkeypatch)
    first, second = await _place(street, ids[3]), await _place(street, ids[4])
    move = "UPDATE timeline SET place = {} WHERE id = %(id)s"
    with psycopg.connect(db.superuser) as connection:
        connection.execute("ALTER TABLE timeline ALTER place SET GENERATED BY DEFAULT")
        for place, line_id in ((-1, ids[3]), (first, ids[4]), (second, ids[3])):
            connection.execute(move.format(place).encode(), {"id": line_id})
    [fault] = (await _checked(street)).faults
    assert (fault.kind, fault.id, fault.place) == (Kind.REORDERED, ids[4], first)


async def test_a_line_given_to_another_lender_is_missed_here_and_too_many_there(
    street: Street, db: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await _stamped(street, monkeypatch)
    other = await make_lender(street.store, street.now)
    await _written(street, 2, other)
    await stamp_history(street.house, street.now)
    _tamper(
        db,
        "UPDATE timeline SET lender_id = %(other)s WHERE id = %(id)s",
        other=other,
        id=ids[7],
    )
    [here] = (await _checked(street)).faults
    [there] = (await _checked(street, lender_id=other)).faults
    assert (here.kind, here.id) == (Kind.REMOVED, ids[7])
    assert (there.kind, there.id) == (Kind.INSERTED, ids[7])


@pytest.mark.parametrize(
    "change",
    [
        "last_place = last_place + 1",
        "lines = lines + 1",
        "stamped_at = stamped_at - interval '1 day'",
        "marks = 'x'",
        "lines_hash = 'x'",
        "hash = 'x'",
        "mac = 'x'",
    ],
)
async def test_a_changed_stamp_is_named(
    street: Street, db: DatabaseUrls, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    await _stamped(street, monkeypatch)
    _tamper(db, f"UPDATE stamps SET {change} WHERE history = 'timeline' AND number = 2")
    assert (await _checked(street)).faults == [Fault(Kind.STAMP_CHANGED, 2)]


async def test_a_stamp_that_is_gone_is_named(
    street: Street, db: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _stamped(street, monkeypatch)
    _tamper(db, "DELETE FROM stamps WHERE history = 'timeline' AND number = 2")
    assert (await _checked(street)).faults == [Fault(Kind.STAMP_REMOVED, 2)]


async def test_whoever_has_no_key_cannot_stamp_anew(
    street: Street, db: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole chain is made again over what was changed, with all the code and another key."""
    ids = await _stamped(street, monkeypatch)
    _tamper(
        db,
        "UPDATE timeline SET actor = 'eva' WHERE id = %(id)s",
        "DELETE FROM stamps WHERE history = 'timeline'",
        id=ids[7],
    )
    monkeypatch.setattr(street.store, "vault", Vault({"test": MASTER_KEY}, b"x" * 32))
    await stamp_history(street.house, street.now)
    monkeypatch.undo()
    assert (await _checked(street)).faults == [Fault(Kind.STAMP_CHANGED, 1)]


# ------------------------------------------------------------------ what was written down


async def test_a_tail_cut_off_with_its_stamps_is_found_by_the_head(
    street: Street, db: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await _stamped(street, monkeypatch)
    head = (await _checked(street)).head
    assert head is not None
    _tamper(
        db,
        "DELETE FROM stamps WHERE history = 'timeline' AND number = %(number)s",
        "DELETE FROM timeline WHERE place > (SELECT max(last_place) FROM stamps "
        "WHERE history = 'timeline')",
        number=head.number,
    )
    assert ids
    assert (await _checked(street)).faults == []
    found = await _checked(street, heads=(head,))
    assert found.faults == [Fault(Kind.CUT_OFF, head.number)]


async def test_history_stamped_anew_is_found_by_the_head(
    street: Street, db: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheduler itself does that for whoever takes stamps away, and its key fits."""
    ids = await _stamped(street, monkeypatch)
    head = (await _checked(street)).head
    assert head is not None
    assert (await _checked(street, heads=(head,))).faults == []
    _tamper(
        db,
        "UPDATE timeline SET actor = 'eva' WHERE id = %(id)s",
        "DELETE FROM stamps WHERE history = 'timeline'",
        id=ids[7],
    )
    assert (await _checked(street)).late is None
    made_at = street.hands.go_on(days=2)
    await stamp_history(street.house, made_at)
    alone = await _checked(street)
    assert (alone.faults, alone.late) == ([], Late(alone.stamps, alone.stamps, made_at))
    found = await _checked(street, heads=(head,))
    assert found.faults == [Fault(Kind.STAMPED_ANEW, head.number)]


async def test_stamps_outlive_the_master_key(
    street: Street, db: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _stamped(street, monkeypatch)
    fresh = Vault({"k2": b"n" * 32}, HASH_KEY)
    assert base64.b64encode(MASTER_KEY) != base64.b64encode(b"n" * 32)
    monkeypatch.setattr(street.store, "vault", fresh)
    await _written_by_engine(street)
    await stamp_history(street.house, street.now)
    found = await _checked(street)
    assert (found.faults, found.unstamped) == ([], 0)
    assert found.stamps >= 5


async def _written_by_engine(street: Street) -> None:
    """A line without a borrower's name: the data keys of before are under another master key."""
    borrower = await street.value("SELECT id FROM borrowers LIMIT 1")
    async with street.store.engine_unit() as unit:
        line = Line(borrower, LineKind.READING, "saldo", {}, lender_id=street.lender_id)
        await write(unit, street.now, [line])


@pytest.mark.parametrize("role", ["app", "engine"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE stamps SET mac = 'x'",
        "DELETE FROM stamps",
        "INSERT INTO stamps (number, mac) VALUES (9, 'x')",
    ],
)
def test_rights_on_stamps(db: DatabaseUrls, role: str, statement: str) -> None:
    if role == "engine" and statement.startswith("INSERT"):
        return  # it makes them
    with (
        psycopg.connect(db.app if role == "app" else db.engine) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())
