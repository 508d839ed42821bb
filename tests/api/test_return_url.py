"""Where the last page of a consent leads: a lender's word, taken only when it is an address."""

from __future__ import annotations

import pytest

from tests.api.conftest import System

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "address",
    [
        "https://[",
        "https://[::1",
        "https://sol.example:port/",
        "https://",
        "http://sol.example/",
        "javascript:alert(1)",
        "//sol.example/",
        "https://sol.example/\r\nSet-Cookie: a=b",
    ],
)
async def test_what_is_no_address_is_refused(sol: System, address: str) -> None:
    await sol.register()
    asked = {"borrower_ref": "C-1", "purposes": ["scoring"], "return_url": address}
    answer = await sol.http.post("/v1/consent-requests", json=asked)
    assert answer.status_code == 422
    assert {fault["field"] for fault in answer.json()["errors"]} == {"return_url"}
