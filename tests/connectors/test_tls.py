"""TLS for real: the server's certificate is checked, ours is shown, and failing is honest."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.domain.errors import Misconfigured, OutcomeUnknown, TryLater
from connectors._exchange import Call, exchange
from connectors._http import HttpSetup, client, tls_context

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Files:
    ca: Path
    server: Path
    client: Path
    client_key: Path


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem_key(key: ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    kind = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, kind)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("tls")
    now = datetime.now(UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())

    def issue(subject: str, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name("ca"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
                critical=False,
            )
        )
        return builder.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    made = Files(*(folder / name for name in ("ca.pem", "server.pem", "client.pem", "client.key")))
    made.ca.write_bytes(issue("ca", ca_key, ca=True))
    server_key = ec.generate_private_key(ec.SECP256R1())
    made.server.write_bytes(issue("server", server_key, ca=False) + _pem_key(server_key))
    client_key = ec.generate_private_key(ec.SECP256R1())
    made.client.write_bytes(issue("tpp", client_key, ca=False))
    made.client_key.write_bytes(_pem_key(client_key, b"open sesame"))
    return made


@asynccontextmanager
async def bank(files: Files) -> AsyncIterator[tuple[str, list[str]]]:
    """An https server that demands a client certificate; gives its URL and who came."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.server)
    context.load_verify_locations(files.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    came: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            subject = writer.get_extra_info("peercert")["subject"]
            came.append(subject[0][0][1])
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", came
    finally:
        server.close()


def ask(url: str) -> Call:
    return Call("acme", "do", "POST", url, writes=True)


async def test_our_certificate_is_shown(files: Files) -> None:
    setup = HttpSetup(
        ca_file=files.ca,
        client_cert=files.client,
        client_key=files.client_key,
        client_key_password="open sesame",
    )
    async with bank(files) as (url, came), client(setup) as http:
        assert (await exchange(http, ask(url))).status_code == 200
    assert came == ["tpp"]


async def test_without_our_certificate_the_bank_hangs_up(files: Files) -> None:
    # With TLS 1.3 the server refuses after its half of the handshake: for us the request was
    # already on its way, so the honest word is "may have been sent".
    async with bank(files) as (url, came), client(HttpSetup(ca_file=files.ca)) as http:
        with pytest.raises((OutcomeUnknown, TryLater)):
            await exchange(http, ask(url))
    assert came == []


async def test_a_certificate_nobody_vouches_for_is_refused(files: Files) -> None:
    async with bank(files) as (url, came), client() as http:
        with pytest.raises(TryLater, match="nothing was sent"):
            await exchange(http, ask(url))
    assert came == []


def test_a_wrong_key_password_is_named_at_the_start(files: Files) -> None:
    with pytest.raises(Misconfigured, match="CLIENT_CERT") as error:
        tls_context(
            HttpSetup(
                client_cert=files.client, client_key=files.client_key, client_key_password="wrong"
            )
        )
    assert "wrong" not in str(error.value)
