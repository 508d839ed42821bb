"""Unnax: the parts that are public, and that everything else is refused while nobody states it.

The face made up what no public text says, so agreement with it proves only that what is configured
is sent, awaited and read. What can be held against others are the encryption and the signature.
"""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import given

from app.domain.balance import Unusable
from app.domain.errors import (
    ConsentEnd,
    ConsentGone,
    Declined,
    Misconfigured,
    NotAllowed,
    TryLater,
    Unreadable,
)
from app.domain.ids import Secret
from app.domain.money import Money
from app.ports import Grant, InboundHttp, InboundKind
from connectors import unnax
from connectors.unnax.aggregation import Aggregation, Held
from connectors.unnax.balances import answer_of, parse_balances
from connectors.unnax.hooks import PAID, READ, TOKEN_MADE, Hooks, event_id
from connectors.unnax.reference import Figures, Reference, load_reference
from connectors.unnax.sealing import merchant_signature, opened
from connectors.unnax.settings import Institution, Settings
from sandbox.bank_list import as_unnax_reference
from sandbox.faces import unnax_wire
from tests.connectors import test_contract as contract
from tests.connectors.answers import answering, judged
from tests.connectors.registry import refused
from tests.connectors.rig_unnax import HOOK, UnnaxRig
from tests.connectors.scene import HERE, MONDAY
from tests.connectors.test_fuzz import ANSWERS, JSON, only_our_errors

pytestmark = pytest.mark.anyio

FOLDER = Path(unnax.__file__).parent


@pytest.fixture
def rig(tmp_path: Path) -> UnnaxRig:
    return UnnaxRig(tmp_path)


# ---------------------------------------------------------------- the contract, where it applies


@pytest.mark.parametrize(
    "behaviour",
    [
        contract.test_a_consent_for_one_iban,
        contract.test_a_refused_consent,
        contract.test_a_lost_answer_to_a_new_consent_is_unknown,
        contract.test_an_unattended_read_is_one_request_without_a_word_of_presence,
        contract.test_an_attended_read_says_who_is_there_where_that_can_be_said,
        contract.test_accounts_are_told_apart_and_can_be_recognised,
    ],
)
async def test_the_contract_as_far_as_it_applies(
    rig: UnnaxRig, behaviour: Callable[[UnnaxRig], Awaitable[None]]
) -> None:
    await behaviour(rig)


@given(answer=ANSWERS)
def test_unnax_may_answer_anything(
    tmp_path_factory: pytest.TempPathFactory, answer: tuple[int, bytes, dict[str, str]]
) -> None:
    rig = fuzzed(tmp_path_factory)
    grant = Grant("luz", Held("r", "t").sealed())

    def attempts(transport: httpx.AsyncBaseTransport) -> list[Awaitable[object]]:
        port: Any = rig.aggregation_over(transport)
        return [
            port.begin_consent(rig.ask()),
            port.grant_now(grant),
            port.accounts(grant, None),
            port.balances(grant, Secret("a"), None),
            port.end_consent(grant),
        ]

    only_our_errors(answer, attempts)


_fuzzed: list[UnnaxRig] = []


def fuzzed(factory: pytest.TempPathFactory) -> UnnaxRig:
    """One rig for all examples; none of them waits for a call."""
    if not _fuzzed:
        _fuzzed.append(UnnaxRig(factory.mktemp("unnax"), read_seconds=0.001, refresh_token="r"))
    return _fuzzed[0]


@given(said=JSON)
def test_any_call_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, said: Any) -> None:
    hooks = hooks_of(fuzzed(tmp_path_factory))
    body = said if isinstance(said, dict) else {"data": said}
    for event in (READ, TOKEN_MADE, *PAID):
        call = InboundHttp(HOOK, {}, json.dumps({**body, "triggered_event": event}).encode())
        try:
            asyncio.run(read(hooks, call))
        except (NotAllowed, Unreadable):
            continue


async def read(hooks: Hooks, call: InboundHttp) -> object:
    return await hooks.read_webhooks(call)


