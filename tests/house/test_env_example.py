"""`.env.example` is complete and says what the settings say."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

import connectors
from app.env_example import document
from app.settings import SECTIONS, Settings, read_env_file, variable

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / ".env.example"


def models() -> list[tuple[str, type[BaseModel]]]:
    found: list[tuple[str, type[BaseModel]]] = [("SALDO_", Settings)]
    for connector in connectors.discover().values():
        prefix = str(connector.settings.model_config.get("env_prefix", ""))
        found.append((prefix, connector.settings))
    return found


def test_the_file_is_what_the_settings_say() -> None:
    assert FILE.read_text(encoding="utf-8") == document(), "run `make env`"


def test_every_setting_of_saldo_and_its_connectors_is_in_it_and_explained() -> None:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    for prefix, model in models():
        for name, field in model.model_fields.items():
            assert field.description, f"{prefix}{name} has no description"
            assert [line for line in lines if line.startswith(f"#{variable(name, prefix)}=")]


def test_connectors_keep_to_their_own_prefix() -> None:
    for name, connector in connectors.discover().items():
        if connector.settings.model_fields:
            prefix = connector.settings.model_config.get("env_prefix")
            assert str(prefix).upper() == f"SALDO_{name.upper()}_"


def test_uncommented_it_gives_the_defaults(tmp_path: Path) -> None:
    text = "\n".join(line.removeprefix("#") for line in document().splitlines() if "=" in line)
    kept = [line for line in text.splitlines() if line.startswith("SALDO_")]
    (tmp_path / "all.env").write_text("\n".join(kept))
    environ: dict[str, str] = {}
    read_env_file(environ, tmp_path / "all.env")
    own = {name: value for name, value in environ.items() if value != ""}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in own.items():
            patch.setenv(name, value)
        given = Settings()
    assert given == Settings()


def test_every_section_begins_at_a_setting_that_exists() -> None:
    assert SECTIONS.keys() <= Settings.model_fields.keys()
