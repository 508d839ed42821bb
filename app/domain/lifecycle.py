"""A state machine said once, as one table: state -> {event: next state}."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Generic, TypeVar

from app.domain.errors import IllegalTransition

S = TypeVar("S", bound=StrEnum)


class Lifecycle(Generic[S]):
    """One lifecycle. From its table come the moves, the buttons, the CHECK and the docs.

    The constructor raises `ValueError` when a state has no row or cannot be reached from
    `start`: a table with a hole is a programming mistake, found at import.
    """

    def __init__(
        self, name: str, states: type[S], *, start: S, table: Mapping[S, Mapping[str, S]]
    ) -> None:
        missing = [state for state in states if state not in table]
        if missing:
            raise ValueError(f"lifecycle {name}: no row for {', '.join(missing)}")
        reached = {start}
        edge = [start]
        while edge:
            for target in table[edge.pop()].values():
                if target not in reached:
                    reached.add(target)
                    edge.append(target)
        lost = [state for state in states if state not in reached]
        if lost:
            raise ValueError(f"lifecycle {name}: {', '.join(lost)} cannot be reached")
        self.name = name
        self.states = states
        self.start = start
        self.table = {state: dict(table[state]) for state in states}

    def step(self, state: S, event: str) -> S:
        """The next state. Raises `IllegalTransition` for a move that is not listed."""
        try:
            return self.table[state][event]
        except KeyError:
            raise IllegalTransition(
                f"A {self.name} that is {state} cannot {event.replace('_', ' ')}."
            ) from None

    def events(self, state: S) -> tuple[str, ...]:
        """What can happen in `state`, in the table's order."""
        return tuple(self.table[state])

    def sources(self, event: str) -> tuple[S, ...]:
        """Every state in which `event` is listed."""
        return tuple(state for state in self.states if event in self.table[state])

    def is_final(self, state: S) -> bool:
        """True when nothing but staying put can follow."""
        return all(target == state for target in self.table[state].values())
