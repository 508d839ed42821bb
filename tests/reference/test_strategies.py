"""The strategies that ship: read to the last field, sound everywhere, faults named."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.domain.errors import Misconfigured
from app.domain.stage_checks import validate
from app.domain.stages import EndAct, body_notes, parse_body
from app.reference.packs import load_packs
from app.reference.strategies import (
    DEFAULT,
    STRATEGIES_FOLDER,
    load_strategies,
    shipped_strategies,
)

SOFT = (STRATEGIES_FOLDER / "soft.toml").read_text(encoding="utf-8")


def test_the_soft_flow_calls_three_times_and_ends_before_people() -> None:
    soft = shipped_strategies()[DEFAULT]
    calls = soft.stages[-1].calls
    assert calls is not None
    assert (calls.attempts, calls.gap_days, calls.working_days_only) == (3, 1, True)
    assert soft.end is not None
    assert soft.end.do is EndAct.PROPOSE_WRITE_OFF
    assert [notice.template for notice in soft.notices] == [
        "pre_due",
        *["first_missed"] * 2,
        *["follow_up"] * 2,
        *["escalated"] * 2,
    ]


@pytest.mark.parametrize("name", sorted(shipped_strategies()))
def test_what_ships_breaks_no_cap_of_any_pack(name: str) -> None:
    body = shipped_strategies()[name]
    book = load_packs()
    found = validate(
        body,
        packs=(*book.packs.values(), book.elsewhere),
        templates=lambda _name, _channel: {"es": ("link",)},
        known_values=("link",),
    )
    assert [finding for finding in found if finding.blocks] == []
    assert parse_body(body_notes(body)) == body


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('name = "soft"', 'name = "hard"', "name"),
        ("attempts = 3", "attempts = 0", "stages[3].calls.attempts"),
        ("[end]", "[ending]", "ending"),
        ("[end]", "[end", "TOML"),
    ],
)
def test_a_fault_names_its_file_and_field(
    tmp_path: Path, before: str, after: str, words: str
) -> None:
    (tmp_path / "soft.toml").write_text(SOFT.replace(before, after), encoding="utf-8")
    with pytest.raises(Misconfigured) as refused:
        load_strategies(tmp_path)
    assert "soft.toml" in str(refused.value)
    assert words in str(refused.value)


def test_the_default_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(SOFT.replace('"soft"', '"other"'), encoding="utf-8")
    with pytest.raises(Misconfigured):
        load_strategies(tmp_path)
