"""What every sender of texts and of webhooks must do alike, run against each one's rig."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.domain.errors import Declined, NotAllowed, OutcomeUnknown, ProviderError, TryLater
from app.domain.ids import Secret
from app.ports import NUMBER_INVALID, OPTED_OUT, DeliveryState, InboundKind, LenderCall
from sandbox.modes import Mode
from tests.connectors.answers import answering, failing
from tests.connectors.registry import HOOK_RIGS, HOOK_SECRET, MESSAGE_RIGS, refused
from tests.connectors.rig_twilio import TwilioRig
from tests.connectors.scene import MONDAY

pytestmark = pytest.mark.anyio


@pytest.fixture(params=list(MESSAGE_RIGS))
def texts(request: pytest.FixtureRequest) -> TwilioRig:
    return MESSAGE_RIGS[request.param]()


# ---------------------------------------------------------------- messages


async def test_a_text_from_sending_to_the_phone(texts: TwilioRig) -> None:
    person = texts.person()
    sent = await texts.messages.send(texts.sms(person))
    assert sent.state is DeliveryState.ACCEPTED
    texts.watch.on(minutes=1)
    now = await texts.now(sent)
    assert (now.ref, now.state) == (sent.ref, DeliveryState.DELIVERED)


async def test_a_text_whose_answer_is_lost_is_found_and_not_repeated(texts: TwilioRig) -> None:
    person = texts.person()
    for mode in (Mode.SMS_ANSWER_LOST, Mode.SMS_ERROR_AFTER):
        texts.fault(person, mode)
        sms = texts.sms(person)
        before = texts.count(person)
        assert isinstance(await refused(texts.messages.send(sms)), OutcomeUnknown)
        if not texts.searchable and not texts.knows_repeats:
            # Neither found nor known again: it stays unclear, and nobody repeats it.
            assert isinstance(await refused(texts.messages.find(sms)), OutcomeUnknown)
            assert texts.count(person) == before + 1
            continue
        found = await texts.messages.find(sms)
        if texts.knows_repeats:
            assert found is None
            found = await texts.messages.send(sms)
        assert found is not None
        assert found.state is DeliveryState.ACCEPTED
        assert texts.count(person) == before + 1


async def test_a_text_that_never_arrived_is_surely_not_there(texts: TwilioRig) -> None:
    person = texts.person()
    await texts.messages.send(texts.sms(person))
    texts.fault(person, Mode.SMS_ERROR_BEFORE)
    sms = texts.sms(person)
    assert isinstance(await refused(texts.messages.send(sms)), OutcomeUnknown)
    if texts.proves_absence:
        assert await texts.messages.find(sms) is None
    else:
        assert isinstance(await refused(texts.messages.find(sms)), OutcomeUnknown)
    assert texts.count(person) == 1


@pytest.mark.parametrize("status", [425, 429])
@pytest.mark.parametrize("body", [{}, {"error": 11, "code": 20001, "message": "no"}, b"<html>"])
async def test_come_later_is_no_refusal(texts: TwilioRig, status: int, body: Any) -> None:
    port = texts.messages_over(answering(status, body))
    assert isinstance(await refused(port.send(texts.sms(texts.person()))), TryLater)


async def test_too_many_texts_means_surely_not_sent(texts: TwilioRig) -> None:
    person = texts.person()
    texts.fault(person, Mode.SMS_TOO_MANY)
    sms = texts.sms(person)
    assert isinstance(await refused(texts.messages.send(sms)), TryLater)
    assert texts.count(person) == 0


async def test_numbers_that_cannot_or_must_not_be_texted(texts: TwilioRig) -> None:
    landline, opted_out = texts.person(), texts.person()
    texts.fault(landline, Mode.SMS_LANDLINE)
    texts.text_back(opted_out, "STOP")
    for person, reason in ((landline, NUMBER_INVALID), (opted_out, OPTED_OUT)):
        if not texts.refuses_at_once:
            sent = await texts.messages.send(texts.sms(person))
            texts.watch.on(minutes=1)
            now = await texts.now(sent)
            told = person is landline or texts.tells_opt_outs
            assert (now.state is DeliveryState.UNDELIVERED) is told
            assert now.opted_out is (person is opted_out and told)
            continue
        error = await refused(texts.messages.send(texts.sms(person)))
        assert isinstance(error, Declined)
        assert error.reason == reason


@pytest.mark.parametrize(
    ("mode", "permanent"), [(Mode.SMS_UNREACHABLE, False), (Mode.SMS_UNKNOWN_HANDSET, True)]
)
async def test_undelivered_says_whether_it_will_ever_work(
    texts: TwilioRig, mode: Mode, permanent: bool
) -> None:
    person = texts.person()
    texts.fault(person, mode)
    sent = await texts.messages.send(texts.sms(person))
    texts.watch.on(minutes=1)
    now = await texts.now(sent)
    lasting = permanent and texts.tells_permanent
    assert (now.state, now.permanent) == (DeliveryState.UNDELIVERED, lasting)
    assert now.reason


async def test_a_text_is_not_delivered_after_the_contact_window(texts: TwilioRig) -> None:
    person = texts.person()
    texts.fault(person, Mode.SMS_BACKLOG)
    sent = await texts.messages.send(texts.sms(person, valid_seconds=texts.shortest_valid))
    texts.watch.on(hours=14)
    assert (await texts.now(sent)).state is DeliveryState.UNDELIVERED
    late = texts.sms(person, valid_seconds=3)
    assert isinstance(await refused(texts.messages.send(late)), TryLater)


async def test_callbacks_and_replies_are_verified_and_reduced(texts: TwilioRig) -> None:
    person = texts.person()
    sent = await texts.messages.send(texts.sms(person))
    texts.watch.on(minutes=1)
    texts.text_back(person, "Baja, por favor")
    events = [texts.messages.read_webhook(call) for call in texts.webhooks()]
    assert len({event.event_id for event in events}) == len(events) == 3
    status = [event for event in events if event.kind is InboundKind.MESSAGE_STATUS]
    assert {event.message_ref for event in status} == {sent.ref}
    (reply,) = [event for event in events if event.kind is InboundKind.INBOUND_TEXT]
    assert reply.stop is True
    assert reply.sender is not None
    assert reply.sender.reveal() == person.phone
    for call in texts.webhooks(good=False):
        with pytest.raises(NotAllowed):
            texts.messages.read_webhook(call)


# ---------------------------------------------------------------- lenders


def event(**changes: Any) -> LenderCall:
    plain = LenderCall(
        uuid4(), "https://lender.example/hook", b'{"a":1}', Secret(HOOK_SECRET), MONDAY
    )
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(301, Declined), (400, Declined), (401, TryLater), (404, TryLater), (408, TryLater),
     (410, Declined), (429, TryLater), (500, TryLater), (503, TryLater)],
)  # fmt: skip
@pytest.mark.parametrize("name", list(HOOK_RIGS))
async def test_an_event_counts_as_delivered_only_when_taken(
    name: str, status: int, expected: type[ProviderError]
) -> None:
    await HOOK_RIGS[name](answering(204, b"")).post(event())
    assert type(await refused(HOOK_RIGS[name](answering(status, b"")).post(event()))) is expected
    lost = HOOK_RIGS[name](failing(httpx.ReadError))
    assert isinstance(await refused(lost.post(event())), TryLater)
