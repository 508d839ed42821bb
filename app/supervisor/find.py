"""From a command to the instance it is about: the running one, or the one the settings name."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from app.domain.errors import NotFound
from app.instance import Instance, find_running
from app.settings import Settings, load_settings


def running(data_dir: Path | None = None) -> Instance:
    """The instance that runs now: of `data_dir`, of SALDO_DATA_DIR, or found by its run file.

    With several, the one of the working folder, else the one started last; the others are named
    on stderr.
    Raises NotFound when none runs.
    """
    named = data_dir or (Path(path) if (path := os.environ.get("SALDO_DATA_DIR")) else None)
    found = find_running(named)
    if not found:
        where = f" from {named}" if named else " on this machine"
        raise NotFound(f"No Saldo runs{where}. Start one with `saldo serve` or `saldo demo`.")
    if len(found) > 1:
        others = ", ".join(one.data_dir for one in found[1:])
        typer.echo(f"Asking {found[0].data_dir}; also running: {others}", err=True)
    return found[0]


def settings_for_command(data_dir: Path | None = None) -> Settings:
    """Settings that lead a command (status, doctor, lender create, …) to its instance.

    A database set in the environment wins; then what runs here; then the settings as they are
    (a stopped installation: connecting will say so).
    """
    plain = load_settings(**({"data_dir": data_dir} if data_dir else {}))
    if not plain.embedded:
        return plain
    try:
        instance = running(data_dir)
    except NotFound:
        return plain
    return load_settings(**instance.overrides()) if instance.embedded else plain
