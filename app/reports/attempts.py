"""Every attempt to contact a borrower, whoever made it and whatever came of it.

An attempt stands in one of three tables, once: a message (`messages`), a contact that a person, an
agency or somebody outside made (`contacts`), or one that was blocked before it was either
(`blocked_contacts`). It belongs to the moment in which it began, which never changes: a day that is
over keeps its attempts, whatever becomes of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, bindparam, text

from app.domain.attempt import REFUSALS, Outcome
from app.domain.message import MessageState
from app.store.unit import Unit

# The state of a message says what became of it; of a cancelled one, the reason does.
_BY_STATE: Final = {
    MessageState.QUEUED: Outcome.WAITING,
    MessageState.SENDING: Outcome.WAITING,
    MessageState.ASKED: Outcome.WAITING,
    MessageState.SENT: Outcome.SENT,
    MessageState.DELIVERED: Outcome.DELIVERED,
    MessageState.UNDELIVERED: Outcome.UNDELIVERED,
    MessageState.FAILED: Outcome.FAILED,
    MessageState.UNKNOWN: Outcome.UNKNOWN,
    MessageState.WITHHELD: Outcome.WITHHELD,
}
_STATES: Final = " ".join(f"WHEN '{state}' THEN '{one}'" for state, one in _BY_STATE.items())
_REFUSALS: Final = ", ".join(f"'{one}'" for one in REFUSALS)

_OF_MESSAGE: Final = f"""CASE WHEN t.state = 'cancelled' THEN
    CASE WHEN t.cancel_reason IN ({_REFUSALS}) THEN '{Outcome.REFUSED}'
        ELSE '{Outcome.CALLED_OFF}' END
    ELSE CASE t.state {_STATES} END END"""
_OF_BLOCKED: Final = f"""CASE WHEN t.why IN ({_REFUSALS}) THEN '{Outcome.REFUSED}'
    ELSE '{Outcome.NOT_POSSIBLE}' END"""


# Most of a verdict are rules that had nothing against it: they stay where they are.
_VERDICT: Final = """t.verdict - 'checks' AS verdict,
    jsonb_path_query_array(t.verdict, '$.checks[*] ? (@.passed == false)') AS against"""


@dataclass(frozen=True, slots=True)
class _Source:
    """A table of attempts: when each began, its outcome, which rows are attempts, its columns."""

    table: str
    at: str
    outcome: str
    where: str
    columns: str


_SOURCES: Final = (
    _Source(
        "messages",
        "created_at",
        _OF_MESSAGE,
        "true",
        """t.sent_at AS left_at, t.purpose, t.cause, t.wording AS template, 'saldo' AS source,
        'saldo' AS actor, NULL::uuid AS user_id, NULL::uuid AS placement_id,
        '{}'::uuid[] AS loan_ids,
        coalesce(t.cancel_reason, nullif(t.error_code, ''), '') AS result, t.to_enc""",
    ),
    _Source(
        "contacts",
        "made_at",
        f"'{Outcome.MADE}'",
        "t.direction = 'outbound' AND t.message_id IS NULL",
        """t.made_at AS left_at, '' AS purpose, coalesce((SELECT reason FROM tasks
            WHERE tasks.id = t.task_id), '') AS cause, '' AS template, t.source, '' AS actor,
        t.user_id, t.placement_id, '{}'::uuid[] AS loan_ids, t.outcome AS result,
        NULL::bytea AS to_enc""",
    ),
    _Source(
        "blocked_contacts",
        "tried_at",
        _OF_BLOCKED,
        "true",
        """NULL::timestamptz AS left_at, t.purpose, t.cause, t.template, t.source, t.actor,
        t.user_id, t.placement_id, t.loan_ids, t.why AS result, NULL::bytea AS to_enc""",
    ),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which attempts: those begun from `since` on and before `until`; "" for all of a kind."""

    since: datetime
    until: datetime
    channel: str = ""
    outcome: str = ""

    def parameters(self, lender_id: UUID) -> dict[str, Any]:
        return {
            "lender": lender_id,
            "since": self.since,
            "until": self.until,
            "channel": self.channel,
            "outcome": self.outcome,
        }


def _where(source: _Source) -> str:
    return f"""t.lender_id = :lender AND t.{source.at} >= :since AND t.{source.at} < :until
        AND {source.where} AND (:channel = '' OR t.channel = :channel)
        AND (:outcome = '' OR {source.outcome} = :outcome)"""


def _slice(source: _Source) -> str:
    return f"""(SELECT '{source.table}' AS stands_in, t.{source.at} AS at, t.id, t.borrower_id,
        t.case_ids, t.version_ids, t.channel, {source.outcome} AS outcome, {source.columns},
        {_VERDICT}
        FROM {source.table} t
        WHERE {_where(source)} AND (t.{source.at}, t.id) > (:at, :id)
        ORDER BY t.{source.at}, t.id LIMIT :limit)"""  # noqa: S608 - our own constants


