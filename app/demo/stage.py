"""What the demo runs: Saldo's own processes, the outside world, and the director."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from app.clock import read_clock, start_warp
from app.demo import providers
from app.demo.director import OPENING_SPEED
from app.settings import Settings
from app.store.embedded_place import reachable_postgres_dir
from app.supervisor.children import Child, saldo_child
from app.supervisor.serve import standard_children
from sandbox.mails import BOUNCE_SECRET

# A Monday, seven in the morning in Madrid.
FIRST_MORNING = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
SEED = 7

TWILIO_SID = "AC" + "5a1d0" * 6 + "5a"
TWILIO_TOKEN = "sandbox-token"  # noqa: S105 - opens nothing but the sandbox on this machine
TWILIO_NUMBER = "+34600000001"


def web_url(settings: Settings) -> str:
    """Where Saldo's pages are in the demo."""
    return f"http://127.0.0.1:{settings.demo_web_port}"


def sandbox_url(settings: Settings) -> str:
    """Where the banks and phones are."""
    return f"http://127.0.0.1:{settings.demo_sandbox_port}"


def presence_file(folder: Path) -> Path:
    """Touched whenever a person (not a robot) looks at a phone or a borrower's page."""
    return folder / "presence"


def environment(settings: Settings, folder: Path, through: Sequence[str]) -> Mapping[str, str]:
    """The settings every process of the demo starts with. `through` names its providers."""
    sandbox = sandbox_url(settings)
    return {
        "SALDO_DEMO": "true",
        "SALDO_DATA_DIR": str(folder),
        "SALDO_POSTGRES_DIR": str(reachable_postgres_dir(folder)),
        "SALDO_CLOCK_FILE": str(folder / "clock.json"),
        "SALDO_PUBLIC_URL": web_url(settings),
        "SALDO_WEB_HOST": "127.0.0.1",
        "SALDO_WEB_PORT": str(settings.demo_web_port),
        "SALDO_DATABASE_URL": "",
        "SALDO_DATABASE_ENGINE_URL": "",
        "SALDO_DATABASE_OWNER_URL": "",
        "SALDO_MESSAGE_CONNECTOR": "twilio",
        "SALDO_TWILIO_BASE_URL": f"{sandbox}/twilio",
        "SALDO_TWILIO_ACCOUNT_SID": TWILIO_SID,
        "SALDO_TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
        "SALDO_TWILIO_FROM_NUMBER": TWILIO_NUMBER,
        "SALDO_EMAIL_CONNECTOR": "smtp",
        "SALDO_SMTP_HOST": "127.0.0.1",
        "SALDO_SMTP_PORT": str(settings.demo_mail_port),
        "SALDO_SMTP_SECURITY": "none",
        "SALDO_SMTP_FROM_ADDRESS": "mensajes@sol.example",
        "SALDO_SMTP_BOUNCE_SECRET": BOUNCE_SECRET,
        "SALDO_LENDER_WEBHOOK_ALLOW_LOOPBACK": "true",
        "SALDO_LOG_LEVEL": os.environ.get("SALDO_LOG_LEVEL", "error"),
        **providers.settings_of(through, sandbox, folder),
    }


def set_clock(folder: Path) -> bool:
    """Start the clock on its first morning; True when this is a first start."""
    path = folder / "clock.json"
    if read_clock(path) is not None:
        return False
    start_warp(path, business_start=FIRST_MORNING, speed=OPENING_SPEED)
    return True


def children(settings: Settings, folder: Path) -> tuple[Child, ...]:
    """Everything the supervisor of the demo keeps running."""
    port = settings.demo_sandbox_port
    outside = Child(
        "sandbox",
        (
            sys.executable, "-P", "-m", "sandbox",
            "--port", str(port),
            "--mail-port", str(settings.demo_mail_port),
            "--data", str(folder / "sandbox"),
            "--clock", str(folder / "clock.json"),
            "--presence", str(presence_file(folder)),
            "--seed", str(SEED),
            "--people", str(settings.demo_people),
            "--saldo", web_url(settings),
            "--lender", str(folder / "cast.json"),
        ),
        port=("127.0.0.1", port),
        port_setting="SALDO_DEMO_SANDBOX_PORT",
    )  # fmt: skip
    return (outside, *standard_children(settings), saldo_child("director", "demo", "direct"))
