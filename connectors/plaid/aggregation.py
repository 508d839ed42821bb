"""Consents by Plaid's hosted page, accounts, and balances read live at the bank."""

from __future__ import annotations

from urllib.parse import urlencode

from app.domain.errors import (
    ConsentDoubtful,
    ConsentEnd,
    ConsentGone,
    ProviderError,
    TryLater,
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
from connectors._exchange import read_json, unreadable
from connectors.plaid.balances import answer_of
from connectors.plaid.desk import Desk
from connectors.plaid.grants import Held, found_accounts, item_now, linked, token_in
from connectors.plaid.hooks import CONSENT
from connectors.plaid.refusals import GONE, account_refusal, other_refusal, read_refusal
from connectors.plaid.settings import NAME, Institution, Settings

_WAITS = GrantNow(GrantState.PENDING)
# Auth is the product that gives account numbers; balances come with every product.
_PRODUCTS = ["auth"]
# A bank that has no transactions for Plaid is no reason to refuse it.
_LOOK = {
    "required_if_supported_products": ["transactions"],
    "transactions": {"days_requested": 90},
}
# How long Plaid's page stays open. Borrowers come back to it from a text of the same day.
_PAGE_SECONDS = 86_400


class Aggregation:
    """`AggregationPort` and `RenewingPort` over Plaid."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured when credentials or the list of banks are missing."""
        self._institutions = settings.institutions()
        self._settings = settings
        self._desk = Desk(settings, wire)
        self._ask = self._desk.ask
        self._now = wire.now

    def banks(self) -> tuple[Bank, ...]:
        """The banks of the operator's list."""
        return tuple(
            one.bank(
                attended_reads_count=True,
            )
            for one in self._institutions.values()
        )

    # ------------------------------------------------------------ consents

    async def begin_consent(self, ask: ConsentAsk) -> ConsentBegun:
        """Make a link token and give Plaid's hosted page, with the bank chosen already.

        OutcomeUnknown leaves a page behind that is known to nobody.
        """
        operation = "begin_consent"
        bank = self._bank(ask.bank_id, operation)
        answer, call = await self._ask(operation, "/link/token/create", {
            "client_name": self._settings.client_name,
            "language": bank.language,
            "country_codes": [bank.country],
            "user": {"client_user_id": str(ask.key)},
            "products": _PRODUCTS,
            **(_LOOK if ask.transactions else {}),
            "institution_id": bank.institution_id,
            **self._hook(ask),
            "hosted_link": {
                "completion_redirect_uri": ask.return_url,
                "url_lifetime_seconds": _PAGE_SECONDS,
            },
        }, writes=True)  # fmt: skip
        if not answer.is_success:
            raise other_refusal(answer, call, self._now())
        made = read_json(answer, call)
        token, url = token_in(made, "link_token"), token_in(made, "hosted_link_url")
        page = self._settings.page(url)
        if token is None or page is None:
            raise unreadable("the answer gives no page to go to", call, answer.content)
        held = Held(link=token, until=ask.valid_until)
        return ConsentBegun(Grant(bank.id, held.sealed()), page, _WAITS)

    def _hook(self, ask: ConsentAsk) -> dict[str, str]:
        """Where Plaid calls about the item: its calls name nothing of ours but their address."""
        url = self._settings.webhook_url
        return {"webhook": f"{url}?{urlencode({CONSENT: str(ask.key)})}"} if url else {}

    def renewal_due(self, grant: Grant) -> bool:
        """While the handle is a link token, what came of its page has to be asked."""
        return not Held.of(grant.token).access

    async def renew(self, grant: Grant) -> Grant:
        """Exchange what the borrower left on Plaid's page for the item's access token.

        The same grant while he has not finished. Raises ConsentGone (rejected) when he has, and
        connected nothing, or another bank than the one he chose here.
        """
        operation = "renew"
        bank = self._bank(grant.bank_id, operation)
        held = Held.of(grant.token)
        if held.access or not held.link:
            return grant
        answer, call = await self._ask(operation, "/link/token/get", {"link_token": held.link})
        if not answer.is_success:
            if read_refusal(answer.content).code == "INVALID_LINK_TOKEN":
                raise ConsentGone("the page is over", why=ConsentEnd.REJECTED, **call.where)
            raise other_refusal(answer, call, self._now())
        document = read_json(answer, call)
        if not isinstance(document, dict):
            raise unreadable("the answer is not an object", call, answer.content)
        found = linked(document)
        if not found.public_token:
            if found.over:
                raise ConsentGone("nothing was connected", why=ConsentEnd.REJECTED, **call.where)
            return grant
        access = await self._exchanged(found.public_token, operation)
        fresh = Grant(bank.id, Held(access, until=held.until).sealed())
        if found.institution_id and found.institution_id != bank.institution_id:
            await self.end_consent(fresh)
            raise ConsentGone("another bank was connected", why=ConsentEnd.REJECTED, **call.where)
        return fresh

    async def _exchanged(self, public_token: str, operation: str) -> str:
        answer, call = await self._ask(
            operation, "/item/public_token/exchange", {"public_token": public_token}, writes=True
        )
        if not answer.is_success:
            raise other_refusal(answer, call, self._now())
        access = token_in(read_json(answer, call), "access_token")
        if access is None:
            raise unreadable("the answer holds no access token", call, b"")
        return access

    async def grant_now(self, grant: Grant) -> GrantNow:
        """Status and validity of the item. No bank is asked, and no read is spent."""
        operation = "grant_now"
        bank, held = self._bank(grant.bank_id, operation), Held.of(grant.token)
        if not held.access:
            return _WAITS
        answer, call = await self._ask(operation, "/item/get", {"access_token": held.access})
        if not answer.is_success:
            code = read_refusal(answer.content).code
            if code in GONE:
                return GrantNow(GrantState.ENDED, end=GONE[code], raw_status=code)
            raise other_refusal(answer, call, self._now())
        document = read_json(answer, call)
        if not isinstance(document, dict) or not isinstance(document.get("item"), dict):
            raise unreadable("the answer holds no item", call, answer.content)
        return item_now(document, bank, held, self._now())

    async def end_consent(self, grant: Grant) -> None:
        """Remove the item. One that is gone counts as removed; without one there is nothing to do.

        A page that is still open runs out by itself, and what is left on it nobody fetches.
        """
        operation = "end_consent"
        self._bank(grant.bank_id, operation)
        held = Held.of(grant.token)
        if not held.access:
            return
        # Repeating this does nothing twice, so a lost answer is no reason for care.
        answer, call = await self._ask(operation, "/item/remove", {"access_token": held.access})
        if not answer.is_success and read_refusal(answer.content).code not in GONE:
            raise other_refusal(answer, call, self._now())

    # ------------------------------------------------------------ accounts

    async def accounts(
        self,
        grant: Grant,
        presence: Presence | None,  # noqa: ARG002 - cannot be stated here
    ) -> tuple[FoundAccount, ...]:
        """The accounts with their numbers, as Plaid fetched them when the bank was connected."""
        operation = "accounts"
        self._bank(grant.bank_id, operation)
        content = {"access_token": self._access(grant, operation)}
        answer, call = await self._ask(operation, "/auth/get", content)
        if not answer.is_success:
            raise account_refusal(answer, call, self._now())
        document = read_json(answer, call)
        if not isinstance(document, dict) or not isinstance(document.get("accounts"), list):
            raise unreadable("the answer lists no accounts", call, answer.content)
        return found_accounts(document)

    async def balances(
        self,
        grant: Grant,
        account_ref: Secret,
        presence: Presence | None,  # noqa: ARG002 - cannot be stated here
    ) -> BalanceAnswer:
        """All balances of one account: exactly one request, read live at the bank.

        The borrower's presence cannot be stated; every read counts.
        """
        operation = "balances"
        bank = self._bank(grant.bank_id, operation)
        account_id = account_ref.reveal()
        answer, call = await self._ask(operation, "/accounts/balance/get", {
            "access_token": self._access(grant, operation),
            "options": {"account_ids": [account_id]},
        })  # fmt: skip
        if not answer.is_success:
            error = account_refusal(answer, call, self._now())
            if isinstance(error, ConsentDoubtful):
                error = await self._how_it_ended(grant, error)
            raise error
        document = read_json(answer, call)
        listed = document.get("accounts") if isinstance(document, dict) else None
        ours = [
            one
            for one in (listed if isinstance(listed, list) else [])
            if isinstance(one, dict) and one.get("account_id") == account_id
        ]
        if len(ours) != 1:
            raise unreadable("the answer does not hold the account", call, answer.content)
        return answer_of(ours[0], limits_excluded=bank.limits_excluded)

    async def _how_it_ended(self, grant: Grant, doubt: ProviderError) -> ProviderError:
        """A refused login has several reasons; the state of the item has the one that counts."""
        now = await self.grant_now(grant)
        if now.end is None:
            return doubt
        return ConsentGone(now.raw_status, why=now.end, connector=NAME, operation="balances")

    # ------------------------------------------------------------ parts

    def _bank(self, bank_id: str, operation: str) -> Institution:
        return listed(self._institutions, bank_id, NAME, operation)

    def _access(self, grant: Grant, operation: str) -> str:
        access = Held.of(grant.token).access
        if not access:
            raise TryLater(
                "nothing is connected yet", after=None, connector=NAME, operation=operation
            )
        return access
