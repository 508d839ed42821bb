"""The SMS exchange: Twilio's words and errors, its callbacks and signature, opt-outs, losses."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest

from sandbox.faces.twilio import segments
from sandbox.faces.twilio_calls import Caller, signature
from sandbox.faces.wire import AnswerLost
from sandbox.modes import Mode
from tests.sandbox.rig import Town
from tests.sandbox.spec import Specification

pytestmark = pytest.mark.anyio

ROOT = "/twilio/2010-04-01/Accounts"
STATUS_URL = "http://saldo.test/hooks/status?x=1"
INBOUND_URL = "http://saldo.test/hooks/in"


class Customer(httpx.AsyncBaseTransport):
    """The customer's webhooks: keeps what came, answers as told."""

    def __init__(self) -> None:
        self.came: list[tuple[str, list[tuple[str, str]], str | None]] = []
        self.status = 204
        self.down = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("nobody listens")
        form = parse_qsl(request.content.decode(), keep_blank_values=True)
        self.came.append((str(request.url), form, request.headers.get("x-twilio-signature")))
        return httpx.Response(self.status, request=request)

    def statuses(self) -> list[str]:
        return [dict(form).get("MessageStatus", "") for _, form, _ in self.came]


class Line:
    """The exchange of one town and its customer."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.customer = Customer()
        self.caller = Caller(town.world, httpx.AsyncClient(transport=self.customer))
        town.world.texts.set_inbound_url(INBOUND_URL)

    async def later(self, **by: float) -> list[str]:
        self.town.clock.forward(**by)
        await self.caller.make_due_calls()
        return self.customer.statuses()


@pytest.fixture
def line(town: Town) -> Line:
    return Line(town)


async def fetch(town: Town, sid: str) -> httpx.Response:
    account = town.world.texts.account
    return await town.http.get(
        f"{ROOT}/{account.sid}/Messages/{sid}.json", auth=(account.sid, account.token)
    )


async def listed(town: Town, **query: str) -> httpx.Response:
    account = town.world.texts.account
    named = {name.replace("_lt", "<").replace("_gt", ">"): value for name, value in query.items()}
    return await town.http.get(
        f"{ROOT}/{account.sid}/Messages.json", params=named, auth=(account.sid, account.token)
    )


# ---------------------------------------------------------------- the published vectors


@pytest.mark.parametrize(
    ("token", "url", "params", "signed"),
    [
        (
            "12345",
            "https://mycompany.com/myapp.php?foo=1&bar=2",
            [("CallSid", "CA1234567890ABCDE"), ("Digits", "1234"), ("From", "+14158675309"),
             ("To", "+18005551212"), ("Caller", "+14158675309")],
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        ),
        (
            "12345",
            "https://mycompany.com/myapp.php?foo=1&bar=2",
            [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"),
             ("Digits", "1234")],
            "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
        ),
    ],
)  # fmt: skip
def test_the_signature_is_the_published_one(
    token: str, url: str, params: list[tuple[str, str]], signed: str
) -> None:
    assert signature(token, url, params) == signed
    assert signature(token, url, list(reversed(params))) == signed
    assert signature("12346", url, params) != signed


# ---------------------------------------------------------------- sending


async def test_a_text_goes_from_queued_to_delivered(line: Line) -> None:
    town = line.town
    ana = town.world.add_person("Ana")
    made = await town.send(ana.phone, "Hola ñ", StatusCallback=STATUS_URL)
    assert made.status_code == 201
    body = made.json()
    assert (body["status"], body["price"], body["date_sent"]) == ("queued", None, None)
    assert town.world.texts.on_phone(ana.phone, town.clock.at) == []
    assert await line.later(seconds=1) == []
    assert await line.later(seconds=1) == ["sent"]
    assert (await fetch(town, body["sid"])).json()["status"] == "sent"
    assert await line.later(seconds=6) == ["sent", "delivered"]
    assert await line.later(days=1) == ["sent", "delivered"], "each call is made once"
    shown = (await fetch(town, body["sid"])).json()
    assert shown["status"] == "delivered"
    assert parsedate_to_datetime(shown["date_sent"]) - parsedate_to_datetime(
        shown["date_created"]
    ) == timedelta(seconds=2)
    assert [sms.body for sms in town.world.texts.on_phone(ana.phone, town.clock.at)] == ["Hola ñ"]


async def test_every_call_is_signed_over_all_it_carries(line: Line) -> None:
    ana = line.town.world.add_person("Ana")
    await line.town.send(ana.phone, StatusCallback=STATUS_URL)
    await line.later(minutes=1)
    for url, form, signed in line.customer.came:
        assert url == STATUS_URL
        assert signed == signature(line.town.world.texts.account.token, url, form)
        assert {"MessageSid", "MessageStatus", "To", "From", "AccountSid"} <= set(dict(form))


async def test_a_service_has_its_own_first_word(town: Town) -> None:
    ana = town.world.add_person("Ana")
    account = town.world.texts.account
    made = await town.http.post(
        f"{ROOT}/{account.sid}/Messages.json",
        auth=(account.sid, account.token),
        data={"To": ana.phone, "MessagingServiceSid": "MG" + "0" * 32, "Body": "x"},
    )
    assert made.json()["status"] == "accepted"
    assert made.json()["from"] == account.numbers[0]


@pytest.mark.parametrize(
    ("form", "code", "status"),
    [
        ({"To": "612345678"}, 21211, 400),
        ({"To": "+0612345678"}, 21211, 400),
        ({"To": ""}, 21604, 400),
        ({"Body": ""}, 21602, 400),
        ({"Body": "x" * 1601}, 21617, 400),
        ({"From": ""}, 21603, 400),
        ({"ValidityPeriod": "0"}, 21624, 400),
        ({"ValidityPeriod": "36001"}, 21624, 400),
        ({"ValidityPeriod": "soon"}, 21624, 400),
    ],
)
async def test_what_the_exchange_refuses(
    town: Town, form: dict[str, str], code: int, status: int
) -> None:
    ana = town.world.add_person("Ana")
    account = town.world.texts.account
    data = {"To": ana.phone, "From": account.numbers[0], "Body": "x", **form}
    answer = await town.http.post(
        f"{ROOT}/{account.sid}/Messages.json", auth=(account.sid, account.token), data=data
    )
    assert answer.status_code == status
    assert answer.json()["code"] == code
    assert answer.json()["status"] == status
    assert town.world.texts.all() == []


@pytest.mark.parametrize("token", ["wrong", "", "sandbox-token "])
async def test_bad_credentials_are_20003(town: Town, token: str) -> None:
    sid = town.world.texts.account.sid
    answer = await town.http.get(f"{ROOT}/{sid}/Messages.json", auth=(sid, token))
    assert (answer.status_code, answer.json()["code"]) == (401, 20003)
    bare = await town.http.get(f"{ROOT}/{sid}/Messages.json")
    assert bare.status_code == 401
    account = town.world.texts.account
    other = await town.http.get(
        f"{ROOT}/AC{'1' * 32}/Messages.json", auth=(account.sid, account.token)
    )
    assert other.status_code == 401


async def test_a_text_does_not_arrive_after_its_validity(line: Line) -> None:
    ana = line.town.world.add_person("Ana")
    line.town.world.set_mode(ana.id, Mode.SMS_BACKLOG, 3)
    short = await line.town.send(
        ana.phone, "short", ValidityPeriod="3600", StatusCallback=STATUS_URL
    )
    await line.town.send(ana.phone, "long", ValidityPeriod="14400")
    assert await line.later(minutes=59) == []
    assert await line.later(minutes=2) == ["failed"]
    shown = (await fetch(line.town, short.json()["sid"])).json()
    assert (shown["status"], shown["error_code"], shown["date_sent"]) == ("failed", 30036, None)
    await line.later(hours=6)
    arrived = line.town.world.texts.on_phone(ana.phone, line.town.clock.at)
    assert [sms.body for sms in arrived] == ["long"]


async def test_a_queued_text_can_be_cancelled_and_a_sent_one_not(town: Town) -> None:
    ana = town.world.add_person("Ana")
    account = town.world.texts.account
    auth = (account.sid, account.token)
    early, late = [(await town.send(ana.phone, body)).json()["sid"] for body in ("a", "b")]
    path = f"{ROOT}/{account.sid}/Messages"
    cancelled = await town.http.post(f"{path}/{early}.json", auth=auth, data={"Status": "canceled"})
    assert cancelled.json()["status"] == "canceled"
    town.clock.forward(minutes=1)
    refused = await town.http.post(f"{path}/{late}.json", auth=auth, data={"Status": "canceled"})
    assert refused.status_code == 409
    redacted = await town.http.post(f"{path}/{late}.json", auth=auth, data={"Body": ""})
    assert redacted.json()["body"] == ""
    assert (await town.http.delete(f"{path}/{late}.json", auth=auth)).status_code == 204
    assert (await fetch(town, late)).json()["code"] == 20404


# ---------------------------------------------------------------- looking


async def test_lists_are_filtered_and_paged(town: Town) -> None:
    ana, eva = (town.world.add_person(name) for name in ("Ana", "Eva"))
    for number in range(5):
        await town.send(ana.phone, f"ana {number}")
        town.clock.forward(hours=6)
    await town.send(eva.phone, "eva")
    first = (await listed(town, To=ana.phone, PageSize="2")).json()
    assert [one["body"] for one in first["messages"]] == ["ana 4", "ana 3"]
    account = town.world.texts.account
    bodies, uri = [], first["next_page_uri"]
    while uri:
        page = (await town.http.get(f"/twilio{uri}", auth=(account.sid, account.token))).json()
        bodies += [one["body"] for one in page["messages"]]
        uri = page["next_page_uri"]
    assert bodies == ["ana 2", "ana 1", "ana 0"]
    assert len((await listed(town)).json()["messages"]) == 6
    assert len((await listed(town, DateSent="2026-03-03")).json()["messages"]) == 3
    assert len((await listed(town, DateSent_gt="2026-03-02T20:00:00Z")).json()["messages"]) == 4
    assert len((await listed(town, DateSent_lt="2026-03-02")).json()["messages"]) == 3
    assert (await listed(town, DateSent="yesterday")).status_code == 400


# ---------------------------------------------------------------- stop


async def test_stop_is_kept_by_the_exchange_and_told_to_the_customer(line: Line) -> None:
    town = line.town
    ana = town.world.add_person("Ana")
    number = town.world.texts.account.numbers[0]
    await town.send(ana.phone)
    town.world.texts.from_phone(ana.phone, number, " stop ")
    refused = await town.send(ana.phone)
    assert (refused.status_code, refused.json()["code"]) == (400, 21610)
    await line.later(seconds=1)
    url, form, signed = line.customer.came[-1]
    assert (url, dict(form)["Body"], dict(form)["From"]) == (INBOUND_URL, " stop ", ana.phone)
    assert signed == signature(town.world.texts.account.token, url, form)
    town.world.texts.from_phone(ana.phone, number, "START")
    assert (await town.send(ana.phone)).status_code == 201


@pytest.mark.parametrize("word", ["BAJA", "please stop", "WYPISZ", "Hola"])
async def test_other_words_are_passed_on_and_stop_nothing_here(line: Line, word: str) -> None:
    ana = line.town.world.add_person("Ana")
    number = line.town.world.texts.account.numbers[0]
    line.town.world.texts.from_phone(ana.phone, number, word)
    assert (await line.town.send(ana.phone)).status_code == 201
    await line.later(seconds=1)
    assert dict(line.customer.came[0][1])["Body"] == word


# ---------------------------------------------------------------- what goes wrong


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


# ---------------------------------------------------------------- how long a text is


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        ("a" * 160, 1), ("a" * 161, 2), ("ñ" * 160, 1), ("€" * 80, 1), ("€" * 81, 2),
        ("ż" * 70, 1), ("ż" * 71, 2), ("😀" * 35, 1), ("😀" * 36, 2),
    ],
)  # fmt: skip
def test_segments(body: str, parts: int) -> None:
    assert segments(body) == parts


# ---------------------------------------------------------------- the published description


@cache
def description() -> Specification | None:
    folder = os.environ.get("SALDO_SPECS_DIR")
    return Specification(Path(folder) / "twilio-messages.json") if folder else None


async def test_answers_fit_the_published_description(town: Town) -> None:
    published = description()
    if published is None:
        pytest.skip("SALDO_SPECS_DIR names no folder with twilio-messages.json")
    ana = town.world.add_person("Ana")
    account = town.world.texts.account
    path = f"/2010-04-01/Accounts/{account.sid}/Messages"
    made = await town.send(ana.phone)
    published.check("POST", f"{path}.json", made)
    town.clock.forward(minutes=1)
    sid = made.json()["sid"]
    published.check("GET", f"{path}/{sid}.json", await fetch(town, sid))
    published.check("GET", f"{path}.json", await listed(town, PageSize="1"))


async def test_dates_are_business_time(town: Town) -> None:
    town.clock.at = datetime(2031, 1, 1, 12, tzinfo=UTC)
    ana = town.world.add_person("Ana")
    made = await town.send(ana.phone)
    assert made.json()["date_created"] == "Wed, 01 Jan 2031 12:00:00 +0000"


async def test_the_ledger_sees_a_text_that_came_twice(town: Town) -> None:
    ana, eva = (town.world.add_person(name) for name in ("Ana", "Eva"))
    for person in (ana, eva):
        await town.send(person.phone, "one link")
    assert town.world.wrong() == []
    await town.send(ana.phone, "one link")
    assert [(one["kind"], one["to"]) for one in town.world.wrong()] == [("text_twice", ana.phone)]
