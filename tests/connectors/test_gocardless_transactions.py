"""GoCardless Bank Account Data: transactions of the agreed days, counted apart from balances."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.domain.errors import AllowanceSpent, ConsentDoubtful, ConsentGone, ProviderError
from app.domain.ids import Secret
from app.ports import Grant
from app.side_ports import TransactionsPort
from connectors.gocardless.settings import Institution
from tests.connectors.answers import answering
from tests.connectors.registry import refused
from tests.connectors.rig_gocardless import GoCardlessRig
from tests.connectors.scene import HERE

pytestmark = pytest.mark.anyio

REF = Secret("3fa85f64-5717-4562-b3fc-2c963f66afa6")
GRANT = Grant("luz", REF)


@pytest.fixture
def rig(tmp_path: Path) -> GoCardlessRig:
    return GoCardlessRig(tmp_path)


async def test_scope_and_history_are_agreed_on_only_where_he_allowed_it(rig: GoCardlessRig) -> None:
    await rig.begin()
    await rig.begin(transactions=True)
    made = [json.loads(one.body) for one in rig.seen if one.url.endswith("/agreements/enduser/")]
    assert [one["access_scope"] for one in made] == [
        ["balances", "details"],
        ["balances", "details", "transactions"],
    ]
    assert [one["max_historical_days"] for one in made] == [1, 90]


async def test_no_more_is_asked_for_than_the_institution_has(tmp_path: Path) -> None:
    class Short(GoCardlessRig):
        def banks_as_toml(self) -> str:
            return super().banks_as_toml().replace("[[bank]]", "[[bank]]\nhistory_days = 30")

    rig = Short(tmp_path)
    begun = await rig.begin(transactions=True)
    rig.allow(begun, rig.person())
    (account,) = await rig.aggregation.accounts(begun.grant, HERE)
    assert isinstance(rig.aggregation, TransactionsPort)
    today = rig.watch.now().date()
    since = today - timedelta(days=90)
    await rig.aggregation.transactions(begun.grant, account.ref, since, HERE)
    (asked,) = [parse_qs(urlsplit(one.url).query) for one in rig.seen if "date_from" in one.url]
    assert asked == {"date_from": [(today - timedelta(days=30)).isoformat()]}


@pytest.mark.parametrize("days", [0, 91])
def test_a_history_that_nobody_shows_is_refused(days: int) -> None:
    plain = {"id": "b", "name": "B", "country": "ES", "institution_id": "B_B"}
    with pytest.raises(ValueError, match="history_days"):
        Institution.model_validate({**plain, "history_days": days})


def said(kind: str, status: int, words: str = "") -> tuple[int, dict[str, Any]]:
    return status, {
        "summary": "Couldn't update account transactions", "detail": words, "type": kind,
        "status_code": status,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (said("RateLimitError", 429, "Daily request limit set by the Institution"), AllowanceSpent),
        (said("AccessExpiredError", 401), ConsentDoubtful),
        (said("", 401, "End User Agreement (EUA) 1 has expired"), ConsentGone),
    ],
)
async def test_what_fails_is_said_by_its_next_step(
    rig: GoCardlessRig, answer: tuple[int, Any], error: type[ProviderError]
) -> None:
    port = rig.aggregation_over(answering(*answer))
    assert isinstance(port, TransactionsPort)
    call = port.transactions(GRANT, REF, date(2026, 9, 4), HERE)
    assert isinstance(await refused(call), error)


def test_a_look_is_free_of_the_balances_count(rig: GoCardlessRig) -> None:
    assert {
        (one.attended_reads_count, one.transactions_apart) for one in rig.aggregation.banks()
    } == {(True, True)}
