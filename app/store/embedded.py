"""The private PostgreSQL of an installation without a database server of its own.

One process (the supervisor; in tests the session) owns the server's life through
`EmbeddedServer`; every other process only connects, through `connect_only`. The wheel brings the
programs; its own life-keeping is not used, because after a kill -9 nobody would stop the server,
and a pid file that names a stranger would count as a running server.

The rules here:
- A pid file is a hint. A server is ours when the process works in our folder and answers with
  our password as the server of our folder.
- The server outlives whoever started it. Stopping is an explicit act.
- Start, adopt and stop take a lock, so that two starters meet instead of racing.
"""

from __future__ import annotations

import fcntl
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg

from app.domain.errors import Misconfigured
from app.store.embedded_place import (
    SOCKET_NAME,
    Account,
    check_reachable,
    make_folder,
    programs,
    server_account,
    socket_folder,
)
from app.store.embedded_setup import (
    SUPERUSER,
    Access,
    DatabaseUrls,
    access_file,
    cluster_exists,
    create_cluster,
    ensure_access,
    provision,
    read_access,
    run_program,
    write_configuration,
)

START_TIMEOUT_S = 300
"""Real seconds a start may take; recovery after a crash of a large database is most of it."""

_STOP_FAST_S = 20.0
_STOP_IMMEDIATE_S = 5.0
_ORPHANS_S = 5.0


class ServerFailed(Misconfigured):
    """The server did not come up, or went away while it was asked. Trying again may help."""

    def __init__(self, problem: str, mend: str) -> None:
        super().__init__("Saldo's PostgreSQL", problem, mend)


