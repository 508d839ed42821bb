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
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import Misconfigured, SaldoError
from app.store.keys import new_id
from app.store.tables import data_keys

_NONCE = 12
# Seconds, real time. Every process looks a lender's keys up again this often, and seals under a key
# that is new to it only when every other process has had the time to learn it.
LOOK_AGAIN: Final = 5.0
SETTLED: Final = 3 * LOOK_AGAIN
_INSTALLATION = UUID(int=0)

log = structlog.get_logger("vault")


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
    """Seals and opens. A data key never changes; which ones there are is looked up now and then.

    `ticks` gives seconds of real time that only ever go on.
    """

    def __init__(
        self,
        master_keys: Mapping[str, bytes],
        hash_key: bytes,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
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
        self._coming: dict[UUID, tuple[bytes, float]] = {}  # a newer key, and when to seal with it
        self._known: dict[UUID, set[bytes]] = {}
        self._looked: dict[UUID, float] = {}
        self._ticks = ticks
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
        self._known.setdefault(lender_id, set()).add(key_id.bytes)
        self._seal_with(lender_id, key_id.bytes)
        return key_id

    async def ready(self, conn: AsyncConnection, lender_ids: Iterable[UUID] | None) -> None:
        """Have the data keys of these lenders (None: of all that `conn` may see).

        They are looked up when they are not known, and again after `LOOK_AGAIN` seconds: another
        process may have made a new one, or erased them.
        """
        wanted, now = None, self._ticks()
        if lender_ids is not None:
            wanted = {
                lender
                for lender in lender_ids
                if now - self._looked.get(lender, -LOOK_AGAIN) >= LOOK_AGAIN
            }
            if not wanted:
                return
        query = select(data_keys).order_by(data_keys.c.created_at, data_keys.c.id)
        if wanted is not None:
            query = query.where(data_keys.c.lender_id.in_(wanted))
        found: dict[UUID, list[Row[Any]]] = {lender: [] for lender in wanted or ()}
        for row in await conn.execute(query):
            found.setdefault(row.lender_id, []).append(row)
        for lender, rows in found.items():
            self._learn(lender, rows)
            if rows:
                self._looked[lender] = now

    def _learn(self, lender: UUID, rows: Sequence[Row[Any]]) -> None:
        """Take a lender's keys as they stand in the database; those that are gone are forgotten."""
        there: set[bytes] = set()
        for row in rows:
            if row.id.bytes not in self._keys:
                try:
                    raw = self._unwrap(row.id, row.master_key_id, row.wrapped)
                except Misconfigured:
                    if lender not in self._active:
                        raise
                    # Made under a master key that this process will have after its restart.
                    log.exception("data_key_not_opened", key_id=str(row.id))
                    continue
                self._keys[row.id.bytes] = AESGCM(raw)
            there.add(row.id.bytes)
        for gone in self._known.get(lender, set()) - there:
            self._keys.pop(gone, None)
        self._known[lender] = there
        if self._active.get(lender) not in there:
            self._active.pop(lender, None)
        if self._coming.get(lender, (b"", 0.0))[0] not in there:
            self._coming.pop(lender, None)
        in_use = [row.id.bytes for row in rows if row.retired_at is None and row.id.bytes in there]
        if in_use:
            self._seal_with(lender, in_use[-1])

    def _seal_with(self, lender: UUID, key: bytes) -> None:
        """At once when there was none; else when the others must have learned of it."""
        if lender not in self._active:
            self._active[lender] = key
            self._coming.pop(lender, None)
        elif self._active[lender] == key:
            self._coming.pop(lender, None)
        elif self._coming.get(lender, (b"", 0.0))[0] != key:
            self._coming[lender] = (key, self._ticks() + SETTLED)

    def _key_of(self, lender: UUID) -> bytes:
        coming = self._coming.get(lender)
        if coming is not None and self._ticks() >= coming[1]:
            self._active[lender] = coming[0]
            del self._coming[lender]
        return self._active[lender]

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
        rows: Sequence[Row[Any]] = (
            await conn.execute(
                select(data_keys).where(data_keys.c.master_key_id != self._active_master)
            )
        ).all()
        for row in rows:
            raw = self._unwrap(row.id, row.master_key_id, row.wrapped)
            nonce = os.urandom(_NONCE)
            place = _place("data_keys.wrapped", row.id)
            await conn.execute(
                update(data_keys)
                .where(data_keys.c.id == row.id)
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
        key_id = _INSTALLATION.bytes if lender_id is None else self._key_of(lender_id)
        raw = plain.encode() if isinstance(plain, str) else plain
        nonce = os.urandom(_NONCE)
        return key_id + nonce + self._keys[key_id].encrypt(nonce, raw, _place(place, row_id))

    def open(self, place: str, row_id: UUID | bytes, sealed: bytes) -> str:
        """Decrypt text sealed for exactly this place and row. Raises `SealBroken`."""
        key_id, nonce, body = sealed[:16], sealed[16 : 16 + _NONCE], sealed[16 + _NONCE :]
        cipher = self._keys.get(key_id)
        ring = [] if cipher is None else [cipher]
        if cipher is None:
            # A key made a moment ago: whoever tries again has it.
            self._looked.clear()
        if key_id == _INSTALLATION.bytes:
            ring += self._older
        for cipher in ring:
            try:
                return cipher.decrypt(nonce, body, _place(place, row_id)).decode()
            except InvalidTag:
                continue
        raise SealBroken(f"{place}: cannot be opened (key missing, or the row was tampered with)")
