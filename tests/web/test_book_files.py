"""Book files at the desk: uploaded, checked, released by another person, loaded, listed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from app.domain.roles import Role
from app.flows.books.apply_book import apply_books
from app.flows.lenders.make_key import make_key
from app.web.guard import UPLOADS
from tests.flows.book_kit import Book, load
from tests.flows.street import Street
from tests.rig import make_lender
from tests.web.conftest import Browser, Desk, OpenBrowser, desk_of
from tests.web.reading import Page

pytestmark = pytest.mark.anyio


async def upload(desk: Browser, book: Book, **fields: str) -> Page:
    """Fill in the form with files, as a browser would."""
    form = (await desk.open("/book")).form("load")
    files = [("files", (one.name, one.content, "text/csv")) for one in book.files()]
    return await send(desk, form.action, {**form.fields, **fields}, files)


async def send(
    desk: Browser,
    action: str,
    fields: dict[str, str],
    files: Sequence[tuple[str, tuple[str, bytes, str]]],
) -> Page:
    """Post a form with files."""
    desk.answer = await desk.http.post(
        action, data=fields, files=list(files), follow_redirects=True
    )
    return Page.read(desk.answer.text)


def address_of(desk: Browser) -> str:
    """Where the last answer came from."""
    assert desk.answer is not None
    return str(desk.answer.url).split("?")[0]


async def test_a_book_goes_through_the_pages(street: Street, sign_in_as: Desk) -> None:
    loader, releaser = await sign_in_as(Role.ADMIN), await sign_in_as(Role.COMPLIANCE)
    book = Book().person("B1").person("B2").add("opt_outs", "B2,sms,2026-02-11")
    seen = await upload(loader, book, borrowers="2", loans="2", owed="240.00 EUR")
    assert loader.status == 200
    assert "Waits for release" in seen.text
    assert "€240.00" in seen.text
    address = address_of(loader)
    page = await releaser.open(address)
    seen = await releaser.send(page, "release")
    assert "Being loaded" in seen.text
    await apply_books(street.house, street.now)
    await apply_books(street.house, street.now)
    seen = await releaser.open(address)
    assert "Loaded" in seen.text
    listed = await releaser.http.get(f"{address}/result.csv")
    assert listed.headers["content-type"] == "text/csv; charset=utf-8"
    assert listed.text.count(",done,") == 7


async def test_what_a_key_loaded_takes_two_people(street: Street, sign_in_as: Desk) -> None:
    """Whoever holds the key may be a supervisor, too: alone he lets nothing in."""
    key = await make_key(street.house, street.now, street.lender_id, "ledger", actor="operator")
    checked = await load(street, Book().person("B1"), key_id=key.id)
    holder = await sign_in_as(Role.SUPERVISOR)
    other = await sign_in_as(Role.COMPLIANCE)
    address = f"/book/{checked.file_id}"
    for desk in (holder, other):
        page = await desk.open(address)
        assert "A system loaded it" in page.text
        assert not page.has("release")
        csrf = (await desk.open("/account")).forms[0].fields["csrf"]
        answer = await desk.http.post(f"{address}/release", data={"csrf": csrf})
        assert "stands behind it first" in answer.text
    page = await holder.send(await holder.open(address), "stand-behind")
    assert "Your name stands behind it" in page.text
    assert not page.has("release")
    csrf = page.form("drop").fields["csrf"]
    for again, said in (("release", "Somebody else"), ("stand-behind", "Nobody need stand")):
        answer = await holder.http.post(f"{address}/{again}", data={"csrf": csrf})
        assert said in answer.text
    assert await street.value("SELECT state FROM bulk_files") == "checked"
    await other.send(await other.open(address), "release")
    assert await street.value("SELECT state FROM bulk_files") == "released"


async def test_a_loader_finds_no_button_and_is_refused_all_the_same(
    street: Street, sign_in_as: Desk
) -> None:
    desk = await sign_in_as(Role.SUPERVISOR)
    page = await upload(desk, Book().person("B1"))
    assert "somebody else releases it" in page.text
    address = address_of(desk)
    csrf = page.form("drop").fields["csrf"]
    answer = await desk.http.post(f"{address}/release", data={"csrf": csrf})
    assert answer.status_code == 422
    assert "Somebody else than the person who loaded" in answer.text
    assert await street.value("SELECT state FROM bulk_files") == "checked"


async def test_totals_that_differ_leave_no_release(sign_in_as: Desk) -> None:
    loader, releaser = await sign_in_as(Role.ADMIN), await sign_in_as(Role.APPROVER)
    await upload(loader, Book().person("B1"), owed="999.00 EUR")
    address = address_of(loader)
    page = await releaser.open(address)
    assert "999.00 EUR expected, 120.00 EUR in the file" in page.text
    assert not [form for form in page.forms if form.step == "release"]


async def test_what_cannot_be_read_is_said_on_the_page(sign_in_as: Desk) -> None:
    desk = await sign_in_as(Role.ADMIN)
    form = (await desk.open("/book")).form("load")
    page = await send(
        desk, form.action, {**form.fields, "owed": "12"}, [("files", ("x.csv", b"a\n1", ""))]
    )
    assert desk.status == 422
    assert "owed: cannot be read" in page.text
    page = await send(desk, form.action, form.fields, [("files", ("x.csv", b"a\n1", ""))])
    assert "does not say what its rows are" in page.text
    page = await send(desk, form.action, form.fields, [])
    assert desk.status == 422
    twice = Book().person("B1")
    await upload(desk, twice)
    assert "loaded before" in (await upload(desk, twice)).text


async def test_a_dropped_file_says_nothing_about_people_any_more(
    street: Street, sign_in_as: Desk
) -> None:
    desk = await sign_in_as(Role.ADMIN)
    page = await upload(desk, Book().person("B1"))
    page = await desk.send(page, "drop")
    assert "Dropped" in page.text
    assert await street.value("SELECT count(*) FROM bulk_rows WHERE row_enc <> ''") == 0


async def test_an_upload_needs_its_token_and_its_right_before_it_is_read(
    sign_in_as: Desk,
) -> None:
    files = [("files", ("borrowers.csv", b"x" * 200_000, "text/csv"))]
    desk = await sign_in_as(Role.ADMIN)
    await send(desk, "/book/load", {"csrf": "wrong"}, files)
    assert desk.status == 403
    other = await sign_in_as(Role.COLLECTOR)
    await send(other, "/book/load", {"csrf": "wrong"}, files)
    assert other.status == 403
    # Only this address takes so much.
    await send(desk, "/sign-out", {"csrf": "wrong"}, files)
    assert desk.status == 413


async def test_an_upload_beyond_the_bound_is_turned_away(sign_in_as: Desk) -> None:
    desk = await sign_in_as(Role.ADMIN)
    answer = await desk.http.post(
        "/book/load", content=b"", headers={"content-length": str(UPLOADS["/book/load"] + 1)}
    )
    assert answer.status_code == 413


async def test_another_lenders_file_is_not_there(
    street: Street, sign_in_as: Desk, browser: OpenBrowser
) -> None:
    desk = await sign_in_as(Role.ADMIN)
    await upload(desk, Book().person("B1"))
    address = address_of(desk)
    other = await make_lender(street.store, street.now)
    stranger = await desk_of(street, browser, Role.SUPERVISOR, lender_id=other)
    await stranger.open(address)
    assert stranger.status == 404
    await stranger.open(f"{address}/result.csv")
    assert stranger.status == 404
    assert "borrowers.csv" not in (await stranger.open("/book")).text
