"""What seeded dice make the borrowers of the town do, through the flows that pages and API use."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from app.domain.errors import ProviderError, Refused
from app.domain.message import Channel
from app.domain.money import Money
from app.domain.promise_terms import Part, PromiseSource
from app.flows.consents.check_person import check_person
from app.flows.consents.withdraw_consent import withdraw_all
from app.flows.messages.opt_out import opt_in, opt_out
from app.flows.money.report_repayment import RepaymentWanted, report_repayment
from app.flows.payments.cancel_payment import give_up_payment
from app.flows.payments.return_payment import return_payment
from app.flows.payments.start_payment import Tap, start_payment
from app.flows.providers.receive_webhook import receive_webhook
from app.flows.work.borrower_says import Says, borrower_says
from app.flows.work.cancel_promise import cancel_promise
from app.flows.work.take_promise import take_promise
from app.pay_ports import PayStatus
from app.ports import InboundHttp
from app.store.keys import new_id
from tests.flows.street import HERE
from tests.scenarios.newcomers import (
    agree_to_reading,
    hold_money,
    new_number,
    parts_of,
    place_of,
    register,
)
from tests.scenarios.scene import View
from tests.scenarios.town import Dweller, Town

Act = Callable[[Town, Dweller, View], Awaitable[None]]

# ------------------------------------------------------------------ money


async def pay(town: Town, who: Dweller, ref: str, minor: int, paid_at: datetime) -> None:
    """Money reaches the lender, and his system reports it; at times it reports it twice."""
    wanted = RepaymentWanted(f"r{new_id().hex}", Money(minor, who.wanted.currency), paid_at)
    for _ in range(2 if town.chance(0.1) else 1):
        await report_repayment(town.house, town.now, who.street.lender_id, ref, wanted)
    who.log.append(f"{town.now:%d.%m. %H:%M} paid {minor} on {ref} at {paid_at:%d.%m. %H:%M}")


async def pays_elsewhere(town: Town, who: Dweller, view: View) -> None:
    """All that is due, all that is owed, a part, or too much; heard of at once or days later."""
    owing = [one for one in view.loans if one.unpaid > 0]
    if not owing:
        return
    loan = town.dice.choice(owing)
    part = town.dice.randrange(1, loan.unpaid + 1)
    minor = town.dice.choice((loan.due or part, loan.due or part, part, part, loan.unpaid + 500))
    late = timedelta(hours=town.dice.choice((0, 0, 1, 20, 70)))
    await pay(town, who, loan.external_ref, minor, town.now - late)


async def does_as_he_meant(town: Town, who: Dweller, _view: View) -> None:
    """Pays what he promised, on its day."""
    today = who.local_day(town.now)
    for loan in who.loans:
        ripe = [one for one in loan.coming if one[0] <= today]
        loan.coming = [one for one in loan.coming if one[0] > today]
        for _, minor in ripe:
            await pay(town, who, loan.ref, minor, town.now)


async def pays_by_link(town: Town, who: Dweller, _view: View) -> None:
    """Opens one of his links, proves who he is, taps, and says yes at his bank, or does not."""
    if not who.tokens:
        return
    token = who.tokens[-1] if town.chance(0.8) else town.dice.choice(who.tokens)
    born = who.born if town.chance(0.93) else who.born + timedelta(days=1)
    checked = await check_person(town.house, town.now, token, birth_date=born)
    minor = town.dice.randrange(100, 20_000) if town.chance(0.4) else None
    tap = Tap(HERE, None if minor is None else Money(minor, who.wanted.currency), "caja")
    started = await start_payment(town.house, town.now, token, session=checked.session, tap=tap)
    if started.redirect_url:
        who.pages.append(started.redirect_url)
    if who.pages and town.chance(0.8):
        town.bank.say_yes(who.pages[-1])
        town.did["yes at the bank"] += 1
    elif town.chance(0.3):
        await give_up_payment(town.house, town.now, token, session=checked.session)


async def gets_money_back(town: Town, who: Dweller, view: View) -> None:
    """A payment that had arrived is sent back."""
    if view.settled:
        await return_payment(
            town.house, town.now, lender_id=who.street.lender_id,
            payment_id=view.settled[-1].id, reason="AC04", actor="api",
        )  # fmt: skip


async def sees_money(town: Town, who: Dweller, _view: View) -> None:
    """His account fills or empties; it shows at the next read."""
    if who.account_ref:
        hold_money(town, who, town.dice.choice((0, 500, 20_000, 200_000)))


def bank_moves(town: Town) -> None:
    """What was begun or authorised settles, is refused, or waits."""
    for payment in town.bank.payments.values():
        if payment.status is PayStatus.AUTHORISED and town.chance(0.6):
            payment.status = PayStatus.SETTLED if town.chance(0.85) else PayStatus.REJECTED
        elif payment.status is PayStatus.OPEN and town.chance(0.1):
            payment.status = PayStatus.REJECTED


# ------------------------------------------------------------------ words


def promise_parts(town: Town, who: Dweller, due: int) -> list[Part]:
    """All of it or half, in up to three parts within three weeks."""
    minor = due if town.chance(0.7) else max(100, due // 2)
    pieces = parts_of(town.dice, min(minor, due), 3)
    days = sorted(town.dice.sample(range(21), len(pieces)))
    today = who.local_day(town.now)
    return [
        Part(today + timedelta(days=day), Money(piece, who.wanted.currency))
        for day, piece in zip(days, pieces, strict=True)
    ]


def means(town: Town, who: Dweller, loan_id: Any, parts: list[Part]) -> None:
    """What will come of a promise: all, in time or too late, some of it, or nothing."""
    loan = next(one for one in who.loans if one.id == loan_id)
    late = timedelta(days=town.dice.choice((0, 0, 0, 0, 1, 4)))
    all_of_it = [(part.due_on + late, part.amount.minor) for part in parts]
    first_half = [(all_of_it[0][0], max(1, all_of_it[0][1] // 2))]
    loan.coming = town.dice.choice((all_of_it, all_of_it, first_half, []))


async def promises(town: Town, who: Dweller, view: View) -> None:
    """On the page, through the lender's system, or with somebody at the desk."""
    if not view.cases:
        return
    case = town.dice.choice(view.cases)
    parts = promise_parts(town, who, case.due)
    await take_promise(
        town.house, town.now, lender_id=who.street.lender_id, case_id=case.case_id, parts=parts,
        source=town.dice.choice((PromiseSource.PAGE, PromiseSource.API, PromiseSource.DESK)),
        made_by="he", note="payday",
    )  # fmt: skip
    means(town, who, case.id, parts)
    who.log.append(f"{town.now:%d.%m. %H:%M} promised {parts}")