def _number(source: _Source) -> str:
    return f"""SELECT t.channel, {source.outcome} AS outcome, count(*) AS n FROM {source.table} t
        WHERE {_where(source)} GROUP BY 1, 2"""  # noqa: S608 - our own constants


_SLICE: Final = text(
    " UNION ALL ".join(_slice(source) for source in _SOURCES) + " ORDER BY at, id LIMIT :limit"
)
_COUNT: Final = text(" UNION ALL ".join(_number(source) for source in _SOURCES))
_NO_ID: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Totals:
    """How many attempts there were: by outcome and channel."""

    by: Mapping[tuple[Outcome, str], int]

    @property
    def all(self) -> int:
        """Every one of them."""
        return sum(self.by.values())

    def of(self, outcome: Outcome) -> int:
        """Those with one outcome, on all channels."""
        return sum(count for (one, _), count in self.by.items() if one is outcome)

    def on(self, channel: str) -> int:
        """Those on one channel, with all outcomes."""
        return sum(count for (_, one), count in self.by.items() if one == channel)


async def count_attempts(unit: Unit, wanted: Wanted) -> Totals:
    """How many there were, counted where they stand."""
    rows = await unit.conn.execute(_COUNT, wanted.parameters(unit.lender_id))
    found: Counter[tuple[Outcome, str]] = Counter()
    for row in rows:
        found[Outcome(row.outcome), row.channel] += row.n
    return Totals(found)


async def attempts_after(
    unit: Unit, wanted: Wanted, last: Row[Any] | None, *, limit: int
) -> Sequence[Row[Any]]:
    """The next ones in the order in which they began."""
    rows = await unit.conn.execute(
        _SLICE,
        {
            **wanted.parameters(unit.lender_id),
            "at": wanted.since if last is None else last.at,
            "id": _NO_ID if last is None else last.id,
            "limit": limit,
        },
    )
    return rows.all()


# ------------------------------------------------------------------ whom and what they were about


@dataclass(frozen=True, slots=True)
class Around:
    """What the rows of a slice only name by id, by that id; of messages also their loans."""

    people: Mapping[UUID, Row[Any]]
    loans_of_case: Mapping[UUID, str]
    versions: Mapping[UUID, str]
    loans: Mapping[UUID, str]
    loans_of_message: Mapping[UUID, tuple[str, ...]]
    users: Mapping[UUID, str]
    agencies: Mapping[UUID, str]


async def look_around(unit: Unit, rows: Sequence[Row[Any]]) -> Around:
    """Look up everything that a slice speaks of, one statement for each kind."""

    async def those(query: str, ids: set[UUID]) -> Mapping[UUID, Row[Any]]:
        if not ids:
            return {}
        found = await unit.conn.execute(text(query).bindparams(bindparam("ids", list(ids))))
        return {row.id: row for row in found}

    users = await those(_USERS, {row.user_id for row in rows if row.user_id})
    agencies = await those(_AGENCIES, {row.placement_id for row in rows if row.placement_id})
    loans = await those(_LOANS, {one for row in rows for one in row.loan_ids})
    cases = await those(_CASES, {one for row in rows for one in row.case_ids})
    versions = await those(_VERSIONS, {one for row in rows for one in row.version_ids})
    steps = await those(_STEPS, {row.id for row in rows if row.stands_in == "messages"})
    return Around(
        await those(_PEOPLE, {row.borrower_id for row in rows}),
        {key: row.loan for key, row in cases.items()},
        {key: f"{row.name} {row.number}" for key, row in versions.items()},
        {key: row.external_ref for key, row in loans.items()},
        {key: tuple(row.refs) for key, row in steps.items()},
        {key: row.email for key, row in users.items()},
        {key: row.name for key, row in agencies.items()},
    )


_PEOPLE: Final = """
    SELECT b.id, b.external_ref, coalesce(b.time_zone, n.time_zone) AS zone
    FROM borrowers b JOIN lenders n ON n.id = b.lender_id WHERE b.id = ANY(:ids)
"""
_CASES: Final = """
    SELECT c.id, l.external_ref AS loan FROM cases c JOIN loans l ON l.id = c.loan_id
    WHERE c.id = ANY(:ids)
"""
_VERSIONS: Final = """
    SELECT v.id, s.name, v.number FROM strategy_versions v JOIN strategies s ON s.id = v.strategy_id
    WHERE v.id = ANY(:ids)
"""
_LOANS: Final = "SELECT id, external_ref FROM loans WHERE id = ANY(:ids)"
_STEPS: Final = """
    SELECT p.message_id AS id, array_agg(DISTINCT l.external_ref ORDER BY l.external_ref) AS refs
    FROM strategy_steps p JOIN loans l ON l.id = p.loan_id
    WHERE p.message_id IS NOT NULL AND p.message_id = ANY(:ids) GROUP BY 1
"""
_USERS: Final = "SELECT id, email FROM users WHERE id = ANY(:ids)"
_AGENCIES: Final = """
    SELECT p.id, a.name FROM placements p JOIN agencies a ON a.id = p.agency_id
    WHERE p.id = ANY(:ids)
"""