def hooks_of(rig: UnnaxRig, **changes: Any) -> Hooks:
    return Hooks(Settings.model_validate({**rig.given(), **changes}), rig.wire())


# ---------------------------------------------------------------- the recipe of the encryption


def test_the_recipe_of_the_encryption_is_pinned_on_both_sides() -> None:
    sealed = "7RqiJQ6cCL+Er2dhRI4Trx2mdoTSf+h80j9Bfix6A3fVinDxT4UT66c0LPtfC55u"
    api_id, api_code = "xx0000", "not-a-real-api-code"
    assert opened(sealed, api_id, api_code) == {"accounts": [{"currency": "EUR"}]}
    plain = b'{"accounts":[{"currency":"EUR"}]}'
    assert unnax_wire.encrypted(plain, api_id, api_code) == sealed
    for wrong in (sealed[:-4], sealed[:-1] + "!", "", "AAAA"):
        with pytest.raises(ValueError, match="content"):
            opened(wrong, api_id, api_code)
    with pytest.raises(ValueError, match="does not open") as error:
        opened(sealed, api_id, "another code")
    assert "EUR" not in str(error.value)


def test_widgets_are_signed_over_merchant_request_and_code() -> None:
    # SHA-1 of "abc", from FIPS 180.
    assert merchant_signature("a", "b", "c") == "a9993e364706816aba3e25717850c26c9cd0d89d"


# ---------------------------------------------------------------- consents and reads


async def test_a_token_comes_by_a_call_and_reads_come_by_calls(rig: UnnaxRig) -> None:
    person = rig.person(opening_minor=12_345)
    begun = await rig.begin()
    port: Any = rig.aggregation
    assert (await port.renew(begun.grant)) == begun.grant  # nobody has called yet
    assert isinstance(await refused(port.accounts(begun.grant, None)), TryLater)
    rig.allow(begun, person)
    grant = await rig.back(begun)
    (account,) = await port.accounts(grant, HERE)
    assert account.number is not None
    answer = await port.balances(grant, account.ref, None)
    assert [(one.kind, one.amount) for one in answer.entries] == [
        ("interimBooked", Money(12_345, "EUR"))
    ]
    assert "sandbox-api-code" not in repr((begun, grant, answer, rig.aggregation))
    await port.end_consent(grant)
    await port.end_consent(grant)
    assert isinstance(await refused(port.balances(grant, account.ref, None)), TryLater)


async def test_figures_that_do_not_come_are_a_spent_read_and_no_end(rig: UnnaxRig) -> None:
    grant = await rig.granted(rig.person())
    (account,) = await rig.aggregation.accounts(grant, None)
    rig.silent = True
    error = await refused(rig.aggregation.balances(grant, account.ref, None))
    assert isinstance(error, TryLater)
    assert "in time" in error.detail
    rig.silent = False
    error = await refused(rig.aggregation.balances(grant, Secret("ES00 another"), None))
    assert isinstance(error, Unreadable)


async def test_a_page_that_was_left_is_a_refusal(rig: UnnaxRig) -> None:
    begun = await rig.begin()
    rig.forbid(begun, rig.person())
    port: Any = rig.aggregation
    with pytest.raises(ConsentGone) as gone:
        await port.renew(begun.grant)
    assert gone.value.why is ConsentEnd.REJECTED


async def test_an_access_token_is_made_once_and_forgotten_when_refused(tmp_path: Path) -> None:
    rig = UnnaxRig(tmp_path, refresh_token=unnax_wire.REFRESH)
    await rig.begin()
    await rig.begin()
    made = [one for one in rig.seen if one.url.endswith("jwt_token/refresh")]
    assert len(made) == 1
    assert rig.seen[1].headers["authorization"] == f"Bearer {unnax_wire.ACCESS}"
    port = UnnaxRig(tmp_path, refresh_token="wrong").aggregation
    assert isinstance(await refused(port.begin_consent(rig.ask())), TryLater)


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
async def test_no_refusal_ends_a_consent(rig: UnnaxRig, status: int) -> None:
    port = rig.aggregation_over(answering(status, {"code": "S000021", "message": "x"}))
    grant = Grant("luz", Held("r", "t").sealed())
    error = await refused(port.balances(grant, Secret("a"), None))
    assert isinstance(error, TryLater)
    error = await refused(port.begin_consent(rig.ask(bank_id="none")))
    assert isinstance(error, Declined)


