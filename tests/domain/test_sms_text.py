"""The length of an SMS, as networks count it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.sms_text import SmsEncoding, measure

GSM, UCS = SmsEncoding.GSM7, SmsEncoding.UCS2


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("", GSM, 0, 1),
        ("a" * 160, GSM, 160, 1),
        ("a" * 161, GSM, 161, 2),
        ("a" * 306, GSM, 306, 2),
        ("a" * 307, GSM, 307, 3),
        ("€" * 80, GSM, 160, 1),
        ("€" * 81, GSM, 162, 2),
        # An escape pair is never cut: 76 pairs fill 152 of 153.
        ("€" * 152, GSM, 304, 2),
        ("€" * 153, GSM, 306, 3),
        ("a" + "€" * 152, GSM, 305, 2),
        ("ñÑüÜàéèìòùÇ¿¡ß@£$¥\n\r", GSM, 20, 1),
        ("ż" * 70, UCS, 70, 1),
        ("ż" * 71, UCS, 71, 2),
        ("ż" + "a" * 133, UCS, 134, 2),
        ("ż" + "a" * 134, UCS, 135, 3),
        ("😀" * 35, UCS, 70, 1),
        ("😀" * 36, UCS, 72, 2),
        # A surrogate pair is never cut: 33 of them fill 66 of 67.
        ("😀" * 66, UCS, 132, 2),
        ("😀" * 67, UCS, 134, 3),
        ("áíóú", UCS, 4, 1),
    ],
)
def test_known_lengths(text: str, encoding: SmsEncoding, units: int, segments: int) -> None:
    size = measure(text)
    assert (size.encoding, size.units, size.segments) == (encoding, units, segments)


def test_the_letters_that_cost_are_named_once_each() -> None:
    assert measure("Zażółć gęślą, ż").outside == ("ż", "ó", "ł", "ć", "ę", "ś", "ą")
    assert measure("Págalo aquí").outside == ("á", "í")
    assert measure("Gracias [ok] {1}~^|\\").outside == ()


@given(st.text(max_size=500))
def test_segments_hold_the_text_and_no_fewer_would(text: str) -> None:
    size = measure(text)
    alone, in_several = (160, 153) if size.encoding is GSM else (70, 67)
    assert (size.segments == 1) == (size.units <= alone)
    if size.segments > 1:
        assert size.units <= size.segments * in_several
        # A pair may leave one unit of each segment empty, never more.
        assert size.units > (size.segments - 1) * (in_several - 1)
    assert (size.encoding is UCS) == bool(size.outside)
    if size.encoding is UCS:
        assert size.units == len(text.encode("utf-16-le", "surrogatepass")) // 2
