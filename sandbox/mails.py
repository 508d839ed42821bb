"""The town's mail: one mailbox for each person, and what came into it."""

from __future__ import annotations

from datetime import datetime
from email import message_from_bytes
from email.policy import default
from uuid import uuid4

from sandbox.people import Person
from sandbox.records import Bounce, Mail
from sandbox.town import Town

HOST = "correo.example"
# Signs what comes back; it opens nothing but this town.
BOUNCE_SECRET = "sandbox-secret-for-what-comes-back"  # noqa: S105
_MOST_TRIES = 5


def address_of(person: Person) -> str:
    """Where a person gets e-mail."""
    return f"{person.id}@{HOST}"


class Mails:
    """All e-mails, in memory and in the store."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._all = {mail.id: mail for mail in town.store.all_of("mail", Mail)}
        self._bounces = {one.id: one for one in town.store.all_of("bounce", Bounce)}

    def person_at(self, address: str) -> Person | None:
        """Whose mailbox this is; None where there is no such mailbox."""
        local, _, host = address.partition("@")
        return self._town.people.get(local) if host.lower() == HOST else None

    def accept(self, sender: str, to: str, content: bytes, now: datetime) -> Mail:
        """Put one e-mail into its mailbox."""
        read = message_from_bytes(content, policy=default)
        body = read.get_body(("plain",))
        mail = Mail(
            id=uuid4().hex,
            to=to,
            sender=str(read.get("From", sender)),
            subject=str(read.get("Subject", "")),
            body="" if body is None else str(body.get_content()).replace("\r\n", "\n"),
            message_id=str(read.get("Message-ID", "")),
            stop_url=str(read.get("List-Unsubscribe", "")).strip("<> "),
            at=now,
        )
        self._town.store.put("mail", mail.id, mail)
        self._all[mail.id] = mail
        return mail

    def send_back(self, sender: str, to: str, content: bytes, due_at: datetime) -> Bounce:
        """Take one e-mail that nobody lives at the address of: at `due_at` it goes back."""
        read = message_from_bytes(content, policy=default)
        message_id = str(read.get("Message-ID", ""))
        bounce = Bounce(uuid4().hex, to, sender, message_id, due_at)
        self._keep(bounce)
        return bounce

    def due_bounces(self, now: datetime) -> list[Bounce]:
        """What has to go back by now."""
        return [one for one in self._bounces.values() if not one.done and one.due_at <= now]

    def handed_over(self, bounce: Bounce, *, reached: bool) -> None:
        """Note a try to give an e-mail back; after some that reached nobody it is the last."""
        bounce.tries += 1
        bounce.done = reached or bounce.tries >= _MOST_TRIES
        self._keep(bounce)

    def sent_back(self, person: Person) -> list[Bounce]:
        """What was meant for one mailbox and goes back, the newest first."""
        address = address_of(person)
        return [one for one in reversed(self._bounces.values()) if one.to == address]

    def _keep(self, bounce: Bounce) -> None:
        self._town.store.put("bounce", bounce.id, bounce)
        self._bounces[bounce.id] = bounce

    def message_ids(self) -> list[str]:
        """One for each e-mail that was ever taken, in a mailbox or on its way back."""
        taken = [mail.message_id for mail in self._all.values()]
        return taken + [bounce.message_id for bounce in self._bounces.values()]

    def all(self) -> list[Mail]:
        """Oldest first."""
        return list(self._all.values())

    def of_person(self, person: Person) -> list[Mail]:
        """What is in one mailbox, the newest first."""
        address = address_of(person)
        return [mail for mail in reversed(self._all.values()) if mail.to == address]
