"""The short reference of a payment link: what a borrower says on the phone to have it confirmed.

It is taken from the hash that is stored of the link's token, so the desk can show it too, and it
opens nothing.
"""

from __future__ import annotations

from app.store.links import LINK_HASH
from app.store.vault import Vault


def link_code(token_hash: bytes) -> str:
    """Six signs in two groups, such as "3F2-A9C"."""
    text = bytes(token_hash[:3]).hex().upper()
    return f"{text[:3]}-{text[3:]}"


def code_of_token(vault: Vault, token: str) -> str:
    """The same for the borrower's page, which knows the token."""
    return link_code(vault.digest(LINK_HASH, token))