async def takes_a_promise_back(town: Town, who: Dweller, view: View) -> None:
    if view.promises:
        await cancel_promise(
            town.house, town.now, lender_id=who.street.lender_id,
            promise_id=view.promises[-1].id, reason="agreed anew", actor="eva",
        )  # fmt: skip


async def speaks_on_the_page(town: Town, who: Dweller, _view: View) -> None:
    """It is wrong; he cannot; he has paid."""
    if who.tokens:
        token = who.tokens[-1]
        checked = await check_person(town.house, town.now, token, birth_date=who.born)
        says = town.dice.choice(list(Says))
        await borrower_says(town.house, town.now, token, says=says, session=checked.session)
        who.log.append(f"{town.now:%d.%m. %H:%M} says {says}")


async def wants_no_more(town: Town, who: Dweller, _view: View) -> None:
    """Stops one channel: by a word to whoever listens, or by a text back."""
    channel = Channel.SMS if town.chance(0.6) else Channel.EMAIL
    if channel is Channel.SMS and who.phone and town.chance(0.5):
        await texts(town, who, "BAJA", stop=True)
    else:
        async with town.store.unit(who.street.lender_id) as unit:
            await opt_out(unit, town.now, borrower_id=who.id, channel=channel, source="page")
    who.stopped.setdefault(channel, town.now)
    who.log.append(f"{town.now:%d.%m. %H:%M} stops {channel}")


async def wants_it_again(town: Town, who: Dweller, _view: View) -> None:
    for channel in list(who.stopped):
        async with town.store.unit(who.street.lender_id) as unit:
            await opt_in(unit, town.now, borrower_id=who.id, channel=channel, source="desk")
        del who.stopped[channel]


