"""A new number or address that the desk hears: called, and not written to before it is his."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from app.domain.errors import Invalid, NotFound
from app.domain.ids import Phone
from app.domain.message import Channel
from app.domain.task import TaskOutcome, TaskReason
from app.flows.books.register_borrower import BorrowerWanted, register_borrower
from app.flows.messages.opt_out import opt_out
from app.flows.messages.push_messages import NOT_CONFIRMED
from app.flows.work.enter_contact import ContactHeard, enter_contact
from app.flows.work.record_contact import ContactMade, record_contact
from tests.flows.mailbox import ADDRESS, give_address
from tests.flows.street import BORN, Neighbour, Street, make_street
from tests.flows.test_outcomes import ends
from tests.flows.test_post_out_and_in import hook, stop_from
from tests.flows.test_push import queued, row_of
from tests.flows.test_tasks_and_brakes import collector, some_task

pytestmark = pytest.mark.anyio

NIGHT = datetime(2026, 3, 3, 21, 30, tzinfo=UTC)
NEW = "+34699999999"
OTHER = "+34688888888"
MAIL = "nueva@correo.example"


async def entered(
    street: Street,
    who: Neighbour,
    phone: str = NEW,
    email: str = "",
    source: str = "his sister",
    *,
    by: Street | None = None,
) -> None:
    """Somebody at the desk (of `by`) enters it."""
    names = await street.value("SELECT count(*) FROM users")
    await enter_contact(
        street.house,
        street.now,
        lender_id=(by or street).lender_id,
        case_id=who.cases[0],
        user_id=await collector(street, f"eva{names}"),
        actor="eva",
        heard=ContactHeard(phone, email, source),
    )


async def stated(
    street: Street, who: Neighbour, phone: str | None = None, email: str | None = None
) -> None:
    """The lender's system sends the person once more."""
    wanted = BorrowerWanted(
        external_ref=who.ref,
        name="Ana Núñez",
        country="ES",
        language="es",
        phone=None if phone is None else Phone.parse(phone),
        email=email,
        birth_date=BORN,
    )
    await register_borrower(street.house, street.now, street.lender_id, wanted)


async def number(street: Street, who: Neighbour) -> tuple[str | None, bool]:
    """The number in use, and whether it is in doubt."""
    async with street.store.unit(street.lender_id) as unit:
        (row,) = await street.rows("SELECT * FROM borrowers WHERE id = :id", id=who.id)
        if row.phone_enc is None:
            return None, row.phone_doubted_at is not None
        bare = unit.open("borrowers.phone_enc", who.id, row.phone_enc)
    return bare, row.phone_doubted_at is not None


async def address(street: Street, who: Neighbour) -> str | None:
    """The e-mail address in use."""
    async with street.store.unit(street.lender_id) as unit:
        sealed = await street.value("SELECT email_enc FROM borrowers WHERE id = :id", id=who.id)
        return None if sealed is None else unit.open("borrowers.email_enc", who.id, sealed)


async def lines(street: Street, kind: str) -> list[Any]:
    return await street.rows(
        "SELECT actor, details FROM timeline WHERE kind = :kind ORDER BY at, id", kind=kind
    )


def texted(street: Street) -> list[str]:
    return [sent.sms.to.reveal() for sent in street.carrier.taken]


# ------------------------------------------------------------------ entering it


async def test_the_search_for_another_way_ends_with_the_number(street: Street) -> None:
    who = await street.neighbour()
    await ends(street, who, TaskOutcome.WRONG_NUMBER)
    assert await street.tasks(who) == ["no_way_to_reach"]
    street.hands.go_on(minutes=5)
    # As it is dialled in his country.
    await entered(street, who, "699 99 99 99")
    assert await number(street, who) == (NEW, True)
    assert await street.tasks(who) == []
    ended = "SELECT state, outcome FROM tasks WHERE reason = 'no_way_to_reach'"
    assert tuple((await street.rows(ended))[0]) == ("done", "resolved")
    (line,) = await lines(street, "detail_entered")
    assert line.actor == "eva"
    assert line.details == {"detail": "phone", "shown": "+34•••••99", "source": "his sister"}
    await street.tick()
    (told,) = [one for one in await street.told() if one["type"] == "borrower.contact_entered"]
    assert told["data"]["shown"] == "+34•••••99"
    assert told["data"]["external_ref"] == who.ref
    for table, column in (("timeline", "details"), ("outbox", "payload")):
        whole = f"SELECT count(*) FROM {table} WHERE {column}::text LIKE '%699999999%'"
        assert await street.value(whole) == 0


