"""Posted forms: small, URL-encoded, and with the token that only our own page could know."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Sequence
from typing import Final
from unicodedata import category
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request

from app.domain.errors import Invalid, NotAllowed, NotFound
from app.store.vault import Vault

FIELD: Final = "csrf"
# The form of a strategy has a row for every stage and message; all others have a dozen fields.
_FIELDS_AT_MOST = 260
_FILES_AT_MOST = 12
_LONGEST = 200


def form_token(vault: Vault, secret: str) -> str:
    """The token for forms of one session (or one link): a keyed hash, so nothing is stored."""
    return urlsafe_b64encode(vault.digest("form", secret)[:18]).decode()


class Form:
    """The fields of one posted form, as text."""

    def __init__(self, fields: FormData, files: Sequence[tuple[str, str, bytes]] = ()) -> None:
        self._fields = fields
        self._files = files

    def text(self, name: str, *, longest: int = _LONGEST) -> str:
        """One field, stripped; empty when it is missing.

        Raises `Invalid` when it is too long, or holds what no keyboard types.
        """
        value = self._fields.get(name, "")
        if not isinstance(value, str):
            raise Invalid(name, "is not text.", mend="Type it, instead of sending a file.")
        return _readable(name, value, longest).strip()

    def password(self, name: str) -> str:
        """One field exactly as typed."""
        value = self._fields.get(name, "")
        return value if isinstance(value, str) else ""

    def every(self, name: str) -> tuple[str, ...]:
        """All values of a repeated field (ticked boxes). Raises `Invalid` as `text` does."""
        sent = (value for value in self._fields.getlist(name) if isinstance(value, str))
        return tuple(_readable(name, value, _LONGEST) for value in sent)

    def files(self, name: str, *, largest: int) -> list[tuple[str, bytes]]:
        """Name and content of every file of a field; an empty choice is none.

        Raises `Invalid` for one of more than `largest` bytes.
        """
        found = [(file_name, body) for field, file_name, body in self._files if field == name]
        for file_name, body in found:
            if len(body) > largest:
                raise Invalid(
                    file_name,
                    f"is larger than {largest // 1024 // 1024} MB.",
                    mend="Split it into several files.",
                )
        return found

    def ticked(self, name: str) -> bool:
        """Is a single box ticked?"""
        return bool(self.text(name))


def _readable(name: str, value: str, longest: int) -> str:
    if len(value) > longest:
        raise Invalid(name, f"is longer than {longest} characters.", mend="Shorten it.")
    if any(category(char) == "Cc" and char not in "\r\n\t" for char in value):
        raise Invalid(
            name,
            "holds signs that cannot be shown.",
            mend="Type it anew instead of pasting it.",
        )
    return value


async def read_form(
    request: Request, vault: Vault, secret: str, *, with_files: bool = False
) -> Form:
    """Read and check a posted form.

    Raises `NotAllowed` when the token is not the one of this session, and `Invalid` for anything
    that is not a small URL-encoded form, or, `with_files`, one that carries files. Files are kept
    on disk while they come in; how much may come is the guard's business.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded" and not (
        with_files and kind == "multipart/form-data"
    ):
        raise Invalid(
            "form",
            "has to be sent as a form.",
            mend="Send it as application/x-www-form-urlencoded.",
        )
    fields = await request.form(
        max_files=_FILES_AT_MOST if with_files else 0, max_fields=_FIELDS_AT_MOST
    )
    try:
        sent = fields.get(FIELD, "")
        wanted = form_token(vault, secret)
        if not isinstance(sent, str) or not hmac.compare_digest(sent.encode(), wanted.encode()):
            raise NotAllowed(
                "This form is no longer valid. Please go back, reload the page and try again.",
                code="StaleForm",
            )
        return Form(fields, [one async for one in _uploaded(fields)] if with_files else ())
    finally:
        await fields.close()


async def _uploaded(fields: FormData) -> AsyncIterator[tuple[str, str, bytes]]:
    """Field, bare file name and content of every file; what lies on disk is gone afterwards."""
    for field, one in fields.multi_items():
        if not isinstance(one, str) and one.filename:
            name = one.filename.replace("\\", "/").rpartition("/")[2][:120]
            yield field, name, await one.read()


def read_uuid(text: str) -> UUID:
    """An id from an address. Raises `NotFound`: a wrong id leads nowhere."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("There is no such page.") from None
