"""Which installation a command means: said, found, or asked for; never guessed."""

from __future__ import annotations

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


def start(folder: Path) -> object:
    """An instance as far as others can tell: the lock is held, the run file is there."""
    folder.mkdir()
    held = take_lock(folder)
    me = ProcessMark("supervisor", 1, 0.0)
    publish(Instance(str(folder), str(folder), str(folder / "clock.json"), True, False, "2026", me))
    return held


def test_one_instance_is_meant_and_two_are_a_question(alone: Path) -> None:
    refuse_to_guess(None)
    held = [start(alone / "one")]
    refuse_to_guess(None)
    held.append(start(alone / "two"))
    with pytest.raises(Invalid, match="several run here"):
        refuse_to_guess(None)
    assert len(held) == 2


def test_whoever_says_which_is_not_asked(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = [start(alone / "one"), start(alone / "two")]
    refuse_to_guess(alone / "one")
    monkeypatch.setenv("SALDO_DATA_DIR", str(alone / "one"))
    refuse_to_guess(None)
    assert len(held) == 2