async def test_somebody_elses_search_ends_too(street: Street) -> None:
    who = await street.neighbour()
    await some_task(street, who, reason=TaskReason.NO_WAY_TO_REACH)
    await street.rows("UPDATE tasks SET state = 'taken' RETURNING id")
    await entered(street, who)
    assert await street.tasks(who) == []


@pytest.mark.parametrize(
    ("phone", "email", "source", "field"),
    [
        ("", "", "his sister", "phone"),
        ("12", "", "his sister", "phone"),
        ("612", "", "his sister", "phone"),
        ("", "ana at example", "his sister", "email"),
        (NEW, "ana at example", "his sister", "email"),
        (NEW, "", "", "source"),
        (NEW, "", "he said 699999999", "source"),
        # What is known already: nothing of the form is taken.
        ("+34600000001", MAIL, "his sister", "phone"),
        (NEW, ADDRESS, "his sister", "email"),
    ],
)
async def test_bad_input_leaves_nothing_half_done(
    street: Street, phone: str, email: str, source: str, field: str
) -> None:
    who = await street.neighbour()
    await give_address(street, who)
    with pytest.raises(Invalid) as error:
        await entered(street, who, phone, email, source)
    assert error.value.field == field
    assert error.value.mend
    assert await number(street, who) == (who.phone, False)
    assert await street.value("SELECT count(*) FROM contact_details") == 0
    assert await lines(street, "detail_entered") == []


async def test_what_was_given_up_or_waits_is_refused(street: Street) -> None:
    who = await street.neighbour()
    await ends(street, who, TaskOutcome.WRONG_NUMBER)
    with pytest.raises(Invalid, match="somebody else"):
        await entered(street, who, who.phone)
    await entered(street, who, NEW, MAIL)
    for phone, email in ((NEW, ""), ("", MAIL)):
        with pytest.raises(Invalid, match="entered already"):
            await entered(street, who, phone, email)
    # The wrong one stays wrong when another has taken its place.
    with pytest.raises(Invalid, match="somebody else"):
        await entered(street, who, who.phone)
    await give_address(street, who)
    await street.rows("UPDATE borrowers SET email_enc = NULL RETURNING id")
    with pytest.raises(Invalid, match="dead"):
        await entered(street, who, "", ADDRESS)


async def test_another_lenders_case_is_nobodys(street: Street) -> None:
    who = await street.neighbour()
    other = await make_street(street.store)
    with pytest.raises(NotFound):
        await entered(street, who, by=other)
    assert await number(street, who) == (who.phone, False)


# ------------------------------------------------------------------ no text before it is his


@pytest.mark.parametrize("wrong_before", [False, True])
async def test_no_text_leaves_to_it_before_it_is_confirmed(
    street: Street, *, wrong_before: bool
) -> None:
    """A collector's own number, say: no text and no link, whatever is seen or waits."""
    street.hands.now = NIGHT
    who = await street.neighbour()
    await street.money_seen(who)
    await street.tick()
    assert await street.states("messages", who) == ["queued"]
    if wrong_before:
        await ends(street, who, TaskOutcome.WRONG_NUMBER)
    await entered(street, who)
    await street.days_pass(0.6, minutes=120)
    await street.money_seen_again(who)
    await street.tick()
    assert texted(street) == []
    await ends(street, who, TaskOutcome.REACHED, new_number=True)
    assert await number(street, who) == (NEW, False)
    (line,) = await lines(street, "detail_confirmed")
    assert (line.actor, line.details["by"]) == ("eva", "call")
    # What waits for a person is done, and money is there again.
    await street.rows("UPDATE tasks SET state = 'cancelled' WHERE state = 'open' RETURNING id")
    street.hands.go_on(hours=1)
    await street.money_seen_again(who)
    await street.tick()
    assert texted(street) == [NEW]
    assert street.system.events().count("borrower.contact_confirmed") == 1


