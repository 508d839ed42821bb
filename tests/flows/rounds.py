"""The jobs a worker knows, and the looks of a round of the timetable, as the street runs them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from app.flows.house import House
from app.flows.messages.deliver_messages import deliver_messages, plan_messages
from app.flows.messages.deliver_outbox import deliver_outbox, plan_outbox
from app.flows.messages.end_links import end_links
from app.flows.messages.follow_messages import follow_messages, plan_receipts
from app.flows.payments.follow_payments import follow_payments, plan_payments
from app.flows.providers.handle_inbox import handle_inbox, plan_inbox
from app.flows.signals.decide_signals import decide_signals, plan_signals
from app.flows.strategies.step_cases import step_cases
from app.flows.work.watch_promises import watch_promises
from app.flows.work.work_task import give_back_tasks
from app.store import jobs

Flow = Callable[[House, datetime, list[UUID]], Awaitable[object]]
FLOWS: dict[str, Flow] = {
    jobs.DECIDE_SIGNALS: decide_signals,
    jobs.DELIVER_MESSAGES: deliver_messages,
    jobs.FOLLOW_MESSAGES: follow_messages,
    jobs.FOLLOW_PAYMENTS: follow_payments,
    jobs.DELIVER_OUTBOX: deliver_outbox,
    jobs.HANDLE_INBOX: handle_inbox,
    jobs.STEP_CASES: step_cases,
}
LOOKS = (
    plan_signals,
    plan_messages,
    plan_receipts,
    plan_payments,
    plan_outbox,
    plan_inbox,
    end_links,
    give_back_tasks,
    watch_promises,
)
