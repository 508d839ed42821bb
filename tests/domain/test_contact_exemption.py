"""What counts in no cap, to the minute of the seventh day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from app.domain.contact_exemption import WISH_LASTS, counts_in_caps

AT = datetime(2026, 11, 3, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_a_call_he_asked_for_is_exempt_for_seven_days() -> None:
    assert counts_in_caps(AT)
    assert not counts_in_caps(AT, asked_for_at=AT)
    assert not counts_in_caps(AT, asked_for_at=AT - WISH_LASTS)
    assert counts_in_caps(AT, asked_for_at=AT - WISH_LASTS - MINUTE)
    assert counts_in_caps(AT, asked_for_at=AT + MINUTE), "a wish said afterwards"


def test_what_did_not_connect_or_went_to_his_lawyer_is_no_contact_with_him() -> None:
    assert not counts_in_caps(AT, connected=False)
    assert not counts_in_caps(AT, to_representative=True)
