"""How well people and agencies do: what came of their cases, like with like; calls and promises.

Read-only. A case is his who called about it first within the period, or the agency's that it was
first placed with; so nobody's case counts for two, and nothing that came later decides whose it
is. Who got which cases is no accident: app/domain/performance.py takes the mix out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy import Row, TextualSelect, text

from app.domain.money import Money
from app.domain.performance import (
    AFTER_CONTACT,
    LATE_FROM,
    USUAL_DAYS,
    Estimate,
    Overdue,
    Shares,
    adjusted,
    raw,
    together,
)
from app.domain.proportion import Proportion
from app.reports.recovery import Period, Which, days_overdue_with_agencies
from app.store.case_results import closed_as, closed_for_good, result_of
from app.store.tables import cases
from app.store.unit import Unit


class Kind(StrEnum):
    """Whose cases they are."""

    COLLECTOR = "collector"
    AGENCY = "agency"


_Followed: TypeAlias = tuple[Proportion, tuple[Money, ...]]
_NOBODY: Final = Proportion(0, 0)
Stratum: TypeAlias = tuple[str, int, int]
"""Currency, which third of what was left to collect in it, and the band of days past due."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of the cases that somebody got: `as_is`, and as if he had had everybody's mix.

    `owed` and `came` are sums in each currency, of cases that are old enough.
    """

    as_is: Estimate
    like_others: Estimate
    owed: tuple[Money, ...]
    came: tuple[Money, ...]


@dataclass(frozen=True, slots=True)
class Performer:
    """A person or an agency. `id` None: promises that borrowers and other systems made.

    `reached` of calls; `kept` of the promises that came due; `followed`: of the conversations
    after which money had its days to come, those after which some came, and how much. `overdue`:
    how late the loans are that an agency has at the end of the day, by currency.
    """

    id: UUID | None
    name: str
    reached: Proportion
    kept: Proportion
    followed: Proportion
    money: tuple[Money, ...]
    brought: Brought
    overdue: Mapping[str, Overdue]


# Whose a case is, and since when. Calls are those of our own people; whoever wrote down a call
# for an agency made none. One that was written down more than a day after it counts as a call, and
# decides nothing: whoever writes it knows by then who has paid.
_WHOSE: Final[Mapping[Kind, str]] = {
    Kind.COLLECTOR: """
        SELECT DISTINCT ON (one.id) one.id, k.user_id AS who, k.made_at AS since
        FROM contacts k CROSS JOIN LATERAL unnest(k.case_ids) AS one (id)
        WHERE k.made_at >= :begins AND k.made_at < :ends AND k.made_at <= :edge
            AND k.channel = 'call' AND k.direction = 'outbound' AND k.message_id IS NULL
            AND k.user_id IS NOT NULL AND k.placement_id IS NULL
            AND (k.noted_at IS NULL OR k.noted_at <= k.made_at + interval '1 day')
        ORDER BY one.id, k.made_at, k.id""",
    Kind.AGENCY: """
        SELECT DISTINCT ON (p.case_id) p.case_id AS id, p.agency_id AS who, p.placed_at AS since
        FROM placements p
        WHERE p.placed_at >= :begins AND p.placed_at < :ends AND p.placed_at <= :edge
        ORDER BY p.case_id, p.placed_at, p.id""",
}

# What was left of what had entered when he got the case is what he could bring in; where nothing
# was, or the case was closed then, there is nothing to tell. Money that was paid before and told
# later was not left, either. Days past due run on from those at the
# opening. Money is looked up case by case: how many cases somebody got the database cannot guess,
# and it would join two such sets row by row.
_GOT: Final = """
    WITH whose AS ({whose}
    ), grown AS (
        SELECT c.id, c.loan_id, l.currency, w.who, w.since, c.opened_at, c.closed_at,
            c.close_reason, c.entered_minor,
            (SELECT min(n.opened_at) FROM cases n
                WHERE n.loan_id = c.loan_id AND n.opened_at > c.opened_at) AS next_at,
            w.since + make_interval(days => :days) AS until,
            c.entered_days + extract(day FROM w.since - c.opened_at)::int AS late
        FROM whose w JOIN cases c ON c.id = w.id JOIN loans l ON l.id = c.loan_id
        WHERE c.entered_minor > 0 AND w.since >= c.opened_at
            AND w.since + make_interval(days => :days) <= :edge AND {then} IS NULL
    ), got AS MATERIALIZED (
        SELECT c.id, c.who, c.currency, c.late, c.entered_minor - m.before AS owed,
            {paid} AS paid, m.minor AS money
        FROM grown c
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(r.amount_minor) FILTER (WHERE least(r.recorded_at, r.paid_at)
                    < c.since), 0)::bigint AS before,
                coalesce(sum(r.amount_minor) FILTER (WHERE least(r.recorded_at, r.paid_at)
                    >= c.since AND r.paid_at <= c.until), 0)::bigint AS minor
            FROM repayments r
            WHERE r.loan_id = c.loan_id AND r.recorded_at >= c.opened_at
                AND (c.next_at IS NULL OR r.recorded_at < c.next_at)
                AND r.recorded_at <= :edge AND r.counted AND r.source <> 'forgiven'
                AND (r.reversed_at IS NULL OR r.reversed_at > :edge)
        ) AS m
        CROSS JOIN LATERAL (SELECT {why} AS why OFFSET 0) AS w
    ), brought AS MATERIALIZED (
        SELECT id, who, currency, late, owed,
            CASE WHEN paid THEN owed ELSE least(owed, money) END AS minor
        FROM got WHERE owed > 0
    )"""

_STRATA: Final = """{got}
    , thirds AS (
        SELECT currency, percentile_disc(ARRAY[1.0 / 3, 2.0 / 3]) WITHIN GROUP (ORDER BY owed)
            AS ends FROM brought GROUP BY currency
    )
    SELECT b.who, b.currency,
        (b.owed > t.ends[1])::int + (b.owed > t.ends[2])::int AS third,
        greatest(0, width_bucket(b.late, CAST(:late_from AS int[])) - 1) AS late,
        count(*) AS cases, sum(b.minor::float8 / b.owed) AS total,
        sum((b.minor::float8 / b.owed) ^ 2) AS squares, sum(b.owed)::bigint AS owed,
        sum(b.minor)::bigint AS came
    FROM brought b JOIN thirds t ON t.currency = b.currency
    GROUP BY b.who, b.currency, third, 4
