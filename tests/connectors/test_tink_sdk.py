"""The sandbox's Tink as a client of others sees it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tink_http_python.accounts import Accounts
from tink_http_python.api import ApiV1, ApiV2
from tink_http_python.authentication.authentication import Authentication
from tink_http_python.authentication.storage import Storage
from tink_http_python.config import Config
from tink_http_python.exceptions import NoAccessTokenException

from connectors._http import client
from connectors.tink.grants import Held
from sandbox.faces.tink import ROOT
from sandbox.faces.tink_wire import CLIENT_ID, CLIENT_SECRET
from tests.connectors.rig_tink import TinkRig
from tests.connectors.test_over_http import listening

pytestmark = pytest.mark.anyio


class Kept(Storage):  # type: ignore[misc]
    """A code to exchange, and the token that came of it."""

    def __init__(self, code: str) -> None:
        self.code, self.token = code, ""

    def store_new_access_token(self, new_access_token: str) -> None:
        self.token = new_access_token

    def retrieve_access_token(self) -> str:
        if not self.token:
            raise NoAccessTokenException
        return self.token

    def retrieve_authorization_code(self) -> str:
        return self.code


async def client_of_others(origin: str, user: str, scope: str) -> tuple[ApiV2, Authentication]:
    """tink-http-python at the face, with a code for a user and a scope."""
    api = f"{origin}{ROOT}/api/v1/"
    app = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    async with client() as http:
        asked = {**app, "grant_type": "client_credentials", "scope": "authorization:grant"}
        token = (await http.post(f"{api}oauth/token", data=asked)).json()["access_token"]
        code = await http.post(
            f"{api}oauth/authorization-grant",
            data={"user_id": user, "scope": scope},
            headers={"Authorization": f"Bearer {token}"},
        )

    class V1(ApiV1):  # type: ignore[misc]
        def _get_url_base(self) -> str:
            return api

    class V2(ApiV2):  # type: ignore[misc]
        def _get_url_base(self) -> str:
            return f"{origin}{ROOT}/data/v2/"

    kept = Kept(str(code.json()["code"]))
    return V2(), Authentication(V1(), kept, Config(**app, redirect_uri=""))


@pytest.mark.parametrize("bank_id", ["luz", "wharf"])
async def test_a_client_written_by_others_reads_the_accounts(tmp_path: Path, bank_id: str) -> None:
    """tink-http-python exchanges a code for a token and checks the shape of the list."""
    rig = TinkRig(tmp_path, bank_id)
    person = rig.person(opening_minor=12_345)
    held = Held.of((await rig.granted(person)).token)
    async with listening(rig.scene.world) as origin:
        found = await asyncio.to_thread(
            Accounts(*await client_of_others(origin, held.user, "accounts:read")).get
        )
    (account,) = found.accounts
    if bank_id == "luz":
        assert account.identifiers.iban.iban == person.iban
    else:  # by sort code and number alone
        assert account.identifiers.iban is None
        assert account.identifiers.financial_institution.account_number == person.iban[8:]
    assert Accounts.calculate_real_amount(account.balances.booked.amount.value) == 123.45
