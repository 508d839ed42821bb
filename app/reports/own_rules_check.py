"""Whether every lender's own contact rules still have a measure in the packs that ship."""

from __future__ import annotations

from sqlalchemy import select

from app.domain.edition import EditionState
from app.domain.pack_edition import orphans, read_edition
from app.reference.packs import PackBook
from app.reports.findings import Finding, wrong
from app.store.tables import lenders, pack_editions
from app.store.unit import Unit


async def check_own_rules(unit: Unit, packs: PackBook) -> list[Finding]:
    """Editions in force that are stricter than a rule which their pack has no longer."""
    rows = await unit.conn.execute(
        select(
            lenders.c.slug, pack_editions.c.country, pack_editions.c.number, pack_editions.c.body
        )
        .join_from(pack_editions, lenders, lenders.c.id == pack_editions.c.lender_id)
        .where(pack_editions.c.state == EditionState.PUBLISHED.value)
        .order_by(lenders.c.slug, pack_editions.c.country)
    )
    found = []
    for row in rows.all():
        pack = packs.of(row.country)
        lost = orphans(read_edition(row.body), pack)
        if lost:
            found.append(
                wrong(
                    f"contact rules of {row.slug}",
                    f"edition {row.number} for {pack.name} is stricter than {', '.join(lost)}, "
                    "which the country's rules have no longer: that is not kept",
                    f"Write and publish a new edition: /rules/{row.country.lower()}",
                )
            )
    return found
