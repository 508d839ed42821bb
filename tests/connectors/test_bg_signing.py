"""Berlin Group: signed messages, and ways out of a bank's own.

The sandbox's bank checks signatures by itself; that it does so rightly is seen on the published
vectors of draft-cavage-http-signatures-12 (appendix C).
"""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from cryptography.x509 import Certificate, load_pem_x509_certificate
from pydantic import ValidationError

from app.domain.errors import Declined, Misconfigured, TryLater
from app.domain.ids import Secret
from app.pay_ports import CancelResult
from app.ports import Grant, GrantState
from connectors.berlin_group.aggregation import Aggregation
from connectors.berlin_group.profile import Settings
from connectors.berlin_group.signing import (
    HashName,
    SignatureProfile,
    digest_of,
    key_id,
    signing_string,
)
from sandbox.banks import BANKS
from sandbox.faces import bg_signature
from sandbox.faces.bg_errors import Refusal
from sandbox.modes import BankMode
from tests.connectors.authority import Authority
from tests.connectors.registry import refused
from tests.connectors.rigs import BankRig
from tests.connectors.scene import MONDAY, Exchange
from tests.connectors.test_specs import SPECS, problems, walk
from tests.specs.openapi import Spec

pytestmark = pytest.mark.anyio

# ---------------------------------------------------------------- the published vectors

VECTOR_KEY = b"""-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDCFENGw33yGihy92pDjZQhl0C3
6rPJj+CvfSC8+q28hxA161QFNUd13wuCTUcq0Qd2qsBe/2hFyc2DCJJg0h1L78+6
Z4UMR7EOcpfdUE9Hf3m/hs+FUR45uBJeDK1HSFHD8bHKD6kv8FPGfJTotc+2xjJw
oYi+1hqp1fIekaxsyQIDAQAB
-----END PUBLIC KEY-----
"""
VECTOR_BODY = b'{"hello": "world"}'
VECTOR_HEADERS = {
    "host": "example.com",
    "date": "Sun, 05 Jan 2014 21:31:40 GMT",
    "content-type": "application/json",
    "digest": "SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=",
    "content-length": "18",
}
TARGET = "/foo?param=value&pet=dog"
VECTORS = {
    "date": "SjWJWbWN7i0wzBvtPl8rbASWz5xQW6mcJmn+ibttBqtifLN7Sazz6m79cNfwwb8DMJ5cou1s7uEGKKCs+FLEEa"
    "DV5lp7q25WqS+lavg7T8hc0GppauB6hbgEKTwblDHYGEtbGmtdHgVCk9SuS13F0hZ8FD0k/5OxEPXe5WozsbM=",
    "(request-target) host date": "qdx+H7PHHDZgy4y/Ahn9Tny9V3GP6YgBPyUXMmoxWtLbHpUnXS2mg2+SbrQDMCJ"
    "ypxBLSPQR2aAjn7ndmw2iicw3HMbe8VfEdKFYRqzic+efkb3nndiv/x1xSHDJWeSWkx3ButlYSuBskLu6kd9Fswtemr"
    "3lgdDEmn04swr2Os0=",
    "(request-target) host date content-type digest content-length": "vSdrb+dS3EceC9bcwHSo4MlyKS59"
    "iFIrhgYkz8+oVLEEzmYZZvRs8rgOp+63LEM3v+MFHB32NfpB2bEKBIvB1q52LaEUHFv120V01IL+TAD48XaERZFukWg"
    "HoBTLMhYS2Gb51gWxpeIq8knRmPnYePbF5MOkR0Zkly4zKH7s1dE=",
}


@pytest.mark.parametrize("names", VECTORS)
def test_published_signatures_fit_what_both_sides_think_is_signed(names: str) -> None:
    key = load_pem_public_key(VECTOR_KEY)
    assert isinstance(key, RSAPublicKey)
    listed = names.split()
    theirs = bg_signature.signed_text(listed, "POST", TARGET, VECTOR_HEADERS)
    ours = signing_string(listed, {**VECTOR_HEADERS, "(request-target)": f"post {TARGET}"})
    for text in (theirs, ours):
        assert bg_signature.verifies(key, SHA256(), VECTORS[names], text)
        assert not bg_signature.verifies(key, SHA256(), VECTORS[names], text + b" ")
    assert digest_of(VECTOR_BODY, HashName.SHA256) == VECTOR_HEADERS["digest"]


