"""The soft flow as its people live it: the lender's system over the API, everybody else on pages.

Nobody set anything up, and nobody's account may be read. Four loans fall due on Monday 16 March
2026 in Madrid. Ana keeps a promise, Carlos breaks one, Berta and Dora promise nothing: one
write-off is refused, the other approved. Only days on which something happens are lived.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import FastAPI

from app.api.app import build_api
from app.domain.roles import Role
from app.flows.cases.open_cases import open_cases
from app.flows.lenders.make_key import make_key
from app.flows.messages.remind_ahead import remind_ahead
from app.flows.strategies.step_cases import plan_steps
from tests.flows.street import PUBLIC, Street
from tests.web.conftest import Browser, StreetClock, desk_of, web_of
from tests.web.reading import Page

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

MADRID = ZoneInfo("Europe/Madrid")
DUE = "2026-03-16"
PEOPLE = {"ana": "Ana Sol", "berta": "Berta Mar", "carlos": "Carlos Río", "dora": "Dora Luz"}


@dataclass(slots=True)
class Story:
    """The lender's system and the street behind it."""

    street: Street
    api: httpx.AsyncClient
    pages: FastAPI
    clients: list[httpx.AsyncClient]

    async def desk(self, role: Role) -> Browser:
        """Somebody of the lender's, signed in."""
        return await desk_of(self.street, self._browser, role)

    def _browser(self, *, ip: str = "198.51.100.1", **headers: str) -> Browser:
        transport = httpx.ASGITransport(app=self.pages, client=(ip, 40000))
        client = httpx.AsyncClient(transport=transport, base_url=PUBLIC, headers=headers)
        self.clients.append(client)
        return Browser(client)

    async def register(self) -> None:
        """Four people with a loan each, as the lender's system sends them."""
        for number, (ref, name) in enumerate(PEOPLE.items()):
            person = {
                "external_ref": ref, "name": name, "phone": f"+3461234560{number}",
                "email": f"{ref}@correo.example", "country": "ES", "region": "MD",
                "time_zone": "Europe/Madrid", "language": "es", "birth_date": "1990-05-17",
            }  # fmt: skip
            loan = {
                "external_ref": f"L-{ref}", "borrower_ref": ref, "product": "micro",
                "currency": "EUR",
                "instalments": [{"number": 1, "due_on": DUE, "amount": "120.00"}],
            }  # fmt: skip
            for path, content in (("/v1/borrowers", person), ("/v1/loans", loan)):
                assert (await self.api.post(path, json=content)).status_code == 201

    async def live(self, on: str) -> None:
        """Eleven in the morning of a day: the ledger's word is fresh."""
        at = datetime.combine(date.fromisoformat(on), time(11), MADRID).astimezone(UTC)
        # Sessions live in real time, which stands still.
        self.street.hands.now = at
        await self.street.rows("UPDATE loans SET owed_as_of = :now RETURNING 1", now=at)
        await open_cases(self.street.house, at)
        await remind_ahead(self.street.house, at)
        await plan_steps(self.street.house, at)
        # The first brings the reminders of promises, which the second delivers.
        await self.street.tick()
        await self.street.tick()

    async def listed(self, path: str, **which: str) -> list[Mapping[str, Any]]:
        """What a list of the API holds."""
        answer = await self.api.get(path, params=which)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    async def case(self, ref: str) -> str:
        """The case of a person's one loan, while it is open or after."""
        (found,) = await self.listed("/v1/cases", borrower=ref)
        return str(found["id"])

    async def calls(self) -> set[str]:
        """Whom somebody is asked to call now."""
        waiting = await self.listed("/v1/tasks", state="open", reason="call_borrower")
        return {str(task["borrower_ref"]) for task in waiting}

    async def say(self, ref: str, outcome: str, reason: str = "call_borrower") -> None:
        """The lender's own dialler says what came of the call that waits."""
        (task,) = await self.listed("/v1/tasks", borrower=ref, state="open", reason=reason)
        said = {"outcome": outcome, "called": True}
        answer = await self.api.post(f"/v1/tasks/{task['id']}/outcome", json=said)
        assert answer.status_code == 200, answer.text

    async def call(self, desk: Browser, ref: str, outcome: str, **more: Any) -> Page:
        """A collector opens a case, takes its task, and presses the outcome."""
        page = await desk.open(f"/cases/{await self.case(ref)}")
        page = await desk.send(page, "take")
        return await desk.send(page, "finish", outcome=outcome, called="1", **more)

    def told(self) -> list[tuple[str, str]]:
        """Every message so far: how it went, and to whom."""
        texts = [("sms", one.sms.to.reveal()) for one in self.street.carrier.taken]
        return texts + [("email", one.to.reveal()) for one in self.street.post.taken]


