"""Certificates that are replaced while Saldo runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from app.domain.errors import Misconfigured, TryLater
from app.domain.ids import Secret
from app.ports import Grant, GrantState
from connectors import _renewed
from connectors._exchange import exchange
from connectors._http import HttpSetup, client
from connectors._renewed import LOOK_EVERY, Renewed
from tests.connectors.authority import Authority
from tests.connectors.registry import refused
from tests.connectors.scene import MONDAY
from tests.connectors.test_bg_signing import SignedRig
from tests.connectors.test_tls import ask, bank

pytestmark = pytest.mark.anyio


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def looks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_renewed, "LOOK_EVERY", 0.0)


class Paper:
    """A file whose text is what is made of it; "bad" cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path, self.time, self.retired = path, 0.0, list[str]()
        self.path.write_text("one")

    def read(self) -> str:
        text = self.path.read_text() if self.path.exists() else "bad"
        if text == "bad":
            raise Misconfigured("SALDO_PAPER", "is bad", "Give a good one.")
        return text

    def held(self) -> Renewed[str]:
        return Renewed((self.path, None), self.read, retire=self.retired.append, clock=self.at())

    def at(self) -> Callable[[], float]:
        return lambda: self.time


def test_a_file_is_looked_at_once_a_minute(tmp_path: Path) -> None:
    paper = Paper(tmp_path / "paper")
    held = paper.held()
    paper.path.write_text("another")
    paper.time += LOOK_EVERY - 1
    assert (held.now, paper.retired) == ("one", [])
    paper.time += 1
    assert (held.now, paper.retired) == ("another", ["one"])


def test_what_cannot_be_used_leaves_the_old_in_force(tmp_path: Path) -> None:
    paper = Paper(tmp_path / "paper")
    held = paper.held()
    for change in ("bad", None, "two"):
        paper.path.write_text(change) if change else paper.path.unlink()
        paper.time += LOOK_EVERY
        assert held.now == ("two" if change == "two" else "one")
    assert paper.retired == ["one"]


def test_what_is_wrong_the_first_time_is_raised(tmp_path: Path) -> None:
    paper = Paper(tmp_path / "paper")
    paper.path.write_text("bad")
    with pytest.raises(Misconfigured, match="SALDO_PAPER"):
        paper.held()


@pytest.mark.usefixtures("looks_each_time")
async def test_a_renewed_certificate_is_shown_without_a_restart(authority: Authority) -> None:
    cert, key = authority.issue("before")
    setup = HttpSetup(ca_file=authority.ca, client_cert=cert, client_key=key)
    async with bank(authority) as (url, came), client(setup) as http:
        await exchange(http, ask(url))
        new_cert, new_key = authority.issue("after")
        # First the certificate: for a moment the two do not belong together.
        new_cert.replace(cert)
        await exchange(http, ask(url))
        new_key.replace(key)
        await exchange(http, ask(url))
    assert came.subjects == ["before", "before", "after"]


@pytest.mark.usefixtures("looks_each_time")
async def test_a_closed_bank_is_open_again_with_a_new_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path, now=MONDAY)
    authority.issue("seal", key=generate_private_key(65537, 2048), password="wax")
    cert, key = authority.issue("qwac", days=-1)
    entry = f'[bank.signature]\n[bank.wire]\nclient_cert = "{cert}"\nclient_key = "{key}"'
    rig = SignedRig(tmp_path, authority, entry, "luz")
    port = rig.aggregation
    assert "luz" not in [one.id for one in port.banks()]
    assert isinstance(
        await refused(port.balances(Grant("luz", Secret("c")), Secret("a"), None)), TryLater
    )
    authority.issue("qwac")
    assert "luz" in [one.id for one in port.banks()]
    assert (await rig.begin()).now.state is GrantState.PENDING
