"""Pages that are made from the code are as fresh as the code."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

import connectors

ROOT = Path(__file__).resolve().parents[2]


def test_states_page_is_fresh() -> None:
    spec = importlib.util.spec_from_file_location("make_states", ROOT / "docs" / "make_states.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (ROOT / "docs" / "states.md").read_text(encoding="utf-8")
    assert written == module.page(), "run: python docs/make_states.py"


def test_every_adr_has_the_same_parts() -> None:
    found = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert found
    for path in found:
        text = path.read_text(encoding="utf-8")
        for part in ("Status:", "## Context", "## Decision", "## Consequences", "## Rejected"):
            assert part in text, f"{path.name} lacks {part!r}"
        assert len(text.splitlines()) <= 60, f"{path.name} is longer than a screen"


def test_readme_shows_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make test" in readme


def test_every_known_defect_names_a_test_that_is_there() -> None:
    page = (ROOT / "docs" / "known-defects.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 40
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row)
        assert named or "not applicable:" in row, row
        for path, name in named:
            code = (ROOT / path).read_text(encoding="utf-8")
            assert re.search(rf"^(async )?def {name}\(", code, re.MULTILINE), f"{path}::{name}"


@pytest.mark.parametrize("name", connectors.discover())
def test_every_connector_has_a_page_that_says_what_is_needed_and_verified(name: str) -> None:
    page = (ROOT / "docs" / "providers" / f"{name}.md").read_text(encoding="utf-8")
    needs = page.partition("## What you need\n")[2].partition("\n## ")[0]
    for part in ("contract", "licence"):
        assert part in page.lower() or "authorisation" in page, f"{name}: {part}"
    prefix = str(connectors.discover()[name].settings.model_config.get("env_prefix", ""))
    assert prefix in needs, f"{name}: its settings"
    addresses = ("address", "/hooks/", "redirect", "webhook")
    assert any(word in page.lower() for word in addresses), f"{name}: its addresses"
    verified = page.partition("## How it is verified\n")[2]
    assert len(verified.split()) > 30, f"{name}: how it is verified"
    known = set(connectors.discover()[name].settings.model_fields)
    named = re.findall(rf"`{prefix}([A-Z][A-Z_]+)`", page)
    assert {one.lower() for one in named} <= known, f"{name}: settings that there are not"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"docs/providers/{name}.md" in readme, f"{name}: not linked from the README"
