"""A look at the database through the roles that work in it: what is wrong, and how to mend it.

Every check is one or two SELECTs and can be run at any time on a running installation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import select, text

from app.reports.findings import Finding, note, ok, wrong
from app.settings import is_loopback
from app.store.columns import metadata
from app.store.ready import found_revision, wanted_revision
from app.store.security import APP_ROLE, ENGINE_ROLE
from app.store.tables import lenders
from app.store.unit import Unit

OLDEST_POSTGRES: Final = 15
CLOCKS_APART: Final = timedelta(seconds=5)
JOB_WAITS: Final = timedelta(minutes=2)
HOOK_WAITS: Final = timedelta(minutes=5)
WORKER_SILENT: Final = timedelta(seconds=30)
SCHEDULER_SILENT: Final = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one role arrived: the same server and database, or not."""

    database: str
    started: datetime
    role: str


async def place_of(unit: Unit) -> Place:
    """Database, start of the server, and role behind a unit's connection."""
    query = text("SELECT current_database(), pg_postmaster_start_time(), current_user")
    row = (await unit.conn.execute(query)).one()
    return Place(str(row[0]), row[1], str(row[2]))


async def check_role(unit: Unit, wanted: str, setting: str) -> list[Finding]:
    """The role is the one meant for this, and row security binds it."""
    query = text(
        "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, "
        "  CASE WHEN to_regrole(:wanted) IS NULL THEN false "
        "       ELSE pg_has_role(current_user, to_regrole(:wanted), 'USAGE') END AS member "
        "FROM pg_roles WHERE rolname = current_user"
    )
    row = (await unit.conn.execute(query, {"wanted": wanted})).one()
    check = f"role {wanted}"
    if row.rolsuper or row.rolbypassrls:
        why = "is a superuser" if row.rolsuper else "bypasses row security"
        return [
            wrong(
                check,
                f"{setting} connects as {row.rolname}, which {why}: one lender could see another",
                f"Connect as {wanted}: CREATE ROLE {wanted} LOGIN NOSUPERUSER NOBYPASSRLS.",
            )
        ]
    if not row.member:
        mend = f"Connect as {wanted}, the role that the policies name."
        return [wrong(check, f"{setting} connects as {row.rolname}", mend)]
    return [ok(check, f"connects as {row.rolname}")]


async def check_version(unit: Unit) -> list[Finding]:
    """PostgreSQL is new enough."""
    number = int(await unit.conn.scalar(text("SHOW server_version_num")) or 0)
    major = number // 10_000
    if major < OLDEST_POSTGRES:
        mend = f"Use PostgreSQL {OLDEST_POSTGRES} or newer."
        return [wrong("postgresql", f"the server is version {major}", mend)]
    return [ok("postgresql", f"version {major}")]


async def check_migration(unit: Unit) -> list[Finding]:
    """The tables are those of this version."""
    tables = await unit.conn.scalar(text("SELECT to_regclass('lenders') IS NOT NULL"))
    if not tables:
        return [
            wrong(
                "migration",
                "this database holds no tables of Saldo: it is the wrong one, or a new one",
                "Correct SALDO_DATABASE_URL, or run: saldo migrate",
            )
        ]
    found = await found_revision(unit)
    if found is None:
        return [note("migration", "this role may not see the revision", "Run: saldo migrate")]
    return [judge_revision(found)]


def judge_revision(found: str | None) -> Finding:
    """What the database's revision means for this version."""
    if found == wanted_revision():
        return ok("migration", f"at {found}")
    return wrong(
        "migration",
        f"the database is at {found or 'no revision'}, this version needs {wanted_revision()}",
        "Run: saldo migrate (saldo serve does it at its start).",
    )


async def check_fences(unit: Unit) -> list[Finding]:
    """Row security is forced on every table that belongs to lenders."""
    names = [table.name for table in metadata.sorted_tables if table.info.get("tenant")]
    query = text(
        "SELECT relname FROM pg_class WHERE relname = ANY(:names) AND relkind = 'r' "
        "AND pg_table_is_visible(oid) AND NOT (relrowsecurity AND relforcerowsecurity)"
    )
    open_tables = sorted((await unit.conn.scalars(query, {"names": names})).all())
    if open_tables:
        mend = "ALTER TABLE ... ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY for each."
        return [wrong("row security", f"it is off on {', '.join(open_tables)}", mend)]
    return [ok("row security", f"forced on {len(names)} tables")]


