"""One lender, his people with their debts and accounts, and the providers in the test's hand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import insert, select, text, update

from app.boundary import guard
from app.domain.consent import Purpose
from app.domain.detector import CaseCover, Cover, FundsSignal, MarginBand, SignalKind
from app.domain.ids import BorrowerId, CaseId, LenderId, LoanId, Phone
from app.domain.money import Money
from app.flows.books.register_borrower import BorrowerWanted, register_borrower
from app.flows.books.register_loan import LoanWanted, register_loan
from app.flows.cases.open_cases import open_cases
from app.flows.house import House
from app.flows.money.report_repayment import (
    RepaymentReported,
    RepaymentWanted,
    report_repayment,
)
from app.flows.signals.raise_signals import NewSignal, raise_signals
from app.ports import AggregationPort, Presence
from app.settings import Settings
from app.store.keys import new_id
from app.store.loans import Scheduled
from app.store.locks import lock_borrower
from app.store.tables import accounts, consent_requests, consents, lenders, readings
from app.store.tables import read_attempts as attempts
from app.store.unit import Store, Unit
from tests.flows.outside import Caller, Carrier, Consents, LenderSystem, PayBank, PostOffice
from tests.flows.rounds import FLOWS, LOOKS
from tests.rig import PACKS, make_lender

# A Tuesday, eleven in the morning in Madrid.
MORNING = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
BORN = date(1988, 5, 17)
LAST4 = "678Z"
HERE = Presence("203.0.113.7", "Mozilla/5.0")
PUBLIC = "https://pay.sol.example"


@dataclass(slots=True)
class Hands:
    """Both clocks, moved by hand."""

    now: datetime = MORNING
    real: datetime = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def go_on(self, **by: float) -> datetime:
        """Let both clocks run on; returns the business time after."""
        self.now += timedelta(**by)
        self.real += timedelta(**by)
        return self.now


@dataclass(slots=True)
class Neighbour:
    """One borrower with one or more overdue loans and one account that may be read."""

    id: BorrowerId
    ref: str
    phone: str
    loans: list[LoanId]
    cases: list[UUID]
    account_id: UUID
    consent_id: UUID


@dataclass(slots=True)
class Street:
    """Everything a flow test touches."""

    store: Store
    house: House
    hands: Hands
    lender_id: LenderId
    bank: PayBank
    carrier: Carrier
    system: LenderSystem
    grants: Consents
    post: PostOffice
    caller: Caller = field(default_factory=Caller)
    _people: int = field(default=0)

    @property
    def now(self) -> datetime:
        """Business time."""
        return self.hands.now

    async def without_webhooks(self) -> None:
        """The lender's system listens no more: fewer jobs for tests that repeat themselves."""
        async with self.store.engine_unit() as unit:
            await unit.conn.execute(text("UPDATE lenders SET webhook_url = ''"))

    # -------------------------------------------------- people

    async def neighbour(
        self, *, dues: tuple[int, ...] = (12_000,), days_late: int = 5, **wanted: Any
    ) -> Neighbour:
        """A borrower with one overdue loan for each of `dues` (euro cents), oldest first."""
        return (await self.neighbours(1, dues=dues, days_late=days_late, **wanted))[0]

    async def neighbours(
        self, count: int, *, dues: tuple[int, ...] = (12_000,), days_late: int = 5, **wanted: Any
    ) -> list[Neighbour]:
        """So many of them, for far less than one after another."""
        made = [await self._newcomer(dues, days_late, **wanted) for _ in range(count)]
        await open_cases(self.house, self.now)
        found = await self.rows(
            "SELECT id, case_id FROM loans WHERE id = ANY(:ids)",
            ids=[loan_id for who in made for loan_id in who.loans],
        )
        case_of = {row.id: row.case_id for row in found}
        for who in made:
            who.cases = [case_of[loan_id] for loan_id in who.loans]
        return made

    async def _newcomer(self, dues: tuple[int, ...], days_late: int, **wanted: Any) -> Neighbour:
        """Somebody whose loans nobody has opened a case for yet."""
        self._people += 1
        ref = wanted.pop("ref", f"B{self._people}")
        phone = wanted.pop("phone", f"+3460000{self._people:04d}")
        given: dict[str, Any] = {
            "country": "ES",
            "language": "es",
            "birth_date": BORN,
            "document_last4": LAST4,
            "time_zone": "Europe/Madrid",
            **wanted,
        }
        made = await register_borrower(
            self.house,
            self.now,
            self.lender_id,
            BorrowerWanted(
                external_ref=ref,
                name="Ana Núñez",
                phone=Phone.parse(phone) if phone else None,
                **given,
            ),
        )
        account_id, consent_id = await self._account(made.id)
        loans = [
            await self._loan(ref, number, due, days_late + len(dues) - number)
            for number, due in enumerate(dues)
        ]
        return Neighbour(made.id, ref, phone, loans, [], account_id, consent_id)

    async def _loan(self, ref: str, number: int, due: int, days_late: int) -> LoanId:
        due_on = (self.now - timedelta(days=days_late)).date()
        made = await register_loan(
            self.house,
            self.now,
            self.lender_id,
            LoanWanted(
                borrower_ref=ref,
                external_ref=f"{ref}-L{number}",
                product="Loan",
                currency="EUR",
                as_of=self.now,
                schedule=(Scheduled(1, due_on, due, 0),),
            ),
        )
        return made.id

    async def _account(self, borrower_id: BorrowerId) -> tuple[UUID, UUID]:
        request_id, consent_id, account_id = new_id(), new_id(), new_id()
        async with self.store.unit(self.lender_id) as unit:
            own = {"lender_id": self.lender_id, "borrower_id": borrower_id}
            await unit.conn.execute(
                insert(consent_requests).values(
                    id=request_id,
                    purposes=[Purpose.REPAYMENT_MONITORING.value],
                    language="es",
                    token_hash=request_id.bytes,
                    state="completed",
                    created_at=self.now,
                    expires_at=self.now + timedelta(days=14),
                    **own,
                )
            )
            await unit.conn.execute(
                insert(consents).values(
                    id=consent_id,
                    request_id=request_id,
                    connector="berlin_group",
                    bank_id="caja",
                    state="active",
                    purposes=[Purpose.REPAYMENT_MONITORING.value],
                    token_enc=unit.seal("consents.token_enc", consent_id, f"token {consent_id}"),
                    return_hash=consent_id.bytes,
                    asked_until=(self.now + timedelta(days=90)).date(),
                    ends_at=self.now + timedelta(days=90),
                    created_at=self.now,
                    activated_at=self.now,
                    **own,
                )
            )
            await unit.conn.execute(
                insert(accounts).values(
                    id=account_id,
                    consent_id=consent_id,
                    connector="berlin_group",
                    bank_id="caja",
                    iban_hash=account_id.bytes,
                    iban_enc=unit.seal("accounts.iban_enc", account_id, "ES9121000418450200051332"),
                    currency="EUR",
                    ref_enc=unit.seal("accounts.ref_enc", account_id, "a1"),
                    created_at=self.now,
                    **own,
                )
            )
        return account_id, consent_id

    async def money_seen(
        self, who: Neighbour, cover: Cover = Cover.WHOLE, *, again: bool = False
    ) -> UUID:
        """The account was read just now and holds enough: a signal, with its decision queued.

        `again`: it fell and rose, so a signal before is over; and the lender's word on what is
        owed is fresh, so that nothing else keeps a text back.
        """
        attempt_id = new_id()
        async with self.store.engine_unit() as unit:
            await unit.keys((self.lender_id,))
            await lock_borrower(unit, who.id)
            if again:
                await self._fell(unit, who)
            await self._reading(unit, who, attempt_id)
            enough = SignalKind.ENOUGH if cover is Cover.WHOLE else SignalKind.PART
            covers = tuple(CaseCover(CaseId(case_id), cover) for case_id in who.cases)
            signal = FundsSignal(enough, "There is enough.", MarginBand.AMPLE, covers)
            raised = NewSignal(
                self.lender_id, who.id, who.account_id, attempt_id, signal, replaces=None
            )
            return (await raise_signals(unit, self.now, [raised]))[0]

    async def money_seen_again(self, who: Neighbour, cover: Cover = Cover.WHOLE) -> UUID:
        """The same account fell and rose again."""
        return await self.money_seen(who, cover, again=True)

    async def _fell(self, unit: Unit, who: Neighbour) -> None:
        fresh = "UPDATE loans SET owed_as_of = :now WHERE borrower_id = :id"
        over = (
            "UPDATE funds_signals SET ended_at = :now, ended_why = 'replaced' "
            "WHERE borrower_id = :id AND ended_at IS NULL"
        )
        for query in (fresh, over):
            await unit.conn.execute(text(query), {"now": self.now, "id": who.id})

    async def _reading(self, unit: Unit, who: Neighbour, attempt_id: UUID) -> None:
        own = {"id": attempt_id, "lender_id": self.lender_id, "account_id": who.account_id}
        purpose = Purpose.REPAYMENT_MONITORING.value
        await unit.conn.execute(
            insert(attempts).values(
                consent_id=who.consent_id,
                iban_hash=who.account_id.bytes,
                # With him present, so that no allowance stands in a test's way.
                attended=True,
                purpose=purpose,
                attempted_at=self.now,
                outcome="read",
                **own,
            )
        )
        await unit.conn.execute(
            insert(readings).values(
                purpose=purpose,
                read_at=self.now,
                verdict="signal",
                erase_at=self.now + timedelta(days=30),
                **own,
            )
        )
        await unit.conn.execute(
            update(accounts)
            .where(accounts.c.id == who.account_id)
            .values(last_read_at=self.now, armed=False, last_signal_at=self.now)
        )

    async def repaid(
        self, who: Neighbour, external_ref: str, *, minor: int | None = None, **named: Any
    ) -> RepaymentReported:
        """The lender reports money on the oldest loan: all of it, unless `minor` says how much."""
        loan = "SELECT sum(amount_minor - paid_minor)::bigint FROM instalments WHERE loan_id = :id"
        amount = minor or int(await self.value(loan, id=who.loans[0]))
        return await report_repayment(
            self.house,
            self.now,
            self.lender_id,
            f"{who.ref}-L0",
            RepaymentWanted(external_ref, Money(amount, "EUR"), self.now, **named),
        )

    # -------------------------------------------------- scheduler and worker

    async def work(self) -> int:
        """Run every queued job once, as a worker would; returns how many."""
        async with self.store.engine_unit() as unit:
            rows = await unit.conn.execute(
                text(
                    "UPDATE procrastinate_jobs SET status = 'succeeded' WHERE status = 'todo' "
                    "RETURNING id, task_name, args"
                )
            )
            waiting = sorted((row.id, row.task_name, row.args["ids"]) for row in rows)
        for _, name, ids in waiting:
            if name in FLOWS:
                await FLOWS[name](self.house, self.now, [UUID(one) for one in ids])
        return len(waiting)

    async def tick(self) -> None:
        """What is queued, one round of the timetable, and what that queues, at this moment."""
        await self.work_off()
        for look in LOOKS:
            await look(self.house, self.now)
        await self.work_off()

    async def work_off(self) -> None:
        """Run jobs until none is left."""
        for _ in range(20):
            if await self.work() == 0:
                return
        raise AssertionError("jobs queue jobs without end")

    async def days_pass(self, days: float = 3, minutes: int = 30) -> None:
        """Let time go on in steps, with a round of the timetable at each."""
        for _ in range(int(days * 24 * 60 / minutes)):
            self.hands.go_on(minutes=minutes)
            await self.tick()

    async def minutes_pass(self, *minutes: float) -> None:
        """Let time go on by each of these, with a round of the timetable after each."""
        for step in minutes:
            self.hands.go_on(minutes=step)
            await self.tick()

    # -------------------------------------------------- looking

    async def rows(self, query: str, **values: Any) -> list[Any]:
        """Rows of any query, over all lenders."""
        async with self.store.engine_unit() as unit:
            return list((await unit.conn.execute(text(query), values)).all())

    async def value(self, query: str, **values: Any) -> Any:
        """The one value of a query; None when there is no row."""
        found = await self.rows(query, **values)
        return found[0][0] if found else None

    async def states(self, table: str, who: Neighbour) -> list[str]:
        """States of a person's rows in the order they were made."""
        query = f"SELECT state FROM {table} WHERE borrower_id = :id ORDER BY created_at, id"
        return [row.state for row in await self.rows(query, id=who.id)]

    async def tasks(self, who: Neighbour) -> list[str]:
        """Reasons of the tasks that wait, most urgent first."""
        query = (
            "SELECT reason FROM tasks WHERE borrower_id = :id AND state IN ('open', 'taken') "
            "ORDER BY priority, reason"
        )
        return [row.reason for row in await self.rows(query, id=who.id)]

    async def due(self, who: Neighbour) -> int:
        """What is unpaid of all his loans, in minor units."""
        query = (
            "SELECT coalesce(sum(amount_minor - paid_minor), 0)::bigint FROM instalments i "
            "JOIN loans l ON l.id = i.loan_id WHERE l.borrower_id = :id"
        )
        return int(await self.value(query, id=who.id))

    def texts_to(self, who: Neighbour) -> int:
        """How many texts the carrier has taken for his phone."""
        return sum(sent.sms.to.reveal() == who.phone for sent in self.carrier.taken)

    def token_on(self, who: Neighbour) -> str:
        """The token in the newest text on his phone."""
        bodies = [sent.sms.body for sent in self.carrier.taken if sent.sms.to.reveal() == who.phone]
        return bodies[-1].split(f"{PUBLIC}/p/")[1].split(" ")[0]

    async def told(self) -> list[dict[str, Any]]:
        """What the lender's system was told, as data."""
        return [json.loads(call.body) for call in self.system.calls]


