"""The rules that ship: what they find, and files with one fault each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.case_facts import RuleFacts
from app.domain.errors import Misconfigured
from app.domain.money import Money
from app.domain.segments import Review, classify
from app.reference.segments import (
    SEGMENTS_FOLDER,
    TREATMENTS_FILE,
    load_segments,
    load_treatments,
)

CASE = RuleFacts(20, Money(15_000, "EUR"), "Loan")


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        (replace(CASE, times_late=3, open_loans=2, broken_promises=1), None),
        (replace(CASE, times_late=4), "frequently_late"),
        (replace(CASE, broken_promises=2), "broken_promises"),
        (replace(CASE, open_loans=3), "several_loans"),
        (replace(CASE, open_loans=3, days_past_due=0), None),
        (replace(CASE, open_loans=3, times_late=9, broken_promises=2), "broken_promises"),
    ],
)
def test_three_rules_ship(facts: RuleFacts, name: str | None) -> None:
    shipped = [one.segment for one in load_segments()]
    assert len(shipped) == 3
    found = classify(shipped, facts)
    assert (found.segment.name if found else None) == name
    assert all(isinstance(one.action, Review) for one in shipped)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('version = "2026-11-28"', "", "version"),
        ("rank = 10", "rank = 5000", "rank"),
        ("rank = 10", "rang = 10", "rang"),
        ('field = "broken_promises"', 'field = "age"', "no rule may ask for"),
        ('name = "several_loans"', 'name = "broken_promises"', "twice"),
        ('do = "review"', 'do = "shout"', "action"),
        ("value = 2\n", 'value = "two"\n', "when.value"),
        ("[[segment]]", "[[[segment]]]", "TOML"),
        ("source =", "sauce =", "sauce"),
    ],
)
def test_a_fault_in_a_segment_names_its_place(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    text = (SEGMENTS_FOLDER / "risk.toml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "x.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(Misconfigured, match=says):
        load_segments(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "wait"', 'name = "extend"', "has to be there once"),
        ('name = "wait"', 'name = "shout"', "none of"),
        ("share = 10000", "share = 10001", "share"),
        ("commission = 0", "commission = true", "commission"),
        ("[[0, 3000], [31, 1000]", "[[31, 3000], [31, 1000]", "rise"),
        ("[[0, 3000], ", '[["0", 3000], ', "days, basis points"),
        ('"2.00 EUR"', '"2,00 EUR"', "cost"),
        ('strength = "policy"', 'strength = "rumour"', "strength"),
        ('treatment = "extend"', 'treatment = "beat"', "none of"),
        ('why = "The amount is small', 'wy = "The amount is small', "wy"),
        ('field = "owed"', 'field = "health"', "no rule may ask for"),
    ],
)
def test_a_fault_in_a_treatment_names_its_place(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    text = TREATMENTS_FILE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "treatments.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(Misconfigured, match=says):
        load_treatments(path)
