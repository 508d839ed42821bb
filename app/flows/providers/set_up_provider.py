"""Set up a lender's own provider, with other access data or anew, and take it away again.

Access data is tried out at the provider before it is kept, with no transaction open. It is sealed
at once and never read back by a page. Nothing is used before a second person agrees; the proposal
names every host of the lender's own naming.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.domain.account import UkAccount
from app.domain.approval import ApprovalKind
from app.domain.errors import Conflict, Invalid
from app.domain.four_eyes import check_proposer
from app.domain.ids import Iban, LenderId, UserId
from app.domain.provider_setup import SetupState, Slot, removal_needs_second
from app.flows.approvals.propose_approval import propose
from app.flows.house import House
from app.flows.lenders.note_refusal import refusals_noted
from app.flows.providers.change_provider import REMOVE, described, retire
from app.side_ports import FieldKind, Offer, OwnField
from app.store import audit
from app.store.approvals import hand_of
from app.store.provider_setups import (
    AccessData,
    add_setup,
    fresh_name,
    held_by,
    in_force,
    lock_setup,
    one_at_a_time,
    setups_of,
)
from app.store.unit import Unit

LARGEST_FILE: Final = 256 * 1024
_LONGEST_VALUE: Final = 4_000
_SHOWN_KINDS: Final = (FieldKind.TEXT, FieldKind.CHOICE, FieldKind.TICK)


@dataclass(frozen=True, slots=True)
class WantedSetup:
    """What an admin has typed. `same_contract`: only its access data changed, so that what is open
    goes over to it; secrets and files that are left empty stay as they are.
    """

    slot: Slot
    connector: str
    data: AccessData
    same_contract: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ProviderSetUp:
    """What was kept, and the proposal under which it waits for a second person."""

    id: UUID
    name: str
    proposal_id: UUID


async def set_up_provider(
    house: House,
    now: datetime,
    wanted: WantedSetup,
    *,
    lender_id: LenderId,
    user_id: UserId,
    actor: str,
) -> ProviderSetUp:
    """Try it out, keep it sealed, and propose that it is used.

    Raises `NotAllowed` (also in the audit), `Invalid` naming the setting or `provider` when the
    provider does not take it, and `Conflict` when another one waits, or took its place meanwhile.
    """
    book, slot = house.book, wanted.slot
    offer = next((one for one in offers_of(house, slot) if one.connector == wanted.connector), None)
    if offer is None or book is None:
        raise Invalid("connector", "is not one for this job.", mend="Choose from the list.")
    noted = refusals_noted(
        house,
        now,
        lender_id=lender_id,
        actor=actor,
        wanted="set_up_provider",
        subject=wanted.connector,
    )
    async with noted, house.store.unit(lender_id) as unit:
        await _check_right(unit, user_id)
        before = await _before(unit, wanted)
        held = {} if before is None else await held_by(unit, [before.id])
        kept = next(iter(held.values()), AccessData())
    name = fresh_name(wanted.connector) if before is None else before.name
    data = completed(offer, wanted.data, kept)
    await book.workshop.try_out(slot, wanted.connector, name, data)
    leads_to = sorted(set(book.workshop.leads_to(slot, wanted.connector, data).values()))
    async with one_at_a_time(), house.store.unit(lender_id) as unit:
        await _check_right(unit, user_id)
        if before is not None and (await _before(unit, wanted)).id != before.id:
            raise Conflict("Somebody else changed this provider at the same moment.")
        await _refuse_second(unit, slot)
        setup_id = await add_setup(
            unit,
            now,
            slot=slot,
            name=name,
            connector=wanted.connector,
            data=data,
            shown=_shown(now, offer, data, wanted.data, before),
            made_by=actor,
        )
        await audit.record(
            unit,
            now,
            actor=actor,
            act="set_up_provider",
            subject=name,
            before={} if before is None else described(before),
            after=described(await lock_setup(unit, setup_id)),
            reason=wanted.reason,
        )
        proposal_id = await _propose(
            unit, now, setup_id, wanted.reason, user_id, actor, leads_to=leads_to
        )
        return ProviderSetUp(setup_id, name, proposal_id)


async def remove_provider(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    setup_id: UUID,
    user_id: UserId,
    actor: str,
    reason: str,
) -> UUID | None:
    """Take away what is in force; the installation's does the job again.

    What is open with it is still followed with it; when nothing is any more, its access data is
    erased. For payments a second person agrees first: then the proposal's id comes back. Raises
    `NotFound`, `NotAllowed`, `Invalid` without a reason, `IllegalTransition` for one that is not in
    force.
    """
    noted = refusals_noted(
        house, now, lender_id=lender_id, actor=actor, wanted="remove_provider", subject=setup_id
    )
    async with noted, house.store.unit(lender_id) as unit:
        await _check_right(unit, user_id)
        row = await lock_setup(unit, setup_id)
        why = reason.strip()
        if not why:
            raise Invalid("reason", "is empty.", mend="Say why, for the history.")
        if row.state != SetupState.IN_FORCE.value:
            raise Conflict("This provider is not in force.", code="NotInForce")
        if removal_needs_second(Slot(row.slot)):
            return await _propose(unit, now, setup_id, why, user_id, actor, remove=True)
        await retire(unit, now, setup_id, actor=actor, reason=why)
    return None


def offers_of(house: House, slot: Slot) -> tuple[Offer, ...]:
    """What a lender can set up for a job."""
    return () if house.book is None else house.book.workshop.offers(slot)


async def _check_right(unit: Unit, user_id: UserId) -> None:
    """The right of this moment, not of the session. It is the same for every job."""
    check_proposer(ApprovalKind.PROVIDER, await hand_of(unit, user_id))


async def _before(unit: Unit, wanted: WantedSetup) -> Any:
    """What it takes the place of under the same name; None for another contract."""
    found = await in_force(unit, wanted.slot)
    if not wanted.same_contract:
        return None
    if found is None or found.connector != wanted.connector:
        raise Conflict("There is no such provider in force any more. Set it up anew.")
    return found


async def _refuse_second(unit: Unit, slot: Slot) -> None:
    if any(row.state == SetupState.PROPOSED.value for row in await setups_of(unit, slot)):
        raise Conflict(
            "A change of this provider waits for a second person already. It is decided first.",
            code="OneWaits",
        )


async def _propose(
    unit: Unit,
    now: datetime,
    setup_id: UUID,
    reason: str,
    user_id: UserId,
    actor: str,
    *,
    remove: bool = False,
    leads_to: Sequence[str] = (),
) -> UUID:
    row = await lock_setup(unit, setup_id)
    before = await in_force(unit, Slot(row.slot))
    what = "Take away" if remove else "Use"
    at = f", at {', '.join(leads_to)}" if leads_to else ""
    shown = {name: value for name, value in row.shown.items() if isinstance(value, str)}
    proposed = await propose(
        unit,
        now,
        kind=ApprovalKind.PROVIDER,
        subject_id=setup_id,
        reason=reason,
        considered={
            "title": f"{what} {row.connector} for {row.slot}{at}",
            "link": f"/providers/{row.slot}",
            **(REMOVE if remove else {}),
            **({"leads_to": ", ".join(leads_to)} if leads_to else {}),
            **({} if remove or before is None else {"replaces": before.connector}),
            **({} if remove else shown),
        },
        proposer_id=user_id,
        actor=actor,
    )
    return proposed.id


# ------------------------------------------------------------------ what was typed


def completed(offer: Offer, typed: AccessData, kept: AccessData) -> AccessData:
    """What was typed, with the secrets and files that were left as they are.

    Those are for the address they were typed for: whoever names another one has to have them, or
    he could have them sent to himself. Raises `Invalid` naming the setting.
    """
    if _leads_elsewhere(offer, typed, kept):
        for field in offer.fields:
            _refuse_kept(field, typed, kept)
    values: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for field in offer.fields:
        if field.kind is FieldKind.FILE:
            body = typed.files.get(field.name) or kept.files.get(field.name)
            if body is not None and len(body) > LARGEST_FILE:
                raise Invalid(
                    field.name,
                    f"is larger than {LARGEST_FILE // 1024} KB.",
                    mend="Give the certificate or the key alone.",
                )
            if body:
                files[field.name] = body
            continue
        value = typed.values.get(field.name, "").strip()
        if field.kind is FieldKind.SECRET:
            value = value or kept.values.get(field.name, "")
        if len(value) > _LONGEST_VALUE:
            raise Invalid(
                field.name, f"is longer than {_LONGEST_VALUE} characters.", mend="Shorten it."
            )
        if field.kind is FieldKind.CHOICE and value and value not in field.choices:
            raise Invalid(
                field.name, "is not one of the choices.", mend="Choose one that the form shows."
            )
        values[field.name] = value
    return AccessData(values, files)


def _leads_elsewhere(offer: Offer, typed: AccessData, kept: AccessData) -> bool:
    return any(
        typed.values.get(field.name, "").strip() != kept.values.get(field.name, "")
        for field in offer.fields
        if field.leads
    )


def _refuse_kept(field: OwnField, typed: AccessData, kept: AccessData) -> None:
    secret = field.kind is FieldKind.SECRET and kept.values.get(field.name)
    file = field.kind is FieldKind.FILE and not field.shared and kept.files.get(field.name)
    given = typed.values.get(field.name, "").strip() or typed.files.get(field.name)
    if (secret or file) and not given:
        raise Invalid(
            field.name,
            "was given for another address.",
            mend="Give it again together with the new address, or leave the address as it was.",
        )


def _shown(
    now: datetime, offer: Offer, data: AccessData, typed: AccessData, before: Any
) -> Mapping[str, Any]:
    """What pages and the history may know: plain values, and of all else that it is there.

    `set` names what is there, `since` when it was last changed, `changed` what was, this time.
    """
    shown: dict[str, Any] = {}
    since: dict[str, str] = {}
    known = {} if before is None else before.shown.get("since", {})
    changed: list[str] = []
    for field in offer.fields:
        value = data.values.get(field.name, "")
        if field.kind in _SHOWN_KINDS:
            shown |= {field.name: value} if value else {}
            continue
        if typed.values.get(field.name) or typed.files.get(field.name):
            changed.append(field.name)
        if value or field.name in data.files:
            fresh = field.name in changed or field.name not in known
            since[field.name] = now.isoformat() if fresh else known[field.name]
        # Where money goes: whoever agrees to it has to know it again.
        if value and field.name.endswith("_iban"):
            shown[field.name] = Iban.parse(value, field=field.name).masked
        if value and field.name.endswith("_uk_account"):
            shown[field.name] = UkAccount.read(value, field=field.name).masked
    return {**shown, "set": list(since), "since": since, "changed": changed}
