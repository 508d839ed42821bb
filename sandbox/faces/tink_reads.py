"""What Tink knows of a user's connection, and how it reads at his bank when it is asked to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from starlette.responses import Response

from sandbox.balances import said_by_bank
from sandbox.bank_list import tink_name
from sandbox.banks import BY_ID, LimitWord
from sandbox.faces.bg_errors import Refusal
from sandbox.faces.bg_reads import Reads, modes_of, slowed
from sandbox.faces.numbers import Numbers, numbers_of
from sandbox.faces.tink_wire import (
    No,
    amount,
    answer_json,
    epoch_ms,
    instant,
    listed_amount,
    sorted_out,
)
from sandbox.modes import BankMode, Mode
from sandbox.records import Consent, ConsentStatus
from sandbox.world import World

_WORDS = {
    ConsentStatus.RECEIVED: "AUTHENTICATING",
    ConsentStatus.VALID: "UPDATED",
    ConsentStatus.REJECTED: "AUTHENTICATION_ERROR",
    ConsentStatus.REVOKED: "AUTHENTICATION_ERROR",
    ConsentStatus.EXPIRED: "SESSION_EXPIRED",
    ConsentStatus.TERMINATED: "DELETED",
}
_REASONS = {
    "AUTHENTICATION_ERROR": ("AUTHORIZATION_ERROR", "THIRD_PARTY_AUTHENTICATION_CANCELLED"),
    "SESSION_EXPIRED": ("AUTHORIZATION_ERROR", "SESSION_EXPIRED"),
    "TEMPORARY_ERROR": ("PROVIDER_ERROR", "TEMPORARY_ERROR"),
}


@dataclass(slots=True)
class TinkUser:
    """A user at Tink and the one bank he has connected."""

    id: str
    external_id: str
    market: str
    bank_id: str = ""
    consent_id: str = ""
    credentials_id: str = ""
    deleted: bool = False


@dataclass(slots=True)
class _Refresh:
    user_id: str
    status: str
    refusal: Refusal | None = None


class TinkReads:
    """Connections, accounts and refreshes over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._reads = Reads(world)
        self._refreshes: dict[str, _Refresh] = {}
        self._kept: dict[str, dict[str, Any]] = {}

    def consent(self, user: TinkUser) -> Consent | None:
        """The consent at the bank; None before Tink Link has sent the person there."""
        return self._world.consents.get(user.bank_id, user.consent_id)

    def connections(self, user: TinkUser) -> list[dict[str, Any]]:
        """The user's provider consents: none, or the one of his bank."""
        consent = self.consent(user)
        if consent is None:
            return []
        world, now = self._world, self._world.now()
        standing = world.consents.status(consent, now)
        word = _WORDS[standing]
        if standing is ConsentStatus.VALID and self._failing(consent, now):
            word = "TEMPORARY_ERROR"
        found: dict[str, Any] = {
            "accountIds": [] if self._blocked(consent) else list(self._ids(user, consent)),
            "credentialsId": user.credentials_id,
            "providerName": tink_name(BY_ID[user.bank_id]),
            "status": word,
            "statusUpdated": epoch_ms(consent.ended_at or consent.authorised_at or now),
            "sessionExtendable": False,
        }
        if consent.authorised_at is not None:
            expired = standing is ConsentStatus.EXPIRED and consent.ended_at
            found["sessionExpiryDate"] = epoch_ms(expired or consent.expires_at)
        if word in _REASONS:
            kind, reason = _REASONS[word]
            details = {"reason": reason, "retryable": word == "TEMPORARY_ERROR"}
            found["detailedError"] = {"type": kind, "displayMessage": "", "details": details}
        return [found]

    def _failing(self, consent: Consent, now: datetime) -> bool:
        town = self._world.town
        down = any(
            town.bank_mode(consent.bank_id, mode, now)
            for mode in (BankMode.OUTAGE_401, BankMode.OUTAGE_503)
        )
        return down or town.mode(consent.person_id, Mode.BALANCE_ERROR_500) is not None

    def _blocked(self, consent: Consent) -> bool:
        return bool(consent.person_id) and (
            self._world.town.mode(consent.person_id, Mode.ACCOUNT_BLOCKED) is not None
        )

    def _ids(self, user: TinkUser, consent: Consent) -> dict[str, tuple[str, str]]:
        """Tink's ids of the accounts, each with the bank's own id and the IBAN."""
        return {
            uuid5(NAMESPACE_URL, f"{user.id}/{iban}").hex: (resource, iban)
            for resource, iban in consent.resources.items()
        }

    def at_bank(self, user: TinkUser, account_id: str) -> tuple[Consent, str, str]:
        """The consent, the bank's own id and the IBAN of an account. Raises `No`."""
        consent = self.consent(user)
        ids = self._ids(user, consent) if consent is not None else {}
        if consent is None or account_id not in ids:
            raise No(404, "account.not_found", "there is no such account")
        return (consent, *ids[account_id])

    # ------------------------------------------------------------ what was fetched

    def accounts(self, user: TinkUser) -> dict[str, Any]:
        """The list as it was fetched when the bank was connected."""
        consent = self.consent(user)
        if consent is None:
            return {"accounts": [], "nextPageToken": ""}
        world, at = self._world, consent.authorised_at or self._world.now()
        listed = []
        for account_id, (_, iban) in self._ids(user, consent).items():
            plan = world.town.accounts[iban].plan
            booked = world.town.accounts[iban].life.at(at)
            savings = plan.cash_account_type == "SVGS"
            listed.append(
                {
                    "id": account_id,
                    "name": plan.name,
                    "type": "SAVINGS" if savings else "CHECKING",
                    "customerSegment": "PERSONAL",
                    "financialInstitutionId": uuid5(NAMESPACE_URL, consent.bank_id).hex,
                    "identifiers": _identifiers(numbers_of(world, iban)),
                    "balances": {"booked": listed_amount(booked, plan.currency)},
                    "dates": {"lastRefreshed": instant(at)},
                }
            )
        return {"accounts": listed, "nextPageToken": ""}

    def balances(self, user: TinkUser, account_id: str) -> Response:
        """The figures of the last refresh."""
        consent, _, _ = self.at_bank(user, account_id)
        kept = self._kept.get(account_id)
        if kept is None:
            raise No(400, "bad_request", "nothing was refreshed yet")
        return slowed(answer_json(kept), modes_of(self._world, consent.person_id))

    # ------------------------------------------------------------ refreshes

    def refresh(self, user: TinkUser, account_id: str, path: str) -> dict[str, Any]:
        """Read one account at its bank. How that went is told by the refresh alone."""
        consent, resource, iban = self.at_bank(user, account_id)
        bank, made = BY_ID[consent.bank_id], uuid4().hex
        uri = f"{path}/{account_id}"
        try:
            self._reads.balances(bank, resource, consent.id, uri, attended=False)
            self._kept[account_id] = self._figures(account_id, iban)
            self._refreshes[made] = _Refresh(user.id, "FINISHED")
        except Refusal as refusal:
            self._refreshes[made] = _Refresh(user.id, "FAILED", refusal)
        return {"balanceRefreshId": made, "credentialsId": user.credentials_id}

    def _figures(self, account_id: str, iban: str) -> dict[str, Any]:
        world, now = self._world, self._world.now()
        account = world.town.accounts[iban]
        plan, bank = account.plan, account.bank
        said = said_by_bank(world.town, world.payments, account, now)
        words = {
            name: amount(minor, plan.currency) for name, minor in sorted_out(said, bank).items()
        }
        frozen = world.town.mode(account.person_id, Mode.FROZEN_OLD_DATE) is not None
        days = [one.reference_on for one in said if one.reference_on is not None]
        refreshed = instant(now)
        if frozen and days:
            refreshed = f"{days[0].isoformat()}T00:00:00Z"
        found: dict[str, Any] = {
            "accountId": account_id, "balances": words, "refreshed": refreshed
        }  # fmt: skip
        if bank.limit_word is LimitWord.STATED and plan.limit_minor:
            found["creditLimit"] = amount(plan.limit_minor, plan.currency)
        return found

    def refresh_state(self, user: TinkUser, refresh_id: str) -> Response:
        """Where a refresh stands; the quota is told here too."""
        found = self._refreshes.get(refresh_id)
        if found is None or found.user_id != user.id:
            raise No(403, "forbidden", "there is no such refresh")
        refusal = found.refusal
        if refusal is None or refusal.status != 429:
            return answer_json({"status": found.status})
        if refusal.body is not None:
            return answer_json(refusal.body, 429, refusal.headers)
        raise No(429, "quota_exceeded", "quota exceeded", headers=refusal.headers)


def _identifiers(numbers: Numbers) -> dict[str, Any]:
    """`identifiers` of an account, of which every part may be missing but the bank's own number."""
    own = numbers.iban or f"{numbers.sort_code}{numbers.number}"
    found: dict[str, Any] = {"financialInstitution": {"accountNumber": own}}
    if numbers.iban:
        found["iban"] = {"bban": numbers.iban[4:], "iban": numbers.iban}
    if numbers.number:
        found["sortCode"] = {"accountNumber": numbers.number, "code": numbers.sort_code}
    return found
