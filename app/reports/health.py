"""How banks and providers answer, as far as one lender has to do with them.

The calls are those of the whole installation: so shares are shown, never their numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, func, select

from app.domain.breaker import WINDOW, BreakerState, Service
from app.domain.message import Channel, MessageState
from app.domain.payment import LIVE_STATES
from app.domain.provider_setup import is_own
from app.flows.house import House
from app.store.tables import accounts, messages, payments, provider_health, provider_hours
from app.store.unit import Unit

HOURS: Final = 24
_SERVICE_OF: Final = {Channel.SMS.value: Service.TEXTS, Channel.EMAIL.value: Service.EMAILS}
_UNSENT: Final = [
    state.value for state in (MessageState.QUEUED, MessageState.SENDING, MessageState.UNKNOWN)
]


@dataclass(frozen=True, slots=True)
class Hour:
    """The calls of one hour: answered and not. Both 0: nobody asked."""

    fine: int = 0
    failed: int = 0

    @property
    def calls(self) -> int:
        return self.fine + self.failed


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """How one service answers. Instants are business time.

    `since`: it has not answered since; None while it does. `asked_again_at`: the end of its pause.
    `hours` are the last 24, the present one last. `waiting` counts this lender's accounts on the
    reading plan, payments under way, or messages with this provider that have not left.
    """

    connector: str
    bank_id: str
    service: Service
    state: BreakerState
    since: datetime | None
    asked_again_at: datetime | None
    last_ok_at: datetime | None
    last_failure_at: datetime | None
    last_reason: str
    hours: tuple[Hour, ...]
    waiting: int
    lately: bool = True
    """Somebody has asked lately; else nobody knows how it would answer now."""

    @property
    def down(self) -> bool:
        return self.state is not BreakerState.CLOSED

    def failed_share(self, hours: int) -> float | None:
        """Of the calls of the last hours, the present one included; None where nobody asked."""
        seen = self.hours[-hours:]
        calls = sum(hour.calls for hour in seen)
        return sum(hour.failed for hour in seen) / calls if calls else None


async def health_report(unit: Unit, house: House, now: datetime) -> tuple[ServiceHealth, ...]:
    """Every service that the unit's lender uses: banks of his people, and who carries his messages.

    Those that do not answer come first.
    """
    waiting = await _waiting(unit)
    keys = set(waiting)
    keys |= {(name, "", Service.TEXTS) for name in _used(house.messages)}
    keys |= {(name, "", Service.EMAILS) for name in _used(house.emails)}
    real_now = house.real_now()
    found = (await unit.conn.execute(select(provider_health))).all()
    rows = {(row.connector, row.bank_id, Service(row.service)): row for row in found}
    hours = await _hours(unit, now)
    report = [
        _health(key, rows.get(key), hours.get(key, {}), waiting.get(key, 0), now, real_now)
        for key in sorted(keys)
    ]
    return tuple(sorted(report, key=lambda one: not one.down))


def _used(ports: Iterable[str]) -> set[str]:
    """A lender with a provider of his own uses no other for new messages."""
    named = set(ports)
    return {name for name in named if is_own(name)} or named


async def down_now(unit: Unit) -> list[dict[str, Any]]:
    """All services that do not answer, of whomever. For whoever runs the installation."""
    rows = await unit.conn.execute(
        select(provider_health)
        .where(provider_health.c.state != BreakerState.CLOSED.value)
        .order_by(*provider_health.primary_key.columns)
    )
    return [
        {
            "connector": row.connector,
            "bank_id": row.bank_id,
            "service": row.service,
            "since": row.since.isoformat() if row.since else None,
            "reason": row.last_reason,
        }
        for row in rows
    ]


_Key = tuple[str, str, Service]


def _health(
    key: _Key,
    row: Row[Any] | None,
    hours: Mapping[datetime, Hour],
    waiting: int,
    now: datetime,
    real_now: datetime,
) -> ServiceHealth:
    present = now.replace(minute=0, second=0, microsecond=0)
    begins = [present - timedelta(hours=back) for back in range(HOURS - 1, -1, -1)]
    connector, bank_id, service = key
    again = None if row is None or row.until is None else now + (row.until - real_now)
    return ServiceHealth(
        connector=connector,
        bank_id=bank_id,
        service=service,
        state=BreakerState.CLOSED if row is None else BreakerState(row.state),
        since=None if row is None else row.since,
        asked_again_at=again,
        last_ok_at=None if row is None else row.last_ok_at,
        last_failure_at=None if row is None else row.last_failure_at,
        last_reason="" if row is None else row.last_reason,
        hours=tuple(hours.get(begin, Hour()) for begin in begins),
        waiting=waiting,
        lately=row is None or row.until is None or real_now - row.until <= WINDOW,
    )


async def _hours(unit: Unit, now: datetime) -> dict[_Key, dict[datetime, Hour]]:
    rows = await unit.conn.execute(
        select(provider_hours).where(
            provider_hours.c.hour > now - timedelta(hours=HOURS), provider_hours.c.hour <= now
        )
    )
    found: dict[_Key, dict[datetime, Hour]] = defaultdict(dict)
    for row in rows:
        key = (row.connector, row.bank_id, Service(row.service))
        found[key][row.hour] = Hour(row.fine, row.failed)
    return found


async def _waiting(unit: Unit) -> dict[_Key, int]:
    """What this lender has with whom; 0 where he has something, and nothing of it waits."""
    counts: dict[_Key, int] = {}
    reads = select(
        accounts.c.connector,
        accounts.c.bank_id,
        func.count(accounts.c.next_read_at).label("waits"),
    ).group_by(accounts.c.connector, accounts.c.bank_id)
    for row in await unit.conn.execute(reads):
        counts[row.connector, row.bank_id, Service.BALANCES] = int(row.waits)
    live = payments.c.state.in_([state.value for state in LIVE_STATES])
    paying = select(
        payments.c.connector,
        payments.c.bank_id,
        func.count().filter(live).label("waits"),
    ).group_by(payments.c.connector, payments.c.bank_id)
    for row in await unit.conn.execute(paying):
        counts[row.connector, row.bank_id, Service.PAYMENTS] = int(row.waits)
    unsent = (
        select(messages.c.connector, messages.c.channel, func.count().label("waits"))
        .where(
            messages.c.state.in_(_UNSENT),
            messages.c.connector.is_not(None),
            messages.c.channel.in_(_SERVICE_OF),
        )
        .group_by(messages.c.connector, messages.c.channel)
    )
    for row in await unit.conn.execute(unsent):
        counts[row.connector, "", _SERVICE_OF[row.channel]] = int(row.waits)
    return counts
