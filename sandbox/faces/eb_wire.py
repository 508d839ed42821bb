"""Enable Banking's words: its errors, its balance codes, and the tokens its customers sign.

The customer's key pair is made anew in each process that asks for it, unless KEY_FILE names one; a
program that wants to use this face takes the private half from `customer_key` and signs with it, as
`APP_ID`.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from datetime import date
from functools import cache
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from starlette.requests import Request
from starlette.responses import Response

from sandbox.balances import Said
from sandbox.faces.wire import euros
from sandbox.keys import kept_key

ROOT = "/enablebanking"
KEY_FILE = "SANDBOX_ENABLE_BANKING_KEY"
"""Variable of the environment that names a PEM file, where several processes share the key."""
APP_ID = "5a1d0c4e-7b90-4f1a-8c52-8c0e5d0b9a54"
_LONGEST_LIFE_S = 86_400

CODES = {
    "interimAvailable": "ITAV",
    "closingAvailable": "CLAV",
    "forwardAvailable": "FWAV",
    "expected": "XPCD",
    "interimBooked": "ITBD",
    "closingBooked": "CLBD",
    "previouslyClosedBooked": "PRCD",
    "information": "INFO",
}
# The vendor's words for its codes (ErrorCode). Which status it sends with each is not published;
# these are the sandbox's own choice, so a client must not rely on them.
ERRORS = {
    "ACCESS_DENIED": (403, "Access to this resource is denied"),
    "ACCOUNT_DOES_NOT_EXIST": (404, "No account found matching provided id"),
    "ALREADY_AUTHORIZED": (422, "Session is already authorized"),
    "ASPSP_ACCOUNT_NOT_ACCESSIBLE": (400, "The PSU does not have access to the account"),
    "ASPSP_ERROR": (400, "Error interacting with ASPSP"),
    "ASPSP_RATE_LIMIT_EXCEEDED": (429, "ASPSP Rate limit exceeded"),
    "ASPSP_TIMEOUT": (408, "Timeout interacting with ASPSP"),
    "AUTHORIZATION_NOT_PROVIDED": (401, "Authorization header is not provided"),
    "CLOSED_SESSION": (401, "Session is closed"),
    "EXPIRED_AUTHORIZATION_CODE": (422, "Authorization code is expired"),
    "EXPIRED_SESSION": (401, "Session is expired"),
    "INVALID_PAYMENT": (422, "Invalid or expired payment provided"),
    "PAYMENT_NOT_FINALIZED": (422, "You can not delete a payment that is not finalized"),
    "PAYMENT_NOT_FOUND": (404, "Payment not found"),
    "PSU_HEADER_NOT_PROVIDED": (422, "Required PSU header is not provided"),
    "REVOKED_SESSION": (401, "Session is revoked"),
    "SESSION_DOES_NOT_EXIST": (404, "No session found matching provided id"),
    "UNAUTHORIZED_ACCESS": (401, "Unauthorized access"),
    "WRONG_ASPSP_PROVIDED": (400, "Wrong ASPSP name provided"),
    "WRONG_AUTHORIZATION_CODE": (422, "Wrong authorization code provided"),
    "WRONG_REQUEST_PARAMETERS": (422, "Wrong request parameters provided"),
    "WRONG_SESSION_STATUS": (422, "Wrong session status"),
    "WRONG_TRANSACTIONS_PERIOD": (422, "Wrong transactions period requested"),
}


class No(Exception):
    """A request that is refused with one of the codes, or with a body of another shape."""

    def __init__(
        self, code: str, *, headers: dict[str, str] | None = None, plain: bool = False
    ) -> None:
        super().__init__(code)
        self.code = code
        self.headers = headers or {}
        self.plain = plain

    def answer(self) -> Response:
        """ErrorResponse; `plain` without the code, of which the contract promises nothing."""
        status, message = ERRORS[self.code]
        body: dict[str, Any] = {"message": message, "code": status, "error": self.code}
        if self.plain:
            del body["error"]
        return answer_json(body, status, self.headers)


def answer_json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


async def json_in(request: Request) -> dict[str, Any]:
    """The body as an object. Raises `No`."""
    try:
        content = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise No("WRONG_REQUEST_PARAMETERS")
    return content


def on_wire(said: Said, currency: str) -> dict[str, Any]:
    """One balance. There is no flag for a credit limit in it."""
    entry: dict[str, Any] = {
        "name": said.kind,
        "balance_amount": {"currency": currency, "amount": euros(said.minor)},
        "balance_type": CODES[said.kind],
    }
    if said.reference_on is not None:
        entry["reference_date"] = said.reference_on.isoformat()
    if said.changed_at is not None:
        entry["last_change_date_time"] = said.changed_at.isoformat(timespec="seconds")
    return entry


def moved_on_wire(minor: int, currency: str, on: date) -> dict[str, Any]:
    """One transaction: the direction beside an amount without a sign, and nobody's name."""
    return {
        "transaction_amount": {"currency": currency, "amount": euros(abs(minor))},
        "credit_debit_indicator": "DBIT" if minor < 0 else "CRDT",
        "status": "BOOK",
        "booking_date": on.isoformat(),
        "value_date": on.isoformat(),
    }


# ---------------------------------------------------------------- tokens


@cache
def _key() -> RSAPrivateKey:
    kept = kept_key(KEY_FILE)
    found = load_pem_private_key(kept, None) if kept else None
    if isinstance(found, RSAPrivateKey):
        return found
    return generate_private_key(public_exponent=65537, key_size=2048)


def customer_key() -> bytes:
    """The private key of the one customer, as PEM."""
    return _key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def check_token(header: str) -> None:
    """Raises `No` unless this is a token that the customer signed for us.

    Its times are compared with each other alone: it lives in real time, and this world does not.
    """
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or token.count(".") != 2:
        raise No("AUTHORIZATION_NOT_PROVIDED")
    head, claims, signature = token.split(".")
    try:
        _key().public_key().verify(
            _unbase64(signature), f"{head}.{claims}".encode("ascii"), PKCS1v15(), SHA256()
        )
        said = {**orjson.loads(_unbase64(head)), **orjson.loads(_unbase64(claims))}
        lives = said["exp"] - said["iat"]
        wanted = {
            "alg": "RS256", "kid": APP_ID, "iss": "enablebanking.com",
            "aud": "api.enablebanking.com",
        }  # fmt: skip
    except (InvalidSignature, ValueError, TypeError, KeyError):
        raise No("UNAUTHORIZED_ACCESS") from None
    if not 0 < lives <= _LONGEST_LIFE_S or any(said.get(k) != v for k, v in wanted.items()):
        raise No("UNAUTHORIZED_ACCESS")


def _unbase64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
