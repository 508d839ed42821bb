"""What only a real browser can tell: that it moves, fits, can be reached, and asks nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from app.domain.consent import Purpose
from app.domain.message import CancelReason
from app.domain.roles import Role
from app.flows.consents.request_consent import request_consent
from app.flows.signals.end_signals import end_signals
from app.pay_ports import PayStatus
from tests.browser.conftest import Site
from tests.flows.street import BORN
from tests.flows.test_post_out_and_in import hook, stop_from

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

WINDOWS = (1360, 390, 320)
DESK = [
    "/",
    "/cases",
    "/portfolio",
    "/performance",
    "/consents",
    "/controls",
    "/observe",
    "/account",
]

# Everything that can be pressed must be large enough (WCAG 2.2, 2.5.8: 24 by 24), except links
# within a sentence; and must show when it has the focus (2.4.7).
_SMALL = """() => [...document.querySelectorAll('a, button, input, select, textarea, summary')]
  .filter(one => one.offsetParent !== null && one.type !== 'hidden' && !one.closest('.unseen'))
  .filter(one => !(one.tagName === 'A' && one.closest('p, dd, td, th, li, .head, .skip')))
  .map(one => [one, one.getBoundingClientRect()])
  .filter(([one, box]) => box.width > 0 && (box.width < 24 || box.height < 24)
      && !(one.labels && one.labels.length))
  .map(([one, box]) =>
      `${one.tagName} ${one.textContent.trim().slice(0, 30)} ${box.width}x${box.height}`)
