"""`saldo lender ...`: lenders of this installation."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.domain.errors import Invalid

if TYPE_CHECKING:
    from app.wiring import Parts

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

NAME = "lender"
app = typer.Typer(help="Lenders: create, change, list.", no_args_is_help=True)

_SETTABLE = (
    "name, language, time_zone, contact_phone, contact_url, creditor_name, creditor_iban, "
    "signals_act, threshold_kind, threshold_minor, threshold_basis_points, case_after_days, "
    "closes_failed, reading_way, reads_bills, webhook_url, push_url, push_fallback_minutes"
)
_CHANNELS = "sms, email, push, payment, reading, webhook or all"
_WHOLE = {
    "threshold_minor",
    "threshold_basis_points",
    "case_after_days",
    "push_fallback_minutes",
}
_YES_OR_NO = {"closes_failed", "reads_bills"}
_SAID = {"yes": True, "true": True, "no": False, "false": False}


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name that borrowers know the lender by.")],
    jurisdiction: Annotated[str, typer.Option(help="Country whose rules count, such as ES.")],
    creditor_iban: Annotated[
        str, typer.Option(help="Account that repayments in EUR go to; others: saldo lender pay-to.")
    ] = "",
    slug: Annotated[str, typer.Option(help="Short name for commands; else made of NAME.")] = "",
    time_zone: Annotated[
        str, typer.Option(help="IANA zone of the lender; else the jurisdiction's.")
    ] = "",
    language: Annotated[str, typer.Option(help="en, es or pl.")] = "en",
    creditor_name: Annotated[str, typer.Option(help="Account holder; else NAME.")] = "",
    contact_phone: Annotated[str, typer.Option(help="Shown to borrowers.")] = "",
    contact_url: Annotated[str, typer.Option(help="Shown to borrowers.")] = "",
    webhook_url: Annotated[str, typer.Option(help="Where Saldo tells the lender's system.")] = "",
    observe_only: Annotated[
        bool,
        typer.Option(
            "--observe-only/--live",
            help="Observe only: read and decide, send nothing. This is how a lender goes live.",
        ),
    ] = True,
    json_wanted: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Create a lender with its own data key. It starts in observe-only mode."""
    from app.flows.lenders.make_lender import LenderWanted, make_lender

    async def work(parts: Parts) -> Any:
        wanted = LenderWanted(
            slug=slug or slug_of(name),
            name=name,
            jurisdiction=jurisdiction.upper(),
            time_zone=time_zone,
            language=language,
            creditor_name=creditor_name,
            creditor_iban=creditor_iban,
            contact_phone=contact_phone,
            contact_url=contact_url,
            webhook_url=webhook_url,
            observe_only=observe_only,
        )
        return await make_lender(parts.house, parts.clock.now(), wanted, actor=ACTOR)

    made = run(work, data_dir)
    if json_wanted:
        typer.echo(as_json(made))
        return
    mode = "observe-only: nothing is sent" if observe_only else "LIVE: messages are sent"
    typer.echo(f"Lender {made.slug} ({made.id}), {mode}.")
    _tell_secret(made.webhook_secret)
    if not creditor_iban:
        typer.echo(f"Next: saldo lender pay-to CURRENCY --lender {made.slug} ...")
    typer.echo(f"Next: saldo key create --lender {made.slug} --label core")


@app.command("pay-to")
def pay_to(
    currency: Annotated[str, typer.Argument(help="Currency of the loans, such as GBP.")],
    iban: Annotated[str, typer.Option(help="IBAN; for PLN the 26 digits of an NRB do.")] = "",
    sort_code: Annotated[
        str, typer.Option(help="For GBP: six digits, with --account-number.")
    ] = "",
    account_number: Annotated[str, typer.Option(help="For GBP: eight digits.")] = "",
    lender: LenderName = None,
    data_dir: DataDir = None,
) -> None:
    """Say which account loans in one currency are repaid to. Payments under way are not moved."""
    from app.flows.money.set_payee import set_payee

    async def work(parts: Parts) -> tuple[str, str]:
        lender_id, slug = await lender_named(parts, lender)
        account = await set_payee(
            parts.house,
            parts.clock.now(),
            lender_id,
            currency.upper(),
            actor=ACTOR,
            iban=iban,
            sort_code=sort_code,
            account_number=account_number,
        )
        return slug, account.masked

    slug, shown = run(work, data_dir)
    typer.echo(f"{slug}: {currency.upper()} is paid to {shown}.")


@app.command("payees")
def list_payees(
    lender: LenderName = None, json_wanted: AsJson = False, data_dir: DataDir = None
) -> None:
    """Where the lender is paid, by currency. Accounts are masked."""
    from sqlalchemy import select

    from app.store.payees import every_payee
    from app.store.tables import lenders

    async def work(parts: Parts) -> list[dict[str, str]]:
        lender_id, _slug = await lender_named(parts, lender)
        async with parts.house.store.unit(lender_id) as unit:
            row = (await unit.conn.execute(select(lenders).where(lenders.c.id == lender_id))).one()
            accounts = await every_payee(unit, row)
        return [{"currency": one, "account": accounts[one].masked} for one in sorted(accounts)]

    found = run(work, data_dir, only_looks=True)
    if json_wanted:
        typer.echo(as_json(found))
        return
    print_table(("currency", "account"), ([row["currency"], row["account"]] for row in found))


