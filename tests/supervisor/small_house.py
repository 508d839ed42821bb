"""A supervisor over small children, as a program: what the tests start and kill.

    python small_house.py DATA_DIR [--port N] [--misconfigured] [--stubborn] [--once]

The children write a line into DATA_DIR/marks for what happens to them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import psycopg

from app.domain.errors import SaldoError
from app.logs import configure_logs
from app.settings import load_settings
from app.store.embedded_setup import TEST_TUNING
from app.supervisor.children import Child
from app.supervisor.serve import Plan, Supervisor

SMALL_CHILD = str(Path(__file__).resolve().parent / "small_child.py")


def main() -> int:
    data_dir = Path(sys.argv[1])
    configure_logs("info", "text", "supervisor")
    plan = Plan(
        settings=load_settings(data_dir=data_dir, demo=True),
        children=children(str(data_dir / "marks"), sys.argv[2:]),
        urls={"web": "http://127.0.0.1:1"},
        migrate=_migrate,
        on_ready=lambda: print("READY", flush=True),
        tuning=TEST_TUNING,
    )
    try:
        return Supervisor(plan).run()
    except SaldoError as error:
        print(f"REFUSED {error}", flush=True)
        return 1


def children(marks: str, options: list[str]) -> list[Child]:
    small = (sys.executable, SMALL_CHILD, marks)
    found = [Child("child-1", small), Child("child-2", small)]
    if "--port" in options:
        number = options[options.index("--port") + 1]
        port = ("127.0.0.1", int(number))
        found.append(
            Child("web", (*small, "--port", number), port=port, port_setting="SALDO_WEB_PORT")
        )
    if "--misconfigured" in options:
        found.append(Child("wrong", (sys.executable, "-c", "import os; os._exit(78)")))
    if "--stubborn" in options:
        found.append(Child("stubborn", (*small, "--stubborn")))
    if "--once" in options:
        line = "import sys; open(sys.argv[1], 'a').write('once 0\\n')"
        found.append(Child("once", (sys.executable, "-c", line, marks), once=True))
    return found


def _migrate(owner_url: str) -> None:
    with psycopg.connect(owner_url) as link:
        link.execute("CREATE TABLE IF NOT EXISTS proof (at timestamptz)")


if __name__ == "__main__":
    sys.exit(main())
