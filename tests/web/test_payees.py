"""Where the lender is paid, on the page: proposed by an admin, compared and decided by others."""

from __future__ import annotations

import pytest

from app.domain.roles import Role
from tests.flows.street import Street
from tests.web.conftest import Desk

pytestmark = pytest.mark.anyio

BRITISH = {"currency": "GBP", "sort_code": "200000", "account_number": "55779911"}


async def test_proposed_compared_and_agreed_to(street: Street, sign_in_as: Desk) -> None:
    admin = await sign_in_as(Role.ADMIN)
    page = await admin.open("/payees")
    assert page.problems == []
    assert "ES•• •••• 6789" in page.text
    page = await admin.send(page, "propose", **BRITISH, reason="Our bank in London.")
    assert "Nothing changes before a second person agrees." in page.text
    assert page.problems == []
    assert "••-••-00 ••••9911" in page.text
    assert "55779911" not in page.text
    assert page.has("withdraw")

    compliance = await sign_in_as(Role.COMPLIANCE)
    page = await compliance.open("/payees")
    assert page.problems == []
    assert "20-00-00 55779911" in page.text  # all of it, to compare with what he knows
    assert not page.has("propose")
    assert not page.has("withdraw")
    approval = await street.value("SELECT id FROM approvals")
    assert f"/approvals/{approval}" in page.links
    page = await compliance.open(f"/approvals/{approval}")
    assert page.problems == []
    for seen in ("Account you are paid to", "Our bank in London.", "••-••-00 ••••9911"):
        assert seen in page.text
    assert "/payees" in page.links
    await compliance.send(page, "approve")
    page = await admin.open("/payees")
    assert "••-••-00 ••••9911" in page.text
    assert not page.has("withdraw")
    history = await admin.open("/audit?group=payees")
    assert "55779911" not in history.text
    assert "••••9911" in history.text


async def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(
    street: Street, sign_in_as: Desk
) -> None:
    admin = await sign_in_as(Role.ADMIN)
    page = await admin.open("/payees")
    typed = {**BRITISH, "account_number": "5577991", "reason": "Our bank."}
    wrong = await admin.send(page, "propose", **typed)
    assert admin.status == 422
    assert wrong.problems == []
    assert "The account number has 8 digits." in wrong.text
    form = wrong.form("propose")
    kept = {name: form.fields[name] for name in BRITISH}
    assert kept == {**BRITISH, "account_number": "5577991"}
    assert "Our bank." in wrong.text
    await admin.send(page, "propose", currency="EUR", iban="ES7921000813610123456789", reason="x")
    assert admin.status == 422
    await admin.send(page, "propose", **BRITISH, reason="")
    assert admin.status == 422
    assert await street.value("SELECT count(*) FROM approvals") == 0


async def test_taken_back_on_the_page(street: Street, sign_in_as: Desk) -> None:
    admin = await sign_in_as(Role.ADMIN)
    page = await admin.send(await admin.open("/payees"), "propose", **BRITISH, reason="x")
    page = await admin.send(page, "withdraw")
    assert not page.has("withdraw")
    assert "••••9911" not in page.text
    assert await street.value("SELECT state FROM approvals") == "withdrawn"


@pytest.mark.parametrize(
    ("role", "sees"),
    [
        (Role.COLLECTOR, False),
        (Role.COLLECTION_MANAGER, False),
        (Role.SUPERVISOR, True),
        (Role.APPROVER, True),
        (Role.AUDITOR, True),
    ],
)
async def test_who_sees_it_and_who_proposes(
    street: Street, sign_in_as: Desk, role: Role, sees: bool
) -> None:
    admin = await sign_in_as(Role.ADMIN)
    form = (await admin.open("/payees")).form("propose")
    somebody = await sign_in_as(role)
    page = await somebody.open("/payees")
    assert somebody.status == (200 if sees else 403)
    assert not page.has("propose")
    token = (await somebody.open("/account")).form("password").fields["csrf"]
    answer = await somebody.http.post(
        form.action, data={**BRITISH, "reason": "x", "csrf": token}, follow_redirects=False
    )
    assert answer.status_code == 403
    assert await street.value("SELECT count(*) FROM payee_changes") == 0
    assert await street.value("SELECT count(*) FROM audit WHERE act = 'refused'") >= 1
