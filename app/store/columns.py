"""The handful of column shapes that every table is made of."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from app.domain.lifecycle import Lifecycle

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def key() -> Column[Any]:
    """Our own id, made by `app.store.keys.new_id` (UUID version 7: roughly in order of time)."""
    return Column("id", UUID(as_uuid=True), primary_key=True)


def ref(name: str, target: str, *, optional: bool = False) -> Column[Any]:
    """A reference to another row."""
    return Column(name, UUID(as_uuid=True), ForeignKey(f"{target}.id"), nullable=optional)


def uid(name: str, *, optional: bool = False, default: str | None = None) -> Column[Any]:
    """A UUID that is no foreign key (a derived key, a row that may be erased)."""
    return Column(name, UUID(as_uuid=True), nullable=optional, server_default=default)


def words(name: str, *, optional: bool = False, default: str | None = None) -> Column[Any]:
    """Text of any length."""
    return Column(name, Text, nullable=optional, server_default=default)


def moment(name: str, *, optional: bool = False) -> Column[Any]:
    """An aware instant, stored as UTC."""
    return Column(name, DateTime(timezone=True), nullable=optional)


def flag(name: str, *, default: bool = False) -> Column[Any]:
    """A yes or no with a default."""
    return Column(name, Boolean, nullable=False, server_default=text(str(default).lower()))


def minor(name: str, *, optional: bool = False, default: int | None = None) -> Column[Any]:
    """An amount in minor units; its currency stands in a `currency` column of the same row."""
    return Column(
        name,
        BigInteger,
        nullable=optional,
        server_default=None if default is None else text(str(default)),
    )


def count(name: str, default: int = 0) -> Column[Any]:
    """A small whole number."""
    return Column(name, BigInteger, nullable=False, server_default=text(str(default)))


def small(name: str, default: int) -> Column[Any]:
    """A very small whole number."""
    return Column(name, SmallInteger, nullable=False, server_default=text(str(default)))


def currency(name: str = "currency", *, optional: bool = False) -> Column[Any]:
    """ISO 4217 code."""
    return Column(name, String(3), nullable=optional)


def sealed(name: str, *, optional: bool = False) -> Column[Any]:
    """Ciphertext made by the vault, bound to this table, column and row."""
    return Column(name, LargeBinary, nullable=optional)


def hashed(name: str, *, optional: bool = False) -> Column[Any]:
    """A keyed hash (HMAC-SHA256) for look-ups and comparison."""
    return Column(name, LargeBinary, nullable=optional)


def digest(name: str) -> Column[Any]:
    """A plain hash, or several in a row: it hides nothing, it only shows what is not as it was."""
    return Column(name, LargeBinary, nullable=False)


def place() -> Column[Any]:
    """The order of writing, from a sequence: what stamps cover (see app/store/stamps.py)."""
    return Column("place", BigInteger, Identity(always=True), nullable=False)


def notes(name: str, *, optional: bool = False) -> Column[Any]:
    """A small JSON object."""
    return Column(
        name, JSONB, nullable=optional, server_default=None if optional else text("'{}'::jsonb")
    )


def uids(name: str) -> Column[Any]:
    """A list of ids."""
    return Column(
        name, ARRAY(UUID(as_uuid=True)), nullable=False, server_default=text("'{}'::uuid[]")
    )


def names(name: str) -> Column[Any]:
    """A list of words."""
    return Column(name, ARRAY(Text), nullable=False, server_default=text("'{}'::text[]"))


def each(name: str, kind: type[TypeEngine[Any]]) -> Column[Any]:
    """A list, an entry for each of several things that are kept in one row."""
    return Column(name, ARRAY(kind), nullable=False)


def one_of(name: str, choices: type[StrEnum]) -> CheckConstraint:
    """The CHECK that a text column holds one of an enum's words."""
    listed = ", ".join(f"'{choice.value}'" for choice in choices)
    return CheckConstraint(f"{name} IN ({listed})", name=name)


def state_of(lifecycle: Lifecycle[Any]) -> tuple[Column[Any], CheckConstraint]:
    """A `state` column that starts where the lifecycle starts and allows only its states."""
    column: Column[Any] = Column(
        "state", Text, nullable=False, server_default=text(f"'{lifecycle.start.value}'")
    )
    return column, one_of("state", lifecycle.states)


def tenant_table(name: str, *items: SchemaItem | tuple[SchemaItem, ...]) -> Table:
    """A table whose every row belongs to one lender and stands under row-level security."""
    flat: list[SchemaItem] = []
    for item in items:
        flat.extend(item if isinstance(item, tuple) else (item,))
    return Table(
        name,
        metadata,
        Column("lender_id", UUID(as_uuid=True), ForeignKey("lenders.id"), nullable=False),
        *flat,
        info={"tenant": True},
    )
