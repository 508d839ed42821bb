"""The kinds of balances, in the words of app/domain/balance.py, however a provider spells them.

Banks of one standard write `interimAvailable`, `InterimAvailable`, `INTERIM_AVAILABLE` and the
code of ISO 20022, `ITAV` (BalanceType); all of these mean the same. A word that is none of them
stays as it is.
"""

from __future__ import annotations

_BY_CODE = {
    "ITAV": "interimAvailable",
    "CLAV": "closingAvailable",
    "FWAV": "forwardAvailable",
    "XPCD": "expected",
    "ITBD": "interimBooked",
    "CLBD": "closingBooked",
    "OPAV": "openingAvailable",
    "OPBD": "openingBooked",
    "PRCD": "previouslyClosedBooked",
    "INFO": "information",
    "VALU": "valueDate",
    "OTHR": "other",
}
_WORDS = (
    *_BY_CODE.values(),
    "interimCleared",
    "closingCleared",
    "openingCleared",
    "authorised",
    "nonInvoiced",
)
_AS_THEY_ARE = frozenset(_WORDS)
_BY_LETTERS = {word.casefold(): word for word in _WORDS} | {
    code.casefold(): word for code, word in _BY_CODE.items()
}


def kind_of(word: str) -> str:
    """The kind that a provider's word means; of any other word the word itself."""
    if word in _AS_THEY_ARE:
        return word
    return _BY_LETTERS.get("".join(filter(str.isalpha, word)).casefold(), word)
