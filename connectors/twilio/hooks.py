"""Twilio's calls to us: the signature, and what the form says.

The signature (https://www.twilio.com/docs/usage/security) is an HMAC over the full URL followed by
all form parameters, names in byte order, each name and its value joined without separators;
SHA-1 with the auth token, or SHA-256 with a shared key that a second header names.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, parse_qsl, urlsplit

from app.domain.errors import NotAllowed, Unreadable
from app.ports import InboundEvent, InboundHttp, InboundKind
from connectors._replies import sender_of, stop_or_start
from connectors._same import as_sent, same

SIGNATURE = "x-twilio-signature"
SIGNATURE_SETTINGS = "x-twilio-webhooks-signature-settings"
MOST_PARAMETERS = 200

Form = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Signer:
    """The secrets that may have signed a call."""

    auth_token: str = field(repr=False)
    key_id: str = ""
    key_secret: str = field(default="", repr=False)

    def secret_for(self, settings_header: str) -> tuple[str, str] | None:
        """(secret, hash name) for a call with this settings header; None: not ours to verify."""
        parts = {
            name.strip(): value.strip()
            for name, _, value in (part.partition("=") for part in settings_header.split(","))
        }
        algorithm = parts.get("algorithm", "").upper()
        if not settings_header.strip() or algorithm in ("", "HMAC_SHA1"):
            return (self.auth_token, "sha1") if self.auth_token else None
        if algorithm != "HMAC_SHA256" or not self.key_secret:
            return None
        if not same(parts.get("key", ""), self.key_id):
            return None
        return self.key_secret, "sha256"


def signature(secret: str, url: str, form: Iterable[tuple[str, str]], hash_name: str) -> str:
    """The signature of a call, base64. A repeated name counts with its distinct values, sorted."""
    values: dict[str, set[str]] = {}
    for name, value in form:
        values.setdefault(name, set()).add(value)
    text = url + "".join(name + value for name in sorted(values) for value in sorted(values[name]))
    digest = hmac.new(secret.encode(), as_sent(text), hash_name).digest()
    return base64.b64encode(digest).decode()


def verified_form(call: InboundHttp, signer: Signer, account_sid: str) -> Form:
    """The parameters of a call that Twilio signed for our account. Raises NotAllowed."""
    headers = {name.lower(): value for name, value in call.headers.items()}
    given = headers.get(SIGNATURE, "")
    secret = signer.secret_for(headers.get(SIGNATURE_SETTINGS, ""))
    if not given or secret is None:
        raise NotAllowed("The call is not signed.")
    signed_body = headers.get("content-type", "").split(";")[0].strip().lower()
    is_form = bool(call.form) or signed_body == "application/x-www-form-urlencoded"
    form = (call.form or _decoded(call.body)) if is_form else ()
    if len(form) > MOST_PARAMETERS:
        raise NotAllowed("The call has too many parameters.")
    if not is_form and call.body and not _body_matches(call):
        raise NotAllowed("The call's body is not the signed one.")
    good = [
        same(given, signature(secret[0], url, form, secret[1])) for url in port_variants(call.url)
    ]
    if not any(good):
        raise NotAllowed("The call's signature is wrong.")
    named = [value for name, value in form if name == "AccountSid"]
    if is_form and named != [account_sid]:
        raise NotAllowed("The call is for another account.")
    return form


def _decoded(body: bytes) -> Form:
    try:
        return tuple(
            parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
        )
    except (UnicodeDecodeError, ValueError):
        raise NotAllowed("The call's body is not a form.") from None


def _body_matches(call: InboundHttp) -> bool:
    """For a body that is no form, the signed URL carries its SHA-256."""
    stated = parse_qs(urlsplit(call.url).query).get("bodySHA256", [""])[0]
    computed = hashlib.sha256(call.body).hexdigest()
    return same(stated.lower(), computed)


def port_variants(url: str) -> Iterator[str]:
    """The URL as it is, and with its port added or taken away: Twilio signs either form."""
    yield url
    scheme, colon, rest = url.partition("://")
    end = re.search(r"[/?#]|$", rest)
    cut = end.start() if end else len(rest)
    authority, tail = rest[:cut], rest[cut:]
    user, at, host = authority.rpartition("@")
    bare = re.sub(r":\d+\Z", "", host)
    if bare != host:
        yield f"{scheme}{colon}{user}{at}{bare}{tail}"
    else:
        port = 443 if scheme == "https" else 80
        yield f"{scheme}{colon}{user}{at}{host}:{port}{tail}"


# ---------------------------------------------------------------- what it says


def event_of(form: Form) -> InboundEvent:
    """The hint in a verified call. Parameters we do not know are ignored.

    Callbacks come twice and out of order: the id names the message and the status, and what is
    true now is asked from Twilio.
    """
    said = dict(form)
    sid = said.get("MessageSid") or said.get("SmsSid") or ""
    if not sid:
        raise Unreadable("the call names no message", connector="twilio", operation="webhook")
    status = said.get("MessageStatus", "")
    if status:
        return InboundEvent(f"{sid}:{status}"[:200], InboundKind.MESSAGE_STATUS, message_ref=sid)
    if "Body" not in said and "OptOutType" not in said:
        raise Unreadable(
            "the call is neither a status nor a text", connector="twilio", operation="webhook"
        )
    text = said.get("Body", "")
    return InboundEvent(
        sid[:200],
        InboundKind.INBOUND_TEXT,
        message_ref=sid,
        sender=sender_of(said.get("From", "")),
        text=text,
        stop=stop_or_start(text, said.get("OptOutType", "")),
    )
