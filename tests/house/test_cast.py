"""The demo's lender: what his strategy says by text goes to his app first."""

from __future__ import annotations

from app.demo.cast import by_app_first
from app.domain.message import Channel
from app.domain.stage_checks import validate
from app.domain.stages import body_notes, parse_body
from app.reference.packs import load_packs
from app.reference.strategies import DEFAULT, shipped_strategies
from app.reference.templates import load_templates


def test_the_apps_strategy_is_the_soft_one_on_another_way() -> None:
    soft = shipped_strategies()[DEFAULT]
    ours = by_app_first(soft)
    before = [(one.day, one.template) for one in soft.notices]
    assert [(one.day, one.template) for one in ours.notices] == before
    assert {one.channel for one in ours.notices} == {Channel.EMAIL, Channel.PUSH}
    assert parse_body(body_notes(ours)) == ours
    words = load_templates()
    for notice in ours.notices:
        assert words.find(notice.template, notice.channel, "es"), notice
    book = load_packs()
    found = validate(
        ours,
        packs=(*book.packs.values(), book.elsewhere),
        templates=lambda _name, _channel: {"es": ("link",)},
        known_values=("link",),
    )
    assert [finding for finding in found if finding.blocks] == []