async def test_the_app_falls_back_to_no_unconfirmed_number(street: Street) -> None:
    who, message_id = await queued(street)
    await street.tick()
    await entered(street, who)
    await street.minutes_pass(200, 30)
    message = await row_of(street, message_id)
    assert (message.state, message.error_code) == ("cancelled", NOT_CONFIRMED)
    assert texted(street) == []


@pytest.mark.parametrize(
    "more",
    [
        {"outcome": TaskOutcome.REACHED},  # on the number before, perhaps
        {"outcome": TaskOutcome.REACHED, "new_number": True, "called": False},
        {"outcome": TaskOutcome.NO_ANSWER, "new_number": True},
        {"outcome": TaskOutcome.RESOLVED, "new_number": True},
        {"outcome": TaskOutcome.THIRD_PARTY, "new_number": True},
    ],
)
async def test_only_he_himself_on_that_number_confirms_it(
    street: Street, more: dict[str, Any]
) -> None:
    who = await street.neighbour()
    await entered(street, who)
    await ends(street, who, more.pop("outcome"), **more)
    assert await number(street, who) == (NEW, True)


async def test_a_call_made_outside_confirms_it_and_one_of_his_does_not(street: Street) -> None:
    who = await street.neighbour()
    await entered(street, who)

    async def noted(**more: Any) -> None:
        street.hands.go_on(minutes=1)
        made = ContactMade(
            channel=Channel.CALL, made_at=street.now, conversation=True,
            outcome=TaskOutcome.REACHED, **more,
        )  # fmt: skip
        await record_contact(
            street.house, street.now, lender_id=street.lender_id, case_id=who.cases[0],
            made=made, user_id=None, actor="eva",
        )  # fmt: skip

    await noted(outbound=False)
    await noted(outbound=True)
    assert await number(street, who) == (NEW, True)
    with pytest.raises(Invalid) as error:
        await noted(outbound=False, new_number=True)
    assert error.value.field == "new_number"
    await noted(outbound=True, new_number=True)
    assert await number(street, who) == (NEW, False)


async def test_an_opt_out_stays_his_and_no_unconfirmed_number_takes_it_back(
    street: Street,
) -> None:
    who = await street.neighbour()
    async with street.store.unit(street.lender_id) as unit:
        await opt_out(unit, street.now, borrower_id=who.id, channel=Channel.SMS, source="page")
    await entered(street, who)
    start = {**stop_from(who, text="ALTA", stop=False), "from": NEW}
    await hook(street, start)
    await street.work_off()
    stopped = "SELECT count(*) FROM opt_outs WHERE stopped_at IS NOT NULL"
    assert await street.value(stopped) == 1
    await ends(street, who, TaskOutcome.REACHED, new_number=True)
    assert await street.value(stopped) == 1
    await hook(street, {**start, "id": "e2"})
    await street.work_off()
    assert await street.value(stopped) == 0


# ------------------------------------------------------------------ the lender's word


async def test_the_lender_confirms_it_by_stating_it(street: Street) -> None:
    who = await street.neighbour()
    await entered(street, who)
    await stated(street, who, NEW)
    assert await number(street, who) == (NEW, False)
    (line,) = await lines(street, "detail_confirmed")
    assert (line.actor, line.details["by"]) == ("lender", "lender")
    # From then on the one before is news again, and wins.
    await stated(street, who, who.phone)
    assert await number(street, who) == (who.phone, False)


async def test_somebody_else_answered_there_whatever_the_lender_says(street: Street) -> None:
    who = await street.neighbour()
    await entered(street, who)
    street.hands.go_on(hours=1)
    await ends(street, who, TaskOutcome.THIRD_PARTY, new_number=True)
    await stated(street, who, NEW)
    assert await number(street, who) == (NEW, True)


@pytest.mark.parametrize("confirmed", [False, True])
async def test_what_the_lender_said_before_is_no_news(street: Street, *, confirmed: bool) -> None:
    who = await street.neighbour()
    await entered(street, who)
    if confirmed:
        await ends(street, who, TaskOutcome.REACHED, new_number=True)
    await stated(street, who, who.phone)
    assert await number(street, who) == (NEW, not confirmed)
    # Another one is, and it is said.
    await stated(street, who, OTHER)
    assert await number(street, who) == (OTHER, False)
    (line,) = await lines(street, "detail_changed")
    assert (line.actor, line.details["why"]) == ("lender", "lender_states_another")
    await stated(street, who, who.phone)
    assert await number(street, who) == (who.phone, False)


