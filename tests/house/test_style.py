"""House rules that no linter knows: names, lengths, and what must not be written anywhere."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from alembic.script import ScriptDirectory

ROOT = Path(__file__).resolve().parents[2]
CODE = ("app", "connectors", "scheduler", "sandbox", "benchmarks", "tests")

LONGEST_FILE = 450
LONGEST_FUNCTION = 80
FUTURE = "from __future__ import annotations"
BANNED_FILES = {"utils.py", "helpers.py", "common.py", "misc.py"}


def _tracked(*suffixes: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *CODE],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    return [ROOT / name for name in listed if name.endswith(suffixes) and (ROOT / name).exists()]


FILES = _tracked(".py")


RELATIVE = re.compile(r"^\s*from \.", re.MULTILINE)
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|NotImplemented" + r"Error)\b")


def _faults(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    if path.name in BANNED_FILES:
        yield "name the file after what it does"
    if len(text.splitlines()) > LONGEST_FILE:
        yield "split it: files keep to about 400 lines"
    if text.strip() and path.name != "__init__.py" and FUTURE not in text:
        yield f"begin with `{FUTURE}`"
    if RELATIVE.search(text):
        yield "no relative imports"
    if UNFINISHED.search(text):
        yield "finish it, or refuse with one of our errors"


def test_files_fit_their_rooms() -> None:
    assert len(FILES) > 1000
    assert [f"{path.relative_to(ROOT)}: {one}" for path in FILES for one in _faults(path)] == []


def test_mocks_do_not_exist_here() -> None:
    banned = re.compile("unittest" + r"\.mock|Magic" + r"Mock|\bmock" + r"er\b")
    found = [str(path) for path in FILES if banned.search(path.read_text(encoding="utf-8"))]
    allowed = {str(ROOT / "pyproject.toml")}
    assert set(found) <= allowed


def test_the_migrations_folder_does_not_shadow_the_library() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()


def test_migrations_end_in_one_head() -> None:
    """Two that follow the same one merge without a conflict, and fail at the next start."""
    assert len(ScriptDirectory(str(ROOT / "alembic")).get_heads()) == 1


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
