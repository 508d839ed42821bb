"""At which of a provider's words for a payment money is there: known of a bank, not of a word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import field_validator

from app.pay_ports import PayStatus
from connectors._bank_list import ListedBank

# ISO 20022 (transactionStatus), by what the words mean for the payer's money where the bank's entry
# says nothing else. ACTC and ACCP follow the payer's authorisation at many banks and precede it at
# others, so they are not taken for a yes.
_ISO = {
    **dict.fromkeys(("RCVD", "PDNG", "ACTC", "ACCP", "ACWC"), PayStatus.OPEN),
    **dict.fromkeys(("ACSP", "ACWP", "ACSC", "ACCC"), PayStatus.AUTHORISED),
    "RJCT": PayStatus.REJECTED,
}
_BEFORE_ANY_YES = ("RCVD", "PDNG")


def iso_words(*, cancelled: str, open_too: tuple[str, ...]) -> Mapping[str, PayStatus]:
    """The words of ISO 20022 as one provider uses them."""
    return {
        **_ISO,
        **dict.fromkeys(open_too, PayStatus.OPEN),
        cancelled: PayStatus.CANCELLED,
    }


class WordedBank(ListedBank):
    """One `[[bank]]` that says at which words its money has arrived (`settled_at`)."""

    may_mean_yes: ClassVar[tuple[str, ...]] = ()
    """The words that an entry may take for the payer's yes, or for money."""

    settled_at: tuple[str, ...] = ()
    instant_payments: bool = False

    @field_validator("settled_at", "authorised_at", check_fields=False)
    @classmethod
    def _words_of_a_yes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(word not in cls.may_mean_yes for word in value):
            message = f"must be some of {', '.join(cls.may_mean_yes)}"
            raise ValueError(message)
        return value


class IsoBank(WordedBank):
    """One `[[bank]]` whose payments carry the words of ISO 20022."""

    words: ClassVar[Mapping[str, PayStatus]] = _ISO

    authorised_at: tuple[str, ...] = ()
    needs_debtor_iban: bool = False

    def pay_status(self) -> Mapping[str, PayStatus]:
        """What each word means at this bank."""
        return {
            **self.words,
            **dict.fromkeys(self.authorised_at, PayStatus.AUTHORISED),
            **dict.fromkeys(self.settled_at, PayStatus.SETTLED),
        }


def yes_among(words: Mapping[str, PayStatus]) -> tuple[str, ...]:
    """Those that can come after the payer's yes."""
    came_to_nothing = (PayStatus.REJECTED, PayStatus.CANCELLED)
    return tuple(
        word
        for word, status in words.items()
        if word not in _BEFORE_ANY_YES and status not in came_to_nothing
    )
