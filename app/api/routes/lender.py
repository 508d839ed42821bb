"""The caller's own lender: who he is, where he stands, and his stop switches."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from app.api.caller import ByKey
from app.api.route import SaldoRoute
from app.api.schemas.providers import OwnProviderShown
from app.api.schemas.work import ProviderShown, StatusShown, SwitchGiven, SwitchShown
from app.flows.lenders.stop_switch import set_switch
from app.reports import book
from app.reports.health import HOURS, health_report
from app.reports.providers import ProviderLine, provider_lines
from app.reports.status import status_of
from app.store.brakes import Brake

router = APIRouter(prefix="/v1", tags=["Lender"], route_class=SaldoRoute)

BrakeInPath = Annotated[Brake, Path(description="`all` halts every other one with it.")]


@router.get("/status", summary="Where things stand")
async def get_status(caller: ByKey) -> StatusShown:
    """Counts of your lender: loans, signals, messages, payments, tasks, reads."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        lender = await book.lender_of(unit)
        counts = await status_of(unit, caller.now)
    return StatusShown(
        observe_only=lender.observe_only,
        loans_open=counts.loans_open,
        loans_recovered=counts.loans_recovered,
        signals=counts.signals,
        messages_sent=counts.messages_sent,
        payments_settled=counts.payments_settled,
        tasks_open=counts.tasks_open,
        owed_unconfirmed=counts.owed_unconfirmed,
        reads=counts.reads,
        reads_refused=counts.reads_refused,
        business_time=caller.now,
    )


@router.get("/providers", summary="Who answers")
async def list_providers(caller: ByKey) -> list[ProviderShown]:
    """The banks of your borrowers and the providers of texts and e-mails; who is down comes first.

    While one does not answer nothing is held against anybody, and it is asked again by itself.
    """
    house = await caller.house.of(caller.lender_id)
    async with house.store.unit(caller.lender_id) as unit:
        report = await health_report(unit, house, caller.now)
    return [
        ProviderShown(
            connector=one.connector,
            bank_id=one.bank_id,
            service=one.service,
            answers=not one.down,
            since=one.since,
            last_answer_at=one.last_ok_at,
            failed_share_day=one.failed_share(HOURS),
            waiting=one.waiting,
        )
        for one in report
    ]


@router.get("/own-providers", summary="Your own contracts with providers")
async def list_own_providers(caller: ByKey) -> list[OwnProviderShown]:
    """What is in force, what waits for a second person, and what is still followed; the newest
    first. A job that is not listed is done by the installation's provider.

    A key only looks: access data is typed by an admin on the page Providers, where it is tried
    before it is kept, so that no other system has to hold it.
    """
    async with caller.house.store.unit(caller.lender_id) as unit:
        return [_own(line) for line in await provider_lines(unit)]


@router.get("/stop-switches", summary="Read the stop switches")
async def list_switches(caller: ByKey) -> list[SwitchShown]:
    """Every channel and whether it is halted."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        touched = await book.switches(unit)
    return [_switch(brake, touched.get(brake.value)) for brake in Brake]


@router.put(
    "/stop-switches/{channel}",
    summary="Throw or release a stop switch",
    responses={403: {"description": "Somebody else threw it: a person releases it at the desk."}},
)
async def put_switch(channel: BrakeInPath, given: SwitchGiven, caller: ByKey) -> SwitchShown:
    """Halt everything outgoing on a channel within a tick, or let go on what this key halted."""
    await set_switch(
        caller.house,
        caller.now,
        lender_id=caller.lender_id,
        brake=channel,
        halted=given.halted,
        reason=given.reason,
        actor=caller.actor,
        by_key=True,
    )
    async with caller.house.store.unit(caller.lender_id) as unit:
        touched = await book.switches(unit)
    return _switch(channel, touched.get(channel.value))


def _switch(brake: Brake, row: Any | None) -> SwitchShown:
    """One switch; one that nobody ever touched lets everything go."""
    if row is None:
        return SwitchShown(channel=brake, halted=False, reason="", set_by=None, set_at=None)
    return SwitchShown(
        channel=brake, halted=row.halted, reason=row.reason, set_by=row.set_by, set_at=row.set_at
    )


def _own(line: ProviderLine) -> OwnProviderShown:
    return OwnProviderShown(
        id=line.id,
        job=line.slot,
        connector=line.connector,
        known_as=line.name,
        state=line.state,
        settings=dict(line.values),
        secrets=dict(line.since),
        made_by=line.made_by,
        made_at=line.made_at,
        tested_at=line.tested_at,
        in_force_at=line.in_force_at,
        proposal_id=line.proposal_id,
    )