"""

_BEHIND: Final[Mapping[Which, str]] = {
    Which.ENTERED: "{got} SELECT id FROM brought WHERE who = :who",
    Which.WHOLE: "{got} SELECT id FROM brought WHERE who = :who AND minor = owed",
    Which.SHORT: "{got} SELECT id FROM brought WHERE who = :who AND minor < owed",
}

_CALLS: Final[Mapping[Kind, str]] = {
    Kind.COLLECTOR: """
        SELECT k.user_id AS who, count(*) AS calls,
            count(*) FILTER (WHERE k.conversation) AS reached
        FROM contacts k
        WHERE k.made_at >= :begins AND k.made_at < :ends AND k.made_at <= :edge
            AND k.channel = 'call' AND k.direction = 'outbound' AND k.message_id IS NULL
            AND k.user_id IS NOT NULL AND k.placement_id IS NULL
        GROUP BY k.user_id""",
    Kind.AGENCY: """
        SELECT p.agency_id AS who, count(*) AS calls,
            count(*) FILTER (WHERE k.conversation) AS reached
        FROM contacts k JOIN placements p ON p.id = k.placement_id
        WHERE k.made_at >= :begins AND k.made_at < :ends AND k.made_at <= :edge
            AND k.channel = 'call' AND k.direction = 'outbound' AND k.message_id IS NULL
        GROUP BY p.agency_id""",
}

# A promise came due on its last day and the days of grace. Who made it is known by his address.
_PROMISES: Final = """
    SELECT u.id AS who, count(*) AS due, count(*) FILTER (WHERE p.state = 'kept') AS kept
    FROM promises p
    JOIN LATERAL (SELECT max(x.due_on) + p.grace_days AS falls FROM promise_parts x
        WHERE x.promise_id = p.id) d ON true
    LEFT JOIN users u ON u.email = p.made_by AND p.source = 'desk'
    WHERE p.state IN ('kept', 'part', 'broken') AND p.made_at < :ends
        AND p.made_at > :begins - interval '400 days'
        AND d.falls BETWEEN :first AND :last AND p.ended_at <= :edge
    GROUP BY u.id