"""
_WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
_RING = """() => { const one = document.activeElement; const style = getComputedStyle(one);
  return [one.tagName, style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2] }"""


async def look_over(page: Page, widths: Sequence[int] = (1280, 390)) -> None:
    """In windows of these widths nothing sticks out, nothing is too small to press."""
    before = page.viewport_size
    assert before is not None
    for width in widths:
        await page.set_viewport_size({"width": width, "height": before["height"]})
        assert await page.evaluate(_WIDER) <= 0, f"{page.url} at {width}"
        assert await page.evaluate(_SMALL) == [], f"{page.url} at {width}"
    await page.set_viewport_size(before)


async def test_an_alert_appears_and_disappears_by_itself(site: Site) -> None:
    board = await site.signed_in(Role.COLLECTOR)
    await expect(board.locator("[data-live]")).to_have_attribute("data-state", "on")
    await expect(board.locator("#alerts-empty")).to_be_visible()
    who = await site.street.neighbour()
    await site.street.money_seen(who)
    card = board.locator("#alerts li")
    await expect(card).to_contain_text("Ana Núñez")
    await expect(card).to_contain_text("Enough for what is due")
    await expect(board.locator("[data-count=alerts]")).to_contain_text("1")
    await expect(board.locator("[data-announce]")).to_contain_text("Ana Núñez")
    await expect(board.locator("#alerts-empty")).to_be_hidden()
    async with site.street.store.engine_unit() as unit:
        await end_signals(
            unit, site.street.now, account_ids=[who.account_id], why=CancelReason.MONEY_GONE
        )
    await expect(card).to_have_count(0)
    await expect(board.locator("#alerts-empty")).to_be_visible()
    assert site.complaints == []
    assert site.strangers == set()


async def test_the_desk_fits_every_window(site: Site) -> None:
    who, _link = await site.texted()
    page = await site.signed_in(Role.COLLECTION_MANAGER)
    for path in [*DESK, f"/cases/{who.cases[0]}"]:
        await page.goto(site.url + path)
        await look_over(page, WINDOWS)
    assert site.complaints == []
    assert site.strangers == set()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_borrower_pays_on_an_old_small_phone_without_script(
    site: Site, scheme: str
) -> None:
    _who, link = await site.texted()
    page = await site.window(width=320, height=568, script=False, scheme=scheme)
    await page.goto(f"{link}?lang=en")
    await look_over_without_script(page)
    await page.get_by_label("Your date of birth").fill(BORN.isoformat())
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("heading", name="What is due")).to_be_visible()
    await page.get_by_text("I cannot pay now").click()
    await expect(page.get_by_role("button", name="Tell Préstamos Sol").first).to_be_visible()
    await page.get_by_label("How much?").fill("999")
    await page.get_by_role("button", name="Continue at my bank").click()
    await expect(page.get_by_role("alert")).to_contain_text("more than is due")
    await page.get_by_label("How much?").fill("50")
    await to_the_bank(page, page.get_by_role("button", name="Continue at my bank"))
    assert site.street.bank.payments
    assert site.complaints == []


async def to_the_bank(page: Page, button: Locator) -> None:
    """Pressed, it sends the browser to the bank, whose name nobody on this earth can resolve."""
    async with page.expect_event(
        "requestfailed", lambda asked: asked.url.startswith("https://bank.example/")
    ):
        await button.click()
    await page.wait_for_url("chrome-error://chromewebdata/")


async def look_over_without_script(page: Page) -> None:
    """The page itself cannot be asked without script: its picture is as wide as its window."""
    size = page.viewport_size
    assert size is not None
    box = await page.locator("body").bounding_box()
    assert box is not None
    assert box["width"] <= size["width"]


async def test_the_pay_page_fits_and_can_be_pressed(site: Site) -> None:
    _who, link = await site.texted()
    page = await site.window(width=320, height=800)
    for language in ("en", "es", "pl"):
        await page.goto(f"{link}?lang={language}")
        await look_over(page, WINDOWS)
        await page.goto(f"{link}/stop?lang={language}")
        await look_over(page, WINDOWS)
    await page.goto(f"{link}?lang=pl")
    await page.locator("#birth_date").fill(BORN.isoformat())
    await page.locator("form[data-step=check] button").click()
    await page.locator("form[data-step=pay]").wait_for()
    await look_over(page, WINDOWS)
    for summary in await page.locator("summary").all():
        await summary.click()
    await look_over(page, WINDOWS)
    assert site.complaints == []
    assert site.strangers == set()


async def test_the_receipt_fits_and_the_page_looks_again_by_itself(site: Site) -> None:
    _who, link = await site.texted()
    page = await site.window(width=320, height=640)
    await page.goto(f"{link}?lang=es")
    await page.locator("#birth_date").fill(BORN.isoformat())
    await page.locator("form[data-step=check] button").click()
    await to_the_bank(page, page.locator("form[data-step=pay] button"))
    order = next(iter(site.street.bank.payments.values())).order
    await page.goto(f"{order.return_url}?lang=es")
    await expect(page.get_by_role("heading", name="Lo estamos comprobando")).to_be_visible()
    await look_over(page)
    site.street.bank.turn(PayStatus.SETTLED)
    await site.street.minutes_pass(1, 1, 2)
    # Nobody touches the page: it looks again by itself.
    thanks = page.get_by_role("heading", name="Pagado. ¡Gracias!")
    await expect(thanks).to_be_visible(timeout=30_000)
    await expect(page.get_by_text(order.end_to_end_ref)).to_be_visible()
    await look_over(page)
    assert site.complaints == []


async def test_consent_boxes_are_unticked_and_their_words_tick_them(site: Site) -> None:
    who = await site.street.neighbour()
    made = await request_consent(
        site.street.house,
        site.street.now,
        lender_id=site.street.lender_id,
        borrower_ref=who.ref,
        purposes=(Purpose.SCORING, Purpose.REPAYMENT_MONITORING),
    )
    page = await site.window(width=390, height=844)
    await page.goto(f"{made.link}?lang=en")
    await look_over(page)
    boxes = page.get_by_role("checkbox")
    await expect(boxes).to_have_count(2)
    for box in await boxes.all():
        await expect(box).not_to_be_checked()
    await page.get_by_text("Look at my balance when a payment is due").click()
    await expect(boxes.nth(1)).to_be_checked()
    sizes: list[Any] = [
        await page.get_by_role("button", name=name).bounding_box()
        for name in ("Continue with what I ticked", "No, thank you")
    ]
    assert sizes[0]["width"] == sizes[1]["width"]
    assert sizes[0]["height"] == sizes[1]["height"]
    await page.get_by_role("button", name="Continue with what I ticked").click()
    await expect(page.get_by_role("heading", name="Which is your bank?")).to_be_visible()
    await look_over(page)
    assert site.complaints == []


async def test_everything_is_reached_by_the_keyboard_and_shows_it(site: Site) -> None:
    who, link = await site.texted()
    desk = await site.signed_in(Role.COLLECTOR)
    await desk.goto(f"{site.url}/cases/{who.cases[0]}")
    await _tab_through(desk)
    phone = await site.window(width=390, height=844)
    await phone.goto(f"{link}?lang=en")
    await _tab_through(phone)


async def test_a_case_with_long_references_and_long_words_fits(site: Site) -> None:
    who, link = await site.texted()
    phone = await site.window(width=390, height=844)
    await phone.goto(f"{link}?lang=en")
    await phone.locator("#birth_date").fill(BORN.isoformat())
    await phone.locator("form[data-step=check] button").click()
    await to_the_bank(phone, phone.locator("form[data-step=pay] button"))
    await phone.goto(f"{link}?lang=en")
    await look_over(phone)
    await hook(site.street, stop_from(who, stop=None, text="https://" + "x" * 400 + " <b>why</b>?"))
    await site.street.work_off()
    await site.street.rows("UPDATE payments SET state = 'unclear' RETURNING 1")
    page = await site.signed_in(Role.SUPERVISOR, width=390)
    for path in ("/", f"/cases/{who.cases[0]}"):
        await page.goto(site.url + path)
        await expect(
            page.get_by_text("<b>why</b>?" if path != "/" else "xxxx").first
        ).to_be_visible()
        await look_over(page)
    await expect(page.get_by_role("button", name="It did not arrive")).to_be_visible()
    assert site.complaints == []


async def test_what_is_hidden_takes_no_room(site: Site) -> None:
    page = await site.signed_in(Role.COLLECTOR, width=390)
    await page.goto(f"{site.url}/account")
    await expect(page.locator("input[name=username]")).to_be_hidden()
    await expect(page.get_by_label("Present password")).to_be_visible()


async def test_the_stop_switches_come_first_on_a_phone(site: Site) -> None:
    page = await site.signed_in(Role.COLLECTION_MANAGER, width=390)
    await page.goto(f"{site.url}/controls")
    tops = [
        await page.get_by_role("heading", name=name, exact=True).bounding_box()
        for name in ("Stop switches", "Latest changes")
    ]
    assert tops[0] is not None
    assert tops[1] is not None
    assert tops[0]["y"] < tops[1]["y"]


async def _tab_through(page: Page) -> None:
    await page.keyboard.press("Tab")
    assert await page.evaluate("() => document.activeElement.className") == "skip"
    reached = 0
    for _ in range(60):
        await page.keyboard.press("Tab")
        name, ring = await page.evaluate(_RING)
        if name == "BODY":
            break
        assert ring, f"{name} does not show its focus on {page.url}"
        reached += 1
    assert reached >= 5
