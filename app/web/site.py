"""What every page is handed: the house, the clock, the templates, the throttle, the alerts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from jinja2 import Environment
from starlette.requests import Request

from app.clock import Clock
from app.domain.ids import LenderId
from app.flows.house import House
from app.settings import Settings, is_loopback
from app.web.alerts import AlertHub
from app.web.client import caller_ip, place_of
from app.web.passwords import Passwords
from app.web.throttle import Door, Throttle


@dataclass(frozen=True, slots=True)
class Site:
    """Built once per web process by `app.web.mount`."""

    house: House
    clock: Clock
    settings: Settings
    templates: Environment
    throttle: Throttle
    passwords: Passwords
    alerts: AlertHub

    def now(self) -> datetime:
        """Business time."""
        return self.clock.now()

    async def of(self, lender_id: LenderId) -> Site:
        """The site as this lender has it: with his own providers, where he has set up any."""
        return replace(self, house=await self.house.of(lender_id))

    def ip_of(self, request: Request) -> str:
        """The caller's address, proxies believed only where the settings trust them."""
        return caller_ip(request, self.settings.trusted_proxies)

    def knock(self, request: Request, door: Door, *, who: str = "") -> None:
        """Count one try at a door, by address unless `who` says otherwise.

        In the demo a whole town lives at this machine's own address: there it is not counted.
        """
        ip = self.ip_of(request)
        if who or not (self.settings.demo and is_loopback(ip)):
            self.throttle.knock(door, who or place_of(ip))


def site_of(request: Request) -> Site:
    """The site that serves this request."""
    site: Site = request.app.state.site
    return site
