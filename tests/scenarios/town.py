"""A town of many borrowers under several lenders, and the hand that turns its clock.

Everything runs on real rows through the real timetable and the real jobs; only the providers are
fakes with a memory (tests/flows/outside.py, account_bank.py). Every look and every job has a
moment of its own, so that what was known before what is never a question.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text, update

from app.boundary import guard
from app.domain.contact_policy import ContactPurpose
from app.domain.errors import Declined, OutcomeUnknown, TryLater
from app.domain.ids import Iban, LoanId
from app.domain.message import Channel
from app.domain.payee import EUR, Carried
from app.flows.house import House
from app.ports import AggregationPort
from app.settings import Settings
from app.store.payees import put_payee
from app.store.tables import lenders
from app.store.unit import Store
from scheduler.timetable import TIMETABLE
from scheduler.worker import FLOWS
from tests.flows.account_bank import AccountBank
from tests.flows.desk_people import Desk
from tests.flows.outside import Carrier, LenderSystem, PayBank, PostOffice
from tests.flows.street import PUBLIC, Hands, Street
from tests.rig import PACKS, make_lender

FIRST_DAY = datetime(2026, 3, 2, 3, tzinfo=UTC)
# Jobs that defer jobs for longer than this do so for ever.
_ROUNDS = 30


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody lives: `phone` is a pattern for numbers whose zones hold `zones`."""

    country: str
    zones: tuple[str, ...]
    phone: str


@dataclass(frozen=True, slots=True)
class LenderWanted:
    """One lender of the town. `columns` are what is special about him."""

    country: str
    language: str
    currency: str
    zone: str
    places: tuple[Place, ...]
    columns: dict[str, Any]


ACCOUNT = Iban("ES7921000813610123456789")
"""Where every lender of the town is paid, whatever he lends in."""

_SPAIN = Place("ES", ("Europe/Madrid", "Atlantic/Canary"), "+346{:08d}")
_PORTUGAL = Place("PT", ("Europe/Lisbon", "Atlantic/Azores"), "+35191{:07d}")
LENDERS = (
    LenderWanted(
        "ES", "es", "EUR", "Europe/Madrid", (_SPAIN, _SPAIN, _SPAIN, _PORTUGAL),
        {"signals_act": "both"},
    ),
    LenderWanted(
        "GB", "en", "GBP", "Europe/London",
        (Place("GB", ("Europe/London",), "+44770{:07d}"),), {"case_after_days": 2},
    ),
    LenderWanted(
        "PL", "pl", "PLN", "Europe/Warsaw",
        (Place("PL", ("Europe/Warsaw",), "+4851{:07d}"),), {"closes_failed": True},
    ),
    LenderWanted(
        "US", "en", "USD", "America/New_York",
        (
            Place("US", ("America/New_York",), "+1212{:07d}"),
            Place("US", ("America/Los_Angeles",), "+1213{:07d}"),
            Place("MX", ("America/Mexico_City",), "+5255{:08d}"),
        ),
        {"signals_act": "automatic"},
    ),
)  # fmt: skip


@dataclass(slots=True)
class Loan:
    """One loan of somebody's. `coming` is what he means to pay on it: day and minor units."""

    id: LoanId
    ref: str
    coming: list[tuple[date, int]] = field(default_factory=list)


@dataclass(slots=True)
class Dweller:
    """One borrower, with what only he and fate know of him.

    `zone` is where his clock really is. `stopped` is since when he wants nothing on a channel,
    `wrong_since` and `dead_since` since when the lender knows that nobody is reached there.
    """

    id: UUID
    ref: str
    street: Street
    wanted: LenderWanted
    country: str
    zone: str
    states_zone: bool
    phone: str
    email: str
    born: date
    temper: str
    loans: list[Loan] = field(default_factory=list)
    account_ref: str = ""
    has_card: bool = False
    tokens: list[str] = field(default_factory=list)
    token_at: datetime = FIRST_DAY
    pages: list[str] = field(default_factory=list)
    stopped: dict[Channel, datetime] = field(default_factory=dict)
    wrong_since: datetime | None = None
    doubted_since: datetime | None = None
    dead_since: datetime | None = None
    log: list[str] = field(default_factory=list)

    def local_day(self, at: datetime) -> date:
        """His lender's calendar day."""
        return at.astimezone(ZoneInfo(self.wanted.zone)).date()


