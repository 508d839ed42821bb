"""Where providers call their customer about payments, as he has set it up in their consoles."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Hooks:
    """`urls`: the customer's address by provider; one without is never called. `origin`: our own
    address, which some providers name in their calls.
    """

    urls: dict[str, str] = field(default_factory=dict)
    origin: str = ""
