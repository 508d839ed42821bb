"""The life of the private PostgreSQL, with real servers and real kills."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from app.domain.errors import Misconfigured
from app.store import embedded_place
from app.store.embedded import EmbeddedServer, connect_only, find_postmaster
from app.store.embedded_place import Account, check_reachable, programs, server_account
from app.store.embedded_setup import TEST_TUNING, DatabaseUrls, access_file
from tests.places import lay_out_server, server_place


@pytest.fixture
def place() -> Iterator[Path]:
    with server_place() as folder:
        yield folder


@pytest.fixture
def laid_out(place: Path) -> None:
    """Where its first start is not what is tried."""
    lay_out_server(place / "data")


def make(place: Path) -> EmbeddedServer:
    return EmbeddedServer(place / "data", tuning=TEST_TUNING)


def kill_postmaster(server: EmbeddedServer) -> psutil.Process:
    process = find_postmaster(server.postgres_dir)
    assert process is not None
    process.kill()
    psutil.wait_procs([process], timeout=5)
    return process


def one(url: str, query: str) -> object:
    with psycopg.connect(url) as link:
        row = link.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_a_first_start_gives_three_plain_roles_and_a_database(place: Path) -> None:
    urls = make(place).ensure_started()
    asked = {"saldo_owner": urls.owner, "saldo_app": urls.app, "saldo_engine": urls.engine}
    for role, url in asked.items():
        assert one(url, "SELECT current_user || '@' || current_database()") == f"{role}@saldo"
    mighty = one(
        urls.superuser,
        "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'saldo%'"
        " AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)",
    )
    assert mighty == 0
    assert one(urls.superuser, "SHOW listen_addresses") == ""


@pytest.mark.usefixtures("laid_out")
def test_nobody_is_trusted(place: Path) -> None:
    server = make(place)
    urls = server.ensure_started()
    for user in ("postgres", "saldo_owner", "saldo_app"):
        for password in ("", "wrong"):
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(
                    host=server.socket_dir, user=user, password=password, dbname="saldo"
                )
    rules = one(urls.superuser, "SELECT string_agg(auth_method, ',') FROM pg_hba_file_rules")
    assert rules == "scram-sha-256"
    for path in (access_file(server.data_dir), server.postgres_dir):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077


@pytest.mark.usefixtures("laid_out")
def test_the_web_roles_may_use_temporary_tables_and_strangers_nothing(place: Path) -> None:
    urls = make(place).ensure_started()
    for url in (urls.app, urls.engine):
        with psycopg.connect(url) as link:
            link.execute("CREATE TEMPORARY TABLE pile (n int)")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                link.execute("CREATE TABLE public.pile (n int)")
    public = one(urls.superuser, "SELECT has_database_privilege('pg_monitor', 'saldo', 'connect')")
    assert public is False


@pytest.mark.usefixtures("laid_out")
def test_a_running_server_is_adopted(place: Path) -> None:
    first = make(place)
    first.ensure_started()
    second = make(place)
    assert second.ensure_started() == first.urls() == connect_only(place / "data")
    assert find_postmaster(first.postgres_dir) == find_postmaster(second.postgres_dir)
    assert second.alive()


def test_two_starters_meet_in_one_server(place: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        urls = list(pool.map(lambda _: make(place).ensure_started(), range(4)))
    assert len(set(urls)) == 1
    assert one(urls[0].app, "SELECT 1") == 1


def test_a_killed_server_is_noticed_and_started_again(place: Path) -> None:
    server = EmbeddedServer(place / "data")  # as in earnest: what was committed stays
    urls = server.ensure_started()
    with psycopg.connect(urls.owner, autocommit=True) as link:
        link.execute("CREATE TABLE kept AS SELECT 7 AS n")
    dead = kill_postmaster(server)
    assert not server.alive()
    assert server.ensure_started() == urls
    assert server.alive()
    assert find_postmaster(server.postgres_dir) != dead
    assert one(urls.owner, "SELECT n FROM kept") == 7


@pytest.mark.long
@pytest.mark.usefixtures("laid_out")
def test_a_busy_orphan_of_a_killed_server_does_not_stop_the_next(place: Path) -> None:
    server = make(place)
    urls = server.ensure_started()
    with psycopg.connect(urls.owner, autocommit=True) as link:
        orphan = psutil.Process(link.info.backend_pid)
        spin = "DO $$ BEGIN LOOP END LOOP; END $$"

        def spinning() -> None:
            with suppress(psycopg.OperationalError):
                link.execute(spin)

        thread = threading.Thread(target=spinning)
        thread.start()
        while orphan.cpu_times().user < 0.1:
            pass
        kill_postmaster(server)
        server.ensure_started()
        thread.join(timeout=10)
        assert not orphan.is_running()
    assert one(urls.owner, "SELECT 1") == 1


@pytest.mark.long
@pytest.mark.usefixtures("laid_out")
def test_a_stale_pid_file_that_names_a_stranger_is_no_server(place: Path) -> None:
    server = make(place)
    urls = server.ensure_started()
    kill_postmaster(server)
    account = server_account(server.postgres_dir)
    with subprocess.Popen(["/bin/sleep", "60"], **account.switch) as stranger:  # type: ignore[call-overload]
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            path = server.postgres_dir / name
            lines = path.read_text().splitlines()
            path.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        assert find_postmaster(server.postgres_dir) is None
        server.stop()
        assert stranger.poll() is None
        server.ensure_started()
        assert one(urls.app, "SELECT 1") == 1
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.usefixtures("laid_out")
def test_whoever_stops_it_it_stops_and_twice_does_no_harm(place: Path) -> None:
    server = make(place)
    urls = server.ensure_started()
    with psycopg.connect(urls.app):  # a client that does not leave by itself
        EmbeddedServer(place / "data").stop()
    assert not server.alive()
    assert find_postmaster(server.postgres_dir) is None
    server.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(urls.app)


@pytest.mark.long
@pytest.mark.usefixtures("laid_out")
def test_a_frozen_server_is_stopped_all_the_same(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.store.embedded._STOP_FAST_S", 0.2)
    monkeypatch.setattr("app.store.embedded._STOP_IMMEDIATE_S", 0.2)
    server = make(place)
    server.ensure_started()
    process = find_postmaster(server.postgres_dir)
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    server.stop()
    assert find_postmaster(server.postgres_dir) is None
    server.ensure_started()
    assert server.alive()


@pytest.mark.long
def test_an_interrupted_making_is_begun_anew(place: Path) -> None:
    draft = place / "data" / "postgres.draft"
    draft.mkdir(parents=True)
    (place / "data").chmod(0o711)
    (draft / "PG_VERSION").write_text("18\n")
    assert one(make(place).ensure_started().app, "SELECT 1") == 1
    assert not draft.exists()


@pytest.mark.long
def test_a_long_path_gets_a_short_private_socket(place: Path) -> None:
    deep = place / ("d" * 60) / ("e" * 60)
    server = EmbeddedServer(place / "data", postgres_dir=deep / "postgres", tuning=TEST_TUNING)
    urls = server.ensure_started()
    try:
        assert one(urls.app, "SELECT 1") == 1
        socket_dir = Path(server.socket_dir)
        assert socket_dir != server.postgres_dir
        assert stat.S_IMODE(socket_dir.stat().st_mode) == 0o700
        again = EmbeddedServer(place / "data", postgres_dir=deep / "postgres")
        assert again.ensure_started() == urls
    finally:
        server.stop()
    socket_dir.rmdir()


def test_a_foreign_folder_is_not_taken_for_the_short_socket(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(place))
    deep = place / ("d" * 60) / ("e" * 60)
    account = server_account(deep)
    folder = embedded_place.socket_folder(deep, account)
    folder.chmod(0o777)
    with pytest.raises(Misconfigured, match="not a private folder"):
        embedded_place.socket_folder(deep, account)
    folder.rmdir()
    folder.symlink_to(place)
    with pytest.raises(Misconfigured, match="not a private folder"):
        embedded_place.socket_folder(deep, account)


def test_a_folder_out_of_reach_is_named_and_left_alone(place: Path) -> None:
    home = place / "home"
    home.mkdir(mode=0o700)
    account = server_account(place / "none")
    if os.geteuid() != 0:
        home.chmod(0o000)
    rights = home.stat().st_mode
    with pytest.raises(Misconfigured, match=str(home)) as refusal:
        check_reachable(home / "saldo-data" / "postgres", account)
    assert "SALDO_POSTGRES_DIR" in refusal.value.mend
    assert home.stat().st_mode == rights
    home.chmod(0o700)


def test_an_unchosen_folder_out_of_reach_is_replaced_by_one_within(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_place, "SYSTEM_ROOT", place / "system")
    near, far = place / "near", place / "private" / "far"
    (place / "private").mkdir(mode=0o700)
    expected = place / "system" if os.geteuid() == 0 else place / "private"
    assert embedded_place.reachable_postgres_dir(near) == near / "postgres"
    found = embedded_place.reachable_postgres_dir(far)
    assert expected in found.parents
    server = EmbeddedServer(far, postgres_dir=found, tuning=TEST_TUNING)
    assert one(server.ensure_started().app, "SELECT 1") == 1
    (place / "private").chmod(0o711)
    assert embedded_place.reachable_postgres_dir(far) == found  # it stays where it is
    server.remove()
    assert not found.exists()
    assert not access_file(far).exists()


def test_only_a_cluster_is_ever_deleted(place: Path) -> None:
    folder = place / "data" / "postgres"
    folder.mkdir(parents=True)
    (folder / "holiday.jpg").touch()
    EmbeddedServer(place / "data").remove()
    assert (folder / "holiday.jpg").exists()


def test_programs_below_a_private_folder_are_laid_out_once(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_place, "SYSTEM_ROOT", place / "system")
    account = server_account(place / "none")
    wheel = embedded_place._wheel_programs()
    copies = {embedded_place._shared_copy(wheel) for _ in range(2)}
    (copy,) = copies
    assert place in copy.parents
    assert embedded_place._runs(copy, account)
    monkeypatch.setattr(embedded_place, "programs", lambda _account: copy)
    monkeypatch.setattr("app.store.embedded.programs", lambda _account: copy)
    assert one(make(place).ensure_started().app, "SELECT 1") == 1


def test_the_programs_of_the_wheel_run(place: Path) -> None:
    folder = programs(server_account(place / "none"))
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, check=True)
    assert b"(PostgreSQL) 18" in said.stdout


@pytest.mark.long
def test_lost_passwords_are_said_not_replaced(place: Path) -> None:
    server = make(place)
    server.ensure_started()
    kept = access_file(server.data_dir).read_text()
    access_file(server.data_dir).unlink()
    with pytest.raises(Misconfigured, match="passwords of the database are missing"):
        make(place).ensure_started()
    with pytest.raises(Misconfigured, match="no private database"):
        connect_only(server.data_dir)
    access_file(server.data_dir).write_text(kept.replace('"superuser": "', '"superuser": "x'))
    with pytest.raises(Misconfigured, match="does not take the passwords"):
        make(place).ensure_started()
    access_file(server.data_dir).write_text("{")
    with pytest.raises(Misconfigured, match="damaged"):
        make(place).ensure_started()


def test_a_folder_of_another_postgresql_is_refused(place: Path) -> None:
    folder = place / "data" / "postgres"
    folder.mkdir(parents=True)
    (folder / "PG_VERSION").write_text("14\n")
    (place / "data").chmod(0o711)
    with pytest.raises(Misconfigured, match="made by PostgreSQL 14"):
        make(place).ensure_started()


def test_a_folder_with_other_things_in_it_is_refused_and_kept(place: Path) -> None:
    folder = place / "data" / "postgres"
    folder.mkdir(parents=True)
    (place / "data").chmod(0o711)
    (folder / "holiday.jpg").touch()
    with pytest.raises(Misconfigured, match="is not empty"):
        make(place).ensure_started()
    assert (folder / "holiday.jpg").exists()


@pytest.mark.usefixtures("laid_out")
def test_the_operators_own_lines_win(place: Path) -> None:
    server = make(place)
    urls = server.ensure_started()
    server.stop()
    (server.postgres_dir / "local.conf").write_text("work_mem = '7MB'\n")
    (server.postgres_dir / "local.conf").chmod(0o644)
    server.ensure_started()
    assert one(urls.app, "SHOW work_mem") == "7MB"
    assert one(urls.app, "SHOW timezone") == "UTC"


@pytest.mark.usefixtures("laid_out")
def test_it_outlives_the_process_that_started_it(place: Path) -> None:
    program = (
        "import sys, os; from pathlib import Path;"
        "from app.store.embedded import EmbeddedServer;"
        "from app.store.embedded_setup import TEST_TUNING;"
        "EmbeddedServer(Path(sys.argv[1]), tuning=TEST_TUNING).ensure_started();"
        "os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(place / "data")], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert one(connect_only(place / "data").app, "SELECT 1") == 1


def test_urls_and_accounts_do_not_show_passwords(place: Path) -> None:
    urls = DatabaseUrls("postgresql://a:secret@/x", "b:secret", "c:secret", "d:secret")
    assert "secret" not in repr(urls)
    assert Account(os.geteuid(), os.getegid(), "me").switch == (
        {} if os.geteuid() else {"user": 0, "group": os.getegid(), "extra_groups": []}
    )
