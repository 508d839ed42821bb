"""Borrowers, their holds and opt-outs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from app.api.caller import ByKey, Caller
from app.api.paging import Page, Paged, page
from app.api.route import SaldoRoute
from app.api.routes.shared import CONFLICT, NOT_FOUND, IdInPath, RefInPath
from app.api.schemas.borrowers import (
    BorrowerGiven,
    BorrowerShown,
    EarlyContactShown,
    HoldGiven,
    HoldShown,
    OptOutShown,
)
from app.domain.ids import EmailAddress, Phone
from app.domain.message import Channel
from app.flows.books.register_borrower import BorrowerWanted, register_borrower
from app.flows.messages.opt_out import opt_in, opt_out
from app.flows.work.ask_to_lift import lift_or_ask
from app.flows.work.set_hold import set_hold
from app.reports import book
from app.reports.hold_book import early_contacts
from app.reports.slices import take
from app.store.unit import Unit

router = APIRouter(prefix="/v1/borrowers", tags=["Borrowers"], route_class=SaldoRoute)

ChannelInPath = Annotated[Channel, Path(description="sms, email, call or push.")]


@router.post(
    "",
    status_code=201,
    summary="Register a borrower",
    responses={200: {"description": "Known before; changed.", "model": BorrowerShown}},
)
async def post_borrower(given: BorrowerGiven, caller: ByKey, response: Response) -> BorrowerShown:
    """Create a borrower, or change the one you call `external_ref`. Safe to send again.

    A number or address that your people entered at the desk is confirmed by sending it. What you
    had sent before that changes nothing when it is sent again, and what was found to be somebody
    else's, or dead, does not come back; any other is taken at once. The answer shows, masked,
    what is in use.
    """
    wanted = BorrowerWanted(
        external_ref=given.external_ref,
        name=given.name,
        country=given.country,
        language=given.language or await _lender_language(caller),
        phone=None if given.phone is None else Phone.parse(given.phone),
        email=None if given.email is None else EmailAddress.parse(given.email).reveal(),
        has_app=given.has_app,
        birth_date=given.birth_date,
        document_last4=given.document_last4,
        region=given.region,
        time_zone=given.time_zone,
    )
    done = await register_borrower(caller.house, caller.now, caller.lender_id, wanted)
    if not done.created:
        response.status_code = 200
    response.headers["Location"] = f"/v1/borrowers/{given.external_ref}"
    return await get_borrower(given.external_ref, caller)


@router.get("", summary="List borrowers")
async def list_borrowers(caller: ByKey, asked: Paged) -> Page[BorrowerShown]:
    """All borrowers, in the order of your references."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        found = await take(
            unit,
            book.borrowers_query(),
            book.BORROWERS_BY,
            after=asked.after,
            limit=asked.limit,
            newest_first=False,
        )
        return page(BorrowerShown, found, asked, lambda row: _shown(unit, row))


@router.get("/{external_ref}", summary="Read a borrower", responses=NOT_FOUND)
async def get_borrower(external_ref: RefInPath, caller: ByKey) -> BorrowerShown:
    """One borrower. The number is masked; birth date and document are never shown."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        return _shown(unit, await book.borrower_of(unit, external_ref))


# ------------------------------------------------------------------ holds


@router.post(
    "/{external_ref}/holds",
    status_code=201,
    summary="Set a hold",
    responses=NOT_FOUND,
)
async def post_hold(external_ref: RefInPath, given: HoldGiven, caller: ByKey) -> HoldShown:
    """Leave somebody in peace. What is queued for him is cancelled in the same moment."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        borrower_id = await book.borrower_id_of(unit, external_ref)
        hold_id = await set_hold(
            unit,
            caller.now,
            borrower_id=borrower_id,
            case_id=given.case_id,
            kind=given.kind,
            reason=given.reason,
            starts_at=given.starts_at,
            ends_at=given.ends_at,
            blocks=given.blocks,
            set_by=caller.actor,
        )
        return HoldShown.model_validate(await book.hold_of(unit, borrower_id, hold_id))


