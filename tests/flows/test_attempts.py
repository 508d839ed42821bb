"""Every attempted contact is in the report once, with what became of it and the rule of a no."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.domain.attempt import Outcome
from app.domain.hold import HoldKind
from app.domain.ids import LenderId
from app.domain.message import Channel, MessageState
from app.domain.roles import Role
from app.domain.task import TaskOutcome, TaskReason
from app.domain.template import Cause
from app.flows.cases.agency_window import ask_for_agency
from app.flows.cases.look_at_person import look_at_person
from app.flows.messages.notice_words import Owed, Subject
from app.flows.messages.opt_out import opt_out
from app.flows.messages.queue_notice import Notice, queue_notice
from app.flows.signals.ask_to_pay import ask_to_pay
from app.flows.work.call_window import ask_to_call
from app.flows.work.next_case import next_case
from app.flows.work.open_task import open_task
from app.flows.work.record_contact import ContactMade, record_contact
from app.flows.work.set_hold import set_hold
from app.reports import attempts_csv as report
from app.reports.attempts import _BY_STATE, Wanted, count_attempts
from app.reports.attempts_csv import attempts_csv
from tests.flows.collector import answer
from tests.flows.desk_people import Desk
from tests.flows.mailbox import give_address
from tests.flows.street import Neighbour, Street, make_street
from tests.flows.test_own_rules import written
from tests.flows.test_stepping import fresh, on_day
from tests.rig import make_lender

pytestmark = pytest.mark.anyio

Rows = list[dict[str, str]]


async def exported(
    street: Street, *, lender_id: LenderId | None = None, **only: Any
) -> tuple[Rows, dict[str, int]]:
    """The rows and the totals of the last sixty days, as somebody's program reads them."""
    wanted = Wanted(street.now - timedelta(days=60), street.now + timedelta(days=1), **only)
    owner = lender_id or street.lender_id
    lines = "".join([part async for part in attempts_csv(street.store, owner, wanted)])
    assert lines.startswith("\ufeff")
    found = list(csv.reader(io.StringIO(lines[1:], newline="")))
    end = found.index([])
    totals = {name: int(count) for _, name, count in found[end + 1 :]}
    rows = [dict(zip(found[0], row, strict=True)) for row in found[1:end]]
    outcomes = Counter(row["outcome"] for row in rows)
    assert totals["written here"] == totals["kept in Saldo"] == len(rows)
    assert {one.value: totals[one.value] for one in Outcome} == {
        one.value: outcomes[one.value] for one in Outcome
    }
    async with street.store.unit(owner) as unit:
        assert (await count_attempts(unit, wanted)).all == len(rows)
    return rows, totals


async def the_one(street: Street, **only: Any) -> dict[str, str]:
    [row], _ = await exported(street, **only)
    return row


async def notice(
    street: Street,
    who: Neighbour,
    channel: Channel,
    template: str = "first_missed",
) -> UUID | None:
    """A robot wants to write; the message, or None where nothing will leave."""
    async with street.store.unit(street.lender_id) as unit:
        person = await look_at_person(unit, street.now, who.id)
        owed = tuple(
            Owed(due.loan_id, due.external_ref, due.amount, due.oldest_due_on)
            for due in person.dues
        )
        wanted = Notice(
            key=uuid4(), channel=channel, template=template, case_ids=tuple(who.cases),
            subject=Subject(Cause.NOTICE, owed, street.now.date()),
        )  # fmt: skip
        return (await queue_notice(unit, street.house, street.now, person, wanted)).message_id


async def hold(street: Street, who: Neighbour) -> None:
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit, street.now, borrower_id=who.id, case_id=None, kind=HoldKind.DISPUTE,
            reason="wrong", ends_at=None, set_by="desk",
        )  # fmt: skip


async def to_call(street: Street, who: Neighbour) -> UUID:
    async with street.store.unit(street.lender_id) as unit:
        task_id = await open_task(
            unit, street.now, borrower_id=who.id, case_id=who.cases[0],
            reason=TaskReason.CALL_BORROWER, cause=uuid4(),
        )  # fmt: skip
    assert task_id is not None
    return task_id


def at_night(street: Street) -> None:
    street.hands.go_on(hours=13)  # midnight in Madrid


# ------------------------------------------------------------------ robots


