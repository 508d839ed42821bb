"""The SMS exchange when things go wrong: refusals, losses, odd callbacks, nobody at home."""

from __future__ import annotations

import pytest

from sandbox.faces.twilio_calls import signature
from sandbox.faces.wire import AnswerLost
from sandbox.modes import Mode
from tests.sandbox.exchange import STATUS_URL, Line, fetch, listed
from tests.sandbox.rig import Town

pytestmark = pytest.mark.anyio


@pytest.fixture
def line(town: Town) -> Line:
    return Line(town)


@pytest.mark.parametrize(
    ("mode", "code"), [(Mode.SMS_UNREACHABLE, 30003), (Mode.SMS_UNKNOWN_HANDSET, 30005)]
)
async def test_texts_that_end_undelivered(line: Line, mode: Mode, code: int) -> None:
    ana = line.town.world.add_person("Ana")
    line.town.world.set_mode(ana.id, mode)
    sid = (await line.town.send(ana.phone, StatusCallback=STATUS_URL)).json()["sid"]
    assert await line.later(minutes=1) == ["sent", "undelivered"]
    assert dict(line.customer.came[-1][1])["ErrorCode"] == str(code)
    assert (await fetch(line.town, sid)).json()["error_code"] == code
    assert line.town.world.texts.on_phone(ana.phone, line.town.clock.at) == []


@pytest.mark.parametrize(
    ("mode", "status", "code", "kept"),
    [
        (Mode.SMS_LANDLINE, 400, 21614, 0),
        (Mode.SMS_TOO_MANY, 429, 20429, 0),
        (Mode.SMS_ERROR_BEFORE, 500, 20500, 0),
        (Mode.SMS_ERROR_AFTER, 500, 20500, 1),
    ],
)
async def test_refusals_and_errors_around_acceptance(
    town: Town, mode: Mode, status: int, code: int, kept: int
) -> None:
    ana = town.world.add_person("Ana")
    town.world.set_mode(ana.id, mode)
    answer = await town.send(ana.phone)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert len(town.world.texts.all()) == kept
    if mode is not Mode.SMS_LANDLINE:
        assert (await town.send(ana.phone)).status_code == 201, "it happens once"


async def test_accepted_and_the_answer_is_lost(town: Town) -> None:
    ana = town.world.add_person("Ana")
    town.world.set_mode(ana.id, Mode.SMS_ANSWER_LOST)
    with pytest.raises(AnswerLost):
        await town.send(ana.phone, "token-abc")
    found = (await listed(town, To=ana.phone)).json()["messages"]
    assert [one["body"] for one in found] == ["token-abc"]


@pytest.mark.parametrize(
    ("mode", "at_once", "in_the_end"),
    [
        (Mode.CALLBACK_LATE, [], ["sent", "delivered"]),
        (
            Mode.CALLBACK_TWICE,
            ["sent", "sent", "delivered", "delivered"],
            ["sent", "delivered"] * 2,
        ),
        (Mode.CALLBACK_OUT_OF_ORDER, ["delivered", "sent"], ["delivered", "sent"]),
        (Mode.CALLBACK_NONE, [], []),
        (Mode.CALLBACK_UNSIGNED, ["sent", "delivered"], ["sent", "delivered"]),
        (Mode.CALLBACK_BADLY_SIGNED, ["sent", "delivered"], ["sent", "delivered"]),
    ],
)
async def test_callbacks_that_come_in_odd_ways(
    line: Line, mode: Mode, at_once: list[str], in_the_end: list[str]
) -> None:
    ana = line.town.world.add_person("Ana")
    line.town.world.set_mode(ana.id, mode)
    await line.town.send(ana.phone, StatusCallback=STATUS_URL)
    seen = await line.later(minutes=1)
    assert sorted(seen) == sorted(at_once)
    if mode is Mode.CALLBACK_OUT_OF_ORDER:
        assert seen == at_once
    assert sorted(await line.later(hours=7)) == sorted(in_the_end)
    good = (
        signature(line.town.world.texts.account.token, STATUS_URL, line.customer.came[0][1])
        if line.customer.came
        else ""
    )
    signed = {one for _, _, one in line.customer.came[:1]}
    if mode is Mode.CALLBACK_UNSIGNED:
        assert signed == {None}
    elif mode is Mode.CALLBACK_BADLY_SIGNED:
        assert good not in signed
        assert None not in signed


async def test_a_customer_who_is_down_is_called_again(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = [100.0]
    monkeypatch.setattr("sandbox.faces.twilio_calls.time.monotonic", lambda: real[0])
    ana = line.town.world.add_person("Ana")
    await line.town.send(ana.phone, StatusCallback=STATUS_URL)
    line.customer.down = True
    assert await line.later(minutes=1) == []
    line.customer.down = False
    assert await line.later(minutes=1) == [], "not at once"
    real[0] += 5
    assert sorted(await line.later(minutes=1)) == ["delivered", "sent"]
    assert sorted(await line.later(minutes=1)) == ["delivered", "sent"]


async def test_a_customer_who_stays_down_is_given_up(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = [100.0]
    monkeypatch.setattr("sandbox.faces.twilio_calls.time.monotonic", lambda: real[0])
    ana = line.town.world.add_person("Ana")
    await line.town.send(ana.phone, StatusCallback=STATUS_URL)
    line.customer.status = 503
    for _ in range(12):
        real[0] += 60
        await line.later(minutes=1)
    assert len(line.customer.came) == 10
    assert line.town.world.texts.due_callbacks(line.town.clock.at) == []


async def test_the_ledger_sees_a_text_that_came_twice(town: Town) -> None:
    ana, eva = (town.world.add_person(name) for name in ("Ana", "Eva"))
    for person in (ana, eva):
        await town.send(person.phone, "one link")
    assert town.world.wrong() == []
    await town.send(ana.phone, "one link")
    assert [(one["kind"], one["to"]) for one in town.world.wrong()] == [("text_twice", ana.phone)]
