"""`saldo connectors ...`: which providers there are, whether one works, how answers are read."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import MAXYEAR, UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from app.commands.at_work import AsJson, DataDir, as_json, print_table, run, tell_findings
from app.domain.errors import Invalid, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.balance import Spendable
    from app.ports import BalanceAnswer, BankReader, Connector
    from app.reports.findings import Finding
    from app.wiring import Parts

NAME = "connectors"
app = typer.Typer(help="Providers: what each can do, and how its answers are read.")

LARGEST_FILE = 20 * 1024 * 1024
_DEEPEST_WRAPPING = 3
_MAY_BE_AHEAD = ("forwardAvailable", "expected")


@app.command("list")
def list_connectors() -> None:
    """Every connector, what it can do, and whether a lender can bring his own contract to it.

    Which lenders have done so says `saldo connectors own`.
    """
    import connectors
    from app.commands.ways_out import SLOTS
    from app.domain.provider_setup import Slot

    print_table(
        ("connector", "can do", "needs a licence", "a lender's own"),
        (
            (
                one.name,
                ", ".join(slot for slot in SLOTS if getattr(one, slot) is not None),
                "yes" if one.needs_licence else "no",
                "yes" if one.by_lender and any(getattr(one, slot.value) for slot in Slot) else "no",
            )
            for one in sorted(connectors.discover().values(), key=lambda one: one.name)
        ),
    )


@app.command("own")
def list_own(json_wanted: AsJson = False, data_dir: DataDir = None) -> None:
    """What lenders have set up for themselves: whose, for which job, and since when. No secrets.

    Names are those that consents, payments and messages carry, and the last part of the address
    that the provider calls (/hooks/NAME).
    """
    from app.reports.providers import every_provider

    async def work(parts: Parts) -> list[dict[str, Any]]:
        async with parts.house.store.engine_unit() as unit:
            return await every_provider(unit)

    found = run(work, data_dir, only_looks=True)
    if json_wanted:
        typer.echo(as_json(found))
    elif not found:
        typer.echo("No lender has set up a provider of his own.")
    else:
        names = ("lender", "slot", "name", "state", "made_by", "in_force_at")
        print_table(names, ([one[name] or "" for name in names] for one in found))


@app.command("check")
def check_connector(
    connector: Annotated[str, typer.Argument(help="Name of the connector, such as berlin_group.")],
    live: Annotated[
        bool,
        typer.Option(
            help="Also ask each of its addresses one plain question over the network, and the "
            "provider whether it takes the access data."
        ),
    ] = False,
    json_wanted: AsJson = False,
) -> None:
    """Look at a connector's settings and certificates. Status 1 when anything is wrong.

    Needs no database, reads no account and shows no secret.
    """
    import connectors
    from app.commands.ways_out import look, reach
    from app.logs import configure_logs
    from app.settings import load_settings
    from connectors import _http

    configure_logs("error", "text", "connectors")
    one = connectors.discover().get(connector)
    if one is None:
        known = ", ".join(sorted(connectors.discover()))
        raise NotFound(f"There is no connector {connector!r}. There are: {known}.")
    found = look(one, load_settings())

    async def ask() -> list[Finding]:
        async with _http.client() as http:
            return await reach(one, http)

    if live and not any(finding.verdict == "wrong" for finding in found):
        found += asyncio.run(ask())
    tell_findings(found, json_wanted=json_wanted)


@app.command("parse")
def parse_answer(
    connector: Annotated[str, typer.Argument(help="Name of the connector, such as berlin_group.")],
    what: Annotated[str, typer.Argument(help="What the file holds: balances.")],
    file: Annotated[Path, typer.Argument(help="A saved JSON answer; - reads standard input.")],
    limits_excluded: Annotated[
        bool,
        typer.Option(help="The bank states that its balances never contain a credit limit."),
    ] = False,
    bank: Annotated[
        str, typer.Option(help="Read it as this bank of the list is read, by its id.")
    ] = "",
    profile: Annotated[
        Path | None,
        typer.Option(help="A list of banks, or one bank, to take the bank's entry from."),
    ] = None,
    read_at: Annotated[
        str,
        typer.Option(help="When the bank gave it, such as 2026-11-23T09:00Z: later is not yet."),
    ] = "",
) -> None:
    """Say which money of a saved answer could be spent, as JSON: as it would be read live.

    Status 0 whenever it could be judged: also when nothing is spendable, and when it is no answer
    that anybody can read (`unreadable_answer`). Status 1 when the file or an option is wrong.
    """
    from app.domain.balance import Spendable, Unusable
    from app.domain.errors import Unreadable

    if what != "balances":
        raise Invalid("what", f"{what!r} cannot be parsed.", mend="Use: balances.")
    read, entry = _reader(connector), _bank_reader(connector, bank, profile)
    try:
        judged = judge(
            entry.parse if entry else read,
            read_json(file),
            limits_excluded=limits_excluded or (entry is not None and entry.bank.limits_excluded),
            read_at=_instant(read_at),
            zone=ZoneInfo(entry.bank.time_zone) if entry else UTC,
        )
    except Unreadable as error:
        judged = [Spendable(None, unusable=Unusable.UNREADABLE_ANSWER, problem=error.detail)]
    shown = [_shown(one) for one in judged]
    typer.echo(json.dumps(shown[0] if len(shown) == 1 else shown, indent=2))


def read_json(file: Path) -> Any:
    """The decoded document, as an answer over the network is decoded.

    Raises `Invalid` for what is wrong with the file, `Unreadable` for what is no JSON.
    """
    from app.domain.errors import Unreadable
    from connectors._exchange import NOT_JSON, SAID_TWICE
    from connectors._json import TwoValues, decoded

    try:
        if str(file) == "-":
            raw = sys.stdin.buffer.read(LARGEST_FILE + 1)
        else:
            with file.open("rb") as opened:
                raw = opened.read(LARGEST_FILE + 1)
    except OSError as error:
        raise Invalid(
            "file",
            f"{file} cannot be read: {error.strerror}.",
            mend="Check its name and your rights to it.",
        ) from None
    if len(raw) > LARGEST_FILE:
        raise Invalid(
            "file",
            f"{file} is larger than {LARGEST_FILE} bytes.",
            mend="Give one answer of one bank.",
        )
    try:
        return decoded(raw)
    except TwoValues:
        raise Unreadable(SAID_TWICE) from None
    except ValueError:
        raise Unreadable(NOT_JSON) from None


def judge(
    read: Callable[[Any], tuple[BalanceAnswer, ...]],
    document: Any,
    *,
    limits_excluded: bool,
    read_at: datetime | None = None,
    zone: tzinfo = UTC,
) -> list[Spendable]:
    """One result per account, and per currency where an account holds several. Never empty.

    `read_at` is when the bank answered: what is dated after that day is not money yet. Where
    nobody noted it, the dates of the answer itself tell.

    `zone` is the bank's. Raises `Unreadable` for a document that holds no balances, such as the
    words of a refusal.
    """
    from app.domain.balance import Spendable, Unusable, spendable_per_currency, tomorrow_at
    from app.reference.bank_days import books_end_at

    answers = _answers(read, document, _DEEPEST_WRAPPING)
    found = [
        one
        for answer in answers
        for one in spendable_per_currency(
            answer.entries,
            answer.currency,
            limits_excluded=limits_excluded,
            tomorrow=tomorrow_at(read_at or _day_of(answer), zone),
            books_end=books_end_at(read_at or _day_of(answer), zone),
        )
    ]
    return found or [Spendable(None, unusable=Unusable.NO_BALANCES)]


def _day_of(answer: BalanceAnswer) -> datetime:
    """When a saved answer was given, by the latest figure in it that cannot be of the future.

    A closing balance is often that of the day before. Without any such date it is of now; a year
    that is not near (2099, 9999) tells of no day.
    """
    from app.domain.balance import CLOSING

    now = datetime.now(UTC)
    dates = [
        entry.as_of + timedelta(days=entry.kind in CLOSING)
        for entry in answer.entries
        if entry.as_of is not None
        and entry.as_of.year <= now.year + 1
        and entry.kind not in _MAY_BE_AHEAD
    ]
    return max(dates, default=now)


def _answers(
    read: Callable[[Any], tuple[BalanceAnswer, ...]], document: Any, depth: int
) -> tuple[BalanceAnswer, ...]:
    """What the connector reads; an answer saved inside one wrapping is taken out of it."""
    from app.domain.errors import Unreadable

    try:
        return read(document)
    except Unreadable:
        inner = [part for part in _parts(document) if isinstance(part, dict | list)]
        wrapped = [found for part in inner if depth > 0 and (found := _within(read, part, depth))]
        # Two different answers in one wrapping would be a guess.
        if len(wrapped) == 1:
            return wrapped[0]
        raise


def _within(
    read: Callable[[Any], tuple[BalanceAnswer, ...]], part: Any, depth: int
) -> tuple[BalanceAnswer, ...]:
    from app.domain.errors import Unreadable

    try:
        return _answers(read, part, depth - 1)
    except Unreadable:
        return ()


def _parts(document: Any) -> list[Any]:
    return list(document.values()) if isinstance(document, dict) else []


def _reader(name: str) -> Callable[[Any], tuple[BalanceAnswer, ...]]:
    import connectors

    found: dict[str, Connector] = connectors.discover()
    able = sorted(one.name for one in found.values() if one.parse_balances is not None)
    read = found[name].parse_balances if name in found else None
    if read is None:
        raise NotFound(f"No connector {name!r} reads balances. These do: {', '.join(able)}.")
    return read


def _bank_reader(name: str, bank: str, profile: Path | None) -> BankReader | None:
    """How the chosen bank is read; None where none is chosen."""
    import connectors

    if not bank and profile is None:
        return None
    readers = connectors.discover()[name].bank_readers
    if readers is None:
        raise Invalid("bank", f"{name} reads all banks alike.", mend="Leave the bank out.")
    listed = readers(profile)
    if not bank and len(listed) == 1:
        return next(iter(listed.values()))
    if bank not in listed:
        raise NotFound(f"Choose by --bank one of: {', '.join(sorted(listed))}.")
    return listed[bank]


def _instant(text: str) -> datetime | None:
    from connectors._stated import instant_of

    if not text:
        return None
    found = instant_of(text, UTC)
    if found is None or found.year == MAXYEAR:
        raise Invalid("read_at", f"{text!r} is no instant.", mend="Write 2026-11-23T09:00Z.")
    return found


def _shown(result: Spendable) -> dict[str, Any]:
    amount = result.amount
    as_of = None if result.as_of is None else result.as_of.astimezone(UTC)
    shown = {
        "spendable": None
        if amount is None
        else {"minor": amount.minor, "currency": amount.currency},
        "kind": result.kind,
        "as_of": None if as_of is None else as_of.isoformat().replace("+00:00", "Z"),
        "credit_excluded": result.credit_excluded,
        "unusable": None if result.unusable is None else result.unusable.value,
    }
    return {**shown, "problem": result.problem} if result.problem else shown
