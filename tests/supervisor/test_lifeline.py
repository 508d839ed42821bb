"""The lifeline: silence while the supervisor lives, an end when it does not."""

from __future__ import annotations

import os
import threading

import pytest

from app.lifeline import EXIT_ORPHANED, VARIABLE, watch


def test_without_a_supervisor_there_is_nothing_to_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert watch(lambda: None) is False


def test_it_ends_when_the_last_writer_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setenv(VARIABLE, str(reading))
    ended, exits = threading.Event(), []
    gone = threading.Event()

    def hard_exit(status: int) -> None:
        exits.append(status)
        gone.set()

    assert watch(ended.set, grace_s=0.0, hard_exit=hard_exit) is True
    assert VARIABLE not in os.environ  # grandchildren must not think it theirs
    assert not os.get_inheritable(reading)
    assert not ended.is_set()
    os.close(writing)
    assert ended.wait(5)
    assert gone.wait(5)
    assert exits == [EXIT_ORPHANED]
    os.close(reading)


def test_a_failing_end_still_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setenv(VARIABLE, str(reading))
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    gone = threading.Event()

    def broken() -> None:
        message = "the loop is closed already"
        raise RuntimeError(message)

    watch(broken, grace_s=0.0, hard_exit=lambda _: gone.set())
    os.close(writing)
    assert gone.wait(5)
    os.close(reading)
