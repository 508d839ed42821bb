"""`saldo bank ...`: announced maintenance of banks, and which of them do not answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import typer

from app.commands.at_work import (
    ACTOR,
    AsJson,
    DataDir,
    LenderName,
    as_json,
    lender_named,
    print_table,
    run,
)
from app.domain.errors import Invalid

if TYPE_CHECKING:
    from app.wiring import Parts

NAME = "bank"
app = typer.Typer(help="Banks: maintenance they announced, and who does not answer.",
                  no_args_is_help=True)  # fmt: skip


@app.command("down")
def down(json_wanted: AsJson = False, data_dir: DataDir = None) -> None:
    """Services of banks and providers that do not answer now, of the whole installation."""
    from app.reports.health import down_now

    async def work(parts: Parts) -> list[dict[str, Any]]:
        async with parts.house.store.engine_unit() as unit:
            return await down_now(unit)

    found = run(work, data_dir, only_looks=True)
    if json_wanted:
        typer.echo(as_json(found))
    elif not found:
        typer.echo("Everybody answers.")
    else:
        names = ("connector", "bank_id", "service", "since", "reason")
        print_table(names, ([one[name] or "" for name in names] for one in found))


@app.command("rests")
def rests(lender: LenderName = None, json_wanted: AsJson = False, data_dir: DataDir = None) -> None:
    """Maintenance that is written down for a lender and not over, with its ids."""
    from app.store.maintenance import rests_of_lender

    async def work(parts: Parts) -> list[dict[str, Any]]:
        lender_id, _slug = await lender_named(parts, lender)
        async with parts.house.store.unit(lender_id) as unit:
            found = await rests_of_lender(unit, parts.clock.now())
        return [dict(row._mapping) for row in found]

    found = run(work, data_dir, only_looks=True)
    if json_wanted:
        typer.echo(as_json(found))
        return
    names = ("id", "connector", "bank_id", "starts_at", "ends_at", "reason")
    print_table(names, ([row[name] for name in names] for row in found))


@app.command("rest")
def rest(
    bank: Annotated[
        str, typer.Argument(help="CONNECTOR/BANK, such as berlin_group/luz; CONNECTOR/ means all.")
    ],
    begins: Annotated[
        str, typer.Option("--from", help="Local time of the lender, like 2026-12-05T20:00.")
    ],
    until: Annotated[str, typer.Option(help="The same: the first minute it answers again.")],
    reason: Annotated[str, typer.Option(help="Where it was announced; it stands in the audit.")],
    lender: LenderName = None,
    data_dir: DataDir = None,
) -> None:
    """Write down that a bank will not answer: no read is planned into it, and payers are told."""
    from app.flows.providers.set_maintenance import set_maintenance

    async def work(parts: Parts) -> tuple[str, UUID]:
        lender_id, slug = await lender_named(parts, lender)
        zone = await _zone(parts, lender_id)
        connector, _, bank_id = bank.partition("/")
        rest_id = await set_maintenance(
            parts.house,
            parts.clock.now(),
            lender_id=lender_id,
            bank=(connector, bank_id),
            span=(_moment("from", begins, zone), _moment("until", until, zone)),
            reason=reason,
            actor=ACTOR,
        )
        return slug, rest_id

    slug, rest_id = run(work, data_dir)
    typer.echo(f"{slug}: {bank} rests from {begins} until {until}.")
    typer.echo(f"To take it back: saldo bank awake {rest_id} --lender {slug}")


@app.command("awake")
def awake(
    rest_id: Annotated[UUID, typer.Argument(help="The id that `saldo bank rests` shows.")],
    lender: LenderName = None,
    data_dir: DataDir = None,
) -> None:
    """Take back maintenance before its end: the bank is asked again as ever."""
    from app.flows.providers.set_maintenance import lift_maintenance

    async def work(parts: Parts) -> str:
        lender_id, slug = await lender_named(parts, lender)
        await lift_maintenance(
            parts.house, parts.clock.now(), lender_id=lender_id, rest_id=rest_id, actor=ACTOR
        )
        return slug

    typer.echo(f"{run(work, data_dir)}: taken back.")


async def _zone(parts: Parts, lender_id: Any) -> ZoneInfo:
    from app.reports.book import lender_of

    async with parts.house.store.unit(lender_id) as unit:
        return ZoneInfo((await lender_of(unit)).time_zone)


def _moment(name: str, text: str, zone: ZoneInfo) -> datetime:
    """A local time, or one with a zone of its own, as an instant."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(name, "is not a time.", mend="Write it like 2026-12-05T20:00.") from None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