async def test_once_the_lender_states_it_the_one_before_is_news(street: Street) -> None:
    who = await street.neighbour()
    await entered(street, who)
    await ends(street, who, TaskOutcome.REACHED, new_number=True)
    await stated(street, who, who.phone)
    assert await number(street, who) == (NEW, False)
    await stated(street, who, NEW)
    await stated(street, who, who.phone)
    assert await number(street, who) == (who.phone, False)


async def test_a_wrong_number_stays_given_up_behind_the_new_one(street: Street) -> None:
    who = await street.neighbour()
    await ends(street, who, TaskOutcome.WRONG_NUMBER)
    await entered(street, who)
    await ends(street, who, TaskOutcome.REACHED, new_number=True)
    await stated(street, who, who.phone)
    assert await number(street, who) == (NEW, False)
    await ends(street, who, TaskOutcome.WRONG_NUMBER)
    await stated(street, who, who.phone)
    assert (await number(street, who))[0] is None


# ------------------------------------------------------------------ which number was wrong


async def test_where_the_new_one_is_wrong_the_good_one_is_back(street: Street) -> None:
    who = await street.neighbour()
    await entered(street, who)
    street.hands.go_on(minutes=1)
    await ends(street, who, TaskOutcome.WRONG_NUMBER, new_number=True)
    assert await number(street, who) == (who.phone, False)
    assert "no_way_to_reach" not in await street.tasks(who)
    await stated(street, who, NEW)
    assert await number(street, who) == (who.phone, False)
    with pytest.raises(Invalid, match="somebody else"):
        await entered(street, who)


async def test_the_one_before_was_wrong_and_the_new_one_stays(street: Street) -> None:
    """He was rung on the old one, a stranger knew the new one, and the task is finished last."""
    who = await street.neighbour()
    await entered(street, who)
    await ends(street, who, TaskOutcome.WRONG_NUMBER)
    assert await number(street, who) == (NEW, True)
    await ends(street, who, TaskOutcome.WRONG_NUMBER)
    # Nothing stood before it any more: this time it was the new one.
    assert await number(street, who) == (None, False)
    await stated(street, who, who.phone)
    assert (await number(street, who))[0] is None


async def test_a_slip_is_taken_back_by_entering_the_good_one_again(street: Street) -> None:
    who = await street.neighbour()
    await entered(street, who)
    street.hands.go_on(minutes=1)
    await entered(street, who, OTHER)
    assert await number(street, who) == (OTHER, True)
    await entered(street, who, who.phone)
    assert await number(street, who) == (who.phone, False)


# ------------------------------------------------------------------ an address


async def test_an_address_waits_beside_the_one_in_use_for_the_lenders_word(
    street: Street,
) -> None:
    who = await street.neighbour()
    await give_address(street, who)
    await entered(street, who, "", OTHER_MAIL)
    await entered(street, who, "", MAIL)
    await ends(street, who, TaskOutcome.REACHED, new_number=True)
    assert await address(street, who) == ADDRESS
    assert await number(street, who) == (who.phone, False)
    # Of two only the last waits, and what the lender says every night changes nothing.
    await stated(street, who, email=ADDRESS)
    kept = "SELECT count(*) FROM contact_details WHERE address_enc IS NOT NULL"
    assert await street.value(kept) == 1
    await stated(street, who, email=MAIL)
    assert await address(street, who) == MAIL
    assert await street.value(kept) == 0
    (line,) = await lines(street, "detail_confirmed")
    assert line.details["detail"] == "email"
    assert line.details["shown"] == "n•••@correo.example"
    # Another one waits through his nightly word on the one in use.
    await entered(street, who, "", OTHER_MAIL)
    await stated(street, who, email=MAIL)
    await stated(street, who, email=OTHER_MAIL)
    assert await address(street, who) == OTHER_MAIL
    assert len(await lines(street, "detail_confirmed")) == 2


OTHER_MAIL = "otra@correo.example"
