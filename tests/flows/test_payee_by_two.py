"""Where money goes changes by two people alone, whoever is inside and whatever he holds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.domain.approval import ApprovalState
from app.domain.errors import Conflict, Invalid, NotAllowed, NotFound
from app.domain.roles import Role
from app.flows.approvals.decide_approval import Word
from app.flows.approvals.propose_approval import Proposed
from app.flows.lenders.make_lender import set_lender
from app.flows.money.change_payee import PayeeWanted, propose_payee
from app.flows.money.set_payee import set_payee
from app.store.payees import payee_of
from tests.flows.contracts import admin_of, second_street
from tests.flows.desk_people import Desk
from tests.flows.street import Street

pytestmark = pytest.mark.anyio

BEFORE = "ES7921000813610123456789"
ATTACKER = "ES9121000418450200051332"
BRITISH: dict[str, Any] = {"sort_code": "20-00-00", "account_number": "55779911"}


async def asks(
    street: Street, currency: str = "EUR", *, by: Any = None, machine: bool = False, **account: str
) -> Proposed:
    wanted = PayeeWanted(currency, "A new bank.", **(account or {"iban": ATTACKER}))
    return await propose_payee(
        street.house,
        street.now,
        wanted,
        lender_id=street.lender_id,
        actor="api sk_x" if machine else "ada",
        user_id=None if machine else (by or await admin_of(street)),
    )


async def paid_to(street: Street, currency: str = "EUR") -> str:
    async with street.store.unit(street.lender_id) as unit:
        account = await payee_of(unit, street.lender_id, currency)
    return "" if account is None else account.reveal()


async def history(street: Street) -> list[tuple[str, Any, Any]]:
    rows = await street.rows(
        "SELECT act, before, after FROM audit WHERE act LIKE '%_payee' ORDER BY at, id"
    )
    return [(row.act, row.before.get("account"), row.after.get("account")) for row in rows]


async def test_two_people_change_it_and_the_audit_has_both_masked(street: Street) -> None:
    desk = Desk(street)
    made = await asks(street)
    assert await paid_to(street) == BEFORE
    await desk.says(Word.APPROVE, made.id)
    assert await paid_to(street) == ATTACKER
    first = await asks(street, "GBP", **BRITISH)
    await desk.says(Word.APPROVE, first.id)
    assert await paid_to(street, "GBP") == "20000055779911"
    assert await street.value("SELECT count(*) FROM payee_changes WHERE account_enc IS NULL") == 2
    told = await history(street)
    assert ("draft_payee", "ES•• •••• 6789", "ES•• •••• 1332") in told
    assert ("set_payee", "ES•• •••• 6789", "ES•• •••• 1332") in told
    assert ("set_payee", None, "••-••-00 ••••9911") in told
    for row in await street.rows(
        "SELECT before::text || after::text AS said FROM audit "
        "UNION ALL SELECT considered::text FROM approvals"
    ):
        assert not any(one in row.said for one in (BEFORE, ATTACKER, "55779911"))


async def test_nobody_does_it_alone(street: Street) -> None:
    """Neither the admin who proposed, nor another admin, nor whom he has just made an approver."""
    desk = Desk(street)
    made = await asks(street)
    admin = await admin_of(street)
    desk.ids["ada"] = admin
    for by, role in (("ada", Role.ADMIN), ("eve", Role.ADMIN), ("sue", Role.SUPERVISOR)):
        with pytest.raises(NotAllowed):
            await desk.says(Word.APPROVE, made.id, by=by, role=role)
    fresh = await desk.person("fred", Role.APPROVER)
    await street.rows(
        "UPDATE users SET unconfirmed_since = :now WHERE id = :id RETURNING 1",
        now=street.now,
        id=fresh,
    )
    with pytest.raises(NotAllowed, match="Compliance confirms"):
        await desk.says(Word.APPROVE, made.id, by="fred")
    # A role that was changed after the sign-in counts as it is now.
    await street.rows("UPDATE users SET role = 'approver' WHERE id = :id RETURNING 1", id=admin)
    with pytest.raises(NotAllowed, match="yourself"):
        await desk.says(Word.APPROVE, made.id, by="ada")
    assert await paid_to(street) == BEFORE
    for role in Role:
        if role not in (Role.ADMIN, Role.INTEGRATION):
            with pytest.raises(NotAllowed):
                await asks(street, "PLN", by=await desk.person(f"x-{role.value}", role))
    assert await street.value("SELECT count(*) FROM audit WHERE act = 'refused'") >= 10


async def test_what_a_system_proposes_takes_two_people(street: Street) -> None:
    desk = Desk(street)
    made = await asks(street, machine=True)
    with pytest.raises(NotAllowed, match="machine"):
        await desk.says(Word.APPROVE, made.id)
    await desk.endorses(made.id, by="april", role=Role.APPROVER)
    with pytest.raises(NotAllowed, match="name to it"):
        await desk.says(Word.APPROVE, made.id, by="april")
    assert await paid_to(street) == BEFORE
    await desk.says(Word.APPROVE, made.id, by="cora", role=Role.COMPLIANCE)
    assert await paid_to(street) == ATTACKER


async def test_refused_or_withdrawn_it_is_erased_and_another_one_can_be_proposed(
    street: Street,
) -> None:
    desk = Desk(street)
    desk.ids["ada"] = await admin_of(street)
    first = await asks(street)
    with pytest.raises(Conflict, match="decided first"):
        await asks(street, iban="ES6621000418401234567891")
    await desk.says(Word.REFUSE, first.id)
    second = await asks(street)
    done = await desk.says(Word.WITHDRAW, second.id, by="ada", role=Role.ADMIN)
    assert done.state is ApprovalState.WITHDRAWN
    assert await paid_to(street) == BEFORE
    assert await street.value("SELECT count(*) FROM payee_changes WHERE account_enc IS NULL") == 2
    assert [act for act, *_ in await history(street)].count("send_back_payee") == 2


async def test_what_was_agreed_to_is_what_was_seen(street: Street) -> None:
    """The account was changed from outside while the proposal waited: it is not overwritten."""
    desk = Desk(street)
    made = await asks(street)
    other = "ES6621000418401234567891"
    await set_payee(street.house, street.now, street.lender_id, "EUR", actor="cli", iban=other)
    with pytest.raises(Conflict) as caught:
        await desk.says(Word.APPROVE, made.id)
    assert caught.value.code == "PayeeChanged"
    assert await paid_to(street) == other
    await desk.says(Word.REFUSE, made.id)


async def test_what_is_no_change_or_no_account_is_refused_by_name(street: Street) -> None:
    with pytest.raises(Conflict) as same:
        await asks(street, iban=BEFORE)
    assert same.value.code == "SamePayee"
    lender = (street.house, street.now, street.lender_id)
    await set_payee(*lender, "GBP", actor="cli", sort_code="601613", account_number="31926819")
    with pytest.raises(Conflict):  # the same account by its other name
        await asks(street, "GBP", iban="GB29NWBK60161331926819")
    wrong: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("currency", "XXX", {"iban": ATTACKER}),
        ("iban", "EUR", {"iban": "ES9121000418450200051333"}),
        ("sort_code", "EUR", BRITISH),
        ("account_number", "GBP", {"sort_code": "200000"}),
    )
    for field, currency, account in wrong:
        with pytest.raises(Invalid) as caught:
            await asks(street, currency, **account)
        assert caught.value.field == field
    assert await street.value("SELECT count(*) FROM approvals") == 0
    assert await street.value("SELECT count(*) FROM payee_changes") == 0


async def test_of_two_at_once_one_waits(street: Street) -> None:
    await admin_of(street)
    made = await asyncio.gather(asks(street), asks(street), return_exceptions=True)
    assert sorted(type(one).__name__ for one in made) == ["Conflict", "Proposed"]


async def test_another_lender_neither_sees_nor_decides_it(street: Street) -> None:
    made = await asks(street)
    other = await second_street(street)
    with pytest.raises(NotFound):
        await Desk(other).says(Word.APPROVE, made.id)
    before = await paid_to(other)
    await Desk(street).says(Word.APPROVE, made.id)
    assert (await paid_to(street), await paid_to(other)) == (ATTACKER, before)


async def test_the_command_line_says_what_it_was(street: Street) -> None:
    await set_lender(
        street.house, street.now, street.lender_id, {"creditor_iban": ATTACKER}, actor="cli"
    )
    (row,) = await street.rows("SELECT before, after FROM audit WHERE act = 'set_lender'")
    assert row.before["creditor_iban"] == "ES•• •••• 6789"
    assert row.after["creditor_iban"] == "ES•• •••• 1332"
