"""Editions: how a text, a strategy or a segment that people write comes into force.

What is in force decides about people's money, so nobody puts it there alone: one person proposes
an edition, another publishes it. What shipped with Saldo counts as published by the installation.
"""

from __future__ import annotations

from enum import StrEnum

from app.domain.lifecycle import Lifecycle


class EditionState(StrEnum):
    """At most one edition of a thing is `published`; the one before it becomes `retired`."""

    DRAFT = "draft"
    PROPOSED = "proposed"
    PUBLISHED = "published"
    RETIRED = "retired"


EDITION = Lifecycle(
    "edition",
    EditionState,
    start=EditionState.DRAFT,
    table={
        EditionState.DRAFT: {"propose": EditionState.PROPOSED},
        EditionState.PROPOSED: {
            "publish": EditionState.PUBLISHED,
            "send_back": EditionState.DRAFT,
        },
        EditionState.PUBLISHED: {"retire": EditionState.RETIRED},
        # Rolling back publishes an older edition again, by a second person like any other.
        EditionState.RETIRED: {"propose": EditionState.PROPOSED},
    },
)
