"""An answer of the sandbox in which one thing is another: a value or one of our errors, no crash.

Made-up answers (test_fuzz.py) seldom get past the first step of a longer exchange. Here every step
was answered well, and one answer of them is changed in one place.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import connectors
from app.domain.errors import ProviderError
from app.ports import Grant
from app.side_ports import (
    ComingBackPort,
    CopiedTransactionsPort,
    FindingPort,
    RenewingPort,
    TransactionsPort,
)
from tests.connectors.registry import BANK_RIGS
from tests.connectors.rigs import BankRig
from tests.connectors.scene import HERE
from tests.connectors.test_contract_transactions import liver
from tests.connectors.test_fuzz import PROPERTY, _quiet  # noqa: F401 - a fixture

SINCE = date(2026, 9, 4)
_MOST_ASKED = 60
_DEEP = json.loads("[" * 200 + "]" * 200)
# No JSON, or none that anybody should take: written as they are.
RAW = (
    "1E400", "NaN", "9" * 400, "[" * 300 + "]" * 300, '"\\ud800"', '{"a": 1, "a": 2}',
    '"\\u0000"',
)  # fmt: skip
# What stands in the place of anything; `...` is nothing.
OTHERS = st.sampled_from(
    [..., None, True, 0, -1, 1.5, 10**17, 10**30, "", "x" * 5_000, "-5", "9" * 5_000, [], {}, [[]],
     {"": ""}, [None, 1, "x"], {"a": {"b": 1}}, _DEEP, "2026-13-45", "EUR", "XXX",
     "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "https://[::1", "javascript:x()",
     *(f"<{word}>" for word in RAW)]
)  # fmt: skip
BODIES = st.sampled_from(
    [b"", b"null", b"[]", b"{}", b'""', b"\xff\xfe{\0}\0", b"<html></html>", b"[" * 5_000,
     b'{"a":' * 5_000, b"\x1f\x8b\x08\0"]
)  # fmt: skip

Answer = tuple[int, dict[str, str], bytes]
Attempt = Callable[[httpx.AsyncBaseTransport | None], Awaitable[object]]


@dataclass
class Step:
    """Something that was asked for, and how it was answered."""

    attempt: Attempt
    answers: list[Answer]


class Replayed(httpx.AsyncBaseTransport):
    """The answers of one step again, one of them changed; the last one to whoever asks on."""

    def __init__(self, answers: list[Answer]) -> None:
        self._answers = answers
        self._asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        status, headers, body = self._answers[min(self._asked, len(self._answers) - 1)]
        self._asked += 1
        assert self._asked < _MOST_ASKED, "it asks for ever"
        return httpx.Response(status, headers=headers, content=body, request=request)


@pytest.fixture(scope="module", params=BANK_RIGS)
def steps(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Step]:
    rig = BANK_RIGS[request.param](tmp_path_factory.mktemp("changed"))
    return asyncio.run(_walked(rig))


async def _walked(rig: BankRig) -> list[Step]:
    """Everything a connector asks for, asked once by a port that has asked for nothing before."""
    able = connectors.discover()[rig.connector]
    found: list[Step] = []

    async def asked(attempt: Attempt) -> Any:
        before = len(rig.seen)
        came = await attempt(None)
        answers = [one.answer for one in rig.seen[before:] if one.answer is not None]
        found.append(Step(attempt, [_kept(one) for one in answers]))
        return came

    if able.aggregation is not None:
        await _read(rig, asked)
    if able.payments is not None:
        await _paid(rig, asked)
    return [one for one in found if one.answers]


Asked = Callable[[Attempt], Awaitable[Any]]


async def _read(rig: BankRig, asked: Asked) -> None:
    build = connectors.discover()[rig.connector].aggregation
    assert build is not None
    settings = rig._settings()

    def port(over: httpx.AsyncBaseTransport | None) -> Any:
        return build(settings, rig.scene.wire(over))

    person, ask = liver(rig), rig.ask(transactions=True)
    await asked(lambda over: port(over).begin_consent(ask))
    begun = await rig.begin(transactions=True)
    rig.allow(begun, person)
    grant: Grant = begun.grant
    if isinstance(rig.aggregation, ComingBackPort):
        brought = getattr(rig, "brought", {})
        grant = await asked(lambda over: port(over).came_back(begun.grant, brought))
    elif isinstance(rig.aggregation, RenewingPort):
        grant = await asked(lambda over: port(over).renew(begun.grant))
    await asked(lambda over: port(over).grant_now(grant))
    (account,) = await asked(lambda over: port(over).accounts(grant, HERE))
    await asked(lambda over: port(over).balances(grant, account.ref, None))
    if isinstance(rig.aggregation, TransactionsPort):
        await asked(lambda over: port(over).transactions(grant, account.ref, SINCE, HERE))
    if isinstance(rig.aggregation, CopiedTransactionsPort):
        rig.watch.on(seconds=30)
        await asked(lambda over: port(over).copied_transactions(grant, account.ref, SINCE))
    await asked(lambda over: port(over).end_consent(grant))


async def _paid(rig: BankRig, asked: Asked) -> None:
    build = connectors.discover()[rig.connector].payments
    assert build is not None
    settings, order = rig._settings(), rig.order(rig.person(opening_minor=100_000))

    def port(over: httpx.AsyncBaseTransport | None) -> Any:
        return build(settings, rig.scene.wire(over))

    begun = await asked(lambda over: port(over).create_payment(order))
    await asked(lambda over: port(over).payment_now(begun.handle))
    if isinstance(rig.payments, FindingPort):
        await asked(lambda over: port(over).find_payment(order))
    await asked(lambda over: port(over).cancel_payment(begun.handle))


def _kept(answer: httpx.Response) -> Answer:
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return answer.status_code, headers, answer.content


Place = tuple[str | int, ...]


def _places(document: Any, at: Place = ()) -> Iterator[Place]:
    """Where something stands in a document: the whole of it, and each of its parts."""
    yield at
    if isinstance(document, dict):
        for name, inner in document.items():
            yield from _places(inner, (*at, name))
    if isinstance(document, list):
        for place, inner in enumerate(document[:3]):
            yield from _places(inner, (*at, place))


def _changed(document: Any, at: Place, other: Any) -> Any:
    """The document with this at that place; `...` takes the place away."""
    if not at:
        return None if other is ... else other
    first, rest = at[0], at[1:]
    pairs = document.items() if isinstance(document, dict) else enumerate(document)
    kept = [
        (name, _changed(inner, rest, other) if name == first else inner)
        for name, inner in pairs
        if not (other is ... and not rest and name == first)
    ]
    return dict(kept) if isinstance(document, dict) else [inner for _, inner in kept]


def _written(document: Any) -> bytes:
    text = json.dumps(document)
    for word in RAW:
        text = text.replace(json.dumps(f"<{word}>"), word)
    return text.encode()


@PROPERTY
def test_one_thing_in_one_answer_is_another(steps: list[Step]) -> None:
    @given(data=st.data())
    def one(data: st.DataObject) -> None:
        step = data.draw(st.sampled_from(steps))
        at = data.draw(st.integers(0, len(step.answers) - 1))
        status, headers, body = step.answers[at]
        document = json.loads(body) if body else None
        if data.draw(st.integers(0, 9)):
            place = data.draw(st.sampled_from(list(_places(document))))
            body = _written(_changed(document, place, data.draw(OTHERS)))
        else:
            body = data.draw(BODIES)
        answers = [*step.answers[:at], (status, headers, body), *step.answers[at + 1 :]]

        async def run() -> None:
            with contextlib.suppress(ProviderError):
                await step.attempt(Replayed(answers))

        asyncio.run(run())

    one()
