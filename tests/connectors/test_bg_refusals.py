"""Berlin Group: what a refusal means, in all the shapes it has been seen in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
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
    Unreadable,
)
from app.domain.ids import Secret
from app.ports import Grant
from connectors._exchange import Call, wait_in_words
from connectors.berlin_group.refusals import account_refusal, read_refusal
from tests.connectors.answers import answering, problem, tpp
from tests.connectors.rigs import BankRig, bank

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
READ = Call("berlin_group", "balances", "GET", "https://bank.example/v1/accounts/a/balances")


def refusal(status: int, body: Any, **headers: str) -> ProviderError:
    content = answering(status, body, **headers)
    answer = content.handler(httpx.Request("GET", "https://bank.example"))
    assert isinstance(answer, httpx.Response)
    return account_refusal(answer, READ, NOW, None)


@pytest.mark.parametrize("shape", [tpp, problem])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ACCESS_EXCEEDED", AllowanceSpent),
        ("CONSENT_EXPIRED", ConsentGone),
        ("CONSENT_UNKNOWN", ConsentGone),
        ("CONSENT_INVALID", ConsentDoubtful),
        ("TOKEN_EXPIRED", ConsentDoubtful),
        ("TOKEN_INVALID", ConsentDoubtful),
        ("RESOURCE_BLOCKED", Declined),
        ("SERVICE_BLOCKED", Declined),
        ("RESOURCE_UNKNOWN", Declined),
        ("RESOURCE_EXPIRED", Declined),
        ("CERTIFICATE_EXPIRED", TryLater),
        ("SERVICE_UNAVAILABLE", TryLater),
    ],
)
def test_the_code_decides_under_any_status(
    shape: Any, status: int, code: str, expected: type[ProviderError]
) -> None:
    error = refusal(status, shape(code))
    assert type(error) is expected
    assert code in error.detail
    if isinstance(error, Declined):
        assert error.reason == code
    if isinstance(error, ConsentGone):
        assert error.why in (ConsentEnd.EXPIRED, ConsentEnd.UNKNOWN_AT_BANK)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>Unauthorized</html>", {"moreInformation": "Not registered to plan"},
        tpp("CERTIFICATE_INVALID"), tpp("PSU_CREDENTIALS_INVALID"), {"error": "invalid_client"},
        [], None, {"tppMessages": {}},
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [401, 403])
def test_shut_doors_without_a_consent_code_end_no_consent(status: int, body: Any) -> None:
    assert type(refusal(status, body)) is TryLater


@pytest.mark.parametrize(
    ("status", "body", "headers", "seconds"),
    [
        (429, tpp("ACCESS_EXCEEDED"), {}, None),
        (429, tpp("ACCESS_EXCEEDED"), {"Retry_After": "3600"}, 3600),
        (429, tpp("ACCESS_EXCEEDED"), {"Retry_After": "-1875538"}, None),
        (429, tpp("ACCESS_EXCEEDED", "4/day. Please try again in 85092 seconds"), {}, 85_092),
        (429, tpp("ACCESS_EXCEEDED", "try again in -1875538 seconds"), {}, None),
        (429, tpp("ACCESS_EXCEEDED", "only 4 accesses in 24 hours are allowed"), {}, None),
        (429, tpp("ACCESS_EXCEEDED", "Retry after 90 minutes"), {}, 5400),
        (429, {"code": 429, "description": "Access limit exceeded"}, {}, None),
        (429, {"error": {"code": 429, "message": "wait 30 s"}}, {}, 30),
        (429, b"too many requests", {}, None),
        (429, b"", {"Retry_After": "59"}, 59),
        (400, {"code": 429, "description": "Access limit exceeded"}, {}, None),
        (401, problem("ACCESS_EXCEEDED"), {}, None),
        (403, {"tppMessages": {"code": "access_exceeded"}}, {}, None),
        (400, {"code": "OTHER", "additionalErrors": [{"code": "ACCESS_EXCEEDED"}]}, {}, None),
        (429, tpp("ACCESS_EXCEEDED", "again in 99999999 seconds"), {}, None),
    ],
)  # fmt: skip
def test_the_spent_allowance_in_all_its_shapes(
    status: int, body: Any, headers: dict[str, str], seconds: int | None
) -> None:
    error = refusal(status, body, **headers)
    assert isinstance(error, AllowanceSpent)
    assert error.until == (NOW + timedelta(seconds=seconds) if seconds else None)


def test_a_bank_that_counts_calendar_days_is_free_at_its_midnight() -> None:
    route = bank(count_window="calendar_day", time_zone="Europe/Madrid")
    assert route.allowance_returns(NOW) == datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
    # The night the clocks go back.
    before = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    assert route.allowance_returns(before) == datetime(2026, 10, 25, 23, 0, tzinfo=UTC)
    assert bank().allowance_returns(NOW) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("", None), ("in 0 seconds", None), ("85092 seconds remaining", 85_092), ("12s", 12),
     ("version 3.12s", None), ("wait 2 hours", 7200), ("2 hours", None), ("tax 12 secular", None)],
)  # fmt: skip
def test_waits_in_words(text: str, seconds: int | None) -> None:
    assert wait_in_words(text) == (timedelta(seconds=seconds) if seconds else None)


def test_an_expiry_told_in_words_alone_is_a_doubt() -> None:
    text = "EUA was valid for 90 days and it expired at 2026-01-27 12:13:55.543011+00:00"
    for body in ({"summary": "End User Agreement expired", "detail": text, "status_code": 400},
                 {"detail": text}):  # fmt: skip
        assert type(refusal(400, body)) is ConsentDoubtful
    assert type(refusal(400, {"detail": "the card has expired"})) is Declined


def test_warnings_do_not_decide_where_an_error_stands() -> None:
    body: dict[str, Any] = {
        "tppMessages": [
            {"category": "WARNING", "code": "CONSENT_EXPIRED"},
            {"category": "ERROR", "code": "SERVICE_BLOCKED"},
        ]
    }
    error = refusal(403, body)
    assert isinstance(error, Declined)
    assert error.reason == "SERVICE_BLOCKED"
    assert type(refusal(401, tpp("CONSENT_EXPIRED", category="WARNING"))) is ConsentGone


def test_a_reason_never_carries_an_account_number() -> None:
    assert read_refusal(b'{"code": "ES9121000418450200051332"}').codes == ()
    long = read_refusal(b'{"code": "' + b"A" * 500 + b'"}')
    assert len(long.reason) <= 60
    deep: Any = {"code": "DEEP"}
    for _ in range(50):
        deep = {"error": deep}
    assert type(refusal(400, deep)) is Declined


async def test_a_refusal_inside_a_200_is_still_a_refusal(tmp_path: Path) -> None:
    rig = BankRig(tmp_path)
    port = rig.aggregation_over(answering(200, tpp("ACCESS_EXCEEDED")))
    grant = Grant("luz", Secret("c"))
    with pytest.raises(AllowanceSpent):
        await port.balances(grant, Secret("a"), None)
    two_accounts: Any = {"accounts": [{"balances": []}, {"balances": []}]}
    useless: list[Any] = [{}, {"accounts": []}, two_accounts, b"oops"]
    for body in useless:
        with pytest.raises(Unreadable):
            await rig.aggregation_over(answering(200, body)).balances(grant, Secret("a"), None)


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_status_that_is_refused_as_invalid_ends_nothing(
    tmp_path: Path, status: int
) -> None:
    port = BankRig(tmp_path).aggregation_over(answering(status, tpp("CONSENT_INVALID")))
    with pytest.raises(TryLater):
        await port.grant_now(Grant("luz", Secret("c")))
