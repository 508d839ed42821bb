"""The command line itself: quick, clear when something is wrong, and finding what runs."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.clock import Clock, start_warp
from tests.supervisor.conftest import ROOT, House

MONDAY = datetime(2026, 1, 5, 8, tzinfo=UTC)


def saldo(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `saldo` in an empty folder with a home of its own."""
    own = {"HOME": str(folder), "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-P", "-m", "app", *arguments],
        capture_output=True,
        check=False,
        cwd=folder,
        env={**os.environ, **own, **environ},
        text=True,
        timeout=60,
    )


def test_asking_for_help_loads_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys, app.__main__;"
        "print([name for name in ('sqlalchemy', 'fastapi', 'aiohttp', 'babel', 'phonenumbers')"
        " if name in sys.modules])"
    )
    said = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True)
    assert said == "[]\n"
    help_text = saldo(tmp_path, "--help").stdout
    for command in ("serve", "web", "scheduler", "worker", "demo", "status", "doctor"):
        assert f" {command} " in help_text


@pytest.mark.parametrize("command", ["serve", "web", "worker"])
def test_a_wrong_setting_is_one_clear_word_and_status_78(tmp_path: Path, command: str) -> None:
    done = saldo(tmp_path, command, SALDO_PUBLIC_URL="http://pay.example.com")
    assert done.returncode == os.EX_CONFIG
    assert "SALDO_PUBLIC_URL: must begin with https://" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_env_file_is_read_wherever_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "my.env").write_text("SALDO_PUBLIC_URL=http://pay.example.com\n")
    for done in (
        saldo(tmp_path, "--env-file", "my.env", "serve"),
        saldo(tmp_path, "serve", SALDO_ENV_FILE="my.env"),
    ):
        assert done.returncode == os.EX_CONFIG
        assert "SALDO_PUBLIC_URL" in done.stderr


def test_a_database_that_is_not_there_is_said_without_its_password(tmp_path: Path) -> None:
    nowhere = {
        f"SALDO_DATABASE_{name}URL": "postgresql://saldo:hidden@127.0.0.1:1/saldo"
        for name in ("", "ENGINE_", "OWNER_")
    }
    done = saldo(tmp_path, "serve", **nowhere)
    assert done.returncode == os.EX_CONFIG
    assert "SALDO_DATABASE_OWNER_URL: the database cannot be used" in done.stderr
    assert "hidden" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_demos_clock_is_set_from_anywhere(house: House) -> None:
    file = house.data_dir / "clock.json"
    start_warp(file, business_start=MONDAY, speed=60)
    house.start()
    place = {"HOME": str(house.home), "TMPDIR": str(house.temp)}
    done = saldo(house.home, "demo", "speed", "7", **place)
    assert done.returncode == 0, done.stderr
    assert "running at 7x" in done.stdout
    assert Clock(file).speed() == 7
    assert saldo(house.home, "demo", "speed", "-1", **place).returncode == 2
    assert Clock(file).speed() == 7


def test_without_a_demo_there_is_nothing_to_set(tmp_path: Path) -> None:
    done = saldo(tmp_path, "demo", "speed", "7")
    assert done.returncode == 1
    assert done.stderr == "No demo runs on this machine. Start it with `make demo`.\n"
