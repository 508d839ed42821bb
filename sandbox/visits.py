"""What a robot does with the pages it meets: a consent link, a pay link, its bank.

The pages are known by marks alone. Saldo's pages mark their forms with `data-step`: check (who is
there), consent (purposes), choose or bank (which bank), pay (amount), wrong, cannot, paid, stop;
the banks' pages with bank-login, bank-consent, bank-payment and the link bank-return; a
provider's own page with hosted.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sandbox.moods import ConsentMood, Mood, Reaction
from sandbox.people import Person
from sandbox.walker import Form, Page, Walker

_MOST_STEPS = 16
_PAUSE_S = 1.5
_WRONG_TRIES = 6

_SAYS = {
    Reaction.SAYS_WRONG: "wrong",
    Reaction.SAYS_CANNOT: "cannot",
    Reaction.SAYS_PAID: "paid",
    Reaction.STOPS_BY_LINK: "stop",
}


@dataclass(slots=True)
class Visit:
    """One visit of one person to one link."""

    walker: Walker
    person: Person
    mood: Mood

    # ------------------------------------------------------------ consent

    async def consent(self, link: str) -> str:
        """Walk a consent link as the person's mood has it. Returns what came of it.

        Raises `WalkError` when a page cannot be reached.
        """
        mood = self.mood.consent
        page = await self.walker.open(link)
        said = ""
        for _ in range(_MOST_STEPS):
            if mood is ConsentMood.ABANDONS and page.form("bank-login", "bank-consent"):
                return "abandoned the consent at the bank"
            bank_form = page.form("bank-consent")
            if bank_form is not None:
                yes = mood is not ConsentMood.REFUSES_AT_BANK
                said = "gave a consent" if yes else "refused the consent at the bank"
                page = await self._decide(bank_form, yes=yes)
                continue
            form = page.form("check", "consent", "choose", "bank", "bank-login")
            if form is None:
                onward = await self._onward(page)
                if onward is None:
                    return said or self._end_of(page, "the consent link")
                page = onward
                continue
            if form.has("purpose"):
                chosen = self._purposes(form)
                if not chosen:
                    said = "refused every purpose"
                elif mood is ConsentMood.ONLY_SCORING:
                    said = "agreed to scoring only"
                answer = ("answer", "yes" if chosen else "no")
                button = answer if answer in form.buttons else None
                page = await self._send(form, {"purpose": chosen}, button)
                if not chosen:
                    return said
                continue
            page = await self._send(form, {})
        return "lost on the way through the consent"

    def _purposes(self, form: Form) -> list[str]:
        offered = form.values("purpose")
        if self.mood.consent is ConsentMood.REFUSES:
            return []
        if self.mood.consent is ConsentMood.ONLY_SCORING:
            return [purpose for purpose in offered if purpose == "scoring"]
        return offered

    async def _send(
        self,
        form: Form,
        answers: dict[str, str | list[str]],
        button: tuple[str, str] | None = None,
    ) -> Page:
        """Send a form with everything the person knows filled in."""
        known: dict[str, str | list[str]] = {
            "birth_date": self.person.birth_date.isoformat(),
            "document_last4": self.person.document_last4,
            "bank_id": self.person.bank_id,
            "code": self.person.code,
        }
        if form.has("birth_date"):
            known.pop("document_last4")
        answers = {**{k: v for k, v in known.items() if form.has(k)}, **answers}
        bank = ("bank_id", self.person.bank_id)
        if button is None and bank in form.buttons:
            button = bank
        return await self.walker.submit(form, answers, button)

    async def _decide(self, form: Form, *, yes: bool) -> Page:
        """Press the bank's yes or no. A returning link is followed."""
        page = await self.walker.submit(form, {}, ("decision", "yes" if yes else "no"))
        onward = page.links.get("bank-return")
        return await self.walker.open(onward) if onward else page

    async def _onward(self, page: Page) -> Page | None:
        """Where a page without a question leads: back from the bank, or to itself a bit later."""
        back = page.links.get("bank-return")
        if back:
            return await self.walker.open(back)
        if page.looks_again_at:
            await asyncio.sleep(_PAUSE_S)
            return await self.walker.open(page.looks_again_at)
        return None

    def _end_of(self, page: Page, what: str) -> str:
        return f"{what} answered {page.status}" if page.status >= 400 else f"{what} was over"

    # ------------------------------------------------------------ payment

    async def pay_link(self, link: str, reaction: Reaction) -> str:
        """Walk a pay link with one reaction. Returns what came of it. Raises `WalkError`."""
        page = await self.walker.open(link)
        if reaction is Reaction.LOOKS_ONLY:
            return "looked only"
        page, tries = await self._prove(page, wrong=reaction is Reaction.WRONG_BIRTH_DATE)
        if reaction is Reaction.WRONG_BIRTH_DATE:
            return f"gave a wrong birth date {tries} times"
        if reaction in _SAYS:
            return await self._say(page, _SAYS[reaction])
        return await self._pay(page, reaction)

    async def _prove(self, page: Page, *, wrong: bool) -> tuple[Page, int]:
        """Answer the question who is there; how often it was asked."""
        for tries in range(_WRONG_TRIES):
            form = page.form("check")
            if form is None:
                return page, tries
            if wrong:
                page = await self._send(form, {"birth_date": "1951-01-01"})
            else:
                page = await self._send(form, {})
                if page.form("check") is not None:
                    return page, tries + 1
        return page, _WRONG_TRIES

    async def _say(self, page: Page, step: str) -> str:
        for _ in range(3):
            form = page.form(step)
            if form is None:
                break
            page = await self._send(form, {})
            if page.form(step) is None:
                return f"said: {step}"
        return f"could not say: {step} ({page.status})"

    async def _pay(self, page: Page, reaction: Reaction) -> str:
        said = ""
        for _ in range(_MOST_STEPS):
            at_bank = page.form("bank-login", "bank-payment")
            if at_bank is not None and reaction is Reaction.ABANDONS_AT_BANK:
                return "left the bank's page"
            form = page.form("bank-payment")
            if form is not None:
                yes = reaction is not Reaction.REFUSES_AT_BANK
                page = await self._decide(form, yes=yes)
                said = "authorised a payment" if yes else "refused the payment at the bank"
                if page.status >= 400:
                    return f"{said}, the page answered {page.status}"
                continue
            if said:
                return said
            form = page.form("pay", "choose", "bank", "hosted", "bank-login")
            if form is None:
                onward = await self._onward(page)
                if onward is None:
                    return self._end_of(page, "the pay link")
                page = onward
                continue
            answers: dict[str, str | list[str]] = {}
            if form.has("amount") and reaction is Reaction.PAYS_PART:
                answers["amount"] = part_of(form.values("amount")[0], self.mood.part_percent)
            page = await self._send(form, answers)
        return "lost on the way through the payment"


def part_of(amount: str, percent: int) -> str:
    """A part of an amount as a form shows it, in whole units and the same spelling."""
    comma = "," in amount and "." not in amount
    try:
        whole = float(amount.replace(",", ".")) if comma else float(amount)
    except ValueError:
        return amount
    part = max(1, int(whole * percent / 100))
    return f"{part},00" if comma else f"{part}.00"
