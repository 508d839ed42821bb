"""A street whose bank accounts are read: the planner, the reading jobs, and consents by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import text

from app.boundary import guard
from app.domain.consent import Purpose
from app.flows.consents.begin_bank_consent import begin_bank_consent
from app.flows.consents.choose_consent import choose_consent
from app.flows.consents.end_consent import end_consent
from app.flows.consents.finish_bank_consent import BankConsentFinished, finish_bank_consent
from app.flows.consents.follow_consents import follow_consents, plan_consents
from app.flows.consents.request_consent import request_consent
from app.flows.house import House
from app.flows.reads.plan_reads import ReadsPlanned, plan_reads
from app.flows.reads.read_balances import read_balances
from app.ports import AggregationPort
from app.store import jobs
from app.store.invariants import broken
from app.store.unit import Store
from tests.flows.account_bank import AccountBank
from tests.flows.street import HERE, Neighbour, Street, make_street

BOTH = (Purpose.SCORING, Purpose.REPAYMENT_MONITORING)
MONITORING = (Purpose.REPAYMENT_MONITORING,)


@dataclass(slots=True)
class Lane:
    """The street, its bank, and the clock that both live by."""

    street: Street
    bank: AccountBank

    @property
    def house(self) -> House:
        """The house that everything runs in."""
        return self.street.house

    @property
    def now(self) -> datetime:
        """Business time."""
        return self.street.now

    # -------------------------------------------------- reading

    async def plan(self, **options: Any) -> ReadsPlanned:
        """One look of the planner at this moment."""
        return await plan_reads(self.house, self.now, **options)

    async def batches(self, job: str = jobs.READ_BALANCES) -> list[list[UUID]]:
        """The waiting jobs of one name, taken out of the queue."""
        query = text(
            "DELETE FROM procrastinate_jobs WHERE task_name = :job AND status = 'todo' "
            "RETURNING id, args"
        )
        async with self.street.store.engine_unit() as unit:
            found = sorted(
                (row.id, row.args["ids"]) for row in await unit.conn.execute(query, {"job": job})
            )
        return [[UUID(one) for one in ids] for _, ids in found]

    async def work(self) -> None:
        """Run every waiting reading job."""
        for ids in await self.batches():
            await read_balances(self.house, self.now, ids)

    async def follow(self) -> None:
        """Look after the consents whose look is due."""
        await plan_consents(self.house, self.now)
        for ids in await self.batches(jobs.FOLLOW_CONSENTS):
            await follow_consents(self.house, self.now, ids)

    async def due_now(self, *people: Neighbour) -> None:
        """Make these people's accounts due at this very moment."""
        await self.set_next_read([who.account_id for who in people], self.now)

    async def set_next_read(self, account_ids: Iterable[UUID], at: datetime | None) -> None:
        """Put accounts at a place in the plan, whatever the planner thinks."""
        async with self.street.store.engine_unit() as unit:
            await unit.conn.execute(
                text(
                    "UPDATE accounts SET next_read_at = :at, leased_until = NULL "
                    "WHERE id = ANY(:ids)"
                ),
                {"ids": list(account_ids), "at": at},
            )

    async def read(self, *people: Neighbour) -> None:
        """Read these people's accounts now, through planner and job."""
        await self.due_now(*people)
        await self.plan()
        await self.work()

    async def later(self, **by: float) -> None:
        """Let both clocks run on."""
        self.street.hands.go_on(**by)

    async def hours_pass(self, hours: float, minutes: int = 10) -> None:
        """Let time go on in steps, planning and reading at each."""
        for _ in range(int(hours * 60 / minutes)):
            self.street.hands.go_on(minutes=minutes)
            await self.plan()
            await self.work()

    # -------------------------------------------------- consents

    async def ask(self, who: Neighbour, purposes: tuple[Purpose, ...] = BOTH, **asked: Any) -> str:
        """The lender asks for a consent; the link's token."""
        made = await request_consent(
            self.house,
            self.now,
            lender_id=self.street.lender_id,
            borrower_ref=who.ref,
            purposes=purposes,
            **asked,
        )
        return made.link.rsplit("/", 1)[1]

    async def choose(self, token: str, granted: Iterable[Purpose]) -> bool:
        """He ticks these; whether he goes on to a bank."""
        chosen = await choose_consent(
            self.house,
            self.now,
            token=token,
            granted=tuple(granted),
            wording_version="2026-11",
            language="es",
        )
        return chosen.to_bank

    async def leave(self, token: str, bank_id: str = "caja") -> str:
        """He leaves for his bank; the return token of the address he will come back to."""
        await begin_bank_consent(self.house, self.now, token=token, bank_id=bank_id, presence=HERE)
        newest = list(self.bank.consents.values())[-1]
        return newest.ask.return_url.rsplit("/", 1)[1]

    async def come_back(self, return_token: str) -> BankConsentFinished:
        """He is back and presses on."""
        return await finish_bank_consent(
            self.house, self.now, return_token=return_token, presence=HERE
        )

    async def agree(
        self,
        who: Neighbour,
        purposes: tuple[Purpose, ...] = BOTH,
        *,
        bank_id: str = "caja",
        **asked: Any,
    ) -> BankConsentFinished:
        """The whole way: asked, ticked, authorised, back."""
        token = await self.ask(who, purposes, **asked)
        assert await self.choose(token, purposes)
        return_token = await self.leave(token, bank_id)
        self.bank.says_yes()
        return await self.come_back(return_token)

    # -------------------------------------------------- looking

    async def account(self, who: Neighbour) -> Any:
        """The row of his account."""
        return (await self.street.rows("SELECT * FROM accounts WHERE id = :id", id=who.account_id))[
            0
        ]

    async def outcomes(self) -> list[str | None]:
        """The words of all attempts, in order."""
        rows = await self.street.rows("SELECT outcome FROM read_attempts ORDER BY attempted_at, id")
        return [row.outcome for row in rows]

    async def verdicts(self) -> list[str]:
        """The verdicts of all readings, in order."""
        rows = await self.street.rows("SELECT verdict FROM readings ORDER BY read_at, id")
        return [row.verdict for row in rows]

    async def live_signals(self) -> list[Any]:
        """Signals that are live."""
        return await self.street.rows(
            "SELECT * FROM funds_signals WHERE ended_at IS NULL ORDER BY raised_at, id"
        )

    async def upright(self) -> bool:
        """No invariant is broken."""
        async with self.street.store.engine_unit() as unit:
            found = await broken(unit, self.now)
        assert [one.name for one in found] == []
        return True