# ---------------------------------------------------------------- calls


def call(event: str, **said: Any) -> InboundHttp:
    body = {**unnax_wire.envelope(event, MONDAY), **said}
    return InboundHttp(HOOK, {}, json.dumps(body).encode())


async def test_calls_are_taken_by_the_secret_in_their_address(rig: UnnaxRig) -> None:
    hooks, key = hooks_of(rig), str(uuid4())
    good = call("event_credential_token_creation", request_code=key, data={"token": "t"})
    (event,) = await hooks.read_webhooks(good)
    assert (event.kind, str(event.consent_key)) == (InboundKind.CONSENT, key)
    assert event.event_id == event_id("event_credential_token_creation", key)
    for url in ("https://saldo.example/hooks/unnax", HOOK + "x", HOOK.replace("key", "kay")):
        with pytest.raises(NotAllowed):
            await hooks.read_webhooks(InboundHttp(url, {}, good.body))
    # Events that Saldo does not use are nothing of ours; what names no request cannot be kept.
    assert await hooks.read_webhooks(call("event_consent_signed")) == ()
    for broken in (call("fitnance_read", data={}), call("fitnance_read", data="AAAA")):
        with pytest.raises(Unreadable):
            await hooks.read_webhooks(broken)
    with pytest.raises(Unreadable):
        await hooks.read_webhooks(InboundHttp(HOOK, {}, b"[]"))


async def test_a_stated_formula_of_signatures_is_checked(rig: UnnaxRig) -> None:
    text = as_unnax_reference().replace(
        'token_field = "data.token"',
        'token_field = "data.token"\nsignature = "{response_id}{api_code}"',
    )
    rig.reference.write_text(text)
    hooks = hooks_of(rig)
    right = merchant_signature("r-1", unnax_wire.API_CODE)
    plain = {"request_code": str(uuid4()), "response_id": "r-1", "data": {}}
    name = "event_reader_lockstep_cancelled"
    assert len(await hooks.read_webhooks(call(name, signature=right, **plain))) == 1
    for wrong in (right[:-1] + "x", "", None):
        with pytest.raises(NotAllowed):
            await hooks.read_webhooks(call(name, signature=wrong, **plain))


async def test_pay_ins_are_named_by_their_order(rig: UnnaxRig) -> None:
    """Fields as in the recorded calls of another lender's program."""
    authorised = {
        "order_code": "o-1", "bank_order_code": "", "amount": 101, "currency": "EUR",
        "customer_code": "c", "service": "payment_transfer_dbt", "status": "payment_authorized",
        "success": True, "error_messages": "",
    }  # fmt: skip
    hooks = hooks_of(rig)
    for name in ("authorized", "completed"):
        paid = call(f"event_payment_transfer_lockstep_{name}", data=authorised)
        (event,) = await hooks.read_webhooks(paid)
        assert event.kind is InboundKind.PAYMENT
        assert event.payment_ref == Secret("o-1")
    assert unnax.CONNECTOR.payments is None


# ---------------------------------------------------------------- what figures mean


FIGURES = Figures(account_field="account", current_balance="interimAvailable", amounts="cents")


@pytest.mark.parametrize(
    ("stated", "amounts", "minor"),
    [
        (12_345, "cents", 12_345),
        (-5, "cents", -5),
        (0, "cents", 0),
        ("12345", "cents", 12_345),
        (123.45, "cents", None),
        ("123.45", "cents", None),
        (123.45, "units", 12_345),
        ("123.45", "units", 12_345),
        (123, "units", 12_300),
        (0.1, "units", 10),
        (123.456, "units", None),
        ("1.234,56", "units", None),
        (float("nan"), "units", None),
        (float("inf"), "cents", None),
        (True, "cents", None),
        ({}, "cents", None),
        (10**30, "cents", None),
    ],
)
def test_a_figure_is_read_as_the_reference_says(
    stated: Any, amounts: Any, minor: int | None
) -> None:
    figures = FIGURES.model_copy(update={"amounts": amounts})
    (entry,) = answer_of({"currency": "EUR", "current_balance": stated}, figures).entries
    assert entry.amount == (None if minor is None else Money(minor, "EUR"))
    assert bool(entry.problem) == (minor is None)


