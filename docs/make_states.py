"""Write docs/states.md from the lifecycles: `python docs/make_states.py`."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from app.domain import (  # noqa: E402
    approval,
    breaker,
    bulk_file,
    case,
    consent,
    edition,
    message,
    payment,
    placement,
    promise,
    provider_setup,
    task,
)

LIFECYCLES = (
    consent.REQUEST,
    consent.CONSENT,
    case.CASE,
    message.MESSAGE,
    payment.LINK,
    payment.PAYMENT,
    task.TASK,
    promise.PROMISE,
    approval.APPROVAL,
    placement.PLACEMENT,
    edition.EDITION,
    bulk_file.BULK,
    breaker.BREAKER,
    provider_setup.SETUP,
)


def page() -> str:
    """The whole page in Markdown."""
    parts = [
        "# States\n",
        "Made from the tables in `app/domain` by `python docs/make_states.py`; do not edit.\n",
        "A move that is not listed is refused. A state with no moves is final.\n",
    ]
    for lifecycle in LIFECYCLES:
        parts.append(f"## {lifecycle.name.capitalize()}\n")
        parts.append(f"Starts as `{lifecycle.start}`.\n")
        parts.append("| State | Event | Next state |\n| --- | --- | --- |")
        for state in lifecycle.states:
            events = lifecycle.events(state)
            if not events:
                parts.append(f"| `{state}` | | (final) |")
            parts.extend(
                f"| `{state}` | {event.replace('_', ' ')} | `{lifecycle.step(state, event)}` |"
                for event in events
            )
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    (ROOT / "docs" / "states.md").write_text(page(), encoding="utf-8")
