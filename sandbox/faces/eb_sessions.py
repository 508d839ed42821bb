"""The sessions of Enable Banking: what an authorisation opens, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sandbox.faces.eb_wire import No
from sandbox.records import Consent, ConsentStatus
from sandbox.world import World


@dataclass(slots=True)
class Session:
    """One authorisation at a bank (its consent has the same id) and the session it opens."""

    id: str
    bank_id: str
    valid_until: datetime
    created_at: datetime
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    transactions: bool = False

    @property
    def code(self) -> str:
        """What the borrower's browser carries back."""
        return str(uuid5(NAMESPACE_URL, f"code/{self.id}"))

    @property
    def session_id(self) -> str:
        """Another id than the authorisation's, as the vendor has it."""
        return str(uuid5(NAMESPACE_URL, f"session/{self.id}"))

    def uid(self, iban: str) -> str:
        """The id of an account in this session alone."""
        return str(uuid5(NAMESPACE_URL, f"{self.session_id}/{iban}"))

    @property
    def access(self) -> dict[str, Any]:
        """What was asked for, and until when."""
        until = self.valid_until.isoformat()
        return {"valid_until": until, "balances": True, "transactions": self.transactions}

    @property
    def person_hash(self) -> str:
        """The vendor's hash of whoever authorised it."""
        return sha256(self.id.encode()).hexdigest()


class Sessions:
    """All of them, in memory and in the store of the world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_code: dict[str, Session] = {}
        self._by_id: dict[str, Session] = {}
        self._by_uid: dict[str, tuple[Session, str]] = {}
        for session in world.store.all_of("eb_session", Session):
            self._index(session)

    def _index(self, session: Session) -> None:
        self._by_code[session.code] = session
        self._by_id[session.session_id] = session
        if session.opened_at is not None:
            for iban in self.consent(session).resources.values():
                self._by_uid[session.uid(iban)] = (session, iban)

    def keep(self, session: Session) -> None:
        """Remember a session, or what has changed about it."""
        self._world.store.put("eb_session", session.id, session)
        self._index(session)

    def consent(self, session: Session) -> Consent:
        """The consent at the bank behind it. Raises `No`."""
        consent = self._world.consents.get(session.bank_id, session.id)
        if consent is None:
            raise No("SESSION_DOES_NOT_EXIST")
        return consent

    def of_code(self, code: Any) -> Session:
        """The authorisation a code belongs to. Raises `No`."""
        session = self._by_code.get(code) if isinstance(code, str) else None
        if session is None:
            raise No("WRONG_AUTHORIZATION_CODE")
        return session

    def opened(self, session_id: str) -> Session:
        """A session that was opened once. Raises `No`."""
        session = self._by_id.get(session_id)
        if session is None or session.opened_at is None:
            raise No("SESSION_DOES_NOT_EXIST")
        return session

    def of_account(self, uid: str) -> tuple[Session, str]:
        """The session and the IBAN of an account's id. Raises `No`."""
        if uid not in self._by_uid:
            raise No("ACCOUNT_DOES_NOT_EXIST")
        return self._by_uid[uid]

    def status(self, session: Session) -> str:
        """The vendor's word for an opened session."""
        now = self._world.now()
        standing = self._world.consents.status(self.consent(session), now)
        if session.closed_at is not None or standing is ConsentStatus.TERMINATED:
            return "CLOSED"
        if standing is ConsentStatus.REVOKED:
            return "REVOKED"
        if standing is ConsentStatus.EXPIRED or now >= session.valid_until:
            return "EXPIRED"
        return "AUTHORIZED"

    def check(self, session: Session) -> None:
        """Raises `No` unless the session is authorised."""
        status = self.status(session)
        if status != "AUTHORIZED":
            raise No(f"{status}_SESSION")
