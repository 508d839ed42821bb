"""What travels through the sockets may be printed: no record shows what lets somebody in."""

from __future__ import annotations

import dataclasses
from types import ModuleType
from uuid import UUID

import pytest

from app import pay_ports, ports, side_ports
from app.domain.ids import EmailAddress, Phone, Secret
from app.ports import ConsentBegun, Grant, GrantNow, GrantState, OutgoingEmail, OutgoingSms

# Words of ours and of providers, names of banks, codes and references. A new field of text is
# either one of these or hidden.
SHOWN = {
    "id", "name", "country", "time_zone", "bank_id", "raw_status", "currency", "why_unusable",
    "language", "sender_name", "ref", "reason", "event_id", "message_ref", "under_way",
    "description", "usual", "choices", "connector", "creditor_name", "end_to_end_ref",
    "remittance", "notes",
}  # fmt: skip
TEXT = ("str", "str | None", "bytes", "Mapping[str, str]", "tuple[tuple[str, str], ...]",
        "tuple[str, ...]", "frozenset[str]")  # fmt: skip
CANARY = "https://pay.example/l/9f3kq7tokentoken"
KEY = UUID(int=7)


@pytest.mark.parametrize("module", [ports, pay_ports, side_ports])
def test_every_text_of_a_record_is_hidden_or_known_to_be_harmless(module: ModuleType) -> None:
    records = [
        one
        for one in vars(module).values()
        if isinstance(one, type)
        and dataclasses.is_dataclass(one)
        and one.__module__ == module.__name__
    ]
    texts = {
        f"{record.__name__}.{field.name}": field
        for record in records
        for field in dataclasses.fields(record)
        if field.type in TEXT
    }
    assert len(texts) > 5
    shown = [name for name, field in texts.items() if field.repr]
    assert [name for name in shown if name.partition(".")[2] not in SHOWN] == []


def test_tokens_stay_out_of_what_is_printed() -> None:
    phone, mailbox = Phone.parse("+34600111222"), EmailAddress.parse("ana@example.org")
    grant = Grant("b", Secret(CANARY))
    for record in (
        OutgoingSms(KEY, phone, f"Pay: {CANARY}", CANARY, 60, status_url=CANARY),
        OutgoingEmail(KEY, mailbox, "Your loan", f"Pay: {CANARY}", "es", "Lender", CANARY),
        ConsentBegun(grant, CANARY, GrantNow(GrantState.PENDING)),
    ):
        assert CANARY not in repr(record)
        assert CANARY not in str([record])
