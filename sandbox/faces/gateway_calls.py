"""The calls of the gateways without Twilio's form to their customer.

Every callback is kept with Twilio's parameters; here they become the other gateway's words.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson

from sandbox.records import Callback, Sms
from sandbox.texts import DEFAULT_HOOK_KEY
from sandbox.world import World

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Prepared:
    """One POST to the customer."""

    url: str
    headers: dict[str, str]
    content: bytes


def prepare(world: World, callback: Callback) -> Prepared:
    """The call as the callback's gateway makes it."""
    return _FORMS[callback.gateway](world, callback)


def keyed_url(callback: Callback) -> str:
    """The customer's address; its secret is changed or left out where the call is to be forged."""
    parts = urlsplit(callback.url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    if callback.signature == "none":
        query = [(name, value) for name, value in query if name != "key"]
    elif callback.signature == "bad":
        query = [(name, "guessed" if name == "key" else value) for name, value in query]
    return urlunsplit(parts._replace(query=urlencode(query)))


def text_of(world: World, callback: Callback) -> Sms:
    """The text a callback is about. Raises KeyError when it is gone."""
    found = world.texts.get(callback.sid)
    if found is None:
        raise KeyError(callback.sid)
    return found


SMSAPI_WORDS = {
    "accepted": "QUEUE",
    "queued": "QUEUE",
    "sent": "SENT",
    "delivered": "DELIVERED",
    "undelivered": "UNDELIVERED",
    "failed": "EXPIRED",
    "canceled": "REJECTED",
}


def _smsapi(world: World, callback: Callback) -> Prepared:
    """SMSAPI's report or reply. Its parameter names were read nowhere; these are this town's, and
    the customer's settings name them.
    """
    sms, said = text_of(world, callback), dict(callback.params)
    if sms.inbound:
        form = {
            "sms_id": sms.sid,
            "sms_from": sms.sender.removeprefix("+"),
            "sms_to": sms.to,
            "sms_text": sms.body,
        }
    else:
        form = {
            "MsgId": sms.sid,
            "status_name": SMSAPI_WORDS[said["MessageStatus"]],
            "idx": sms.reference,
            "to": sms.to.removeprefix("+"),
        }
    return Prepared(keyed_url(callback), {"Content-Type": FORM}, urlencode(form).encode())


VONAGE_KEY = "a1b2c3d4"
_VONAGE_WORDS = {"sent": "accepted", "undelivered": "failed", "failed": "expired"}
_VONAGE_OPTED_OUT, _VONAGE_ANY_ERROR = "9", "1"


def vonage_signature(secret: str, params: Mapping[str, str]) -> str:
    """The value of `sig`: an HMAC-SHA256 over the sorted parameters."""
    text = "".join(
        f"&{name}={params[name].replace('&', '_').replace('=', '_')}" for name in sorted(params)
    )
    return hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()


def _vonage(world: World, callback: Callback) -> Prepared:
    """Vonage's receipt or reply, signed with the account's token."""
    sms, said = text_of(world, callback), dict(callback.params)
    at = callback.due_at.strftime("%Y-%m-%d %H:%M:%S")
    params = {"messageId": sms.sid, "message-timestamp": at, "timestamp": at, "nonce": callback.id}
    if sms.inbound:
        params |= {
            "msisdn": sms.sender.removeprefix("+"),
            "to": sms.to,
            "text": sms.body,
            "type": "text",
            "keyword": sms.body.split(" ")[0].upper(),
        }
    else:
        status, error = said["MessageStatus"], said.get("ErrorCode", "")
        code = _VONAGE_OPTED_OUT if error == "21610" else _VONAGE_ANY_ERROR
        params |= {
            "msisdn": sms.to.removeprefix("+"),
            "to": sms.sender,
            "network-code": "23410",
            "price": "0.03330000",
            "status": _VONAGE_WORDS.get(status, status),
            "scts": callback.due_at.strftime("%y%m%d%H%M"),
            "err-code": code if error else "0",
            "api-key": VONAGE_KEY,
            "client-ref": sms.reference,
        }
    token = world.texts.account.token if callback.signature == "good" else "another token"
    if callback.signature != "none":
        params["sig"] = vonage_signature(token, params)
    return Prepared(callback.url, {"Content-Type": FORM}, urlencode(params).encode())


_INFOBIP_STATUSES = {
    "queued": (1, "PENDING", 26, "PENDING_ACCEPTED"),
    "sent": (1, "PENDING", 3, "PENDING_WAITING_DELIVERY"),
    "delivered": (3, "DELIVERED", 5, "DELIVERED_TO_HANDSET"),
    "undelivered": (2, "UNDELIVERABLE", 9, "UNDELIVERABLE_NOT_DELIVERED"),
    "failed": (4, "EXPIRED", 15, "EXPIRED_EXPIRED"),
}
_LASTING_ERRORS = (30005, 21614)


def infobip_status(status: str) -> dict[str, Any]:
    """A status of the exchange as Infobip's status object."""
    group, group_name, number, name = _INFOBIP_STATUSES[status]
    return {"groupId": group, "groupName": group_name, "id": number, "name": name,
            "description": name.replace("_", " ").capitalize()}  # fmt: skip


def infobip_error(code: int | None) -> dict[str, Any]:
    """An error code of the exchange as Infobip's error object."""
    if code is None:
        group, group_name, number, name = 0, "OK", 0, "NO_ERROR"
    elif code in _LASTING_ERRORS:
        group, group_name, number, name = 1, "HANDSET_ERRORS", 1, "EC_UNKNOWN_SUBSCRIBER"
    else:
        group, group_name, number, name = 1, "HANDSET_ERRORS", 27, "EC_ABSENT_SUBSCRIBER"
    return {
        "groupId": group,
        "groupName": group_name,
        "id": number,
        "name": name,
        "description": name.replace("_", " "),
        "permanent": code in _LASTING_ERRORS,
    }


def _infobip(world: World, callback: Callback) -> Prepared:
    """Infobip's report or reply."""
    sms, said = text_of(world, callback), dict(callback.params)
    at = callback.due_at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    if sms.inbound:
        result: dict[str, Any] = {
            "messageId": sms.sid,
            "from": sms.sender.removeprefix("+"),
            "to": sms.to,
            "text": sms.body,
            "cleanText": sms.body,
            "receivedAt": at,
            "smsCount": 1,
        }
        content: dict[str, Any] = {"messageCount": 1, "pendingMessageCount": 0}
    else:
        error = said.get("ErrorCode")
        result = {
            "bulkId": f"b{sms.sid}",
            "messageId": sms.reference,
            "to": sms.to.removeprefix("+"),
            "sentAt": sms.created_at.strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
            "doneAt": at,
            "messageCount": 1,
            "status": infobip_status(said["MessageStatus"]),
            "error": infobip_error(int(error) if error else None),
        }
        content = {}
    body = orjson.dumps({"results": [result], **content})
    return Prepared(keyed_url(callback), {"Content-Type": "application/json"}, body)


_FORMS: Mapping[str, Callable[[World, Callback], Prepared]] = {
    "infobip": _infobip,
    "smsapi": _smsapi,
    "vonage": _vonage,
}
# They sign nothing: a key in the address says who calls.
_KEYED = ("infobip", "smsapi")


def reply_urls(saldo: str) -> dict[str, str]:
    """Where each of these gateways brings what borrowers write, at a Saldo of this machine."""
    keys = dict.fromkeys(_KEYED, f"?key={DEFAULT_HOOK_KEY}")
    return {name: f"{saldo}/hooks/{name}{keys.get(name, '')}" for name in _FORMS}
