"""A small house for the supervisor's tests: started as a program, watched, killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest

from app.instance import Instance, is_held, read_instance
from app.store.embedded import connect_only, find_postmaster
from tests.places import lay_out_server, server_place

PROGRAM = Path(__file__).resolve().parent / "small_house.py"
ROOT = PROGRAM.parents[2]


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for something other processes do. The limit is for a failure, not for the rule."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        pause.wait(0.02)


class House:
    """One data folder and the supervisors started on it."""

    def __init__(self, place: Path) -> None:
        self.data_dir = place / "data"
        self.home = place / "home"
        self.temp = place / "temp"
        for folder in (self.home, self.temp):
            folder.mkdir()
        lay_out_server(self.data_dir)
        self.environ: dict[str, str] = {}
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *options: str, ready: bool = True) -> subprocess.Popen[str]:
        """Start a supervisor; with `ready`, come back when it has started everything."""
        environ = {**os.environ, "HOME": str(self.home), "TMPDIR": str(self.temp)}
        environ.update(self.environ, PYTHONPATH=str(ROOT))
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(self.data_dir), *options],
            stdout=subprocess.PIPE,
            env=environ,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        if ready:
            assert process.stdout is not None
            assert process.stdout.readline() == "READY\n"
        return process

    def said(self, process: subprocess.Popen[str]) -> str:
        """What it wrote, after its end."""
        return process.communicate(timeout=30)[0]

    @property
    def now(self) -> Instance:
        """The run file."""
        found = read_instance(self.data_dir)
        assert found is not None
        return found

    def child(self, name: str) -> psutil.Process | None:
        """The process that runs under this name now."""
        marks = [mark for mark in self.now.children if mark.name == name]
        return marks[0].find() if marks else None

    def everything(self) -> dict[str, psutil.Process]:
        """All processes of the house that live now, by name."""
        instance = read_instance(self.data_dir)
        marks = (instance.supervisor, *instance.children) if instance else ()
        found = {mark.name: mark.find() for mark in marks}
        found["postmaster"] = self.postmaster()
        return {name: process for name, process in found.items() if process is not None}

    def marks(self, word: str) -> list[int]:
        """Process numbers of the children that noted `word`."""
        path = self.data_dir / "marks"
        lines = path.read_text().splitlines() if path.exists() else []
        return [int(line.split()[1]) for line in lines if line.split()[0] == word]

    def noted(self, word: str, pids: set[int]) -> bool:
        """Did all of these children note `word`?"""
        return pids <= set(self.marks(word))

    def postmaster(self) -> psutil.Process | None:
        return find_postmaster(self.data_dir / "postgres")

    def answers(self) -> bool:
        try:
            with psycopg.connect(connect_only(self.data_dir).app) as link:
                return link.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    def leftovers(self) -> list[psutil.Process]:
        """Everything alive that has this house in its command line or works in its folder."""
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            words = " ".join(process.info["cmdline"] or ())
            if str(self.data_dir) in words and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found

    def is_swept(self) -> bool:
        """Nothing runs, nothing is held, nothing points here."""
        return (
            not self.leftovers()
            and self.postmaster() is None
            and not is_held(self.data_dir)
            and not (self.data_dir / "run.json").exists()
            and not list(self.home.rglob("*.json"))
        )


@pytest.fixture
def house() -> Iterator[House]:
    with server_place() as place:
        made = House(place)
        yield made
        for process in made.started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.communicate(timeout=40)
        for left in made.leftovers():  # only after a failed test
            left.kill()


@pytest.fixture
def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
