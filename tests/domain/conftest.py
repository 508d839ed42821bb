"""Properties run the same everywhere: no clock, no database of examples, no chance."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("saldo", deadline=None, derandomize=True, database=None)
settings.load_profile("saldo")
