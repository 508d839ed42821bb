"""GoCardless: what a refused read means, in the shapes that have been seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.domain.errors import (
    AllowanceSpent,
    ConsentDoubtful,
    ConsentEnd,
    ConsentGone,
    Declined,
    ProviderError,
    TryLater,
)
from connectors._exchange import Call
from connectors.gocardless.refusals import account_refusal, read_refusal, token_refused

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
READ = Call("gocardless", "balances", "GET", "https://api.example/api/v2/accounts/x/balances/")

DAILY = {
    "summary": "Couldn't update balances",
    "detail": "Daily request limit set by the Institution has been exceeded.",
    "type": "RateLimitError",
    "status_code": 429,
}
OVER = {
    "summary": "End User Agreement (EUA) 0d1f has expired",
    "detail": "EUA was valid for 90 days and it expired at 2026-11-11 13:16:20.020248. The end "
    "user must connect the account once more with new EUA and Requisition",
}
ENDED = {
    "summary": "Couldn't update account balances",
    "detail": "Access has expired or it has been revoked. To restore access reconnect the account.",
    "type": "AccessExpiredError",
    "status_code": 401,
}


def api_limit(rule: str, seconds: int) -> dict[str, Any]:
    words = f"The rate limit for this resource is {rule}. Please try again in {seconds} seconds"
    return {"summary": "Rate limit exceeded", "detail": words, "status_code": 429}


def refusal(status: int, body: Any, headers: dict[str, str] | None = None) -> ProviderError:
    return account_refusal(httpx.Response(status, json=body, headers=headers), READ, NOW)


UNDERSCORED = "http_x_ratelimit_account_success_"
DASHED = "x-ratelimit-account-success-"


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        (DAILY, {f"{UNDERSCORED}remaining": "0", f"{UNDERSCORED}reset": "86307"}, 86_307),
        (DAILY, {f"{UNDERSCORED.upper()}RESET": "86307"}, 86_307),
        (DAILY, {f"{DASHED}remaining": "0", f"{DASHED}reset": "60"}, 60),
        (DAILY, {f"http-{DASHED}reset": "60"}, 60),
        # Seen in the field: a reset in the past, with nothing remaining.
        (DAILY, {f"{UNDERSCORED}remaining": "0", f"{UNDERSCORED}reset": "-1875538"}, None),
        (DAILY, {f"{UNDERSCORED}reset": "99999999"}, None),
        (DAILY, {f"{UNDERSCORED}reset": "soon"}, None),
        # The general reset is the API's minute and says nothing about the bank's day.
        (DAILY, {"http_x_ratelimit_reset": "59"}, None),
        (DAILY, {}, None),
        ({"summary": "Rate limit exceeded"}, {f"{UNDERSCORED}remaining": "0"}, None),
        (api_limit("4/day", 85_092), {}, 85_092),
        (api_limit("4/day", 30), {}, 30),
        # No minute's limit takes a day to return.
        (api_limit("100/minute", 85_092), {}, 85_092),
        ({}, {}, None),
        ("too many", {}, None),
    ],
)
def test_the_allowance_of_the_bank_is_spent(
    body: Any, headers: dict[str, str], seconds: int | None
) -> None:
    error = refusal(429, body, headers)
    assert isinstance(error, AllowanceSpent)
    assert error.until == (NOW + timedelta(seconds=seconds) if seconds else None)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (api_limit("100/minute", 42), {}),
        (api_limit("100/min", 42), {f"{UNDERSCORED}remaining": "3"}),
        ({"summary": "Rate limit exceeded"}, {"http_x_ratelimit_reset": "42"}),
        ({}, {"retry-after": "42"}),
    ],
)
def test_the_limit_of_the_api_is_no_spent_allowance(body: Any, headers: dict[str, str]) -> None:
    error = refusal(429, body, headers)
    assert isinstance(error, TryLater)
    assert error.after == timedelta(seconds=42)


@pytest.mark.parametrize("status", [400, 401])
def test_an_agreement_that_ran_out(status: int) -> None:
    error = refusal(status, {**OVER, "status_code": status})
    assert isinstance(error, ConsentGone)
    assert error.why is ConsentEnd.EXPIRED
    assert "0d1f" not in str(error)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, ENDED, ConsentDoubtful),
        (409, {"summary": "Account suspended", "status_code": 409}, ConsentDoubtful),
        (409, {"summary": "Account is still processing", "status_code": 409}, TryLater),
        (403, {"detail": "The end user has to reconfirm the access"}, ConsentDoubtful),
        (404, {"summary": "Account ID x not found", "status_code": 404}, ConsentDoubtful),
        (404, {"summary": "Not found."}, TryLater),
        (401, {"summary": "x", "type": "AccountInactiveError"}, Declined),
        (402, {"summary": "Usage exceeded"}, TryLater),
        (500, {"summary": "x", "type": "UnknownRequestError"}, TryLater),
        (503, {"summary": "x", "type": "ServiceError"}, TryLater),
        # A whole bank's or our own trouble, without a word about this consent.
        (401, {"summary": "Unauthorized"}, TryLater),
        (403, {"summary": "IP address access denied"}, TryLater),
        (502, "<html>", TryLater),
    ],
)
def test_other_refusals(status: int, body: Any, expected: type[ProviderError]) -> None:
    assert type(refusal(status, body)) is expected


def test_which_401_is_about_our_token() -> None:
    def about_token(body: Any, status: int = 401) -> bool:
        return token_refused(httpx.Response(status, json=body))

    assert about_token({"summary": "Invalid token", "detail": "Token is invalid or expired"})
    assert about_token({"detail": "Authentication credentials were not provided."})
    assert not about_token(ENDED)
    assert not about_token(OVER)
    assert not about_token({"summary": "Invalid token"}, 403)
    assert not about_token([])


def test_words_come_from_every_shape_and_ids_stay_out_of_the_reason() -> None:
    listed = read_refusal(b'{"summary":["Scopes"],"detail":["needs balances"],"status_code":400}')
    assert (listed.reason, listed.words) == ("", "Scopes needs balances")
    keyed = read_refusal(b'{"access_valid_for_days":{"summary":"Incorrect"},"status_code":400}')
    assert (keyed.reason, keyed.words) == ("ACCESS_VALID_FOR_DAYS", "Incorrect")
    missing = read_refusal(b'{"institution_id":["This field is required."]}')
    assert missing.reason == "INSTITUTION_ID"
    assert read_refusal(b'{"type":"ES91 2100"}').reason == ""
    assert read_refusal(b"<html>").words == ""