@pytest.fixture
async def story(street: Street) -> AsyncIterator[Story]:
    made = await make_key(street.house, street.now, street.lender_id, "walk", actor="test")
    api = build_api(street.house, StreetClock(street.hands))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=api),
        base_url="https://saldo.test",
        headers={"Authorization": f"Bearer {made.token}"},
    ) as client:
        story = Story(street, client, web_of(street).pages, [])
        yield story
        for one in story.clients:
            await one.aclose()


@pytest.mark.long
async def test_the_soft_flow_from_the_first_notice_to_the_last_word(story: Story) -> None:
    clara = await story.desk(Role.COLLECTOR)
    await story.register()
    await _grace(story, clara)
    await _calls(story, clara)
    await _promises(story, clara)
    await _nobody_writes_off_alone(story, clara)
    await story.street.tick()
    events = set(story.street.system.events())
    assert events >= {
        "case.opened", "task.opened", "promise.made", "promise.changed", "case.closed",
        "approval.decided", "loan.written_off",
    }  # fmt: skip


async def _grace(story: Story, clara: Browser) -> None:
    """Messages on their days and nothing on others; nobody is asked to ring anybody."""
    sent = 0
    for on, channel in (
        ("2026-03-13", "sms"),
        ("2026-03-16", ""),
        ("2026-03-17", "email"),
        ("2026-03-19", "sms"),
        ("2026-03-26", "sms"),
        # Maundy Thursday is a holiday in Madrid: the text waits until Monday.
        ("2026-04-02", ""),
        ("2026-04-06", "sms"),
        ("2026-04-08", ""),
    ):
        before = [kind for kind, _ in story.told()].count(channel)
        await story.live(on)
        sent += len(PEOPLE) if channel else 0
        assert len(story.told()) == sent, on
        if channel:
            assert [kind for kind, _ in story.told()].count(channel) == before + len(PEOPLE), on
    board = await clara.open("/")
    assert "Nothing waits for a person." in board.text
    # That no account may be read is known from the first day, and waits for the first call.
    assert "No permission to read the account" in (await clara.open("/?pile=later")).text
    case = await clara.open(f"/cases/{await story.case('ana')}")
    assert "A person is needed" not in case.text
    assert "Next, on Thu 9 Apr: a collector is asked to call (call 1 of 3)." in case.text


async def _calls(story: Story, clara: Browser) -> None:
    """Three for each who promises nothing, on working days; one that nobody made counts for none.

    Two people promise on the first day.
    """
    await story.live("2026-04-09")
    assert await story.calls() == set(PEOPLE)
    board = await clara.open("/")
    assert "Call 1 of 3 in the strategy. Without a promise the next one comes" in board.text
    assert "Permission: None: no account may be read" in board.text
    assert "No permission to read the account" not in board.text
    for ref, on in (("ana", "2026-04-17"), ("carlos", "2026-04-14")):
        page = await story.call(clara, ref, "promise", pay_on_1=on, amount_1="120")
        assert "nobody calls before, and the day after decides" in page.text
        assert "A reminder of the promise goes out on" in page.text
    page = await story.call(clara, "berta", "reached")
    assert "Next, on Fri 10 Apr: a collector is asked to call (call 2 of 3)." in page.text
    await story.say("dora", "no_answer")
    await story.live("2026-04-10")
    assert await story.calls() == {"berta", "dora"}
    await story.call(clara, "berta", "no_answer")
    # Nobody found the time for Dora; the weekend asks nobody.
    await story.live("2026-04-12")
    assert await story.calls() == {"dora"}
    await story.live("2026-04-13")
    assert await story.calls() == {"berta", "dora"}
    await story.say("dora", "refuses")
    page = await story.call(clara, "berta", "reached")
    assert "Next, on Tue 14 Apr: a write-off is proposed to a second person." in page.text