async def make_lane(store: Store, **lender: Any) -> Lane:
    """A lane with nobody in it yet. The protected floor is zero unless `lender` says otherwise."""
    without_floor = {"floor_minor": 0, "floor_currency": "EUR", "floor_reason": "a test"}
    street = await make_street(store, **{**without_floor, **lender})
    bank = AccountBank()
    port = cast("AggregationPort", guard(bank, "berlin_group"))
    street.house = replace(street.house, aggregations={"berlin_group": port})
    return Lane(street, bank)


def gate_that(act: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[None]]:
    """A gate that does something once, while a call is under way."""
    done = False

    async def gate() -> None:
        nonlocal done
        if not done:
            done = True
            await act()

    return gate


DAY = timedelta(days=1)


async def newcomer(lane: Lane) -> Neighbour:
    """Somebody with an overdue loan whose account nobody may read any more."""
    who = await lane.street.neighbour()
    async with lane.house.store.engine_unit() as unit:
        await end_consent(unit, lane.now, who.consent_id, "expire", "long ago", "saldo")
        await unit.conn.execute(
            text("UPDATE accounts SET iban_hash = 'old' WHERE id = :id"), {"id": who.account_id}
        )
    return who


async def consent(lane: Lane) -> Any:
    """The newest consent's row."""
    rows = await lane.street.rows("SELECT * FROM consents ORDER BY created_at DESC, id DESC")
    return rows[0]


async def request_state(lane: Lane) -> str:
    """The newest request's state."""
    rows = await lane.street.rows(
        "SELECT state FROM consent_requests ORDER BY created_at DESC, id DESC"
    )
    return str(rows[0].state)
