"""Whatever a provider answers: a value or one of our errors, never anything else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from datetime import date
from typing import Any

import httpx
import orjson
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

import connectors
from app.domain.errors import ProviderError, Unreadable
from app.domain.ids import Secret
from app.pay_ports import PaymentHandle
from app.ports import BalanceAnswer, Grant
from app.side_ports import (
    ComingBackPort,
    CopiedTransactionsPort,
    FindingPort,
    RenewingPort,
    TransactionsPort,
)
from connectors._replies import stop_or_start
from sandbox.people import Person
from tests.connectors.registry import BANK_RIGS, MESSAGE_RIGS
from tests.connectors.rig_twilio import TwilioRig
from tests.connectors.rigs import BankRig
from tests.connectors.scene import HERE

ANY_ID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
SINCE = date(2026, 9, 4)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(
        ["EUR", "12.34", "valid", "RCVD", "ACSC", "CONSENT_INVALID", "interimAvailable",
         "LN", "EX", "READY", "EXPIRED", "RateLimitError", ANY_ID, "2026-11-21T08:00:00Z",
         "https://bank.example/x", "http://127.0.0.1/y", "2026-11-21", "delivered",
         "QUEUE", "53", "0", "ITAV", "CLBD", "AUTHORIZED", "FINISHED", "REFRESHING", "FAILED",
         "UPDATED", "SESSION_EXPIRED", "es-luz-ob", "CHECKING", "depository", "-3", 110.5,
         "failed", "executed", "canceled", "authorization_required", "BRQ01", "PM01", "fulfilled",
         "confirmed", "paid_out", "idempotent_creation_conflict", "invalid_state", "SENT",
         "SETTLED_PAYEE", "FAILED", "PAYMENT_STATUS_INITIATED", "PAYMENT_STATUS_SETTLED", "ACSC",
         "BOOK", "DBIT", "CRDT", "DEBIT", "CREDIT", "BOOKED", "HISTORICAL_UPDATE_COMPLETE"]
    ),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["balances", "account", "accounts", "balanceAmount", "amount", "currency", "iban",
             "balanceType", "referenceDate", "lastChangeDateTime", "creditLimitIncluded", "status",
             "consentStatus", "consentId", "validUntil", "_links", "scaRedirect", "href",
             "startAuthorisation", "paymentId", "transactionStatus", "resourceId", "tppMessages",
             "code", "text", "category", "error", "errors", "additionalErrors", "detail", "sid",
             "list", "id", "idx", "results", "messageId", "groupId",
             "permanent", "message-id", "collection", "phone_number", "invalid_numbers", "count",
             "messages", "body", "next_page_uri", "error_code", "cashAccountType", "name",
             "link", "agreement", "accepted", "access_valid_for_days", "type", "summary",
             "access", "access_expires", "refresh", "refresh_expires", "balance_amount",
             "balance_type", "credit_limit", "session_id", "uid", "account_id", "valid_until",
             "authorization_id", "url", "cash_account_type", "user_id", "balanceRefreshId",
             "providerConsents", "providerName", "accountIds", "sessionExpiryDate", "refreshed",
             "availableBalanceExcludingCredit", "availableBalanceIncludingCredit",
             "bookedBalance", "creditLimit", "currencyCode", "value", "scale", "unscaledValue",
             "valueInMinorUnit", "available", "current", "limit", "iso_currency_code",
             "link_sessions", "item_add_results", "public_token", "access_token", "link_token",
             "hosted_link_url", "item", "error_code", "error_type", "numbers", "international",
             "overdraft", "update_timestamp", "account_type", "access_token", "refresh_token",
             "expires_in", "resource_token", "failure_reason", "billing_requests", "links",
             "billing_request_flows", "payments", "payment_request_payment", "reason",
             "authorisation_url", "conflicting_resource_id", "paymentRequestCreatedTransfers",
             "created", "payment_id", "recipient_id", "final_status", "transactions", "booked",
             "pending", "transactionAmount", "bookingDate", "valueDate", "transaction_amount",
             "booking_date", "credit_debit_indicator", "continuation_key", "timestamp",
             "transaction_type", "dates", "accountId", "nextPageToken", "added", "modified",
             "removed", "has_more", "next_cursor", "transactions_update_status", "transaction_id",
             "date"]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=25,
)  # fmt: skip
ANSWERS = st.tuples(
    st.sampled_from(
        [200, 200, 200, 201, 202, 204, 302, 400, 401, 403, 404, 405, 409, 429, 500, 503]
    ),
    JSON.map(orjson.dumps) | st.binary(max_size=60),
    st.dictionaries(
        st.sampled_from(["retry-after", "date", "content-type", "location"]),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
        max_size=3,
    ),
)


async def _error_of(attempt: Awaitable[object]) -> ProviderError | None:
    try:
        await attempt
    except ProviderError as error:
        return error
    return None


Attempts = Callable[[httpx.AsyncBaseTransport], list[Awaitable[object]]]


def only_our_errors(answer: tuple[int, bytes, dict[str, str]], attempts: Attempts) -> None:
    """Whatever the provider says, an attempt gives a value or one of our errors."""
    status, body, headers = answer

    def say(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers=headers, content=body)

    async def run() -> None:
        for attempt in attempts(httpx.MockTransport(say)):
            said = await _error_of(attempt)
            assert said is None or (said.connector and said.operation)

    asyncio.run(run())


# Its examples are made inside, where nothing sees them from outside.
PROPERTY = pytest.mark.hypothesis


def any_answers(attempts: Attempts) -> None:
    """Made-up answers, one after the other."""

    @given(answer=ANSWERS)
    def one(answer: tuple[int, bytes, dict[str, str]]) -> None:
        only_our_errors(answer, attempts)

    one()


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    """Alarms about unknown words are meant here, and too many to read."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module", params=BANK_RIGS)
def bank(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> BankRig:
    """One rig for all examples: a world is dear, and these examples never reach it."""
    return BANK_RIGS[request.param](tmp_path_factory.mktemp("banks"))


@pytest.fixture(scope="module", params=list(MESSAGE_RIGS))
def texts(request: pytest.FixtureRequest) -> TwilioRig:
    return MESSAGE_RIGS[request.param]()


def _reading(bank: BankRig, transport: httpx.AsyncBaseTransport) -> list[Awaitable[object]]:
    aggregation, grant = bank.aggregation_over(transport), bank.any_grant(ANY_ID)
    reading: list[Awaitable[object]] = [
        aggregation.begin_consent(bank.ask()),
        aggregation.grant_now(grant),
        aggregation.accounts(grant, None),
        aggregation.balances(grant, Secret(ANY_ID), None),
        aggregation.end_consent(grant),
    ]
    if isinstance(aggregation, TransactionsPort):
        reading.append(aggregation.transactions(grant, Secret(ANY_ID), SINCE, HERE))
    if isinstance(aggregation, CopiedTransactionsPort):
        reading.append(aggregation.copied_transactions(grant, Secret(ANY_ID), SINCE))
    if isinstance(aggregation, ComingBackPort):
        waits = Grant(bank.bank_id, Secret('{"session": ""}'))
        reading.append(aggregation.came_back(waits, {"code": "c"}))
    if isinstance(aggregation, RenewingPort):
        linking = Grant(bank.bank_id, Secret('{"link": "l"}'))
        reading.extend([aggregation.renew(linking), aggregation.renew(grant)])
    return reading


def _paying(
    bank: BankRig, transport: httpx.AsyncBaseTransport, person: Person
) -> list[Awaitable[object]]:
    payments, handle = (
        bank.payments_over(transport),
        PaymentHandle(bank.bank_id, Secret(bank.some_ref)),
    )
    paying: list[Awaitable[object]] = [
        payments.create_payment(bank.order(person)),
        payments.payment_now(handle),
        payments.cancel_payment(handle),
    ]
    if isinstance(payments, FindingPort):
        paying.append(payments.find_payment(bank.order(person)))
    return paying


@PROPERTY
def test_banks_may_answer_anything(bank: BankRig) -> None:
    people = bank.scene.world.people
    person = next(iter(people.values()), None) or bank.person()

    def attempts(transport: httpx.AsyncBaseTransport) -> list[Awaitable[object]]:
        able = connectors.discover()[bank.connector]
        return [
            *(_reading(bank, transport) if able.aggregation else ()),
            *(_paying(bank, transport, person) if able.payments else ()),
        ]

    any_answers(attempts)


@PROPERTY
def test_message_providers_may_answer_anything(texts: TwilioRig) -> None:
    people = texts.scene.world.people
    sms = texts.sms(next(iter(people.values()), None) or texts.person())

    def attempts(transport: httpx.AsyncBaseTransport) -> list[Awaitable[object]]:
        port = texts.messages_over(transport)
        return [port.send(sms), port.find(sms), port.message_now(texts.ref)]

    any_answers(attempts)


@given(document=JSON)
def test_any_document_can_be_parsed_or_is_unreadable(document: Any) -> None:
    for connector in connectors.discover().values():
        if connector.parse_balances is None:
            continue
        try:
            answers = connector.parse_balances(document)
        except Unreadable:
            continue
        assert all(isinstance(answer, BalanceAnswer) for answer in answers)
        for entry in (entry for answer in answers for entry in answer.entries):
            assert (entry.amount is None) == bool(entry.problem)


@given(st.text(max_size=40), st.text(max_size=10))
def test_any_reply_can_be_read(text: str, opt_out_type: str) -> None:
    assert stop_or_start(text, opt_out_type) in (True, False, None)
