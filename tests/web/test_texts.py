"""What a borrower wrote stands before the person who is to answer, and is nothing but words."""

from __future__ import annotations

import pytest

from app.domain.roles import Role
from tests.flows.street import Street
from tests.flows.test_post_out_and_in import hook, stop_from
from tests.rig import make_lender
from tests.web.conftest import Browser, Desk, OpenBrowser, desk_of

pytestmark = pytest.mark.anyio

NASTY = "I spoke with <b>Marta</b> & <script>alert(1)</script> on Monday"


async def test_the_board_and_the_case_show_his_words(street: Street, sign_in_as: Desk) -> None:
    who = await street.neighbour()
    await hook(street, stop_from(who, stop=None, text="first words"))
    await street.work_off()
    street.hands.go_on(minutes=5)
    await hook(street, stop_from(who, "e2", stop=None, text=NASTY + " long" * 100))
    await street.work_off()
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open("/")
    assert page.problems == []
    assert "The borrower answered by text message" in page.text
    assert NASTY in page.text, "the newest, as it was written"
    assert "first words" not in page.text
    assert page.text.count(" long") < 40, "the board shows its beginning"
    assert desk.answer is not None
    assert "<script>alert" not in desk.answer.text
    assert "<b>Marta" not in desk.answer.text
    page = await desk.open(f"/cases/{who.cases[0]}")
    assert page.problems == []
    assert "What the borrower wrote" in page.text
    assert "Borrower wrote a text" in page.text
    assert "first words" in page.text
    assert page.text.count(" long") >= 100
    assert "<script>alert" not in desk.answer.text


async def test_without_a_text_there_is_no_such_part(street: Street, sign_in_as: Desk) -> None:
    who = await street.neighbour()
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open(f"/cases/{who.cases[0]}")
    assert "What the borrower wrote" not in page.text


async def test_another_lender_reads_nothing_of_it(street: Street, browser: OpenBrowser) -> None:
    who = await street.neighbour()
    await hook(street, stop_from(who, stop=None, text=NASTY))
    await street.work_off()
    other = await make_lender(street.store, street.now)
    desk = await desk_of(street, browser, Role.SUPERVISOR, lender_id=other)
    assert "Marta" not in (await desk.open("/")).text
    await desk.open(f"/cases/{who.cases[0]}")
    assert desk.status == 404
