"""What a strategy says about its texts before it is used: in every language that is in force."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.domain.message import Channel
from app.domain.stage_checks import Finding
from app.domain.stages import Notice, Stage, StrategyBody
from app.flows.strategies.check_strategy import findings_of
from tests.flows.street import Street

pytestmark = pytest.mark.anyio

FINE = "{{lender}}: {{link}} {{stop_link}} {{name}}"
NOTICES = (Notice(2, Channel.EMAIL, "our_own"),)


async def in_force(street: Street, language: str, body: str = FINE) -> None:
    """A published e-mail of the lender's own name, as older releases let it through."""
    async with street.store.unit(street.lender_id) as unit:
        await unit.conn.execute(
            text(
                "INSERT INTO templates (id, lender_id, name, channel, language, number, subject, "
                "body, state, made_by, made_at, published_by, published_at) VALUES "
                "(gen_random_uuid(), :lender, 'our_own', 'email', :language, 1, 'Sol', :body, "
                "'published', 'sara', :now, 'coral', :now)"
            ),
            {"lender": street.lender_id, "language": language, "body": body, "now": street.now},
        )


async def about_texts(street: Street, template: str = "our_own") -> list[Finding]:
    notices = tuple(Notice(one.day, one.channel, template) for one in NOTICES)
    body = StrategyBody("ours", (Stage("first", 1, notices),))
    async with street.store.unit(street.lender_id) as unit:
        found = await findings_of(unit, street.house, body)
    return [one for one in found if one.field.endswith(".template")]


@pytest.mark.parametrize("bad", ["en", "es", "pl"])
async def test_a_bad_language_does_not_hide_behind_a_good_one(street: Street, bad: str) -> None:
    await street.neighbour(language="es")
    for language in ("en", "es", "pl"):
        await in_force(street, language, FINE + (" {{promise_on}}" if language == bad else ""))
    (found,) = await about_texts(street)
    assert found.blocks
    assert f"our_own ({bad}) asks for promise_on" in found.words


async def test_a_language_that_borrowers_read_and_a_text_lacks_is_named(street: Street) -> None:
    await street.neighbour(language="es")
    await in_force(street, "es")
    assert await about_texts(street) == []
    await street.neighbour(language="pl")
    await in_force(street, "en")
    (found,) = await about_texts(street)
    assert not found.blocks
    assert "is not written in pl: whoever reads that gets it in " in found.words


async def test_who_would_get_nothing_at_all_blocks(street: Street) -> None:
    await street.neighbour(language="es")
    await in_force(street, "pl")
    (found,) = await about_texts(street)
    assert found.blocks
    assert "is not written in es: whoever reads that gets nothing." in found.words


async def test_shipped_texts_are_written_in_every_language(street: Street) -> None:
    for language in ("en", "es", "pl"):
        await street.neighbour(language=language)
    assert await about_texts(street, "first_missed") == []


async def test_a_telephone_number_that_the_lender_does_not_have_is_found(street: Street) -> None:
    await street.neighbour(language="es")
    await in_force(street, "es", FINE + " {{contact_phone}}")
    assert await about_texts(street) == []
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE lenders SET contact_phone = ''"))
    (found,) = await about_texts(street)
    assert found.blocks
    assert "asks for contact_phone" in found.words
