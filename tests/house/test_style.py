"""House rules that no linter knows: names, lengths, and what must not be written anywhere."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = ("app", "connectors", "scheduler", "sandbox", "benchmarks", "tests")

LONGEST_FILE = 450
LONGEST_FUNCTION = 80
BANNED_FILES = {"utils.py", "helpers.py", "common.py", "misc.py"}


def _tracked(*suffixes: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *CODE],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    return [ROOT / name for name in listed if name.endswith(suffixes) and (ROOT / name).exists()]


FILES = _tracked(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_fits_its_room(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert path.name not in BANNED_FILES, "name the file after what it does"
    assert len(lines) <= LONGEST_FILE, "split it: files keep to about 400 lines"
    if text.strip() and path.name != "__init__.py":
        assert "from __future__ import annotations" in text
    assert not re.search(r"^\s*from \.", text, re.MULTILINE), "no relative imports"
    unfinished = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|NotImplemented" + r"Error)\b")
    assert not unfinished.search(text), "finish it, or refuse with one of our errors"


def test_mocks_do_not_exist_here() -> None:
    banned = re.compile("unittest" + r"\.mock|Magic" + r"Mock|\bmock" + r"er\b")
    found = [str(path) for path in FILES if banned.search(path.read_text(encoding="utf-8"))]
    allowed = {str(ROOT / "pyproject.toml")}
    assert set(found) <= allowed


def test_the_migrations_folder_does_not_shadow_the_library() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()


def test_lock_files_record_no_download_addresses() -> None:
    assert not (ROOT / "uv.lock").exists()
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text
        assert text.count("--hash=sha256:") > 100


def test_the_sandbox_knows_nothing_of_ours() -> None:
    pattern = re.compile(r"^\s*(from|import) (app|connectors|scheduler)\b", re.MULTILINE)
    strangers = [p for p in FILES if p.is_relative_to(ROOT / "sandbox")]
    assert strangers
    for path in strangers:
        assert not pattern.search(path.read_text(encoding="utf-8")), path
