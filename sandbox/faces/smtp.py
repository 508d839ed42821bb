"""The town's mail server: SMTP (RFC 5321) as far as one sender needs it, without TLS.

It listens on this machine alone. Mailboxes that do not exist are refused as real servers do it
(550 5.1.1); a person's modes make it say "later", hang up after it took the text, or find out
only afterwards that nobody lives there (faces/postmaster.py).
"""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

from sandbox.modes import Mode
from sandbox.people import Person
from sandbox.world import World

_LONGEST_LINE = 1_024
_LONGEST_TEXT = 512 * 1_024
_PATIENCE_S = 60.0
_PATH = re.compile(rb"(?:FROM|TO):\s*<([^<>\s]*)>", re.IGNORECASE)


class HangUp(Exception):
    """The server closes the connection without another word."""


class Smtp:
    """The server over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Begin to serve; the caller closes what it gets."""
        return await asyncio.start_server(self.talk, host, port, limit=_LONGEST_TEXT)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from its greeting to its end."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await _Talk(self._world, reader, writer).run()
        except (HangUp, TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            pass
        except (ValueError, asyncio.LimitOverrunError):
            writer.write(b"500 5.5.2 line too long\r\n")
        finally:
            writer.close()


class _Talk:
    """What one client has said so far."""

    def __init__(
        self, world: World, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._world = world
        self._reader = reader
        self._writer = writer
        self._sender = ""
        self._to: list[tuple[str, Person]] = []

    async def run(self) -> None:
        await self._say("220 mail.sandbox ESMTP")
        while line := await self._reader.readline():
            word, _, rest = line.strip().partition(b" ")
            match word.upper():
                case b"EHLO":
                    await self._say("250-mail.sandbox", "250-8BITMIME", f"250 SIZE {_LONGEST_TEXT}")
                case b"HELO" | b"NOOP":
                    await self._say("250 mail.sandbox")
                case b"RSET":
                    self._sender, self._to = "", []
                    await self._say("250 2.0.0 fine")
                case b"MAIL":
                    await self._mail(rest)
                case b"RCPT":
                    await self._rcpt(rest)
                case b"DATA":
                    await self._data()
                case b"QUIT":
                    await self._say("221 2.0.0 bye")
                    return
                case _:
                    await self._say("502 5.5.1 not known here")

    async def _mail(self, rest: bytes) -> None:
        found = _PATH.match(rest)
        if found is None:
            await self._say("501 5.1.7 no sender")
            return
        self._sender, self._to = found[1].decode("ascii", "replace"), []
        await self._say("250 2.1.0 fine")

    async def _rcpt(self, rest: bytes) -> None:
        found = _PATH.match(rest)
        address = found[1].decode("ascii", "replace") if found else ""
        person = self._world.mails.person_at(address)
        town = self._world.town
        if person is None or town.mode(person.id, Mode.EMAIL_UNKNOWN) is not None:
            await self._say("550 5.1.1 no such mailbox")
        elif town.take(person.id, Mode.EMAIL_LATER):
            await self._say("451 4.3.0 come back later")
        else:
            self._to.append((address, person))
            await self._say("250 2.1.5 fine")

    async def _data(self) -> None:
        if not self._to:
            await self._say("503 5.5.1 nobody to send it to")
            return
        await self._say("354 end with a dot")
        lines: list[bytes] = []
        size = 0
        while (line := await self._reader.readline()) != b".\r\n":
            size += len(line)
            if not line or size > _LONGEST_TEXT:
                raise HangUp
            # A dot at the beginning of a line was doubled on the way (RFC 5321, 4.5.2).
            lines.append(line[1:] if line.startswith(b".") else line)
        for address, person in self._to:
            self._put_in(address, person, b"".join(lines))
        if any(self._world.town.take(person.id, Mode.EMAIL_ANSWER_LOST) for _, person in self._to):
            raise HangUp
        self._to = []
        await self._say("250 2.0.0 taken")

    def _put_in(self, address: str, person: Person, content: bytes) -> None:
        """Into the mailbox, or on its way back."""
        now, mails = self._world.now(), self._world.mails
        minutes = self._world.town.mode(person.id, Mode.EMAIL_BOUNCES)
        if minutes is None:
            mails.accept(self._sender, address, content, now)
        else:
            due_at = now + timedelta(minutes=minutes)
            mails.send_back(self._sender, address, content, due_at)

    async def _say(self, *lines: str) -> None:
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self._writer.drain()