class EmbeddedServer:
    """Starts, adopts, watches and stops the server of one data folder.

    `tuning` are configuration values over the defaults (tests: TEST_TUNING).
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        postgres_dir: Path | None = None,
        tuning: Mapping[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.postgres_dir = (postgres_dir or self.data_dir / "postgres").resolve()
        self._tuning = dict(tuning or {})
        self._process: psutil.Process | None = None
        self._access: Access | None = None

    def ensure_started(self) -> DatabaseUrls:
        """Make it if it is new, start it if it does not run, adopt it if it does.

        Returns when it answers. Raises Misconfigured with what is in the way, ServerFailed when
        it did not come up or did not stay.
        """
        make_folder(self.data_dir)
        make_folder(self.postgres_dir.parent)
        account = server_account(self.postgres_dir)
        check_reachable(self.postgres_dir, account)
        with self._locked():
            bin_dir = programs(account)
            made = cluster_exists(self.postgres_dir)
            running = find_postmaster(self.postgres_dir)
            known = read_access(self.data_dir)
            socket_dir = (
                Path(known.socket_dir)
                if running and known
                else socket_folder(self.postgres_dir, account)
            )
            access = ensure_access(self.data_dir, socket_dir, cluster_exists=made)
            if not made:
                create_cluster(self.postgres_dir, bin_dir, account, access)
            if running is None:
                self._clear_traces(socket_dir)
                write_configuration(self.postgres_dir, socket_dir, account, self._tuning)
                self._launch(bin_dir, account)
                running = find_postmaster(self.postgres_dir)
            self._wait_until_answering(access)
            try:
                provision(access)
            except psycopg.OperationalError as error:
                raise ServerFailed(f"it went away: {error}", self._where_to_look) from error
            self._process, self._access = running, access
        return access.urls()

    def urls(self) -> DatabaseUrls:
        """The URLs of the started server."""
        if self._access is None:
            return connect_only(self.data_dir)
        return self._access.urls()

    @property
    def started(self) -> bool:
        """Did this handle start or adopt the server, and not stop it since?"""
        return self._process is not None

    @property
    def socket_dir(self) -> str:
        """Folder of the server's Unix socket; empty before the start."""
        return self._access.socket_dir if self._access else ""

    def alive(self) -> bool:
        """Does the server process still run? Cheap (microseconds): asked several times a second."""
        return self._process is not None and _runs(self._process)

    def stop(self) -> None:
        """Stop the server, whoever started it: fast first, then at once. Already down is fine."""
        make_folder(self.data_dir)
        with self._locked():
            process = find_postmaster(self.postgres_dir)
            if process is not None:
                for sign, patience in (
                    (signal.SIGINT, _STOP_FAST_S),
                    (signal.SIGQUIT, _STOP_IMMEDIATE_S),
                    (signal.SIGKILL, _STOP_IMMEDIATE_S),
                ):
                    with suppress(psutil.NoSuchProcess):
                        process.send_signal(sign)
                    if _gone(process, patience):
                        break
            self._process = None

    def remove(self) -> None:
        """Stop the server and delete its cluster, passwords and socket folder. For demo and tests.

        Only what is a cluster is deleted: a folder without PG_VERSION is left alone.
        """
        self.stop()
        access = read_access(self.data_dir)
        if (self.postgres_dir / "PG_VERSION").exists():
            shutil.rmtree(self.postgres_dir)
        if access is not None and Path(access.socket_dir) != self.postgres_dir:
            shutil.rmtree(access.socket_dir, ignore_errors=True)
        access_file(self.data_dir).unlink(missing_ok=True)

    # ------------------------------------------------------------ inside

    @property
    def _where_to_look(self) -> str:
        return f"Its logs: {self.postgres_dir}/start.log and {self.postgres_dir}/log."

    @contextmanager
    def _locked(self) -> Iterator[None]:
        path = self.data_dir / "postgres.lock"
        with path.open("a") as lock:
            deadline = time.monotonic() + START_TIMEOUT_S
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise Misconfigured(
                            "SALDO_DATA_DIR",
                            "another process has been starting or stopping its server for long",
                            f"See who holds {path}.",
                        ) from None
                    time.sleep(0.05)
            yield

    def _clear_traces(self, socket_dir: Path) -> None:
        """After a crash: wait for orphaned backends, remove the lock files of a dead server.

        Backends of a killed postmaster end by themselves unless they are busy; a new server must
        not start beside one. The lock files would refuse a start when their process number
        belongs to a stranger by now.
        """
        traces = [self.postgres_dir / "postmaster.pid", socket_dir / f"{SOCKET_NAME}.lock"]
        if not any(path.exists() for path in traces):
            return
        patience = {signal.SIGQUIT: _ORPHANS_S, signal.SIGKILL: _ORPHANS_S}
        orphans = _orphans(self.postgres_dir)
        psutil.wait_procs(orphans, timeout=1.0)
        for sign, seconds in patience.items():
            left = [process for process in orphans if _runs(process)]
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(sign)
            psutil.wait_procs(left, timeout=seconds)
        for path in traces:
            path.unlink(missing_ok=True)

    def _launch(self, bin_dir: Path, account: Account) -> None:
        log = self.postgres_dir / "start.log"
        log.unlink(missing_ok=True)
        options = ["start", "-s", "-w", "-t", str(START_TIMEOUT_S), "-l", str(log)]
        try:
            run_program(bin_dir / "pg_ctl", [*options, "-D", str(self.postgres_dir)], account)
        except Misconfigured as failed:
            if find_postmaster(self.postgres_dir) is not None:
                return  # a starter that was killed in the act had launched it: it is ours
            words = _last_words(log)
            raise ServerFailed(f"it did not start: {words}", self._where_to_look) from failed

    def _wait_until_answering(self, access: Access) -> None:
        """Connect as superuser and see that it is the server of our folder."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                url = access.url(SUPERUSER, access.superuser, "postgres")
                with psycopg.connect(url, connect_timeout=10) as link:
                    row = link.execute("SHOW data_directory").fetchone()
            except psycopg.OperationalError as error:
                if "password authentication failed" in str(error):
                    raise Misconfigured(
                        "SALDO_DATA_DIR",
                        "the server does not take the passwords in database.json",
                        "Restore the file that belongs to this data folder.",
                    ) from None
                gone = find_postmaster(self.postgres_dir) is None
                if gone or time.monotonic() > deadline:
                    problem = f"it does not answer: {error}"
                    raise ServerFailed(problem, self._where_to_look) from error
                time.sleep(0.1)
                continue
            if row is None or Path(row[0]).resolve() != self.postgres_dir:
                raise Misconfigured(
                    "SALDO_DATA_DIR",
                    f"another server ({row and row[0]}) answers on its socket",
                    "Stop that server, or choose another data folder.",
                )
            return


def connect_only(data_dir: Path) -> DatabaseUrls:
    """URLs for a process that uses the server and leaves its life alone. Does not connect.

    Raises Misconfigured when no private server was ever made in this folder.
    """
    access = read_access(data_dir.resolve())
    if access is None:
        raise Misconfigured(
            "SALDO_DATA_DIR",
            f"there is no private database in {data_dir}",
            "Start it with `saldo serve`, or set SALDO_DATABASE_URL.",
        )
    return access.urls()


def find_postmaster(postgres_dir: Path) -> psutil.Process | None:
    """The running server of this folder, or None.

    The pid file alone proves nothing: after a crash its number may belong to a stranger. The
    server's working folder is its data folder; that settles it.
    """
    try:
        first = (postgres_dir / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0]
        process = psutil.Process(int(first))
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return None
    return process if _works_in(process, postgres_dir) else None


def _works_in(process: psutil.Process, postgres_dir: Path) -> bool:
    try:
        return _runs(process) and Path(process.cwd()).samefile(postgres_dir)
    except (psutil.Error, OSError):
        return False


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _orphans(postgres_dir: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["name"])
        if process.info["name"] == "postgres" and _works_in(process, postgres_dir)
    ]


def _gone(process: psutil.Process, patience: float) -> bool:
    """Wait until the process ended. A zombie nobody collects counts as ended."""
    deadline = time.monotonic() + patience
    while _runs(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return "it left no log"
    return " / ".join(lines[-4:]) or "it left no log"
