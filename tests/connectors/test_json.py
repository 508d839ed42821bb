"""Decoded JSON: a document in UTF-8 in which nothing is stated twice, or none."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import OutcomeUnknown, Unreadable
from connectors._exchange import Call, read_json
from connectors._json import TwoValues, decoded, try_json

READ = Call("acme", "balances", "GET", "http://bank/accounts/secret")
WRITE = Call("acme", "pay", "POST", "http://bank/payments", writes=True)

COLON = "\\u003a"
TEXT = st.text(st.sampled_from(list('ab:"\\{}u003 \u00e9')), max_size=6)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(DOCUMENTS, st.booleans(), st.booleans())
def test_a_document_that_states_each_thing_once_is_what_it_says(
    document: Any, escaped: bool, wide: bool
) -> None:
    body = json.dumps(document, ensure_ascii=escaped, indent=2 if wide else None)
    assert decoded(body.encode()) == document


@given(DOCUMENTS, DOCUMENTS, TEXT, st.booleans())
def test_a_key_with_two_values_is_seen_wherever_it_stands(
    one: Any, other: Any, key: str, hidden: bool
) -> None:
    name = json.dumps(key)
    twice = f"{{{name}: {json.dumps(one)}, {name}: {json.dumps(other)}}}"
    # Colons behind escapes are no way to hide it.
    body = f'{{"a:b": {twice}, "c": "{COLON}{COLON}"}}' if hidden else twice
    if repr(one) == repr(other):
        assert decoded(body.encode()) == json.loads(body)
    else:
        with pytest.raises(TwoValues):
            decoded(body.encode())
        assert try_json(body.encode()) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"NaN",
        b"[1E400]",
        b"[Infinity]",
        b"[" * 5_000 + b"]" * 5_000,
        b'{"a":' * 400 + b"1" + b"}" * 400,
        b'{"a": 1}}',
        b'{"a": 1',
        b"<html></html>",
        '{"a": 1}'.encode("utf-16"),
        '{"a": "\u00e9"}'.encode("latin-1"),
        b"\xef\xbb\xbf\xef\xbb\xbf{}",
        b'"\\ud800"',
        b"9" * 400,
    ],
)
def test_what_is_none(body: bytes) -> None:
    assert try_json(body) is None
    with pytest.raises(Unreadable, match="not JSON"):
        read_json(httpx.Response(200, content=body), READ)


def test_a_nul_is_no_part_of_a_text() -> None:
    filled = rb'{"name\u0000": ["ANA\u0000\u0000", {"a": "\u0000"}, 1, null], "path": "c:\\u0000"}'
    assert decoded(filled) == {"name": ["ANA", {"a": ""}, 1, None], "path": "c:\\u0000"}


def test_two_keys_that_are_one_without_their_nuls_state_one_thing_twice() -> None:
    with pytest.raises(TwoValues):
        decoded(rb'{"amount": "1.00", "amount\u0000": "9999.00"}')
    assert decoded(rb'{"amount": "1.00", "amount\u0000": "1.00"}') == {"amount": "1.00"}


def test_a_mark_of_byte_order_is_no_part_of_it() -> None:
    assert decoded(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_it_is_said_why_an_answer_with_two_values_is_not_read() -> None:
    twice = httpx.Response(200, content=b'{"paymentId": "p-1", "paymentId": "p-2"}')
    with pytest.raises(Unreadable, match="one thing twice") as read:
        read_json(twice, READ)
    assert "p-1" not in read.value.body
    # For a write it may have happened.
    with pytest.raises(OutcomeUnknown):
        read_json(twice, WRITE)
    once = httpx.Response(200, content=b'{"paymentId": "p-1", "paymentId": "p-1"}')
    assert read_json(once, WRITE) == {"paymentId": "p-1"}