async def check_database_clock(unit: Unit, real_now: Callable[[], datetime]) -> list[Finding]:
    """This machine and the database agree on the time."""
    before = real_now()
    theirs: datetime = (await unit.conn.execute(text("SELECT clock_timestamp()"))).scalar_one()
    after = real_now()
    apart = max(before - theirs, theirs - after, timedelta(0))
    if apart > CLOCKS_APART:
        return [
            wrong(
                "clock",
                f"this machine and the database are {apart.total_seconds():.0f} s apart",
                "Let both follow a time server (NTP).",
            )
        ]
    return [ok("clock", "this machine and the database agree")]


async def check_work(unit: Unit) -> list[Finding]:
    """Somebody plans, somebody works, and nothing waits too long. Real time throughout."""
    rows: dict[str, Any] = dict((await unit.conn.execute(_WORK)).mappings().one())
    found = []
    if rows["beat"] is None:
        found.append(wrong("scheduler", "none is connected", "Start one: saldo scheduler"))
    elif rows["beat"] > SCHEDULER_SILENT:
        mend = "Restart it, and look into its log."
        found.append(wrong("scheduler", "connected, and has not looked for a while", mend))
    else:
        found.append(ok("scheduler", "beats"))
    if rows["heartbeat"] is None or rows["heartbeat"] > WORKER_SILENT:
        found.append(wrong("worker", "none shows a heartbeat", "Start one: saldo worker"))
    else:
        found.append(ok("worker", f"{rows['workers']} alive"))
    if rows["stalled"]:
        found.append(
            wrong(
                "jobs",
                f"{rows['stalled']} jobs were left by workers that died",
                "A running worker takes them up within seconds; start one: saldo worker",
            )
        )
    elif rows["waiting"] is not None and rows["waiting"] > JOB_WAITS:
        mend = "Start more workers, or look into their log."
        found.append(wrong("jobs", f"the oldest has waited {_minutes(rows['waiting'])}", mend))
    else:
        found.append(ok("jobs", "none waits long"))
    if rows["failed"]:
        mend = "Look for job_failed in the workers' log; the rows are tried again by themselves."
        found.append(note("failed jobs", f"{rows['failed']} in the last day", mend))
    if rows["hooks"] is not None and rows["hooks"] > HOOK_WAITS:
        waited = _minutes(rows["hooks"])
        mend = "Look for job_failed handle_inbox in the workers' log."
        found.append(wrong("webhooks", f"one has waited {waited} to be handled", mend))
    if rows["dead"]:
        mend = "See last_error in the outbox table; the receiver must be reachable."
        found.append(note("outbox", f"{rows['dead']} were given up", mend))
    return found


_WORK: Final = text(
    """
    SELECT
      (SELECT clock_timestamp() - max(state_change) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'scheduler engine') AS beat,
      (SELECT clock_timestamp() - max(last_heartbeat) FROM procrastinate_workers) AS heartbeat,
      (SELECT count(*) FROM procrastinate_workers
         WHERE last_heartbeat > clock_timestamp() - interval '30 seconds') AS workers,
      (SELECT count(*) FROM procrastinate_jobs j
         LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
         WHERE j.status = 'doing' AND (w.id IS NULL
           OR w.last_heartbeat < clock_timestamp() - interval '30 seconds')) AS stalled,
      (SELECT clock_timestamp() - min(e.at) FROM procrastinate_jobs j
         JOIN procrastinate_events e ON e.job_id = j.id AND e.type = 'deferred'
         WHERE j.status = 'todo' AND coalesce(j.scheduled_at, e.at) <= clock_timestamp())
         AS waiting,
      (SELECT count(DISTINCT j.id) FROM procrastinate_jobs j
         JOIN procrastinate_events e ON e.job_id = j.id AND e.type = 'failed'
         WHERE j.status = 'failed' AND e.at > clock_timestamp() - interval '1 day') AS failed,
      (SELECT clock_timestamp() - min(received_at) FROM inbox WHERE handled_at IS NULL) AS hooks,
      (SELECT count(*) FROM outbox WHERE state = 'dead') AS dead
    """
)


