"""Read the strategies that ship in policies/strategies, checked to the last field."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from app.domain.errors import Invalid, Misconfigured
from app.domain.stages import StrategyBody, parse_body

STRATEGIES_FOLDER: Final = Path(__file__).resolve().parents[2] / "policies" / "strategies"
# The one that a lender has who chose nothing.
DEFAULT: Final = "soft"


def load_strategies(folder: Path = STRATEGIES_FOLDER) -> Mapping[str, StrategyBody]:
    """Every strategy of the folder by its name. Raises `Misconfigured` for the first fault.

    A file carries the name of its strategy, and the default one must be among them.
    """
    found = {path.stem: _read(path) for path in sorted(folder.glob("*.toml"))}
    if DEFAULT not in found:
        raise _fault(str(folder), "name", f"there is no {DEFAULT}.toml")
    return found


@cache
def shipped_strategies() -> Mapping[str, StrategyBody]:
    """Those of this installation, read once."""
    return load_strategies()


def _read(path: Path) -> StrategyBody:
    try:
        body = parse_body(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise _fault(path.name, "TOML", str(fault)) from None
    except Invalid as fault:
        raise _fault(path.name, fault.field, fault.said) from None
    if body.name != path.stem:
        raise _fault(path.name, "name", f"is {body.name!r} in a file called {path.name}")
    return body


def _fault(where: str, field: str, problem: str) -> Misconfigured:
    return Misconfigured(f"policies: {where}", f"{field}: {problem}", "Correct the file.")
