"""Making the private PostgreSQL ready: cluster, configuration, passwords, roles, database.

Nobody is trusted: every connection needs a password (scram-sha-256), there is no TCP port, and
the passwords lie in `database.json` (0600) in the data folder.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from app.domain.errors import Misconfigured
from app.store.embedded_place import MAJOR, Account

DATABASE = "saldo"
SUPERUSER = "postgres"
OWNER_ROLE = "saldo_owner"
APP_ROLE = "saldo_app"
ENGINE_ROLE = "saldo_engine"

DEFAULT_TUNING: Mapping[str, str] = {
    "max_connections": "200",
    "shared_buffers": "128MB",
    "random_page_cost": "1.1",
    # Compiling costs more than our short statements take.
    "jit": "off",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    # Job rows come and go by the thousand: sweep often.
    "autovacuum_naptime": "15s",
    "idle_in_transaction_session_timeout": "5min",
    # One log file a weekday, overwritten after a week.
    "logging_collector": "on",
    "log_filename": "server-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
}

TEST_TUNING: Mapping[str, str] = {
    "max_connections": "400",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "logging_collector": "off",
    # Tests connect thousands of times, and stretching a random password takes half of the time.
    "scram_iterations": "1",
}
"""For databases that nobody will miss."""


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """One database, one URL per role (`postgresql://…`). Never logged: they carry passwords.

    `superuser` is empty unless the server is our own.
    """

    owner: str = field(repr=False)
    app: str = field(repr=False)
    engine: str = field(repr=False)
    superuser: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Access:
    """What `database.json` holds: the folder of the socket and the passwords."""

    socket_dir: str
    superuser: str = field(repr=False)
    owner: str = field(repr=False)
    app: str = field(repr=False)
    engine: str = field(repr=False)

    def url(self, role: str, password: str, database: str = DATABASE) -> str:
        """A libpq URL over the Unix socket."""
        return f"postgresql://{role}:{password}@/{database}?host={quote(self.socket_dir, safe='')}"

    def urls(self, database: str = DATABASE) -> DatabaseUrls:
        """All roles' URLs to `database`; the superuser's leads there too."""
        return DatabaseUrls(
            owner=self.url(OWNER_ROLE, self.owner, database),
            app=self.url(APP_ROLE, self.app, database),
            engine=self.url(ENGINE_ROLE, self.engine, database),
            superuser=self.url(SUPERUSER, self.superuser, database),
        )


def access_file(data_dir: Path) -> Path:
    """The file with the passwords."""
    return data_dir / "database.json"


def read_access(data_dir: Path) -> Access | None:
    """What is written there; None when no private server was ever made here."""
    path = access_file(data_dir)
    try:
        return Access(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except PermissionError:
        raise Misconfigured(
            "SALDO_DATA_DIR", f"{path} may not be read by this user", "Run as its owner."
        ) from None
    except (ValueError, TypeError):
        raise Misconfigured(
            "SALDO_DATA_DIR", f"{path} is damaged", "Restore it from your backup."
        ) from None


def ensure_access(data_dir: Path, socket_dir: Path, *, cluster_exists: bool) -> Access:
    """Read the passwords, or make them once; write down where the socket is now.

    Raises Misconfigured when a cluster is there and its passwords are gone.
    """
    known = read_access(data_dir)
    if known is None:
        if cluster_exists:
            raise Misconfigured(
                "SALDO_DATA_DIR",
                f"the passwords of the database are missing ({access_file(data_dir)})",
                "Restore the file from your backup.",
            )
        four = [secrets.token_urlsafe(24) for _ in range(4)]
        wanted = Access(str(socket_dir), *four)
    else:
        wanted = replace(known, socket_dir=str(socket_dir))
    if wanted != known:
        write_private(access_file(data_dir), json.dumps(asdict(wanted), indent=2))
    return wanted


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner may read it (0600)."""
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
    Path(draft).replace(path)


# ---------------------------------------------------------------- the cluster


