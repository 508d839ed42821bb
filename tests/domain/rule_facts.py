"""Strategies of Hypothesis for facts of cases and conditions about them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from app.domain.case_facts import FIELDS, Care, FieldKind, FundsHistory, Reach, RuleFacts
from app.domain.conditions import OP_WORDS, ORDERED, WORDED
from app.domain.money import Money

CURRENCIES = ("EUR", "PLN", "JPY")
PRODUCTS = ("Loan", "Card", "BNPL")

small = st.integers(0, 12)
amounts = st.builds(Money, st.integers(0, 900_000), st.sampled_from(CURRENCIES))
cares = st.frozensets(st.sampled_from(Care))
facts = st.builds(
    RuleFacts,
    days_past_due=st.integers(0, 400),
    owed=amounts,
    product=st.sampled_from(PRODUCTS),
    open_loans=small,
    past_cases=small,
    broken_promises=small,
    times_late=small,
    loan_age_days=st.integers(0, 4000),
    funds_seen=st.sampled_from(FundsHistory),
    reach=st.sampled_from(Reach),
    care=cares,
)


@st.composite
def _leaf(draw: st.DrawFn) -> dict[str, Any]:
    field = draw(st.sampled_from(list(FIELDS.values())))
    op = draw(st.sampled_from(WORDED if field.kind is FieldKind.WORD else ORDERED))
    assert op in OP_WORDS
    value: Any
    match field.kind:
        case FieldKind.NUMBER:
            value = draw(st.integers(0, 60))
        case FieldKind.MONEY:
            value = str(draw(amounts))
        case FieldKind.WORD:
            value = draw(st.sampled_from(field.words or PRODUCTS))
            value = [value] if op == "one_of" else value
    return {"field": field.name, "op": op, "value": value}


conditions = st.recursive(
    _leaf(),
    lambda part: st.one_of(
        st.lists(part, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(part, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        part.map(lambda one: {"not": one}),
    ),
    max_leaves=6,
)
