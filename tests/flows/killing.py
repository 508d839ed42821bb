"""A process that dies. In any transaction, before any commit, before or behind any call outside.

PostgreSQL rolls a dead process's transaction back; so does the exception that passes through here,
which nothing in the house catches. So it is all one at which of a transaction's statements the
process dies, and the first stands for them; one test tries every one nevertheless. Counting the
points a flow passes, a test can let it die at each of them in turn.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

from sqlalchemy import Connection, event

from app.store.unit import Store
from tests.flows.outside import Carrier, PayBank
from tests.flows.street import Street

One = TypeVar("One")
# Making people ready together costs a third; those who are left over cost something too.
_TOGETHER = 6


class Killed(BaseException):
    """kill -9. Not an Exception: nobody may catch it on the way."""


@dataclass(slots=True)
class Killer:
    """Strikes at the `at`-th point (0: never) and counts the points that were passed."""

    at: int
    every_statement: bool = False
    passed: int = 0
    struck: bool = False

    def point(self) -> None:
        """One place where a process may die."""
        if self.struck:
            return
        self.passed += 1
        if self.passed == self.at:
            self.struck = True
            raise Killed

    async def gate(self) -> None:
        """The same before or behind a call outside."""
        self.point()


@contextmanager
def killing(killer: Killer, store: Store, bank: PayBank, carrier: Carrier) -> Iterator[None]:
    """Let `killer` watch transactions, commits, and both sides of every call outside."""
    begun: set[Connection] = set()

    def on_begin(connection: Connection) -> None:
        begun.add(connection)

    def on_statement(connection: Connection, *_: Any) -> None:
        if connection in begun or killer.every_statement:
            begun.discard(connection)
            killer.point()

    def on_commit(_: Connection) -> None:
        killer.point()

    listeners = {"begin": on_begin, "before_cursor_execute": on_statement, "commit": on_commit}
    engines = [store._app.sync_engine, store._engine.sync_engine]
    watches = (bank.watch, carrier.watch)
    for engine in engines:
        for name, listener in listeners.items():
            event.listen(engine, name, listener)
    bank.watch = carrier.watch = killer.gate
    try:
        yield
    finally:
        bank.watch, carrier.watch = watches
        for engine in engines:
            for name, listener in listeners.items():
                event.remove(engine, name, listener)


async def dies(
    street: Street, point: int, act: Awaitable[object], *, every_statement: bool = False
) -> bool:
    """Run `act` in a process that dies at this point; False when it came through alive."""
    killer = Killer(point, every_statement)
    try:
        with killing(killer, street.store, street.bank, street.carrier):
            await act
    except BaseException as error:
        if not killed(error):
            raise
    return killer.struck


async def one_for_each_death(
    street: Street,
    ready: Callable[[int], Awaitable[list[One]]],
    act: Callable[[One], Awaitable[object]],
    *,
    every_statement: bool = False,
) -> AsyncIterator[One]:
    """Somebody else for each point of death, in that order; only the last comes through alive.

    `ready` makes so many people ready for `act`, which must concern nobody else than the one it is
    given.
    """
    waiting: list[One] = []
    for deaths in count():
        waiting = waiting or await ready(_TOGETHER)
        one = waiting.pop(0)
        struck = await dies(street, deaths + 1, act(one), every_statement=every_statement)
        yield one
        if not struck:
            return


def killed(error: BaseException) -> bool:
    """Was it the killer, alone or in a group of tasks that died together?"""
    if isinstance(error, BaseExceptionGroup):
        return all(killed(one) for one in error.exceptions)
    return isinstance(error, Killed)
