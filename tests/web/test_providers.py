"""An admin sets up his lender's own providers on the page; nobody ever reads a secret there."""

from __future__ import annotations

from typing import cast

import pytest

from app.domain.provider_setup import Slot
from app.domain.roles import Role
from app.store.unit import Store
from tests.flows.contracts import SECRET, Fakes, with_contracts
from tests.flows.outside import Carrier, PayBank
from tests.flows.street import Street, make_street
from tests.web.conftest import Browser, Desk

pytestmark = pytest.mark.anyio

NEW = "/providers/{}?connector=berlin_group"


@pytest.fixture
async def street(store: Store) -> Street:
    """A lender who may bring contracts of his own."""
    made = await make_street(store)
    with_contracts(made).accounts |= {"sol": Carrier(), "pay": PayBank()}
    return made


def shop_of(street: Street) -> Fakes:
    assert street.house.book is not None
    return cast("Fakes", street.house.book.workshop)


async def agreed(street: Street, who: Browser) -> None:
    """A second person says yes to what waits."""
    waits = await street.value("SELECT id FROM approvals WHERE state = 'proposed'")
    await who.send(await who.open(f"/approvals/{waits}"), "approve")


async def test_set_up_tried_changed_and_taken_away(street: Street, sign_in_as: Desk) -> None:
    admin = await sign_in_as(Role.ADMIN)
    page = await admin.open("/providers")
    assert "Twilio" in page.text
    assert page.problems == []
    page = await admin.open(NEW.format("messages"))
    assert page.problems == []
    typed = {"f_account": "sol", "reason": "Ours."}
    wrong = await admin.send(page, "set-up", f_secret="guessed", **typed)
    assert admin.status == 422
    assert "The provider does not take this access data. Nothing was kept." in wrong.text
    form = wrong.form("set-up")
    assert (form.fields["f_account"], "Ours." in wrong.text) == ("sol", True)
    assert form.fields["f_secret"] == ""
    page = await admin.send(wrong, "set-up", f_secret=SECRET, **typed)
    assert "It is used once a second person agrees." in page.text
    assert await street.value("SELECT state FROM provider_setups") == "proposed"
    coral = await sign_in_as(Role.COMPLIANCE)
    await agreed(street, coral)
    page = await admin.open("/providers/messages")
    assert "Set, changed" in page.text
    name = await street.value("SELECT name FROM provider_setups WHERE state = 'in_force'")
    assert f"/hooks/{name}" in page.text

    # Other access data: what is left empty stays, and nothing of it is in the form.
    page = await admin.open("/providers/messages?change=1")
    form = page.form("set-up")
    assert (form.fields["f_account"], form.fields["f_secret"]) == ("sol", "")
    token = form.fields["csrf"]
    files = {"f_cert": ("c.pem", b"-----BEGIN CERTIFICATE", "application/x-pem-file")}
    fields = {**form.fields, "reason": "Renewed.", "csrf": token}
    answer = await admin.http.post(form.action, data=fields, files=files, follow_redirects=True)
    assert "Cert" in answer.text
    assert "BEGIN" not in answer.text
    assert SECRET not in answer.text
    assert shop_of(street).tried == ["messages sol"] * 3
    answer = await admin.http.post(
        form.action, data=fields, files={"f_cert": ("c.pem", b"x" * 300_000, "x")}
    )
    assert (answer.status_code, "256" in answer.text or "larger" in answer.text) == (422, True)

    await agreed(street, coral)
    page = await admin.open("/providers/messages")
    without = await admin.send(page, "remove", reason="")
    assert (admin.status, "reason" in without.text.casefold()) == (422, True)
    page = await admin.send(page, "remove", reason="The contract ends.")
    assert "Taken away" in page.text
    history = await admin.open("/audit?group=providers")
    assert "remove_provider" in history.text or "Remove provider" in history.text
    assert SECRET not in history.text


async def test_an_address_of_ones_own_waits_for_a_second_person_who_is_told_where_it_leads(
    street: Street, sign_in_as: Desk
) -> None:
    admin = await sign_in_as(Role.ADMIN)
    page = await admin.open(NEW.format("messages"))
    assert "It is used once somebody of compliance, or an approver, agrees" in page.text
    typed = {"f_account": "sol", "f_secret": SECRET, "f_base_url": "pages.evil.example"}
    page = await admin.send(page, "set-up", reason="Faster for us.", **typed)
    assert "It is used once a second person agrees." in page.text
    assert (await street.house.of(street.lender_id)).own.chosen == {}
    compliance = await sign_in_as(Role.COMPLIANCE)
    approval = await street.value("SELECT id FROM approvals")
    page = await compliance.open(f"/approvals/{approval}")
    assert page.problems == []
    assert "Use berlin_group for messages, at pages.evil.example" in page.text
    assert ("Leads to" in page.text, "payments" in page.text.partition("Why")[0]) == (True, False)
    await compliance.send(page, "approve")
    house = await street.house.of(street.lender_id)
    assert set(house.own.chosen) == {Slot.MESSAGES}


async def test_payments_wait_for_a_second_person(street: Street, sign_in_as: Desk) -> None:
    admin = await sign_in_as(Role.ADMIN)
    page = await admin.open(NEW.format("payments"))
    page = await admin.send(
        page, "set-up", f_account="pay", f_secret=SECRET, reason="Cheaper for us."
    )
    assert "It is used once a second person agrees." in page.text
    assert page.has("withdraw")
    compliance = await sign_in_as(Role.COMPLIANCE)
    approval = await street.value("SELECT id FROM approvals")
    page = await compliance.open(f"/approvals/{approval}")
    for seen in ("Own provider", "Use berlin_group for payments", "Cheaper for us.", "pay"):
        assert seen in page.text
    await compliance.send(page, "approve")
    page = await compliance.open("/providers/payments")
    assert ("In use" in page.text, page.has("set-up"), page.has("remove")) == (True, False, False)
    house = await street.house.of(street.lender_id)
    assert house.payment_name == house.own.chosen[Slot.PAYMENTS]
    for role, path, status in (
        (Role.SUPERVISOR, "/providers", 403),
        (Role.AUDITOR, "/providers", 200),
    ):
        browser = await sign_in_as(role)
        await browser.open(path)
        assert browser.status == status
    await admin.open("/providers/nothing")
    assert admin.status == 404
