"""Child processes: what to start, and the watch over one that was started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import structlog

from app.instance import ProcessMark
from app.lifeline import VARIABLE

log = structlog.stdlib.get_logger(__name__)

PROJECT = Path(__file__).resolve().parents[2]
"""Folder that holds app/, connectors/, policies/, alembic/."""

EXIT_MISCONFIGURED = os.EX_CONFIG
"""Exit status of a child that cannot work with these settings. At its first start that ends the
house, for starting it again would not help; later it is a death like others."""

_BACK_OFF_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_SETTLED_S = 20.0
"""A child that ran this long counts as healthy: its next death starts the back-off anew."""


@dataclass(frozen=True, slots=True)
class Child:
    """One process to keep running. `port`: it is ready when this local port accepts;
    `port_setting` names the setting that moves it.

    `once`: a clean exit is its natural end; only a failure is started again.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    port: tuple[str, int] | None = None
    port_setting: str = ""
    once: bool = False


def saldo_child(
    name: str, *arguments: str, port: tuple[str, int] | None = None, port_setting: str = ""
) -> Child:
    """A child that is one of our own commands: `saldo <arguments>`."""
    # -P: a folder called "app" in the working folder must not be mistaken for ours.
    argv = (sys.executable, "-P", "-m", "app", *arguments)
    return Child(name, argv, port=port, port_setting=port_setting)


class Watched:
    """One child under watch: started, started again with growing pauses, ended."""

    def __init__(
        self, child: Child, environ: Mapping[str, str], lifeline_fd: int, folder: Path
    ) -> None:
        self.child = child
        self.finished = False
        self.misconfigured = False
        self.mark: ProcessMark | None = None
        self._environ = environ
        self._lifeline_fd = lifeline_fd
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._born = 0.0
        self._starts = 0
        self._quick_deaths = 0
        self._start_at = 0.0

    @property
    def running(self) -> bool:
        """Is there a process now?"""
        return self._process is not None

    def tick(self, now: float) -> bool:
        """Look after the child at monotonic second `now`. True when its process changed."""
        if self._process is None:
            if self.finished or now < self._start_at:
                return False
            self._start(now)
            return True
        status = self._process.poll()
        if status is None:
            return False
        self._bury(status, now)
        return True

    def send(self, sign: signal.Signals) -> None:
        """Send a signal to the child's whole process group."""
        if self._process is not None and self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, sign)

    def wait(self, seconds: float) -> bool:
        """Wait for its end. True when there is no process any more."""
        if self._process is None:
            return True
        try:
            self._process.wait(timeout=max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return False
        self._process, self.mark = None, None
        return True

    def _start(self, now: float) -> None:
        environ = {**self._environ, **self.child.env, VARIABLE: str(self._lifeline_fd)}
        self._process = subprocess.Popen(  # noqa: S603 - the list of children is our own
            self.child.argv,
            stdin=subprocess.DEVNULL,
            env=environ,
            cwd=self._folder,
            pass_fds=(self._lifeline_fd,),
            # Its own session: Ctrl-C in the terminal reaches the supervisor alone.
            start_new_session=True,
        )
        self._born = now
        self._starts += 1
        self.mark = ProcessMark.of(self.child.name, self._process.pid)
        log.info("child_started", child=self.child.name, pid=self._process.pid)

    def _bury(self, status: int, now: float) -> None:
        self._process, self.mark = None, None
        lived = now - self._born
        if status == 0 and self.child.once:
            self.finished = True
            log.info("child_finished", child=self.child.name)
            return
        if status == EXIT_MISCONFIGURED and self._starts == 1 and lived < _SETTLED_S:
            self.finished = self.misconfigured = True
            log.error("child_misconfigured", child=self.child.name)
            return
        self._quick_deaths = 0 if lived > _SETTLED_S else self._quick_deaths + 1
        pause = _BACK_OFF_S[min(self._quick_deaths, len(_BACK_OFF_S) - 1)]
        self._start_at = now + pause
        log.warning("child_died", child=self.child.name, status=status, again_in_s=pause)


def end_all(watched: Sequence[Watched], patience: Callable[[], float]) -> None:
    """Ask all to end, wait while `patience()` (seconds, asked anew) is above zero, then kill."""
    for one in watched:
        one.send(signal.SIGTERM)
    while patience() > 0 and any(not one.wait(0.05) for one in watched):
        pass
    for one in watched:
        if one.running and not one.wait(0.0):
            log.warning("child_killed", child=one.child.name)
            one.send(signal.SIGKILL)
            one.wait(5.0)


def end_leftovers(marks: Sequence[ProcessMark], patience_s: float = 5.0) -> None:
    """End the processes of an earlier run that was killed. Recognised by number and birth."""
    left = [process for mark in marks if (process := mark.find()) is not None]
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for process in left:
            log.info("leftover_ended", pid=process.pid, signal=sign.name)
            with suppress(psutil.NoSuchProcess):
                process.send_signal(sign)
        deadline = time.monotonic() + patience_s
        while left and time.monotonic() < deadline:
            left = [one for one in left if _runs(one)]
            time.sleep(0.02)
        if not left:
            return


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
