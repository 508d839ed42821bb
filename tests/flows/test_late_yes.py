"""A page of a bank that stayed open: a yes there counts only for what he still wants with us."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import pytest
from sqlalchemy import text

from app.domain.consent import Purpose
from app.domain.ids import Phone
from app.flows.books.register_borrower import BorrowerWanted, register_borrower
from app.flows.consents.begin_bank_consent import begin_bank_consent
from app.flows.consents.choose_consent import choose_consent
from app.flows.consents.end_consent import end_consent
from app.flows.consents.finish_bank_consent import Back, finish_bank_consent
from app.flows.consents.request_consent import request_consent
from app.flows.consents.withdraw_consent import withdraw_by_consent_link
from app.flows.messages.deliver_outbox import deliver_outbox
from app.ports import Presence
from sandbox.people import Person
from tests.neighbourhood import PUBLIC, Neighbourhood

pytestmark = pytest.mark.anyio

HERE = Presence("203.0.113.7", "Mozilla/5.0")
BOTH = (Purpose.SCORING, Purpose.REPAYMENT_MONITORING)


@dataclass(slots=True)
class AtTheBank:
    """Somebody who agreed to everything and has his bank's page open."""

    hood: Neighbourhood
    person: Person
    token: str
    back: str

    async def chooses(self, *granted: Purpose) -> None:
        """He says with his link what he wants."""
        self.hood.advance(minutes=1)
        await choose_consent(
            self.hood.house,
            self.hood.now,
            token=self.token,
            granted=granted,
            wording_version="1",
            language="es",
        )

    async def says_yes_there(self) -> Back:
        """He finishes the open page and comes back from it."""
        world = self.hood.world
        at_bank = world.consents.all()[0]
        ibans = [account.iban for account in self.person.accounts]
        assert world.consents.approve(at_bank, self.person, ibans, self.hood.now)
        done = await finish_bank_consent(
            self.hood.house, self.hood.now, return_token=self.back, presence=HERE
        )
        return done.back

    async def states(self) -> list[str]:
        rows = await self.hood.rows("SELECT state FROM consents ORDER BY id")
        return [row.state for row in rows]

    async def attempts(self) -> int:
        return int(await self.hood.value("SELECT count(*) FROM read_attempts"))


@pytest.fixture
async def ana(hood: Neighbourhood) -> AtTheBank:
    """Ana has left for her bank, with both purposes granted."""
    person = hood.world.add_person(opening_minor=500_000, phone="+34600111222")
    await register_borrower(
        hood.house,
        hood.now,
        hood.lender_id,
        BorrowerWanted("B-1", person.name, "ES", "es", phone=Phone.parse(person.phone)),
    )
    made = await request_consent(
        hood.house, hood.now, lender_id=hood.lender_id, borrower_ref="B-1", purposes=BOTH
    )
    ana = AtTheBank(hood, person, made.link.removeprefix(f"{PUBLIC}/c/"), "")
    await ana.chooses(*BOTH)
    await begin_bank_consent(
        hood.house, hood.now, token=ana.token, bank_id=person.bank_id, presence=HERE
    )
    address = str(hood.world.consents.all()[0].redirect_url)
    ana.back = address.removeprefix(f"{PUBLIC}/c/back/")
    return ana


async def given_up(ana: AtTheBank) -> UUID:
    """We stopped waiting for her."""
    consent_id: UUID = await ana.hood.value("SELECT id FROM consents")
    async with ana.hood.store.unit(ana.hood.lender_id) as unit:
        await end_consent(unit, ana.hood.now, consent_id, "abandon", "too long", "saldo")
    return consent_id


@pytest.mark.parametrize("then", [(Purpose.SCORING,), ()])
async def test_what_was_chosen_anew_counts(ana: AtTheBank, then: tuple[Purpose, ...]) -> None:
    """No monitoring, he says in a second window; the first one stands at the bank with it."""
    await ana.chooses(*then)
    assert await ana.says_yes_there() is Back.ENDED
    assert await ana.states() == ["abandoned"]
    assert await ana.attempts() == 0


async def test_stop_reading_counts_for_what_was_given_up(ana: AtTheBank) -> None:
    await given_up(ana)
    await withdraw_by_consent_link(ana.hood.house, ana.hood.now, ana.token)
    assert await ana.says_yes_there() is Back.ENDED
    assert await ana.states() == ["abandoned"]
    assert await ana.attempts() == 0


async def test_his_late_yes_counts_while_he_still_means_it(ana: AtTheBank) -> None:
    """And what we gave up before is not given back to the bank any more."""
    await given_up(ana)
    assert await ana.says_yes_there() is Back.ACTIVE
    queued = await ana.hood.rows("SELECT id FROM outbox WHERE kind = 'revoke_consent'")
    assert len(queued) == 1
    await deliver_outbox(ana.hood.house, ana.hood.now, [row.id for row in queued])
    assert await ana.hood.value("SELECT token_enc IS NOT NULL FROM consents")
    assert ana.hood.world.consents.all()[0].status.value == "valid"


async def test_stop_reading_erases_what_an_ended_consent_left(ana: AtTheBank) -> None:
    assert await ana.says_yes_there() is Back.ACTIVE
    consent_id = await ana.hood.value("SELECT id FROM consents")
    async with ana.hood.store.unit(ana.hood.lender_id) as unit:
        await end_consent(unit, ana.hood.now, consent_id, "expire", "its window ended", "saldo")
        left = "SELECT count(*) FROM readings WHERE figure_enc IS NOT NULL"
        assert await unit.conn.scalar(text(left)) == 1
    done = await withdraw_by_consent_link(ana.hood.house, ana.hood.now, ana.token)
    assert done.erased == 1
    assert await ana.hood.value(left) == 0