async def texts(town: Town, who: Dweller, words: str, *, stop: bool | None) -> None:
    """A text of his arrives at the carrier's webhook, at times twice."""
    said = {"id": new_id().hex, "kind": "inbound_text", "from": who.phone, "text": words}
    call = InboundHttp(
        "https://x", {"signature": "good"}, json.dumps(said | {"stop": stop}).encode()
    )
    for _ in range(2 if town.chance(0.2) else 1):
        await receive_webhook(town.house, town.now, "twilio", call)


async def writes(town: Town, who: Dweller, _view: View) -> None:
    """Something only a person can answer."""
    if who.phone and who.wrong_since is None:
        await texts(town, who, "Cuanto debo?", stop=None)


async def mail_comes_back(town: Town, who: Dweller, _view: View) -> None:
    """His mailbox is gone: the last e-mail to it comes back."""
    mails = [mail for mail in town.post.taken if mail.to.reveal() == who.email]
    if not mails or who.dead_since is not None:
        return
    said = {
        "id": new_id().hex, "ref": town.post.ref_of(mails[-1]), "state": "undelivered",
        "reason": "550 5.1.1", "permanent": True,
    }  # fmt: skip
    call = InboundHttp("https://x", {"signature": "good"}, json.dumps(said).encode())
    await receive_webhook(town.house, town.now, "smtp", call)
    who.dead_since = town.now


async def is_found_anew(town: Town, who: Dweller, _view: View) -> None:
    """The lender's system brings another number or address for one that was wrong."""
    if who.wrong_since is not None or who.doubted_since is not None:
        who.phone = new_number(place_of(who))
        who.wrong_since = who.doubted_since = None
    if who.dead_since is not None:
        who.email, who.dead_since = f"n{new_id().hex[-8:]}@correo.example", None
    await register(town, who)


# ------------------------------------------------------------------ reading


async def allows_reading(town: Town, who: Dweller, _view: View) -> None:
    if who.account_ref:
        await agree_to_reading(town, who)


async def forbids_reading(town: Town, who: Dweller, _view: View) -> None:
    if who.account_ref:
        await withdraw_all(
            town.house, town.now, lender_id=who.street.lender_id, borrower_id=who.id, via="page"
        )


# ------------------------------------------------------------------ the dice

_USUAL: dict[Act, int] = {
    pays_elsewhere: 5,
    pays_by_link: 8,
    gets_money_back: 2,
    sees_money: 8,
    promises: 4,
    takes_a_promise_back: 1,
    speaks_on_the_page: 2,
    wants_no_more: 1,
    wants_it_again: 1,
    writes: 1,
    mail_comes_back: 1,
    is_found_anew: 2,
    allows_reading: 1,
    forbids_reading: 1,
}
_TEMPERS: dict[str, dict[Act, int]] = {
    "payer": {pays_elsewhere: 20, pays_by_link: 20},
    "promiser": {promises: 25, pays_elsewhere: 1},
    "talker": {speaks_on_the_page: 8, writes: 6, wants_no_more: 5},
    # Nothing is heard of him, and the strategy comes to its end.
    "ghost": {pays_elsewhere: 0, pays_by_link: 1, promises: 0},
}

# How often somebody taps on a link that he has just got, and for how long it is new to him.
_TAPS = {"payer": 0.35, "promiser": 0.1, "talker": 0.15, "ghost": 0.02}
_FRESH = timedelta(hours=20)


async def a_moment(town: Town, scene: dict[Any, View], *, share: float) -> None:
    """Some people do something, and whoever meant to pay today does."""
    for who in list(town.people.values()):
        view = scene.get(who.id) or View()
        await attempt(town, who, view, does_as_he_meant)
        # A link is good for some hours, and whoever pays by it does so soon.
        if town.now - who.token_at < _FRESH and town.chance(_TAPS[who.temper]):
            await attempt(town, who, view, pays_by_link)
        if town.chance(share if who.temper != "ghost" else share / 3):
            acts = {**_USUAL, **_TEMPERS[who.temper]}
            act = town.dice.choices(list(acts), list(acts.values()))[0]
            await attempt(town, who, view, act)


async def attempt(town: Town, who: Dweller, view: View, act: Act) -> None:
    """One act, in a moment of its own; our rules or a provider may say no to what chance wanted."""
    town.hands.go_on(milliseconds=1)
    try:
        await act(town, who, view)
        town.did[act.__name__] += 1
    except (Refused, ProviderError) as no:
        town.refused[f"{act.__name__}: {type(no).__name__}"] += 1
