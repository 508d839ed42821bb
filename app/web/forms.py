"""Posted forms: small, URL-encoded, and with the token that only our own page could know."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from typing import Final
from unicodedata import category
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request

from app.domain.errors import Invalid, NotAllowed, NotFound
from app.store.vault import Vault

FIELD: Final = "csrf"
_FIELDS_AT_MOST = 60


def form_token(vault: Vault, secret: str) -> str:
    """The token for forms of one session (or one link): a keyed hash, so nothing is stored."""
    return urlsafe_b64encode(vault.digest("form", secret)[:18]).decode()


class Form:
    """The fields of one posted form, as text."""

    def __init__(self, fields: FormData) -> None:
        self._fields = fields

    def text(self, name: str, *, longest: int = 200) -> str:
        """One field, stripped; empty when it is missing.

        Raises `Invalid` when it is too long, or holds what no keyboard types.
        """
        value = self._fields.get(name, "")
        if not isinstance(value, str):
            raise Invalid(name, "is not text.")
        if len(value) > longest:
            raise Invalid(name, f"is longer than {longest} characters.")
        if any(category(char) == "Cc" and char not in "\r\n\t" for char in value):
            raise Invalid(name, "holds signs that cannot be shown.")
        return value.strip()

    def password(self, name: str) -> str:
        """One field exactly as typed."""
        value = self._fields.get(name, "")
        return value if isinstance(value, str) else ""

    def every(self, name: str) -> tuple[str, ...]:
        """All values of a repeated field (ticked boxes)."""
        return tuple(value for value in self._fields.getlist(name) if isinstance(value, str))

    def ticked(self, name: str) -> bool:
        """Is a single box ticked?"""
        return bool(self.text(name))


async def read_form(request: Request, vault: Vault, secret: str) -> Form:
    """Read and check a posted form.

    Raises `NotAllowed` when the token is not the one of this session, and `Invalid` for anything
    that is not a small URL-encoded form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Invalid("form", "has to be sent as a form.")
    fields = await request.form(max_files=0, max_fields=_FIELDS_AT_MOST)
    sent = fields.get(FIELD, "")
    wanted = form_token(vault, secret)
    if not isinstance(sent, str) or not hmac.compare_digest(sent.encode(), wanted.encode()):
        raise NotAllowed(
            "This form is no longer valid. Please go back, reload the page and try again.",
            code="StaleForm",
        )
    return Form(fields)


def read_uuid(text: str) -> UUID:
    """An id from an address. Raises `NotFound`: a wrong id leads nowhere."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("There is no such page.") from None
