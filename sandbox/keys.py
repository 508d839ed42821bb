"""Keys of the sandbox's one customer, where several processes have to share them."""

from __future__ import annotations

import os
from pathlib import Path


def kept_key(variable: str) -> bytes | None:
    """The PEM file that a variable of the environment names; None where there is none."""
    named = Path(os.environ.get(variable, ""))
    return named.read_bytes() if named.is_file() else None
