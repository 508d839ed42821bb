"""Ids that a provider has given out, as parts of the paths it is asked by."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeGuard

from app.domain.errors import Declined


@dataclass(frozen=True, slots=True)
class Ids:
    """What the ids of one connector's provider look like. `unknown`: why any other is declined."""

    connector: str
    shape: re.Pattern[str]
    unknown: str = "NO_SUCH_ID"

    def fits(self, value: object) -> TypeGuard[str]:
        """Whether it can travel in a path."""
        return isinstance(value, str) and self.shape.fullmatch(value) is not None

    def segment(self, value: str, operation: str) -> str:
        """It as one segment of a path. Declined, before anything is sent, for what is none."""
        if not self.fits(value):
            raise Declined(
                "the id cannot be asked for",
                reason=self.unknown,
                connector=self.connector,
                operation=operation,
            )
        return value
