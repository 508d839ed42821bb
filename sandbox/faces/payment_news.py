"""Providers that call their customer when a payment has changed, each in its own form.

What is told is a pure function of the payment and of `now`; what was told is kept with it, so that
a change is told once, also by a sandbox that was killed in between.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import httpx

from sandbox.clock import Now, real_now
from sandbox.faces import gc_news, plaid_news, tink_news, tl_news
from sandbox.faces.gateway_calls import Prepared
from sandbox.faces.told import Told
from sandbox.modes import Mode
from sandbox.records import Payment
from sandbox.world import World

_PATIENCE_S = 5.0
_AT_ONCE = 16
_MOST_TRIES = 5


@dataclass(frozen=True, slots=True)
class Form:
    """One provider's way to tell. `word` is empty while there is nothing to tell."""

    word: Callable[[Payment, datetime], str]
    prepare: Callable[[World, Told], Prepared]


FORMS: Mapping[str, Form] = {
    "gocardless_pay": Form(gc_news.word, gc_news.prepare),
    "plaid": Form(plaid_news.word, plaid_news.prepare),
    "tink": Form(tink_news.word, tink_news.prepare),
    "truelayer": Form(tl_news.word, tl_news.prepare),
}


class PaymentNews:
    """Tells what has changed. A customer who was not reached is called again, a few times."""

    def __init__(self, world: World, http: httpx.AsyncClient, real: Now = real_now) -> None:
        self._world = world
        self._http = http
        self._real = real
        self._tries: dict[str, int] = {}
        self._not_before: dict[str, float] = {}

    def due(self) -> list[Told]:
        """The calls to make now, in the order of their payments."""
        now, found = self._world.now(), []
        for payment in self._world.payments.all():
            form = FORMS.get(payment.notify)
            if form is None or not self._world.hooks.urls.get(payment.notify):
                continue
            word = form.word(payment, now)
            if word and word != payment.told:
                event_id = f"{payment.id}-{word.replace('_', '-')}"[:64]
                found.append(Told(payment, word, event_id, self._signature(payment), self._real()))
        return found

    def calls(self) -> list[Prepared]:
        """What is to be sent now, each change once; a payer's modes send it twice or not at all."""
        made: list[Prepared] = []
        for told in self.due():
            made.extend(self._prepared(told))
            self._world.payments.tell(told.payment, told.word)
        return made

    async def make_due_calls(self) -> int:
        """Make every call that is due; how many payments' news arrived."""
        real = time.monotonic()
        due = [one for one in self.due() if real >= self._not_before.get(one.event_id, 0.0)]
        return sum(await asyncio.gather(*(self._one(told) for told in due[:_AT_ONCE])))

    async def _one(self, told: Told) -> bool:
        reached = all([await self._post(made) for made in self._prepared(told)])
        tries = self._tries[told.event_id] = self._tries.get(told.event_id, 0) + 1
        if reached or tries >= _MOST_TRIES:
            self._world.payments.tell(told.payment, told.word)
        else:
            self._not_before[told.event_id] = time.monotonic() + 2.0**tries
        return reached

    async def _post(self, made: Prepared) -> bool:
        try:
            answer = await self._http.post(
                made.url, content=made.content, headers=made.headers, timeout=_PATIENCE_S
            )
        except httpx.HTTPError:
            return False
        return answer.is_success

    def _prepared(self, told: Told) -> list[Prepared]:
        if self._on(told.payment, Mode.CALLBACK_NONE):
            return []
        made = FORMS[told.payment.notify].prepare(self._world, told)
        return [made, made] if self._on(told.payment, Mode.CALLBACK_TWICE) else [made]

    def _signature(self, payment: Payment) -> str:
        if self._on(payment, Mode.CALLBACK_UNSIGNED):
            return "none"
        return "bad" if self._on(payment, Mode.CALLBACK_BADLY_SIGNED) else "good"

    def _on(self, payment: Payment, mode: Mode) -> bool:
        payer = payment.person_id
        return bool(payer) and self._world.town.mode(payer, mode) is not None
