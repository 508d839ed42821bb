"""The page behind the text: who may see what, and what may be said there."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.errors import Invalid, NotAllowed, NotFound
from app.domain.ids import UserId
from app.domain.task import TaskOutcome
from app.flows.consents.check_person import Outcome, check_person
from app.flows.messages.open_link import LinkPage, open_link, open_return
from app.flows.messages.stop_messages import stop_messages_of_consent, stop_messages_of_link
from app.flows.payments.start_payment import Tap, start_payment
from app.flows.strategies.step_cases import step_cases
from app.flows.work.borrower_says import Says, borrower_says
from app.flows.work.work_task import finish_task, take_task
from app.store.consents import REQUEST_HASH
from app.store.keys import new_id
from tests.flows.at_the_page import at_the_page
from tests.flows.street import BORN, HERE, LAST4, Neighbour, Street

pytestmark = pytest.mark.anyio

WRONG = date(1990, 1, 1)
IBAN = "ES9121000418450200051332"


async def texted(street: Street, **wanted: Any) -> tuple[Neighbour, str]:
    """Somebody with a link on his phone."""
    who = await street.neighbour(**wanted)
    await street.money_seen(who)
    await street.tick()
    return who, street.token_on(who)


async def snapshot(street: Street) -> list[Any]:
    """Everything that could have changed."""
    tables = ("payment_links", "link_sessions", "payments", "timeline", "borrowers", "tasks")
    return [await street.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]


async def test_looking_changes_nothing(street: Street) -> None:
    _, token = await texted(street)
    before = await snapshot(street)
    for _ in range(3):
        await open_link(street.house, street.now, token)
    assert await snapshot(street) == before


async def test_before_the_check_a_stranger_learns_nothing(street: Street) -> None:
    _, token = await texted(street)
    view = await open_link(street.house, street.now, token, session="guessed")
    assert view.page is LinkPage.CHECK
    assert (view.dues, view.totals, view.payment, view.banks) == ((), (), None, {})
    assert view.asker.name == "Préstamos Sol"
    assert (view.asks_birth_date, view.asks_document) == (True, True)
    with pytest.raises(NotFound):
        await open_link(street.house, street.now, token[:-1] + "x")


@pytest.mark.parametrize(
    "answer",
    [
        {"birth_date": BORN},
        {"document_last4": LAST4},
        {"document_last4": " 678-z "},
        {"birth_date": BORN, "document_last4": LAST4},
    ],
)
async def test_a_right_answer_opens_it_in_this_browser_alone(
    street: Street, answer: dict[str, Any]
) -> None:
    _, token = await texted(street)
    checked = await check_person(street.house, street.now, token, **answer)
    assert checked.outcome is Outcome.PASSED
    assert (await open_link(street.house, street.now, token, session=checked.session)).checked
    assert not (await open_link(street.house, street.now, token)).checked


async def test_a_session_is_for_its_own_link_and_half_an_hour(street: Street) -> None:
    _, hers = await texted(street)
    _, his = await texted(street)
    session = (await check_person(street.house, street.now, hers, birth_date=BORN)).session
    assert not (await open_link(street.house, street.now, his, session=session)).checked
    street.hands.go_on(minutes=31)
    assert not (await open_link(street.house, street.now, hers, session=session)).checked


@pytest.mark.parametrize(
    "answer",
    [
        {"birth_date": WRONG},
        {"document_last4": "0000"},
        {"birth_date": BORN, "document_last4": "0000"},
        {"birth_date": WRONG, "document_last4": LAST4},
    ],
)
async def test_wrong_answers_all_look_the_same(street: Street, answer: dict[str, Any]) -> None:
    _, token = await texted(street)
    checked = await check_person(street.house, street.now, token, **answer)
    assert (checked.outcome, checked.session) == (Outcome.WRONG, "")


@pytest.mark.parametrize("answer", [{}, {"document_last4": "12"}, {"document_last4": " "}])
async def test_no_answer_is_no_try(street: Street, answer: dict[str, Any]) -> None:
    _, token = await texted(street)
    with pytest.raises(Invalid):
        await check_person(street.house, street.now, token, **answer)
    assert await street.value("SELECT checks_failed FROM payment_links") == 0


async def test_five_wrong_answers_lock_the_link_and_the_person(street: Street) -> None:
    who, token = await texted(street)
    outcomes = [
        (await check_person(street.house, street.now, token, birth_date=WRONG)).outcome
        for _ in range(6)
    ]
    assert outcomes == [Outcome.WRONG] * 4 + [Outcome.LOCKED] * 2
    right = await check_person(street.house, street.now, token, birth_date=BORN)
    assert right.outcome is Outcome.LOCKED, "also with the right answer"
    assert await street.tasks(who) == ["identity_check_failed"]
    assert (await open_link(street.house, street.now, token)).page is LinkPage.LOCKED
    # No machine writes to him while somebody looks.
    street.hands.go_on(hours=30)
    await street.money_seen_again(who)
    await street.tick()
    assert street.texts_to(who) == 1
    # Nobody answers: until somebody knows who it was, it is some collector's work every day.
    await finish(street, TaskOutcome.NO_ANSWER)
    await step_cases(street.house, street.now, who.cases)
    assert await street.tasks(who) == []
    street.hands.go_on(days=1)
    await step_cases(street.house, street.now, who.cases)
    assert await street.tasks(who) == ["identity_check_failed"]
    assert street.texts_to(who) == 1
    await finish(street, TaskOutcome.REACHED)
    assert await street.value("SELECT checks_locked_at FROM borrowers") is None
    assert await street.value("SELECT checks_failed FROM borrowers") == 0


async def finish(street: Street, outcome: TaskOutcome, **more: Any) -> None:
    """A collector takes the one open task and finishes it."""
    eva = UserId(new_id())
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(
            text(
                "INSERT INTO users (id, lender_id, email, name, role, password_hash, created_at) "
                "VALUES (:id, :lender, :mail, 'Eva', 'collector', '', :now)"
            ),
            {"id": eva, "lender": street.lender_id, "mail": f"{eva}@x.example", "now": street.now},
        )
    task_id = await street.value("SELECT id FROM tasks WHERE state = 'open'")
    named = {"lender_id": street.lender_id, "task_id": task_id, "user_id": eva, "actor": "eva"}
    await take_task(street.house, street.now, **named)
    await finish_task(street.house, street.now, **named, outcome=outcome, **more)


async def test_guesses_in_many_browsers_at_once_are_counted(street: Street) -> None:
    who, token = await texted(street)
    guesses = [WRONG + timedelta(days=n) for n in range(20)]
    checked = await asyncio.gather(
        *(check_person(street.house, street.now, token, birth_date=one) for one in guesses)
    )
    outcomes = [one.outcome for one in checked]
    assert outcomes.count(Outcome.WRONG) == 4
    assert outcomes.count(Outcome.LOCKED) == 16
    assert await street.tasks(who) == ["identity_check_failed"]


async def test_tries_are_counted_for_the_person_over_his_links(street: Street) -> None:
    who, token = await texted(street)
    for _ in range(3):
        await check_person(street.house, street.now, token, birth_date=WRONG)
    street.hands.go_on(hours=30)
    await street.tick()
    await finish(street, TaskOutcome.NO_ANSWER)
    await street.money_seen_again(who)
    await street.tick()
    second = street.token_on(who)
    assert second != token
    assert (await check_person(street.house, street.now, second, birth_date=WRONG)).outcome is (
        Outcome.WRONG
    )
    assert (await check_person(street.house, street.now, second, birth_date=WRONG)).outcome is (
        Outcome.LOCKED
    )


async def test_a_link_that_is_over_says_so_and_still_stops(street: Street) -> None:
    who, token = await texted(street)
    street.hands.go_on(hours=24)
    assert (await open_link(street.house, street.now, token)).page is LinkPage.OVER
    with pytest.raises(NotAllowed):
        await check_person(street.house, street.now, token, birth_date=BORN)
    await street.tick()
    assert await street.states("payment_links", who) == ["expired"]
    assert await street.tasks(who) == ["link_unpaid"]
    assert await stop_messages_of_link(street.house, street.now, token)
    assert not await stop_messages_of_link(street.house, street.now, token)
    assert await street.tasks(who) == ["opted_out", "link_unpaid"]


async def test_a_consent_link_stops_the_texts_too(street: Street) -> None:
    who = await street.neighbour()
    token = "consent-token"
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(
            text("UPDATE consent_requests SET token_hash = :hash"),
            {"hash": unit.vault.digest(REQUEST_HASH, token)},
        )
    assert await stop_messages_of_consent(street.house, street.now, token)
    await street.money_seen(who)
    await street.tick()
    assert street.carrier.taken == []


async def test_this_is_wrong_needs_no_check_and_stops_everything(street: Street) -> None:
    who, token = await texted(street)
    for _ in range(2):
        await borrower_says(street.house, street.now, token, says=Says.WRONG)
    assert await street.tasks(who) == ["borrower_disputes"]
    holds = await street.rows("SELECT kind, ends_at, set_by FROM holds")
    assert [tuple(row) for row in holds] == [("dispute", None, "borrower")]
    await street.tick()
    assert street.system.events().count("borrower.disputes") == 1
    street.hands.go_on(hours=30)
    await street.money_seen_again(who)
    await street.tick()
    assert street.texts_to(who) == 1
    assert await street.tasks(who) == ["borrower_disputes"], "no task for the unpaid link"


async def test_whoever_disputes_may_still_pay(street: Street) -> None:
    _, token = await texted(street)
    await borrower_says(street.house, street.now, token, says=Says.WRONG)
    session = (await check_person(street.house, street.now, token, birth_date=BORN)).session
    view = await open_link(street.house, street.now, token, session=session)
    assert view.page is LinkPage.PAY


async def test_i_cannot_now_pauses_until_the_day_he_names(street: Street) -> None:
    who, token = await texted(street)
    with pytest.raises(NotAllowed):
        await borrower_says(street.house, street.now, token, says=Says.CANNOT)
    session = (await check_person(street.house, street.now, token, birth_date=BORN)).session
    for wrong in (street.now.date(), street.now.date() + timedelta(days=90)):
        with pytest.raises(Invalid):
            await borrower_says(
                street.house, street.now, token, says=Says.CANNOT, session=session, until=wrong
            )
    day = street.now.date() + timedelta(days=20)
    await borrower_says(
        street.house, street.now, token, says=Says.CANNOT, session=session, until=day
    )
    assert await street.tasks(who) == ["borrower_cannot_pay"]
    ends_at = await street.value("SELECT ends_at FROM holds")
    assert ends_at.isoformat() == f"{day}T11:00:00+00:00", "noon in Madrid"


async def test_i_have_paid_pauses_until_somebody_has_looked(street: Street) -> None:
    who, token = await texted(street)
    session = (await check_person(street.house, street.now, token, birth_date=BORN)).session
    await borrower_says(street.house, street.now, token, says=Says.PAID, session=session)
    assert await street.tasks(who) == ["borrower_says_paid"]
    street.hands.go_on(hours=30)
    await street.money_seen_again(who)
    await street.tick()
    assert street.texts_to(who) == 1
    await finish(street, TaskOutcome.RESOLVED)
    # Nothing came: what is there counts as new, and machines may go on.
    assert await street.value("SELECT armed FROM accounts")
    # Said again later, it is a new thing to look at.
    await borrower_says(
        street.house,
        street.now,
        token,
        says=Says.PAID,
        session=(await session_again(street, token)),
    )
    assert await street.tasks(who) == ["borrower_says_paid"]


async def session_again(street: Street, token: str) -> str:
    """A session long after: the link has gone, so one is written as the check would."""
    from app.store.links import begin_session, find_link

    found = await find_link(street.store, token)
    async with street.store.unit(found.lender_id) as unit:
        return await begin_session(unit, street.hands.real, found.link_id)


async def test_a_wrong_number_is_never_written_to_again(street: Street) -> None:
    who, _ = await texted(street)
    street.hands.go_on(hours=25)
    await street.tick()
    await finish(street, TaskOutcome.WRONG_NUMBER, called=True)
    assert await street.value("SELECT phone_enc FROM borrowers") is None
    street.hands.go_on(hours=30)
    await street.money_seen_again(who)
    await street.tick()
    assert street.texts_to(who) == 1
    # A way to reach him is looked for, and the money that was seen waits for one.
    assert await street.tasks(who) == ["sms_blocked", "no_way_to_reach"]


async def test_the_bank_s_return_page_tells_the_truth_we_know(street: Street) -> None:
    _, token = await texted(street)
    session = (await check_person(street.house, street.now, token, birth_date=BORN)).session
    await start_payment(street.house, street.now, token, session=session, tap=Tap(HERE))
    order = next(iter(street.bank.payments.values())).order
    back = order.return_url.rsplit("/", 1)[1]
    view = await open_return(street.house, back)
    assert (view.state.value, view.amount.minor, view.asker.name) == (
        "open",
        12_000,
        "Préstamos Sol",
    )
    assert order.end_to_end_ref.startswith("S")
    assert len(order.end_to_end_ref) == 33
    assert order.presence == HERE
    assert order.remittance == "B1-L0"
    with pytest.raises(NotFound):
        await open_return(street.house, "nonsense")


async def test_a_bank_that_wants_his_account_is_offered_where_it_is_known(street: Street) -> None:
    """Also behind the link of a notice, for which no money was seen anywhere."""
    ana = await at_the_page(street)
    street.bank.needs_debtor = True
    await street.rows("UPDATE payment_links SET signal_id = NULL RETURNING 1")

    async def offered() -> list[str]:
        view = await open_link(street.house, street.now, ana.token, session=ana.session)
        return [bank.id for bank in view.banks["EUR"]]

    async with street.store.unit(street.lender_id) as unit:
        sealed = unit.seal("accounts.iban_enc", ana.who.account_id, IBAN)
    put = "UPDATE accounts SET iban_enc = :iban WHERE id = :id RETURNING 1"
    await street.rows(put, iban=None, id=ana.who.account_id)
    assert await offered() == ["otra"]
    with pytest.raises(Invalid, match="bank"):
        await ana.taps(bank_id="caja")
    assert await ana.payments() == []
    await street.rows(put, iban=sealed, id=ana.who.account_id)
    assert await offered() == ["caja", "otra"]
    assert (await ana.taps(bank_id="caja")).redirect_url
    (payment,) = street.bank.payments.values()
    assert payment.order.debtor_iban is not None
    assert payment.order.debtor_iban.reveal() == IBAN
    assert "payment_rejected" not in await street.tasks(ana.who)
