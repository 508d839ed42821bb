"""What a connector's settings lack, and how it stands with its certificates and its provider."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.commands.lacks import lacks
from app.domain.errors import Misconfigured
from app.reports.findings import Finding, note, ok, wrong

if TYPE_CHECKING:
    import httpx
    from pydantic import BaseModel

    from app.ports import Connector
    from app.settings import Settings

SLOTS = ("aggregation", "payments", "messages", "emails", "hooks", "lender_hooks")


def certificates(check: str, name: str, settings: BaseModel) -> Iterator[Finding]:
    """A line for each fault of the files, and one for all certificates that are good."""
    import connectors

    now = datetime.now(UTC)
    try:
        ways = connectors.ways_out(settings)
    except Misconfigured:
        return  # said where the connector is made
    for fault in dict.fromkeys(fault for way in ways for fault in connectors.faults(way, now)):
        tell = note if fault.grade is connectors.Grade.SOON else wrong
        yield tell(check, f"{name}: {fault.setting}: {fault.problem}", fault.mend)
    pairs = {pair for way in ways for pair in (way.setup.certified_key, way.seal) if pair}
    ends = [pair.ends_at() for pair in pairs if not any(pair.faults(now))]
    if ends:
        what = f"{name}: {len(ends)} good, the first expires on {min(ends):%Y-%m-%d}"
        yield ok(check, what)


def look(connector: Connector, settings: Settings) -> list[Finding]:
    """Its settings, slot by slot, and its certificates. No network.

    What a slot lacks that other connectors fill is only a note, once one slot is this one's.
    """
    import httpx

    import connectors
    from app.ports import Wire

    def now() -> datetime:
        return datetime.now(UTC)

    try:
        own = connectors.settings_of(connector)
    except Misconfigured as error:
        return [wrong("settings", f"{error.setting}: {error.problem}", error.mend)]
    found = [*_given(own), *certificates("certificates", connector.name, own)]
    wire = Wire(http=httpx.AsyncClient(), now=now, real_now=now)
    used = _used(connector.name, settings)
    for slot in SLOTS:
        build = getattr(connector, slot)
        if build is None:
            continue
        faults = lacks(build, own, wire)
        # Nobody has to be called; where nobody is, Saldo asks in a rhythm.
        needed = slot != "hooks" and (slot in used or not used)
        tell = wrong if needed else note
        found += [tell(slot, f"{one.setting}: {one.problem}", one.mend) for one in faults]
        if not faults:
            found.append(ok(slot, "is set up"))
    return found


def _used(name: str, settings: Settings) -> set[str]:
    """The slots that this connector is chosen for."""
    chosen = {
        "aggregation": (settings.aggregation_connector,),
        "payments": (settings.payment_connector,),
        "messages": settings.text_routes.providers,
        "emails": (settings.email_connector,),
    }
    return {slot for slot, names in chosen.items() if name in names}


def _given(own: BaseModel) -> Iterator[Finding]:
    """Which settings were given, by name alone, and which stand at their default."""
    prefix = str(own.model_config.get("env_prefix", ""))
    given = [f"{prefix}{name}".upper() for name in sorted(own.model_fields_set)]
    yield note("settings", f"given: {', '.join(given) or 'none'}")


async def reach(connector: Connector, http: httpx.AsyncClient) -> list[Finding]:
    """One question to each address, over its own way, then one that needs the access data.

    Nothing is read of anybody and nothing done there.
    """
    import connectors

    own = connectors.settings_of(connector)
    found = []
    for way in connectors.ways_out(own):
        for address in way.addresses:
            reached, what = await connectors.probe(http, way, address)
            tell = ok("reached", f"{address}: {what}")
            mend = "Look at address, proxy, certificates and the provider's own status."
            found.append(tell if reached else wrong("reached", f"{address}: {what}", mend))
    return [*found, *await _let_in(connector, own, http)]


async def _let_in(connector: Connector, own: BaseModel, http: httpx.AsyncClient) -> list[Finding]:
    from app.domain.errors import Misconfigured, ProviderError
    from app.ports import Wire

    def now() -> datetime:
        return datetime.now(UTC)

    if connector.try_out is None:
        return []
    try:
        await connector.try_out(own, Wire(http=http, now=now, real_now=now))
    except Misconfigured as error:
        return [wrong("let_in", f"{error.setting}: {error.problem}", error.mend)]
    except ProviderError as error:
        mend = "Copy the access data anew from the provider's own pages."
        return [wrong("let_in", f"it is refused: {error.detail}", mend)]
    return [ok("let_in", "the provider takes the access data")]