# ---------------------------------------------------------------- signing by a bank's entry


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("seal"), now=MONDAY)
    made.issue("seal", key=generate_private_key(65537, 2048), password="wax")
    return made


class SignedRig(BankRig):
    """A bank that demands signed messages. `entry` is added to its own entry in the list."""

    def __init__(self, folder: Path, authority: Authority, entry: str, bank_id: str) -> None:
        self.authority = authority
        self.entry = entry
        self.named = bank_id
        (folder / "banks.toml").touch(0o600)
        super().__init__(folder, bank_id)
        self.scene.world.town.set_bank_mode(bank_id, BankMode.SIGNED)

    def banks_as_toml(self) -> str:
        tables = super().banks_as_toml().split("\n\n")
        number = [bank.id for bank in BANKS].index(self.named)
        tables[number] += f"\n{self.entry}"
        return "\n\n".join(tables)

    def given(self) -> dict[str, Any]:
        folder = self.authority.folder
        return {
            **super().given(),
            "seal_cert": folder / "seal.pem",
            "seal_key": folder / "seal.key",
            "seal_key_password": "wax",
        }


@pytest.mark.parametrize(
    ("bank", "entry"),
    [
        ("luz", "[bank.signature]"),
        ("ribera", '[bank.signature]\ndigest = "SHA-512"\nhash = "SHA-512"'),
        (
            "foerde",
            """[bank.signature]
            key_id = "SN={serial},CA={issuer}"
            headers = ["(request-target)", "Date", "Digest", "X-Request-ID", "TPP-Redirect-URI",
                       "Consent-ID", "Content-Type"]""",
        ),
    ],
)
async def test_everything_is_signed_and_fits_the_specification(
    tmp_path: Path, authority: Authority, bank: str, entry: str
) -> None:
    rig = SignedRig(tmp_path, authority, entry, bank)
    await walk(rig)
    assert len(rig.seen) > 30
    described = Spec(SPECS / "berlin_group_1.3.11.yaml")
    assert problems(described, rig.seen, f"/banks/{bank}/psd2") == []
    for sent in rig.seen:
        said = bg_signature.fields(sent.headers["signature"])
        assert said["keyId"].startswith("SN=9FA1,CA=CN=Root")
        assert sent.headers["digest"].startswith(("SHA-256=", "SHA-512="))
        wanted = rig_headers(entry)
        assert said["headers"].split() == [one for one in wanted if has(sent, one)]


def rig_headers(entry: str) -> list[str]:
    found = re.search(r"headers = \[(.*)\]", entry, re.DOTALL)
    names = re.findall(r'"([^"]+)"', found.group(1)) if found else []
    return names or list(SignatureProfile().headers)


def has(sent: Exchange, name: str) -> bool:
    return name.lower() in sent.headers or name == "(request-target)"


