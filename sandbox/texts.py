"""The SMS exchange: texts accepted, carried, delivered; opt-outs; calls to the customer's webhook.

Business time throughout, the validity period included. A status is a pure function of what was
persisted when the text was accepted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sandbox.modes import Mode
from sandbox.people import Person
from sandbox.records import Callback, Sms
from sandbox.town import Town

DEFAULT_SID = "AC" + "5a1d0" * 6 + "5a"
DEFAULT_TOKEN = "sandbox-token"  # noqa: S105 - opens nothing but this sandbox
DEFAULT_NUMBER = "+34600000001"
DEFAULT_SENDER = "Saldo"
DEFAULT_HOOK_KEY = "sandbox-hook-key-of-30-letters"  # opens nothing but this sandbox
"""The sender name of the gateways that send under a name."""

# The words that the real exchange treats as an opt-out or its end by itself (English only).
STOP_WORDS = frozenset(
    {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"}
)
START_WORDS = frozenset({"START", "UNSTOP", "YES"})

_LEAVES_AFTER = timedelta(seconds=2)
_ARRIVES_AFTER = timedelta(seconds=6)
VALIDITY_OVER = 30036
MAX_TRIES = 5


@dataclass(slots=True)
class TwilioAccount:
    """The one account of the exchange. `inbound_url` is called for texts that people send;
    `inbound_urls` for those that answer another gateway's.
    """

    sid: str = DEFAULT_SID
    token: str = DEFAULT_TOKEN
    inbound_url: str = ""
    numbers: list[str] = field(default_factory=lambda: [DEFAULT_NUMBER])
    inbound_urls: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _OptOut:
    """This phone wants nothing from this sender."""

    phone: str
    sender: str


def new_sid() -> str:
    return f"SM{uuid4().hex}"


class Texts:
    """All texts, in memory and in the store."""

    def __init__(self, town: Town, account: TwilioAccount | None = None) -> None:
        self._town = town
        store = town.store
        kept = store.one("twilio", "account", TwilioAccount)
        self.account = account or kept or TwilioAccount()
        if account is not None or kept is None:
            store.put("twilio", "account", self.account)
        self._all = {sms.sid: sms for sms in store.all_of("sms", Sms)}
        self._opted_out = {(o.phone, o.sender) for o in store.all_of("optout", _OptOut)}
        self._due = {c.id: c for c in store.all_of("callback", Callback) if not c.done}

    def set_inbound_url(self, url: str, gateway: str = "twilio") -> None:
        if gateway == "twilio":
            self.account.inbound_url = url
        else:
            self.account.inbound_urls[gateway] = url
        self._town.store.put("twilio", "account", self.account)

    # ------------------------------------------------------------ outgoing

    def opted_out(self, phone: str, sender: str) -> bool:
        return (phone, sender) in self._opted_out

    def phones_opted_out(self, sender: str) -> list[str]:
        """The phones that want nothing from this sender."""
        return sorted(phone for phone, of in self._opted_out if of == sender)

    def accept(
        self,
        *,
        to: str,
        sender: str,
        body: str,
        callback_url: str,
        validity_seconds: int,
        service_sid: str = "",
        now: datetime,
        gateway: str = "twilio",
        reference: str = "",
        late_error: int | None = None,
    ) -> Sms:
        """Take a text; its whole way and its callbacks are fixed and kept here.

        `late_error`: this gateway takes it all the same, and it ends undelivered with this code.
        """
        person = self._town.by_phone(to)
        leaves, ends = now + _LEAVES_AFTER, now + _LEAVES_AFTER + _ARRIVES_AFTER
        end_status, error = "delivered", None
        if person is not None:
            backlog = self._town.mode(person.id, Mode.SMS_BACKLOG)
            if backlog is not None:
                leaves = now + timedelta(hours=backlog)
                ends = leaves + _ARRIVES_AFTER
            if self._town.mode(person.id, Mode.SMS_UNREACHABLE) is not None:
                end_status, error = "undelivered", 30003
            elif self._town.mode(person.id, Mode.SMS_UNKNOWN_HANDSET) is not None:
                end_status, error = "undelivered", 30005
        if late_error is not None:
            end_status, error = "undelivered", late_error
        sent_at: datetime | None = leaves
        if leaves > now + timedelta(seconds=validity_seconds):
            sent_at, end_status, error = None, "failed", VALIDITY_OVER
            ends = now + timedelta(seconds=validity_seconds)
        sms = Sms(
            sid=new_sid(),
            to=to,
            sender=sender,
            body=body,
            created_at=now,
            service_sid=service_sid,
            callback_url=callback_url,
            sent_at=sent_at,
            ends_at=ends,
            end_status=end_status,
            error_code=error,
            gateway=gateway,
            reference=reference,
        )
        with self._town.store.together():
            self._save(sms)
            if callback_url:
                for callback in self._status_calls(sms, ends, person):
                    self._keep(callback)
        return sms

    def _status_calls(self, sms: Sms, ends_at: datetime, person: Person | None) -> list[Callback]:
        def on(mode: Mode) -> float | None:
            return self._town.mode(person.id, mode) if person is not None else None

        if on(Mode.CALLBACK_NONE) is not None:
            return []
        late = timedelta(hours=on(Mode.CALLBACK_LATE) or 0)
        signature = "good"
        if on(Mode.CALLBACK_UNSIGNED) is not None:
            signature = "none"
        elif on(Mode.CALLBACK_BADLY_SIGNED) is not None:
            signature = "bad"
        moments = [(sms.end_status, ends_at + late)]
        if sms.sent_at is not None:
            moments.insert(0, ("sent", sms.sent_at + late))
        if on(Mode.CALLBACK_OUT_OF_ORDER) is not None and len(moments) == 2:
            moments = [(moments[1][0], moments[1][1]), ("sent", moments[1][1] + _ARRIVES_AFTER)]
        calls = [
            Callback(
                id=f"{sms.sid}-{number}",
                sid=sms.sid,
                url=sms.callback_url,
                params=self._status_params(sms, status, due),
                due_at=due,
                signature=signature,
                gateway=sms.gateway,
            )
            for number, (status, due) in enumerate(moments)
        ]
        if on(Mode.CALLBACK_TWICE) is not None:
            calls += [
                replace(c, id=f"{c.id}-again", due_at=c.due_at + _ARRIVES_AFTER) for c in calls
            ]
        return calls

    def _status_params(self, sms: Sms, status: str, due: datetime) -> list[tuple[str, str]]:
        params = [
            ("AccountSid", self.account.sid),
            ("ApiVersion", "2010-04-01"),
            ("From", sms.sender),
            ("MessageSid", sms.sid),
            ("MessageStatus", status),
            ("SmsSid", sms.sid),
            ("SmsStatus", status),
            ("To", sms.to),
        ]
        if sms.service_sid:
            params.append(("MessagingServiceSid", sms.service_sid))
        if status in ("undelivered", "failed") and sms.error_code is not None:
            params.append(("ErrorCode", str(sms.error_code)))
        if status == "delivered":
            params.append(("RawDlrDoneDate", due.astimezone(UTC).strftime("%y%m%d%H%M")))
        return params

    def status(self, sms: Sms, now: datetime) -> str:
        """The exchange's word for where a text stands at `now`."""
        if sms.inbound:
            return "received"
        if sms.cancelled:
            return "canceled"
        if sms.ends_at is not None and now >= sms.ends_at:
            return sms.end_status
        if sms.sent_at is not None and now >= sms.sent_at:
            return "sent"
        return "accepted" if sms.service_sid else "queued"

    # ------------------------------------------------------------ incoming

    def from_phone(self, phone: str, sender: str, body: str) -> Sms:
        """Somebody texts back: opt-out words act at once, the customer's webhook is called."""
        now = self._town.now()
        sms = Sms(
            sid=new_sid(),
            to=sender,
            sender=phone,
            body=body,
            created_at=now,
            inbound=True,
            gateway=self._gateway_between(phone, sender),
        )
        word = body.strip().upper()
        with self._town.store.together():
            self._save(sms)
            if word in STOP_WORDS:
                self._town.store.put("optout", f"{phone} {sender}", _OptOut(phone, sender))
            elif word in START_WORDS:
                self._town.store.drop("optout", f"{phone} {sender}")
            if self._inbound_url(sms.gateway):
                self._keep(self._inbound_call(sms, now))
        if word in STOP_WORDS:
            self._opted_out.add((phone, sender))
        elif word in START_WORDS:
            self._opted_out.discard((phone, sender))
        return sms

    def _gateway_between(self, phone: str, sender: str) -> str:
        """The gateway of the last text that this sender sent to this phone."""
        between = [s.gateway for s in self._all.values() if (s.to, s.sender) == (phone, sender)]
        return between[-1] if between else "twilio"

    def _inbound_url(self, gateway: str) -> str:
        if gateway == "twilio":
            return self.account.inbound_url
        return self.account.inbound_urls.get(gateway, "")

    def _inbound_call(self, sms: Sms, now: datetime) -> Callback:
        params = [
            ("AccountSid", self.account.sid),
            ("ApiVersion", "2010-04-01"),
            ("Body", sms.body),
            ("From", sms.sender),
            ("MessageSid", sms.sid),
            ("NumMedia", "0"),
            ("NumSegments", "1"),
            ("SmsMessageSid", sms.sid),
            ("SmsSid", sms.sid),
            ("SmsStatus", "received"),
            ("To", sms.to),
        ]
        return Callback(
            f"{sms.sid}-in", sms.sid, self._inbound_url(sms.gateway), params, now,
            gateway=sms.gateway,
        )  # fmt: skip

    # ------------------------------------------------------------ callbacks

    def _keep(self, callback: Callback) -> None:
        self._town.store.put("callback", callback.id, callback)
        self._due[callback.id] = callback

    def due_callbacks(self, now: datetime) -> list[Callback]:
        """Calls that should have been made by `now`, in their order."""
        return sorted(
            (c for c in self._due.values() if c.due_at <= now), key=lambda c: (c.due_at, c.id)
        )

    def called(self, callback: Callback, *, reached: bool) -> None:
        """Note one try; a call that reached nobody is tried again a few times."""
        callback.tries += 1
        callback.done = reached or callback.tries >= MAX_TRIES
        self._town.store.put("callback", callback.id, callback)
        if callback.done:
            self._due.pop(callback.id, None)

    # ------------------------------------------------------------ looking

    def _save(self, sms: Sms) -> None:
        self._town.store.put("sms", sms.sid, sms)
        self._all[sms.sid] = sms

    def change(self, sms: Sms) -> None:
        """Keep a text that was redacted, cancelled or deleted."""
        self._save(sms)

    def all(self) -> list[Sms]:
        """Oldest first."""
        return list(self._all.values())

    def get(self, sid: str) -> Sms | None:
        found = self._all.get(sid)
        return None if found is None or found.deleted else found

    def on_phone(self, phone: str, now: datetime) -> Sequence[Sms]:
        """What one phone shows at `now`: delivered texts and its own, oldest first."""
        shown = [
            sms
            for sms in self._all.values()
            if (sms.sender == phone and sms.inbound)
            or (sms.to == phone and not sms.inbound and self.status(sms, now) == "delivered")
        ]
        return sorted(shown, key=lambda sms: (sms.ends_at or sms.created_at, sms.sid))

    def phones_without_person(self) -> list[str]:
        """Numbers that got a text and belong to nobody in the town."""
        return sorted(
            {
                sms.to
                for sms in self._all.values()
                if not sms.inbound and self._town.by_phone(sms.to) is None
            }
        )
