"""The sandbox as a process: what a kill leaves, how it ends, what a lost answer looks like."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Sandbox:
    """One running sandbox, asked over plain sockets."""

    def __init__(self, folder: Path, *extra: str, fd: int | None = None) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "sandbox", "--port", str(self.port)]
        command += ["--data", str(folder), "--seed", "4", "--people", "6", *extra]
        environ = {**os.environ}
        if fd is not None:
            environ["SALDO_LIFELINE_FD"] = str(fd)
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environ, pass_fds=() if fd is None else (fd,)
        )
        deadline = time.monotonic() + 30
        while True:
            assert self.process.poll() is None, "the sandbox ended at once"
            assert time.monotonic() < deadline, "the sandbox did not start"
            if self._listens():
                break
            time.sleep(0.05)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def ask(self, verb: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and decoded body of one call."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        sent = {"X-Request-ID": str(uuid4()), "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            link.request(verb, path, None if body is None else json.dumps(body), sent)
            answer = link.getresponse()
            content = answer.read()
        finally:
            link.close()
        is_json = "json" in (answer.getheader("content-type") or "")
        return answer.status, json.loads(content) if is_json else content.decode()

    def end(self, number: int) -> float:
        """Send a signal; how many seconds the end took."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(10)
        return time.monotonic() - began


@contextmanager
def running(folder: Path, *extra: str, fd: int | None = None) -> Iterator[Sandbox]:
    sandbox = Sandbox(folder, *extra, fd=fd)
    try:
        yield sandbox
    finally:
        if sandbox.process.poll() is None:
            sandbox.process.kill()
            sandbox.process.wait(10)


HEAD = {"PSU_IP_Address": "203.0.113.7", "TPP_Redirect_URI": "http://127.0.0.1/back"}


def pay(sandbox: Sandbox, person: dict[str, Any]) -> str:
    """Make a payment and authorise it on the bank's pages; the payment's address."""
    body = {
        "instructedAmount": {"currency": "EUR", "amount": "10.00"},
        "creditorName": "L",
        "creditorAccount": {"iban": "ES7921000813610123456789"},
        "debtorAccount": {"iban": person["accounts"][0]["iban"]},
        "endToEndIdentification": "E-1",
    }
    path = f"/banks/{person['bank']}/psd2/v1/payments/sepa-credit-transfers"
    status, made = sandbox.ask("POST", path, body, **HEAD)
    assert status == 201, made
    online = f"/banks/{person['bank']}/online"
    link = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=10)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    link.request("POST", f"{online}/login", f"code={person['bank_code']}&next=", form)
    answer = link.getresponse()
    answer.read()
    cookie = (answer.getheader("set-cookie") or "").partition(";")[0]
    link.request(
        "POST", f"{online}/payments/{made['paymentId']}", "decision=yes", {**form, "Cookie": cookie}
    )
    answer = link.getresponse()
    answer.read()
    link.close()
    assert answer.status == 303
    self_link: str = made["_links"]["self"]["href"]
    return self_link


