"""The pages of texts: what is in force, writing, checking, two people."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from app.domain.roles import Role
from tests.flows.street import Street
from tests.web.conftest import Browser, OpenBrowser, desk_of
from tests.web.reading import Page

pytestmark = pytest.mark.anyio

BODY = "{{lender}}: un mensaje para usted: {{link}} Responda BAJA para no recibir SMS."


def about(page: str = "text", **which: str) -> str:
    given = {"name": "first_missed", "channel": "sms", "language": "es", **which}
    return f"/templates/{page}?{urlencode(given)}"


async def written(desk: Browser, body: str = BODY, **which: str) -> Page:
    page = await desk.open(about("edit", **which))
    fields: dict[str, Any] = {"body": body}
    if which.get("channel") == "email":
        fields["subject"] = which.pop("subject", "Un mensaje de {{lender}}")
    return await desk.send(page, "save", **fields)


async def test_every_shipped_text_has_its_page(street: Street, sign_in_as: Any) -> None:
    await street.neighbour()
    desk = await sign_in_as(Role.AUDITOR)
    page = await desk.open("/templates")
    assert desk.status == 200
    for name in ("First missed", "Follow up", "Escalated", "Pre due", "Promise reminder"):
        assert name in page.text
    for which in ({}, {"channel": "email"}, {"channel": "push"}, {"name": "promise_reminder"}):
        page = await desk.open(about(**which))
        assert desk.status == 200, which
        assert "The words that shipped are in force." in page.text
        assert "Write your own words" not in page.text, "an auditor reads"


async def test_a_text_is_shown_on_a_real_case_with_its_size(
    street: Street, sign_in_as: Any
) -> None:
    who = await street.neighbour(dues=(12_000,))
    desk = await sign_in_as(Role.SUPERVISOR)
    page = await desk.open(about())
    assert "1 text message" in page.text
    assert "GSM-7" in page.text
    page = await desk.open(about(channel="email"))
    assert "120,00" in page.text
    assert f"{who.ref}-L0" in page.text
    assert "Ana Núñez" in page.text
    page = await desk.open(about(channel="email", name="promise_reminder"))
    assert "a promise was made up" in page.text


async def test_two_people_publish_through_the_pages(street: Street, browser: OpenBrowser) -> None:
    await street.neighbour()
    sara = await desk_of(street, browser, Role.SUPERVISOR)
    coral = await desk_of(street, browser, Role.COMPLIANCE)
    page = await written(sara)
    assert "Saved as a draft" in page.text
    assert "put in:" in page.text, "the change against what is in force"
    page = await sara.send(page, "propose", reason="clearer")
    assert "Another person has to agree" in page.text
    address = str(sara.answer.url.copy_with(scheme=None, host=None)) if sara.answer else ""
    page = await coral.open("/templates")
    assert "1 to decide" in page.text
    page = await coral.open(address)
    page = await coral.send(page, "decide", word="approve")
    assert "These are the words from now on." in page.text
    assert "Your edition 1 is in force." in page.text


async def test_the_writer_gets_no_button_and_no_way_round(
    street: Street, browser: OpenBrowser
) -> None:
    coral = await desk_of(street, browser, Role.COMPLIANCE)
    page = await coral.send(await written(coral), "propose", reason="clearer")
    page = await coral.send(page, "decide", word="approve")
    assert coral.status == 422
    assert "yourself" in page.text
    assert await street.value("SELECT state FROM templates") == "proposed"


async def test_everything_wrong_is_told_at_once_and_nothing_is_kept(
    street: Street, sign_in_as: Any
) -> None:
    await street.neighbour()
    desk = await sign_in_as(Role.SUPERVISOR)
    bad = "Debe pagar {{amount_due}} {{iban}} YA MISMO o avisar a su jefe de la lista negra"
    page = await written(desk, bad)
    assert desk.status == 422
    for told in ("Not saved", "iban", "does not say who writes", "lock screen", "lista negra"):
        assert told in page.text, told
    assert bad in page.text, "what was typed is still there"
    assert await street.value("SELECT count(*) FROM templates") == 0


async def test_what_is_typed_is_shown_and_never_run(street: Street, sign_in_as: Any) -> None:
    await street.neighbour()
    desk = await sign_in_as(Role.SUPERVISOR)
    page = await written(
        desk,
        "<script>alert(1)</script> {{name}} {{stop_link}} {{lender}}",
        channel="email",
    )
    assert desk.status == 200
    assert desk.answer is not None
    assert "<script>alert" not in desk.answer.text
    assert "<script>alert(1)</script> Ana Núñez" in page.text


async def test_long_and_foreign_letters_are_counted(street: Street, sign_in_as: Any) -> None:
    await street.neighbour()
    desk = await sign_in_as(Role.SUPERVISOR)
    page = await written(desk, BODY + " Ważne, proszę przeczytać " + "a" * 40)
    assert "UCS-2" in page.text
    assert "ż" in page.text
    assert "3 text messages" in page.text


@pytest.mark.parametrize(
    "address",
    [
        "/templates/text",
        "/templates/text?name=none&channel=sms&language=es",
        "/templates/text?name=first_missed&channel=call&language=es",
        "/templates/text?name=first_missed&channel=fax&language=es",
        "/templates/edit?name=x&channel=",
    ],
)
async def test_what_is_not_there_is_not_found(
    street: Street, sign_in_as: Any, address: str
) -> None:
    desk = await sign_in_as(Role.SUPERVISOR)
    await desk.open(address)
    assert desk.status == 404


async def test_an_own_name_in_an_own_language(street: Street, sign_in_as: Any) -> None:
    desk = await sign_in_as(Role.COMPLIANCE)
    page = await written(desk, BODY, name="our_own", language="es")
    assert "Saved as a draft" in page.text
    page = await desk.open("/templates")
    assert "Our own" in page.text
    page = await written(desk, BODY, name="Our Own")
    assert desk.status == 422
    assert "small letters" in page.text.lower()


async def test_another_lenders_words_are_nowhere(
    street: Street, browser: OpenBrowser, sign_in_as: Any
) -> None:
    from tests.rig import make_lender

    desk = await sign_in_as(Role.SUPERVISOR)
    await written(desk)
    edition = await street.value("SELECT id FROM templates")
    other = await make_lender(street.store, street.now)
    stranger = await desk_of(street, browser, Role.SUPERVISOR, lender_id=other)
    page = await stranger.open(about(edition=str(edition)))
    assert "un mensaje para usted" not in page.text
    csrf = page.forms[0].fields["csrf"]
    answer = await stranger.http.post(
        "/templates/propose", data={"csrf": csrf, "edition": str(edition), "reason": "x"}
    )
    assert answer.status_code == 404
