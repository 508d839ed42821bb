"""What each webhook to a lender's system says. Complete by test over `LenderEvent`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.flows.messages.tell_lender import LenderEvent

# Event -> (when it is sent, the fields of its `data`).
MEANINGS: Final[Mapping[LenderEvent, tuple[str, str]]] = {
    LenderEvent.CASE_OPENED: (
        "A loan has something due and unpaid, and is being worked.",
        "case_id, loan (your reference), due_on, opened_at; reopened after money went back",
    ),
    LenderEvent.CASE_CLOSED: (
        "Nothing is due on the loan any more.",
        "case_id, loan, why, closed_at",
    ),
    LenderEvent.CONSENT_ACTIVE: (
        "A borrower authorised the reading at his bank.",
        "consent_id, request_id, purposes, ends_at, accounts, scoring",
    ),
    LenderEvent.CONSENT_ENDED: (
        "A consent ended, however it ended.",
        "consent_id, request_id, state, why, at",
    ),
    LenderEvent.CONSENT_REFUSED: (
        "The borrower agreed to nothing, or not at his bank. It costs him nothing.",
        "request_id, why, at; consent_id and state when he had been led to a bank",
    ),
    LenderEvent.SIGNAL_RAISED: (
        "There is money. How far it reaches, never how much it is.",
        "signal_id, covers, cases, raised_at",
    ),
    LenderEvent.PAYMENT_AUTHORISED: (
        "A payment is on its way. All pressure has stopped.",
        "payment_id, end_to_end_ref, amount, parts, at",
    ),
    LenderEvent.PAYMENT_SETTLED: (
        "The money has moved. Its end_to_end_ref stands on your account statement.",
        "payment_id, end_to_end_ref, amount, parts, at",
    ),
    LenderEvent.PAYMENT_FAILED: (
        "The bank refused a payment, or it was cancelled.",
        "payment_id, end_to_end_ref, amount, parts, at",
    ),
    LenderEvent.PAYMENT_RETURNED: (
        "The money of a settled payment went back.",
        "payment_id, end_to_end_ref, amount, parts, at",
    ),
    LenderEvent.TASK_OPENED: (
        "A person has to look.",
        "task_id, reason, borrower_id, external_ref, case_id",
    ),
    LenderEvent.BALANCE_REQUESTED: (
        "Your word on what is owed is too old: PUT /v1/loans/{external_ref}/owed.",
        "loan_id, loan, owed_as_of, at",
    ),
    LenderEvent.OPTED_OUT: (
        "A borrower stopped a channel.",
        "borrower_id, external_ref, channel, source, at",
    ),
    LenderEvent.CONTACT_ENTERED: (
        (
            "Your people entered a new number or e-mail address of a borrower at the desk. It is "
            "masked here and stands in full on the case page. Take it over once you are sure of "
            "it: `POST /v1/borrowers` with it confirms it."
        ),
        "borrower_id, external_ref, detail (phone, email), shown (masked), at",
    ),
    LenderEvent.CONTACT_CONFIRMED: (
        "The borrower himself answered a call to a number that your people had entered.",
        "borrower_id, external_ref, detail (phone), shown (masked), at",
    ),
    LenderEvent.HOLD_SET: (
        (
            "A borrower is left in peace. Stop what `blocks` names on your side too: debit, fees, "
            "bureau, agency."
        ),
        (
            "hold_id, borrower_id, external_ref, case_id (null: all his cases), kind, starts_at "
            "(may lie back), ends_at (null: until it is lifted), blocks, at"
        ),
    ),
    LenderEvent.HOLD_CHANGED: (
        "A hold was lifted, or was given another end.",
        "hold_id, borrower_id, external_ref, case_id, kind, ends_at, lifted, at",
    ),
    LenderEvent.DISPUTES: (
        "A borrower says that something is wrong. A hold is set.",
        "borrower_id, external_ref, checked, at",
    ),
    LenderEvent.APPROVAL_DECIDED: (
        "Somebody decided about a proposal, or it was withdrawn. What was approved is done.",
        "approval_id, kind, state, loan and amount where it is about a loan, at",
    ),
    LenderEvent.WRITTEN_OFF: (
        "A debt was written off by two people. Nobody is asked for it any more.",
        "loan, adjustment_id, amount, case_id, at",
    ),
    LenderEvent.REINSTATED: (
        "A write-off was taken back. What is due on the loan is worked again.",
        "loan, adjustment_id, reverses, amount, case_id, at",
    ),
    LenderEvent.PROMISE_MADE: (
        "A borrower promised to pay.",
        "promise_id, case_id, parts (due_on, amount), source, at",
    ),
    LenderEvent.PROMISE_CHANGED: (
        "A promise was kept, kept in part, broken, cancelled, or is open again.",
        "promise_id, case_id, state, at",
    ),
    LenderEvent.PUSH_REQUESTED: (
        "A message for your app: GET /v1/messages/{id}/push, then POST /v1/messages/{id}/pushed.",
        "message_id, borrower_id, external_ref, confirm_until (then it goes out as a text), at",
    ),
    LenderEvent.CASE_PLACED: (
        "Two people placed a case with an agency. Nothing of ours asks for money meanwhile.",
        "placement_id, case_id, loan, agency_id, agency, amount, commission_basis_points, at",
    ),
    LenderEvent.CASE_RECALLED: (
        "A case was taken back. Tell the agency to stop.",
        "placement_id, case_id, loan, agency_id, agency, why, at",
    ),
    LenderEvent.PLACEMENT_ENDED: (
        "A placed case was closed, mostly because it was paid. Tell the agency to stop.",
        "placement_id, case_id, loan, agency_id, agency, why, at",
    ),
}

_DESCRIPTION = """\
Signed in the Standard Webhooks form: `webhook-signature` holds `v1,` and the base64 of HMAC-SHA256
over `{webhook-id}.{webhook-timestamp}.{body}`, with the secret behind `whsec_`. Answer 2xx at once;
anything else is tried again with growing pauses. The same `webhook-id` is the same event. Amounts
are whole minor units with their currency.
"""


def described() -> dict[str, Any]:
    """The `webhooks` of the OpenAPI description."""
    return {event.value: {"post": _operation(event)} for event in LenderEvent}


def _operation(event: LenderEvent) -> dict[str, Any]:
    when, fields = MEANINGS[event]
    return {
        "operationId": event.value.replace(".", "_"),
        "summary": when,
        "description": f"`data` holds: {fields}.\n\n{_DESCRIPTION}",
        "parameters": [
            _header("webhook-id", "The event; the same again is a repetition."),
            _header("webhook-timestamp", "Seconds since 1970 at this attempt."),
            _header("webhook-signature", "`v1,` and the signature in base64."),
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["id", "type", "timestamp", "data"],
                        "properties": {
                            "id": {"type": "string", "format": "uuid"},
                            "type": {"const": event.value},
                            "timestamp": {"type": "string", "format": "date-time"},
                            "data": {"type": "object"},
                        },
                    }
                }
            },
        },
        "responses": {"204": {"description": "Received."}},
    }


def _header(name: str, meaning: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "description": meaning,
        "schema": {"type": "string"},
    }
