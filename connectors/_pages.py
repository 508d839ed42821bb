"""Which pages a borrower may be sent to by a provider that answers with their addresses.

He comes from the lender's own page, so that he takes for genuine whatever comes next.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final
from urllib.parse import urlsplit

import structlog
from pydantic import Field

from connectors._settings import ProviderSettings
from connectors._stated import page_address

_PLAIN: Final = re.compile(r"[\x21-\x7e]{1,8000}")

log = structlog.get_logger("connectors")


class PageSettings(ProviderSettings):
    """Settings of a connector whose provider names the page that a borrower goes to."""

    vendor_pages: ClassVar[tuple[str, ...]] = ()
    """The vendor's own domains, as its documentation shows them in such addresses."""

    page_hosts: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9.,\s-]*$",
        description="Hosts besides the vendor's own at which its pages for borrowers may stand, "
        "with commas between: a domain of yours that it serves, say. Nobody is sent anywhere else.",
    )

    def page(self, value: object) -> str | None:
        """The address, where a browser may be sent to it: safe, and at a host of the vendor's, of
        the settings' own addresses, or of `page_hosts`.
        """
        if not isinstance(value, str) or not _PLAIN.fullmatch(value):
            return None
        page = page_address(value)
        host = (urlsplit(value).hostname or "").rstrip(".") if page else ""
        if page is None or self._is_known(host):
            return page
        log.error("page_elsewhere", setting=f"{self.setting_prefix()}PAGE_HOSTS", host=host)
        return None

    def _is_known(self, host: str) -> bool:
        ours = {urlsplit(one).hostname or "" for one in self.addresses()}
        named = {one.lower() for one in re.split(r"[,\s]+", self.page_hosts) if one}
        vendors = any(host == one or host.endswith(f".{one}") for one in self.vendor_pages)
        return vendors or host in ours | named