@router.get("/{external_ref}/holds", summary="List holds", responses=NOT_FOUND)
async def list_holds(external_ref: RefInPath, caller: ByKey, asked: Paged) -> Page[HoldShown]:
    """Every hold that was ever set for this borrower, the latest first."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        borrower_id = await book.borrower_id_of(unit, external_ref)
        found = await take(
            unit,
            book.holds_query(borrower_id),
            book.HOLDS_BY,
            after=asked.after,
            limit=asked.limit,
        )
        return page(HoldShown, found, asked)


@router.get(
    "/{external_ref}/holds/{hold_id}/contacts",
    summary="List contacts made before a hold was known",
    responses=NOT_FOUND,
)
async def list_early_contacts(
    external_ref: RefInPath, hold_id: IdInPath, caller: ByKey
) -> list[EarlyContactShown]:
    """What left, or was noted as made, while the hold stood and nobody here knew; newest first.

    At most 100. Empty for a hold that was known when it began.
    """
    async with caller.house.store.unit(caller.lender_id) as unit:
        borrower_id = await book.borrower_id_of(unit, external_ref)
        hold = await book.hold_of(unit, borrower_id, hold_id)
        found = await early_contacts(unit, (hold,), borrower_id=borrower_id, case_id=hold.case_id)
        return [EarlyContactShown.model_validate(one) for one in found]


@router.delete(
    "/{external_ref}/holds/{hold_id}",
    status_code=204,
    summary="Lift a hold",
    responses={
        202: {"description": "It stands; a person is asked to lift it."},
        **NOT_FOUND,
        **CONFLICT,
    },
)
async def delete_hold(external_ref: RefInPath, hold_id: IdInPath, caller: ByKey) -> Response:
    """End a hold early, or say that it is over. Nothing is sent because of it.

    A key lifts a hold of kind other that it set itself (204). Every other one protects the borrower
    and ends by a person's word: the answer is 202, the hold stands, and a task (`lift_asked`) asks
    who may lift it. `hold.changed` tells when that is done. 409: it is over already.
    """
    async with caller.house.store.unit(caller.lender_id) as unit:
        borrower_id = await book.borrower_id_of(unit, external_ref)
        await book.hold_of(unit, borrower_id, hold_id)
        lifted = await lift_or_ask(unit, caller.now, hold_id=hold_id, actor=caller.actor)
    return Response(status_code=204 if lifted else 202)


# ------------------------------------------------------------------ opt-outs


@router.get("/{external_ref}/opt-outs", summary="Read opt-outs", responses=NOT_FOUND)
async def list_opt_outs(external_ref: RefInPath, caller: ByKey) -> list[OptOutShown]:
    """Which channels he ever stopped. A channel that is not listed was never stopped."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        borrower_id = await book.borrower_id_of(unit, external_ref)
        return [
            OptOutShown.model_validate(row) for row in await book.opt_outs_of(unit, borrower_id)
        ]


@router.put("/{external_ref}/opt-outs/{channel}", summary="Stop a channel", responses=NOT_FOUND)
async def put_opt_out(
    external_ref: RefInPath, channel: ChannelInPath, caller: ByKey
) -> OptOutShown:
    """Stop all automatic messages on a channel, from this moment. Twice is harmless."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        borrower_id = await book.borrower_id_of(unit, external_ref)
        await opt_out(
            unit,
            caller.now,
            borrower_id=borrower_id,
            channel=channel,
            source="api",
            actor=caller.actor,
        )
        stopped = {row.channel: row for row in await book.opt_outs_of(unit, borrower_id)}
        return OptOutShown.model_validate(stopped[channel.value])


@router.delete(
    "/{external_ref}/opt-outs/{channel}",
    status_code=204,
    summary="Start a channel again",
    responses=NOT_FOUND,
)
async def delete_opt_out(external_ref: RefInPath, channel: ChannelInPath, caller: ByKey) -> None:
    """Allow messages again, because he asked for it. Never stopped: nothing changes."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        borrower_id = await book.borrower_id_of(unit, external_ref)
        await opt_in(
            unit,
            caller.now,
            borrower_id=borrower_id,
            channel=channel,
            source="api",
            actor=caller.actor,
        )


# ------------------------------------------------------------------ shapes


def _shown(unit: Unit, row: Any) -> BorrowerShown:
    phone = None
    if row.phone_enc is not None:
        phone = Phone.parse(unit.open("borrowers.phone_enc", row.id, row.phone_enc)).masked
    email = None
    if row.email_enc is not None:
        email = EmailAddress.parse(unit.open("borrowers.email_enc", row.id, row.email_enc)).masked
    return BorrowerShown(
        id=row.id,
        external_ref=row.external_ref,
        name=unit.open("borrowers.name_enc", row.id, row.name_enc),
        phone_masked=phone,
        email_masked=email,
        country=row.country,
        region=row.region,
        time_zone=row.time_zone,
        language=row.language,
        has_birth_date=row.has_birth_date,
        has_document=row.has_document,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


async def _lender_language(caller: Caller) -> str:
    async with caller.house.store.unit(caller.lender_id) as unit:
        return str((await book.lender_of(unit)).language)
