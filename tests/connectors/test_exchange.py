"""The status table, waiting times, and what is left of a body after masking."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Declined, OutcomeUnknown, ProviderError, TryLater, Unreadable
from connectors._exchange import (
    LONGEST_WAIT,
    STATUS,
    Call,
    Verdict,
    mask_body,
    read_json,
    retry_after,
    status_error,
    verdict,
)

READ = Call("acme", "balances", "GET", "http://bank/accounts/secret")
WRITE = Call("acme", "pay", "POST", "http://bank/payments", writes=True)
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def answer(status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> httpx.Response:
    return httpx.Response(status, headers=headers, content=body)


def test_every_status_has_a_verdict() -> None:
    assert set(STATUS) == set(range(100, 600))
    assert verdict(42) is verdict(999) is Verdict.STRANGE


@pytest.mark.parametrize(
    ("status", "read", "write"),
    [
        (200, Unreadable, OutcomeUnknown),  # fine by status, useless by its body
        (302, Unreadable, OutcomeUnknown),
        (400, Declined, Declined),
        (401, TryLater, Declined),
        (403, TryLater, Declined),
        (404, TryLater, Declined),
        (408, TryLater, OutcomeUnknown),
        (409, Declined, Declined),
        (425, TryLater, TryLater),
        (429, TryLater, TryLater),
        (500, TryLater, OutcomeUnknown),
        (502, TryLater, OutcomeUnknown),
        (503, TryLater, OutcomeUnknown),
        (504, TryLater, OutcomeUnknown),
    ],
)
def test_status_to_error(
    status: int, read: type[ProviderError], write: type[ProviderError]
) -> None:
    assert type(status_error(answer(status), READ)) is read
    assert type(status_error(answer(status), WRITE)) is write


@pytest.mark.parametrize("status", [*range(100, 600, 7), 999])
@pytest.mark.parametrize("call", [READ, WRITE])
def test_each_error_says_where_it_came_from(status: int, call: Call) -> None:
    error = status_error(answer(status, body=b"secret 4711"), call)
    assert isinstance(error, ProviderError)
    assert (error.connector, error.operation) == (call.connector, call.operation)
    assert "4711" not in str(error) + getattr(error, "body", "")


def test_a_declined_answer_keeps_the_providers_word() -> None:
    error = status_error(answer(400), WRITE, reason="FORMAT_ERROR")
    assert isinstance(error, Declined)
    assert error.reason == "FORMAT_ERROR"
    plain = status_error(answer(422), WRITE)
    assert isinstance(plain, Declined)
    assert plain.reason == "HTTP_422"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"Retry-After": "120"}, timedelta(seconds=120)),
        ({"Retry-After": "-1875538"}, None),
        ({"Retry-After": "0"}, None),
        ({"Retry-After": "99999999999"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Sat, 21 Nov 2026 12:05:00 GMT"}, timedelta(minutes=5)),
        ({"Retry-After": "Sat, 21 Nov 2020 12:05:00 GMT"}, None),
        (
            # Against the answer's own clock, which may not be ours.
            {
                "Retry-After": "Mon, 01 Jan 2029 00:01:00 GMT",
                "Date": "Mon, 01 Jan 2029 00:00:00 GMT",
            },
            timedelta(minutes=1),
        ),
    ],
)
def test_retry_after(headers: dict[str, str], wait: timedelta | None) -> None:
    assert retry_after(answer(429, headers), NOW) == wait


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_retry_after_is_sane_or_none(text: str, date: str) -> None:
    raw = [(b"retry-after", text.encode()), (b"date", date.encode())]
    wait = retry_after(httpx.Response(429, headers=raw), NOW)
    assert wait is None or timedelta(seconds=1) <= wait <= LONGEST_WAIT


def test_a_body_that_is_not_json() -> None:
    with pytest.raises(Unreadable) as error:
        read_json(answer(200, body=b"<html>Konto DE89 3704</html>"), READ)
    assert error.value.body == "<xxxx>Xxxxx".replace("X", "x") + " xx99 9999</xxxx>"
    with pytest.raises(OutcomeUnknown):
        read_json(answer(201, body=b""), WRITE)


def test_masking_keeps_the_shape_and_drops_the_content() -> None:
    body = orjson.dumps(
        {
            "account": {"iban": "ES9121000418450200051332", "ownerName": "Ana Pérez"},
            "balances": [{"amount": "1.234,56", "n": 12.5, "ok": True, "none": None}],
            "tppMessages": [{"code": "CONSENT_INVALID"}],
            "ES9121000418450200051332": 1,
        }
    )
    masked = mask_body(body)
    assert '"9.999,99"' in masked
    assert '"CONSENT_INVALID"' in masked
    assert '"ownerName":"xxx xxxxx"' in masked
    assert "ES91" not in masked
    assert "Ana" not in masked
    assert "12.5" not in masked


@given(st.binary(max_size=400))
def test_masking_bears_any_bytes(body: bytes) -> None:
    assert len(mask_body(body)) <= 2000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2**53) | st.text(alphabet="aZ09é-", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(alphabet="aZ09é_", max_size=6), inner, max_size=4)
    ),
)


@given(JSON)
def test_no_digit_but_nine_survives_masking(value: object) -> None:
    assert not set(mask_body(orjson.dumps(value))) & set("012345678")