async def test_a_text_that_left(street: Street) -> None:
    who = await street.neighbour(phone="+34612345678")
    await street.money_seen(who)
    await street.tick()
    row = await the_one(street)
    assert row["outcome"] == "sent"
    assert (row["borrower"], row["loans"], row["cases"]) == (
        who.ref,
        f"{who.ref}-L0",
        str(who.cases[0]),
    )
    assert (row["channel"], row["to"]) == ("sms", "'+34•••••78")
    assert (row["begun_utc"], row["begun_local"]) == ("2026-03-03T10:00:00Z", "2026-03-03 11:00:00")
    assert (row["zone"], row["left_utc"]) == ("Europe/Madrid", "2026-03-03T10:00:00Z")
    assert (row["by"], row["who"], row["cause"]) == ("robot", "saldo", "funds")
    assert (row["template"], row["version"], row["purpose"]) == ("click_and_pay", "2", "collection")
    assert (row["rules"], row["against_the_rules"]) == ("", "")
    assert row["pack"].startswith("ES")


async def test_a_notice_names_its_strategy_edition_and_a_text_that_waits_its_hour(
    street: Street,
) -> None:
    _, due = await fresh(street)
    street.hands.go_on(hours=12)
    await on_day(street, due + timedelta(hours=12), 3)
    row = await the_one(street)
    assert (row["outcome"], row["cause"], row["template"]) == ("waiting", "notice", "first_missed")
    assert row["strategy"] == "soft 1"
    await street.rows("UPDATE cases SET strategy_version_id = NULL RETURNING 1")
    assert await the_one(street) == row, "what it follows later changes nothing of what was"
    assert row["rules"] != ""
    assert "outside the hours" in row["why"]
    assert row["sources"] != ""
    assert row["earliest_allowed_utc"].endswith("Z")
    assert row["left_utc"] == ""


async def test_an_email_and_an_app_message(street: Street) -> None:
    who = await street.neighbour(has_app=True)
    await give_address(street, who, "ana.nunez@correo.example")
    await notice(street, who, Channel.EMAIL)
    await notice(street, who, Channel.PUSH)
    rows, _ = await exported(street)
    assert {(row["channel"], row["outcome"]) for row in rows} == {
        ("email", "waiting"),
        ("push", "waiting"),
    }
    assert {row["to"] for row in rows} & {"the lender's app"}
    assert "ana.nunez" not in str(rows)


async def test_a_waiting_text_that_a_hold_takes_back(street: Street) -> None:
    who = await street.neighbour()
    await notice(street, who, Channel.SMS)
    await hold(street, who)
    row = await the_one(street)
    assert (row["outcome"], row["result"], row["rules"]) == ("refused", "hold", "hold")
    assert row["sources"] == "A hold set in Saldo."


async def test_a_waiting_text_whose_debt_is_paid(street: Street) -> None:
    who = await street.neighbour()
    await notice(street, who, Channel.SMS)
    await street.repaid(who, "r1")
    row = await the_one(street)
    assert (row["outcome"], row["rules"]) == ("called_off", "")
    assert row["result"] in ("paid", "nothing_due")


async def test_the_gate_refuses_before_there_is_a_message(street: Street) -> None:
    who = await street.neighbour()
    await hold(street, who)
    assert await notice(street, who, Channel.SMS) is None
    row = await the_one(street)
    assert (row["outcome"], row["result"], row["rules"]) == ("refused", "gate_refused", "hold")
    assert "On hold (dispute) until somebody lifts it." in row["why"]
    assert row["sources"] == "A hold set in Saldo."
    assert (row["earliest_allowed_utc"], row["left_utc"]) == ("", "")
    assert (row["loans"], row["template"]) == (f"{who.ref}-L0", "first_missed")


async def test_the_gate_refuses_an_ask_to_pay(street: Street) -> None:
    who = await street.neighbour()
    signal_id = await street.money_seen(who)
    await hold(street, who)
    async with street.store.unit(street.lender_id) as unit:
        person = await look_at_person(unit, street.now, who.id)
        queued = await ask_to_pay(
            unit, street.house, street.now, person, signal_id=signal_id, case_ids=who.cases
        )
    assert queued.message_id is None
    row = await the_one(street)
    assert (row["outcome"], row["cause"], row["template"]) == ("refused", "funds", "click_and_pay")
    assert row["rules"] == "hold"


async def test_he_wants_no_texts(street: Street) -> None:
    who = await street.neighbour()
    async with street.store.unit(street.lender_id) as unit:
        await opt_out(unit, street.now, borrower_id=who.id, channel=Channel.SMS, source="api")
    assert await notice(street, who, Channel.SMS) is None
    row = await the_one(street)
    assert (row["outcome"], row["result"], row["rules"]) == ("refused", "opted_out", "opt_out")
    assert row["sources"] == "The borrower's own choice."


