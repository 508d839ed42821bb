"""Certificates and keys in PEM files: what is wrong with them, and the TLS made of them.

A wrong file is found when Saldo starts, by its name and with the mend, and not in the first call.
No message made here holds a piece of a file.
"""

from __future__ import annotations

import ssl
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509 import Certificate, load_pem_x509_certificates

from app.domain.errors import Misconfigured

if TYPE_CHECKING:
    from connectors._http import HttpSetup

# Qualified certificates are issued after checks that take days to weeks.
SOON = timedelta(days=30)


class Grade(StrEnum):
    """wrong: cannot be used. ended: not on this day. soon: still good, for less than `SOON`."""

    WRONG = "wrong"
    ENDED = "ended"
    SOON = "soon"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a file, in the words of `Misconfigured`."""

    setting: str
    problem: str
    mend: str
    grade: Grade = Grade.WRONG

    def error(self) -> Misconfigured:
        """The refusal to work with it."""
        return Misconfigured(self.setting, self.problem, self.mend)


@dataclass(frozen=True, slots=True)
class CertifiedKey:
    """A certificate with its chain, and its key, which may stand in the same file.

    `setting` is what the settings' names begin with, such as SALDO_BERLIN_GROUP_CLIENT.
    """

    setting: str
    cert: Path
    key: Path | None = None
    password: str = field(default="", repr=False)

    def load(self) -> tuple[Certificate, PrivateKeyTypes]:
        """Certificate and key. Raises Misconfigured when they cannot be used together."""
        chain = self._chain()
        key = private_key(self.key or self.cert, f"{self.setting}_KEY", self.password)
        if _spki(chain[0].public_key()) != _spki(key.public_key()):
            raise Misconfigured(
                f"{self.setting}_KEY",
                f"{self.key or self.cert} is not the key of the certificate {self.cert}",
                "Give the two that were made together, the certificate before its chain.",
            )
        return chain[0], key

    def faults(self, now: datetime) -> Iterator[Fault]:
        """Everything that is wrong with it at `now`, which is real time. Nothing is raised."""
        try:
            self.load()
            chain = self._chain()
        except Misconfigured as error:
            yield Fault(error.setting, error.problem, error.mend)
            return
        begins = max(one.not_valid_before_utc for one in chain)
        ends = min(one.not_valid_after_utc for one in chain)
        setting = f"{self.setting}_CERT"
        if now < begins:
            what = f"{self.cert} is valid from {begins:%Y-%m-%d} on"
            yield Fault(setting, what, "Use the one before until then.", Grade.ENDED)
        elif now >= ends:
            what = f"{self.cert} expired on {ends:%Y-%m-%d}"
            yield Fault(setting, what, "Have it renewed.", Grade.ENDED)
        elif ends - now <= SOON:
            what = f"{self.cert} expires on {ends:%Y-%m-%d}"
            mend = "Have it renewed, and put the new one in its place."
            yield Fault(setting, what, mend, Grade.SOON)

    def ends_at(self) -> datetime:
        """When the first certificate of the file expires. Raises Misconfigured."""
        return min(one.not_valid_after_utc for one in self._chain())

    def _chain(self) -> list[Certificate]:
        setting = f"{self.setting}_CERT"
        try:
            return load_pem_x509_certificates(read_file(self.cert, setting))
        except ValueError:
            raise Misconfigured(
                setting, f"{self.cert} holds no certificate that can be read", "Give a PEM file."
            ) from None


def private_key(path: Path | None, setting: str, password: str | None = None) -> PrivateKeyTypes:
    """The key of a PEM file that not everybody can read.

    `password` None: this setting has none. Raises Misconfigured, never with a piece of the file.
    """
    if path is None:
        raise Misconfigured(setting, "is not set", "Name the PEM file of your key.")
    raw = read_file(path, setting)
    key = _decoded(raw, path, setting, password)
    refuse_open(path, setting)
    return key


def _decoded(raw: bytes, path: Path, setting: str, password: str | None) -> PrivateKeyTypes:
    mend = "Give a PEM file" + (", and its own password." if password else ".")
    for tried in ((password or "").encode() or None, None):
        try:
            return load_pem_private_key(raw, tried)
        except TypeError:
            # The library's word for a password that is missing, or there for nothing.
            continue
        except (ValueError, UnsupportedAlgorithm):
            what = f"{path} holds no key that can be read"
            raise Misconfigured(setting, what, mend) from None
    mend = "Give one without." if password is None else f"Set {setting}_PASSWORD."
    raise Misconfigured(setting, f"{path} needs a password", mend)


def refuse_open(path: Path, setting: str, what: str = "") -> None:
    """Raises Misconfigured when everybody on this machine can read a file of secrets."""
    if stat.S_IMODE(path.stat().st_mode) & stat.S_IROTH:
        raise Misconfigured(setting, f"{path} {what}can be read by everybody", f"chmod 600 {path}")


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def read_file(path: Path, setting: str) -> bytes:
    """The file's bytes. Raises Misconfigured naming setting and path."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misconfigured(
            setting, f"{path} cannot be used ({error.strerror})", "Correct the path."
        ) from None


def tls_context(setup: HttpSetup) -> ssl.SSLContext:
    """Verification against the public authorities and the setup's own, with its certificate."""
    context = httpx.create_ssl_context(trust_env=False)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if setup.ca_file:
        ca_setting = f"{setup.setting}CA_FILE"
        read_file(setup.ca_file, ca_setting)
        try:
            context.load_verify_locations(setup.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise _unusable(ca_setting, setup.ca_file, error) from None
    pair = setup.certified_key
    if pair is None:
        return context
    pair.load()
    try:
        context.load_cert_chain(pair.cert, pair.key, lambda: pair.password)
    except (OSError, ssl.SSLError) as error:
        raise _unusable(f"{pair.setting}_CERT", pair.cert, error) from None
    return context


def faults_of(setup: HttpSetup, now: datetime) -> list[Fault]:
    """What is wrong with the files of one way out, at real time `now`."""
    pair = setup.certified_key
    if pair is None and setup.ca_file is None:
        return []
    if pair is not None:
        found = list(pair.faults(now))
        if any(one.grade is Grade.WRONG for one in found):
            return found
    else:
        found = []
    try:
        tls_context(setup)
    except Misconfigured as error:
        found.append(Fault(error.setting, error.problem, error.mend))
    return found


def _unusable(setting: str, path: Path, error: Exception) -> Misconfigured:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "unusable"
    return Misconfigured(setting, f"{path} cannot be used ({reason})", "Give PEM files that match.")