@dataclass(frozen=True, slots=True)
class Made:
    """One contact that really left the house, or a call that was really made, in this order.

    `key` is that of a message's row. `ours` is false for what people noted from outside.
    """

    at: datetime
    who: UUID
    channel: Channel
    key: UUID | None = None
    to: str = ""
    body: str = ""
    case_ids: tuple[UUID, ...] = ()
    outbound: bool = True
    conversation: bool = False
    counts: bool = True
    purpose: ContactPurpose = ContactPurpose.COLLECTION
    asked_for: bool = False
    ours: bool = True


@dataclass(slots=True)
class Town:
    """Lenders, people, providers, and everything that was seen to leave.

    `dice` choose what people do; `fate` what happens to providers and jobs, whose order the
    database decides: kept apart, the first are the same for the same seed.
    """

    store: Store
    house: House
    hands: Hands
    dice: random.Random
    fate: random.Random
    streets: list[tuple[LenderWanted, Street]]
    accounts: AccountBank
    people: dict[UUID, Dweller] = field(default_factory=dict)
    by_phone: dict[str, Dweller] = field(default_factory=dict)
    by_email: dict[str, Dweller] = field(default_factory=dict)
    desks: dict[UUID, Desk] = field(default_factory=dict)
    made: list[Made] = field(default_factory=list)
    halted: dict[tuple[UUID, str], datetime] = field(default_factory=dict)
    did: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    twice: float = 0.08
    trouble: float = 0.06

    @property
    def now(self) -> datetime:
        """Business time."""
        return self.hands.now

    @property
    def bank(self) -> PayBank:
        """The one that payments are made at."""
        return self.streets[0][1].bank

    @property
    def carrier(self) -> Carrier:
        """The one that texts go through."""
        return self.streets[0][1].carrier

    @property
    def post(self) -> PostOffice:
        """The one that e-mails go through."""
        return self.streets[0][1].post

    def chance(self, share: float) -> bool:
        """True so often."""
        return self.dice.random() < share

    def _befalls(self, share: float) -> bool:
        return self.fate.random() < share

    def go_to(self, at: datetime) -> None:
        """Put the clock there, if it is ahead."""
        self.hands.go_on(seconds=max(1.0, (at - self.now).total_seconds()))

    # -------------------------------------------------- providers in moods

    def listen(self) -> None:
        """From now on providers are troubled at times, and what they take is written down."""
        self.carrier.before = self.post.before = self._before
        self.carrier.after = self._text_taken
        self.post.after = self._mail_taken

    async def _before(self) -> None:
        if self._befalls(self.trouble):
            raise self.fate.choice((TryLater("429"), TryLater("503"), Declined("no", reason="X")))

    async def _text_taken(self) -> None:
        sms = self.carrier.taken[-1].sms
        to = sms.to.reveal()
        who = self.by_phone[to]
        who.tokens.append(sms.marker)
        who.token_at = self.now
        self.made.append(Made(self.now, who.id, Channel.SMS, sms.key, to, sms.body))
        if self._befalls(self.trouble / 2):
            raise OutcomeUnknown("lost")

    async def _mail_taken(self) -> None:
        mail = self.post.taken[-1]
        to = mail.to.reveal()
        who = self.by_email[to]
        who.tokens.append(mail.body.split(f"{PUBLIC}/p/")[1].split("\n")[0].split("/")[0].strip())
        who.token_at = self.now
        self.made.append(Made(self.now, who.id, Channel.EMAIL, mail.key, to, mail.body))
        if self._befalls(self.trouble / 2):
            raise OutcomeUnknown("lost")

    # -------------------------------------------------- scheduler and worker

    async def round(self) -> None:
        """One round of the timetable; what each look queues is worked off at once."""
        await self.work_off()
        for entry in TIMETABLE:
            self.hands.go_on(seconds=1)
            await entry.look(self.house, self.now)
            await self.work_off()

    async def work_off(self) -> None:
        """Run jobs until none is left; some run twice, one after the other or at once."""
        for _ in range(_ROUNDS):
            queued = await self._queued()
            if not queued:
                return
            for name, ids in queued:
                self.hands.go_on(seconds=1)
                await self._run(name, ids)
        self.failed.append("jobs queue jobs without end")

    async def _queued(self) -> list[tuple[str, list[UUID]]]:
        query = text(
            "DELETE FROM procrastinate_jobs WHERE status = 'todo' RETURNING id, task_name, args"
        )
        async with self.store.engine_unit() as unit:
            rows = sorted((await unit.conn.execute(query)).all())
        return [(name, [UUID(one) for one in args["ids"]]) for _, name, args in rows]

    async def _run(self, name: str, ids: list[UUID]) -> None:
        flow = FLOWS[name]
        if not self._befalls(self.twice):
            await flow(self.house, self.now, ids)
        elif self._befalls(0.5):
            self.did["job twice at once"] += 1
            await asyncio.gather(flow(self.house, self.now, ids), flow(self.house, self.now, ids))
        else:
            self.did["job twice"] += 1
            await flow(self.house, self.now, ids)
            self.hands.go_on(seconds=1)
            await flow(self.house, self.now, ids)

    def hear(self, events: Iterable[MutableMapping[str, Any]]) -> None:
        """What flows logged: an item that failed is a fault, unless a provider was in trouble."""
        for event in events:
            if event.get("event") in ("item_failed", "job_failed"):
                self.failed.append(f"{event.get('error')} in {event.get('act')}")

    # -------------------------------------------------- looking

    async def rows(self, query: str, **values: Any) -> list[Any]:
        """Rows of any query, over all lenders."""
        async with self.store.engine_unit() as unit:
            return list((await unit.conn.execute(text(query), values)).all())


