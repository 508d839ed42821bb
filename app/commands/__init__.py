"""Groups of commands: each module here defines `NAME` and `app = typer.Typer()`.

`saldo NAME ...` is that module's app; a command without sub-commands is an app with a callback
(`invoke_without_command=True`). Groups import what is heavy inside their functions: all of them
are loaded for every call of `saldo`. A module without `NAME` is a part of others and is not
loaded here.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import typer

_NAMED = re.compile(r"^NAME = ", re.MULTILINE)


def discover() -> Iterator[tuple[str, typer.Typer]]:
    """Name and app of every group, in the order of the modules' names."""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem != "__init__" and _NAMED.search(path.read_text(encoding="utf-8")):
            module = importlib.import_module(f"{__name__}.{path.stem}")
            yield module.NAME, module.app
