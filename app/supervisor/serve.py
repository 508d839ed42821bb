"""The supervisor: one per data folder. Everything it starts ends with it, however it ends.

Start: lock, leftovers, keeper, private PostgreSQL, migrations, keys, clock lease, children.
Watch: children that die start again with growing pauses; a dead server is started again within
a second; the clock's lease is renewed twice a second.
Stop (INT, TERM, HUP alike): children, clock, server, run file, keeper, lock. A second signal
does not wait for children. After a kill -9 the lifeline ends the children and the keeper (see
there) does the rest.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import psycopg
import structlog

from app.clock import end_lease, renew_lease
from app.domain.errors import Conflict, Misconfigured, SaldoError
from app.instance import (
    Instance,
    ProcessMark,
    lock_holder,
    publish,
    read_instance,
    sign_lock,
    take_lock,
    withdraw,
)
from app.keyring import ensure_keys
from app.settings import Settings
from app.store.embedded import EmbeddedServer, ServerFailed
from app.store.embedded_place import make_folder
from app.supervisor.children import (
    EXIT_MISCONFIGURED,
    PROJECT,
    Child,
    Watched,
    end_all,
    end_leftovers,
    saldo_child,
)

log = structlog.stdlib.get_logger(__name__)

TICK_S = 0.1
BEAT_S = 0.5
STOP_PATIENCE_S = 10.0
PORT_PATIENCE_S = 10.0
START_TRIES = 5
RETRY_S = 0.5
_TAKE_OVER_S = 45.0
"""Real seconds to wait for the lock while a killed instance is being cleared up."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one supervisor runs.

    `migrate` brings the database up to date with the owner's URL; `prepare` runs after it and
    before any child; `on_ready` runs once every child with a port accepts connections.
    `urls` are the addresses for people, by name.
    """

    settings: Settings
    children: Sequence[Child]
    urls: Mapping[str, str]
    migrate: Callable[[str], None]
    prepare: Callable[[], None] = lambda: None
    on_ready: Callable[[], None] = lambda: None
    tuning: Mapping[str, str] = field(default_factory=dict)


def standard_children(settings: Settings) -> tuple[Child, ...]:
    """Web, scheduler and the workers."""
    port = (settings.web_host, settings.web_port)
    mover = "SALDO_DEMO_WEB_PORT" if settings.demo else "SALDO_WEB_PORT"
    return (
        saldo_child("web", "web", port=port, port_setting=mover),
        *(saldo_child(name, "scheduler") for name in _names("scheduler", settings.scheduler_count)),
        *(saldo_child(name, "worker") for name in _names("worker", settings.worker_count)),
    )


def _names(kind: str, count: int) -> list[str]:
    return [f"{kind}-{number}" if count > 1 else kind for number in range(1, count + 1)]


class Supervisor:
    """Runs a `Plan`. One use: `run()` returns the exit status."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        settings = plan.settings
        self._data_dir = settings.data_dir.resolve()
        self._clock_file = settings.clock_path.resolve()
        self._server = (
            EmbeddedServer(self._data_dir, postgres_dir=settings.postgres_dir, tuning=plan.tuning)
            if settings.embedded
            else None
        )
        self._stop = threading.Event()
        self._signals = 0
        self._watched: list[Watched] = []
        self._mending: threading.Thread | None = None
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self._unready = {child.port for child in plan.children if child.port}
        self._announced = False
        self._after_crash = False

    def run(self) -> int:
        """Run until told to stop. Returns the exit status.

        Raises Misconfigured when it cannot start, Conflict when the folder has a supervisor.
        """
        for sign in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, self._on_signal)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup keeps its meaning
            signal.signal(signal.SIGHUP, self._on_signal)
        make_folder(self._data_dir)
        with self._only_one() as lock:
            sign_lock(lock, "supervisor")
            earlier = read_instance(self._data_dir)
            if earlier is not None:
                self._after_crash = True
                end_leftovers(earlier.children)
            reading, writing = os.pipe()
            try:
                self._live(reading)
            finally:
                withdraw(self._data_dir)
                self._end_keeper()
                os.close(writing)
                os.close(reading)
        failed = any(one.misconfigured for one in self._watched)
        return EXIT_MISCONFIGURED if failed else 0

    # ------------------------------------------------------------ start

    def _only_one(self) -> IO[str]:
        deadline = time.monotonic() + _TAKE_OVER_S
        while True:
            lock = take_lock(self._data_dir)
            if lock is not None:
                return lock
            role, pid = lock_holder(self._data_dir)
            holder = ProcessMark.of(role, pid) if pid else None
            if role == "supervisor" and holder is not None and holder.find():
                time.sleep(0.3)  # it may be a mere look at the lock, or its last moment
                if (lock := take_lock(self._data_dir)) is not None:
                    return lock
                raise self._conflict(pid)
            if time.monotonic() > deadline or self._stop.is_set():
                raise self._conflict(pid)
            time.sleep(0.1)

    def _conflict(self, pid: int) -> Conflict:
        instance = read_instance(self._data_dir)
        where = " at " + ", ".join(instance.urls.values()) if instance and instance.urls else ""
        return Conflict(f"Saldo already runs from {self._data_dir}{where} (process {pid}).")

    def _live(self, lifeline_fd: int) -> None:
        beat = threading.Thread(target=self._beat, name="beat", daemon=True)
        environ = self._environ()
        folder = Path.cwd()
        keeper = Watched(self._keeper(), environ, lifeline_fd, folder)
        self._watched = [keeper]
        try:
            self._tick()
            self._publish()
            self._prepare()
            self._check_ports()
            beat.start()
            self._watched += [
                Watched(child, environ, lifeline_fd, folder) for child in self._plan.children
            ]
            while not self._stop.is_set():
                self._tick()
                self._stop.wait(TICK_S)
        finally:
            self._stop.set()
            self._shut_down(keeper, beat)

    def _keeper(self) -> Child:
        postgres = str(self._server.postgres_dir) if self._server else ""
        settings = self._plan.settings
        folders = (str(self._data_dir), postgres, str(self._clock_file))
        arguments = (*folders, settings.log_level, settings.log_format)
        module = "app.supervisor.keeper"
        return Child("keeper", (sys.executable, "-P", "-m", module, *arguments))

    def _environ(self) -> dict[str, str]:
        settings = self._plan.settings
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                part for part in (str(PROJECT), os.environ.get("PYTHONPATH", "")) if part
            ),
            "PYTHONUNBUFFERED": "1",
            "SALDO_DATA_DIR": str(self._data_dir),
            "SALDO_POSTGRES_DIR": str(settings.postgres_path.resolve()),
            "SALDO_CLOCK_FILE": str(self._clock_file),
        }

    def _prepare(self) -> None:
        """Database, migrations, keys, and what the plan wants done before any child starts.

        A database that goes away meanwhile is asked again: nobody watches over it yet.
        """
        tries = 0
        while True:
            try:
                self._prepare_once()
            except Exception as error:
                tries += 1
                if not self._lost(error) or tries == START_TRIES or self._stop.is_set():
                    raise self._said(error) from error
                log.warning("database_lost_while_starting", error=type(error).__name__)
                self._stop.wait(RETRY_S)
            else:
                return

    def _said(self, error: Exception) -> Exception:
        """What to tell the operator: a database of his own that cannot be reached is a setting."""
        cause = getattr(error, "orig", error)
        if self._server is not None or not isinstance(cause, psycopg.OperationalError):
            return error
        problem = f"the database cannot be used ({' '.join(str(cause).split())})"
        mend = "Check its address, the role and the password."
        return Misconfigured("SALDO_DATABASE_OWNER_URL", problem, mend)

    def _lost(self, error: Exception) -> bool:
        """Did this happen because the database went away?"""
        cause = getattr(error, "orig", error)  # SQLAlchemy carries the driver's error inside
        if isinstance(cause, ServerFailed | psycopg.OperationalError):
            return True
        server = self._server
        return server is not None and server.started and not server.alive()

    def _prepare_once(self) -> None:
        settings = self._plan.settings
        if self._server is not None:
            owner = self._server.ensure_started().owner
        else:
            owner = settings.database_owner_url.get_secret_value()
        if owner and not self._stop.is_set():
            self._plan.migrate(owner)
        log.info("database_ready")
        ensure_keys(settings)
        if not self._stop.is_set():
            self._plan.prepare()

    def _check_ports(self) -> None:
        """A port in use is a fault of the set-up, unless a killed run is just letting go of it."""
        deadline = time.monotonic() + (PORT_PATIENCE_S if self._after_crash else 0.0)
        for child in self._plan.children:
            while child.port is not None and (why := _unusable(child.port)):
                if self._stop.is_set():
                    return
                if time.monotonic() > deadline:
                    host, port = child.port
                    raise Misconfigured(
                        child.port_setting or f"port of {child.name}",
                        f"{host}:{port} cannot be used ({why})",
                        "Stop what uses it, or choose another port.",
                    )
                time.sleep(TICK_S)

    # ------------------------------------------------------------ watch

    def _tick(self) -> None:
        changed = False
        for one in self._watched:
            changed |= one.tick(time.monotonic())
        if changed:
            self._publish()
        if any(one.misconfigured for one in self._watched):
            self._stop.set()
        self._watch_server()
        if not self._announced and len(self._watched) > 1:
            self._unready -= {port for port in self._unready if _accepts(port)}
            if not self._unready:
                self._announced = True
                self._plan.on_ready()

    def _watch_server(self) -> None:
        server = self._server
        if server is None or not server.started or server.alive():
            return
        if self._mending is None or not self._mending.is_alive():
            log.error("database_died")
            self._mending = threading.Thread(target=self._mend, args=(server,), name="mend")
            self._mending.start()

    def _mend(self, server: EmbeddedServer) -> None:
        try:
            server.ensure_started()
            log.info("database_started_again")
        except (SaldoError, OSError) as error:
            log.error("database_start_failed", error=str(error))  # noqa: TRY400 - one line
            self._stop.wait(1.0)

    def _beat(self) -> None:
        while not self._stop.is_set():
            try:
                renew_lease(self._clock_file)
            except (SaldoError, OSError) as error:
                log.error("clock_beat_failed", error=str(error))  # noqa: TRY400 - one line
            self._stop.wait(BEAT_S)

    def _publish(self) -> None:
        me = ProcessMark.of("supervisor", os.getpid())
        if me is None:
            return
        server = self._server
        publish(
            Instance(
                data_dir=str(self._data_dir),
                postgres_dir=str(self._plan.settings.postgres_path.resolve()),
                clock_file=str(self._clock_file),
                embedded=server is not None,
                demo=self._plan.settings.demo,
                started=self._started,
                supervisor=me,
                children=tuple(one.mark for one in self._watched if one.mark),
                urls=dict(self._plan.urls),
                database_socket=server.socket_dir if server else "",
            )
        )

    # ------------------------------------------------------------ stop

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._signals += 1
        self._stop.set()

    def _shut_down(self, keeper: Watched, beat: threading.Thread) -> None:
        deadline = time.monotonic() + STOP_PATIENCE_S

        def patience() -> float:
            return 0.0 if self._signals > 1 else deadline - time.monotonic()

        end_all([one for one in self._watched if one is not keeper], patience)
        if beat.is_alive():
            beat.join()
        end_lease(self._clock_file)
        if self._server is not None:
            self._server.stop()
        log.info("stopped")

    def _end_keeper(self) -> None:
        """Last of all: were we killed while stopping, the keeper would finish it."""
        deadline = time.monotonic() + 2.0
        end_all(self._watched[:1], lambda: deadline - time.monotonic())


def _accepts(port: tuple[str, int]) -> bool:
    try:
        with closing(socket.create_connection(port, timeout=0.2)):
            return True
    except OSError:
        return False


def _unusable(port: tuple[str, int]) -> str:
    """Why this process could not listen there; empty when it could."""
    family = socket.AF_INET6 if ":" in port[0] else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(port)
        except OSError as error:
            return error.strerror or str(error)
    return ""
