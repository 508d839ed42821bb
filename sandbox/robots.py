"""The people act by themselves: texts and consent links are answered over real HTTP.

Works only beside the running sandbox. Everything a robot intends is a kept plan (`mind.py`), so a
killed sandbox takes up where it was; a visit that was cut short is walked again from its link.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

import httpx

from sandbox.chance import Chance
from sandbox.mind import Errand, Plan
from sandbox.moods import Reaction
from sandbox.visits import Visit
from sandbox.walker import Walker, WalkError
from sandbox.world import World

log = logging.getLogger("sandbox.robots")

_LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)]")
_AT_ONCE = 8
_STOP_WORDS = {"es": ("STOP", "BAJA"), "pl": ("STOP", "WYPISZ"), "de": ("STOP", "STOPP")}
_LOOK_EVERY_S = 0.2
_MOST_TRIES = 9


class SharedTransport(httpx.AsyncBaseTransport):
    """One pool of connections for many visits; closing a visit leaves it open."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._inner.handle_async_request(request)

    async def close(self) -> None:
        """Close the pool itself."""
        await self._inner.aclose()


class Robots:
    """All robots of one world. `hosts` are further hosts they may open besides this machine."""

    def __init__(
        self, world: World, transport: httpx.AsyncBaseTransport, hosts: set[str] | None = None
    ) -> None:
        self._world = world
        self._transport = SharedTransport(transport)
        self._hosts = hosts or set()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._not_before: dict[str, float] = {}
        self._freed = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Look for something to do until told to stop; then let go of what is under way."""
        while not stop.is_set():
            self._freed.clear()
            self.look()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._freed.wait(), _LOOK_EVERY_S)
        for task in list(self._busy.values()):
            task.cancel()
        await asyncio.gather(*self._busy.values(), return_exceptions=True)
        await self._transport.close()

    def look(self) -> int:
        """Begin what is due, as far as there is room; how many visits began.

        Texts go before consent links: who was asked to pay answers within minutes, while a whole
        book of consents may be waiting.
        """
        now, mind = self._world.now(), self._world.mind
        mind.notice(now)
        began = 0
        for revocation in mind.due_revocations(now):
            self._world.revoke_all(revocation.person_id)
            mind.revoked(revocation)
        for plan in mind.due_plans(now):
            began += self._begin(plan.person_id, plan.sid, partial(self._react, plan))
        for errand in mind.due_errands(now):
            began += self._begin(errand.person_id, errand.key, partial(self._walk, errand))
        return began

    async def settle(self) -> None:
        """Wait until every visit under way has ended (tests)."""
        while self._busy:
            await asyncio.gather(*self._busy.values())

    def _begin(
        self, person_id: str, key: str, work: Callable[[], Coroutine[Any, Any, None]]
    ) -> int:
        """One visit of one person at a time, not before a failed one has cooled down."""
        full = len(self._busy) >= _AT_ONCE
        if full or person_id in self._busy or time.monotonic() < self._not_before.get(key, 0.0):
            return 0

        async def visit() -> None:
            try:
                await work()
            except Exception:  # one robot's trouble must not stop the town
                log.exception("a robot stumbled")
                self._not_before[key] = time.monotonic() + 30.0
            finally:
                self._busy.pop(person_id, None)
                self._freed.set()

        self._busy[person_id] = asyncio.create_task(visit())
        return 1

    def _visit(self, person_id: str) -> Visit:
        walker = Walker(self._transport, self._hosts)
        town = self._world.town
        return Visit(walker, town.people[person_id], town.mood(person_id))

    def _later(self, key: str, tries: int) -> bool:
        """After a failed try: whether to try again, and not before some real seconds."""
        if tries + 1 >= _MOST_TRIES:
            return False
        self._not_before[key] = time.monotonic() + min(20.0, 0.5 * 2**tries)
        return True

    # ------------------------------------------------------------ the two kinds of visit

    async def _walk(self, errand: Errand) -> None:
        mind, now = self._world.mind, self._world.now()
        try:
            outcome = await self._visit(errand.person_id).consent(errand.link)
        except WalkError as error:
            again = error.again and self._later(errand.key, errand.tries)
            mind.walked(errand, f"consent: {error}", again_at=now if again else None)
            return
        mind.walked(errand, outcome)

    def _stop_word(self, person_id: str) -> str:
        """Half of the people write STOP, half the word of their own language."""
        words = _STOP_WORDS.get(self._world.people[person_id].language, ("STOP",))
        return Chance(self._world.town.begin.seed, ("stop", person_id)).pick(words, "word")

    async def _react(self, plan: Plan) -> None:
        world, mind = self._world, self._world.mind
        sms = world.texts.get(plan.sid)
        if sms is None:
            mind.acted(plan, "the text is gone")
            return
        if plan.reaction is Reaction.IGNORES:
            mind.acted(plan, "ignored a text")
            return
        if plan.reaction is Reaction.STOPS_BY_TEXT:
            with world.store.together():
                world.texts.from_phone(sms.to, sms.sender, self._stop_word(plan.person_id))
                mind.acted(plan, "answered with a stop word")
            return
        link = _LINK.search(sms.body)
        if link is None:
            mind.acted(plan, "read a text without a link")
            return
        try:
            outcome = await self._visit(plan.person_id).pay_link(link.group(), plan.reaction)
        except WalkError as error:
            again = error.again and self._later(plan.sid, plan.tries)
            mind.acted(plan, f"pay link: {error}", again_at=world.now() if again else None)
            return
        mind.acted(plan, outcome)
