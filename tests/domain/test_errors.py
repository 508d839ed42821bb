"""The error tree: drawn at the top of its file, and nothing beside it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from app.domain import errors
from app.domain.errors import (
    AllowanceSpent,
    Conflict,
    ConsentEnd,
    ConsentGone,
    Declined,
    IllegalTransition,
    Invalid,
    Misconfigured,
    NotAllowed,
    NotFound,
    ProviderError,
    Refused,
    SaldoError,
    TryLater,
    Unreadable,
)

CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, SaldoError)
]


def test_the_drawing_names_every_error_and_only_those() -> None:
    drawing = (errors.__doc__ or "").split("\n\n", 1)[1].split("Three complete tables")[0]
    drawn = re.findall(r"(?:^ {4}|── )([A-Z][A-Za-z]+)", drawing, re.MULTILINE)
    assert sorted(drawn) == sorted(cls.__name__ for cls in CLASSES)


@pytest.mark.parametrize(
    ("error", "status"),
    [(Refused, 400), (NotAllowed, 403), (NotFound, 404), (Conflict, 409), (IllegalTransition, 409)],
)
def test_refusals_know_their_answer(error: type[Refused], status: int) -> None:
    refusal = error("Not like this.")
    assert refusal.status == status
    assert refusal.message == str(refusal) == "Not like this."
    assert refusal.code == error.__name__
    assert error("x", code="own_word").code == "own_word"


def test_an_invalid_value_names_field_and_mend() -> None:
    refusal = Invalid("amount", "is not a number.", mend="Write digits.")
    assert refusal.status == 422
    assert (refusal.field, refusal.mend) == ("amount", "Write digits.")
    assert str(refusal) == "amount: is not a number. Write digits."
    assert str(Invalid("amount", "is missing.")) == "amount: is missing."


def test_provider_errors_carry_where_they_come_from() -> None:
    where = {"connector": "berlin_group", "operation": "balances", "reference": "req-1"}
    until = datetime(2026, 11, 2, tzinfo=UTC)
    found: list[ProviderError] = [
        TryLater("busy", after=timedelta(seconds=5), **where),
        AllowanceSpent("429", until=until, **where),
        ConsentGone("401", why=ConsentEnd.EXPIRED, **where),
        Declined("RJCT", reason="AM04", **where),
        Unreadable("odd", body="{…}", **where),
    ]
    for error in found:
        assert (error.connector, error.operation, error.reference) == tuple(where.values())
        assert error.detail == str(error)
        assert isinstance(error, SaldoError)
        assert not isinstance(error, Refused)
    assert [getattr(error, name) for error, name in zip(
        found, ("after", "until", "why", "reason", "body"), strict=True
    )] == [timedelta(seconds=5), until, ConsentEnd.EXPIRED, "AM04", "{…}"]  # fmt: skip


def test_where_is_optional() -> None:
    assert TryLater("busy").after is None
    assert AllowanceSpent("429").until is None
    assert (TryLater("busy").connector, TryLater("busy").reference) == ("", None)


def test_a_misconfiguration_says_how_to_mend_it() -> None:
    fault = Misconfigured("SALDO_PORT", "is not a number", "Set it to 8200.")
    assert str(fault) == "SALDO_PORT: is not a number. Set it to 8200."
    assert (fault.setting, fault.problem, fault.mend) == (
        "SALDO_PORT", "is not a number", "Set it to 8200.",
    )  # fmt: skip
