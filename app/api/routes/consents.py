"""Requests for consent, the consents that came of them, and the scoring read."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from app.api.caller import ByKey
from app.api.paging import Page, Paged, page
from app.api.route import NOT_KEPT, SaldoRoute
from app.api.routes.shared import CONFLICT, NOT_FOUND, IdInPath, OfBorrower
from app.api.schemas.consents import (
    AccountShown,
    ChoiceShown,
    ConsentInRequestShown,
    ConsentRequestGiven,
    ConsentRequestMade,
    ConsentRequestShown,
    ConsentShown,
    ScoringShown,
)
from app.api.wire import money
from app.domain.consent import ConsentState, Purpose, RequestState
from app.flows.consents.collect_scoring import collect_scoring
from app.flows.consents.request_consent import request_consent
from app.flows.consents.withdraw_consent import withdraw_consent
from app.reports import consent_records
from app.reports.slices import take
from app.store.unit import Unit

router = APIRouter(prefix="/v1", tags=["Consents"], route_class=SaldoRoute)


@router.post("/consent-requests", status_code=201, summary="Request a consent", responses=NOT_FOUND)
async def post_request(
    given: ConsentRequestGiven, caller: ByKey, response: Response
) -> ConsentRequestMade:
    """Make a request and its link. Send the link to the borrower; it is shown this once.

    A second request for the same person is a renewal: the older consent ends when he agrees.
    """
    made = await request_consent(
        caller.house,
        caller.now,
        lender_id=caller.lender_id,
        borrower_ref=given.borrower_ref,
        purposes=[Purpose(word) for word in given.purposes],
        window_days=given.window_days,
        language=given.language,
        return_url=given.return_url,
    )
    response.headers["Location"] = f"/v1/consent-requests/{made.id}"
    return ConsentRequestMade(id=made.id, link=made.link, expires_at=made.expires_at)


@router.get("/consent-requests", summary="List consent requests")
async def list_requests(
    caller: ByKey,
    asked: Paged,
    borrower: OfBorrower = None,
    state: Annotated[RequestState | None, Query(description="Only requests in this state.")] = None,
) -> Page[ConsentRequestShown]:
    """Requests, the latest first, with what the borrower chose for each purpose."""
    query = consent_records.requests_query(borrower=borrower, state=state)
    async with caller.house.store.unit(caller.lender_id) as unit:
        found = await take(
            unit, query, consent_records.REQUESTS_BY, after=asked.after, limit=asked.limit
        )
        shown = await _requests(unit, found.rows)
    return page(ConsentRequestShown, found, asked, lambda row: shown[row.id])


@router.get("/consent-requests/{request_id}", summary="Read a consent request", responses=NOT_FOUND)
async def get_request(request_id: IdInPath, caller: ByKey) -> ConsentRequestShown:
    """How far a request got: open, chosen, at_bank, completed, rejected or expired."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        row = await consent_records.request_of(unit, request_id)
        return (await _requests(unit, [row]))[row.id]


@router.post(
    "/consent-requests/{request_id}/scoring",
    summary="Collect the scoring read",
    responses={**NOT_FOUND, **CONFLICT},
    openapi_extra={NOT_KEPT: True},
)
async def post_scoring(request_id: IdInPath, caller: ByKey) -> ScoringShown:
    """Hand the figure over, once. It is erased here in the same moment, so keep the answer.

    `code` of a 409 says why there is none: scoring_not_granted, scoring_not_ready,
    scoring_failed or scoring_handed. Idempotency-Key is not supported: nothing is kept.
    """
    found = await collect_scoring(
        caller.house, caller.now, lender_id=caller.lender_id, request_id=request_id
    )
    return ScoringShown(
        spendable=money(found.amount.minor, found.amount.currency),
        kind=found.kind,
        read_at=found.read_at,
        as_of=found.as_of,
        credit_excluded=found.credit_excluded,
    )


@router.get("/consents", summary="List consents")
async def list_consents(
    caller: ByKey,
    asked: Paged,
    borrower: OfBorrower = None,
    state: Annotated[ConsentState | None, Query(description="Only consents in this state.")] = None,
) -> Page[ConsentShown]:
    """Consents at banks, the latest first."""
    query = consent_records.consents_query(borrower=borrower, state=state)
    async with caller.house.store.unit(caller.lender_id) as unit:
        found = await take(
            unit, query, consent_records.CONSENTS_BY, after=asked.after, limit=asked.limit
        )
        accounts = await consent_records.accounts_of(unit, [row.id for row in found.rows])
    return page(ConsentShown, found, asked, lambda row: _consent(row, accounts.get(row.id, [])))


@router.get("/consents/{consent_id}", summary="Read a consent", responses=NOT_FOUND)
async def get_consent(consent_id: IdInPath, caller: ByKey) -> ConsentShown:
    """One consent and the accounts it covers."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        row = await consent_records.consent_of(unit, consent_id)
        accounts = await consent_records.accounts_of(unit, [row.id])
    return _consent(row, accounts.get(row.id, []))


@router.post(
    "/consents/{consent_id}/withdraw",
    summary="Withdraw a consent",
    responses={**NOT_FOUND, **CONFLICT},
)
async def post_withdrawal(consent_id: IdInPath, caller: ByKey) -> ConsentShown:
    """Stop reading because the borrower told you so. From this moment nothing is read, and the
    figures are erased; the bank is told. Twice is harmless.
    """
    await withdraw_consent(
        caller.house, caller.now, lender_id=caller.lender_id, consent_id=consent_id, via="api"
    )
    return await get_consent(consent_id, caller)


# ------------------------------------------------------------------ shapes


async def _requests(unit: Unit, rows: Any) -> dict[Any, ConsentRequestShown]:
    """The requests behind rows, with choices and consents read once for all of them."""
    ids = [row.id for row in rows]
    choices = await consent_records.choices_of(unit, ids)
    consents = await consent_records.consents_of(unit, ids)
    return {
        row.id: ConsentRequestShown(
            id=row.id,
            borrower_ref=row.borrower_ref,
            purposes=row.purposes,
            window_days=row.window_days,
            language=row.language,
            return_url=row.return_url,
            state=row.state,
            created_at=row.created_at,
            expires_at=row.expires_at,
            completed_at=row.completed_at,
            choices=[ChoiceShown.model_validate(one) for one in choices.get(row.id, [])],
            consents=[
                ConsentInRequestShown.model_validate(one) for one in consents.get(row.id, [])
            ],
        )
        for row in rows
    }


def _consent(row: Any, accounts: list[Any]) -> ConsentShown:
    return ConsentShown(
        id=row.id,
        borrower_ref=row.borrower_ref,
        request_id=row.request_id,
        connector=row.connector,
        bank_id=row.bank_id,
        state=row.state,
        purposes=row.purposes,
        valid_until=row.valid_until,
        ends_at=row.ends_at,
        created_at=row.created_at,
        activated_at=row.activated_at,
        ended_at=row.ended_at,
        ended_why=row.ended_why,
        scoring=row.scoring,
        accounts=[AccountShown.model_validate(one) for one in accounts],
    )
