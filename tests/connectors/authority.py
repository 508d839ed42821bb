"""An authority of our own: certificates and keys as PEM files, for tests."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
DAY = timedelta(days=1)


def _name(text: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "ES"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Trust & Co"),
            x509.NameAttribute(NameOID.COMMON_NAME, text),
        ]
    )


@dataclass
class Authority:
    """Issues into `folder`. Certificates are valid from yesterday on, for `days`."""

    folder: Path
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def ca(self) -> Path:
        path = self.folder / "ca.pem"
        if not path.exists():
            path.write_bytes(self._certificate("Root CA 1", self.key, 4000, ca=True))
        return path

    def issue(
        self, name: str, *, days: int = 400, password: str = "", key: Key | None = None
    ) -> tuple[Path, Path]:
        """The files of a certificate and of its key, the key readable for its owner alone."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        cert_file, key_file = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        cert_file.write_bytes(self._certificate(name, key, days))
        kind: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if password:
            kind = serialization.BestAvailableEncryption(password.encode())
        key_file.touch(0o600)
        key_file.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, kind)
        )
        return cert_file, key_file

    def _certificate(self, subject: str, key: Key, days: int, *, ca: bool = False) -> bytes:
        begins = self.now - DAY if days > 0 else self.now + (days - 30) * DAY
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name("Root CA 1"))
            .public_key(key.public_key())
            .serial_number(0x9FA1)
            .not_valid_before(begins)
            .not_valid_after(self.now + days * DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
                critical=False,
            )
        )
        made = builder.sign(self.key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM)

    def server(self) -> ssl.SSLContext:
        """TLS of a server on this machine that demands a certificate of this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue("server"))
        context.load_verify_locations(self.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        return context
