"""Groups of commands: each module here defines `NAME` and `app = typer.Typer()`.

`saldo NAME ...` is that module's app; a command without sub-commands is an app with a callback
(`invoke_without_command=True`). Modules import what is heavy inside their functions: all of them
are loaded for every call of `saldo`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import typer


def discover() -> Iterator[tuple[str, typer.Typer]]:
    """Name and app of every group, in the order of the modules' names."""
    for found in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{found.name}")
        if isinstance(getattr(module, "app", None), typer.Typer):
            yield module.NAME, module.app
