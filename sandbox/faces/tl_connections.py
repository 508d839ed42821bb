"""The connections of TrueLayer: links that are opened, codes, tokens that replace each other."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import urlencode
from uuid import NAMESPACE_URL, uuid5

from sandbox.banks import BY_ID
from sandbox.faces.tl_wire import BY_PROVIDER, CLIENT_ID, No
from sandbox.records import Consent, ConsentStatus
from sandbox.world import World

KIND = "tl_connection"
SCOPE = "accounts balance offline_access"
LIFE = timedelta(hours=1)
# The vendor gives five minutes; a demo's clock runs a thousand times faster than a person.
_CODE_LASTS = timedelta(hours=8)
_UNUSED_FOR = timedelta(days=30)


@dataclass(slots=True)
class Connection:
    """One link that somebody opened; its consent at the bank has the same id.

    `renewed`: how often its refresh token was exchanged. Only the newest one is taken.
    """

    id: str
    bank_id: str
    redirect: str
    opened_at: datetime | None = None
    renewed: int = 0
    renewed_at: datetime | None = None
    deleted: bool = False
    scope: str = SCOPE

    @property
    def code(self) -> str:
        """What the borrower's browser carries back."""
        return str(uuid5(NAMESPACE_URL, f"truelayer code/{self.id}"))


class Connections:
    """All of them, kept in the store of the world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def open_link(self, query: Mapping[str, str]) -> Connection:
        """The connection that opening an auth link begins. Raises `No`."""
        bank = BY_PROVIDER.get(query.get("provider_id", ""))
        redirect, state = query.get("redirect_uri", ""), query.get("state", "")
        scope = set(query.get("scope", "").split())
        if (
            bank is None
            or query.get("client_id") != CLIENT_ID
            or query.get("response_type") != "code"
            or query.get("providers") != query["provider_id"]
            or not redirect.startswith(("http://", "https://"))
            or not set(SCOPE.split()) <= scope
        ):
            raise No("invalid_request")
        now = self._world.now()
        back = {"scope": query["scope"], "state": state}
        with self._world.store.together():
            consent = self._world.consents.create(
                bank,
                recurring=True,
                frequency=4,
                valid_until=now.astimezone(bank.zone).date() + timedelta(days=bank.consent_days),
                redirect_url="",
                refused_url=f"{redirect}?{urlencode({'error': 'access_denied', 'state': state})}",
                asked_ibans=(),
                balances=True,
                transactions="transactions" in scope,
                request_key="",
                now=now,
            )
            made = Connection(consent.id, bank.id, redirect, scope=query["scope"])
            consent.redirect_url = f"{redirect}?{urlencode({'code': made.code, **back})}"
            self._world.store.put("consent", consent.id, consent)
            self.keep(made)
        return made

    def keep(self, connection: Connection) -> None:
        """Remember what has changed about it."""
        self._world.store.put(KIND, connection.id, connection)

    def find(self, connection_id: str) -> Connection | None:
        return self._world.store.one(KIND, connection_id, Connection)

    def consent(self, connection: Connection) -> Consent:
        """The consent at the bank behind it."""
        found = self._world.consents.get(connection.bank_id, connection.id)
        if found is None:
            raise No("access_denied")
        return found

    def alive(self, connection: Connection) -> bool:
        """Whether the bank still gives anything for it."""
        status = self._world.consents.status(self.consent(connection), self._world.now())
        return not connection.deleted and status is ConsentStatus.VALID

    # ------------------------------------------------------------ tokens

    def of_code(self, code: str, redirect: str) -> Connection:
        """The connection whose code this is; used once. Raises `No`."""
        every = self._world.store.all_of(KIND, Connection)
        found = next((one for one in every if one.code == code), None)
        if found is None or found.opened_at is not None or found.redirect != redirect:
            raise No("invalid_authorization_code")
        agreed, now = self.consent(found).authorised_at, self._world.now()
        if agreed is None or now - agreed > _CODE_LASTS or not self.alive(found):
            raise No("invalid_authorization_code")
        found.opened_at = found.renewed_at = now
        self.keep(found)
        return found

    def of_refresh(self, token: str) -> Connection:
        """The connection whose newest refresh token this is; spent by this. Raises `No`."""
        kind, found, number = self._read(token)
        now = self._world.now()
        if kind != "refresh" or found is None or number != found.renewed or not self.alive(found):
            raise No("invalid_grant")
        if found.renewed_at is None or now - found.renewed_at > _UNUSED_FOR:
            raise No("invalid_grant")
        found.renewed += 1
        found.renewed_at = now
        self.keep(found)
        return found

    def of_access(self, header: str) -> Connection:
        """The connection behind an Authorization header. Raises `No`."""
        kind, found, ends = self._read(header.removeprefix("Bearer "))
        if kind != "access" or found is None or self._world.now().timestamp() >= ends:
            raise No("invalid_token")
        return found

    def pair(self, connection: Connection) -> dict[str, str | int]:
        """The answer to an exchange."""
        ends = int((self._world.now() + LIFE).timestamp())
        return {
            "access_token": self._token("access", connection.id, ends),
            "expires_in": int(LIFE.total_seconds()),
            "token_type": "Bearer",
            "refresh_token": self._token("refresh", connection.id, connection.renewed),
            "scope": connection.scope,
        }

    def _token(self, kind: str, connection_id: str, number: int) -> str:
        body = f"{kind}.{connection_id}.{number}"
        return f"{body}.{self._mark(body)}"

    def _mark(self, body: str) -> str:
        key = f"truelayer {self._world.town.begin.seed}".encode()
        return hmac.new(key, body.encode(), sha256).hexdigest()

    def _read(self, token: str) -> tuple[str, Connection | None, int]:
        body, _, mark = token.rpartition(".")
        parts = body.split(".")
        if len(parts) != 3 or not hmac.compare_digest(mark.encode(), self._mark(body).encode()):
            return "", None, 0
        return parts[0], self.find(parts[1]), int(parts[2])


def bank_page(connection: Connection) -> str:
    """The path of the bank's own page for it."""
    return f"/banks/{BY_ID[connection.bank_id].id}/online/consents/{connection.id}"
