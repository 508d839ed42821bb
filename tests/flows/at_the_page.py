"""A borrower at his payment page, and the sharp eyes of a test on what he sets in motion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from app.domain.money import Money
from app.flows.consents.check_person import check_person
from app.flows.messages.open_link import LinkPage, open_link
from app.flows.payments.start_payment import Started, Tap, start_payment
from app.pay_ports import PayStatus
from tests.flows.street import BORN, HERE, MORNING, Neighbour, Street

RECOVERY = (2, 2, 2)


@dataclass(slots=True)
class AtThePage:
    """A borrower who has opened his link and was checked."""

    street: Street
    who: Neighbour
    token: str
    session: str
    pages: list[str] = field(default_factory=list)
    """Every page of a bank he was sent to."""

    async def taps(self, *, minor: int | None = None, bank_id: str | None = None) -> Started:
        """He taps on "pay" and goes where he is sent."""
        amount = None if minor is None else Money(minor, "EUR")
        tap = Tap(HERE, amount, bank_id)
        started = await start_payment(
            self.street.house, self.street.now, self.token, session=self.session, tap=tap
        )
        if started.redirect_url:
            self.pages.append(started.redirect_url)
        return started

    async def sees(self) -> LinkPage:
        """The page behind his link now."""
        view = await open_link(self.street.house, self.street.now, self.token, session=self.session)
        if view.redirect_url:
            self.pages.append(view.redirect_url)
        return view.page

    def says_yes_everywhere(self) -> int:
        """He authorises whatever is still open; returns how many payments that were."""
        return sum(self.street.bank.say_yes(page) for page in dict.fromkeys(self.pages))

    async def payments(self) -> list[str]:
        """States of his payments, oldest first."""
        return await self.street.states("payments", self.who)


async def at_the_page(street: Street, **wanted: Any) -> AtThePage:
    """Somebody with a text on his phone, its link open and the check behind him."""
    return (await many_at_the_page(street, 1, **wanted))[0]


async def many_at_the_page(street: Street, count: int, **wanted: Any) -> list[AtThePage]:
    """So many of them."""
    street.hands.now = MORNING
    people = await street.neighbours(count, **wanted)
    for who in people:
        await street.money_seen(who)
    await street.tick()
    return [await _checked(street, who) for who in people]


async def _checked(street: Street, who: Neighbour) -> AtThePage:
    token = street.token_on(who)
    checked = await check_person(street.house, street.now, token, birth_date=BORN)
    return AtThePage(street, who, token, checked.session)


async def payment_ids(street: Street, who: Neighbour) -> list[Any]:
    query = "SELECT id FROM payments WHERE borrower_id = :id ORDER BY created_at, id"
    return [row.id for row in await street.rows(query, id=who.id)]


async def settle(street: Street) -> None:
    """The bank moves whatever was authorised, and we look."""
    for payment in street.bank.accepted:
        payment.status = PayStatus.SETTLED
    await street.minutes_pass(2, 2)


async def ana_taps_again(ana: AtThePage) -> Started:
    """Days later: another browser session, the same link."""
    checked = await check_person(ana.street.house, ana.street.now, ana.token, birth_date=BORN)
    ana.session = checked.session
    return await ana.taps()
