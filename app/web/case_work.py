"""What a person needs at hand on a case: may he dial, what stands promised, what to suggest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from app.domain.task import CALLS, TaskOutcome
from app.flows.work.call_window import CallWindow, call_window
from app.reference import formats
from app.reports.case_file import CaseFile
from app.reports.new_contacts import NewContacts, new_contacts
from app.reports.promise_book import CasePromises, promises_of_case
from app.reports.reminder_list import ReminderLine, reminders_of_case
from app.store.unit import Unit
from app.web.seats import Seat
from app.web.site import Site

# The outcomes of a call, by the one key each of them has.
KEYS: Final[tuple[tuple[int, TaskOutcome], ...]] = (
    (1, TaskOutcome.PROMISE),
    (2, TaskOutcome.NO_ANSWER),
    (3, TaskOutcome.WRONG_NUMBER),
    (4, TaskOutcome.CALL_BACK),
    (5, TaskOutcome.DISPUTE),
    (6, TaskOutcome.HARDSHIP),
    (7, TaskOutcome.REFUSES),
    (8, TaskOutcome.PAID_ALREADY),
    (9, TaskOutcome.THIRD_PARTY),
    (0, TaskOutcome.REACHED),
)
# Without a key: it ends a task about which nobody need have been called.
OTHERS: Final = (TaskOutcome.RESOLVED,)
# What can be said of a call made elsewhere; a promise and a call back are taken on the case.
OF_CONTACTS: Final = tuple(
    one for one in TaskOutcome if one not in (TaskOutcome.PROMISE, TaskOutcome.CALL_BACK)
)


@dataclass(frozen=True, slots=True)
class CaseWork:
    """`may_call` is the sentence above the number; `call_at` what a call back begins from.

    `at_work`: the sentence is about a call to his place of work. `new` is what the desk entered and
    nobody has confirmed.
    """

    window: CallWindow
    may_call: str
    promises: CasePromises
    reminders: tuple[ReminderLine, ...]
    call_at: datetime
    new: NewContacts
    at_work: bool = False


async def work_of_case(
    unit: Unit,
    site: Site,
    seat: Seat,
    file: CaseFile,
    now: datetime,
    zone: ZoneInfo,
    *,
    at_work: bool = False,
) -> CaseWork:
    """Read it for one case. Changes nothing."""
    window = await call_window(
        unit,
        site.house.packs,
        now,
        borrower_id=file.person.id,
        case_ids=(file.id,),
        at_work=at_work,
    )
    promises = await promises_of_case(unit, now, file.id, due=file.due, zone=zone)
    may_call = dialling(window, now)
    if promises.standing is not None:
        last = formats.short_day(promises.standing.last_due_on, "en")
        may_call = f"A promise stands until {last}: there is no need to call. {may_call}"
    return CaseWork(
        window=window,
        may_call=may_call,
        promises=promises,
        reminders=await reminders_of_case(unit, file.id, seat.user_id),
        call_at=tomorrow_morning(now, zone),
        at_work=at_work,
        new=await new_contacts(unit, file.person.id),
    )


def dialling(window: CallWindow, now: datetime) -> str:
    """Whether and when the borrower may be called, by his own clock."""
    zone = ZoneInfo(window.zone)
    place = formats.place(zone, "en")
    if window.allowed:
        until = window.until
        if until is None:
            return "You may call now."
        return f"You may call now, until {formats.near_time(until, now, zone, 'en')} in {place}."
    if window.opens_at is None:
        return f"Do not call. {window.because}"
    opens = formats.near_time(window.opens_at, now, zone, "en")
    return f"Not before {opens} in {place}: {window.because}"


def promised_steps(promises: CasePromises, today: date) -> list[str]:
    """What an open promise keeps everybody from, and what is sent nevertheless."""
    if promises.standing is None:
        return []
    last = formats.short_day(promises.standing.last_due_on, "en")
    steps = [f"Promised until {last}: nobody calls before, and the day after decides."]
    ahead = [on for on in promises.standing.reminded_on if on >= today]
    if ahead:
        reminded = formats.short_day(min(ahead), "en")
        steps.append(f"A reminder of the promise goes out on {reminded}.")
    return steps


def tomorrow_morning(now: datetime, zone: ZoneInfo) -> datetime:
    """Ten o'clock on the next day at the desk: what a form begins from, not a rule."""
    return datetime.combine(now.astimezone(zone).date() + timedelta(days=1), time(10), zone)


def is_call(reason: object) -> bool:
    """Does this task ask for a call?"""
    return reason in CALLS
