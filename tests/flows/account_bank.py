"""Banks with accounts that a test holds in its hand: they count every call and remember it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from itertools import count

from app.domain.balance import BalanceEntry
from app.domain.errors import ConsentEnd, ProviderError, TryLater
from app.domain.ids import Iban, Secret
from app.domain.money import Money
from app.ports import (
    BalanceAnswer,
    Bank,
    ConsentAsk,
    ConsentBegun,
    FoundAccount,
    Grant,
    GrantNow,
    GrantState,
    Presence,
)

IBANS = (
    "ES9121000418450200051332",
    "ES7921000813610123456789",
    "ES6621000418401234567891",
)


async def _open() -> None:
    return None


@dataclass(slots=True)
class AtTheBank:
    """One consent as the bank keeps it."""

    token: str
    ask: ConsentAsk
    state: GrantState = GrantState.PENDING
    valid_until: date | None = None
    end: ConsentEnd | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """One balance call as the bank saw it."""

    token: str
    ref: str
    presence: Presence | None


@dataclass(slots=True)
class AccountBank:
    """`AggregationPort`. Every consent covers `found`; references are new with each consent."""

    found: list[FoundAccount] = field(
        default_factory=lambda: [FoundAccount(Secret("a1"), Iban.parse(IBANS[0]), "EUR")]
    )
    balances_now: dict[str, tuple[BalanceEntry, ...] | ProviderError] = field(default_factory=dict)
    consents: dict[str, AtTheBank] = field(default_factory=dict)
    reads: list[Read] = field(default_factory=list)
    status_calls: int = 0
    list_calls: list[Presence | None] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    before: Callable[[], Awaitable[None]] = _open
    """Runs inside each balance call, when the request has left and no answer is there yet."""
    refuses: ProviderError | None = None
    """What `begin_consent` and `grant_now` raise, if anything."""
    known: tuple[Bank, ...] = (
        Bank("caja", "Caja", "ES", booking_from=time(6), booking_until=time(22)),
        Bank("otra", "Otra", "ES", booking_from=time(6), booking_until=time(22)),
    )
    _numbers: count[int] = field(default_factory=lambda: count(1))

    # -------------------------------------------------- the port

    def banks(self) -> tuple[Bank, ...]:
        return self.known

    async def begin_consent(self, ask: ConsentAsk) -> ConsentBegun:
        if self.refuses:
            raise self.refuses
        token = f"consent-{next(self._numbers)}"
        self.consents[token] = AtTheBank(token, ask)
        return ConsentBegun(
            Grant(ask.bank_id, Secret(token)),
            f"https://bank.example/{token}",
            GrantNow(GrantState.PENDING, raw_status="received"),
        )

    async def grant_now(self, grant: Grant) -> GrantNow:
        self.status_calls += 1
        if self.refuses:
            raise self.refuses
        kept = self.consents[grant.token.reveal()]
        return GrantNow(kept.state, kept.valid_until, kept.end, kept.state.value)

    async def accounts(self, grant: Grant, presence: Presence | None) -> tuple[FoundAccount, ...]:
        self.list_calls.append(presence)
        token = grant.token.reveal()
        return tuple(
            replace(account, ref=Secret(f"{token}/{account.ref.reveal()}"))
            for account in self.found
        )

    async def balances(
        self, grant: Grant, account_ref: Secret, presence: Presence | None
    ) -> BalanceAnswer:
        ref = account_ref.reveal()
        self.reads.append(Read(grant.token.reveal(), ref, presence))
        await self.before()
        answer = self.balances_now.get(ref.rsplit("/", 1)[-1], ())
        if isinstance(answer, ProviderError):
            raise answer
        return BalanceAnswer(answer, "EUR")

    async def end_consent(self, grant: Grant) -> None:
        self.ended.append(grant.token.reveal())

    # -------------------------------------------------- what happens there

    def says_yes(self, token: str | None = None, *, until: date | None = None) -> None:
        """The borrower authorises the newest consent, or this one."""
        kept = self.consents[token or list(self.consents)[-1]]
        kept.state, kept.valid_until = GrantState.ACTIVE, until

    def ends(self, end: ConsentEnd, token: str | None = None) -> None:
        """The newest consent, or this one, is over at the bank."""
        kept = self.consents[token or list(self.consents)[-1]]
        kept.state, kept.end = GrantState.ENDED, end

    def holds(
        self,
        minor: int,
        *,
        ref: str = "a1",
        currency: str = "EUR",
        kind: str = "interimAvailable",
        limit: bool | None = False,
        as_of: datetime | None = None,
    ) -> None:
        """The account shows this balance from now on."""
        entry = BalanceEntry(kind, Money(minor, currency), limit, as_of)
        self.balances_now[ref] = (entry,)

    def fails(self, error: ProviderError | None = None, *, ref: str = "a1") -> None:
        """The account answers with an error from now on."""
        self.balances_now[ref] = error or TryLater("HTTP 503")


def noon(day: date) -> datetime:
    """Twelve o'clock UTC."""
    return datetime.combine(day, time(12), UTC)
