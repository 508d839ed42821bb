"""The SMS exchange: Twilio's words, its statuses and signature, opt-outs, lists."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path

import pytest

from sandbox.faces.twilio import segments
from sandbox.faces.twilio_calls import signature
from sandbox.modes import Mode
from tests.sandbox.exchange import INBOUND_URL, ROOT, STATUS_URL, Line, fetch, listed
from tests.sandbox.rig import Town
from tests.sandbox.spec import Specification

pytestmark = pytest.mark.anyio


@pytest.fixture
def line(town: Town) -> Line:
    return Line(town)


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
