"""The town's mail: one mailbox for each person, and what came into it."""

from __future__ import annotations

from datetime import datetime
from email import message_from_bytes
from email.policy import default
from uuid import uuid4

from sandbox.people import Person
from sandbox.records import Mail
from sandbox.town import Town

HOST = "correo.example"


def address_of(person: Person) -> str:
    """Where a person gets e-mail."""
    return f"{person.id}@{HOST}"


class Mails:
    """All e-mails, in memory and in the store."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._all = {mail.id: mail for mail in town.store.all_of("mail", Mail)}

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

    def all(self) -> list[Mail]:
        """Oldest first."""
        return list(self._all.values())

    def of_person(self, person: Person) -> list[Mail]:
        """What is in one mailbox, the newest first."""
        address = address_of(person)
        return [mail for mail in reversed(self._all.values()) if mail.to == address]
