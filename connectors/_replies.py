"""What people write back: the words that stop texts or start them again, and whose number it is.

The same for every SMS provider, so that a word that stops texts at one stops them at all.
"""

from __future__ import annotations

import re
import unicodedata

from app.domain.errors import Invalid
from app.domain.ids import Phone

# Whole texts that mean stop, without accents and case. English is Twilio's own list; no provider
# understands Spanish, Polish and German for us.
STOP_WORDS = frozenset(
    {
        "stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "opt out",
        "baja", "alto", "parar", "para", "basta", "cancelar", "no mas", "darse de baja",
        "dar de baja", "darme de baja",
        "wypisz", "wypisz mnie", "rezygnuje", "rezygnacja", "koniec", "przestan", "usun", "anuluj",
        "stopp", "abmelden", "abbestellen", "aufhoren",
    }
)  # fmt: skip
# Words that mean stop also with more text behind them ("STOP please", "baja por favor").
STOP_FIRST = frozenset({"stop", "stopall", "unsubscribe", "baja", "wypisz", "optout"})
START_WORDS = frozenset({"start", "unstop", "alta", "zapisz"})


def stop_or_start(text: str, opt_out_type: str = "") -> bool | None:
    """True: the sender wants no more messages. False: he wants them again. None: neither.

    `opt_out_type` is the provider's own finding (Twilio: STOP, START) and wins. A doubtful text
    is not taken for a wish to be written to again.
    """
    if opt_out_type:
        return {"STOP": True, "START": False}.get(opt_out_type.upper())
    plain = unicodedata.normalize("NFKD", text.casefold().replace("ł", "l"))
    words = re.findall(r"[a-z]+", "".join(c for c in plain if not unicodedata.combining(c)))
    if not words:
        return None
    if " ".join(words) in STOP_WORDS or words[0] in STOP_FIRST:
        return True
    return False if " ".join(words) in START_WORDS else None


def sender_of(text: str, *, bare: bool = False) -> Phone | None:
    """The number that wrote; `bare`: this provider writes them without the plus sign.

    None for a short code or a name: then there is nobody to find by it.
    """
    number = text.strip()
    if bare and re.fullmatch(r"[1-9][0-9]{9,14}", number, re.ASCII):
        number = f"+{number}"
    try:
        return Phone.parse(number)
    except Invalid:
        return None
