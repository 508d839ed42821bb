"""Holds on the case page: what they stop, for a time that lies back, and who may end them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.message import Channel
from app.domain.roles import Role
from app.store.contacts import note_contact
from tests.flows.street import Street
from tests.web.conftest import Browser, Desk, OpenBrowser
from tests.web.reading import Page
from tests.web.test_pay import proved, texted

pytestmark = pytest.mark.anyio


async def test_a_hold_since_last_week_shows_what_it_stops_and_what_came_too_early(
    street: Street, sign_in_as: Desk
) -> None:
    who = await street.neighbour()
    async with street.store.unit(street.lender_id) as unit:
        await note_contact(
            unit, street.now - timedelta(days=2), lender_id=street.lender_id, borrower_id=who.id,
            channel=Channel.CALL, outbound=True, conversation=False, case_ids=who.cases,
        )  # fmt: skip
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open(f"/cases/{who.cases[0]}")
    since = (street.now - timedelta(days=7)).date().isoformat()
    page = await desk.send(
        page, "hold", kind="breathing_space", reason="Notice from the adviser", since=since
    )
    for words in (
        "The hold is set",
        "Breathing space (60 days) until",
        "interest and fees",
        "counting days past due",
        "known since",
        "Debt Respite Scheme Regulations 2020",
        "Made before we knew",
        "His own payment is always possible",
    ):
        assert words in page.text, words
    assert page.problems == []
    assert not page.has("lift")
    lead: Browser = await sign_in_as(Role.SUPERVISOR)
    assert not (await lead.open(f"/cases/{who.cases[0]}")).has("lift"), "only compliance ends it"
    compliance: Browser = await sign_in_as(Role.COMPLIANCE)
    page = await compliance.open(f"/cases/{who.cases[0]}")
    page = await compliance.send(page, "lift", reason="")
    assert compliance.status == 422
    page = await compliance.send(page, "lift", reason="The sixty days are over.")
    assert "The hold is lifted" in page.text
    assert "“The sixty days are over.”" in page.text
    assert "Past holds (1)" in page.text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "deceased", "until": "2026-03-20"}, "only by hand"),
        ({"kind": "dispute", "blocks": "contact"}, "always stops"),
        ({"kind": "dispute", "since": "2026-03-09"}, "in the future"),
        ({"kind": "dispute", "since": "1996-03-09"}, "five years"),
        ({"kind": "dispute", "since": "Friday"}, "not a day"),
        ({"kind": "dispute", "since": "2026-03-01", "until": "2026-02-01"}, "not after"),
    ],
)
async def test_a_hold_nobody_can_mean_is_told_so(
    fields: dict[str, str], words: str, street: Street, sign_in_as: Desk
) -> None:
    who = await street.neighbour()
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open(f"/cases/{who.cases[0]}")
    form = page.form("hold")
    desk.answer = await desk.http.post(
        form.action, data={**form.fields, "reason": "a test", **fields}
    )
    page = Page.read(desk.answer.text)
    assert desk.status == 422
    assert words in page.text
    assert await street.value("SELECT count(*) FROM holds") == 0


async def test_the_end_of_a_crisis_is_set_by_compliance(street: Street, sign_in_as: Desk) -> None:
    who = await street.neighbour()
    desk: Browser = await sign_in_as(Role.COMPLIANCE)
    page = await desk.open(f"/cases/{who.cases[0]}")
    page = await desk.send(page, "hold", kind="crisis", reason="Notice", since="2026-02-20")
    page = await desk.send(page, "crisis-over", ended_on="2026-04-01")
    assert desk.status == 422
    page = await desk.send(page, "crisis-over", ended_on="2026-03-01")
    assert "ends 30 days after the treatment" in page.text
    ends_at = await street.value("SELECT ends_at FROM holds")
    assert ends_at.isoformat() == "2026-03-31T22:00:00+00:00"


async def test_the_borrower_reads_that_nobody_asks_and_may_still_pay(
    street: Street, browser: OpenBrowser, sign_in_as: Desk
) -> None:
    who, address = await texted(street)
    his = browser()
    page = await proved(his, address)
    assert "no le pide este pago" not in page.text
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    case = await desk.open(f"/cases/{who.cases[0]}")
    await desk.send(case, "hold", kind="complaint", reason="Wrote to us", everything="1")
    page = await his.open(address)
    assert "no le pide este pago" in page.text
    assert page.has("pay")
    assert page.problems == []