"""

# Money is put down to the last call before it in which he was reached, whoever made it.
_MONEY: Final = """
    WITH spoke AS (
        SELECT k.id, k.user_id AS who, k.made_at, k.case_ids
        FROM contacts k
        WHERE k.made_at >= :begins AND k.made_at < :ends
            AND k.made_at + CAST(:wait AS interval) <= :edge
            AND k.channel = 'call' AND k.direction = 'outbound' AND k.message_id IS NULL
            AND k.conversation AND k.user_id IS NOT NULL AND k.placement_id IS NULL
            AND (k.noted_at IS NULL OR k.noted_at <= k.made_at + interval '1 day')
    ), paid AS MATERIALIZED (
        SELECT DISTINCT ON (r.id) s.id AS contact_id, s.who, r.currency, r.amount_minor
        FROM spoke s CROSS JOIN LATERAL unnest(s.case_ids) AS one (id)
        JOIN cases c ON c.id = one.id
        JOIN repayments r ON r.loan_id = c.loan_id
        WHERE r.paid_at > s.made_at AND r.paid_at <= s.made_at + CAST(:wait AS interval)
            AND r.counted AND r.source <> 'forgiven' AND r.recorded_at <= :edge
            AND (r.reversed_at IS NULL OR r.reversed_at > :edge)
        ORDER BY r.id, s.made_at DESC, s.id DESC
    )
    SELECT s.who, NULL AS currency, count(*) AS talks, count(f.contact_id) AS followed,
        NULL::bigint AS came
    FROM spoke s LEFT JOIN (SELECT DISTINCT contact_id FROM paid) f ON f.contact_id = s.id
    GROUP BY s.who
    UNION ALL
    SELECT who, currency, NULL, NULL, sum(amount_minor)::bigint FROM paid GROUP BY who, currency
"""


async def performers(unit: Unit, period: Period, kind: Kind) -> tuple[Performer, ...]:
    """Everybody of whom something is known in the period, by name: an order that ranks nobody."""
    values = _values(period)
    strata = await _strata(unit, values, kind)
    everybody = together(strata.mix.values())
    called = {
        row.who: Proportion(row.reached, row.calls)
        for row in await _rows(unit, _CALLS[kind], values)
    }
    kept: dict[UUID | None, Proportion] = {}
    followed: dict[UUID, _Followed] = {}
    overdue: Mapping[UUID, Mapping[str, Overdue]] = {}
    if kind is Kind.AGENCY:
        overdue = await days_overdue_with_agencies(unit, period.as_of, period.edge)
    else:
        rows = await _rows(unit, _PROMISES, values)
        kept = {row.who: Proportion(row.kept, row.due) for row in rows}
        followed = _followed(await _rows(unit, _MONEY, values))
    known: set[UUID | None] = {*strata.mix, *called, *kept, *followed, *overdue}
    names = await _names(unit, kind, [who for who in known if who])
    found = []
    for who in known:
        talks, money = followed.get(who, (_NOBODY, ())) if who else (_NOBODY, ())
        found.append(
            Performer(
                id=who,
                name=names[who] if who else "",
                reached=called.get(who, _NOBODY) if who else _NOBODY,
                kept=kept.get(who, _NOBODY),
                followed=talks,
                money=money,
                brought=strata.brought(who, everybody),
                overdue=overdue.get(who, {}) if who else {},
            )
        )
    return tuple(sorted(found, key=lambda one: (one.id is None, one.name, str(one.id))))


def cases_behind(which: Which, period: Period, kind: Kind, who: UUID) -> TextualSelect:
    """The ids of the cases that somebody got, old enough; all, or by what came of them."""
    query = _BEHIND[which].format(got=_got(kind))
    values = {name: value for name, value in _values(period).items() if f":{name}" in query}
    return text(query).bindparams(**values, who=who).columns(cases.c.id)


async def name_of(unit: Unit, kind: Kind, who: UUID) -> str | None:
    """What the person or the agency is called; None for another lender's."""
    return (await _names(unit, kind, [who])).get(who)


