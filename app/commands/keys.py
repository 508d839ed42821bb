"""`saldo keys ...`: the keys that encrypt tokens and personal fields.

Rotating takes three steps, so that no process ever meets a row it cannot open: a new master key
in front (`keys new`, `--add` with the private PostgreSQL), a restart, and `keys rotate`.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.at_work import DataDir, refuse_to_guess, run
from app.domain.errors import Conflict, Invalid, Misconfigured
from app.settings import KEY_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from app.wiring import Parts

NAME = "keys"
app = typer.Typer(help="Encryption keys: make, rotate.", no_args_is_help=True)

_ID = re.compile(r"[A-Za-z0-9_-]{1,20}\Z", re.ASCII)


@app.command()
def new(
    key_id: Annotated[str, typer.Option("--id", help="Name of the master key.")] = "k1",
    add: Annotated[
        bool,
        typer.Option(help="Put a new master key first in this installation's keys.json."),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Print a fresh master key and hash key as settings, or add a master key to keys.json."""
    if not _ID.match(key_id):
        raise Invalid("--id", "has 1 to 20 letters, digits, - and _.")
    if not add:
        typer.echo(f"SALDO_MASTER_KEYS={key_id}:{fresh_key()}")
        typer.echo(f"SALDO_HASH_KEY={fresh_key()}")
        return
    from app.keyring import keys_file
    from app.supervisor.find import settings_for_command

    refuse_to_guess(data_dir)
    path = keys_file(settings_for_command(data_dir).data_dir)
    add_master(path, key_id)
    typer.echo(f"{key_id} is now the first master key in {path}.")
    typer.echo("Restart Saldo, then run: saldo keys rotate")


@app.command()
def rotate(data_dir: DataDir = None) -> None:
    """Wrap all data keys with the first master key, and give every lender a new data key.

    Rows are not written anew: what older data keys sealed stays readable through them.
    """
    changed, made = run(_rotate, data_dir)
    typer.echo(f"{changed} data keys wrapped anew, {made} lenders have a new one.")
    typer.echo("Running processes seal with them in some seconds.")
    typer.echo("Older master keys may be removed with the next restart.")


async def _rotate(parts: Parts) -> tuple[int, int]:
    from sqlalchemy import select

    from app.store.tables import lenders

    async with parts.house.store.engine_unit() as unit:
        changed = await unit.vault.rewrap(unit.conn)
        ids = (await unit.conn.scalars(select(lenders.c.id).order_by(lenders.c.id))).all()
        for lender_id in ids:
            await unit.vault.make_key(unit.conn, lender_id, parts.clock.now())
    return changed, len(ids)


def fresh_key() -> str:
    """32 random bytes in base64."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def add_master(path: Path, key_id: str) -> None:
    """Put a fresh master key in front of keys.json, in one step. Raises `Misconfigured`."""
    try:
        content = json.loads(path.read_text(encoding="ascii"))
        masters = list(content["master_keys"])
    except (OSError, ValueError, KeyError, TypeError):
        raise Misconfigured(
            "SALDO_DATA_DIR",
            f"{path} is not there or cannot be read",
            "With a database of your own, put the key in SALDO_MASTER_KEYS instead.",
        ) from None
    if any(text.partition(":")[0] == key_id for text in masters):
        raise Conflict(f"A master key {key_id!r} exists already. Choose another --id.")
    content["master_keys"] = [f"{key_id}:{fresh_key()}", *masters]
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(handle)
    draft.replace(path)
