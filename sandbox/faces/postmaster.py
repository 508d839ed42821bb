"""The postmaster: e-mails that cannot be delivered go back, as delivery status notifications.

RFC 3464, handed to the sender's own address as a POST with `saldo-timestamp` (seconds) and
`saldo-signature`, "v1=" and the hex HMAC-SHA256 of "timestamp.body": what the pipe on a bounce
address does where a real mail server stands.
"""

from __future__ import annotations

import hmac
import time
from email.utils import format_datetime

import httpx

from sandbox.faces.pages import ROBOT
from sandbox.mails import HOST
from sandbox.records import Bounce
from sandbox.world import World

_PATIENCE_S = 5.0
_BOUNDARY = "=_back_to_the_sender"


def notification(bounce: Bounce) -> bytes:
    """The notification that nobody lives at this address (RFC 3463: 5.1.1)."""
    lines = [
        f"From: Mail Delivery System <MAILER-DAEMON@{HOST}>",
        f"To: {bounce.sender}",
        "Subject: Undelivered Mail Returned to Sender",
        f"Date: {format_datetime(bounce.due_at)}",
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status;",
        f'    boundary="{_BOUNDARY}"',
        "",
        f"--{_BOUNDARY}",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        "Nobody of this name lives here.",
        "",
        f"--{_BOUNDARY}",
        "Content-Type: message/delivery-status",
        "",
        f"Reporting-MTA: dns; {HOST}",
        "",
        f"Final-Recipient: rfc822; {bounce.to}",
        "Action: failed",
        "Status: 5.1.1",
        "",
        f"--{_BOUNDARY}",
        "Content-Type: text/rfc822-headers",
        "",
        f"Message-ID: {bounce.message_id}",
        f"To: {bounce.to}",
        "",
        f"--{_BOUNDARY}--",
        "",
    ]
    return "\r\n".join(lines).encode()


def signature(secret: str, stamp: str, body: bytes) -> str:
    """The value of saldo-signature."""
    return "v1=" + hmac.new(secret.encode(), stamp.encode() + b"." + body, "sha256").hexdigest()


class Postmaster:
    """Hands the bounces that are due to `url`. Where nobody answers, he comes again."""

    def __init__(self, world: World, http: httpx.AsyncClient, url: str, secret: str) -> None:
        self._world = world
        self._http = http
        self._url = url
        self._secret = secret
        self._not_before: dict[str, float] = {}

    async def make_rounds(self) -> int:
        """Hand over every bounce that is due now; how many were taken, or refused for good."""
        done = 0
        for bounce in self._world.mails.due_bounces(self._world.now()):
            if time.monotonic() < self._not_before.get(bounce.id, 0.0):
                continue
            reached = await self._hand_over(bounce)
            self._world.mails.handed_over(bounce, reached=reached)
            if not reached:
                self._not_before[bounce.id] = time.monotonic() + 2.0**bounce.tries
            done += reached
        return done

    async def _hand_over(self, bounce: Bounce) -> bool:
        body, stamp = notification(bounce), str(int(time.time()))
        headers = {
            "content-type": "message/rfc822",
            "user-agent": f"postmaster ({ROBOT})",
            "saldo-timestamp": stamp,
            "saldo-signature": signature(self._secret, stamp, body),
        }
        try:
            answer = await self._http.post(
                self._url, content=body, headers=headers, timeout=_PATIENCE_S
            )
        except httpx.HTTPError:
            return False
        return answer.status_code < 500
