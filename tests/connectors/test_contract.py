"""What every connector must do alike, run against each one's rig."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

import connectors
from app.domain.account import canonical
from app.domain.errors import (
    AllowanceSpent,
    ConsentDoubtful,
    ConsentEnd,
    ConsentGone,
    Declined,
    OutcomeUnknown,
    ProviderError,
    TryLater,
)
from app.domain.ids import Iban, Secret
from app.domain.money import Money
from app.pay_ports import CancelResult, PaymentHandle, PayStatus
from app.ports import Grant, GrantState
from app.side_ports import StayingPort
from sandbox.modes import Mode
from tests.connectors.answers import answering, failing
from tests.connectors.registry import (
    BANK_RIGS,
    EMAIL_RIGS,
    EXPERIMENTAL_RIGS,
    HOOK_RIGS,
    MESSAGE_RIGS,
    refused,
)
from tests.connectors.rigs import BankRig
from tests.connectors.scene import HERE, ORIGIN

pytestmark = pytest.mark.anyio


def test_every_connector_has_a_rig_for_every_slot() -> None:
    for name, connector in connectors.discover().items():
        of_banks = connector.aggregation or connector.payments
        assert (name in {**BANK_RIGS, **EXPERIMENTAL_RIGS}) == bool(of_banks)
        assert (name in MESSAGE_RIGS) == bool(connector.messages)
        assert (name in HOOK_RIGS) == bool(connector.lender_hooks)
        assert (name in EMAIL_RIGS) == bool(connector.emails)
        assert name in {**BANK_RIGS, **EXPERIMENTAL_RIGS, **MESSAGE_RIGS, **EMAIL_RIGS, **HOOK_RIGS}


def test_importing_a_connector_needs_no_settings() -> None:
    for connector in connectors.discover().values():
        assert connectors.live_addresses(connector.settings()) == ()


BANKS = ("luz", "ribera", "foerde")
READING = [name for name in BANK_RIGS if connectors.discover()[name].aggregation is not None]
PAYING = [name for name in BANK_RIGS if connectors.discover()[name].payments is not None]


@pytest.fixture(params=[(name, bank) for name in READING for bank in (*BANKS, "wharf")])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> BankRig:
    name, bank = request.param
    return BANK_RIGS[name](tmp_path, bank)


@pytest.fixture(params=[(name, bank) for name in PAYING for bank in BANKS])
def payer(request: pytest.FixtureRequest, tmp_path: Path) -> BankRig:
    """The rigs of connectors that initiate payments."""
    name, bank = request.param
    return BANK_RIGS[name](tmp_path, bank)


# ---------------------------------------------------------------- consents


async def test_a_consent_from_beginning_to_end(rig: BankRig) -> None:
    person = rig.person(opening_minor=12_345)
    begun = await rig.begin()
    assert begun.now.state is GrantState.PENDING
    assert begun.redirect_url.startswith(ORIGIN)
    assert (await rig.aggregation.grant_now(begun.grant)).state is GrantState.PENDING
    rig.allow(begun, person)
    grant = await rig.back(begun)
    now = await rig.aggregation.grant_now(grant)
    assert now.state is GrantState.ACTIVE
    assert now.valid_until is not None
    assert now.valid_until <= rig.ask().valid_until
    await rig.aggregation.end_consent(grant)
    await rig.aggregation.end_consent(grant)  # already gone counts as done
    ended = await rig.aggregation.grant_now(grant)
    assert (ended.state, ended.end) == (GrantState.ENDED, rig.given_back)


async def test_a_consent_for_one_iban(rig: BankRig) -> None:
    person = rig.person(second=True)
    wanted = person.accounts[1].iban
    begun = await rig.begin(iban=Iban.parse(wanted))
    rig.allow(begun, person, None if rig.takes_iban else [wanted])
    (account,) = await rig.aggregation.accounts(await rig.back(begun), HERE)
    assert account.number is not None
    assert canonical(account.number) == canonical(Iban.parse(wanted))


async def test_a_refused_consent(rig: BankRig) -> None:
    begun = await rig.begin()
    rig.forbid(begun, rig.person())
    now = await rig.refusal(begun)
    assert (now.state, now.end) == (GrantState.ENDED, ConsentEnd.REJECTED)


async def test_a_consent_revoked_at_the_bank(rig: BankRig) -> None:
    person = rig.person()
    grant = await rig.granted(person)
    (account,) = await rig.aggregation.accounts(grant, HERE)
    rig.revoke(person)
    error = await refused(rig.aggregation.balances(grant, account.ref, None))
    assert isinstance(error, (ConsentDoubtful, ConsentGone))
    now = await rig.aggregation.grant_now(grant)
    assert (now.state, now.end) == (GrantState.ENDED, ConsentEnd.REVOKED_AT_BANK)


async def test_a_consent_that_ran_out(rig: BankRig) -> None:
    grant = await rig.granted(rig.person())
    (account,) = await rig.aggregation.accounts(grant, HERE)
    rig.watch.on(days=200)
    error = await refused(rig.aggregation.balances(grant, account.ref, None))
    assert isinstance(error, ConsentGone)
    assert error.why is ConsentEnd.EXPIRED
    now = await rig.aggregation.grant_now(grant)
    assert (now.state, now.end) == (GrantState.ENDED, ConsentEnd.EXPIRED)


async def test_a_consent_the_bank_does_not_know(rig: BankRig) -> None:
    grant = Grant(rig.bank_id, Secret(str(uuid4())))
    now = await rig.aggregation.grant_now(grant)
    assert (now.state, now.end) == (GrantState.ENDED, ConsentEnd.UNKNOWN_AT_BANK)
    error = await refused(rig.aggregation.balances(grant, Secret(str(uuid4())), None))
    assert type(error) is rig.unknown_consent_in_reads
    assert getattr(error, "why", ConsentEnd.UNKNOWN_AT_BANK) is ConsentEnd.UNKNOWN_AT_BANK
    await rig.aggregation.end_consent(grant)


async def test_a_lost_answer_to_a_new_consent_is_unknown(rig: BankRig) -> None:
    person = rig.person()
    rig.lose_consent_answer(person)
    if rig.asks_to_begin:
        error = await refused(rig.begin(iban=Iban.parse(person.iban)))
    else:
        error = await refused(rig.granted(person))
    assert isinstance(error, OutcomeUnknown)


# ---------------------------------------------------------------- balances


async def test_an_unattended_read_is_one_request_without_a_word_of_presence(rig: BankRig) -> None:
    grant = await rig.granted(rig.person(opening_minor=12_345))
    (account,) = await rig.aggregation.accounts(grant, HERE)
    before, seen = rig.asked_of_banks(), len(rig.seen)
    answer = await rig.aggregation.balances(grant, account.ref, None)
    assert rig.asked_of_banks() == before + 1
    for sent in rig.seen[seen:]:
        of_presence = ("psu-", "x-psu-", "tpp-", "cookie")
        assert not {name for name in sent.headers if name.startswith(of_presence)}
    assert {entry.amount for entry in answer.entries} == {Money(12_345, rig.currency)}
    assert answer.currency in (rig.currency, None)


async def test_an_attended_read_says_who_is_there_where_that_can_be_said(rig: BankRig) -> None:
    grant = await rig.granted(rig.person())
    (account,) = await rig.aggregation.accounts(grant, HERE)
    await rig.aggregation.balances(grant, account.ref, HERE)
    for sent in rig.seen[-2:] if rig.lists_at_bank else rig.seen[-1:]:
        if rig.states_presence:
            assert sent.headers[rig.presence_header] == HERE.ip
        else:
            assert HERE.ip not in f"{sent.url} {sent.headers} {sent.body!r}"


async def test_accounts_are_told_apart_and_can_be_recognised(rig: BankRig) -> None:
    person = rig.person(second=True)
    begun = await rig.begin()
    both = [account.iban for account in person.accounts]
    rig.allow(begun, person, both)
    found = await rig.aggregation.accounts(await rig.back(begun), None)
    known = {canonical(account.number) for account in found if account.number is not None}
    assert known == {canonical(Iban.parse(iban)) for iban in both}
    assert len({account.ref for account in found}) == 2
    assert all(account.usable and account.currency == rig.currency for account in found)


async def test_a_blocked_account_is_never_used(rig: BankRig) -> None:
    person = rig.person()
    grant = await rig.granted(person)
    rig.scene.world.set_mode(person.id, Mode.ACCOUNT_BLOCKED)
    (account,) = await rig.aggregation.accounts(grant, None)
    assert account.usable is not rig.lists_blocked
    assert bool(account.why_unusable) is rig.lists_blocked
    error = await refused(rig.aggregation.balances(grant, account.ref, None))
    assert isinstance(error, Declined)


@pytest.mark.parametrize(
    "mode", [None, Mode.LIMIT_RESET_NEGATIVE, Mode.LIMIT_RESET_MISSING, Mode.LIMIT_OWN_SHAPE]
)
async def test_the_spent_allowance_is_its_own_answer(rig: BankRig, mode: Mode | None) -> None:
    person = rig.person()
    grant = await rig.granted(person)
    (account,) = await rig.aggregation.accounts(grant, HERE)
    if mode is not None:
        rig.scene.world.set_mode(person.id, mode)
    for _ in range(4):
        assert (await rig.aggregation.balances(grant, account.ref, None)).entries
        rig.watch.on(minutes=10)
    before = rig.asked_of_banks()
    error = await refused(rig.aggregation.balances(grant, account.ref, None))
    assert isinstance(error, AllowanceSpent)
    assert error.until is None or error.until > rig.watch.now()
    assert rig.asked_of_banks() == before + 1
    if rig.states_presence:  # with the borrower there, reading goes on
        assert (await rig.aggregation.balances(grant, account.ref, HERE)).entries
    else:
        error = await refused(rig.aggregation.balances(grant, account.ref, HERE))
        assert isinstance(error, AllowanceSpent)


async def test_a_bank_that_is_down_ends_no_consent(rig: BankRig) -> None:
    grant = await rig.granted(rig.person())
    (account,) = await rig.aggregation.accounts(grant, HERE)
    for break_down in rig.outages():
        break_down()
        read = rig.aggregation.balances(grant, account.ref, None)
        assert isinstance(await refused(read), TryLater)
        if rig.lists_at_bank:
            assert isinstance(await refused(rig.aggregation.accounts(grant, None)), TryLater)
        if rig.asks_bank_for_status:
            assert isinstance(await refused(rig.aggregation.grant_now(grant)), TryLater)
        else:
            assert (await rig.aggregation.grant_now(grant)).state is GrantState.ACTIVE


# ---------------------------------------------------------------- lost connections


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout])
async def test_without_a_connection_nothing_was_sent(
    rig: BankRig, error: type[httpx.TransportError]
) -> None:
    aggregation = rig.aggregation_over(failing(error))
    if rig.asks_to_begin:
        assert isinstance(await refused(aggregation.begin_consent(rig.ask())), TryLater)
    grant, account = Grant(rig.bank_id, Secret(str(uuid4()))), Secret(str(uuid4()))
    assert isinstance(await refused(aggregation.balances(grant, account, None)), TryLater)


@pytest.mark.parametrize("error", [httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError])
async def test_a_consent_whose_answer_is_lost_is_unknown_and_a_read_is_not(
    rig: BankRig, error: type[httpx.TransportError]
) -> None:
    aggregation = rig.aggregation_over(failing(error))
    grant, account = Grant(rig.bank_id, Secret(str(uuid4()))), Secret(str(uuid4()))
    if rig.asks_to_begin:
        assert isinstance(await refused(aggregation.begin_consent(rig.ask())), OutcomeUnknown)
    assert isinstance(await refused(aggregation.balances(grant, account, None)), TryLater)


# ---------------------------------------------------------------- payments


@pytest.mark.parametrize("instant", [False, True])
async def test_a_payment_from_the_order_to_the_money(payer: BankRig, instant: bool) -> None:
    person = payer.person(opening_minor=100_000)
    begun = await payer.payments.create_payment(payer.order(person, instant=instant))
    assert begun.now.status is PayStatus.OPEN
    assert begun.handle.instant is instant
    assert (await payer.payments.payment_now(begun.handle)).status is PayStatus.OPEN
    payer.pay(begun, person)
    payer.watch.on(days=1)
    assert (await payer.payments.payment_now(begun.handle)).status is PayStatus.SETTLED
    too_late = CancelResult.TOO_LATE if payer.takes_back else CancelResult.IMPOSSIBLE
    assert await payer.payments.cancel_payment(begun.handle) is too_late


@pytest.mark.parametrize("name", PAYING)
@pytest.mark.parametrize(
    ("mode", "status"),
    [
        (Mode.PAYMENT_REJECTED, PayStatus.REJECTED),
        (Mode.PAYMENT_PENDING_LONG, PayStatus.AUTHORISED),
    ],
)
async def test_what_becomes_of_a_payment_after_the_yes(
    tmp_path: Path, name: str, mode: Mode, status: PayStatus
) -> None:
    """At a bank whose yes is no money yet."""
    payer = BANK_RIGS[name](tmp_path, "luz")
    person = payer.person(opening_minor=100_000)
    payer.scene.world.set_mode(person.id, mode)
    begun = await payer.payments.create_payment(payer.order(person))
    payer.pay(begun, person)
    payer.watch.on(days=1)
    assert (await payer.payments.payment_now(begun.handle)).status is status


async def test_a_payment_refused_at_the_bank(payer: BankRig) -> None:
    person = payer.person(opening_minor=100_000)
    begun = await payer.payments.create_payment(payer.order(person))
    payer.refuse_to_pay(begun, person)
    now = await payer.payments.payment_now(begun.handle)
    if payer.refusal_ends:
        assert now.status in (PayStatus.REJECTED, PayStatus.CANCELLED)
        assert now.repeats is payer.pays_again
    else:
        assert now.status is PayStatus.OPEN
        assert await payer.payments.cancel_payment(begun.handle) is CancelResult.CANCELLED


async def test_an_open_payment_is_taken_back_where_that_can_be_done(payer: BankRig) -> None:
    begun = await payer.payments.create_payment(payer.order(payer.person()))
    assert isinstance(payer.payments, StayingPort) is not payer.takes_back
    if isinstance(payer.payments, StayingPort):
        assert payer.payments.stay().free_after > timedelta(0)
        assert await payer.payments.cancel_payment(begun.handle) is CancelResult.IMPOSSIBLE
        assert (await payer.payments.payment_now(begun.handle)).status is PayStatus.OPEN
        return
    assert await payer.payments.cancel_payment(begun.handle) is CancelResult.CANCELLED
    assert (await payer.payments.payment_now(begun.handle)).status is PayStatus.CANCELLED


async def test_a_lost_answer_to_a_payment_is_unknown(payer: BankRig) -> None:
    person = payer.person()
    payer.lose_payment_answer(person)
    error = await refused(payer.payments.create_payment(payer.order(person)))
    assert isinstance(error, OutcomeUnknown)
    assert payer.made_orders() == 1  # it exists, and its page is known to nobody


async def test_a_payment_the_bank_does_not_know_yet_is_not_failed(payer: BankRig) -> None:
    handle = PaymentHandle(payer.bank_id, Secret(payer.some_ref))
    assert isinstance(await refused(payer.payments.payment_now(handle)), TryLater)


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout])
async def test_without_a_connection_nothing_was_paid(
    payer: BankRig, error: type[httpx.TransportError]
) -> None:
    order = payer.order(payer.person())
    payments = payer.payments_over(failing(error))
    assert isinstance(await refused(payments.create_payment(order)), TryLater)


@pytest.mark.parametrize("error", [httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError])
async def test_a_payment_whose_answer_is_lost_is_unknown_and_its_status_is_not(
    payer: BankRig, error: type[httpx.TransportError]
) -> None:
    order = payer.order(payer.person())
    handle = PaymentHandle(payer.bank_id, Secret(payer.some_ref))
    payments = payer.payments_over(failing(error))
    assert isinstance(await refused(payments.create_payment(order)), OutcomeUnknown)
    if payer.takes_back:
        assert isinstance(await refused(payments.cancel_payment(handle)), OutcomeUnknown)
    assert isinstance(await refused(payments.payment_now(handle)), TryLater)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, Declined), (401, Declined), (403, Declined), (404, Declined), (409, Declined),
        (408, OutcomeUnknown), (429, TryLater), (500, OutcomeUnknown), (503, OutcomeUnknown),
        (302, OutcomeUnknown), (201, OutcomeUnknown),
    ],
)  # fmt: skip
async def test_what_a_bare_status_means_for_a_payment(
    payer: BankRig, status: int, expected: type[ProviderError]
) -> None:
    payments = payer.payments_over(answering(status, b""))
    error = await refused(payments.create_payment(payer.order(payer.person())))
    assert type(error) is expected
