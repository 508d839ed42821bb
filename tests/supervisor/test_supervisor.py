"""One supervisor over real processes: started, stopped, killed, started again."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import threading
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psutil
import psycopg
import pytest

from app.clock import Clock, start_warp
from app.instance import Instance, ProcessMark, find_running, publish, take_lock
from app.store.embedded import EmbeddedServer
from app.store.embedded_setup import TEST_TUNING
from app.supervisor import serve
from app.supervisor.children import EXIT_MISCONFIGURED
from tests.places import lay_out_server, server_place
from tests.supervisor.conftest import House, until

MONDAY = datetime(2026, 1, 5, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    "sign", [signal.SIGTERM, signal.SIGINT, pytest.param(signal.SIGHUP, marks=pytest.mark.long)]
)
def test_a_signal_stops_everything_cleanly(house: House, sign: signal.Signals) -> None:
    process = house.start()
    assert house.answers()
    until(lambda: len(house.marks("started")) == 2)
    # As Ctrl-C does: the signal goes to the terminal's whole process group.
    os.killpg(process.pid, sign)
    assert process.wait(timeout=20) == 0
    assert sorted(house.marks("ended")) == sorted(house.marks("started"))
    assert house.marks("orphaned") == []
    assert house.is_swept()


def test_it_starts_again_where_it_was(house: House) -> None:
    for _ in range(2):
        process = house.start()
        assert house.answers()
        pids = {mark.pid for mark in house.now.children if mark.name != "keeper"}
        until(partial(house.noted, "started", pids))
        process.terminate()
        assert process.wait(timeout=20) == 0
    assert len(house.marks("ended")) == 4


def test_a_second_start_is_refused_and_leaves_the_first_alone(house: House) -> None:
    house.start()
    before = house.now
    second = house.start(ready=False)
    said = house.said(second)
    assert second.returncode == 1
    assert "already runs" in said
    assert str(house.data_dir) in said
    assert "http://127.0.0.1:1" in said
    assert house.now == before
    assert house.answers()


def test_after_a_kill_the_children_end_and_the_keeper_stops_the_server(house: House) -> None:
    process = house.start("--stubborn")
    until(lambda: len(house.marks("started")) == 3)
    process.kill()
    process.wait()
    until(lambda: len(house.marks("orphaned")) == 3, 5)
    until(lambda: len(house.marks("ended")) == 2, 5)
    until(house.is_swept, 30)


def test_a_new_start_right_after_a_kill_takes_over(house: House) -> None:
    first = house.start()
    until(lambda: len(house.marks("started")) == 2)
    server, old = house.postmaster(), {mark.pid for mark in house.now.children}
    first.kill()
    first.wait()
    second = house.start()
    assert house.postmaster() == server
    assert old.isdisjoint({mark.pid for mark in house.now.children})
    until(lambda: len(house.marks("started")) == 4)
    assert sorted(house.marks("ended")) == sorted(house.marks("started")[:2])
    second.terminate()
    assert second.wait(timeout=20) == 0
    assert house.is_swept()


@pytest.mark.long
def test_a_start_during_the_keepers_work_waits_for_it(house: House) -> None:
    first = house.start()
    first.kill()
    first.wait()
    until(lambda: house.postmaster() is None, 30)
    second = house.start()
    assert house.answers()
    second.terminate()
    assert second.wait(timeout=20) == 0


@pytest.mark.parametrize("name", ["child-1", "keeper"])
def test_a_killed_child_is_replaced(house: House, name: str) -> None:
    process = house.start()
    old = house.child(name)
    assert old is not None
    old.kill()
    until(lambda: house.child(name) not in (None, old), 10)
    process.terminate()
    assert process.wait(timeout=20) == 0
    assert house.is_swept()


def test_a_killed_server_is_started_again(house: House) -> None:
    process = house.start()
    old = house.postmaster()
    assert old is not None
    old.kill()
    until(lambda: house.postmaster() not in (None, old), 15)
    until(house.answers, 15)
    process.terminate()
    assert process.wait(timeout=30) == 0
    assert house.is_swept()


def test_a_child_that_cannot_work_like_this_stops_the_house(house: House) -> None:
    process = house.start("--misconfigured", ready=False)
    assert process.wait(timeout=30) == EXIT_MISCONFIGURED
    assert house.is_swept()


def test_a_port_in_use_is_said_before_anything_listens(house: House) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        process = house.start("--port", str(port), ready=False)
        said = house.said(process)
    assert process.returncode == 1
    assert f"REFUSED SALDO_WEB_PORT: 127.0.0.1:{port} cannot be used" in said
    assert house.marks("started") == []
    assert house.is_swept()


def test_ready_means_that_the_port_accepts(house: House, free_port: int) -> None:
    house.start("--port", str(free_port))
    with closing(socket.create_connection(("127.0.0.1", free_port), timeout=5)):
        pass


@pytest.mark.long
def test_a_port_held_by_the_killed_run_is_waited_for(house: House, free_port: int) -> None:
    first = house.start("--port", str(free_port))
    first.kill()
    first.wait()
    house.start("--port", str(free_port))


@pytest.mark.long
def test_a_second_signal_does_not_wait_for_a_stubborn_child(house: House) -> None:
    process = house.start("--stubborn")
    until(lambda: len(house.marks("started")) == 3)
    process.send_signal(signal.SIGINT)
    until(lambda: len(house.marks("asked")) == 1)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=serve.STOP_PATIENCE_S / 2) == 0
    assert house.is_swept()


def test_a_child_for_one_task_is_not_started_again(house: House) -> None:
    process = house.start("--once")
    until(lambda: len(house.marks("once")) == 1)
    old = house.child("child-1")
    assert old is not None
    old.kill()
    until(lambda: house.child("child-1") not in (None, old), 10)
    assert house.child("once") is None
    process.terminate()
    assert process.wait(timeout=20) == 0
    assert len(house.marks("once")) == 1


def test_a_database_of_ones_own_is_used_and_left_alone(house: House) -> None:
    shutil.rmtree(house.data_dir)
    with server_place() as place:
        lay_out_server(place / "data")
        server = EmbeddedServer(place / "data", tuning=TEST_TUNING)
        urls = server.ensure_started()
        house.environ = {
            "SALDO_DATABASE_URL": urls.app,
            "SALDO_DATABASE_ENGINE_URL": urls.engine,
            "SALDO_DATABASE_OWNER_URL": urls.owner,
        }
        process = house.start()
        assert not house.now.embedded
        assert not (house.data_dir / "postgres").exists()
        assert "postgresql://" not in (house.data_dir / "run.json").read_text()
        process.terminate()
        assert process.wait(timeout=20) == 0
        assert server.alive()
        with psycopg.connect(urls.owner) as link:
            assert link.execute("SELECT count(*) FROM proof").fetchone() == (0,)
    assert house.is_swept()


@pytest.mark.long
def test_business_time_runs_only_while_the_house_runs(house: House) -> None:
    file = house.data_dir / "clock.json"
    start_warp(file, business_start=MONDAY, speed=3600)
    clock = Clock(file)
    process = house.start()
    begun = clock.now()
    until(lambda: clock.now() > begun)
    process.kill()
    process.wait()
    until(lambda: clock.speed() == 0.0, 5)
    stood = clock.now()
    assert Clock(file).now() == stood
    again = house.start()
    until(lambda: clock.now() > stood)
    again.terminate()
    assert again.wait(timeout=20) == 0
    assert clock.speed() == 0.0


def test_the_running_house_is_found_without_settings(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = house.start()
    monkeypatch.setenv("HOME", str(house.home))
    monkeypatch.setattr("tempfile.tempdir", str(house.temp))
    (found,) = find_running()
    assert found == house.now
    assert found.demo
    assert found.embedded
    monkeypatch.setenv("HOME", str(house.temp / "another"))
    assert find_running() == [found]
    process.kill()
    process.wait()
    assert find_running() == []


def test_the_house_of_the_working_folder_comes_before_a_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "temp").mkdir()
    held = []
    for name, started in (
        ("mine/demo", "2026-03-02"),
        ("old", "2026-03-01"),
        ("new", "2026-03-03"),
    ):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        held.append(take_lock(folder))
        mark = ProcessMark("supervisor", 1, 0.0)
        publish(Instance(str(folder), "", "", True, True, started, mark))
    monkeypatch.chdir(tmp_path)
    names = [Path(one.data_dir).name for one in find_running()]
    assert names == ["new", "demo", "old"]
    monkeypatch.chdir(tmp_path / "mine")
    names = [Path(one.data_dir).name for one in find_running()]
    assert names == ["demo", "new", "old"]
    for file in held:
        assert file is not None
        file.close()


@pytest.mark.long
def test_a_small_storm_leaves_nothing_behind(house: House) -> None:
    """Whoever dies, in whatever order: it comes back, and one stop still stops everything."""
    chance = random.Random(1)
    process = house.start()
    killed: list[str] = []
    for _ in range(15):
        threading.Event().wait(chance.uniform(0.0, 0.8))
        if process.poll() is not None:
            assert process.returncode == -signal.SIGKILL, f"{killed}: {house.said(process)}"
            process = house.start(ready=False)
            continue
        victims = house.everything()
        if victims:
            name = chance.choice(sorted(victims))
            killed.append(name)
            with suppress(psutil.NoSuchProcess):
                victims[name].kill()
            if name == "supervisor":
                process.wait()
    if process.poll() is not None:
        process = house.start()
    names = {"supervisor", "postmaster", "keeper", "child-1", "child-2"}
    until(lambda: names <= house.everything().keys() and house.answers(), 40)
    process.terminate()
    assert process.wait(timeout=30) == 0, killed
    until(house.is_swept, 10)
