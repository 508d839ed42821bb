"""What happens regularly, as data. The clock only starts work; what is due stands in the database.

`every` is real time: how often somebody looks. In a warped demo the looks come closer together
(`ticker.py`), because an hour of business may pass in seconds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from app.flows.books.apply_book import apply_books
from app.flows.cases.flag_cases import flag_cases
from app.flows.cases.open_cases import open_cases
from app.flows.consents.follow_consents import plan_consents
from app.flows.messages.deliver_messages import plan_messages
from app.flows.messages.deliver_outbox import plan_outbox
from app.flows.messages.end_links import end_links
from app.flows.messages.follow_messages import plan_receipts
from app.flows.messages.remind_ahead import remind_ahead
from app.flows.payments.follow_payments import plan_payments
from app.flows.providers.handle_inbox import plan_inbox
from app.flows.reads.erase_figures import erase_figures
from app.flows.reads.plan_reads import plan_reads
from app.flows.signals.decide_signals import plan_signals
from app.flows.signals.expire_signals import expire_signals
from app.flows.stamp_history import stamp_history
from app.flows.strategies.step_cases import plan_steps
from app.flows.tidy import tidy
from app.flows.work.assign_tasks import assign_tasks
from app.flows.work.keep_reminders import raise_reminders
from app.flows.work.tell_undone import tell_undone
from app.flows.work.watch_promises import watch_promises
from app.flows.work.work_task import give_back_tasks


@dataclass(frozen=True, slots=True)
class Entry:
    """One regular look: a flow `look(house, now)` that finds what is due, bounded per tick."""

    name: str
    every: timedelta
    look: Callable[..., Awaitable[Any]]
    minds_speed: bool = False
    """The look takes `speed`, business seconds per real second (it has a tolerance in both)."""


TIMETABLE: tuple[Entry, ...] = (
    Entry("plan_reads", timedelta(seconds=20), plan_reads, minds_speed=True),
    Entry("plan_signals", timedelta(seconds=10), plan_signals),
    Entry("plan_messages", timedelta(seconds=5), plan_messages),
    Entry("plan_receipts", timedelta(seconds=10), plan_receipts),
    Entry("plan_payments", timedelta(seconds=5), plan_payments),
    Entry("plan_consents", timedelta(seconds=15), plan_consents),
    Entry("plan_outbox", timedelta(seconds=2), plan_outbox),
    Entry("plan_inbox", timedelta(seconds=2), plan_inbox),
    Entry("open_cases", timedelta(seconds=30), open_cases),
    Entry("flag_cases", timedelta(seconds=60), flag_cases),
    Entry("apply_books", timedelta(seconds=2), apply_books),
    Entry("watch_promises", timedelta(seconds=30), watch_promises),
    Entry("raise_reminders", timedelta(seconds=30), raise_reminders),
    Entry("remind_ahead", timedelta(seconds=60), remind_ahead),
    Entry("plan_steps", timedelta(seconds=20), plan_steps),
    Entry("end_links", timedelta(seconds=30), end_links),
    Entry("expire_signals", timedelta(minutes=5), expire_signals),
    Entry("give_back_tasks", timedelta(seconds=60), give_back_tasks),
    Entry("assign_tasks", timedelta(seconds=15), assign_tasks),
    Entry("tell_undone", timedelta(minutes=5), tell_undone),
    Entry("erase_figures", timedelta(minutes=10), erase_figures),
    Entry("stamp_history", timedelta(minutes=1), stamp_history),
    Entry("tidy", timedelta(minutes=30), tidy),
)