async def test_the_bank_refuses_whatever_does_not_fit(tmp_path: Path, authority: Authority) -> None:
    rig = SignedRig(tmp_path, authority, "[bank.signature]", "luz")
    await rig.begin()
    (sent,) = rig.seen
    path = sent.url.removeprefix("http://127.0.0.1:8210")
    other = authority.issue("another", key=generate_private_key(65537, 2048))[0]
    stranger = load_pem_x509_certificate(other.read_bytes())

    def judged(body: bytes = sent.body, at: Any = MONDAY, **changes: str | None) -> str:
        given = {name.replace("_", "-"): value for name, value in changes.items()}
        headers = {name: value for name, value in {**sent.headers, **given}.items() if value}
        try:
            bg_signature.check("POST", path, headers, body, at)
        except Refusal as refusal:
            return refusal.code
        return "taken"

    def without(name: str) -> str:
        said = sent.headers["signature"]
        return re.sub(rf'headers="([^"]*?) ?\b{name}\b', r'headers="\1', said)

    assert judged() == "taken"
    assert judged(signature=None) == "SIGNATURE_MISSING"
    assert judged(tpp_signature_certificate=None) == "CERTIFICATE_MISSING"
    assert judged(tpp_signature_certificate="AAAA") == "CERTIFICATE_INVALID"
    assert judged(tpp_signature_certificate=der(stranger)) == "SIGNATURE_INVALID"
    assert judged(digest=None) == "SIGNATURE_INVALID"
    assert judged(digest=digest_of(b"{}", HashName.SHA256)) == "SIGNATURE_INVALID"
    assert judged(body=sent.body + b" ") == "SIGNATURE_INVALID"
    assert judged(x_request_id="1c3ce9ab-4ef6-4a6a-a6e0-6a7d8bb3a7b1") == "SIGNATURE_INVALID"
    assert judged(tpp_redirect_uri="https://evil.example/back") == "SIGNATURE_INVALID"
    for name in ("digest", "x-request-id", "tpp-redirect-uri", "date"):
        assert judged(signature=without(name)) == "SIGNATURE_INVALID"
    assert judged(signature=sent.headers["signature"].replace("SN=9FA1", "SN=9FA2")) == (
        "SIGNATURE_INVALID"
    )
    assert judged(signature=sent.headers["signature"].replace("sha256", "sha1")) == (
        "SIGNATURE_INVALID"
    )
    assert judged(at=MONDAY + timedelta(minutes=16)) == "TIMESTAMP_INVALID"
    assert judged(date="soon") == "TIMESTAMP_INVALID"


def der(certificate: Certificate) -> str:
    return b64encode(certificate.public_bytes(Encoding.DER)).decode()


async def test_an_unsigned_message_ends_no_consent(tmp_path: Path, authority: Authority) -> None:
    rig = SignedRig(tmp_path, authority, "[bank.signature]", "luz")
    person = rig.person(opening_minor=1_000)
    grant = await rig.granted(person)
    plain = BankRig(tmp_path)  # the same list without the entry
    plain.scene = rig.scene
    unsigned = plain.aggregation_over(None)
    for attempt in (
        unsigned.begin_consent(rig.ask()),
        unsigned.balances(grant, Secret("any"), None),
        unsigned.grant_now(grant),
    ):
        error = await refused(attempt)
        assert isinstance(error, TryLater | Declined)
        assert "SIGNATURE_MISSING" in str(error)
        assert "sha256" not in str(error)
    assert (await rig.aggregation.grant_now(grant)).state is GrantState.ACTIVE


# ---------------------------------------------------------------- names of the certificate


def test_certificates_are_named_as_banks_want_it(authority: Authority) -> None:
    certificate = load_pem_x509_certificate((authority.folder / "seal.pem").read_bytes())
    for template, expected in (
        ("SN={serial},CA={issuer_encoded}", "SN=9FA1,CA=CN=Root%20CA%201,O=Trust%20%26%20Co,C=ES"),
        ("SN={serial},CA={issuer}", "SN=9FA1,CA=CN=Root CA 1,O=Trust & Co,C=ES"),
        ("{serial_decimal}/{issuer_in_order}", "40865/C=ES,O=Trust & Co,CN=Root CA 1"),
        ("agreed-with-the-bank", "agreed-with-the-bank"),
    ):
        assert key_id(certificate, template) == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("headers", ["digest"]),
        ("headers", ["digest", "x-request-id", "Digest"]),
        ("headers", ["digest", "x-request-id", "authorization"]),
        ("key_id", "{password}"),
        ("key_id", "{serial.__class__}"),
        ("key_id", "{0}"),
        ("digest", "MD5"),
        ("certificate", "p12"),
        ("unknown", "x"),
    ],
)
def test_a_fault_in_the_entry_is_named(field: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=field):
        SignatureProfile.model_validate({field: value})


