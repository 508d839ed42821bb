"""Which installation a command means: said, found, or asked for; never guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.commands.at_work import refuse_to_guess
from app.domain.errors import Invalid
from app.instance import Instance, ProcessMark, publish, take_lock


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which nothing of ours runs."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("SALDO_DATA_DIR", "SALDO_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def machine(alone: Path) -> Iterator[Callable[[str], Path]]:
    """Starts instances, as far as others can tell: the lock is held, the run file is there."""
    with ExitStack() as held:

        def start(name: str) -> Path:
            folder = alone / name
            folder.mkdir(parents=True)
            lock = take_lock(folder)
            assert lock is not None
            held.enter_context(lock)
            me = ProcessMark("supervisor", 1, 0.0)
            publish(
                Instance(
                    str(folder), str(folder), str(folder / "clock.json"), True, False, "2026", me
                )
            )
            return folder

        yield start


def test_one_instance_is_meant_and_two_are_a_question(machine: Callable[[str], Path]) -> None:
    refuse_to_guess(None)
    machine("one")
    refuse_to_guess(None)
    machine("two")
    with pytest.raises(Invalid, match="several run here"):
        refuse_to_guess(None)


def test_whoever_says_which_is_not_asked(
    machine: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _two = machine("one"), machine("two")
    refuse_to_guess(one)
    monkeypatch.setenv("SALDO_DATA_DIR", str(one))
    refuse_to_guess(None)


def test_standing_in_the_folder_of_one_says_which(
    machine: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine("elsewhere")
    monkeypatch.chdir(machine("mine/demo").parent)
    refuse_to_guess(None)
    machine("mine/saldo-data")
    with pytest.raises(Invalid, match="several run here"):
        refuse_to_guess(None)


def test_a_command_knows_the_address_of_the_instance_it_is_led_to() -> None:
    me = ProcessMark("supervisor", 1, 0.0)
    at = ("/x/demo", "/x/demo/postgres", "/x/demo/clock.json", True, True, "2026", me)
    assert Instance(*at, urls={"web": "http://127.0.0.1:8200"}).overrides() == {
        "data_dir": Path("/x/demo"),
        "postgres_dir": Path("/x/demo/postgres"),
        "clock_file": Path("/x/demo/clock.json"),
        "demo": True,
        "public_url": "http://127.0.0.1:8200",
    }
    assert "public_url" not in Instance(*at).overrides()
