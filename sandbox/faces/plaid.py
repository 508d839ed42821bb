"""Plaid as its customers in Europe see it, over the same banks: Link, items, accounts, balances.

Under `/plaid`. Facts come from the vendor's published OpenAPI description; where it is silent (the
code for a consent that was taken back, what is listed of a blocked account) this face does what
seems likely and its client may not rely on it. Payments are in `plaid_pay`.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.balances import said_by_bank
from sandbox.bank_list import plaid_id
from sandbox.banks import BANKS, BY_ID, LimitWord
from sandbox.faces.bg_errors import Refusal
from sandbox.faces.bg_reads import Reads, modes_of, slowed
from sandbox.faces.bg_requests import origin_of
from sandbox.faces.numbers import numbers_of
from sandbox.faces.plaid_moved import synced
from sandbox.faces.plaid_news import Item, public_key
from sandbox.faces.plaid_pay import PlaidPay
from sandbox.faces.plaid_wire import (
    ROOT,
    Handler,
    No,
    error_json,
    guarded,
    iso,
    said,
    translated,
    words,
)
from sandbox.faces.wire import LostResponse
from sandbox.modes import BankMode, Mode
from sandbox.records import Consent, ConsentStatus
from sandbox.world import World


class Plaid:
    """Plaid over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._reads = Reads(world)
        self._items = {one.id: one for one in world.store.all_of("plaid_item", Item)}
        self._pay = PlaidPay(world)

    def routes(self) -> list[Route]:
        """Everything below /plaid. All but the hosted page is POST with JSON."""
        table: tuple[tuple[str, Handler], ...] = (
            ("/link/token/create", self._create),
            ("/link/token/get", self._sessions),
            ("/item/public_token/exchange", self._exchange),
            ("/item/get", self._item),
            ("/item/remove", self._remove),
            ("/auth/get", self._auth),
            ("/accounts/balance/get", self._balances),
            ("/transactions/sync", self._transactions),
            ("/webhook_verification_key/get", _hook_key),
            ("/user/create", self._pay.user),
            ("/payment_initiation/recipient/create", self._pay.recipient),
            ("/payment_initiation/payment/create", self._pay.create),
            ("/payment_initiation/payment/get", self._pay.get),
            ("/payment_initiation/payment/list", self._pay.listed),
        )
        return [
            *(Route(ROOT + path, guarded(do), methods=["POST"]) for path, do in table),
            Route(f"{ROOT}/hosted/{{token}}", self._hosted, methods=["GET"]),
            Route(f"{ROOT}/pay/{{token}}", self._pay.page, methods=["GET"]),
        ]

    # ------------------------------------------------------------ Link

    async def _create(self, content: dict[str, Any], request: Request) -> Response:
        if content.get("products") == ["payment_initiation"]:
            return await self._pay.open_page(content, request)
        bank = next((one for one in BANKS if plaid_id(one) == content.get("institution_id")), None)
        hosted, user = content.get("hosted_link"), content.get("user")
        if bank is None or content.get("country_codes") != [bank.country]:
            raise No(400, "INVALID_REQUEST", "INVALID_INSTITUTION")
        whose = user.get("client_user_id") if isinstance(user, dict) else None
        if not whose or not content.get("client_name") or content.get("products") != ["auth"]:
            raise No(400, "INVALID_REQUEST", "MISSING_FIELDS")
        more = content.get("required_if_supported_products", [])
        if more not in ([], ["transactions"]):
            raise No(400, "INVALID_REQUEST", "INVALID_FIELD")
        redirect = hosted.get("completion_redirect_uri") if isinstance(hosted, dict) else None
        if not isinstance(redirect, str) or not redirect.startswith(("http://", "https://")):
            raise No(400, "INVALID_REQUEST", "INVALID_FIELD")
        now = self._world.now()
        consent = self._world.consents.create(
            bank,
            recurring=True,
            frequency=4,
            valid_until=now.astimezone(bank.zone).date() + timedelta(days=bank.consent_days),
            redirect_url=redirect,
            refused_url=redirect,
            asked_ibans=(),
            balances=True,
            transactions=bool(more),
            request_key=str(whose),
            now=now,
        )
        webhook = str(content.get("webhook") or "")
        made = Item(consent.id, bank.id, f"link-sandbox-{uuid4()}", now, redirect, webhook)
        self._keep(made)
        if self._world.town.take_bank(bank.id, BankMode.CONSENT_ANSWER_LOST):
            return LostResponse()
        return said(
            link_token=made.link_token,
            expiration=(now + timedelta(hours=4)).astimezone(UTC).isoformat(),
            hosted_link_url=f"{origin_of(request)}{ROOT}/hosted/{made.link_token}",
        )

    async def _hosted(self, request: Request) -> Response:
        """The hosted page: it knows the bank and sends the person on at once."""
        found = self._by("link_token", request.path_params["token"])
        if found is None:
            return Response("not found", 404)
        found.visited = True
        self._keep(found)
        return RedirectResponse(f"/banks/{found.bank_id}/online/consents/{found.id}", 303)

    async def _sessions(self, content: dict[str, Any], _: Request) -> Response:
        item = self._by("link_token", content.get("link_token"))
        if item is None:
            raise No(400, "INVALID_INPUT", "INVALID_LINK_TOKEN")
        consent, bank = self._consent(item), BY_ID[item.bank_id]
        standing = self._world.consents.status(consent, self._world.now())
        session: dict[str, Any] = {
            "link_session_id": item.id, "started_at": iso(item.created_at), "events": []
        }  # fmt: skip
        if standing is not ConsentStatus.RECEIVED:
            session["finished_at"] = iso(consent.authorised_at or consent.ended_at)
        if consent.authorised_at is not None:
            named = {"name": bank.name, "institution_id": plaid_id(bank)}
            added = {"public_token": item.public_token, "accounts": [], "institution": named}
            session["results"] = {
                "item_add_results": [added],
                "cra_item_add_results": [],
                "cra_update_results": [],
                "bank_income_results": [],
                "payroll_income_results": [],
                "document_income_results": None,
            }
        elif standing is not ConsentStatus.RECEIVED:
            session["exit"] = {"error": None, "metadata": {"status": "institution_not_found"}}
        return said(
            link_token=item.link_token,
            created_at=iso(item.created_at),
            expiration=iso(item.created_at + timedelta(days=1)),
            metadata={
                "initial_products": ["auth"], "webhook": None, "country_codes": [bank.country],
                "language": "en", "redirect_uri": None,
                "client_name": "lender",
            },
            link_sessions=[session] if item.visited else [],
        )  # fmt: skip

    async def _exchange(self, content: dict[str, Any], _: Request) -> Response:
        item = self._by("public_token", content.get("public_token"))
        if item is None or item.exchanged or self._consent(item).authorised_at is None:
            raise No(400, "INVALID_INPUT", "INVALID_PUBLIC_TOKEN")
        item.exchanged = True
        self._keep(item)
        return said(access_token=item.access_token, item_id=item.id)

    # ------------------------------------------------------------ items

    async def _item(self, content: dict[str, Any], _: Request) -> Response:
        item = self._open(content)
        consent, error = self._consent(item), None
        if self._world.consents.status(consent, self._world.now()) is not ConsentStatus.VALID:
            error = error_json("ITEM_ERROR", "ITEM_LOGIN_REQUIRED")
        ended = consent.status is ConsentStatus.EXPIRED and consent.ended_at
        found = {
            **self._item_json(item),
            "error": error,
            "consent_expiration_time": iso(ended or consent.expires_at),
        }
        return said(item=found)

    async def _remove(self, content: dict[str, Any], _: Request) -> Response:
        item = self._open(content)
        self._world.consents.terminate(self._consent(item), self._world.now())
        item.removed = True
        self._keep(item)
        return said()

    def _item_json(self, item: Item) -> dict[str, Any]:
        return {
            "item_id": item.id,
            "institution_id": plaid_id(BY_ID[item.bank_id]),
            "institution_name": BY_ID[item.bank_id].name,
            "webhook": None,
            "error": None,
            "available_products": ["balance"],
            "billed_products": ["auth"],
            "products": ["auth"],
            "consented_products": ["auth"],
            "consent_expiration_time": None,
            "update_type": "user_present_required",
            "auth_method": None,
        }

    # ------------------------------------------------------------ accounts

    async def _auth(self, content: dict[str, Any], _: Request) -> Response:
        """Accounts and their numbers as they were fetched. A blocked one has lost its number."""
        item = self._open(content)
        consent = self._consent(item)
        at = consent.authorised_at or self._world.now()
        blocked = self._world.town.mode(consent.person_id, Mode.ACCOUNT_BLOCKED) is not None
        accounts, international, bacs = [], [], []
        for iban in consent.resources.values():
            booked = self._world.town.accounts[iban].life.at(at)
            accounts.append(self._account(item, iban, {"current": booked / 100}))
            if blocked:
                continue
            numbers, whose = numbers_of(self._world, iban), {"account_id": item.account_id(iban)}
            if numbers.iban:
                bic = BY_ID[item.bank_id].bic
                international.append({**whose, "iban": numbers.iban, "bic": bic})
            if numbers.number:
                bacs.append({**whose, "account": numbers.number, "sort_code": numbers.sort_code})
        return said(
            accounts=accounts,
            numbers={"ach": [], "eft": [], "international": international, "bacs": bacs},
            item=self._item_json(item),
        )

    def _account(self, item: Item, iban: str, balances: dict[str, Any]) -> dict[str, Any]:
        plan = self._world.town.accounts[iban].plan
        plain = {
            "available": None, "current": None, "limit": None,
            "iso_currency_code": plan.currency, "unofficial_currency_code": None,
        }  # fmt: skip
        return {
            "account_id": item.account_id(iban),
            "balances": {**plain, **balances},
            "mask": iban[-4:],
            "name": plan.name,
            "official_name": None,
            "type": "depository",
            "subtype": "savings" if plan.cash_account_type == "SVGS" else "checking",
        }

    async def _balances(self, content: dict[str, Any], request: Request) -> Response:
        """A live read at the bank."""
        world, item = self._world, self._open(content)
        consent, bank, now = self._consent(item), BY_ID[item.bank_id], self._world.now()
        options = content.get("options")
        wanted = options.get("account_ids") if isinstance(options, dict) else None
        ours = {item.account_id(iban): (ref, iban) for ref, iban in consent.resources.items()}
        if not isinstance(wanted, list) or len(wanted) != 1 or wanted[0] not in ours:
            raise No(400, "INVALID_INPUT", "INVALID_ACCOUNT_ID")
        ref, iban = ours[wanted[0]]
        modes = modes_of(world, consent.person_id)
        try:
            uri = f"{request.url.path}/{ref}"
            self._reads.balances(bank, ref, consent.id, uri, attended=False)
        except Refusal as refusal:
            raise translated(refusal) from None
        account = world.town.accounts[iban]
        stated = said_by_bank(world.town, world.payments, account, now)
        limited = bank.limit_word is not LimitWord.NEVER
        balances = words(stated, account.plan.limit_minor if limited else 0)
        return slowed(
            said(accounts=[self._account(item, iban, balances)], item=self._item_json(item)),
            modes,
        )

    async def _transactions(self, content: dict[str, Any], _: Request) -> Response:
        """What was fetched since the bank was connected; no bank is asked."""
        item = self._open(content)
        consent = self._consent(item)
        if self._world.consents.status(consent, self._world.now()) is not ConsentStatus.VALID:
            raise No(400, "ITEM_ERROR", "ITEM_LOGIN_REQUIRED")
        return said(**synced(self._world, item, consent, content))

    # ------------------------------------------------------------ parts

    def _keep(self, item: Item) -> None:
        self._world.store.put("plaid_item", item.id, item)
        self._items[item.id] = item

    def _by(self, name: str, value: Any) -> Item | None:
        return next((one for one in self._items.values() if getattr(one, name) == value), None)

    def _consent(self, item: Item) -> Consent:
        consent = self._world.consents.get(item.bank_id, item.id)
        if consent is None:
            raise No(400, "ITEM_ERROR", "ITEM_NOT_FOUND")
        return consent

    def _open(self, content: dict[str, Any]) -> Item:
        item = self._by("access_token", content.get("access_token"))
        if item is None or not item.exchanged:
            raise No(400, "INVALID_INPUT", "INVALID_ACCESS_TOKEN")
        if item.removed:
            raise No(400, "ITEM_ERROR", "ITEM_NOT_FOUND")
        return item


async def _hook_key(content: dict[str, Any], _: Request) -> Response:
    found = public_key(content.get("key_id"))
    if found is None:
        raise No(400, "INVALID_INPUT", "INVALID_WEBHOOK_VERIFICATION_KEY_ID")
    return said(key=found)
