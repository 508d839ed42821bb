"""What can go wrong: faults that are switched on for one person, or for a whole bank.

Each mode is a thing that integrations with real banks and SMS gateways met. A mode may carry a
value (`settings`), which its line in `MEANING` explains.
"""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """A fault of one person's accounts, payments or phone."""

    LIMIT_ROLLING = "limit_rolling"
    LIMIT_CALENDAR = "limit_calendar"
    LIMIT_RESET_NEGATIVE = "limit_reset_negative"
    LIMIT_RESET_MISSING = "limit_reset_missing"
    LIMITED_AT_ONCE = "limited_at_once"
    LIMIT_OWN_SHAPE = "limit_own_shape"
    EXPIRED_AS_400 = "expired_as_400"
    EXPIRED_AS_401 = "expired_as_401"
    REVOKED_MIDWAY = "revoked_midway"
    NEW_IDS_ON_RENEWAL = "new_ids_on_renewal"
    ONLY_AVAILABLE_WITH_LIMIT = "only_available_with_limit"
    LIMIT_UNSTATED = "limit_unstated"
    UNKNOWN_TYPES = "unknown_types"
    EMPTY_BALANCES = "empty_balances"
    SECOND_ACCOUNT_ERROR = "second_account_error"
    BALANCE_ERROR_500 = "balance_error_500"
    ACCOUNT_BLOCKED = "account_blocked"
    FROZEN_OLD_DATE = "frozen_old_date"
    DATED_AHEAD = "dated_ahead"
    AUTHORISATION_STUCK = "authorisation_stuck"
    CONSENT_ANSWER_LOST = "consent_answer_lost"
    PAYMENT_ANSWER_LOST = "payment_answer_lost"
    SLOW = "slow"
    DRIP = "drip"
    PAYMENT_REJECTED = "payment_rejected"
    PAYMENT_PENDING_LONG = "payment_pending_long"
    PAYMENT_RETURNED = "payment_returned"
    SMS_UNREACHABLE = "sms_unreachable"
    SMS_UNKNOWN_HANDSET = "sms_unknown_handset"
    SMS_LANDLINE = "sms_landline"
    SMS_ANSWER_LOST = "sms_answer_lost"
    SMS_TOO_MANY = "sms_too_many"
    SMS_ERROR_BEFORE = "sms_error_before"
    SMS_ERROR_AFTER = "sms_error_after"
    SMS_BACKLOG = "sms_backlog"
    EMAIL_UNKNOWN = "email_unknown"
    EMAIL_BOUNCES = "email_bounces"
    EMAIL_LATER = "email_later"
    EMAIL_ANSWER_LOST = "email_answer_lost"
    APP_SILENT = "app_silent"
    CALLBACK_LATE = "callback_late"
    CALLBACK_TWICE = "callback_twice"
    CALLBACK_OUT_OF_ORDER = "callback_out_of_order"
    CALLBACK_UNSIGNED = "callback_unsigned"
    CALLBACK_BADLY_SIGNED = "callback_badly_signed"
    CALLBACK_NONE = "callback_none"


class BankMode(StrEnum):
    """A fault of a whole bank, or a demand that not every bank makes."""

    OUTAGE_401 = "outage_401"
    OUTAGE_503 = "outage_503"
    CONSENT_ANSWER_LOST = "consent_answer_lost"
    PAYMENT_ANSWER_LOST = "payment_answer_lost"
    LIMITED_AT_ONCE = "limited_at_once"
    SIGNED = "signed"
    IBANS_STATED = "ibans_stated"


