"""What a rule may leave out, to the minute of the seventh day, and what counts nowhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from app.domain.contact_exemption import WISH_LASTS, asked_for, counts_in_caps

AT = datetime(2026, 11, 3, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_his_wish_is_good_for_seven_days() -> None:
    assert not asked_for(AT, said_at=None)
    assert asked_for(AT, said_at=AT)
    assert asked_for(AT, said_at=AT - WISH_LASTS)
    assert not asked_for(AT, said_at=AT - WISH_LASTS - MINUTE)
    assert not asked_for(AT, said_at=AT + MINUTE), "a wish said afterwards"


def test_what_did_not_connect_or_went_to_his_lawyer_is_no_contact_with_him() -> None:
    assert counts_in_caps()
    assert not counts_in_caps(connected=False)
    assert not counts_in_caps(to_representative=True)