async def test_the_gate_refuses_in_the_last_moment(street: Street) -> None:
    """What it said then stands in the place of what it said when the message was queued."""
    who = await street.neighbour()
    await street.money_seen(who)
    street.hands.go_on(hours=13)  # midnight in Madrid
    await street.work_off()
    assert await street.states("messages", who) == ["queued"]
    edition = await written(street, hours={"es.hours": [["09:00-10:00"], *[[]] * 6]})
    # The pack keeps Sundays closed: together they leave no hour.
    await street.rows(
        "UPDATE pack_editions SET state = 'published', "
        "body = jsonb_set(body, '{hours,es.hours}', '[[],[],[],[],[],[],[\"09:00-10:00\"]]') "
        "WHERE id = :id RETURNING 1",
        id=edition,
    )
    await street.days_pass(0.5, minutes=60)
    row = await the_one(street)
    assert (row["outcome"], row["result"]) == ("refused", "gate_refused")
    assert "own.es.hours" in row["rules"].split()
    assert "The lender's own rules, edition 1." in row["sources"]
    assert row["earliest_allowed_utc"] == ""


async def test_what_could_not_be_written(street: Street) -> None:
    who = await street.neighbour()
    assert await notice(street, who, Channel.EMAIL) is None
    assert await notice(street, who, Channel.SMS, template="no_such_words") is None
    rows, totals = await exported(street)
    assert [row["result"] for row in rows] == ["no_address", "no_words"]
    assert totals["not_possible"] == 2


async def test_observe_only_would_have_written(street: Street) -> None:
    observed = await make_street(street.store, observe_only=True)
    who = await observed.neighbour()
    await notice(observed, who, Channel.SMS)
    assert (await the_one(observed))["outcome"] == "withheld"
    assert await exported(street) == ([], _no_totals())


def _no_totals() -> dict[str, int]:
    return {
        **dict.fromkeys((one.value for one in Outcome), 0),
        "written here": 0,
        "kept in Saldo": 0,
    }


# ------------------------------------------------------------------ people, agencies, systems


async def test_a_call_and_one_that_the_rules_were_against(street: Street, desk: Desk) -> None:
    who, other = await street.neighbours(2)
    await to_call(street, who)
    await answer(street, who, TaskOutcome.NO_ANSWER)
    at_night(street)
    await to_call(street, other)
    await answer(street, other, TaskOutcome.REACHED)
    rows, totals = await exported(street)
    assert totals["made"] == 2
    assert [row["against_the_rules"] for row in rows] == ["", "yes"]
    assert [row["result"] for row in rows] == ["no_answer", "reached"]
    assert {(row["by"], row["channel"], row["cause"]) for row in rows} == {
        ("person", "call", "call_borrower")
    }
    assert "@" in rows[0]["who"]
    assert "outside the hours" in rows[1]["why"]
    assert (rows[0]["why"], rows[0]["rules"]) == ("", "")


