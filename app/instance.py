"""The running instance on this machine: its lock, its run file, and how to find it.

`run.json` in the data folder says what runs (processes, addresses, folders; no secrets). A
pointer to it lies in ~/.saldo/run and in the temporary folder, so that `saldo status` finds the
instance without any setting. A run file only counts while somebody holds the instance's lock:
the operating system drops the lock of a killed process, so a stale file cannot mislead.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

import psutil

_VERSION = 1


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """A process, recognisable after its number was given to another: number and birth (epoch s)."""

    name: str
    pid: int
    born: float

    @classmethod
    def of(cls, name: str, pid: int) -> ProcessMark | None:
        """The mark of a process that runs now; None when it is already gone."""
        try:
            return cls(name, pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    def find(self) -> psutil.Process | None:
        """The very same process, if it still runs."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.born) < 1.0
            alive = process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return process if same and alive else None


@dataclass(frozen=True, slots=True)
class Instance:
    """What `run.json` holds. `started` is real time, ISO 8601 UTC. `urls` are for people."""

    data_dir: str
    postgres_dir: str
    clock_file: str
    embedded: bool
    demo: bool
    started: str
    supervisor: ProcessMark
    children: tuple[ProcessMark, ...] = ()
    urls: Mapping[str, str] = field(default_factory=dict)
    database_socket: str = ""

    def overrides(self) -> dict[str, object]:
        """Arguments for `load_settings` that lead another process to this instance."""
        found: dict[str, object] = {
            "data_dir": Path(self.data_dir),
            "postgres_dir": Path(self.postgres_dir),
            "clock_file": Path(self.clock_file),
            "demo": self.demo,
        }
        return found | ({"public_url": self.urls["web"]} if "web" in self.urls else {})


# ---------------------------------------------------------------- the lock


def lock_path(data_dir: Path) -> Path:
    """The file whose lock makes its holder the one supervisor of the data folder."""
    return data_dir / "supervisor.lock"


def take_lock(data_dir: Path) -> IO[str] | None:
    """Become the instance's holder; keep the returned file open as long as that lasts.

    None when somebody else holds it (who: see `lock_holder`).
    """
    file = lock_path(data_dir).open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def sign_lock(file: IO[str], role: str) -> None:
    """Write into the held lock who holds it."""
    file.seek(0)
    file.truncate()
    json.dump({"role": role, "pid": os.getpid()}, file)
    file.flush()


def lock_holder(data_dir: Path) -> tuple[str, int]:
    """Role and process number that the lock's holder wrote; ("", 0) when unreadable."""
    try:
        content = json.loads(lock_path(data_dir).read_text(encoding="utf-8"))
        return str(content["role"]), int(content["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", 0


def is_held(data_dir: Path) -> bool:
    """Does somebody hold the instance now? Asking does not disturb a holder."""
    try:
        with lock_path(data_dir).open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


# ---------------------------------------------------------------- the run file


def run_file(data_dir: Path) -> Path:
    """Where a running instance describes itself."""
    return data_dir / "run.json"


def publish(instance: Instance) -> None:
    """Write the run file and the pointers to it."""
    path = run_file(Path(instance.data_dir))
    _replace(path, {"version": _VERSION, **asdict(instance)})
    for folder in _pointer_folders(make=True):
        with suppress(OSError):
            _replace(folder / _pointer_name(path), {"run": str(path)})


def withdraw(data_dir: Path) -> None:
    """Remove the run file and its pointers, at the end of a clean stop."""
    path = run_file(data_dir.resolve())
    path.unlink(missing_ok=True)
    for folder in _pointer_folders(make=False):
        with suppress(OSError):
            (folder / _pointer_name(path)).unlink(missing_ok=True)


def read_instance(data_dir: Path) -> Instance | None:
    """What the run file says, whether or not it still runs; None when there is none to read."""
    try:
        content = json.loads(run_file(data_dir).read_text(encoding="utf-8"))
        if content.pop("version") != _VERSION:
            return None
        content["supervisor"] = ProcessMark(**content["supervisor"])
        content["children"] = tuple(ProcessMark(**child) for child in content["children"])
        return Instance(**content)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def find_running(data_dir: Path | None = None) -> list[Instance]:
    """Instances that run on this machine now: those of the working folder, then the latest start.

    With `data_dir` only that folder is looked at. Without, the usual folders below the working
    folder and all pointers are.
    """
    here = usual_folders()
    folders = {data_dir.resolve()} if data_dir is not None else {*here, *_pointed_at()}
    found = [one for folder in folders if is_held(folder) and (one := read_instance(folder))]
    latest = sorted(found, key=lambda one: one.started, reverse=True)
    # Whoever stands in a checkout means what he started there, not a neighbour's.
    return sorted(latest, key=lambda one: Path(one.data_dir) not in here)


def usual_folders() -> set[Path]:
    """Where instances that were started in this working folder have their data."""
    return {Path("saldo-data").resolve(), Path("demo").resolve()}


# ---------------------------------------------------------------- details


def _pointer_name(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:16] + ".json"


def _pointer_folders(*, make: bool) -> Iterator[Path]:
    """The folders for pointers that are private to us; both, because HOME and TMPDIR differ."""
    homes = [Path(tempfile.gettempdir()) / f"saldo-run-{os.geteuid()}"]
    with suppress(RuntimeError):
        homes.append(Path.home() / ".saldo" / "run")
    for folder in homes:
        try:
            if make:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = folder.lstat()
        except OSError:
            continue
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
            yield folder


def _pointed_at() -> Iterator[Path]:
    for folder in _pointer_folders(make=False):
        for pointer in folder.glob("*.json"):
            try:
                run = Path(json.loads(pointer.read_text(encoding="utf-8"))["run"])
            except (OSError, ValueError, KeyError, TypeError):
                continue
            yield run.parent


def _replace(path: Path, content: Mapping[str, object]) -> None:
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
    Path(draft).replace(path)