def test_nothing_that_was_answered_is_lost_by_a_kill(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        _, person = first.ask(
            "POST", "/_sandbox/people", {"name": "Kim", "balance": "500.00", "bank": "luz"}
        )
        consent = {
            "access": {"balances": [{"iban": person["accounts"][0]["iban"]}]},
            "recurringIndicator": True,
            "validUntil": "2099-12-31",
            "frequencyPerDay": 4,
            "combinedServiceIndicator": False,
        }
        status, made = first.ask("POST", "/banks/luz/psd2/v1/consents", consent, **HEAD)
        assert status == 201
        payment = pay(first, person)
        first.ask("POST", f"/_sandbox/people/{person['id']}", {"modes": {"sms_landline": True}})
        first.ask("POST", f"/_sandbox/people/{person['id']}/text", {"body": "STOP"})
        _, before = first.ask("GET", "/_sandbox/ledger")
        _, everybody = first.ask("GET", "/_sandbox/people")
        first.end(signal.SIGKILL)
    with running(tmp_path, "--seed", "999", "--people", "2") as second:
        _, again = second.ask("GET", f"/_sandbox/people/{person['id']}", Accept="application/json")
        assert again["accounts"][0]["balance"] == "490.00"
        assert again["modes"] == {"sms_landline": 0.0}
        path = f"/banks/luz/psd2/v1/consents/{made['consentId']}/status"
        assert second.ask("GET", path)[1] == {"consentStatus": "received"}
        assert second.ask("GET", f"{payment}/status")[1] == {"transactionStatus": "ACTC"}
        _, after = second.ask("GET", "/_sandbox/ledger")
        assert after["debits"] == before["debits"]
        _, same = second.ask("GET", "/_sandbox/people")
        assert [one["phone"] for one in same] == [one["phone"] for one in everybody]


def test_the_count_of_reads_survives_a_kill(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        _, person = first.ask("POST", "/_sandbox/people", {"name": "Kim", "bank": "foerde"})
        path, consent_id = given_consent(first, person)
        seen = [first.ask("GET", path, Consent_ID=consent_id)[0] for _ in range(3)]
        assert seen == [200] * 3
        first.end(signal.SIGKILL)
    with running(tmp_path) as second:
        seen = [second.ask("GET", path, Consent_ID=consent_id)[0] for _ in range(2)]
        assert seen == [200, 429]


def given_consent(sandbox: Sandbox, person: dict[str, Any]) -> tuple[str, str]:
    """Ask for a consent and give it on the bank's pages; the balance address and its id."""
    bank = person["bank"]
    body = {
        "access": {"balances": []},
        "recurringIndicator": True,
        "validUntil": "2099-12-31",
        "frequencyPerDay": 4,
        "combinedServiceIndicator": False,
    }
    _, made = sandbox.ask("POST", f"/banks/{bank}/psd2/v1/consents", body, **HEAD)
    link = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=10)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    link.request("POST", f"/banks/{bank}/online/login", f"code={person['bank_code']}", form)
    answer = link.getresponse()
    answer.read()
    cookie = (answer.getheader("set-cookie") or "").partition(";")[0]
    iban = person["accounts"][0]["iban"]
    link.request(
        "POST",
        f"/banks/{bank}/online/consents/{made['consentId']}",
        f"decision=yes&account={iban}",
        {**form, "Cookie": cookie},
    )
    link.getresponse().read()
    link.close()
    _, listed = sandbox.ask(
        "GET", f"/banks/{bank}/psd2/v1/accounts", Consent_ID=made["consentId"],
        PSU_IP_Address="203.0.113.7",
    )  # fmt: skip
    resource = listed["accounts"][0]["resourceId"]
    return f"/banks/{bank}/psd2/v1/accounts/{resource}/balances", made["consentId"]


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)]
)
def test_it_ends_quickly_with_a_stream_open(tmp_path: Path, number: int) -> None:
    with running(tmp_path) as sandbox:
        _, person = sandbox.ask("POST", "/_sandbox/people", {"name": "Kim", "bank": "luz"})
        sandbox.ask("POST", f"/_sandbox/people/{person['id']}", {"modes": {"drip": 60}})
        iban = person["accounts"][0]["iban"]
        with socket.create_connection(("127.0.0.1", sandbox.port)) as stream:
            stream.sendall(_slow_consent(iban))
            assert stream.recv(64).startswith(b"HTTP/1.1 201")
            assert sandbox.end(number) < 4


def _slow_consent(iban: str) -> bytes:
    body = json.dumps(
        {
            "access": {"balances": [{"iban": iban}]},
            "recurringIndicator": True,
            "validUntil": "2099-12-31",
            "frequencyPerDay": 4,
            "combinedServiceIndicator": False,
        }
    ).encode()
    head = (
        "POST /banks/luz/psd2/v1/consents HTTP/1.1\r\nHost: x\r\n"
        f"X-Request-ID: {uuid4()}\r\nPSU-IP-Address: 203.0.113.7\r\n"
        "TPP-Redirect-URI: http://127.0.0.1/back\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def test_it_ends_by_itself_when_its_supervisor_is_gone(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with running(tmp_path, fd=reading) as sandbox:
        os.close(reading)
        assert sandbox.process.poll() is None
        os.close(writing)
        sandbox.process.wait(10)
        assert sandbox.process.returncode in (0, 70)


def test_a_lost_answer_is_a_closed_connection_and_the_payment_is_there(tmp_path: Path) -> None:
    with running(tmp_path) as sandbox:
        _, person = sandbox.ask("POST", "/_sandbox/people", {"name": "Kim", "balance": "500.00"})
        sandbox.ask(
            "POST", f"/_sandbox/people/{person['id']}", {"modes": {"payment_answer_lost": 1}}
        )
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            pay(sandbox, person)
        _, ledger = sandbox.ask("GET", "/_sandbox/ledger")
        assert [one["status"] for one in ledger["payments"]] == ["RCVD"]
        pay(sandbox, person)


def test_it_follows_the_shared_clock(tmp_path: Path) -> None:
    clock = tmp_path / "clock.json"
    began = time.time()
    content = {
        "mode": "warp", "real_origin": began, "business_origin": 1_772_431_200.0,
        "speed": 100_000.0, "lease_until": began + 0.001,
    }  # fmt: skip
    clock.write_text(json.dumps(content))
    with running(tmp_path / "data", "--clock", str(clock)) as sandbox:
        _, ledger = sandbox.ask("GET", "/_sandbox/ledger")
        at = datetime.fromisoformat(ledger["at"]).timestamp()
        assert abs(at - 1_772_431_300) < 1, "it stands still at the end of the lease"


def test_the_bank_list_is_printed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "--print-banks", "http://127.0.0.1:8210/"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert 'base_url = "http://127.0.0.1:8210/banks/luz/psd2"' in done.stdout