def test_without_a_usable_seal_nothing_is_made(tmp_path: Path, authority: Authority) -> None:
    def made(changes: dict[str, Any]) -> None:
        rig = SignedRig(tmp_path, authority, "[bank.signature]", "luz")
        given = {**rig.given(), **changes}
        settings = Settings.model_validate(given)
        Aggregation(settings, rig.scene.wire())

    curve, curve_key = authority.issue("curve")
    ended, ended_key = authority.issue("ended", days=-1, key=generate_private_key(65537, 2048))
    made({})
    for changes, named in (
        ({"seal_cert": None}, "SALDO_BERLIN_GROUP_SEAL_CERT: is not set, and luz demands"),
        ({"seal_key_password": "wrong"}, "SALDO_BERLIN_GROUP_SEAL_KEY"),
        ({"seal_cert": curve, "seal_key": curve_key}, "not an RSA key"),
        ({"seal_cert": ended, "seal_key": ended_key}, "expired on"),
    ):
        with pytest.raises(Misconfigured, match=named):
            made(changes)


# ---------------------------------------------------------------- a way of its own


async def test_a_bank_whose_own_certificate_ran_out_is_closed_alone(
    tmp_path: Path, authority: Authority
) -> None:
    cert, key = authority.issue("qwac", days=-1)
    entry = f'[bank.wire]\nclient_cert = "{cert}"\nclient_key = "{key}"'
    rig = SignedRig(tmp_path, authority, entry, "luz")
    assert [one.id for one in rig.aggregation.banks()] == [
        one.id for one in BANKS if one.id != "luz"
    ]
    error = await refused(rig.aggregation.balances(Grant("luz", Secret("c")), Secret("a"), None))
    assert isinstance(error, TryLater)
    assert "bank luz, CLIENT_CERT" in str(error)
    assert rig.seen == []
    rig.bank_id = "ribera"
    assert (await rig.begin()).now.state is GrantState.PENDING


async def test_a_banks_own_words_come_before_those_for_all(
    tmp_path: Path, authority: Authority
) -> None:
    folder = authority.folder
    authority.issue("own", key=generate_private_key(65537, 2048), password="own wax")
    entry = (
        f'[bank.wire]\ntimeout_seconds = 3.0\nca_file = "{authority.ca}"\n'
        f'proxy = "http://u:pw@127.0.0.1:9"\nseal_cert = "{folder / "own.pem"}"\n'
        f'seal_key = "{folder / "own.key"}"\nseal_key_password = "own wax"\n[bank.signature]'
    )
    rig = SignedRig(tmp_path, authority, entry, "luz")
    rig.scene.world.town.set_bank_mode("ribera", BankMode.SIGNED)
    ways = {way.name: way for way in rig._settings().ways_out()}
    assert set(ways) == {"", "luz"}
    own, shared = ways["luz"].setup, ways[""].setup
    assert (own.total_seconds, own.connect_seconds, own.ca_file) == (3.0, 1.5, authority.ca)
    assert (shared.total_seconds, shared.connect_seconds, shared.proxy) == (25.0, 8.0, None)
    assert own.proxy == "http://u:pw@127.0.0.1:9"
    assert "pw" not in repr(ways)
    assert "wax" not in repr(ways)
    await rig.begin()
    seal = load_pem_x509_certificate((folder / "own.pem").read_bytes())
    assert rig.seen[-1].headers["tpp-signature-certificate"] == der(seal)
    rig.bank_list.chmod(0o644)
    with pytest.raises(Misconfigured, match=r"holds passwords .* chmod 600"):
        rig.aggregation_over(None)


async def test_the_digest_is_over_the_bytes_that_leave(
    tmp_path: Path, authority: Authority
) -> None:
    rig = SignedRig(tmp_path, authority, "[bank.signature]", "luz")
    begun = await rig.payments.create_payment(rig.order(rig.person()))
    assert await rig.payments.cancel_payment(begun.handle) is CancelResult.CANCELLED
    for sent in rig.seen:
        assert sent.headers["digest"] == digest_of(sent.body, HashName.SHA256)
    assert rig.seen[1].body == b""
