"""Whoever is refused a value learns what would be right, and reads the field's name once."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.api.problems import problem_of
from app.domain.errors import Invalid
from app.domain.money import Money

APP = Path(__file__).resolve().parents[2] / "app"
REFUSALS = {"Invalid", "TooLong"}
# A problem that begins like this says itself what would be right.
SAYS_IT = re.compile(
    r"has (?:1|2|seven|at most|hours like) |must |needs |lies between |is needed, with at most |"
    r"is (?:from|at most|a whole number from|a list of at most|yes or no)\b"
)
# The field of the API's own words for what pydantic refused.
REFUSED_ON_THE_WIRE = "refuse"


def calls(*names: str) -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(APP.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names:
                yield f"{path.relative_to(APP.parent)}:{node.lineno}", node


def spoken(problem: ast.expr) -> list[str]:
    """The sentences an argument can be; a value that is put in reads as "…"."""
    match problem:
        case ast.Constant(value=str() as said):
            return [said]
        case ast.JoinedStr(values=parts):
            return ["".join(str(getattr(part, "value", "…")) if isinstance(part, ast.Constant)
                            else "…" for part in parts)]  # fmt: skip
        case ast.IfExp(body=one, orelse=other):
            return spoken(one) + spoken(other)
        case _:
            return ["…"]


def test_every_refusal_says_what_would_be_right() -> None:
    silent = [
        f"{where}: {said}"
        for where, call in calls(*REFUSALS)
        if not any(word.arg == "mend" for word in call.keywords)
        for said in spoken(call.args[1])
        if not SAYS_IT.match(said)
    ]
    assert silent == []


def test_no_mend_is_empty() -> None:
    mends = [
        (where, said)
        for where, call in calls(*REFUSALS)
        for word in call.keywords
        if word.arg == "mend"
        for said in spoken(word.value)
    ]
    assert len(mends) > 300
    assert [one for one in mends if not one[1].strip()] == []
    assert [where for where, call in calls(REFUSED_ON_THE_WIRE) if len(call.args) < 2] == []


def test_no_problem_begins_with_the_name_of_its_field() -> None:
    twice = [
        f"{where}: {said}"
        for where, call in calls(*REFUSALS)
        for field in spoken(call.args[0])
        for said in spoken(call.args[1])
        if field != "…" and said.lower().startswith((f"{field.lower()}:", f"{field.lower()} "))
    ]
    assert twice == []


def test_an_answer_of_the_api_names_the_field_once_and_the_mend_once() -> None:
    problem = problem_of(Invalid("made_at", "is in the future.", mend="Give a moment that passed."))
    assert problem is not None
    (fault,) = problem.errors
    assert fault == {
        "field": "made_at",
        "message": "is in the future.",
        "mend": "Give a moment that passed.",
    }
    assert problem.detail == "made_at: is in the future. Give a moment that passed."


def test_what_stands_beside_its_field_is_said_without_it() -> None:
    with pytest.raises(Invalid) as refused:
        Money.parse("12.345", "EUR", field="paid")
    error = refused.value
    assert error.said == f"{error.problem} {error.mend}"
    assert str(error) == f"paid: {error.said}"
    assert Invalid("x", "must be 1 to 3.").said == "must be 1 to 3."
