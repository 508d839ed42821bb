"""What every page is handed: the house, the clock, the templates, the throttle, the alerts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jinja2 import Environment
from starlette.requests import Request

from app.clock import Clock
from app.flows.house import House
from app.settings import Settings
from app.web.alerts import AlertHub
from app.web.client import caller_ip
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

    def ip_of(self, request: Request) -> str:
        """The caller's address, proxies believed only where the settings trust them."""
        return caller_ip(request, self.settings.trusted_proxies)

    def knock(self, request: Request, door: Door, *, who: str = "") -> None:
        """Count one try at a door, by address unless `who` says otherwise."""
        self.throttle.knock(door, who or self.ip_of(request))


def site_of(request: Request) -> Site:
    """The site that serves this request."""
    site: Site = request.app.state.site
    return site
