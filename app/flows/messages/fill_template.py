"""Fill the words in force; where they cannot leave like that, those that ship with Saldo."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from app.domain.errors import Invalid
from app.domain.template import Rendered, Template, render
from app.flows.house import House

log = structlog.get_logger("messages")


def fill_template(house: House, words: Template, values: Mapping[str, str]) -> Rendered:
    """The filled text. What ships is short and asks for little: it stands in for a lender's own
    edition that became too long or lacks a value. Raises `Invalid` (`TooLong`) where none ships.
    """
    try:
        return render(words, values)
    except Invalid as fault:
        shipped = house.templates.find(words.name, words.channel, words.language)
        if shipped is None or not words.own:
            raise
        log.warning("shipped_words_instead", template=words.id, fault=fault.message)
        return render(shipped, values)
