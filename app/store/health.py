"""How the services of banks and providers answer: their breakers, and the count of each hour.

All processes share it, so that a bank which is down is left alone by all of them. One statement
writes what a whole batch heard; only where there is trouble do others follow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

from app.domain.breaker import Breaker, BreakerState, Heard, Service, hear, take_probe
from app.store import driver
from app.store.unit import Unit

BankKey: TypeAlias = tuple[str, str]
"""Connector name and bank id; the id is empty for a provider without banks."""

_STANDING: Final = "state, suspects, suspected_at, pauses, until"
_LONGEST_REASON: Final = 200


@dataclass(frozen=True, slots=True)
class Change:
    """A breaker before and after a batch was heard."""

    before: Breaker
    after: Breaker

    @property
    def tripped(self) -> bool:
        """It is this batch that made clear that the bank is down."""
        return self.after.down and not self.before.down


async def record_heard(
    unit: Unit,
    now: datetime,
    real_now: datetime,
    service: Service,
    heard: Mapping[BankKey, Heard],
) -> dict[BankKey, Change]:
    """Count a batch's answers and move the breakers. Holds each bank's row until the commit.

    An engine unit's work. Returns the breakers that are not simply closed, before or after.
    """
    # In one order, so that two batches cannot wait for each other.
    keys = sorted(key for key, one in heard.items() if one.fine or one.failed or one.troubled)
    if not keys:
        return {}
    found = await driver.rows(unit, _COUNT, _counts(keys, heard, service, now))
    changes: dict[BankKey, Change] = {}
    for connector, bank_id, *standing in found:
        key = (connector, bank_id)
        before = _breaker(*standing)
        after = hear(before, heard[key], real_now)
        if before != Breaker() or after != Breaker():
            changes[key] = Change(before, after)
        if after != before:
            await _write(unit, key, service, after, since=now if not before.down else None)
    return changes


async def breaker_of(unit: Unit, service: Service, key: BankKey) -> Breaker:
    """How the breaker stands now. Any unit may look."""
    found = await driver.rows(
        unit,
        f"SELECT {_STANDING} FROM provider_health WHERE connector = %(connector)b "  # noqa: S608
        "AND bank_id = %(bank)b AND service = %(service)b",
        {"connector": key[0], "bank": key[1], "service": service.value},
    )
    return _breaker(*found[0]) if found else Breaker()


async def down_until(
    unit: Unit, service: Service, now: datetime, real_now: datetime
) -> dict[BankKey, datetime]:
    """The banks that are down, each with the end of its pause in business time (or `now`)."""
    found = await driver.rows(
        unit,
        "SELECT connector, bank_id, until FROM provider_health "
        "WHERE service = %(service)b AND state <> %(closed)b",
        {"service": service.value, "closed": BreakerState.CLOSED.value},
    )
    return {
        (connector, bank_id): now + max(until - real_now, timedelta(0))
        for connector, bank_id, until in found
    }


async def banks_down(
    unit: Unit, connector: str, services: Collection[Service], real_now: datetime
) -> set[str]:
    """The banks of a connector of which one of these did not answer lately. Any unit may look."""
    found = await driver.rows(
        unit,
        f"SELECT bank_id, {_STANDING} FROM provider_health "  # noqa: S608 - our own columns
        "WHERE connector = %(connector)b AND state <> %(closed)b "
        "AND service = ANY(%(services)b::text[])",
        {
            "connector": connector,
            "services": [one.value for one in services],
            "closed": BreakerState.CLOSED.value,
        },
    )
    return {bank_id for bank_id, *standing in found if _breaker(*standing).lately_down(real_now)}


async def win_probe(unit: Unit, service: Service, key: BankKey, real_now: datetime) -> bool:
    """Take the right to the one call that finds out whether the bank is back. An engine unit."""
    found = await driver.rows(
        unit,
        f"SELECT {_STANDING} FROM provider_health WHERE connector = %(connector)b "  # noqa: S608
        "AND bank_id = %(bank)b AND service = %(service)b FOR NO KEY UPDATE",
        {"connector": key[0], "bank": key[1], "service": service.value},
    )
    taken = take_probe(_breaker(*found[0]), real_now) if found else None
    if taken is None:
        return False
    await _write(unit, key, service, taken, since=None)
    return True


async def _write(
    unit: Unit, key: BankKey, service: Service, after: Breaker, *, since: datetime | None
) -> None:
    """`since`: when it began not to answer, where it did until now (business time)."""
    await driver.run(
        unit,
        """
        UPDATE provider_health SET state = %(state)b, suspects = %(suspects)b::uuid[],
            suspected_at = %(suspected_at)b, pauses = %(pauses)b, until = %(until)b,
            since = CASE WHEN %(down)b THEN coalesce(%(since)b::timestamptz, since) END
        WHERE connector = %(connector)b AND bank_id = %(bank)b AND service = %(service)b
        """,
        {
            "connector": key[0],
            "bank": key[1],
            "service": service.value,
            "state": after.state.value,
            "suspects": sorted(after.suspects),
            "suspected_at": after.suspected_at,
            "pauses": after.pauses,
            "until": after.until,
            "down": after.down,
            "since": since,
        },
    )


def _breaker(
    state: str,
    suspects: list[UUID],
    suspected_at: datetime | None,
    pauses: int,
    until: datetime | None,
) -> Breaker:
    return Breaker(BreakerState(state), frozenset(suspects), suspected_at, pauses, until)


def _counts(
    keys: list[BankKey], heard: Mapping[BankKey, Heard], service: Service, now: datetime
) -> dict[str, Any]:
    return {
        "connectors": [connector for connector, _ in keys],
        "banks": [bank_id for _, bank_id in keys],
        "fine": [heard[key].fine for key in keys],
        "failed": [heard[key].failed for key in keys],
        "reasons": [heard[key].reason[:_LONGEST_REASON] for key in keys],
        "service": service.value,
        "now": now,
        "hour": now.replace(minute=0, second=0, microsecond=0),
    }


_COUNT: Final = """
    WITH n AS (
        SELECT * FROM unnest(%(connectors)b::text[], %(banks)b::text[], %(fine)b::bigint[],
            %(failed)b::bigint[], %(reasons)b::text[])
            AS n (connector, bank_id, fine, failed, reason)
    ), counted AS (
        INSERT INTO provider_hours AS c (connector, bank_id, service, hour, fine, failed)
        SELECT connector, bank_id, %(service)b, %(hour)b, fine, failed FROM n
        ON CONFLICT (connector, bank_id, service, hour) DO UPDATE
            SET fine = c.fine + excluded.fine, failed = c.failed + excluded.failed
    )
    INSERT INTO provider_health AS h (connector, bank_id, service, last_ok_at, last_failure_at,
        last_reason)
    SELECT connector, bank_id, %(service)b,
        CASE WHEN fine > 0 THEN %(now)b::timestamptz END,
        CASE WHEN failed > 0 THEN %(now)b::timestamptz END, reason
    FROM n
    ON CONFLICT (connector, bank_id, service) DO UPDATE SET
        last_ok_at = coalesce(excluded.last_ok_at, h.last_ok_at),
        last_failure_at = coalesce(excluded.last_failure_at, h.last_failure_at),
        last_reason = coalesce(nullif(excluded.last_reason, ''), h.last_reason)
    RETURNING connector, bank_id, state, suspects, suspected_at, pauses, until
"""
