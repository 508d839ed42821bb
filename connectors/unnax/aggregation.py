"""Consents by Unnax's reader session, and reads whose figures come by a call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import uuid4

import httpx

from app.domain.errors import (
    ConsentEnd,
    ConsentGone,
    TryLater,
    Unreadable,
)
from app.domain.ids import Secret
from app.ports import (
    BalanceAnswer,
    Bank,
    ConsentAsk,
    ConsentBegun,
    FoundAccount,
    Grant,
    GrantNow,
    GrantState,
    Presence,
    Wire,
)
from connectors._bank_list import listed
from connectors._exchange import Call, read_json, unreadable
from connectors._handles import day_in, held_in, sealed
from connectors._stated import page_address
from connectors.unnax.balances import answer_of, found_accounts, reference_of, summaries
from connectors.unnax.desk import Desk, refusal
from connectors.unnax.hooks import ABANDONED, READ, TOKEN_MADE, envelope, event_id
from connectors.unnax.reference import TokenCall, field_of, filled, load_reference
from connectors.unnax.settings import NAME, Institution, Settings

_WAITS = GrantNow(GrantState.PENDING)
# How often a read looks whether its figures have come.
_LOOK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Held:
    """The content of a handle: the request that made it, its token once it came, its last day."""

    request: str = ""
    token: str = ""
    until: date | None = None

    @classmethod
    def of(cls, token: Secret) -> Held:
        """Read a handle. Anything that is none of ours holds nothing."""
        found = held_in(token) or {}
        request, access = found.get("request"), found.get("token")
        if not isinstance(request, str) or not isinstance(access, str):
            return cls()
        return cls(request, access, day_in(found, "until"))

    def sealed(self) -> Secret:
        """The handle to keep."""
        return sealed({"request": self.request, "token": self.token, "until": self.until})


class Aggregation:
    """`AggregationPort` and `RenewingPort` over Unnax."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured when credentials or an entry of the reference are missing."""
        settings.check()
        self._settings = settings
        self._reference = load_reference(settings.reference)
        self._institutions = settings.institutions()
        self._desk = Desk(settings, wire)
        self._called = wire.called

    def banks(self) -> tuple[Bank, ...]:
        """The banks of the operator's list."""
        return tuple(one.bank(attended_reads_count=True) for one in self._institutions.values())

    # ------------------------------------------------------------ consents

    async def begin_consent(self, ask: ConsentAsk) -> ConsentBegun:
        """Open a reader session that ends with a token, and give its page.

        OutcomeUnknown leaves a page behind that is known to nobody.
        """
        bank, code = self._bank(ask.bank_id, "begin_consent"), str(ask.key)
        body = filled(
            self._reference.reader.body,
            {
                **self._desk.signed(code),
                "return_url": ask.return_url,
                "refused_url": ask.refused_url,
                "bank": bank.unnax_id,
            },
        )
        path = self._reference.reader.path
        answer, call = await self._desk.ask("begin_consent", "POST", path, body, writes=True)
        if not answer.is_success:
            raise refusal(answer, call)
        made = read_json(answer, call)
        # Inside `data` in Unnax's own text, at the top in programs of others.
        url = field_of(made, "data.widget_url") or field_of(made, "widget_url")
        page = page_address(url) if isinstance(url, str) else None
        if page is None:
            raise unreadable("the answer gives no page to go to", call, answer.content)
        held = Held(code, until=ask.valid_until)
        return ConsentBegun(Grant(bank.id, held.sealed()), page, _WAITS)

    def renewal_due(self, grant: Grant) -> bool:
        """While there is no token, the call that brings it may have come."""
        held = Held.of(grant.token)
        return bool(held.request) and not held.token

    async def renew(self, grant: Grant) -> Grant:
        """Take in the token that Unnax has called with; the same grant while it has not.

        Raises ConsentGone (rejected) when the borrower has left the page without connecting.
        """
        held = Held.of(grant.token)
        if not held.request or held.token:
            return grant
        said = await self._said(TOKEN_MADE, held.request)
        if said is None:
            if await self._said(ABANDONED, held.request) is not None:
                raise ConsentGone("the page was left", why=ConsentEnd.REJECTED, **_where("renew"))
            return grant
        token = field_of(said, self._reference.callbacks.token_field)
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise Unreadable("the call brings no token", **_where("renew"))
        return Grant(grant.bank_id, Held(held.request, token, held.until).sealed())

    async def grant_now(self, grant: Grant) -> GrantNow:
        """Active once its token has come. Unnax can be asked for no state that is known."""
        held = Held.of(grant.token)
        if held.token:
            return GrantNow(GrantState.ACTIVE, held.until)
        if not held.request:
            return GrantNow(GrantState.ENDED, end=ConsentEnd.UNKNOWN_AT_BANK)
        return _WAITS

    async def end_consent(self, grant: Grant) -> None:
        """Have the token deleted. Without one there is nothing to give back."""
        held = Held.of(grant.token)
        if not held.token:
            return
        answer, call = await self._with_token(self._reference.end, "end_consent", held, "")
        if not answer.is_success and answer.status_code not in (404, 410):
            raise refusal(answer, call)

    # ------------------------------------------------------------ accounts

    async def accounts(self, grant: Grant, presence: Presence | None) -> tuple[FoundAccount, ...]:
        """The accounts that the first read called with, when the borrower connected his bank."""
        del presence
        held = self._held(grant, "accounts")
        said = await self._said(READ, held.request)
        if said is None:
            raise TryLater("the first read has not come yet", after=None, **_where("accounts"))
        return found_accounts(said.get("data"), self._reference.figures)

    async def balances(
        self, grant: Grant, account_ref: Secret, presence: Presence | None
    ) -> BalanceAnswer:
        """Ask for one read, and wait for the call that brings it. TryLater when it does not."""
        del presence  # There is no known way to tell Unnax of it.
        held = self._held(grant, "balances")
        code = str(uuid4())
        answer, call = await self._with_token(self._reference.read, "balances", held, code)
        if not answer.is_success:
            raise refusal(answer, call)
        said = await self._awaited(code)
        if said is None:
            raise TryLater("the figures did not come in time", after=None, **call.where)
        figures = self._reference.figures
        try:
            listed = summaries(said.get("data"))
        except Unreadable as error:
            raise Unreadable(error.detail, **call.where) from None
        ours = [one for one in listed if reference_of(one, figures) == account_ref.reveal()]
        if len(ours) != 1:
            raise Unreadable("the figures are not about this account", **call.where)
        return answer_of(ours[0], figures)

    async def _awaited(self, code: str) -> dict[str, Any] | None:
        """What Unnax called with, as soon as it has."""
        try:
            async with asyncio.timeout(self._settings.read_seconds):
                while True:
                    said = await self._said(READ, code)
                    if said is not None:
                        return said
                    await asyncio.sleep(_LOOK_EVERY_S)
        except TimeoutError:
            return None

    async def _said(self, name: str, code: str) -> dict[str, Any] | None:
        """The content of a call that was verified and kept; None while there was none."""
        if self._called is None:
            return None
        body = await self._called(NAME, event_id(name, code))
        return None if body is None else envelope(body, self._settings)

    # ------------------------------------------------------------ parts

    async def _with_token(
        self, part: TokenCall, operation: str, held: Held, code: str
    ) -> tuple[httpx.Response, Call]:
        body = filled(part.body, {**self._desk.signed(code), "token": held.token})
        return await self._desk.ask(operation, part.method, part.path, body)

    def _held(self, grant: Grant, operation: str) -> Held:
        self._bank(grant.bank_id, operation)
        held = Held.of(grant.token)
        if not held.token:
            raise TryLater("the bank is not connected yet", after=None, **_where(operation))
        return held

    def _bank(self, bank_id: str, operation: str) -> Institution:
        return listed(self._institutions, bank_id, NAME, operation)


def _where(operation: str) -> dict[str, str]:
    return {"connector": NAME, "operation": operation}
