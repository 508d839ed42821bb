"""JSON as providers write it: in UTF-8, each thing stated once, and no text with a NUL in it.

A key that stands twice in one object, with two values, can be read in two ways: one reader takes
the first, another the last. Such a document is none. orjson takes the last and tells nobody, so
what it has read is written again and the colons are counted: where one is missing, or one may have
stood behind an escape, a slower reader that sees every key reads the document, too.

Old systems fill fields of a fixed length with NULs. They are no part of the text, and the database
takes none.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

_MARK = b"\xef\xbb\xbf"
_ESCAPED_COLON = b"\\u003"
_ESCAPED_NUL = b"\\u0000"


class TwoValues(ValueError):
    """An object states one key twice, with two values."""


def decoded(body: bytes) -> Any:
    """A JSON document in UTF-8, perhaps behind a byte order mark. Raises ValueError.

    One that is nested deeper than orjson writes (254 levels) is none that any provider sends.
    """
    plain = body.removeprefix(_MARK)
    document = orjson.loads(plain)
    try:
        again = orjson.dumps(document)
    except TypeError:
        message = "the document is nested too deeply"
        raise ValueError(message) from None
    if again.count(b":") != plain.count(b":") or _ESCAPED_COLON in plain:
        json.loads(plain, object_pairs_hook=_each_once)
    return _without_nuls(document) if _ESCAPED_NUL in plain else document


def try_json(body: bytes) -> Any:
    """The decoded body, or None: for error answers, which may be anything."""
    try:
        return decoded(body)
    except ValueError:
        return None


def _without_nuls(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\0", "")
        case list():
            return [_without_nuls(one) for one in value]
        case dict():
            # Without them two keys may be one.
            return _each_once(
                [(_without_nuls(name), _without_nuls(one)) for name, one in value.items()]
            )
        case _:
            return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found and repr(found[key]) != repr(value):
            message = "the document states one key twice, with two values"
            raise TwoValues(message)
        found[key] = value
    return found