@app.command("list")
def list_lenders(json_wanted: AsJson = False, data_dir: DataDir = None) -> None:
    """All lenders of this installation."""
    from sqlalchemy import select

    from app.store.tables import lenders

    columns = ("slug", "name", "jurisdiction", "observe_only", "time_zone", "language", "id")

    async def work(parts: Parts) -> list[dict[str, Any]]:
        query = select(*(lenders.c[name] for name in columns)).order_by(lenders.c.slug)
        async with parts.house.store.engine_unit() as unit:
            return [dict(row._mapping) for row in await unit.conn.execute(query)]

    found = run(work, data_dir, only_looks=True)
    if json_wanted:
        typer.echo(as_json(found))
        return
    shown = columns[:4]
    print_table(shown, ([row[name] for name in shown] for row in found))


@app.command("set")
def set_fields(
    changes: Annotated[
        list[str], typer.Argument(metavar="FIELD=VALUE...", help=f"Any of: {_SETTABLE}.")
    ],
    lender: LenderName = None,
    data_dir: DataDir = None,
) -> None:
    """Change settings of a lender. Every change stands in the audit."""
    from app.flows.lenders.make_lender import set_lender

    wanted = dict(_change(text) for text in changes)

    async def work(parts: Parts) -> Any:
        lender_id, _slug = await lender_named(parts, lender)
        return await set_lender(parts.house, parts.clock.now(), lender_id, wanted, actor=ACTOR)

    done = run(work, data_dir)
    typer.echo(f"Lender {done.slug}: {', '.join(sorted(wanted))} set.")
    _tell_secret(done.webhook_secret)


def slug_of(name: str) -> str:
    """A name as a short word: Préstamos Sol, S.L. -> prestamos-sol-s-l."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")


def _change(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise Invalid(name, "has no value.", mend='Write it like "language=es".')
    if name in _YES_OR_NO:
        if value.lower() not in _SAID:
            raise Invalid(name, "is yes or no.", mend=f'Write it like "{name}=yes".')
        return name, _SAID[value.lower()]
    if name not in _WHOLE:
        return name, value
    try:
        return name, int(value) if value else None
    except ValueError:
        raise Invalid(name, "is a whole number.", mend="Write digits only.") from None


def _tell_secret(secret: str) -> None:
    if secret:
        typer.echo(f"Webhook secret, shown this once: {secret}")


@app.command("go-live")
def go_live(
    reason: Annotated[str, typer.Option(help="Why now; it stands in the audit.")],
    lender: LenderName = None,
    data_dir: DataDir = None,
) -> None:
    """Leave observe-only mode: from now on messages are really sent."""
    _observe_only(lender, reason, data_dir, on=False)


@app.command("observe")
def observe(
    reason: Annotated[str, typer.Option(help="Why; it stands in the audit.")],
    lender: LenderName = None,
    data_dir: DataDir = None,
) -> None:
    """Enter observe-only mode: read and decide, send nothing."""
    _observe_only(lender, reason, data_dir, on=True)


@app.command("halt")
def halt(
    channel: Annotated[str, typer.Argument(help=f"What to halt: {_CHANNELS}.")],
    reason: Annotated[str, typer.Option(help="Why; it stands in the audit.")],
    lender: LenderName = None,
    data_dir: DataDir = None,
) -> None:
    """Throw a stop switch: within a tick nothing more goes out on this channel."""
    _switch(lender, channel, reason, data_dir, halted=True)


@app.command("release")
def release(
    channel: Annotated[str, typer.Argument(help=f"What to let go on: {_CHANNELS}.")],
    reason: Annotated[str, typer.Option(help="Why; it stands in the audit.")],
    lender: LenderName = None,
    data_dir: DataDir = None,
) -> None:
    """Release a stop switch."""
    _switch(lender, channel, reason, data_dir, halted=False)


def _observe_only(lender: str | None, reason: str, data_dir: Path | None, *, on: bool) -> None:
    from app.flows.lenders.set_observe_only import set_observe_only

    async def work(parts: Parts) -> tuple[str, bool]:
        lender_id, slug = await lender_named(parts, lender)
        now = parts.clock.now()
        changed = await set_observe_only(
            parts.house, now, lender_id=lender_id, on=on, reason=reason, actor=ACTOR
        )
        return slug, changed

    slug, changed = run(work, data_dir)
    mode = "observes only: nothing is sent" if on else "is LIVE: messages are sent"
    typer.echo(f"Lender {slug} {mode}." + ("" if changed else " It was so already."))


def _switch(
    lender: str | None, channel: str, reason: str, data_dir: Path | None, *, halted: bool
) -> None:
    from app.flows.lenders.stop_switch import set_switch
    from app.store.brakes import Brake

    if channel not in list(Brake):
        raise Invalid("channel", f"{channel!r} is none.", mend=f"Use {_CHANNELS}.")

    async def work(parts: Parts) -> tuple[str, bool]:
        lender_id, slug = await lender_named(parts, lender)
        changed = await set_switch(
            parts.house,
            parts.clock.now(),
            lender_id=lender_id,
            brake=Brake(channel),
            halted=halted,
            reason=reason,
            actor=ACTOR,
        )
        return slug, changed

    slug, changed = run(work, data_dir)
    state = "halted" if halted else "released"
    typer.echo(f"{slug}: {channel} {state}." + ("" if changed else " It was so already."))