async def make_town(store: Store, seed: int) -> Town:
    """Lenders without borrowers yet."""
    hands = Hands(now=FIRST_DAY)
    bank, carrier, post, accounts = PayBank(), Carrier(), PostOffice(), AccountBank()
    system = LenderSystem()
    house = House(
        store=store,
        settings=Settings(public_url=PUBLIC),
        packs=PACKS,
        aggregations={"berlin_group": cast("AggregationPort", guard(accounts, "berlin_group"))},
        payments={"berlin_group": guard(bank, "berlin_group")},
        messages={"twilio": guard(carrier, "twilio")},
        emails={"smtp": guard(post, "smtp")},
        lender_hooks=guard(system, "lender_webhook"),
        real_now=lambda: hands.real,
    )
    bank.pays = tuple(Carried(currency) for currency in sorted({one.currency for one in LENDERS}))
    streets = []
    for wanted in LENDERS:
        lender_id = await make_lender(
            store, hands.now, jurisdiction=wanted.country, language=wanted.language,
            time_zone=wanted.zone, floor_minor=0, floor_currency=wanted.currency,
            floor_reason="a test", **wanted.columns,
        )  # fmt: skip
        async with store.unit(lender_id) as unit:
            sealed = unit.seal("lenders.creditor_iban_enc", lender_id, ACCOUNT.reveal())
            await unit.conn.execute(update(lenders).values(creditor_iban_enc=sealed))
            if wanted.currency != EUR:
                await put_payee(unit, hands.now, lender_id, wanted.currency, ACCOUNT)
        # The lane that the tests of consents use looks for the consents in the street's house.
        made = Street(
            store, house, hands, lender_id, bank, carrier, system, cast("Any", None), post
        )
        streets.append((wanted, made))
    town = Town(
        store, house, hands, random.Random(seed), random.Random(-seed - 1), streets, accounts
    )
    town.desks = {street.lender_id: Desk(street) for _, street in streets}
    town.listen()
    return town
