"""Every error Saldo raises on purpose, named by what to do next.

    SaldoError
    ├── Refused            our own rule says no; shown to the caller; never retried
    │   ├── NotFound            404
    │   ├── NotAllowed          403
    │   ├── IllegalTransition   409
    │   ├── Conflict            409
    │   └── Invalid             422   names the field and the mend
    ├── ProviderError      somebody outside; carries connector, operation, safe detail, reference
    │   ├── TryLater            wait `after`, then ask again
    │   ├── AllowanceSpent      no more reads of this account before `until`
    │   ├── ConsentGone         the consent ended; `why` says how
    │   ├── ConsentDoubtful     the bank doubts the consent: ask its status, then decide
    │   ├── Declined            an explicit no, with the provider's reason
    │   ├── OutcomeUnknown      it may have happened: look it up, never repeat blindly
    │   └── Unreadable          the contract drifted: masked body kept, nothing guessed
    └── Misconfigured      at start only: which setting, what is wrong, how to mend it

Three complete tables use this tree: the retry rules (what next), the HTTP answers
(status and page), and the connectors' status-code table.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum


class SaldoError(Exception):
    """Root of everything Saldo raises on purpose."""


class Refused(SaldoError):
    """Our own rule says no. The message is written for the caller and safe to show."""

    status = 400

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).__name__


class NotFound(Refused):
    """There is no such thing, or the caller may not know that there is."""

    status = 404


class NotAllowed(Refused):
    """The caller is known, and may not do this."""

    status = 403


class IllegalTransition(Refused):
    """A lifecycle was asked for a move that its table does not list."""

    status = 409


class Conflict(Refused):
    """Somebody was faster, or the same key was used for something else."""

    status = 409


class Invalid(Refused):
    """A value is wrong. `field` names it and `mend` says what would be right.

    `message` says all of it in one line. Whoever shows the field by itself shows `said` beside it:
    `problem`, then the mend.
    """

    status = 422

    def __init__(self, field: str, message: str, *, mend: str = "") -> None:
        super().__init__(f"{field}: {message}" + (f" {mend}" if mend else ""))
        self.field = field
        self.problem = message
        self.mend = mend

    @property
    def said(self) -> str:
        """What is wrong and what would be right, without the field."""
        return f"{self.problem} {self.mend}".rstrip()


class ConsentEnd(StrEnum):
    """How a consent ended, as far as the provider told us."""

    EXPIRED = "expired"
    REVOKED_AT_BANK = "revoked_at_bank"
    REJECTED = "rejected"
    CLOSED_BY_US = "closed_by_us"
    UNKNOWN_AT_BANK = "unknown_at_bank"


class ProviderError(SaldoError):
    """Something outside did not go as asked. `detail` is masked and safe to log."""

    def __init__(
        self,
        detail: str,
        *,
        connector: str = "",
        operation: str = "",
        reference: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.connector = connector
        self.operation = operation
        self.reference = reference


class TryLater(ProviderError):
    """Nothing happened there; ask again after `after` (None: our own back-off decides)."""

    def __init__(self, detail: str, *, after: timedelta | None = None, **where: str) -> None:
        super().__init__(detail, **where)
        self.after = after


class AllowanceSpent(ProviderError):
    """The bank or the aggregator refuses more reads before `until` (None: it did not say)."""

    def __init__(self, detail: str, *, until: datetime | None = None, **where: str) -> None:
        super().__init__(detail, **where)
        self.until = until


class ConsentGone(ProviderError):
    """The consent no longer carries; reading stops at once."""

    def __init__(self, detail: str, *, why: ConsentEnd, **where: str) -> None:
        super().__init__(detail, **where)
        self.why = why


class ConsentDoubtful(ProviderError):
    """The bank refused with a word that may mean revoked, expired, rejected or not yet valid.

    Nothing was read. The consent's own status (`AggregationPort.grant_now`) is the only answer;
    until it is known the consent stays as it is.
    """


class Declined(ProviderError):
    """An explicit no from outside. `reason` is the provider's own code."""

    def __init__(self, detail: str, *, reason: str, **where: str) -> None:
        super().__init__(detail, **where)
        self.reason = reason


class OutcomeUnknown(ProviderError):
    """The request may have had its effect. Look it up by its key before anything else."""


class Unreadable(ProviderError):
    """The answer does not fit the contract. `body` is masked and kept for a person."""

    def __init__(self, detail: str, *, body: str = "", **where: str) -> None:
        super().__init__(detail, **where)
        self.body = body


class Misconfigured(SaldoError):
    """Saldo cannot start like this. Names the setting, the fault and the mend."""

    def __init__(self, setting: str, problem: str, mend: str) -> None:
        super().__init__(f"{setting}: {problem}. {mend}")
        self.setting = setting
        self.problem = problem
        self.mend = mend
