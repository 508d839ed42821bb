"""The demo's own folder. It is marked, and only a marked folder is ever deleted."""

from __future__ import annotations

import shutil
from pathlib import Path

from app.domain.errors import Conflict, Misconfigured
from app.instance import is_held
from app.store.embedded import EmbeddedServer
from app.store.embedded_place import reachable_postgres_dir

MARK = ".saldo-demo"
_WORDS = "This folder belongs to the Saldo demo and may be deleted with `make demo FRESH=1`.\n"


def open_folder(folder: Path, *, fresh: bool) -> Path:
    """Make the folder or use it again; with `fresh`, empty it first.

    Raises `Misconfigured` when the folder exists, holds something, and is not marked, and
    `Conflict` when a demo runs in it that would lose its ground.
    """
    folder = folder.resolve()
    marked = (folder / MARK).is_file()
    if folder.exists() and not marked and (not folder.is_dir() or any(folder.iterdir())):
        raise Misconfigured(
            "SALDO_DEMO_DIR",
            f"{folder} holds something that is not a demo",
            "Choose another folder; nothing was deleted.",
        )
    if fresh and marked:
        if is_held(folder):
            raise Conflict(f"The demo in {folder} runs. Stop it first, with Ctrl-C where it runs.")
        EmbeddedServer(folder, postgres_dir=reachable_postgres_dir(folder)).remove()
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    (folder / MARK).write_text(_WORDS, encoding="utf-8")
    return folder
