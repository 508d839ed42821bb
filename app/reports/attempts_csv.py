"""All attempts of a period as CSV, a slice at a time, with a sum at the end that must agree.

No number or address is written out, and no cell can be taken for a formula by a spreadsheet.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Row

from app.domain.attempt import BARRED, Outcome, source_of
from app.domain.ids import EmailAddress, LenderId, Phone
from app.domain.message import Channel
from app.reports.attempts import (
    Around,
    Wanted,
    attempts_after,
    count_attempts,
    look_around,
)
from app.reports.book_files import safe_cell
from app.store.unit import Store, Unit
from app.store.vault import SealBroken

# A slice is some hundredths of a second of computing, in which nobody else is served.
AT_ONCE: Final = 500
COLUMNS: Final = (
    "begun_utc", "begun_local", "zone", "left_utc", "borrower", "loans", "cases", "channel", "to",
    "purpose", "cause", "by", "who", "strategy", "template", "version", "outcome", "result",
    "against_the_rules", "rules", "why", "sources", "earliest_allowed_utc", "pack", "attempt",
)  # fmt: skip
# Where a contact stands that no person at the desk made -> who did.
_BY: Final = {
    "saldo": "robot",
    "desk": "person",
    "api": "lender's system",
    "outside": "lender's system",
    "agency": "agency",
    "import": "book file",
}


async def attempts_csv(store: Store, lender_id: LenderId, wanted: Wanted) -> AsyncIterator[str]:
    """Lines in the order in which attempts began; at the end how many had which outcome.

    Each slice is a transaction of its own: nobody waits for a slow reader, and memory holds one
    slice. The last line counts anew where the attempts stand: it differs only when somebody has
    reported an older contact meanwhile.
    """
    yield "\ufeff" + _line(COLUMNS)
    last, written = None, Counter[str]()
    while True:
        async with store.unit(lender_id) as unit:
            rows = await attempts_after(unit, wanted, last, limit=AT_ONCE)
            around = await look_around(unit, rows)
            lines = [_line(_cells(unit, row, around)) for row in rows]
        written.update(row.outcome for row in rows)
        if lines:
            yield "".join(lines)
        if len(rows) < AT_ONCE:
            break
        last = rows[-1]
    async with store.unit(lender_id) as unit:
        counted = await count_attempts(unit, wanted)
    yield _line(())
    for outcome in Outcome:
        yield _line(("total", outcome.value, written[outcome.value]))
    yield _line(("total", "written here", written.total()))
    yield _line(("total", "kept in Saldo", counted.all))


def _line(cells: Iterable[object]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(
        [safe_cell(one) if isinstance(one, str) else one for one in cells]
    )
    return out.getvalue()


def _cells(unit: Unit, row: Row[Any], around: Around) -> tuple[object, ...]:
    verdict: Mapping[str, Any] = row.verdict or {}
    person = around.people[row.borrower_id]
    zone = verdict.get("zone") or person.zone
    template, _, version = row.template.partition("/")
    return (
        _utc(row.at),
        f"{row.at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}",
        zone,
        _utc(row.left_at),
        person.external_ref,
        " ".join(_loans(row, around)),
        " ".join(str(one) for one in row.case_ids),
        row.channel,
        _masked(unit, row),
        row.purpose,
        row.cause,
        "person" if row.user_id else _BY.get(row.source, row.source),
        _who(row, around),
        _strategy(row, around),
        template,
        version,
        row.outcome,
        row.result,
        "yes" if row.outcome == Outcome.MADE.value and verdict.get("allowed") is False else "",
        *_rules(row, verdict),
        verdict.get("pack", ""),
        str(row.id),
    )


def _utc(at: datetime | None) -> str:
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _loans(row: Row[Any], around: Around) -> list[str]:
    """Of the cases it was about; before anything is due there is a loan and no case."""
    of_cases = (around.loans_of_case[one] for one in row.case_ids if one in around.loans_of_case)
    named = (around.loans[one] for one in row.loan_ids if one in around.loans)
    return sorted({*of_cases, *named, *around.loans_of_message.get(row.id, ())})


def _masked(unit: Unit, row: Row[Any]) -> str:
    if row.to_enc is None:
        return ""
    if row.channel == Channel.PUSH.value:
        return "the lender's app"
    try:
        address = unit.open("messages.to_enc", row.id, bytes(row.to_enc))
    except SealBroken:
        return "erased"
    if row.channel == Channel.EMAIL.value:
        return EmailAddress(address).masked
    # It was for the app first: the number of the text is looked up when it leaves.
    return Phone(address).masked if address.startswith("+") else ""


def _who(row: Row[Any], around: Around) -> str:
    if row.user_id in around.users:
        return around.users[row.user_id]
    if row.placement_id in around.agencies:
        return around.agencies[row.placement_id]
    return str(row.actor)


def _strategy(row: Row[Any], around: Around) -> str:
    """Name and version that its cases followed then."""
    found = (around.versions[one] for one in row.version_ids if one in around.versions)
    return ", ".join(sorted(found))


def _rules(row: Row[Any], verdict: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Names, sentences and sources of the rules that stood against it; when it may be tried again.

    A hold or a no that came later takes a waiting message back without asking the gate.
    """
    barred = row.outcome == Outcome.REFUSED.value and row.result in BARRED
    against = row.against or ()
    if barred and BARRED[row.result] not in {one["rule"] for one in against}:
        return BARRED[row.result], row.result.replace("_", " "), source_of(row.result), ""
    earliest = verdict.get("earliest_at") if against else None
    return (
        " ".join(one["rule"] for one in against),
        " ".join(one["words"] for one in against) or str(verdict.get("because", "")),
        " | ".join(dict.fromkeys(one["source"] for one in against)),
        "" if earliest is None else _utc(datetime.fromisoformat(earliest)),
    )
