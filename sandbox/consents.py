"""Consents at the banks: asked for, given, refused, ended. Time runs only by the given `now`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import NAMESPACE_URL, uuid4, uuid5

from sandbox.banks import BY_ID, Bank
from sandbox.modes import Mode
from sandbox.people import Person
from sandbox.records import Consent, ConsentStatus
from sandbox.town import Town

_OPEN = (ConsentStatus.RECEIVED,)


def end_of_day(bank: Bank, day: date) -> datetime:
    """The first instant after a calendar day of the bank, in UTC."""
    return datetime.combine(day + timedelta(days=1), time(0), bank.zone).astimezone(UTC)


class Consents:
    """All consents of all banks, in memory and in the store."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._all = {consent.id: consent for consent in town.store.all_of("consent", Consent)}

    def all(self) -> list[Consent]:
        return list(self._all.values())

    def get(self, bank_id: str, consent_id: str) -> Consent | None:
        consent = self._all.get(consent_id)
        return consent if consent is not None and consent.bank_id == bank_id else None

    def _save(self, consent: Consent) -> None:
        self._town.store.put("consent", consent.id, consent)
        self._all[consent.id] = consent

    def create(
        self,
        bank: Bank,
        *,
        recurring: bool,
        frequency: int,
        valid_until: date,
        redirect_url: str,
        refused_url: str,
        asked_ibans: Sequence[str],
        balances: bool,
        request_key: str,
        now: datetime,
        transactions: bool = False,
    ) -> Consent:
        """A consent that waits for the person. The bank cuts what is longer than it allows."""
        today = now.astimezone(bank.zone).date()
        until = min(valid_until, today + timedelta(days=bank.consent_days))
        consent = Consent(
            id=str(uuid4()),
            bank_id=bank.id,
            status=ConsentStatus.RECEIVED,
            recurring=recurring,
            frequency=min(frequency, bank.reads_allowed) if recurring else 1,
            valid_until=until,
            created_at=now,
            authorise_until=now + bank.authorise_within,
            expires_at=end_of_day(bank, until),
            redirect_url=redirect_url,
            refused_url=refused_url,
            asked_ibans=tuple(asked_ibans),
            balances=balances,
            transactions=transactions,
            request_key=request_key,
        )
        self._save(consent)
        return consent

    def by_request(self, bank_id: str, request_key: str) -> Consent | None:
        """The consent that an earlier request with this X-Request-ID made."""
        for consent in reversed(self._all.values()):
            if consent.bank_id == bank_id and consent.request_key == request_key:
                return consent
        return None

    def status(self, consent: Consent, now: datetime) -> ConsentStatus:
        """Where the consent stands at `now`; ends that time brings are written down."""
        if consent.status is ConsentStatus.VALID:
            if now >= consent.expires_at:
                self._end(consent, ConsentStatus.EXPIRED, consent.expires_at)
            elif consent.person_id and (
                self._town.mode(consent.person_id, Mode.EXPIRED_AS_400) is not None
                or self._town.mode(consent.person_id, Mode.EXPIRED_AS_401) is not None
            ):
                self._end(consent, ConsentStatus.EXPIRED, now)
        elif (
            consent.status is ConsentStatus.RECEIVED
            and not consent.stuck
            and now >= consent.authorise_until
        ):
            lapsed = ConsentStatus(BY_ID[consent.bank_id].lapsed_consent_status)
            self._end(consent, lapsed, consent.authorise_until)
        return consent.status

    def _end(self, consent: Consent, status: ConsentStatus, at: datetime) -> None:
        consent.status = status
        consent.ended_at = at
        self._save(consent)

    def approve(
        self, consent: Consent, person: Person, ibans: Sequence[str], now: datetime
    ) -> bool:
        """The person says yes at his bank, for the accounts he chose. False: too late.

        A recurring consent ends the earlier recurring ones of the same person here.
        """
        if self.status(consent, now) not in _OPEN or consent.stuck:
            return False
        chosen = [plan.iban for plan in person.accounts if plan.iban in set(ibans)]
        if not chosen:
            raise ValueError("a consent needs at least one account")
        bank = BY_ID[consent.bank_id]
        stuck = self._town.mode(person.id, Mode.AUTHORISATION_STUCK) is not None
        new_ids = bank.new_ids_on_renewal or (
            self._town.mode(person.id, Mode.NEW_IDS_ON_RENEWAL) is not None
        )
        with self._town.store.together():
            consent.person_id = person.id
            if stuck:
                consent.stuck = True
                self._save(consent)
                return True
            if consent.recurring:
                for other in self._all.values():
                    if (
                        other.person_id == person.id
                        and other.bank_id == bank.id
                        and other.recurring
                        and other.status is ConsentStatus.VALID
                    ):
                        other.superseded = True
                        self._end(other, ConsentStatus.EXPIRED, now)
            root = consent.id if new_ids else bank.id
            consent.resources = {
                str(uuid5(NAMESPACE_URL, f"{root}/{iban}")): iban for iban in chosen
            }
            consent.status = ConsentStatus.VALID
            consent.authorised_at = now
            self._save(consent)
        return True

    def refuse(self, consent: Consent, person: Person, now: datetime) -> bool:
        """The person says no at his bank."""
        if self.status(consent, now) not in _OPEN:
            return False
        consent.person_id = person.id
        self._end(consent, ConsentStatus.REJECTED, now)
        return True

    def revoke(self, consent: Consent, now: datetime) -> bool:
        """The person takes a given consent back at his bank."""
        if self.status(consent, now) is not ConsentStatus.VALID:
            return False
        self._end(consent, ConsentStatus.REVOKED, now)
        return True

    def terminate(self, consent: Consent, now: datetime) -> bool:
        """The TPP gives the consent back. False when it had already ended."""
        if self.status(consent, now) not in (ConsentStatus.VALID, ConsentStatus.RECEIVED):
            return False
        self._end(consent, ConsentStatus.TERMINATED, now)
        return True

    def of_person(self, person_id: str) -> list[Consent]:
        """Newest first."""
        return [c for c in reversed(self._all.values()) if c.person_id == person_id]

    def acted(self, consent: Consent, now: datetime) -> None:
        """Note the day of the last use; written only when the day changes."""
        today = now.astimezone(BY_ID[consent.bank_id].zone).date()
        if consent.last_action_on != today:
            consent.last_action_on = today
            self._save(consent)
