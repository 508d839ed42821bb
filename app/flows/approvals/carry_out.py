"""What is done when a proposal is approved, and what when it is refused: one row per kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.domain.approval import ApprovalKind
from app.flows.cases.place_case import place_case
from app.flows.messages.write_template import publish_template, send_back_template
from app.flows.money.change_payee import change_payee_by_two, send_back_payee
from app.flows.money.forgive_debt import forgive_debt
from app.flows.money.reverse_adjustment import reverse_adjustment
from app.flows.money.write_off_loan import review_instead, write_off_loan
from app.flows.providers.change_provider import change_by_two, send_back_provider
from app.flows.strategies.publish_segment import publish_segment, send_back_segment
from app.flows.strategies.publish_strategy import publish_version, send_back_version
from app.flows.strategies.write_pack_edition import publish_pack_edition, send_back_pack_edition

# (unit, now, the row of `approvals`, *, actor) in the transaction of the decision.
Step = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Handling:
    """`approved` carries the act out; `refused` says how things go on without it."""

    approved: Step
    refused: Step | None = None


# A kind without a row is decided on no page: nothing here would carry it out.
HANDLINGS: Final[Mapping[ApprovalKind, Handling]] = {
    ApprovalKind.WRITE_OFF: Handling(write_off_loan, review_instead),
    ApprovalKind.PLACEMENT: Handling(place_case, review_instead),
    ApprovalKind.FORGIVENESS: Handling(forgive_debt),
    ApprovalKind.REVERSAL: Handling(reverse_adjustment),
    ApprovalKind.STRATEGY: Handling(publish_version, send_back_version),
    ApprovalKind.SEGMENT: Handling(publish_segment, send_back_segment),
    ApprovalKind.PACK: Handling(publish_pack_edition, send_back_pack_edition),
    ApprovalKind.TEMPLATE: Handling(publish_template, send_back_template),
    ApprovalKind.PROVIDER: Handling(change_by_two, send_back_provider),
    ApprovalKind.PAYEE: Handling(change_payee_by_two, send_back_payee),
}
