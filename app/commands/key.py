"""`saldo key ...`: API keys of lenders' systems."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

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
from app.domain.errors import Invalid, NotFound

if TYPE_CHECKING:
    from app.flows.lenders.make_key import KeyListed
    from app.wiring import Parts

NAME = "key"
app = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)


@app.command()
def create(
    label: Annotated[str, typer.Option(help="What uses it, such as core-banking.")],
    lender: LenderName = None,
    json_wanted: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Make an API key. It is shown this once; only a keyed hash is kept."""
    from app.flows.lenders.make_key import make_key

    async def work(parts: Parts) -> Any:
        lender_id, _slug = await lender_named(parts, lender)
        return await make_key(parts.house, parts.clock.now(), lender_id, label, actor=ACTOR)

    made = run(work, data_dir)
    typer.echo(as_json(made) if json_wanted else made.token)


@app.command("list")
def list_all(
    lender: LenderName = None, json_wanted: AsJson = False, data_dir: DataDir = None
) -> None:
    """API keys with their last use (noted at most once a minute)."""
    found = run(lambda parts: _listed(parts, lender), data_dir, only_looks=True)
    if json_wanted:
        typer.echo(as_json(found))
        return
    print_table(
        ("prefix", "lender", "label", "made", "last used", "revoked"),
        (
            (
                one.prefix,
                one.lender,
                one.label,
                _minute(one.created_at),
                _minute(one.used_at),
                _minute(one.revoked_at),
            )
            for one in found
        ),
    )


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Prefix (sk_…) or id of the key.")],
    data_dir: DataDir = None,
) -> None:
    """Revoke a key, from this moment."""
    from app.flows.lenders.make_key import revoke_key

    async def work(parts: Parts) -> str:
        chosen = pick(await _listed(parts, None), key)
        return await revoke_key(parts.house, parts.clock.now(), chosen, actor=ACTOR)

    typer.echo(f"Revoked {run(work, data_dir)}….")


def pick(found: list[KeyListed], wanted: str) -> UUID:
    """The one key of that prefix or id. Raises `NotFound`, or `Invalid` for several."""
    same = [one for one in found if wanted in (one.prefix, str(one.id))]
    if not same:
        raise NotFound("There is no such API key. `saldo key list` shows them.")
    if len(same) > 1:
        ids = ", ".join(str(one.id) for one in same)
        raise Invalid("key", "several keys begin like this.", mend=f"Name one by its id: {ids}.")
    return same[0].id


async def _listed(parts: Parts, lender: str | None) -> list[KeyListed]:
    from app.flows.lenders.make_key import list_keys

    if lender is None:
        return await list_keys(parts.house)
    lender_id, _slug = await lender_named(parts, lender)
    return await list_keys(parts.house, lender_id)
