"""Pages that are made from the code are as fresh as the code."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

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
