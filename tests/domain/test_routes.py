"""Providers by country: how routes are written, and that a text once in doubt stays where it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Invalid
from app.domain.ids import Phone
from app.domain.routes import TRIES_EACH, Routes, next_provider
from app.reference.places import country_of_number

WRITTEN = "ES=smsapi, twilio; PL=smsapi;"


@pytest.mark.parametrize(
    ("number", "providers"),
    [
        ("+34612345678", ("smsapi", "twilio")),
        ("+48512345678", ("smsapi",)),
        ("+447700900123", ("vonage",)),
        ("+881612345678", ("vonage",)),  # a satellite telephone belongs to no country
    ],
)
def test_the_country_is_that_of_the_number(number: str, providers: tuple[str, ...]) -> None:
    routes = Routes.parse(WRITTEN, usual="vonage")
    assert routes.to(country_of_number(Phone.parse(number))) == providers
    assert set(routes.providers) == {"smsapi", "twilio", "vonage"}


def test_the_rest_of_the_world_may_be_named_too() -> None:
    routes = Routes.parse("*=infobip,vonage", usual="twilio")
    assert routes.to("US") == routes.to(None) == ("infobip", "vonage")
    assert routes.providers == ("infobip", "vonage")
    assert Routes.parse("", usual="twilio").to("ES") == ("twilio",)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("ES", "'ES' is not like"),
        ("ES=", "'ES=' is not like"),
        ("ESP=twilio", "'ESP=twilio' is not like"),
        ("ES=Twilio", "'ES=Twilio' is not like"),
        ("ES=a,,b", "'ES=a,,b' is not like"),
        ("ES=a; ES=b", "ES is named twice"),
        ("ES=a,a", "names a provider twice"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, wrong: str) -> None:
    with pytest.raises(Invalid, match=wrong):
        Routes.parse(text, usual="twilio")


ROUTE = st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True).map(tuple)


@given(route=ROUTE, ends=st.lists(st.sampled_from(["missed", "in doubt"]), max_size=30))
def test_after_the_first_doubt_it_is_always_the_same(
    route: tuple[str, ...], ends: list[str]
) -> None:
    bound: str | None = None
    missed = 0
    asked: list[str] = []
    for end in ends:
        asked.append(next_provider(route, bound_to=bound, missed=missed))
        if end == "in doubt":
            bound = asked[-1]
        else:
            missed += 1
    doubt = ends.index("in doubt") if "in doubt" in ends else len(ends)
    assert set(asked[doubt:]) <= {asked[doubt]} if doubt < len(ends) else True
    # Before that each gets its tries in turn, and nobody is left out.
    assert asked[:doubt] == [route[n // TRIES_EACH % len(route)] for n in range(doubt)]
