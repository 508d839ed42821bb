"""Phones and the control page: what is shown, what a person may switch."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from sandbox.faces.phones import linked, preview
from sandbox.mails import address_of
from sandbox.modes import BANK_MEANING, MEANING, BankMode, Mode
from sandbox.moods import Mood, Reaction
from tests.sandbox.rig import Town

pytestmark = pytest.mark.anyio

ROBOT = {"user-agent": "saldo-sandbox-robot"}


async def test_a_phone_shows_what_arrived_and_links_are_tappable(town: Town) -> None:
    ana = town.world.add_person("Ana")
    await town.send(ana.phone, "Hola Ana\nPaga aqui: http://127.0.0.1:8200/p/abc. <b>x</b>")
    before = await town.http.get(f"/phones/{ana.id}", headers=ROBOT)
    assert "127.0.0.1:8200/p/abc" not in before.text
    town.clock.forward(minutes=1)
    page = await town.http.get(f"/phones/{ana.id}", headers=ROBOT)
    assert '<a href="http://127.0.0.1:8200/p/abc"' in page.text
    assert "<b>x</b>" not in page.text
    lock = page.text.partition('class="thread"')[0]
    assert "Hola Ana" in lock
    assert "Paga aqui" not in lock
    assert ana.code in page.text


async def test_news_change_when_a_text_arrives(town: Town) -> None:
    ana = town.world.add_person("Ana")
    path = f"/phones/{ana.id}/news"
    first = (await town.http.get(path, headers=ROBOT)).json()
    await town.send(ana.phone)
    assert (await town.http.get(path, headers=ROBOT)).json()["mark"] == first["mark"]
    town.clock.forward(minutes=1)
    assert (await town.http.get(path, headers=ROBOT)).json()["mark"] != first["mark"]


async def test_an_answer_goes_to_whom_wrote_last(town: Town) -> None:
    ana = town.world.add_person("Ana")
    await town.send(ana.phone, From="+34600000009")
    town.clock.forward(minutes=1)
    answer = await town.http.post(f"/phones/{ana.id}/reply", data={"body": "STOP"})
    assert answer.status_code == 303
    assert (await town.send(ana.phone, From="+34600000009")).json()["code"] == 21610
    assert (await town.send(ana.phone)).status_code == 201
    assert "STOP" in (await town.http.get(f"/phones/{ana.id}")).text


async def test_a_number_of_nobody_has_a_phone_once_it_got_a_text(town: Town) -> None:
    assert (await town.http.get("/phones/tel-34699111222")).status_code == 404
    await town.send("+34699111222", "Hola")
    town.clock.forward(minutes=1)
    assert "Hola" in (await town.http.get("/phones/tel-34699111222")).text
    assert "+34699111222" in (await town.http.get("/phones")).text


async def test_opening_a_phone_takes_it_out_of_the_robots_hands(town: Town) -> None:
    ana = town.world.add_person("Ana")
    await town.http.get(f"/phones/{ana.id}", headers=ROBOT)
    assert not town.world.town.settings(ana.id).paused
    page = await town.http.get(f"/phones/{ana.id}")
    assert "in your hands" in page.text
    assert town.world.town.settings(ana.id).paused
    await town.http.post(f"/phones/{ana.id}/robot")
    assert not town.world.town.settings(ana.id).paused


async def test_the_list_puts_phones_that_nobody_answers_first(town: Town) -> None:
    town.world.add_person("Adam", mood=Mood(reactions=(Reaction.PAYS_SOON,)))
    idle = town.world.add_person("Zoe", mood=Mood(reactions=(Reaction.IGNORES,)))
    await town.send(idle.phone)
    town.clock.forward(minutes=1)
    page = (await town.http.get("/phones")).text
    assert page.index("Zoe") < page.index("Adam")
    assert "yours to take" in page.partition("<ul")[2]
    only = (await town.http.get("/phones", params={"q": "adam"})).text
    assert "Zoe" not in only


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("one\ntwo", "one"),
        ("", ""),
        ("  \n", ""),
        ("x" * 61, "x" * 59 + "…"),
        ("x" * 60, "x" * 60),
    ],
)
def test_a_lock_screen_shows_the_first_line(body: str, shown: str) -> None:
    assert preview(body) == shown


def test_links_are_found_and_nothing_else_is_trusted() -> None:
    html = str(linked('a http://x.test/p?a=1&b=2). "javascript:alert(1)" <script>'))
    assert 'href="http://x.test/p?a=1&amp;b=2"' in html
    assert html.count("<a ") == 1
    assert "<script>" not in html


# ---------------------------------------------------------------- the control page


def asks_json(town: Town) -> httpx.AsyncClient:
    town.http.headers["accept"] = "application/json"
    return town.http


async def test_every_page_of_the_sandbox_opens(town: Town) -> None:
    ana = town.world.add_person("Ana", second=True)
    await town.consent(ana)
    town.pay(ana, await town.payment(ana))
    for path in ("/_sandbox", f"/_sandbox/people/{ana.id}", "/phones", "/static/sandbox.css"):
        answer = await town.http.get(path)
        assert answer.status_code == 200, path
    for path in ("/_sandbox/people/nobody", "/phones/nobody", "/static/x.css", "/banks/x/online/"):
        assert (await town.http.get(path)).status_code == 404, path
    assert (await town.http.get("/")).headers["location"] == "/phones"


async def test_a_person_can_be_made_and_changed_over_json(town: Town) -> None:
    http = asks_json(town)
    made = await http.post(
        "/_sandbox/people",
        json={"name": "Rosa", "bank": "ribera", "balance": "900.00", "phone": "+34611222333"},
    )
    assert made.status_code == 201
    rosa = made.json()
    assert rosa["accounts"][0]["balance"] == "900.00"
    assert rosa["email"] == address_of(town.world.people[rosa["id"]])
    path = f"/_sandbox/people/{rosa['id']}"
    changed = await http.post(
        path,
        json={
            "modes": {"frozen_old_date": True, "slow": 0.5},
            "balance": "-12.50",
            "reactions": ["ignores"],
            "consent_mood": "refuses",
            "delay_minutes": 5,
            "paused": True,
        },
    )
    assert changed.json() == {**changed.json(), "paused": True, "reactions": ["ignores"],
                              "consent_mood": "refuses", "delay_minutes": 5}  # fmt: skip
    assert changed.json()["modes"] == {"frozen_old_date": 0.0, "slow": 0.5}
    assert changed.json()["accounts"][0]["balance"] == "-12.50"
    off = await http.post(path, json={"modes": {"slow": False}})
    assert off.json()["modes"] == {"frozen_old_date": 0.0}
    assert rosa["id"] in [one["id"] for one in (await http.get("/_sandbox/people")).json()]


async def test_a_person_can_be_made_out_of_the_robots_hands(town: Town) -> None:
    wanted = {"name": "Rosa", "balance": "900.00", "paused": True, "modes": {"slow": 0.5}}
    made = (await town.http.post("/_sandbox/people", json=wanted)).json()
    assert made["paused"] is True
    assert made["modes"] == {"slow": 0.5}
    assert made["accounts"][0]["balance"] == "900.00"
    answer = await town.http.post("/_sandbox/people", json={**wanted, "reactions": ["dances"]})
    assert answer.status_code == 422
    assert len(town.world.people) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"modes": {"no_such": True}},
        {"balance": "1,5"},
        {"balance": "12", "iban": "ES9121000418450200051332"},
        {"reactions": ["dances"]},
        {"consent_mood": "perhaps"},
    ],
)
async def test_what_makes_no_sense_is_refused(town: Town, wrong: dict[str, object]) -> None:
    ana = town.world.add_person("Ana")
    answer = await town.http.post(f"/_sandbox/people/{ana.id}", json=wrong)
    assert answer.status_code == 422
    assert town.world.town.settings(ana.id).modes == {}


async def test_the_form_switches_what_is_ticked_and_nothing_else(town: Town) -> None:
    ana = town.world.add_person("Ana")
    town.world.set_mode(ana.id, Mode.SLOW, 3)
    await town.http.post(
        f"/_sandbox/people/{ana.id}",
        data={"part": "modes", "mode": ["empty_balances", "drip"], "value_drip": "2"},
    )
    assert town.world.town.settings(ana.id).modes == {"empty_balances": 0.0, "drip": 2.0}
    await town.http.post(f"/_sandbox/people/{ana.id}", data={"balance": "77.00"})
    assert town.world.town.balance(ana.iban) == 7_700
    assert town.world.town.settings(ana.id).modes == {"empty_balances": 0.0, "drip": 2.0}
    consent_id = await town.consent(ana)
    await town.http.post(f"/_sandbox/people/{ana.id}", data={"revoke": "yes"})
    assert (await town.balances(ana, consent_id)).status_code == 401


async def test_a_bank_is_switched_by_form_and_by_json(town: Town) -> None:
    await town.http.post(
        "/_sandbox/banks/luz", data={"mode": "outage_503", "value_outage_503": "2"}
    )
    assert town.world.town.bank_settings("luz").modes == {"outage_503": 2.0}
    await town.http.post("/_sandbox/banks/luz", json={"modes": {"outage_401": True}})
    assert set(town.world.town.bank_settings("luz").modes) == set(BankMode) & {
        "outage_401", "outage_503",
    }  # fmt: skip
    await town.http.post("/_sandbox/banks/luz", data={})
    assert town.world.town.bank_settings("luz").modes == {}


async def test_another_sites_page_cannot_press_our_buttons(town: Town) -> None:
    ana = town.world.add_person("Ana")
    answer = await town.http.post(
        f"/_sandbox/people/{ana.id}",
        data={"balance": "1.00"},
        headers={"sec-fetch-site": "cross-site"},
    )
    assert answer.status_code == 403


async def test_a_history_is_taken_over_http_and_replayed(town: Town) -> None:
    csv = "account,date,amount,balance\nA,2024-05-01,10.00,10.00\nA,2024-05-02,5.00,15.00\n"
    kept = await town.http.post("/_sandbox/history/mine", content=csv)
    assert kept.json() == {"kept": ["mine/A"]}
    made = await town.http.post("/_sandbox/people", json={"name": "Rita", "replays": "mine/A"})
    person = town.world.people[made.json()["id"]]
    assert town.world.town.balance(person.iban) == 1_000
    town.clock.forward(days=1)
    assert town.world.town.balance(person.iban) == 1_500


async def test_the_ledger_is_told_over_http(town: Town) -> None:
    ana = town.world.add_person("Ana", opening_minor=50_000)
    town.pay(ana, await town.payment(ana))
    ledger = (await town.http.get("/_sandbox/ledger")).json()
    assert [p["status"] for p in ledger["payments"]] == ["ACTC"]
    assert [d["minor"] for d in ledger["debits"]] == [-12_050]
    assert ledger["wrong"] == []


async def test_a_person_texts_over_http(town: Town) -> None:
    ana = town.world.add_person("Ana")
    answer = await town.http.post(f"/_sandbox/people/{ana.id}/text", json={"body": "BAJA"})
    assert answer.status_code == 201
    assert [s.body for s in town.world.texts.on_phone(ana.phone, town.clock.at)] == ["BAJA"]


def test_every_fault_says_what_it_is() -> None:
    assert set(MEANING) == set(Mode)


def test_the_data_of_the_real_account_carries_its_licence() -> None:
    folder = Path(__file__).resolve().parents[2] / "sandbox" / "data"
    licence = (folder / "tcpd_bank_LICENSE").read_text(encoding="utf-8")
    assert "Permission is hereby granted" in licence


def test_the_readme_lists_every_fault_as_it_is() -> None:
    folder = Path(__file__).resolve().parents[2] / "sandbox"
    text = (folder / "README.md").read_text(encoding="utf-8")
    for mode, meaning in [*MEANING.items(), *BANK_MEANING.items()]:
        assert f"| `{mode.value}` | {meaning} |" in text
