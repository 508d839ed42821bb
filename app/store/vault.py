"""Encryption at rest: AES-256-GCM under a data key per lender, wrapped by a master key.

A ciphertext is bound to its place (table and column) and its row, so that it cannot be moved
to another row and read there. Master keys come from the settings; the first one is active,
the others still open old rows. Deleting a lender's data keys erases what they sealed.

Layout of a ciphertext: data key id (16 bytes) | nonce (12 bytes) | AES-GCM output.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import Misconfigured, SaldoError
from app.store.keys import new_id
from app.store.tables import data_keys

_NONCE = 12
_INSTALLATION = UUID(int=0)


class SealBroken(SaldoError):
    """A ciphertext does not belong to this place and row, or its key is gone."""


def parse_master_keys(text: str) -> dict[str, bytes]:
    """Read `id:base64,id:base64`. Raises `Misconfigured` naming what is wrong."""
    found: dict[str, bytes] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, encoded = part.partition(":")
        try:
            value = base64.b64decode(encoded, validate=True)
        except ValueError:
            value = b""
        if not name or len(value) != 32:
            raise Misconfigured(
                "SALDO_MASTER_KEYS",
                f"entry {name!r} is not an id, a colon and 32 bytes in base64",
                "Make one with: saldo keys new",
            )
        found[name] = value
    return found


def _place(place: str, row_id: UUID | bytes) -> bytes:
    row = row_id.bytes if isinstance(row_id, UUID) else row_id
    return place.encode() + b"|" + row


class Vault:
    """Seals and opens. Data keys are cached for the life of the process; they never change."""

    def __init__(self, master_keys: Mapping[str, bytes], hash_key: bytes) -> None:
        if not master_keys:
            raise Misconfigured(
                "SALDO_MASTER_KEYS", "no key is set", "Make one with: saldo keys new"
            )
        if len(hash_key) < 32:
            raise Misconfigured(
                "SALDO_HASH_KEY", "needs at least 32 bytes", "Make one with: saldo keys new"
            )
        self._masters = {name: AESGCM(value) for name, value in master_keys.items()}
        self._active_master = next(iter(master_keys))
        self._hash_key = hash_key
        self._keys: dict[bytes, AESGCM] = {}  # by the bytes of their ids, as a ciphertext begins
        self._active: dict[UUID, bytes] = {}
        first = master_keys[self._active_master]
        self._cookie_key = hmac.digest(first, b"saldo installation rows", hashlib.sha256)
        self._keys[_INSTALLATION.bytes] = AESGCM(self._cookie_key)
        self._older = [
            AESGCM(hmac.digest(value, b"saldo installation rows", hashlib.sha256))
            for value in list(master_keys.values())[1:]
        ]

    # -------------------------------------------------------------- hashes

    def digest(self, purpose: str, value: str | bytes) -> bytes:
        """The keyed hash of `value` for one purpose ("iban", "phone", "link", ...)."""
        raw = value.encode() if isinstance(value, str) else value
        return hmac.digest(self._hash_key, purpose.encode() + b"|" + raw, hashlib.sha256)

    # -------------------------------------------------------------- data keys

    async def make_key(self, conn: AsyncConnection, lender_id: UUID, now: datetime) -> UUID:
        """A fresh data key for the lender; older ones are retired and still open old rows."""
        await conn.execute(
            update(data_keys)
            .where(data_keys.c.lender_id == lender_id, data_keys.c.retired_at.is_(None))
            .values(retired_at=now)
        )
        key_id, raw, nonce = new_id(), AESGCM.generate_key(256), os.urandom(_NONCE)
        wrapped = nonce + self._masters[self._active_master].encrypt(
            nonce, raw, _place("data_keys.wrapped", key_id)
        )
        await conn.execute(
            insert(data_keys).values(
                id=key_id,
                lender_id=lender_id,
                master_key_id=self._active_master,
                wrapped=wrapped,
                created_at=now,
            )
        )
        self._keys[key_id.bytes] = AESGCM(raw)
        self._active[lender_id] = key_id.bytes
        return key_id

    async def ready(self, conn: AsyncConnection, lender_ids: Iterable[UUID] | None) -> None:
        """Load the data keys of these lenders (None: of all that `conn` may see)."""
        wanted = None
        if lender_ids is not None:
            wanted = {lender for lender in lender_ids if lender not in self._active}
            if not wanted:
                return
        query = select(data_keys).order_by(data_keys.c.created_at)
        if wanted is not None:
            query = query.where(data_keys.c.lender_id.in_(wanted))
        for row in await conn.execute(query):
            self._keys.setdefault(
                row.id.bytes, AESGCM(self._unwrap(row.id, row.master_key_id, row.wrapped))
            )
            if row.retired_at is None:
                self._active[row.lender_id] = row.id.bytes

    def _unwrap(self, key_id: UUID, master_id: str, wrapped: bytes) -> bytes:
        master = self._masters.get(master_id)
        if master is None:
            raise Misconfigured(
                "SALDO_MASTER_KEYS",
                f"the master key {master_id!r} that older rows need is missing",
                "Add it again behind the active one.",
            )
        try:
            return master.decrypt(
                wrapped[:_NONCE], wrapped[_NONCE:], _place("data_keys.wrapped", key_id)
            )
        except InvalidTag:
            raise Misconfigured(
                "SALDO_MASTER_KEYS",
                f"the master key {master_id!r} is not the one that this database was sealed with",
                "Restore the key file that belongs to this database.",
            ) from None

    async def rewrap(self, conn: AsyncConnection) -> int:
        """Wrap every data key under the active master key. Returns how many were changed."""
        changed = 0
        rows: Sequence[object] = (
            await conn.execute(
                select(data_keys).where(data_keys.c.master_key_id != self._active_master)
            )
        ).all()
        for row in rows:
            raw = self._unwrap(row.id, row.master_key_id, row.wrapped)  # type: ignore[attr-defined]
            nonce = os.urandom(_NONCE)
            place = _place("data_keys.wrapped", row.id)  # type: ignore[attr-defined]
            await conn.execute(
                update(data_keys)
                .where(data_keys.c.id == row.id)  # type: ignore[attr-defined]
                .values(
                    master_key_id=self._active_master,
                    wrapped=nonce + self._masters[self._active_master].encrypt(nonce, raw, place),
                )
            )
            changed += 1
        return changed

    # -------------------------------------------------------------- sealing

    def seal(
        self, lender_id: UUID | None, place: str, row_id: UUID | bytes, plain: str | bytes
    ) -> bytes:
        """Encrypt for one place ("messages.body_enc") and row. None = installation's own rows."""
        key_id = _INSTALLATION.bytes if lender_id is None else self._active[lender_id]
        raw = plain.encode() if isinstance(plain, str) else plain
        nonce = os.urandom(_NONCE)
        return key_id + nonce + self._keys[key_id].encrypt(nonce, raw, _place(place, row_id))

    def open(self, place: str, row_id: UUID | bytes, sealed: bytes) -> str:
        """Decrypt text sealed for exactly this place and row. Raises `SealBroken`."""
        key_id, nonce, body = sealed[:16], sealed[16 : 16 + _NONCE], sealed[16 + _NONCE :]
        cipher = self._keys.get(key_id)
        ring = [] if cipher is None else [cipher]
        if key_id == _INSTALLATION.bytes:
            ring += self._older
        for cipher in ring:
            try:
                return cipher.decrypt(nonce, body, _place(place, row_id)).decode()
            except InvalidTag:
                continue
        raise SealBroken(f"{place}: cannot be opened (key missing, or the row was tampered with)")
