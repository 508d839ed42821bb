"""Signed messages as the banks check them: Digest, Signature, TPP-Signature-Certificate.

draft-cavage-http-signatures-12 as the implementation guidelines of Berlin Group use it, RSA only. A
bank believes the certificate that comes with the message; whether it is qualified, and whose it
is, nobody here asks.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256, sha512
from hmac import compare_digest
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, HashAlgorithm
from cryptography.x509 import Certificate, load_der_x509_certificate
from starlette.types import Message, Receive, Scope, Send

from sandbox.banks import BY_ID, Bank
from sandbox.faces.bg_errors import Refusal, some_request_id
from sandbox.modes import BankMode
from sandbox.world import World

_FIELD = re.compile(r'\s*(\w+)="([^"]*)"\s*(?:,|\Z)')
_DIGESTS = {"SHA-256": sha256, "SHA-512": sha512}
_HASHES: dict[str, HashAlgorithm] = {"rsa-sha256": SHA256(), "rsa-sha512": SHA512()}
_ALWAYS = ("digest", "x-request-id", "date")
_WHERE_PRESENT = ("psu-id", "psu-corporate-id", "tpp-redirect-uri")
_OLDEST = timedelta(minutes=15)


def check(
    method: str, target: str, headers: Mapping[str, str], body: bytes, real_now: datetime
) -> None:
    """Raises `Refusal` unless the message is signed, by its certificate's key, as it stands.

    `headers` are by lower-case names; `target` is path and query as they came.
    """
    if "signature" not in headers:
        raise Refusal(401, "SIGNATURE_MISSING", "messages to this bank have to be signed")
    certificate = _certificate(headers.get("tpp-signature-certificate", ""))
    _check_digest(headers.get("digest", ""), body)
    said = fields(headers["signature"])
    _check_name(said.get("keyId", ""), certificate)
    names = said.get("headers", "date").lower().split()
    needed = [*_ALWAYS, *(name for name in _WHERE_PRESENT if name in headers)]
    missing = [name for name in needed if name not in names]
    if missing:
        raise _invalid(f"{', '.join(missing)}: not signed")
    _check_date(headers.get("date", ""), real_now)
    key, hashed = certificate.public_key(), _HASHES.get(said.get("algorithm", ""))
    if hashed is None or not isinstance(key, RSAPublicKey):
        raise _invalid("algorithm: rsa-sha256 or rsa-sha512")
    text = signed_text(names, method, target, headers)
    if not verifies(key, hashed, said.get("signature", ""), text):
        raise _invalid("the signature does not fit the message")


def fields(signature: str) -> dict[str, str]:
    """The parts of a Signature header: keyId, algorithm, headers, signature."""
    return dict(_FIELD.findall(signature))


def signed_text(
    names: Sequence[str], method: str, target: str, headers: Mapping[str, str]
) -> bytes:
    """The lines that a signature over these names is about. Raises `Refusal` for a name that
    the message does not have.
    """
    lines = []
    for name in names:
        if name == "(request-target)":
            lines.append(f"{name}: {method.lower()} {target}")
        elif name in headers:
            lines.append(f"{name}: {headers[name]}")
        else:
            raise _invalid(f"{name}: signed, and not there")
    return "\n".join(lines).encode("latin-1", "replace")


def verifies(key: RSAPublicKey, hashed: HashAlgorithm, signature: str, text: bytes) -> bool:
    """Whether the owner of this key signed exactly this text."""
    try:
        key.verify(b64decode(signature, validate=True), text, PKCS1v15(), hashed)
    except (InvalidSignature, NotBase64):
        return False
    return True


def _certificate(text: str) -> Certificate:
    if not text:
        raise Refusal(401, "CERTIFICATE_MISSING", "TPP-Signature-Certificate is missing")
    try:
        return load_der_x509_certificate(b64decode(text, validate=True))
    except ValueError:
        raise Refusal(401, "CERTIFICATE_INVALID", "it is no certificate in base64") from None


def _check_digest(stated: str, body: bytes) -> None:
    name, _, value = stated.partition("=")
    make = _DIGESTS.get(name.upper())
    if make is None:
        raise _invalid("Digest: SHA-256 or SHA-512 of the body")
    try:
        given = b64decode(value, validate=True)
    except NotBase64:
        given = b""
    if not compare_digest(given, make(body).digest()):
        raise _invalid("Digest does not fit the body")


def _check_name(key_id: str, certificate: Certificate) -> None:
    """`SN=hex,CA=name of the authority`, of the certificate that came with the message."""
    serial, _, authority = key_id.partition(",CA=")
    right = f"SN={certificate.serial_number:x}"
    if serial.lower() != right.lower():
        raise _invalid("keyId names another certificate")
    if unquote(authority) != certificate.issuer.rfc4514_string():
        raise _invalid("keyId names another authority")


def _check_date(stated: str, real_now: datetime) -> None:
    try:
        at = parsedate_to_datetime(stated)
        late = abs(real_now - at) > _OLDEST
    except (ValueError, TypeError):
        raise Refusal(400, "TIMESTAMP_INVALID", "Date cannot be read") from None
    if late:
        raise Refusal(400, "TIMESTAMP_INVALID", "Date is too far from now")


def _invalid(text: str) -> Refusal:
    return Refusal(401, "SIGNATURE_INVALID", text)


class Gate:
    """Before everything below /banks/{bank}/psd2: the banks that demand signed messages."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def passed(self, scope: Scope, receive: Receive, send: Send) -> Receive | None:
        """How to read on in the message; None where it was refused, and answered."""
        parts = scope["path"].split("/", 4)
        bank = BY_ID.get(parts[2]) if parts[1] == "banks" and parts[3:4] == ["psd2"] else None
        if bank is None or not self._demands(bank):
            return receive
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        body = await _whole(receive)
        query = scope["query_string"].decode("ascii")
        target = scope["raw_path"].decode("ascii") + (f"?{query}" if query else "")
        try:
            check(scope["method"], target, headers, body, self._world.real_now())
        except Refusal as refusal:
            answer = refusal.answer(bank, some_request_id(headers.get("x-request-id")))
            await answer(scope, receive, send)
            return None
        return _again(body, receive)

    def _demands(self, bank: Bank) -> bool:
        return self._world.town.bank_mode(bank.id, BankMode.SIGNED, self._world.now())


async def _whole(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        piece: bytes = message.get("body", b"")
        body += piece
        if not message.get("more_body"):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more for whoever answers, and then what comes after it."""
    waiting = [body]

    async def read() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return read
