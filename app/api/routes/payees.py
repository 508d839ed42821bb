"""Where the lender is paid: his system may look and propose; people decide."""

from __future__ import annotations

from fastapi import APIRouter, Response

from app.api.caller import ByKey
from app.api.route import SaldoRoute
from app.api.routes.approvals import get_approval
from app.api.routes.shared import CONFLICT
from app.api.schemas.approvals import ApprovalShown
from app.api.schemas.payees import PayeeGiven, PayeeShown
from app.flows.money.change_payee import PayeeWanted, propose_payee
from app.reports.payees import PayeeLine, payee_lines

router = APIRouter(prefix="/v1", tags=["Lender"], route_class=SaldoRoute)


@router.get("/payees", summary="Where you are paid")
async def list_payees(caller: ByKey) -> list[PayeeShown]:
    """Your account for each currency, and the one that is proposed instead."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        return [_shown(line) for line in await payee_lines(unit)]


@router.post("/payees", status_code=201, summary="Propose another account", responses=CONFLICT)
async def post_payee(given: PayeeGiven, caller: ByKey, response: Response) -> ApprovalShown:
    """Propose where a currency is paid to. A person at the desk puts his name to it, and another
    one decides; payments that have begun go where they were ordered to.
    """
    made = await propose_payee(
        caller.house,
        caller.now,
        PayeeWanted(
            given.currency, given.reason, given.iban, given.sort_code, given.account_number
        ),
        lender_id=caller.lender_id,
        actor=caller.actor,
        user_id=None,
    )
    response.headers["Location"] = f"/v1/approvals/{made.id}"
    return await get_approval(made.id, caller)


def _shown(line: PayeeLine) -> PayeeShown:
    change = line.change
    waits = None if change is None else change.approval_id
    return PayeeShown(
        currency=line.currency,
        account_masked=None if line.account is None else line.account.masked,
        proposed_masked=None if change is None else change.account.masked,
        approval_id=None if waits is None else str(waits),
    )
