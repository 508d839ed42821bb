"""The storm: the demo runs, and processes are killed outright at seeded random moments.

    python -m tests.scenarios.storm --kills 50 --seed 7

Anything may die: supervisor, web, scheduler, worker, director, keeper, the sandbox, the
postmaster. Afterwards nothing may have left twice, no allowance may have been exceeded, no case
may be stuck, and when it is stopped the database server is stopped too. The seed is printed, and
the kills with it, so that a failure can be told again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from app.instance import read_instance
from app.store.embedded import find_postmaster
from app.store.embedded_setup import read_access
from tests.places import run_base

ROOT = Path(__file__).resolve().parents[2]

START_PATIENCE_S = 300.0
CALM_S = 25.0
STOP_PATIENCE_S = 40.0
# Killing without a pause kills the business as well, and then nothing can go wrong: after each
# burst it gets this long to send and to be paid again.
BURST = 5
LULL_S = 20.0


@dataclass(slots=True)
class Findings:
    """What the storm left behind. All of `wrong` must be empty."""

    kills: list[str] = field(default_factory=list)
    status: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


class Storm:
    """One demo in a folder of its own, and the hand that kills its processes."""

    def __init__(self, seed: int, *, people: int = 60) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.folder = Path(tempfile.mkdtemp(prefix="saldo-storm-", dir=run_base()))
        self.folder.chmod(0o755)
        self.demo = self.folder / "demo"
        self.home = self.folder / "home"
        self.home.mkdir()
        web, sandbox, mail = _free_ports(3)
        self.sandbox_url = f"http://127.0.0.1:{sandbox}"
        self._environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith("SALDO_")},
            "HOME": str(self.home),
            "SALDO_DEMO_DIR": str(self.demo),
            "SALDO_DEMO_WEB_PORT": str(web),
            "SALDO_DEMO_SANDBOX_PORT": str(sandbox),
            "SALDO_DEMO_MAIL_PORT": str(mail),
            "SALDO_DEMO_PEOPLE": str(people),
            "SALDO_WORKER_COUNT": "2",
            "SALDO_SCHEDULER_COUNT": "2",
            "PYTHONPATH": str(ROOT),
        }
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._log = (self.folder / "demo.log").open("ab")
        self.findings = Findings()

    # ------------------------------------------------------------ the demo's life

    def start(self) -> None:
        """Start the demo, or start it again after its supervisor was killed."""
        self._supervisor = subprocess.Popen(
            [sys.executable, "-P", "-m", "app", "demo"],
            env=self._environ,
            cwd=self.folder,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def stop(self) -> None:
        """Ask it to stop, wait, and note what is still alive afterwards."""
        known = self._everything()
        if self._supervisor is not None and self._supervisor.poll() is None:
            self._supervisor.send_signal(signal.SIGTERM)
            try:
                self._supervisor.wait(STOP_PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.findings.wrong.append("the supervisor did not stop")
                self._supervisor.kill()
        _, alive = psutil.wait_procs(known.values(), timeout=5)
        left = [f"{process.pid} {process.name()}" for process in alive]
        if left:
            self.findings.wrong.append(f"still alive after the stop: {', '.join(left)}")
        if find_postmaster(self.demo / "postgres") is not None:
            self.findings.wrong.append("the database server still runs")

    def clean_up(self) -> None:
        """End what may be left (only processes of this storm) and remove the folder."""
        for process in self._everything().values():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ------------------------------------------------------------ the killing

    def rage(self, kills: int) -> None:
        """Kill in bursts, one process after another, a random while apart."""
        while len(self.findings.kills) < kills:
            time.sleep(self.chance.uniform(0.2, 3.0))
            if self._supervisor is not None and self._supervisor.poll() is not None:
                self.start()
                self._until("it is up again", lambda: bool(self._everything()))
                continue
            victims = self._everything()
            if not victims:
                continue
            name = self.chance.choice(sorted(victims))
            with suppress(psutil.NoSuchProcess):
                victims[name].kill()
                self.findings.kills.append(name)
                done = len(self.findings.kills)
                if done % BURST == 0 and done < kills:
                    self._lull()

    def _lull(self) -> None:
        """Until something left the house or money came, but not for ever."""
        before, deadline = self._moved(), time.monotonic() + LULL_S
        while self._moved() <= before and time.monotonic() < deadline:
            if self._supervisor is not None and self._supervisor.poll() is not None:
                self.start()
            time.sleep(0.5)

    def _moved(self) -> int:
        return self._count(
            "SELECT (SELECT count(*) FROM messages WHERE sent_at IS NOT NULL)"
            " + (SELECT count(*) FROM payments WHERE authorised_at IS NOT NULL)"
        )

    def _everything(self) -> dict[str, psutil.Process]:
        """All processes of this demo by name, the postmaster included."""
        found: dict[str, psutil.Process] = {}
        instance = read_instance(self.demo) if self.demo.exists() else None
        if instance is not None:
            for mark in (instance.supervisor, *instance.children):
                process = mark.find()
                if process is not None:
                    found[mark.name] = process
        with suppress(OSError):
            postmaster = find_postmaster(self.demo / "postgres")
            if postmaster is not None:
                found["postmaster"] = postmaster
        return found

    # ------------------------------------------------------------ looking

    def wait_for_business(self) -> None:
        """Until the first signals are there: only then is there something to break."""
        self._until("signals", lambda: self._count("SELECT count(*) FROM funds_signals") > 0)

    def settle(self, calm_s: float) -> None:
        """A calm stretch in which everything is taken up again."""
        if self._supervisor is not None and self._supervisor.poll() is not None:
            self.start()
        self._until("the database", lambda: self._count("SELECT 1") == 1)
        time.sleep(calm_s)

    def judge(self) -> None:
        """Ask the installation and the outside world what went wrong."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "app", "status", "--json"],
            env={**self._environ, "SALDO_DATA_DIR": str(self.demo)},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        try:
            self.findings.status = json.loads(done.stdout)
        except ValueError:
            self.findings.wrong.append(f"no status: {done.stderr[-500:]}")
            return
        if self.findings.status["invariants_broken"]:
            self.findings.wrong.append(f"invariants broken: {self.findings.status}")
        ledger_url = f"{self.sandbox_url}/_sandbox/ledger"
        with urllib.request.urlopen(ledger_url, timeout=20) as answer:  # noqa: S310
            ledger = json.load(answer)
        self.findings.wrong.extend(f"outside: {wrong}" for wrong in ledger["wrong"])

    def _count(self, query: str) -> int:
        access = read_access(self.demo)
        if access is None:
            return 0
        try:
            with psycopg.connect(access.urls().engine, connect_timeout=3) as connection:
                row = connection.execute(query.encode()).fetchone()
        except psycopg.Error:
            return 0
        return int(row[0]) if row else 0

    def _until(self, what: str, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_PATIENCE_S
        while time.monotonic() < deadline:
            if true():
                return
            time.sleep(0.5)
        tail = (self.folder / "demo.log").read_text(encoding="utf-8", errors="replace")[-3000:]
        raise TimeoutError(f"waited in vain for {what}; the demo said:\n{tail}")


def run(seed: int, kills: int, *, people: int = 60, calm_s: float = CALM_S) -> Findings:
    """One whole storm. The caller looks at `wrong`, and at `status`: did enough happen?"""
    storm = Storm(seed, people=people)
    try:
        storm.start()
        storm.wait_for_business()
        storm.rage(kills)
        storm.settle(calm_s)
        storm.judge()
        storm.stop()
    finally:
        storm.clean_up()
    return storm.findings


def _free_ports(count: int) -> list[int]:
    with ExitStack() as probes:
        # All of them are held until the last is found, so that none is given twice.
        bound = [probes.enter_context(closing(socket.socket())) for _ in range(count)]
        for probe in bound:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in bound]


def main() -> int:
    """Command line: print what happened; exit status 1 when anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--people", type=int, default=160)
    parser.add_argument(
        "--least", type=int, default=10, help="texts and payments without which it proves nothing"
    )
    chosen = parser.parse_args()
    sys.stdout.write(f"storm: seed {chosen.seed}, {chosen.kills} kills\n")
    found = run(chosen.seed, chosen.kills, people=chosen.people)
    sys.stdout.write(f"killed: {' '.join(found.kills)}\n")
    sys.stdout.write(f"status: {json.dumps(found.status)}\n")
    moved = found.status.get("messages_sent", 0) + found.status.get("payments_settled", 0)
    if moved < chosen.least:
        found.wrong.append(f"too calm to prove anything: {moved} texts and payments")
    for wrong in found.wrong:
        sys.stdout.write(f"WRONG: {wrong}\n")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
