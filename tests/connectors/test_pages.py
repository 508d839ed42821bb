"""Where a provider may send a borrower: to its own pages, and to those that were agreed to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

import connectors
from app.domain.errors import ProviderError
from connectors._pages import PageSettings
from tests.connectors.registry import BANK_RIGS
from tests.connectors.rigs import BankRig

pytestmark = pytest.mark.anyio

FIELDS = {"link", "url", "hosted_link_url", "authorisation_url"}
# A page of each vendor's, as its documentation writes its address.
VENDORS = {
    "enable_banking": "https://tilisy.enablebanking.com/welcome?sessionid=73100c65",
    "gocardless": "https://ob.gocardless.com/psd2/start/3fa85f64/SANDBOXFINANCE_SFIN0000",
    "gocardless_pay": "https://pay.gocardless.com/billing/static/flow?id=BRF123",
    "plaid": "https://secure.plaid.com/hl/ls90p1o43o92",
}
ELSEWHERE = (
    "https://evil.example/login",
    "https://evil{domain}/login",
    "https://{domain}.evil.example/login",
    "https://evil.example/{domain}",
    "https://user@{domain}/login",
    "https://{domain}:443@evil.example/login",
    "https:\\\\evil.example\\{domain}",
    "http://{domain}/login",
)


class Misleading(httpx.AsyncBaseTransport):
    """The provider, but for the page that it names."""

    def __init__(self, inner: httpx.AsyncBaseTransport, page: str) -> None:
        self._inner, self._page = inner, page

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        await answer.aread()
        try:
            said = orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            return answer
        return httpx.Response(answer.status_code, json=self._changed(said))

    def _changed(self, said: Any) -> Any:
        if isinstance(said, list):
            return [self._changed(one) for one in said]
        if not isinstance(said, dict):
            return said
        return {k: self._page if k in FIELDS else self._changed(v) for k, v in said.items()}


async def sent_to(name: str, folder: Path, page: str, **settings: Any) -> list[str]:
    """Where a borrower would go: to agree, and to pay, as far as the provider does both."""
    rig: BankRig = BANK_RIGS[name](folder)
    given = {**rig.given(), **settings}
    rig.given = lambda: given  # type: ignore[method-assign]
    provider = Misleading(rig.scene.recorder, page)
    connector, led = connectors.discover()[name], []
    if connector.aggregation is not None:
        led.append((await rig.aggregation_over(provider).begin_consent(rig.ask())).redirect_url)
    if connector.payments is not None:
        order = rig.order(rig.person(opening_minor=100_000))
        # The rig's payers open each page at once; here nobody goes anywhere.
        port = connector.payments(rig._settings(), rig.scene.wire(provider))
        led.append((await port.create_payment(order)).redirect_url)
    return led


@pytest.mark.parametrize("name", VENDORS)
async def test_the_vendors_own_page(name: str, tmp_path: Path) -> None:
    assert set(await sent_to(name, tmp_path, VENDORS[name])) == {VENDORS[name]}


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
@pytest.mark.parametrize("name", VENDORS)
async def test_nobody_is_sent_anywhere_else(name: str, elsewhere: str, tmp_path: Path) -> None:
    settings = connectors.discover()[name].settings
    assert issubclass(settings, PageSettings)
    page = elsewhere.format(domain=settings.vendor_pages[0])
    with pytest.raises(ProviderError):
        await sent_to(name, tmp_path, page)


@pytest.mark.parametrize("name", VENDORS)
async def test_a_host_that_was_agreed_to(name: str, tmp_path: Path) -> None:
    page, hosts = "https://pay.lender.example/x", "other.example, Pay.Lender.example"
    assert set(await sent_to(name, tmp_path, page, page_hosts=hosts)) == {page}
    with pytest.raises(ProviderError):
        await sent_to(name, tmp_path, "https://x.pay.lender.example/x", page_hosts=hosts)


def test_a_lender_does_not_agree_to_hosts_by_himself() -> None:
    for name in VENDORS:
        fields = connectors.own_fields(connectors.discover()[name])
        assert "page_hosts" not in [one.name for one in fields]
