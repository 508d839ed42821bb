"""Every lifecycle, cell by cell, and what each must never allow."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest

from app.domain.case import CASE, CaseState
from app.domain.consent import CONSENT, END_EVENT, REQUEST, ConsentState, RequestState
from app.domain.errors import ConsentEnd, IllegalTransition
from app.domain.lifecycle import Lifecycle
from app.domain.message import MESSAGE, MessageState
from app.domain.payment import LINK, LIVE_STATES, PAYMENT, LinkState, PaymentState
from app.domain.task import TASK, TaskState

ALL: list[Lifecycle[Any]] = [CASE, REQUEST, CONSENT, MESSAGE, PAYMENT, LINK, TASK]
CELLS = [
    pytest.param(lifecycle, state, event, id=f"{lifecycle.name}-{state}-{event}")
    for lifecycle in ALL
    for state in lifecycle.states
    for event in sorted({event for row in lifecycle.table.values() for event in row})
]


@pytest.mark.parametrize(("lifecycle", "state", "event"), CELLS)
def test_each_cell_is_a_listed_move_or_a_refusal(
    lifecycle: Lifecycle[Any], state: StrEnum, event: str
) -> None:
    listed = lifecycle.table[state]
    assert (event in lifecycle.events(state)) == (event in listed)
    assert (state in lifecycle.sources(event)) == (event in listed)
    if event in listed:
        assert lifecycle.step(state, event) is listed[event]
    else:
        with pytest.raises(IllegalTransition) as refusal:
            lifecycle.step(state, event)
        assert lifecycle.name in str(refusal.value)
        assert event.replace("_", " ") in str(refusal.value)


@pytest.mark.parametrize("lifecycle", ALL, ids=lambda lifecycle: lifecycle.name)
def test_final_states_are_those_nothing_leaves(lifecycle: Lifecycle[Any]) -> None:
    for state in lifecycle.states:
        leaves = {target for target in lifecycle.table[state].values() if target is not state}
        assert lifecycle.is_final(state) == (not leaves)
    assert not lifecycle.is_final(lifecycle.start)


@pytest.mark.parametrize(
    ("lifecycle", "finals"),
    [
        (CASE, set()),
        (REQUEST, {RequestState.COMPLETED, RequestState.EXPIRED}),
        (
            CONSENT,
            {
                ConsentState.REJECTED, ConsentState.EXPIRED, ConsentState.REVOKED_AT_BANK,
                ConsentState.WITHDRAWN, ConsentState.SUPERSEDED, ConsentState.LOST,
            },
        ),
        (
            MESSAGE,
            {
                MessageState.DELIVERED, MessageState.UNDELIVERED, MessageState.FAILED,
                MessageState.CANCELLED, MessageState.WITHHELD,
            },
        ),
        (
            PAYMENT,
            {
                PaymentState.REJECTED, PaymentState.CANCELLED, PaymentState.ABANDONED,
                PaymentState.RETURNED,
            },
        ),
        (LINK, {LinkState.EXPIRED, LinkState.WITHDRAWN}),
        (TASK, {TaskState.DONE, TaskState.CANCELLED}),
    ],
    ids=lambda value: value.name if isinstance(value, Lifecycle) else "",
)  # fmt: skip
def test_where_each_life_ends(lifecycle: Lifecycle[Any], finals: set[StrEnum]) -> None:
    assert {state for state in lifecycle.states if lifecycle.is_final(state)} == finals


def reach(lifecycle: Lifecycle[Any], start: StrEnum) -> set[StrEnum]:
    """Every state that can follow, however late."""
    seen: set[StrEnum] = set()
    edge = [start]
    while edge:
        for target in lifecycle.table[edge.pop()].values():
            if target not in seen:
                seen.add(target)
                edge.append(target)
    return seen


def test_a_withdrawn_consent_never_reads_again() -> None:
    for state in (ConsentState.WITHDRAWN, ConsentState.REVOKED_AT_BANK, ConsentState.SUPERSEDED):
        assert ConsentState.ACTIVE not in reach(CONSENT, state)


def test_money_on_its_way_is_never_called_abandoned() -> None:
    for state in (PaymentState.OPEN, PaymentState.AUTHORISED, PaymentState.SETTLED):
        assert PaymentState.ABANDONED not in reach(PAYMENT, state)
    # Abandoned means that nobody can authorise it: it must never turn into money.
    assert reach(PAYMENT, PaymentState.ABANDONED) == set()


def test_a_settled_payment_can_only_come_back() -> None:
    assert reach(PAYMENT, PaymentState.SETTLED) == {PaymentState.SETTLED, PaymentState.RETURNED}


def test_live_payments_are_those_that_may_still_become_money() -> None:
    may_settle = {
        state
        for state in PaymentState
        if PaymentState.SETTLED in reach(PAYMENT, state) and state is not PaymentState.SETTLED
    }
    assert {*LIVE_STATES, PaymentState.LEFT_OPEN} == may_settle


def test_a_message_that_left_is_never_queued_again() -> None:
    for state in (MessageState.SENT, MessageState.DELIVERED, MessageState.UNDELIVERED):
        assert MessageState.QUEUED not in reach(MESSAGE, state)
        assert MessageState.SENDING not in reach(MESSAGE, state)
    # Not knowing is not having failed: only a look-up leads back to the queue.
    assert MESSAGE.events(MessageState.UNKNOWN).count("not_sent") == 1
    assert "claim" not in MESSAGE.events(MessageState.UNKNOWN)


def test_a_receipt_in_the_wrong_order_changes_nothing() -> None:
    for state in (MessageState.DELIVERED, MessageState.UNDELIVERED):
        for event in ("accepted", "delivered", "undelivered"):
            assert MESSAGE.step(state, event) is state


def test_every_word_for_an_end_moves_a_living_consent() -> None:
    assert set(END_EVENT) == set(ConsentEnd)
    for end, event in END_EVENT.items():
        assert event in CONSENT.events(ConsentState.PENDING), end
        if end is not ConsentEnd.REJECTED:
            assert CONSENT.step(ConsentState.ACTIVE, event) is not ConsentState.ACTIVE


def test_a_closed_case_lives_on_only_when_reopened() -> None:
    assert CASE.events(CaseState.CLOSED) == ("reopen",)


class Light(StrEnum):
    RED = "red"
    GREEN = "green"


def test_a_table_with_a_hole_is_found_at_import() -> None:
    with pytest.raises(ValueError, match="no row for green"):
        Lifecycle("light", Light, start=Light.RED, table={Light.RED: {"go": Light.GREEN}})


def test_a_state_that_nothing_leads_to_is_found_at_import() -> None:
    with pytest.raises(ValueError, match="green cannot be reached"):
        Lifecycle("light", Light, start=Light.RED, table={Light.RED: {}, Light.GREEN: {}})