def test_without_a_figure_or_its_meaning_nothing_can_be_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reason(document: Any) -> Unusable | None:
        (answer,) = parse_balances(document)
        found = judged(answer, limits_excluded=True)
        assert found.amount is None
        return found.unusable

    one = {"account": "a", "currency": "EUR", "current_balance": 100}
    content = {"summary": {"by_account": [one]}}
    assert reason(content) is Unusable.UNKNOWN_KIND
    saved = {"triggered_event": "fitnance_read", "data": unnax_wire.encrypted(b"{}")}
    assert reason(saved) is Unusable.UNKNOWN_KIND
    path = tmp_path / "reference.toml"
    path.write_text(as_unnax_reference())
    monkeypatch.setenv("SALDO_UNNAX_REFERENCE", str(path))
    assert reason({"summary": {"by_account": [{"account": "a", "currency": "EUR"}]}}) is (
        Unusable.NO_BALANCES
    )
    monkeypatch.setenv("SALDO_UNNAX_API_ID", unnax_wire.API_ID)
    monkeypatch.setenv("SALDO_UNNAX_API_CODE", unnax_wire.API_CODE)
    saved["data"] = unnax_wire.encrypted(json.dumps(content).encode())
    (answer,) = parse_balances(saved)
    assert answer.entries[0].amount == Money(100, "EUR")
    with pytest.raises(Unreadable):
        parse_balances({"summary": {}})


# ---------------------------------------------------------------- what has to be stated


def test_every_entry_that_is_not_public_is_demanded(rig: UnnaxRig, tmp_path: Path) -> None:
    whole = tomllib.loads(as_unnax_reference())
    Reference.model_validate(whole)
    required = [
        (part, name)
        for part, field in Reference.model_fields.items()
        for name, inner in field.annotation.model_fields.items()  # type: ignore[union-attr]
        if field.is_required() and inner.is_required()
    ]
    assert len(required) == 9
    for part, name in required:
        lines = as_unnax_reference().splitlines()
        begins = lines.index(f"[{part}]")
        gone = next(n for n in range(begins, len(lines)) if lines[n].startswith(f"{name} ="))
        path = tmp_path / "gap.toml"
        path.write_text("\n".join(lines[:gone] + lines[gone + 1 :]))
        with pytest.raises(Misconfigured, match=rf"SALDO_UNNAX_REFERENCE: .*{part}\.{name}"):
            load_reference(path)
    with pytest.raises(Misconfigured, match="nothing of it is guessed"):
        load_reference(None)
    with pytest.raises(Misconfigured, match="Fill it in"):
        load_reference(FOLDER / "reference.example.toml")


@pytest.mark.parametrize("name", ["BASE_URL", "API_ID", "API_CODE", "HOOK_KEY", "BANKS"])
def test_every_setting_that_is_needed_is_named(rig: UnnaxRig, name: str) -> None:
    given = {**rig.given(), name.lower(): ""}
    with pytest.raises(Misconfigured, match=f"SALDO_UNNAX_{name}"):
        Aggregation(Settings.model_validate(given), rig.wire())


def test_the_examples_explain_every_field() -> None:
    (table,) = tomllib.loads((FOLDER / "banks.example.toml").read_text(encoding="utf-8"))["bank"]
    assert set(table) == set(Institution.model_fields)
    lines = (FOLDER / "reference.example.toml").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line.removeprefix("#") if line[1:2] != " " else line for line in lines)
    shown = tomllib.loads(text)
    assert set(shown) == set(Reference.model_fields)
    for part, field in Reference.model_fields.items():
        assert set(shown[part]) == set(field.annotation.model_fields)  # type: ignore[union-attr]
    assert shown["reader"]["body"] == Reference.model_fields["reader"].default.body
