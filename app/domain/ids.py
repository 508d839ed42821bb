"""Typed identifiers, self-masking personal values, and derived idempotency keys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NewType
from uuid import UUID, uuid5

from app.domain.errors import Invalid

LenderId = NewType("LenderId", UUID)
UserId = NewType("UserId", UUID)
BorrowerId = NewType("BorrowerId", UUID)
LoanId = NewType("LoanId", UUID)
CaseId = NewType("CaseId", UUID)
ConsentRequestId = NewType("ConsentRequestId", UUID)
ConsentId = NewType("ConsentId", UUID)
AccountId = NewType("AccountId", UUID)
AttemptId = NewType("AttemptId", UUID)
ReadingId = NewType("ReadingId", UUID)
SignalId = NewType("SignalId", UUID)
LinkId = NewType("LinkId", UUID)
MessageId = NewType("MessageId", UUID)
PaymentId = NewType("PaymentId", UUID)
TaskId = NewType("TaskId", UUID)
HoldId = NewType("HoldId", UUID)

_KEY_SPACE = UUID("6f1a3c52-8c0e-5d0b-9a54-5a1d0c4e7b90")


def derive_key(cause: UUID | str, step: str, ordinal: int = 0) -> UUID:
    """The idempotency key of one effect of one cause.

    The same cause, step and ordinal always give the same key (UUIDv5), so an effect cannot
    be queued twice, and a retry after a crash carries the same key to the provider.
    """
    return uuid5(_KEY_SPACE, f"{cause}|{step}|{ordinal}")


OURS: Final = "saldo:"
"""What references of our own entries of money begin with, and no lender's reference does."""


def check_not_ours(external_ref: str, field: str = "external_ref") -> None:
    """Raises `Invalid` for a reference that could be that of an entry of ours.

    Money that comes later would be taken for money that was booked, or for a contradiction.
    """
    if external_ref.startswith(OURS):
        raise Invalid(
            field,
            f'begins with "{OURS}", as our own entries do.',
            mend="Give your own reference.",
        )


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A token or credential. Shows itself only through `reveal()`."""

    _value: str

    def reveal(self) -> str:
        """The bare value. Allowed in connectors, in the store's types and nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True, repr=False)
class Iban:
    """An IBAN whose check digits are right (ISO 13616, mod 97). Masked when shown."""

    _value: str

    @classmethod
    def parse(cls, text: str, *, field: str = "iban") -> Iban:
        """Normalise and check. Raises `Invalid` naming `field`."""
        value = re.sub(r"\s", "", text).upper() if isinstance(text, str) else ""
        if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", value, re.ASCII):
            raise Invalid(
                field,
                "does not have the form of an IBAN.",
                mend="Write it as the bank does, such as ES91 2100 0418 4502 0005 1332.",
            )
        digits = "".join(str(int(char, 36)) for char in value[4:] + value[:4])
        if int(digits) % 97 != 1:
            raise Invalid(field, "has wrong check digits.", mend="Check it for a typing error.")
        return cls(value)

    def reveal(self) -> str:
        """The full number."""
        return self._value

    @property
    def country(self) -> str:
        """ISO 3166 alpha-2 code."""
        return self._value[:2]

    @property
    def masked(self) -> str:
        """Country and last four, enough for its owner to recognise it."""
        return f"{self._value[:2]}•• •••• {self._value[-4:]}"

    def __repr__(self) -> str:
        return f"Iban({self.masked})"

    def __str__(self) -> str:
        return self.masked


@dataclass(frozen=True, slots=True, repr=False)
class Phone:
    """A telephone number in E.164 form. Masked when shown."""

    _value: str

    @classmethod
    def parse(cls, text: str, *, field: str = "phone") -> Phone:
        """Accepts "+34 612 345 678" and the like. Raises `Invalid` naming `field`."""
        value = re.sub(r"[\s().-]", "", text) if isinstance(text, str) else ""
        if not re.fullmatch(r"\+[1-9]\d{6,14}", value, re.ASCII):
            raise Invalid(
                field,
                "is not an international telephone number.",
                mend='Write it like "+34612345678".',
            )
        return cls(value)

    def reveal(self) -> str:
        """The full number."""
        return self._value

    @property
    def masked(self) -> str:
        """Prefix and last two digits."""
        return f"{self._value[:3]}•••••{self._value[-2:]}"

    def __repr__(self) -> str:
        return f"Phone({self.masked})"

    def __str__(self) -> str:
        return self.masked


_LOCAL = r"(?!\.)(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]|\.(?!\.|$)){1,64}"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"


@dataclass(frozen=True, slots=True, repr=False)
class EmailAddress:
    """An e-mail address that any server takes (RFC 5321, ASCII). Masked when shown."""

    _value: str

    @classmethod
    def parse(cls, text: str, *, field: str = "email") -> EmailAddress:
        """The host's letters become small, those before the "@" stay. Raises `Invalid`."""
        value = text.strip() if isinstance(text, str) else ""
        local, _, host = value.rpartition("@")
        if (
            len(value) > 254
            or not re.fullmatch(_LOCAL, local, re.ASCII)
            or not re.fullmatch(_HOST, host, re.ASCII)
        ):
            raise Invalid(
                field, "is not an e-mail address.", mend='Write it like "ana@example.com".'
            )
        return cls(f"{local}@{host.lower()}")

    def reveal(self) -> str:
        """The full address."""
        return self._value

    @property
    def masked(self) -> str:
        """First letter and host."""
        local, _, host = self._value.rpartition("@")
        return f"{local[0]}•••@{host}"

    def __repr__(self) -> str:
        return f"EmailAddress({self.masked})"

    def __str__(self) -> str:
        return self.masked
