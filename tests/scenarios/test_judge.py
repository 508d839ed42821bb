"""The judge of the histories is silent about a quiet town, and cries at each fault put into it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row, update
from structlog.testing import capture_logs

from app.domain.contact_policy import ContactPurpose
from app.domain.message import Channel
from app.domain.promise_terms import PromiseSource
from app.flows.cases.look_at_person import look_at_person
from app.flows.house import House
from app.flows.messages import deliver_messages
from app.flows.messages.ask_gate import ask_gate
from app.flows.messages.last_look import Leave
from app.flows.strategies import step_cases
from app.flows.work.take_promise import take_promise
from app.store.embedded_setup import DatabaseUrls
from app.store.tables import cases, promises
from app.store.unit import Store, Unit
from tests.scenarios.deskwork import lenders_speak
from tests.scenarios.judge import Judge
from tests.scenarios.lives import promise_parts
from tests.scenarios.newcomers import settle_in
from tests.scenarios.scene import look_round
from tests.scenarios.town import Made, Town, make_town
from tests.scenarios.watchman import STATES_PAGE, Watchman, read_lifecycles

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]


@dataclass(slots=True)
class Court:
    """A town where nothing happens but time, and its judge."""

    town: Town
    judge: Judge

    async def day(self) -> None:
        """Noon of the next day: one round, and the judge looks."""
        town = self.town
        town.go_to(datetime.combine(town.now.date() + timedelta(days=1), time(15), UTC))
        await lenders_speak(town)
        await town.round()
        await self.looks()
        await self.judge.end_of_day(awake=True)

    async def looks(self) -> set[str]:
        """The rules of the complaints that are new."""
        before = len(self.judge.complaints)
        await self.judge.look()
        return {one.rule for one in self.judge.complaints[before:]}

    async def at_the_end_of_the_day(self) -> set[str]:
        """The same, after a day."""
        before = len(self.judge.complaints)
        await self.judge.end_of_day(awake=True)
        return {one.rule for one in self.judge.complaints[before:]}

    async def upsets(self, statement: Any) -> None:
        """Put something into the rows past every rule."""
        self.town.hands.go_on(seconds=1)
        async with self.town.store.engine_unit() as unit:
            await unit.conn.execute(statement)


@pytest.fixture
async def court(store: Store, db: DatabaseUrls) -> AsyncIterator[Court]:
    """Eight people, most of them with something due within a week."""
    watchman = Watchman(db.superuser)
    watchman.start()
    with capture_logs():
        town = await make_town(store, 4)
        town.trouble = town.twice = 0.0
        await settle_in(town, 8)
        made = Court(town, Judge(town, watchman))
        for _ in range(6):
            await made.day()
        assert made.judge.complaints == []
        assert made.judge.judged["contacts"] >= 3
        yield made
    watchman.close()


@pytest.mark.long
async def test_it_cries_at_rows_and_contacts_that_must_not_be(court: Court) -> None:
    town = court.town
    left = next(one for one in town.made if one.key is not None)
    who = town.people[left.who]

    town.made.append(replace(left, at=town.now))
    assert "left twice" in await court.looks()

    town.made.append(replace(left, key=UUID(int=1), at=town.now))
    assert "left without a row" in await court.looks()

    night = datetime.combine(town.now.date() + timedelta(days=1), time(8), UTC)
    hour = 10 if who.wanted.country == "US" else 3
    town.made.append(Made(night.replace(hour=hour), who.id, Channel.CALL))
    assert await court.looks() == {"outside the gate"}

    town.go_to(night.replace(hour=16) + timedelta(days=30))
    while town.now.weekday() > 3:
        town.go_to(town.now + timedelta(days=1))
    who.stopped[Channel.CALL] = town.now - timedelta(hours=1)
    town.made.append(Made(town.now, who.id, Channel.CALL))
    assert await court.looks() == {"after an opt-out"}

    case = (await town.rows("SELECT id FROM cases WHERE state = 'open' ORDER BY id"))[0]
    await court.upsets(update(cases).where(cases.c.id == case.id).values(state="closed"))
    await court.upsets(update(cases).where(cases.c.id == case.id).values(state="in_flight"))
    assert await court.looks() == {"illegal move"}
    assert "no next action" in await court.at_the_end_of_the_day()

    # A next step that is lost, and a promise that was judged wrong.
    await _judged_wrong(court)
    await court.upsets(update(cases).where(cases.c.state == "open").values(next_step_at=None))
    assert "no next action" in await court.at_the_end_of_the_day()


async def _judged_wrong(court: Court) -> None:
    town = court.town
    scene = await look_round(town)
    who = next(
        one for one in town.people.values()
        if scene[one.id].cases and not scene[one.id].promises
    )  # fmt: skip
    case = scene[who.id].cases[0]
    await take_promise(
        town.house, town.now, lender_id=who.street.lender_id, case_id=case.case_id,
        parts=promise_parts(town, who, case.due), source=PromiseSource.PAGE, made_by="he",
    )  # fmt: skip
    assert "promise misjudged" not in await court.at_the_end_of_the_day()
    await court.upsets(update(promises).values(state="kept", ended_at=town.now, next_look_at=None))
    assert "promise misjudged" in await court.at_the_end_of_the_day()


@pytest.mark.long
async def test_it_cries_when_the_flows_are_careless(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold is known, and whoever set it forgot to cancel what waits: the last look sees it."""
    await _hold_those_with_something_waiting(court)
    for _ in range(3):
        await court.day()
    assert court.judge.complaints == []

    # Somebody takes the last look out.
    await _hold_those_with_something_waiting(court)
    monkeypatch.setattr(deliver_messages, "last_look", _careless)
    for _ in range(4):
        await court.day()
    assert "during a hold" in {one.rule for one in court.judge.complaints}

    # A flow that fails for one person after the other, and only a log says so.
    monkeypatch.setattr(step_cases, "plan_case", _broken)
    with capture_logs() as logs:
        await court.day()
    court.town.hear(logs)
    assert "an item failed" in await court.looks()


async def _careless(unit: Unit, house: House, now: datetime, message: Row[Any]) -> Leave:
    person = await look_at_person(unit, now, message.borrower_id)
    asked = await ask_gate(
        unit, house.packs, now, person.row, case_ids=message.case_ids,
        channel=Channel(message.channel), purpose=ContactPurpose(message.purpose),
    )  # fmt: skip
    return Leave(tuple(message.case_ids), now + timedelta(hours=1), asked)


def _broken(*_: Any) -> None:
    raise RuntimeError("no plan")


async def _hold_those_with_something_waiting(court: Court) -> None:
    """A hold in the rows, past the flow that would have cancelled what is queued."""
    for _ in range(10):
        held = await court.town.rows(
            "INSERT INTO holds (id, lender_id, borrower_id, kind, reason, starts_at, recorded_at, "
            "blocks, set_by) SELECT DISTINCT ON (borrower_id) gen_random_uuid(), lender_id, "
            "borrower_id, 'dispute', 'x', cast(:now AS timestamptz), cast(:now AS timestamptz), "
            "'{}', 'x' FROM messages WHERE state = 'queued' RETURNING 1",
            now=court.town.now,
        )
        if held:
            return
        await court.day()
    raise AssertionError("nothing was ever queued")


def test_every_lifecycle_is_read_from_the_page() -> None:
    found = read_lifecycles(STATES_PAGE.read_text(encoding="utf-8"))
    assert ("open", "closed") in found["Case"].moves
    assert ("closed", "in_flight") not in found["Case"].moves
    assert found["Payment link"].start == "live"
    assert not any(before == "cancelled" for before, _ in found["Promise"].moves)