# ------------------------------------------------------------------ the parts


@dataclass(frozen=True, slots=True)
class _Strata:
    mix: Mapping[UUID, Mapping[Stratum, Shares]]
    sums: Mapping[UUID, Mapping[str, tuple[int, int]]]

    def brought(self, who: UUID | None, everybody: Mapping[Stratum, Shares]) -> Brought:
        own = self.mix.get(who, {}) if who else {}
        sums = self.sums.get(who, {}) if who else {}
        return Brought(
            raw(own),
            adjusted(own, everybody) if own else raw(own),
            tuple(Money(owed, currency) for currency, (owed, _) in sorted(sums.items())),
            tuple(Money(came, currency) for currency, (_, came) in sorted(sums.items())),
        )


async def _strata(unit: Unit, values: Mapping[str, Any], kind: Kind) -> _Strata:
    mix: dict[UUID, dict[Stratum, Shares]] = {}
    sums: dict[UUID, dict[str, tuple[int, int]]] = {}
    for row in await _rows(unit, _STRATA.format(got=_got(kind)), values):
        stratum = (row.currency, row.third, row.late)
        mix.setdefault(row.who, {})[stratum] = Shares(row.cases, row.total, row.squares)
        owed, came = sums.setdefault(row.who, {}).get(row.currency, (0, 0))
        sums[row.who][row.currency] = (owed + row.owed, came + row.came)
    return _Strata(mix, sums)


def _got(kind: Kind) -> str:
    return _GOT.format(
        whose=_WHOSE[kind],
        then=closed_as("w.since"),
        paid=result_of("w.why", "c.since", "c.until") + " = 'paid'",
        why=closed_for_good("c.until", ":edge"),
    )


def _followed(rows: Iterable[Row[Any]]) -> dict[UUID, _Followed]:
    """Of the conversations of each: after how many money came, and how much in each currency."""
    talks: dict[UUID, Proportion] = {}
    money: dict[UUID, list[Money]] = {}
    for row in rows:
        if row.currency is None:
            talks[row.who] = Proportion(row.followed, row.talks)
        else:
            money.setdefault(row.who, []).append(Money(row.came, row.currency))
    return {
        who: (one, tuple(sorted(money.get(who, ()), key=lambda amount: amount.currency)))
        for who, one in talks.items()
    }


async def _rows(unit: Unit, query: str, values: Mapping[str, Any]) -> Sequence[Row[Any]]:
    wanted = {name: value for name, value in values.items() if f":{name}" in query}
    return (await unit.conn.execute(text(query), wanted)).all()


def _values(period: Period) -> dict[str, Any]:
    return {
        "begins": period.begins,
        "ends": period.ends,
        "edge": period.edge,
        "first": period.since,
        "last": period.until,
        "days": USUAL_DAYS,
        "wait": AFTER_CONTACT,
        "late_from": list(LATE_FROM),
    }


async def _names(unit: Unit, kind: Kind, ids: Sequence[UUID]) -> dict[UUID, str]:
    table = "users" if kind is Kind.COLLECTOR else "agencies"
    query = f"SELECT id, name FROM {table} WHERE id = ANY(:ids)"  # noqa: S608 - our own words
    return {row.id: row.name for row in await _rows(unit, query, {"ids": list(ids)})}
