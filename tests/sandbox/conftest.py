"""One small world per test."""

from __future__ import annotations

import pytest

from tests.sandbox.rig import Town


@pytest.fixture
def town() -> Town:
    """An empty town on a Monday morning; tests move people in."""
    return Town()
