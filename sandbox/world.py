"""The world behind the faces: one object that holds people, banks, payments and phones."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sandbox.allowance import Allowance
from sandbox.apps import Apps
from sandbox.banks import BY_ID
from sandbox.clock import Now, real_now
from sandbox.consents import Consents
from sandbox.hooks import Hooks
from sandbox.mails import Mails
from sandbox.mind import Mind
from sandbox.modes import Mode
from sandbox.payments import Payments, status_at
from sandbox.people import Person
from sandbox.records import Consent, Payment
from sandbox.store import Store
from sandbox.texts import Texts, TwilioAccount
from sandbox.town import Begin, Town

WRONG_KINDS = (
    "authorised_twice",
    "two_at_once",
    "booked_twice",
    "text_twice",
    "email_twice",
    "over_allowance",
)
"""What must never happen outside; the kinds of `World.wrong`."""


@dataclass(slots=True)
class Paths:
    """Where the world leaves marks outside its store; None: nowhere."""

    presence: Path | None = None


class World:
    """Everything outside Saldo. One per process; not for several threads.

    `now` gives business time, `real_now` the time that messages are dated with (aware UTC).
    `people` drawn persons live here besides those that `town.add_person` adds. A world opened
    again on its file is the same world.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        people: int = 0,
        now: Now = real_now,
        real_now: Now = real_now,
        file: Path | None = None,
        origin: datetime | None = None,
        twilio: TwilioAccount | None = None,
        presence: Path | None = None,
    ) -> None:
        self.now = now
        self.real_now = real_now
        self.store = Store(file)
        begin = self.store.one("world", "begin", Begin)
        if begin is None:
            begin = Begin(seed, people, origin or now())
            self.store.put("world", "begin", begin)
        self.town = Town(self.store, now, begin)
        self.consents = Consents(self.town)
        self.payments = Payments(self.town)
        self.texts = Texts(self.town, twilio)
        self.mails = Mails(self.town)
        self.apps = Apps(self.town)
        self.mind = Mind(self.town, self.texts)
        self.allowance = Allowance()
        self.hooks = Hooks()
        self.paths = Paths(presence)
        for row in self.store.reads(since=now() - timedelta(days=3)):
            consent_id, iban, endpoint, uri, at, _, _, counted = row
            consent = self._consent(consent_id)
            if counted and consent is not None:
                bank = BY_ID[consent.bank_id]
                self.allowance.count(Allowance.key(bank, consent_id, iban, endpoint, uri), at)

    def close(self) -> None:
        self.store.close()

    def _consent(self, consent_id: str) -> Consent | None:
        for bank_id in BY_ID:
            found = self.consents.get(bank_id, consent_id)
            if found is not None:
                return found
        return None

    # ------------------------------------------------------------ for tests and the control page

    @property
    def people(self) -> dict[str, Person]:
        return self.town.people

    def add_person(self, *args: Any, **kwargs: Any) -> Person:
        """See `Town.add_person`."""
        return self.town.add_person(*args, **kwargs)

    def set_mode(
        self, person_id: str, mode: Mode, value: float | None = None, *, on: bool = True
    ) -> None:
        """See `Town.set_mode`."""
        self.town.set_mode(person_id, mode, value, on=on)

    def revoke_all(self, person_id: str) -> int:
        """The person takes back every consent at his bank; how many were still valid."""
        now = self.now()
        return sum(self.consents.revoke(c, now) for c in self.consents.of_person(person_id))

    def ledger(self) -> dict[str, Any]:
        """What happened outside, for invariants: payments, bookings, the number of texts, and
        in `wrong` everything that must never happen (empty: all is well).
        """
        now = self.now()
        return {
            "at": now.isoformat(),
            "payments": [
                {
                    "id": p.id,
                    "bank": p.bank_id,
                    "person": p.person_id,
                    "amount_minor": p.amount_minor,
                    "currency": p.currency,
                    "end_to_end": p.end_to_end,
                    "creditor_iban": p.creditor_iban,
                    "status": status_at(p, now),
                    "authorised_at": p.authorised_at.isoformat() if p.authorised_at else None,
                }
                for p in self.payments.all()
            ],
            "debits": [
                {
                    "id": d.id,
                    "iban": d.iban,
                    "minor": d.minor,
                    "at": d.at.isoformat(),
                    "payment": d.payment_id,
                    "end_to_end": d.end_to_end,
                    "why": d.why,
                }
                for d in self.town.debits
            ],
            "texts": sum(1 for sms in self.texts.all() if not sms.inbound),
            "wrong": self.wrong(),
        }

    def wrong(self) -> list[dict[str, Any]]:
        """Each with its `kind`: one reference authorised twice; a second payment of one person to
        the same creditor authorised while the first was open or on its way; one payment booked
        twice; the same text twice on one phone; the same e-mail twice; a fifth unattended read
        within 24 hours.
        """
        authorised: dict[tuple[str, str], list[str]] = {}
        for payment in self.payments.all():
            if payment.authorised_at is not None and payment.end_to_end:
                key = (payment.creditor_iban, payment.end_to_end)
                authorised.setdefault(key, []).append(payment.id)
        booked = Counter(d.payment_id for d in self.town.debits if d.why == "payment")
        bodies: dict[tuple[str, str], list[str]] = {}
        for sms in self.texts.all():
            if not sms.inbound and sms.body:
                bodies.setdefault((sms.to, sms.body), []).append(sms.sid)
        return [
            *(
                {"kind": "authorised_twice", "end_to_end": key[1], "payments": ids}
                for key, ids in authorised.items()
                if len(ids) > 1
            ),
            *({"kind": "two_at_once", "payments": pair} for pair in self._two_at_once()),
            *(
                {"kind": "booked_twice", "payment": payment_id}
                for payment_id, times in booked.items()
                if times > 1
            ),
            *(
                {"kind": "text_twice", "to": key[0], "sids": sids}
                for key, sids in bodies.items()
                if len(sids) > 1
            ),
            *(
                {"kind": "email_twice", "message_id": message_id}
                for message_id, times in Counter(self.mails.message_ids()).items()
                if times > 1
            ),
            *({"kind": "over_allowance", **found} for found in self.over_allowance()),
        ]

    def _two_at_once(self) -> list[list[str]]:
        """Pairs of payments of one person to one creditor, both authorised, of which the second
        was made before the first had ended at the bank.
        """
        found: list[list[str]] = []
        last: dict[tuple[str, str], Payment] = {}
        done = [p for p in self.payments.all() if p.authorised_at is not None]
        for payment in sorted(done, key=lambda p: p.authorised_at or p.created_at):
            key = (payment.person_id, payment.creditor_iban)
            before = last.get(key)
            last[key] = payment
            if before is None or before.authorised_at is None:
                continue
            began = max(payment.created_at, before.authorised_at)
            ended = (*BY_ID[before.bank_id].settled_at, "RJCT")
            if status_at(before, began) not in ended:
                found.append([before.id, payment.id])
        return found

    def over_allowance(self) -> list[dict[str, Any]]:
        """Every moment at which a fifth unattended read of one account and endpoint arrived
        within 24 hours, counted by IBAN over all consents, refused ones included. The account
        list belongs to no account and is counted by consent.
        """
        found: list[dict[str, Any]] = []
        seen: dict[tuple[str, str], list[float]] = {}
        for consent_id, iban, endpoint, _, at, attended, status, _ in self.store.reads():
            if attended:
                continue
            times = seen.setdefault((consent_id if iban == "*" else iban, endpoint), [])
            times.append(at)
            while times[0] <= at - 86_400:
                times.pop(0)
            if len(times) > 4:
                found.append(
                    {
                        "iban": iban,
                        "endpoint": endpoint,
                        "at": at,
                        "status": status,
                        "reads": len(times),
                    }
                )
        return found