async def check_providers(unit: Unit) -> list[Finding]:
    """Services that do not answer. Those of banks are left alone for a while and asked again."""
    query = text(
        "SELECT connector, bank_id, service, last_reason FROM provider_health "
        "WHERE state <> 'closed' ORDER BY connector, bank_id, service"
    )
    return [
        note(
            f"{row.service} of {row.bank_id or row.connector}",
            f"{row.connector} fails: {row.last_reason or 'no reason given'}",
            "Nothing to do: it is asked again by itself, and nothing is held against anybody.",
        )
        for row in (await unit.conn.execute(query)).all()
    ]


async def check_lenders(unit: Unit, *, demo: bool) -> list[Finding]:
    """Every lender has what it needs to go live."""
    rows = (await unit.conn.execute(select(lenders).order_by(lenders.c.slug))).all()
    if not rows:
        mend = "Create one: saldo lender create"
        return [note("lenders", "there is none yet", mend)]
    unsaid = await _unsaid(unit)
    found = []
    for row in rows:
        check = f"lender {row.slug}"
        host = urlsplit(row.webhook_url).hostname or ""
        if host and is_loopback(host) and not demo:
            mend = f"saldo lender set --lender {row.slug} webhook_url=https://..."
            found.append(wrong(check, "its webhooks go to this machine itself", mend))
        for currency in unsaid.get(row.id, ()):
            mend = f"saldo lender pay-to {currency} --lender {row.slug} ..."
            what = f"it has no account that repayments in {currency} could go to"
            found.append(note(check, what, mend) if row.observe_only else wrong(check, what, mend))
        if row.observe_only:
            mend = f"To send: saldo lender go-live --lender {row.slug} --reason ..."
            found.append(note(check, "observe-only: nothing is sent", mend))
    return found or [ok("lenders", f"{len(rows)}, all complete")]


async def _unsaid(unit: Unit) -> dict[UUID, list[str]]:
    """For each lender the currencies of its running loans without an account; EUR without both."""
    found: dict[UUID, list[str]] = {}
    for row in (await unit.conn.execute(_UNSAID)).all():
        found.setdefault(row.lender_id, []).append(row.currency)
    return found


_UNSAID: Final = text(
    """
    WITH lent AS (
        SELECT lender_id, currency FROM loans WHERE state = 'active' GROUP BY 1, 2
    ), said AS (
        SELECT lender_id, currency FROM payees
        UNION ALL SELECT id, 'EUR' FROM lenders WHERE creditor_iban_enc IS NOT NULL
    ), wanted AS (
        SELECT lender_id, currency FROM lent
        UNION ALL SELECT id, 'EUR' FROM lenders d
        WHERE NOT EXISTS (SELECT FROM lent WHERE lent.lender_id = d.id)
            AND NOT EXISTS (SELECT FROM said WHERE said.lender_id = d.id)
    )
    SELECT lender_id, currency FROM wanted
    EXCEPT SELECT lender_id, currency FROM said
    ORDER BY 1, 2
    """
)


async def check_confirmations(unit: Unit) -> list[Finding]:
    """Lenders whose systems do not say what is owed when they are asked. Business time."""
    rows = (await unit.conn.execute(_UNCONFIRMED)).all()
    found = []
    for row in rows:
        what = (
            f"what is owed is not confirmed in {row.cases} cases, the oldest since "
            f"{row.since:%Y-%m-%d %H:%M} UTC: nothing is sent about them"
        )
        mend = "Look why its system does not answer loan.balance_requested."
        if not row.webhook_url:
            mend = (
                f"Nobody can be asked: saldo lender set --lender {row.slug} webhook_url=https://..."
            )
        found.append(wrong(f"amounts of {row.slug}", what, mend))
    return found


_UNCONFIRMED: Final = text(
    """
    SELECT n.slug, n.webhook_url, count(*) AS cases,
        min(t.created_at) AT TIME ZONE 'UTC' AS since
    FROM tasks t JOIN lenders n ON n.id = t.lender_id
    WHERE t.reason = 'owed_amount_stale' AND t.state IN ('open', 'taken')
    GROUP BY n.id ORDER BY n.slug
    """
)


ROLES: Final = ((APP_ROLE, "SALDO_DATABASE_URL"), (ENGINE_ROLE, "SALDO_DATABASE_ENGINE_URL"))


def _minutes(waited: timedelta) -> str:
    return f"{waited.total_seconds() / 60:.0f} minutes"
