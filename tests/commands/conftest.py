"""Commands as an operator runs them, on a database of their own and without other settings."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.__main__ import cli
from app.domain.errors import Misconfigured, Refused
from app.store.embedded_setup import DatabaseUrls
from tests.rig import HASH_KEY, MASTER_KEY

Saldo = Callable[..., Result]


@pytest.fixture
def saldo(db: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Saldo:
    """Run one command; `env` overrides settings. Our own errors come back as the exit would."""
    settings = {
        "SALDO_DATA_DIR": str(tmp_path),
        "SALDO_DATABASE_URL": db.app,
        "SALDO_DATABASE_ENGINE_URL": db.engine,
        "SALDO_MASTER_KEYS": "test:" + base64.b64encode(MASTER_KEY).decode(),
        "SALDO_HASH_KEY": base64.b64encode(HASH_KEY).decode(),
        "SALDO_ENV_FILE": "",
    }
    monkeypatch.chdir(tmp_path)

    def run(*words: str, env: dict[str, str] | None = None, stdin: str | None = None) -> Result:
        for name, value in {**settings, **(env or {})}.items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(cli, list(words), input=stdin)

    return run


def done(result: Result) -> str:
    """What a command printed that must have worked."""
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def answer(result: Result) -> Any:
    """The JSON of a command that must have worked."""
    return json.loads(done(result))


def refusal(result: Result) -> str:
    """The words of a command that must have refused: `saldo` prints them and leaves with 1."""
    assert isinstance(result.exception, (Refused, Misconfigured)), result.exception
    return str(result.exception)