def cluster_exists(postgres_dir: Path) -> bool:
    """Is there a finished cluster? Raises Misconfigured for one of another PostgreSQL line."""
    try:
        version = (postgres_dir / "PG_VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return False
    if version != str(MAJOR):
        raise Misconfigured(
            "SALDO_DATA_DIR",
            f"{postgres_dir} was made by PostgreSQL {version}, Saldo brings {MAJOR}",
            "Carry it over with pg_upgrade, or set SALDO_DATABASE_URL.",
        )
    return True


def create_cluster(postgres_dir: Path, bin_dir: Path, account: Account, access: Access) -> None:
    """Build it in a draft folder that takes the name only when finished: a kill leaves no half."""
    if postgres_dir.exists() and any(postgres_dir.iterdir()):
        raise Misconfigured(
            "SALDO_POSTGRES_DIR",
            f"{postgres_dir} is not empty and holds no database",
            "Choose an empty or a new folder.",
        )
    draft = postgres_dir.with_name(f"{postgres_dir.name}.draft")
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(mode=0o700, parents=True)
    if os.geteuid() == 0:
        os.chown(draft, account.uid, account.gid)
    handle, password_file = tempfile.mkstemp(prefix=".new-", dir=postgres_dir.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(access.superuser + "\n")
            if os.geteuid() == 0:
                os.fchown(handle, account.uid, account.gid)
        options = [
            f"--username={SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-instructions",
        ]
        run_program(bin_dir / "initdb", [*options, "-D", str(draft)], account)
    finally:
        Path(password_file).unlink()
    with (draft / "postgresql.conf").open("a", encoding="utf-8") as conf:
        conf.write("\ninclude_if_exists 'saldo.conf'\ninclude_if_exists 'local.conf'\n")
    if postgres_dir.exists():
        postgres_dir.rmdir()
    draft.rename(postgres_dir)


def write_configuration(
    postgres_dir: Path, socket_dir: Path, account: Account, tuning: Mapping[str, str]
) -> None:
    """Write saldo.conf and pg_hba.conf anew; lines of the operator's own go to local.conf."""
    values = {
        **DEFAULT_TUNING,
        **tuning,
        "listen_addresses": "",
        "unix_socket_directories": str(socket_dir),
        "unix_socket_permissions": "0700",
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in values.items()]
    head = "# Written by Saldo at every start. Your own lines belong in local.conf beside it.\n"
    _write_as(postgres_dir / "saldo.conf", head + "\n".join(lines) + "\n", account)
    hba = "# Written by Saldo at every start: socket only, password always.\n"
    _write_as(postgres_dir / "pg_hba.conf", f"{hba}local all all scram-sha-256\n", account)


def provision(access: Access) -> None:
    """Make the three roles and the database if they are missing. Safe to repeat at any point."""
    roles = {OWNER_ROLE: access.owner, APP_ROLE: access.app, ENGINE_ROLE: access.engine}
    url = access.url(SUPERUSER, access.superuser, "postgres")
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as link:
        there = {name for (name,) in link.execute("SELECT rolname FROM pg_roles").fetchall()}
        for role in roles.keys() - there:
            verifier = link.pgconn.encrypt_password(
                roles[role].encode(), role.encode(), b"scram-sha-256"
            )
            link.execute(
                sql.SQL(
                    "CREATE ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE "
                    "PASSWORD {}"
                ).format(sql.Identifier(role), sql.Literal(verifier.decode()))
            )
        found = link.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
        if found.fetchone() is None:
            create = sql.SQL("CREATE DATABASE {} OWNER {}")
            link.execute(create.format(sql.Identifier(DATABASE), sql.Identifier(OWNER_ROLE)))
        for statement in (
            "REVOKE ALL ON DATABASE {database} FROM PUBLIC",
            # Bulk writes pass through temporary tables.
            "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {app}, {engine}",
        ):
            link.execute(
                sql.SQL(statement).format(
                    database=sql.Identifier(DATABASE),
                    app=sql.Identifier(APP_ROLE),
                    engine=sql.Identifier(ENGINE_ROLE),
                )
            )


def run_program(program: Path, arguments: list[str], account: Account) -> None:
    """Run one of PostgreSQL's programs under the server's account.

    Raises Misconfigured with the program's own last words.
    """
    with tempfile.TemporaryFile() as output:  # not a pipe: pg_ctl's child would keep it open
        result = subprocess.run(  # type: ignore[call-overload]  # noqa: S603 - our own arguments
            [str(program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
            cwd="/",
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"},
            umask=0o077,
            **account.switch,
        )
        if result.returncode == 0:
            return
        output.seek(0)
        said = output.read().decode(errors="replace").strip().splitlines()[-8:]
    raise Misconfigured(
        "Saldo's PostgreSQL",
        f"{program.name} failed: " + " / ".join(said),
        "Look at the server's log in its folder.",
    )


def _write_as(path: Path, text: str, account: Account) -> None:
    write_private(path, text)
    if os.geteuid() == 0:
        os.chown(path, account.uid, account.gid)
