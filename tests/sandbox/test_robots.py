"""The people act by themselves: over the pages, by their moods, once, and not when held by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.moods import ConsentMood, Mood, Reaction
from sandbox.people import Person
from sandbox.records import ConsentStatus
from sandbox.robots import Robots
from sandbox.visits import part_of
from sandbox.walker import Walker, WalkError, read_page
from tests.sandbox.rig import Town
from tests.sandbox.toy_saldo import SALDO, ToySaldo

pytestmark = pytest.mark.anyio


@dataclass
class Scene:
    """One person with his robot, and the toy he meets."""

    town: Town
    person: Person
    saldo: ToySaldo
    robots: Robots

    async def later(self, **by: float) -> None:
        self.town.clock.forward(**by)
        self.robots.look()
        await self.robots.settle()

    async def text(self) -> None:
        await self.town.send(self.person.phone, f"Hola {SALDO}/p/x. STOP")

    @property
    def outcomes(self) -> list[str]:
        return list(self.town.world.mind.outcomes())


def scene(town: Town, **mood: object) -> Scene:
    person = town.world.add_person(
        "Ana",
        opening_minor=50_000,
        mood=Mood(delay_minutes=10, **mood),  # type: ignore[arg-type]
    )
    saldo = ToySaldo(town, person)
    robots = Robots(town.world, saldo.transport(), {"saldo.test", "sandbox.test"})
    return Scene(town, person, saldo, robots)


# ---------------------------------------------------------------- consent


@pytest.mark.parametrize(
    ("mood", "purposes", "status"),
    [
        (ConsentMood.GRANTS_BOTH, ["scoring", "repayment_monitoring"], ConsentStatus.VALID),
        (ConsentMood.REVOKES_LATER, ["scoring", "repayment_monitoring"], ConsentStatus.VALID),
        (ConsentMood.ONLY_SCORING, ["scoring"], ConsentStatus.VALID),
        (ConsentMood.REFUSES_AT_BANK, ["scoring", "repayment_monitoring"], ConsentStatus.REJECTED),
        (ConsentMood.ABANDONS, ["scoring", "repayment_monitoring"], ConsentStatus.RECEIVED),
        (ConsentMood.REFUSES, [], None),
    ],
)
async def test_a_consent_link_is_walked_by_mood(
    town: Town, mood: ConsentMood, purposes: list[str], status: ConsentStatus | None
) -> None:
    stage = scene(town, consent=mood, revokes_after_days=2)
    town.world.mind.send_to_consent("k", stage.person.id, f"{SALDO}/c/x", town.clock.at)
    await stage.later(seconds=1)
    assert stage.saldo.purposes == purposes
    consent = town.world.consents.get("luz", stage.saldo.consent_id)
    assert (consent.status if consent else None) is status, stage.outcomes
    back = status in (ConsentStatus.VALID, ConsentStatus.REJECTED)
    assert stage.saldo.finished is (back and mood is not ConsentMood.REFUSES_AT_BANK)
    await stage.later(days=1)
    await stage.later(days=1, hours=1)
    revoked = consent is not None and consent.status is ConsentStatus.REVOKED
    assert revoked is (mood is ConsentMood.REVOKES_LATER)


# ---------------------------------------------------------------- texts


@pytest.mark.parametrize(
    ("reaction", "said", "minor"),
    [
        (Reaction.PAYS_SOON, ["pays 120.50"], 37_950),
        (Reaction.PAYS_LATER, ["pays 120.50"], 37_950),
        (Reaction.PAYS_PART, ["pays 60.00"], 44_000),
        (Reaction.REFUSES_AT_BANK, ["pays 120.50"], 50_000),
        (Reaction.ABANDONS_AT_BANK, ["pays 120.50"], 50_000),
        (Reaction.SAYS_WRONG, ["wrong"], 50_000),
        (Reaction.SAYS_CANNOT, ["cannot"], 50_000),
        (Reaction.SAYS_PAID, ["paid"], 50_000),
        (Reaction.STOPS_BY_LINK, ["stop"], 50_000),
        (Reaction.LOOKS_ONLY, [], 50_000),
        (Reaction.IGNORES, [], 50_000),
        (Reaction.STOPS_BY_TEXT, [], 50_000),
    ],
)
async def test_a_text_is_answered_by_mood(
    town: Town, reaction: Reaction, said: list[str], minor: int
) -> None:
    stage = scene(town, reactions=(reaction,))
    await stage.text()
    await stage.later(minutes=4)
    assert stage.saldo.said == [], "not before its time"
    await stage.later(minutes=20)
    assert stage.saldo.said == said, stage.outcomes
    assert town.world.town.balance(stage.person.iban) == minor
    await stage.later(hours=9)
    assert stage.saldo.said == said, "once"
    wrote = [s.body for s in town.world.texts.all() if s.inbound]
    assert bool(wrote) is (reaction is Reaction.STOPS_BY_TEXT)
    assert set(wrote) <= {"STOP", "BAJA"}
    if said:
        assert SALDO in stage.saldo.origins, "a robot posts as a browser does"


async def test_a_wrong_birth_date_is_given_until_the_page_gives_up(town: Town) -> None:
    stage = scene(town, reactions=(Reaction.WRONG_BIRTH_DATE,))
    await stage.text()
    await stage.later(hours=1)
    await stage.later(hours=1)
    assert (stage.saldo.tries, stage.saldo.proved) == (5, False)


async def test_the_second_text_meets_the_second_mood(town: Town) -> None:
    stage = scene(town, reactions=(Reaction.IGNORES, Reaction.SAYS_PAID))
    for said in ([], ["paid"]):
        await stage.text()
        await stage.later(minutes=1)
        await stage.later(hours=1)
        assert stage.saldo.said == said


async def test_a_robot_leaves_a_phone_in_somebodys_hands_alone(town: Town) -> None:
    stage = scene(town)
    await stage.text()
    await stage.later(minutes=1)
    town.world.mind.taken_by_hand(stage.person.id)
    await stage.later(hours=3)
    assert stage.saldo.said == []
    town.world.mind.given_back(stage.person.id)
    await stage.later(seconds=1)
    assert stage.saldo.said == ["pays 120.50"]


async def test_a_page_that_is_down_is_tried_again(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = [50.0]
    monkeypatch.setattr("sandbox.robots.time.monotonic", lambda: real[0])
    stage = scene(town)
    stage.saldo.broken = True
    await stage.text()
    await stage.later(minutes=1)
    await stage.later(hours=1)
    stage.saldo.broken = False
    await stage.later(hours=1)
    assert stage.saldo.said == [], "it waits some real seconds"
    real[0] += 60
    await stage.later(seconds=1)
    assert stage.saldo.said == ["pays 120.50"]


async def test_a_page_that_stays_down_is_given_up(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = [50.0]
    monkeypatch.setattr("sandbox.robots.time.monotonic", lambda: real[0])
    stage = scene(town)
    stage.saldo.broken = True
    await stage.text()
    for _ in range(20):
        real[0] += 60
        await stage.later(hours=1)
    assert town.world.mind.due_plans(town.clock.at) == []
    assert stage.outcomes == ["pay link: 503 at /p/x"]


async def test_plans_survive_a_restart_and_are_done_once(tmp_path: Path) -> None:
    file = tmp_path / "world.sqlite"
    first = Town(file)
    stage = scene(first)
    await stage.text()
    await stage.later(minutes=1)
    first.world.close()
    second = Town(file, at=first.clock.at)
    person = second.world.people[stage.person.id]
    saldo = ToySaldo(second, person)
    robots = Robots(second.world, saldo.transport(), {"saldo.test", "sandbox.test"})
    again = Scene(second, person, saldo, robots)
    await again.later(hours=1)
    assert saldo.said == ["pays 120.50"]
    await again.later(hours=9)
    second.world.close()
    third = Town(file, at=second.clock.at)
    assert third.world.mind.due_plans(third.clock.forward(days=1)) == []


async def test_a_page_that_prepares_is_looked_at_again(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.visits._PAUSE_S", 0.0)
    stage = scene(town)
    stage.saldo.prepares = 3
    await stage.text()
    await stage.later(minutes=30)
    await stage.later(minutes=30)
    assert stage.saldo.said == ["pays 120.50"]


async def test_a_bank_page_that_was_answered_leads_back(town: Town) -> None:
    stage = scene(town)
    consent_id = await town.consent(stage.person)
    link = town.online(stage.person, "consents", consent_id)
    town.world.mind.send_to_consent("k", stage.person.id, link, town.clock.at)
    await stage.later(seconds=1)
    assert stage.saldo.finished


# ---------------------------------------------------------------- the walker


def test_a_form_is_read_as_a_browser_would_send_it() -> None:
    html = """
    <form data-step="a" action="next?x=1" method="POST">
      <input type="hidden" name="h" value="1&amp;2"><input name="t" value="old">
      <input type="checkbox" name="c" value="1" checked><input type="checkbox" name="c" value="2">
      <input type="radio" name="r" value="x"><input type="radio" name="r" value="y" checked>
      <input name="off" value="no" disabled>
      <select name="s"><option value="1">1</option><option value="2" selected>2</option></select>
      <select name="first"><option value="p">p</option><option value="q">q</option></select>
      <textarea name="area">line</textarea>
      <button type="button" name="none" value="0">x</button>
      <button name="go" value="now">Go</button>
    </form><form><input name="else"></form><a data-step="away" href="/gone">x</a>
    <meta http-equiv="refresh" content="6; url=/p/1?n=2">
    """
    page = read_page("http://saldo.test/p/1", 200, html)
    form = page.form("a")
    assert form is not None
    assert form.action == "http://saldo.test/p/next?x=1"
    assert form.filled({"t": "new", "c": ["1", "2"]}, ("go", "now")) == [
        ("h", "1&2"), ("r", "y"), ("s", "2"), ("first", "p"), ("area", "line"),
        ("t", "new"), ("c", "1"), ("c", "2"), ("go", "now"),
    ]  # fmt: skip
    assert form.buttons == [("go", "now")]
    assert page.forms[1].step == ""
    assert page.links == {"away": "http://saldo.test/gone"}
    assert page.looks_again_at == "http://saldo.test/p/1?n=2"


async def test_robots_stay_on_this_machine(town: Town) -> None:
    saldo = ToySaldo(town, town.world.add_person("Ana"))
    walker = Walker(saldo.transport(), {"saldo.test"})
    for url in ("http://elsewhere.example/", "http://sandbox.test/phones"):
        with pytest.raises(WalkError, match="left for"):
            await walker.open(url)


@pytest.mark.parametrize(
    ("amount", "part"), [("120.50", "60.00"), ("99,90", "49,00"), ("1.00", "1.00"), ("?", "?")]
)
def test_a_part_is_spelled_like_the_whole(amount: str, part: str) -> None:
    assert part_of(amount, 50) == part


async def test_who_was_asked_to_pay_goes_before_a_queue_of_consents(town: Town) -> None:
    stage = scene(town)
    await stage.text()
    town.clock.forward(hours=1)
    for number in range(30):
        other = town.world.add_person(f"P{number}")
        link = f"{SALDO}/nowhere"
        town.world.mind.send_to_consent(f"k{number}", other.id, link, town.clock.at)
    assert stage.robots.look() < 31, "only so many at once"
    await stage.robots.settle()
    town.clock.forward(hours=1)
    stage.robots.look()
    await stage.robots.settle()
    assert stage.saldo.said == ["pays 120.50"]
    while stage.robots.look():
        await stage.robots.settle()
    assert town.world.mind.due_errands(town.clock.at) == []
