"""Signed messages: Digest, Signature and TPP-Signature-Certificate, for banks that demand them.

A signature names the headers it covers (draft-cavage-http-signatures-12); the digest among them
covers the exact bytes of the body. Banks differ in which headers they want in which order and in
how they want the certificate named, so all of that stands in the bank's entry.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum
from urllib.parse import quote

import httpx
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, Hash, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate
from pydantic import BaseModel, ConfigDict, field_validator

from app.domain.errors import Misconfigured
from connectors._tls import CertifiedKey

_SMALLEST_KEY = 2048
TARGET = "(request-target)"
_MUST = ("digest", "x-request-id")
_MAY = frozenset(
    {
        *_MUST, TARGET, "host", "date", "content-type", "consent-id", "psu-id", "psu-corporate-id",
        "psu-ip-address", "psu-user-agent", "tpp-redirect-uri", "tpp-nok-redirect-uri",
        "tpp-redirect-preferred",
    }
)  # fmt: skip


class HashName(StrEnum):
    """The two hashes the standard knows, as the header Digest names them."""

    SHA256 = "SHA-256"
    SHA512 = "SHA-512"

    def make(self) -> HashAlgorithm:
        """The algorithm."""
        return SHA256() if self is HashName.SHA256 else SHA512()


class CertificateForm(StrEnum):
    """How TPP-Signature-Certificate writes the certificate: its bytes (DER) in base64, or the
    whole PEM text, first and last line too, without line breaks.
    """

    DER = "der"
    PEM = "pem"


class SignatureProfile(BaseModel):
    """`[bank.signature]`: this bank demands signed messages, in this form."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    headers: tuple[str, ...] = (
        "digest", "x-request-id", "psu-id", "psu-corporate-id", "tpp-redirect-uri", "date",
    )  # fmt: skip
    digest: HashName = HashName.SHA256
    hash: HashName = HashName.SHA256
    algorithm: str = ""
    key_id: str = "SN={serial},CA={issuer_encoded}"
    certificate: CertificateForm = CertificateForm.DER

    @field_validator("headers")
    @classmethod
    def _known_headers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        lower = [name.lower() for name in value]
        wrong = [name for name in lower if name not in _MAY]
        if wrong:
            message = f"{', '.join(wrong)}: no request has that to sign"
            raise ValueError(message)
        if len(set(lower)) < len(lower) or not set(_MUST) <= set(lower):
            message = f"must name {' and '.join(_MUST)}, and nothing twice"
            raise ValueError(message)
        return value

    @field_validator("key_id")
    @classmethod
    def _known_places(cls, value: str) -> str:
        # A bare name only: str.format would follow dots into whatever hangs on it.
        if any(name not in _PLACES for name in re.findall(r"\{([^{}]*)\}", value)) or (
            "{" in (rest := re.sub(r"\{[^{}]*\}", "", value)) or "}" in rest
        ):
            message = f"may hold {', '.join(f'{{{name}}}' for name in _PLACES)} and plain text"
            raise ValueError(message)
        return value


_PLACES = ("serial", "serial_decimal", "issuer", "issuer_in_order", "issuer_encoded")


class Signer:
    """Signs as the owner of one certificate, in the form that one bank wants."""

    def __init__(self, seal: CertifiedKey, profile: SignatureProfile) -> None:
        """Raises Misconfigured when the certificate or its key cannot be used for it."""
        certificate, key = seal.load()
        if not isinstance(key, RSAPrivateKey) or key.key_size < _SMALLEST_KEY:
            raise Misconfigured(
                f"{seal.setting}_KEY",
                f"{seal.key or seal.cert} is not an RSA key of {_SMALLEST_KEY} bits",
                "The standard signs with rsa-sha256 or rsa-sha512.",
            )
        self._key = key
        self._profile = profile
        self._wanted = {name.lower() for name in profile.headers}
        self._certificate = _written(certificate, profile.certificate)
        word = profile.algorithm or f"rsa-{profile.hash.value.replace('-', '').lower()}"
        name = key_id(certificate, profile.key_id)
        self._head = f'keyId="{name}",algorithm="{word}"'
        if not self._head.isascii() or not self._head.isprintable() or '"' in name + word:
            raise Misconfigured(
                f"{seal.setting}_CERT",
                "the name of its authority cannot stand in a header as it is",
                "Write {issuer_encoded} in the bank's key_id.",
            )

    def __repr__(self) -> str:
        return "Signer(…)"

    def signed(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> dict[str, str]:
        """The headers to add. `Date`, where the bank wants it signed, is `now` (real time).

        `headers` and `body` have to be sent exactly as they are given; no body is an empty one.
        Of the headers that the bank wants signed those are that the request has.
        """
        added = {"Digest": digest_of(body, self._profile.digest)}
        if "date" in self._wanted:
            added["Date"] = format_datetime(now.astimezone(UTC), usegmt=True)
        present = {name.lower(): value for name, value in {**headers, **added}.items()}
        present[TARGET] = f"{method.lower()} {url.raw_path.decode('ascii')}"
        present["host"] = url.netloc.decode("ascii")
        names = [name for name in self._profile.headers if name.lower() in present]
        text = signing_string(names, present)
        signature = self._key.sign(text, PKCS1v15(), self._profile.hash.make())
        listed, value = " ".join(names), b64encode(signature).decode("ascii")
        added["Signature"] = f'{self._head},headers="{listed}",signature="{value}"'
        added["TPP-Signature-Certificate"] = self._certificate
        return added


def signing_string(names: list[str], present: Mapping[str, str]) -> bytes:
    """What is signed: a line for each name, in this order. `present` is by lower-case names.

    A value that is not ASCII cannot be sent, so that how it is signed does not matter.
    """
    lines = (f"{name.lower()}: {present[name.lower()].strip()}" for name in names)
    return "\n".join(lines).encode("ascii", "replace")


def digest_of(body: bytes, name: HashName) -> str:
    """The value of Digest over the exact bytes of a body."""
    made = Hash(name.make())
    made.update(body)
    return f"{name.value}={b64encode(made.finalize()).decode('ascii')}"


def key_id(certificate: Certificate, template: str) -> str:
    """How the signature names its certificate: serial number and authority."""
    authority = certificate.issuer
    plain = authority.rfc4514_string()
    return template.format(
        serial=f"{certificate.serial_number:X}",
        serial_decimal=str(certificate.serial_number),
        issuer=plain,
        issuer_in_order=",".join(part.rfc4514_string() for part in authority.rdns),
        issuer_encoded=quote(plain, safe="=,+"),
    )


def _written(certificate: Certificate, form: CertificateForm) -> str:
    if form is CertificateForm.DER:
        return b64encode(certificate.public_bytes(Encoding.DER)).decode("ascii")
    return certificate.public_bytes(Encoding.PEM).decode("ascii").replace("\n", "")