async def make_street(store: Store, **lender: Any) -> Street:
    """A street with nobody in it yet. `lender` overrides columns of the lender."""
    hands = Hands()
    lender_id = await make_lender(
        store, hands.now, webhook_url="https://sol.example/hooks", **lender
    )
    async with store.unit(lender_id) as unit:
        await unit.conn.execute(
            update(lenders).values(
                creditor_iban_enc=unit.seal(
                    "lenders.creditor_iban_enc", lender_id, "ES7921000813610123456789"
                ),
                webhook_secret_enc=unit.seal(
                    "lenders.webhook_secret_enc", lender_id, "whsec_c2VjcmV0"
                ),
            )
        )
    bank, carrier, system, grants = PayBank(), Carrier(), LenderSystem(), Consents()
    post, caller = PostOffice(), Caller()
    house = House(
        store=store,
        settings=Settings(public_url=PUBLIC),
        packs=PACKS,
        aggregations={"berlin_group": cast("AggregationPort", guard(grants, "berlin_group"))},
        payments={"berlin_group": guard(bank, "berlin_group")},
        messages={"twilio": guard(carrier, "twilio")},
        emails={"smtp": guard(post, "smtp")},
        hooks={"berlin_group": guard(caller, "berlin_group")},
        lender_hooks=guard(system, "lender_webhook"),
        real_now=lambda: hands.real,
    )
    return Street(store, house, hands, lender_id, bank, carrier, system, grants, post, caller)


async def lender_row(street: Street) -> Any:
    """The lender's row."""
    async with street.store.unit(street.lender_id) as unit:
        return (await unit.conn.execute(select(lenders))).one()
