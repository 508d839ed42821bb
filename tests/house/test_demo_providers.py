"""The demo through other providers: what is chosen and kept, and that it leads to the sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

import connectors
from app.demo import providers
from app.demo.stage import environment, sandbox_url
from app.domain.errors import Conflict, Invalid
from app.ports import Wire
from app.settings import load_settings
from connectors._http import client
from sandbox.banks import IN_EURO
from tests.connectors.scene import MONDAY


def test_the_choice_is_kept_and_only_a_fresh_demo_changes_it(tmp_path: Path) -> None:
    with pytest.raises(Invalid):
        providers.choose(tmp_path, ["gocardles"])
    assert providers.choose(tmp_path, ["gocardless"]) == ("berlin_group", "gocardless")
    assert providers.choose(tmp_path, []) == ("berlin_group", "gocardless")
    assert providers.choose(tmp_path, ["gocardless"]) == ("berlin_group", "gocardless")
    with pytest.raises(Conflict):
        providers.choose(tmp_path, ["berlin_group"])


def test_a_demo_from_before_there_was_a_choice_is_the_usual_one(tmp_path: Path) -> None:
    (tmp_path / "clock.json").touch()
    with pytest.raises(Conflict):
        providers.choose(tmp_path, ["gocardless"])
    assert providers.choose(tmp_path, []) == ("berlin_group",)


@pytest.mark.parametrize("name", providers.PROVIDERS)
def test_every_row_leads_its_connectors_to_the_sandbox_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    settings = load_settings()
    chosen = providers.choose(tmp_path, [name])
    providers.write_files(chosen, sandbox_url(settings), tmp_path)
    given = environment(settings, tmp_path, chosen)
    for key, value in given.items():
        monkeypatch.setenv(key, value)
    wire = Wire(client(), lambda: MONDAY, lambda: MONDAY)
    reached = []
    for slot in ("aggregation", "payment"):
        connector = connectors.discover()[given[f"SALDO_{slot.upper()}_CONNECTOR"]]
        own = connector.settings()
        assert connectors.live_addresses(own) == ()
        build = connector.aggregation if slot == "aggregation" else connector.payments
        assert build is not None
        reached.append([bank.id for bank in build(own, wire).banks()])
    # Where two providers share the work, they call each bank by the same name; who pays may not
    # move every currency.
    assert set(reached[1]) <= set(reached[0])
    assert {bank.id for bank in IN_EURO} <= set(reached[1])
    carrier = connectors.discover()[given["SALDO_MESSAGE_CONNECTOR"]]
    assert connectors.live_addresses(carrier.settings()) == ()
    assert carrier.messages is not None
    carrier.messages(carrier.settings(), wire)  # raises where a setting is missing
    slots = ("AGGREGATION", "PAYMENT", "MESSAGE")
    assert name in [given[f"SALDO_{slot}_CONNECTOR"] for slot in slots]