async def _promises(story: Story, clara: Browser) -> None:
    """One is reminded of and broken, and is on top the day after; one is reminded of and kept."""
    before = len(story.told())
    await story.live("2026-04-14")
    await story.live("2026-04-15")
    (broken,) = await story.listed("/v1/promises", state="broken")
    assert broken["loan_ref"] == "L-carlos"
    board = await clara.open("/")
    first, second = board.text.find("Promise was not kept"), board.text.find("Call the borrower")
    assert 0 <= first < second
    page = await story.call(clara, "carlos", "refuses")
    assert "Next, on Thu 16 Apr: a collector is asked to call (call 2 of 3)." in page.text
    await story.live("2026-04-16")
    carlos, ana = "+34612345602", "+34612345600"
    # Carlos was reminded on the 13th, Ana today.
    assert story.told().count(("sms", ana)) == story.told().count(("sms", carlos))
    assert len(story.told()) == before + 1
    paid = {
        "external_ref": "P-1", "amount": "120.00", "currency": "EUR",
        "paid_at": story.street.now.isoformat(),
    }  # fmt: skip
    answer = await story.api.post("/v1/loans/L-ana/repayments", json=paid)
    assert answer.status_code in (200, 201), answer.text
    (kept,) = await story.listed("/v1/promises", state="kept")
    assert kept["loan_ref"] == "L-ana"
    case = await clara.open(f"/cases/{await story.case('ana')}")
    assert "Nothing: the case is closed." in case.text


async def _nobody_writes_off_alone(story: Story, clara: Browser) -> None:
    """Machines propose, a manager has no part, one puts a name to it, and another one decides."""
    await story.say("dora", "no_answer")
    await story.live("2026-04-17")
    proposed = await story.listed("/v1/approvals", state="proposed")
    approvals = {str(one["loan_ref"]): f"/approvals/{one['id']}" for one in proposed}
    assert set(approvals) == {"L-berta", "L-dora"}
    max_, sue, april = [
        await story.desk(role) for role in (Role.COLLECTION_MANAGER, Role.SUPERVISOR, Role.APPROVER)
    ]
    relief = await max_.open(f"/cases/{await story.case('berta')}/relief")
    assert not relief.has("write-off")
    csrf = {"csrf": relief.form("forgive").fields["csrf"]}
    for path in (
        f"/cases/{await story.case('berta')}/write-off",
        f"{approvals['L-berta']}/endorse",
        f"{approvals['L-berta']}/approve",
    ):
        answer = await max_.http.post(path, data={**csrf, "reason": "x", "option": "defer"})
        assert answer.status_code == 403, path
    assert await story.street.value("SELECT count(*) FROM audit WHERE act = 'refused'") == 3
    for where in approvals.values():
        page = await sue.open(where)
        assert "9 Apr 2026: " in page.text
        page = await sue.send(page, "endorse", option=["defer"], why_not="No income.")
        assert "Somebody else decides" in page.text
        assert not page.has("approve")
    note = "Try once more in May."
    await april.send(await april.open(approvals["L-berta"]), "refuse", note=note)
    page = await april.send(await april.open(approvals["L-dora"]), "approve")
    assert "Approved, and done." in page.text
    states = {ref: (await story.api.get(f"/v1/loans/L-{ref}")).json()["state"] for ref in PEOPLE}
    assert states["berta"] == "active"
    assert states["dora"] == "written_off"
    page = await clara.open(f"/cases/{await story.case('berta')}")
    assert f"did not agree to the write-off: “{note}”" in page.text
    assert "No permission to read the account" not in page.text
