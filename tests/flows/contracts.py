"""Lenders' own contracts in a test's hand: a workshop whose providers are fakes with a memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from app.boundary import guard
from app.domain.errors import Invalid, Misconfigured
from app.domain.ids import UserId
from app.domain.provider_setup import Slot
from app.domain.roles import Role
from app.flows.approvals.decide_approval import Word
from app.flows.providers.port_book import MadePorts, PortBook
from app.flows.providers.set_up_provider import (
    ProviderSetUp,
    WantedSetup,
    remove_provider,
    set_up_provider,
)
from app.side_ports import FieldKind, Offer, OwnField
from app.store.provider_setups import AccessData, Setup
from app.store.unit import Store, inside_unit
from tests.flows.desk_people import Desk
from tests.flows.outside import Caller
from tests.flows.street import Street, make_street

SECRET = "open sesame"
FIELDS = (
    OwnField("account", FieldKind.TEXT, "Which account."),
    OwnField("secret", FieldKind.SECRET, "Its secret."),
    OwnField("cert", FieldKind.FILE, "Its certificate."),
    OwnField("base_url", FieldKind.TEXT, "Its address.", shared=True, leads=True),
    OwnField("payout_iban", FieldKind.SECRET, "Where euros go."),
    OwnField("payout_uk_account", FieldKind.SECRET, "Where pounds go."),
)


@dataclass(slots=True)
class Fakes:
    """`Workshop`: the port of an account is whatever a test has put there under its name."""

    accounts: dict[str, Any] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)

    def offers(self, slot: Slot) -> tuple[Offer, ...]:
        del slot
        return (Offer("berlin_group", FIELDS, known_at_the_door=True, takes_calls=True),)

    def make(self, setup: Setup, data: AccessData) -> MadePorts:
        assert not inside_unit()
        account = data.values["account"]
        if account in self.broken:
            raise Misconfigured("cert", "is over", "Have it renewed.")
        self.made.append(account)

        async def close() -> None:
            self.closed.append(account)

        ports: dict[str, Any] = {setup.slot.value: guard(self.accounts[account], setup.name)}
        return MadePorts(close=close, hooks=guard(Caller(), setup.name), **ports)

    def leads_to(self, slot: Slot, connector: str, data: AccessData) -> dict[str, str]:
        del slot, connector
        typed = data.values.get("base_url", "")
        return {"base_url": typed} if typed else {}

    async def try_out(self, slot: Slot, connector: str, name: str, data: AccessData) -> None:
        assert not inside_unit()
        assert name.startswith(f"{connector}-")
        self.tried.append(f"{slot.value} {data.values['account']}")
        if data.values["secret"] != SECRET:
            raise Invalid("provider", "does not take this access data.")


async def second_street(first: Street) -> Street:
    """Another lender in the same house, with the same providers of the installation."""
    other = await make_street(first.store)
    return replace(
        other, house=first.house, hands=first.hands, bank=first.bank, carrier=first.carrier,
        system=first.system, grants=first.grants, post=first.post, caller=first.caller,
        _people=500,
    )  # fmt: skip


def with_contracts(street: Street) -> Fakes:
    """The street's house, where lenders may bring their own."""
    shop = Fakes()
    store: Store = street.store
    street.house = replace(street.house, book=PortBook(store, shop, lambda: street.hands.real))
    return shop


async def admin_of(street: Street) -> UserId:
    """The lender's admin, made at the first call."""
    known = "SELECT id FROM users WHERE role = 'admin' AND lender_id = :id"
    found = await street.value(known, id=street.lender_id)
    if found is not None:
        return UserId(found)
    return await Desk(street).person(f"ada-{street.lender_id.hex[-6:]}", Role.ADMIN)


async def sets_up(
    street: Street,
    slot: Slot,
    account: str,
    *,
    secret: str = SECRET,
    by: UserId | None = None,
    **more: Any,
) -> ProviderSetUp:
    """The lender's admin sets up a contract of his own."""
    files = more.pop("files", {})
    values = {"account": account, "secret": secret, **more.pop("values", {})}
    wanted = WantedSetup(
        slot, "berlin_group", AccessData(values, files),
        reason="Our own contract.", **more,
    )  # fmt: skip
    return await set_up_provider(
        street.house,
        street.now,
        wanted,
        lender_id=street.lender_id,
        user_id=by or await admin_of(street),
        actor="ada",
    )


async def brings(street: Street, slot: Slot, account: str, **more: Any) -> ProviderSetUp:
    """The same, and a second person agrees: it is in force."""
    made = await sets_up(street, slot, account, **more)
    april = f"april-{street.lender_id.hex[-6:]}"
    known = "SELECT id FROM users WHERE role = 'approver' AND lender_id = :id"
    found = await street.value(known, id=street.lender_id)
    desk = Desk(street) if found is None else Desk(street, {april: UserId(found)})
    await desk.says(Word.APPROVE, made.proposal_id, by=april)
    return made


async def takes_away(street: Street, setup_id: UUID, *, by: UserId) -> UUID | None:
    return await remove_provider(
        street.house,
        street.now,
        lender_id=street.lender_id,
        setup_id=setup_id,
        user_id=by,
        actor="ada",
        reason="The contract ends.",
    )
