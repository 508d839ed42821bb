"""The borrowers' mailboxes as web pages."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.faces.bank_pages import touch
from sandbox.faces.pages import is_robot, page
from sandbox.faces.phones import linked
from sandbox.mails import address_of
from sandbox.world import World


class Mailboxes:
    """All mailboxes over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """One page a person."""
        return [Route("/mail/{id}", self._mailbox)]

    async def _mailbox(self, request: Request) -> Response:
        person = self._world.people.get(request.path_params["id"])
        if person is None:
            return Response("no such mailbox", 404)
        if not is_robot(request):
            touch(self._world.paths.presence)
        zone = ZoneInfo(person.time_zone)
        mails: list[dict[str, Any]] = [
            {
                "sender": mail.sender,
                "subject": mail.subject,
                "html": linked(mail.body.strip()),
                "at": mail.at.astimezone(zone).strftime("%a %d %b, %H:%M"),
                "stops": bool(mail.stop_url),
            }
            for mail in self._world.mails.of_person(person)
        ]
        back = [
            bounce.due_at.astimezone(zone).strftime("%a %d %b, %H:%M")
            for bounce in self._world.mails.sent_back(person)
        ]
        return page(
            "mailbox.html", person=person, address=address_of(person), mails=mails, back=back
        )