MEANING: dict[Mode, str] = {
    Mode.LIMIT_ROLLING: "unattended reads counted over rolling 24 hours, whatever the bank does",
    Mode.LIMIT_CALENDAR: "unattended reads counted per calendar day of the bank",
    Mode.LIMIT_RESET_NEGATIVE: "a 429 says to come back in -1875538 seconds",
    Mode.LIMIT_RESET_MISSING: "a 429 says nothing about when to come back",
    Mode.LIMITED_AT_ONCE: "429 before any read was made",
    Mode.LIMIT_OWN_SHAPE: "a 429 has the bank's own body, outside the standard",
    Mode.EXPIRED_AS_400: "the consent is expired, said with status 400",
    Mode.EXPIRED_AS_401: "the consent is expired, said with status 401",
    Mode.REVOKED_MIDWAY: "the person revokes at the bank after so many reads (value, default 2)",
    Mode.NEW_IDS_ON_RENEWAL: "a renewed consent has new account ids, the IBAN stays",
    Mode.ONLY_AVAILABLE_WITH_LIMIT: "only interimAvailable with the credit limit in it",
    Mode.LIMIT_UNSTATED: "available contains the limit and the bank does not say so",
    Mode.UNKNOWN_TYPES: "balances of types nobody knows",
    Mode.EMPTY_BALANCES: "an empty list of balances",
    Mode.SECOND_ACCOUNT_ERROR: "the second account of the consent answers 500",
    Mode.BALANCE_ERROR_500: "the balance endpoint answers 500",
    Mode.ACCOUNT_BLOCKED: "the account is blocked: 400 RESOURCE_BLOCKED",
    Mode.FROZEN_OLD_DATE: "the same figure on and on, with an old referenceDate",
    Mode.DATED_AHEAD: "from 18:00 and at weekends, figures of now bear the next weekday's date",
    Mode.AUTHORISATION_STUCK: "the person says yes, the consent stays received for ever",
    Mode.CONSENT_ANSWER_LOST: "the consent is made, the answer is lost",
    Mode.PAYMENT_ANSWER_LOST: "the payment is made, the answer is lost (value: how often)",
    Mode.SLOW: "answers begin after so many real seconds (value, default 5)",
    Mode.DRIP: "answers come in drops over so many real seconds (value, default 5)",
    Mode.PAYMENT_REJECTED: "the bank rejects an authorised payment",
    Mode.PAYMENT_PENDING_LONG: "a payment stays pending for so many days (value, default 3)",
    Mode.PAYMENT_RETURNED: "a settled payment comes back after a day and ends as rejected",
    Mode.SMS_UNREACHABLE: "SMS end undelivered, 30003",
    Mode.SMS_UNKNOWN_HANDSET: "SMS end undelivered, 30005",
    Mode.SMS_LANDLINE: "SMS are refused, 21614",
    Mode.SMS_ANSWER_LOST: "the SMS is accepted, the answer is lost (value: how often)",
    Mode.SMS_TOO_MANY: "SMS are refused with 429, 20429 (value: how often)",
    Mode.SMS_ERROR_BEFORE: "500 and the SMS is not accepted (value: how often)",
    Mode.SMS_ERROR_AFTER: "500 although the SMS is accepted (value: how often)",
    Mode.SMS_BACKLOG: "the carrier holds SMS for so many hours (value, default 5)",
    Mode.EMAIL_UNKNOWN: "there is no such mailbox, 550 5.1.1",
    Mode.EMAIL_BOUNCES: "the e-mail is taken and comes back after minutes (value, default 5)",
    Mode.EMAIL_LATER: "the mail server says later, 451 (value: how often)",
    Mode.EMAIL_ANSWER_LOST: "the e-mail is taken, the answer is lost (value: how often)",
    Mode.APP_SILENT: "the lender's app shows nothing on this phone, and confirms nothing",
    Mode.CALLBACK_LATE: "status callbacks come hours late (value, default 6)",
    Mode.CALLBACK_TWICE: "every status callback comes twice",
    Mode.CALLBACK_OUT_OF_ORDER: "delivered is reported before sent",
    Mode.CALLBACK_UNSIGNED: "status callbacks carry no signature",
    Mode.CALLBACK_BADLY_SIGNED: "status callbacks carry a wrong signature",
    Mode.CALLBACK_NONE: "no status callback comes at all",
}

BANK_MEANING: dict[BankMode, str] = {
    BankMode.OUTAGE_401: "every call answers 401 (value: hours, default until switched off)",
    BankMode.OUTAGE_503: "every call answers 503 (value: hours, default until switched off)",
    BankMode.CONSENT_ANSWER_LOST: "aggregators: consents are made, answers lost (value: how often)",
    BankMode.PAYMENT_ANSWER_LOST: "payments are made, answers are lost (value: how often)",
    BankMode.LIMITED_AT_ONCE: "429 on every unattended read",
    BankMode.SIGNED: "no fault: messages over Berlin Group have to be signed",
    BankMode.IBANS_STATED: "no fault: aggregators give a British bank's accounts with IBANs, too",
}
