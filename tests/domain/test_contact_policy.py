"""The contact gate by example: each rule, its sentence, and the days the clock changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain.contact_policy import (
    Check,
    Contact,
    ContactPurpose,
    ContactQuestion,
    Hold,
    Verdict,
    may_contact,
)
from app.domain.errors import Invalid
from app.domain.jurisdiction import (
    Cap,
    ChannelVariety,
    CoolDown,
    Hours,
    Never,
    NoHolidays,
    Pack,
    Scope,
    Strength,
)
from app.domain.message import Channel
from tests.domain.gate_world import CASES, pack_of, rule, week

MADRID = ZoneInfo("Europe/Madrid")
WEEK = timedelta(days=7)
SMS, EMAIL, CALL = Channel.SMS, Channel.EMAIL, Channel.CALL
OFFICE = pack_of(rule(Hours(week("09:00-20:00", range(6)))))


def madrid(month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=MADRID).astimezone(UTC)


TUESDAY = madrid(11, 3, 10)


def ask(now: datetime = TUESDAY, **changes: object) -> ContactQuestion:
    base = ContactQuestion(now, SMS, frozenset({"Europe/Madrid"}), frozenset({CASES[0]}))
    return replace(base, **changes)  # type: ignore[arg-type]


def check(verdict: Verdict, name: str) -> Check:
    (found,) = [one for one in verdict.checks if one.rule == name]
    return found


# ------------------------------------------------------------------ hours


def test_within_the_hours_the_message_may_live_until_they_end() -> None:
    verdict = may_contact(ask(), OFFICE)
    assert verdict.allowed
    assert verdict.earliest_at == TUESDAY
    assert verdict.valid_until == madrid(11, 3, 20)
    assert verdict.because == ""
    assert check(verdict, "hours").words == (
        "It is Tuesday 10:00 in Europe/Madrid. Texts, e-mails and calls are allowed "
        "Monday to Saturday 09:00–20:00."
    )


@pytest.mark.parametrize(
    ("now", "earliest"),
    [
        (madrid(11, 3, 8, 59), madrid(11, 3, 9)),
        (madrid(11, 3, 20), madrid(11, 4, 9)),
        (madrid(11, 7, 21), madrid(11, 9, 9)),
        (madrid(11, 8, 12), madrid(11, 9, 9)),
        # Across both changes of the clock: nine o'clock is nine o'clock.
        (madrid(10, 24, 22), madrid(10, 26, 9)),
        (madrid(3, 28, 22), madrid(3, 30, 9)),
    ],
)
def test_outside_the_hours_it_says_when_they_begin(now: datetime, earliest: datetime) -> None:
    verdict = may_contact(ask(now), OFFICE)
    assert (verdict.allowed, verdict.earliest_at, verdict.valid_until) == (False, earliest, None)
    assert "outside the hours of contact" in verdict.because


def test_two_possible_zones_must_both_be_open() -> None:
    both = frozenset({"Europe/Madrid", "Atlantic/Canary"})
    assert may_contact(ask(madrid(11, 3, 9, 30), zones=both), OFFICE).earliest_at == madrid(
        11, 3, 10
    )
    verdict = may_contact(ask(madrid(11, 3, 19), zones=both), OFFICE)
    assert verdict.valid_until == madrid(11, 3, 20)
    assert "18:00 in Atlantic/Canary and Tuesday 19:00 in Europe/Madrid" in check(
        verdict, "hours"
    ).words  # fmt: skip


def test_zones_that_never_share_an_hour_never_allow() -> None:
    apart = frozenset({"Europe/Madrid", "Pacific/Auckland"})
    narrow = pack_of(rule(Hours(week("09:00-11:00"))))
    assert may_contact(ask(zones=apart), narrow).earliest_at is None


def test_the_countrys_zones_stand_in_for_an_unknown_one() -> None:
    spain = replace(OFFICE, zones=frozenset({"Europe/Madrid", "Atlantic/Canary"}))
    verdict = may_contact(ask(madrid(11, 3, 9, 30), zones=frozenset()), spain)
    assert verdict.earliest_at == madrid(11, 3, 10)
    assert "own time zone is not known" in check(verdict, "time_zone").words


def test_without_any_zone_nobody_is_contacted() -> None:
    verdict = may_contact(ask(zones=frozenset()), replace(OFFICE, zones=frozenset()))
    assert (verdict.allowed, verdict.earliest_at) == (False, None)
    assert not check(verdict, "time_zone").passed


def test_many_zones_are_summed_up_in_words() -> None:
    many = frozenset({"America/New_York", "America/Chicago", "America/Denver", "Pacific/Honolulu"})
    verdict = may_contact(ask(zones=many), OFFICE)
    assert "4 possible time zones" in check(verdict, "hours").words
    assert "4 zones" in check(verdict, "time_zone").words


def test_a_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Invalid):
        may_contact(ask(zones=frozenset({"Europe/Atlantis"})), OFFICE)


def test_without_hours_a_permission_lasts_a_day() -> None:
    verdict = may_contact(ask(), pack_of())
    assert verdict.valid_until == TUESDAY + timedelta(days=1)


def test_hours_around_the_clock_last_a_day_too() -> None:
    verdict = may_contact(ask(), pack_of(rule(Hours(week("00:00-24:00")))))
    assert verdict.valid_until == TUESDAY + timedelta(days=1)


# ------------------------------------------------------------------ holidays


def test_holidays_are_passed_over_with_the_weekend() -> None:
    pack = pack_of(rule(Hours(week("09:00-20:00", range(5)))), rule(NoHolidays()))
    christmas = ask(madrid(12, 25, 12), holidays=frozenset({date(2026, 12, 25)}))
    verdict = may_contact(christmas, pack)
    assert verdict.earliest_at == madrid(12, 28, 9)
    assert check(verdict, "noholidays").words == (
        "It is Friday 12:00 in Europe/Madrid, a public holiday for the borrower."
    )
    assert check(may_contact(ask(), pack), "noholidays").words.endswith("no public holiday.")


def test_holidays_without_end_are_never_over() -> None:
    pack = pack_of(rule(NoHolidays()))
    closed = frozenset(TUESDAY.date() + timedelta(days=n) for n in range(-2, 40))
    both = frozenset({"Europe/Madrid", "Atlantic/Canary"})
    assert may_contact(ask(holidays=closed, zones=both), pack).earliest_at is None


def test_a_permission_ends_before_a_holiday_begins() -> None:
    pack = pack_of(rule(NoHolidays()))
    eve = ask(madrid(12, 24, 22), holidays=frozenset({date(2026, 12, 25)}))
    assert may_contact(eve, pack).valid_until == madrid(12, 25, 0)


# ------------------------------------------------------------------ caps


def past(*ago: timedelta, channel: Channel = SMS, **changes: object) -> tuple[Contact, ...]:
    return tuple(
        Contact(TUESDAY - gap, channel, frozenset({CASES[0]}))._replace(**changes)  # type: ignore[arg-type]
        for gap in ago
    )


THREE = pack_of(rule(Cap(3, Scope.PERSON, WEEK)))
HOUR = timedelta(hours=1)


def test_a_rolling_cap_frees_with_the_oldest_contact() -> None:
    history = past(6 * timedelta(days=1), 30 * HOUR, 2 * HOUR)
    verdict = may_contact(ask(history=history), THREE)
    assert verdict.earliest_at == TUESDAY + timedelta(days=1)
    assert check(verdict, "cap").words == "3 of at most 3 contacts with this person in 7 days used."
    assert may_contact(ask(history=history[1:]), THREE).allowed
    assert may_contact(ask(history=past(WEEK, HOUR, HOUR)), THREE).allowed


def test_the_cap_that_leaves_the_least_is_named() -> None:
    wide = rule(Cap(9, Scope.PERSON, WEEK))
    both = pack_of(wide, rule(Cap(3, Scope.PERSON, WEEK)))
    said = "1 of at most 3 contacts with this person in 7 days used."
    assert may_contact(ask(history=past(HOUR)), both).tightest == said
    # Four were made before the narrower one came: no cap leaves less than nothing.
    full = may_contact(ask(history=past(*[HOUR] * 4)), both)
    assert [one.left for one in full.checks if one.left is not None] == [5, 0]
    assert may_contact(ask(), pack_of()).tightest == ""


@pytest.mark.parametrize("harmless", [{"outbound": False}, {"counts": False}, {"channel": CALL}])
def test_what_does_not_count(harmless: dict[str, object]) -> None:
    texts_only = pack_of(rule(Cap(1, Scope.PERSON, WEEK), channels=frozenset({SMS})))
    assert may_contact(ask(history=past(HOUR, **harmless)), texts_only).allowed  # type: ignore[arg-type]
    assert not may_contact(ask(history=past(HOUR)), texts_only).allowed


def test_a_rule_for_other_channels_is_not_asked() -> None:
    calls_only = pack_of(rule(Cap(1, Scope.PERSON, WEEK), channels=frozenset({CALL})))
    verdict = may_contact(ask(history=past(HOUR, channel=CALL)), calls_only)
    assert verdict.allowed
    assert "cap" not in [one.rule for one in verdict.checks]


def test_debts_are_counted_each_for_itself() -> None:
    per_debt = pack_of(rule(Cap(1, Scope.DEBT, WEEK)))
    other = past(HOUR, case_ids=frozenset({CASES[1]}))
    both = past(HOUR, case_ids=frozenset(CASES[:2]))
    unnamed = past(HOUR, case_ids=frozenset())
    assert may_contact(ask(history=other), per_debt).allowed
    assert not may_contact(ask(history=both), per_debt).allowed
    assert not may_contact(ask(history=unnamed), per_debt).allowed
    about_both = ask(history=other, case_ids=frozenset(CASES[:2]))
    assert not may_contact(about_both, per_debt).allowed
    assert not may_contact(ask(history=other, case_ids=frozenset()), per_debt).allowed
    assert "about this debt" in check(may_contact(ask(history=both), per_debt), "cap").words


def test_a_daily_cap_ends_with_the_borrowers_day() -> None:
    daily = pack_of(rule(Cap(1, Scope.PERSON, None)))
    verdict = may_contact(ask(history=past(9 * HOUR)), daily)
    assert verdict.earliest_at == madrid(11, 4, 0)
    assert "1 of at most 1 contacts with this person today used." in verdict.because
    assert may_contact(ask(history=past(11 * HOUR)), daily).allowed
    # In the Canary Islands it is still the day of the contact.
    canary = ask(madrid(11, 4, 0, 30), zones=frozenset({"Atlantic/Canary"}), history=past(HOUR))
    assert may_contact(canary, daily).earliest_at == madrid(11, 4, 1)


def test_a_daily_cap_on_the_long_day_lasts_its_25_hours() -> None:
    daily = pack_of(rule(Cap(1, Scope.PERSON, None)))
    early = Contact(madrid(10, 25, 0, 10), SMS)
    verdict = may_contact(ask(madrid(10, 25, 0, 20), history=(early,)), daily)
    assert verdict.earliest_at == datetime(2026, 10, 25, 23, tzinfo=UTC)


# ------------------------------------------------------------------ conversations and channels


def test_after_a_conversation_there_is_a_rest_whoever_called() -> None:
    pack = pack_of(rule(CoolDown(WEEK, Scope.DEBT)))
    for outbound in (True, False):
        spoke = past(2 * HOUR, channel=CALL, conversation=True, outbound=outbound)
        verdict = may_contact(ask(history=spoke), pack)
        assert verdict.earliest_at == TUESDAY - 2 * HOUR + WEEK
        assert "nobody is contacted for 7 days" in verdict.because
    assert may_contact(ask(history=past(2 * HOUR, channel=CALL)), pack).allowed
    rested = may_contact(ask(history=past(WEEK, conversation=True)), pack)
    assert "longer than 7 days ago" in check(rested, "cooldown").words
    about_other = past(HOUR, conversation=True, case_ids=frozenset({CASES[1]}))
    assert may_contact(ask(history=about_other), pack).allowed
    assert "No conversation" in check(may_contact(ask(), pack), "cooldown").words


def test_only_so_many_channels_in_a_week() -> None:
    one = pack_of(rule(ChannelVariety(1, WEEK)))
    called = past(30 * HOUR, channel=CALL)
    verdict = may_contact(ask(history=called), one)
    assert verdict.earliest_at == TUESDAY - 30 * HOUR + WEEK
    assert verdict.because == "At most one way of contact in 7 days; also used: call."
    assert may_contact(ask(history=past(HOUR)), one).allowed
    two = pack_of(rule(ChannelVariety(2, WEEK)))
    assert may_contact(ask(history=called), two).allowed
    busy = (*called, *past(5 * HOUR, channel=EMAIL))
    assert may_contact(ask(history=busy), two).earliest_at == TUESDAY - 30 * HOUR + WEEK
    assert "2 ways" in check(may_contact(ask(history=busy), two), "channelvariety").words
    assert "no other was used" in check(may_contact(ask(), one), "channelvariety").words


# ------------------------------------------------------------------ brakes


def test_an_opt_out_does_not_pass_with_time() -> None:
    verdict = may_contact(ask(opted_out=frozenset({SMS})), OFFICE)
    assert (verdict.allowed, verdict.earliest_at) == (False, None)
    assert verdict.because == "The borrower does not want texts."
    assert may_contact(ask(opted_out=frozenset({EMAIL, CALL})), OFFICE).allowed


def test_the_stop_switch_halts_its_channel_whatever_the_purpose() -> None:
    for purpose in ContactPurpose:
        verdict = may_contact(ask(stopped=frozenset({SMS}), purpose=purpose), OFFICE)
        assert (verdict.allowed, verdict.earliest_at) == (False, None)
        assert "stop switch for texts is on" in verdict.because
    assert may_contact(ask(stopped=frozenset({CALL})), OFFICE).allowed


def test_a_hold_ends_at_its_end_and_an_open_one_never() -> None:
    until = madrid(11, 10, 22)
    ended, timed, open_end = Hold("illness", TUESDAY), Hold("dispute", until), Hold("deceased")
    assert may_contact(ask(holds=(ended,)), OFFICE).allowed
    verdict = may_contact(ask(holds=(ended, timed)), OFFICE)
    assert verdict.earliest_at == madrid(11, 11, 9)
    assert verdict.because == "On hold (dispute) until Tuesday 2026-11-10 at 22:00 (Europe/Madrid)."
    both = may_contact(ask(holds=(timed, open_end, timed)), OFFICE)
    assert both.earliest_at is None
    assert both.because == "On hold (dispute, deceased) until somebody lifts it."


def test_without_a_zone_a_hold_is_told_in_utc() -> None:
    nowhere = replace(OFFICE, zones=frozenset())
    spoken = past(HOUR, conversation=True)
    pack = replace(nowhere, rules=(*OFFICE.rules, rule(CoolDown(WEEK, Scope.PERSON))))
    until = madrid(11, 10, 22)
    verdict = may_contact(
        ask(zones=frozenset(), holds=(Hold("dispute", until),), history=spoken), pack
    )
    assert "Tuesday 2026-11-10 at 21:00 (UTC)" in check(verdict, "hold").words
    assert "Tuesday 2026-11-03 at 08:00 (UTC)" in check(verdict, "cooldown").words


def test_a_notice_the_law_demands_keeps_hours_and_holds_only() -> None:
    pack = pack_of(
        rule(Hours(week("09:00-20:00"))),
        rule(NoHolidays()),
        rule(Cap(1, Scope.PERSON, WEEK)),
        rule(CoolDown(WEEK, Scope.PERSON)),
        rule(ChannelVariety(1, WEEK)),
    )
    busy: dict[str, Any] = {
        "history": past(HOUR, channel=CALL, conversation=True),
        "opted_out": frozenset({SMS}),
    }
    assert not may_contact(ask(**busy), pack).allowed
    notice = ask(**busy, purpose=ContactPurpose.REQUIRED_NOTICE)
    verdict = may_contact(notice, pack)
    assert verdict.allowed
    assert [one.rule for one in verdict.checks] == [
        "stop_switch", "hold", "time_zone", "hours", "noholidays",
    ]  # fmt: skip
    assert not may_contact(replace(notice, now=madrid(11, 3, 21)), pack).allowed
    assert not may_contact(replace(notice, holds=(Hold("deceased"),)), pack).allowed


def test_an_answer_keeps_every_rule_and_passes_a_hold_that_leaves_him_his_own_voice() -> None:
    dispute, lawyer = Hold("dispute", answers_too=False), Hold("represented")
    assert not may_contact(ask(holds=(dispute,)), OFFICE).allowed
    answer = ask(holds=(dispute,), purpose=ContactPurpose.ANSWER)
    assert may_contact(answer, OFFICE).allowed
    assert not may_contact(replace(answer, holds=(dispute, lawyer)), OFFICE).allowed
    assert not may_contact(replace(answer, opted_out=frozenset({SMS})), OFFICE).allowed
    assert not may_contact(replace(answer, now=madrid(11, 3, 21)), OFFICE).allowed
    assert not may_contact(replace(answer, history=past(HOUR, HOUR, HOUR)), THREE).allowed


def test_a_cap_on_contacts_leaves_out_calls_that_reached_nobody() -> None:
    reached = pack_of(rule(Cap(1, Scope.PERSON, WEEK, reached_only=True)))
    missed = past(2 * HOUR, HOUR, channel=CALL)
    assert may_contact(ask(history=missed), reached).allowed
    spoke = (*missed, *past(3 * HOUR, channel=CALL, conversation=True))
    verdict = may_contact(ask(history=spoke), reached)
    assert verdict.earliest_at == TUESDAY - 3 * HOUR + WEEK
    assert "1 of at most 1 contacts that reached the person" in verdict.because
    assert not may_contact(ask(history=past(HOUR)), reached).allowed, "a text has reached him"


def test_the_place_of_work_has_rules_of_its_own() -> None:
    pack = pack_of(
        rule(Hours(week("09:00-20:00"))),
        rule(Never(), channels=frozenset({CALL}), at_work=True),
    )
    call = ask(channel=CALL)
    assert may_contact(call, pack).allowed
    verdict = may_contact(replace(call, at_work=True), pack)
    assert (verdict.allowed, verdict.earliest_at) == (False, None)
    assert verdict.because == "Calls are not allowed at the borrower's place of work."
    assert may_contact(replace(call, channel=SMS, at_work=True), pack).allowed


# ------------------------------------------------------------------ the record


def full_pack() -> Pack:
    return pack_of(
        rule(Hours(week("09:00-20:00"))),
        rule(NoHolidays()),
        rule(Cap(1, Scope.PERSON, WEEK)),
        rule(CoolDown(WEEK, Scope.PERSON)),
        rule(ChannelVariety(1, WEEK)),
    )


def test_every_rule_is_listed_even_after_a_refusal() -> None:
    verdict = may_contact(ask(stopped=frozenset({SMS}), opted_out=frozenset({SMS})), full_pack())
    assert [one.rule for one in verdict.checks] == [
        "stop_switch", "opt_out", "hold", "time_zone",
        "hours", "noholidays", "cap", "cooldown", "channelvariety",
    ]  # fmt: skip
    assert [one.rule for one in verdict.checks if not one.passed] == ["stop_switch", "opt_out"]
    for one in verdict.checks:
        assert one.words.endswith(".")
        assert one.source
        assert one.strength in Strength


def test_a_verdict_names_its_rules_and_their_version() -> None:
    assert may_contact(ask(), OFFICE).pack == "ES 2026-11-01"
    assert may_contact(ask(madrid(11, 8, 9)), OFFICE).pack == "ES 2026-11-01"


def test_a_rule_holds_from_its_day_on() -> None:
    later = pack_of(
        rule(Hours(week("09:00-20:00"))),
        rule(Cap(1, Scope.PERSON, WEEK), since=date(2026, 11, 4)),
    )
    before = ask(madrid(11, 3, 19), history=past(HOUR))
    verdict = may_contact(before, later)
    assert verdict.allowed
    assert [one.rule for one in verdict.checks][-1] == "hours"
    # In the evening it will be in force before the hours open again.
    evening = may_contact(ask(madrid(11, 3, 21), history=past(HOUR)), later)
    assert evening.earliest_at == TUESDAY - HOUR + WEEK


def test_a_permission_ends_where_a_new_rule_begins() -> None:
    soon = pack_of(rule(NoHolidays(), since=date(2026, 11, 4)))
    assert may_contact(ask(), soon).valid_until == datetime(2026, 11, 4, tzinfo=UTC)