async def test_a_call_refused_at_the_desk_counts_once(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    eva = await desk.person("eva", Role.COLLECTOR)
    await to_call(street, who)
    at_night(street)
    for _ in range(3):
        await next_case(
            street.house, street.now, lender_id=street.lender_id, user_id=eva, actor="eva"
        )
    row = await the_one(street)
    assert (row["outcome"], row["by"], row["channel"]) == ("refused", "person", "call")
    assert row["who"].startswith("eva@")
    assert row["rules"] != ""
    again = await street.value("SELECT not_before FROM tasks")
    assert row["earliest_allowed_utc"] == f"{again:%Y-%m-%dT%H:%M:%SZ}"


async def test_an_agency_asks_and_calls(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    placement = await desk.placed(who.cases[0], await desk.agency())
    made = ContactMade(Channel.CALL, True, street.now, False, outcome=TaskOutcome.NO_ANSWER)
    await record_contact(
        street.house, street.now, lender_id=street.lender_id, case_id=who.cases[0],
        made=made, user_id=None, actor="api", placement_id=placement,
    )  # fmt: skip
    at_night(street)
    for _ in range(2):
        window = await ask_for_agency(
            street.house, street.now, lender_id=street.lender_id, placement_id=placement,
            channel=Channel.CALL, actor="key nightly",
        )  # fmt: skip
        assert not window.allowed
    rows, _ = await exported(street)
    assert [(row["by"], row["who"], row["outcome"]) for row in rows] == [
        ("agency", "Norte", "made"),
        ("agency", "Norte", "refused"),
    ]


async def test_the_lenders_own_system(street: Street) -> None:
    who = await street.neighbour()
    made = ContactMade(
        Channel.CALL, True, street.now - timedelta(hours=14), False, outcome=TaskOutcome.NO_ANSWER
    )
    case_id = who.cases[0]
    await record_contact(
        street.house, street.now, lender_id=street.lender_id, case_id=case_id,
        made=made, user_id=None, actor="dialler",
    )  # fmt: skip
    at_night(street)
    for _ in range(2):
        window = await ask_to_call(
            street.house, street.now, lender_id=street.lender_id, case_id=case_id, actor="dialler"
        )
        assert not window.allowed
    rows, _ = await exported(street)
    assert [(row["by"], row["outcome"], row["against_the_rules"]) for row in rows] == [
        ("lender's system", "made", "yes"),
        ("lender's system", "refused", ""),
    ]
    assert rows[1]["who"] == "dialler"


async def test_an_address_that_nobody_can_open_any_more(street: Street) -> None:
    """The lender's keys were erased: the list still says that somebody was written to."""
    who = await street.neighbour()
    await notice(street, who, Channel.SMS)
    await street.rows("UPDATE messages SET to_enc = '' RETURNING 1")
    assert (await the_one(street))["to"] == "erased"


async def test_what_the_borrower_began_is_no_attempt(street: Street) -> None:
    who = await street.neighbour()
    made = ContactMade(Channel.CALL, False, street.now, True, outcome=TaskOutcome.REACHED)
    await record_contact(
        street.house, street.now, lender_id=street.lender_id, case_id=who.cases[0],
        made=made, user_id=None, actor="dialler",
    )  # fmt: skip
    assert (await exported(street))[0] == []


# ------------------------------------------------------------------ the whole list


async def test_filters_slices_formulas_and_strangers(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [await street.neighbour(ref=f"=B{number}") for number in range(5)]
    for who in people:
        await notice(street, who, Channel.SMS)
        await notice(street, who, Channel.EMAIL)
        street.hands.go_on(minutes=1)
    await hold(street, people[0])
    whole, _ = await exported(street)
    assert len(whole) == 10
    for size in (1, 3, 5, 10):
        monkeypatch.setattr(report, "AT_ONCE", size)
        assert (await exported(street))[0] == whole
    assert [row["begun_utc"] for row in whole] == sorted(row["begun_utc"] for row in whole)
    assert {row["borrower"] for row in whole} == {f"'=B{number}" for number in range(5)}
    filters: tuple[dict[str, Any], ...] = (
        {"channel": "email"},
        {"outcome": "refused"},
        {"channel": "sms", "outcome": "waiting"},
    )
    for only in filters:
        found, _ = await exported(street, **only)
        assert found == [row for row in whole if all(row[key] == one for key, one in only.items())]
        assert found
    other = await make_lender(street.store, street.now)
    assert (await exported(street, lender_id=other))[0] == []


async def test_a_day_that_is_over_keeps_its_attempts(street: Street) -> None:
    """What was queued on Tuesday and called off on Wednesday is Tuesday's, before and after."""
    who = await street.neighbour()
    at_night(street)
    await notice(street, who, Channel.SMS)
    day = Wanted(street.now - timedelta(hours=1), street.now + timedelta(hours=1))

    async def on_the_day() -> Any:
        async with street.store.unit(street.lender_id) as unit:
            return (await count_attempts(unit, day)).by

    assert await on_the_day() == {(Outcome.WAITING, "sms"): 1}
    street.hands.go_on(hours=11)
    await street.repaid(who, "r1")
    assert await on_the_day() == {(Outcome.CALLED_OFF, "sms"): 1}


async def test_many_attempts_at_one_moment_and_after_it_are_each_written_once(
    street: Street,
) -> None:
    who = await street.neighbour()
    await street.rows(
        "INSERT INTO blocked_contacts (lender_id, id, key, borrower_id, channel, purpose, cause, "
        "tried_at, source, actor, why) SELECT lender_id, gen_random_uuid(), gen_random_uuid(), id, "
        "'sms', 'collection', 'notice', cast(:now AS timestamptz) - interval '1 s' * (n / 3000), "
        "'saldo', 'saldo', 'gate_refused' FROM borrowers, generate_series(1, 20000) n "
        "WHERE id = :id RETURNING 1",
        id=who.id,
        now=street.now,
    )
    rows, totals = await exported(street)
    assert totals["refused"] == 20_000
    assert len({row["attempt"] for row in rows}) == 20_000


def test_every_state_of_a_message_has_its_word() -> None:
    assert set(_BY_STATE) == set(MessageState) - {MessageState.CANCELLED}
