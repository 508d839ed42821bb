"""Do a batch's items a few at a time, each for itself: one that fails must not hold up the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

import structlog

Item = TypeVar("Item")
Result = TypeVar("Result")

# Each item holds a connection of the pool for moments at a time; the pool has ten.
AT_ONCE: Final = 5

log = structlog.get_logger("flows")


async def side_by_side(
    items: Iterable[Item], act: Callable[[Item], Awaitable[Result]], *, limit: int = AT_ONCE
) -> list[Result]:
    """The results of the items that went well, in order; the others are logged by their class.

    An item's own row keeps its next look, so a failure costs time and not the item.
    """
    free = asyncio.Semaphore(limit)

    async def one(item: Item) -> Result | None:
        async with free:
            try:
                return await act(item)
            except Exception as error:  # noqa: BLE001 - the row is looked at again at its time
                log.warning("item_failed", error=type(error).__name__, act=act.__qualname__)
                return None

    async with asyncio.TaskGroup() as group:
        running = [group.create_task(one(item)) for item in items]
    done = [task.result() for task in running]
    return [result for result in done if result is not None]
