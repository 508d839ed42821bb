"""`saldo doctor`: what is wrong with this installation, and how to mend it."""

from __future__ import annotations

import asyncio
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from app.commands.at_work import AsJson, DataDir, tell_findings
from app.domain.errors import Misconfigured, NotFound

if TYPE_CHECKING:
    from app.pay_ports import PaymentPort
    from app.reports.findings import Finding
    from app.settings import Settings
    from app.store.vault import Vault

NAME = "doctor"
app = typer.Typer(help="Say what is wrong with this installation, and how to mend it.")

# No machine that runs this was ever right about an earlier day.
_WRITTEN_AT = datetime(2026, 1, 1, tzinfo=UTC)


@app.callback(invoke_without_command=True)
def doctor(json_wanted: AsJson = False, data_dir: DataDir = None) -> None:
    """Look at settings, keys, clock, licence, database, roles, migrations, workers, invariants.

    Status 1 when anything is wrong. Changes nothing.
    """
    from app.logs import configure_logs

    configure_logs("error", "text", "doctor")
    found = asyncio.run(examine(data_dir))
    tell_findings(found, json_wanted=json_wanted)


async def examine(data_dir: Path | None) -> list[Finding]:
    """Every finding, from the outside in; what cannot be looked at any more is left out."""
    from app.commands.doctor_database import examine_database
    from app.reports.findings import ok, wrong
    from app.supervisor.find import settings_for_command

    try:
        settings = settings_for_command(data_dir)
    except Misconfigured as error:
        return [wrong("settings", f"{error.setting}: {error.problem}", error.mend)]
    found = [ok("settings", "can be read"), *_instance(settings, data_dir)]
    found += _public_url(settings)
    found += _clock(settings)
    found += _providers(settings)
    vault, about_keys = _keys(settings)
    found += about_keys
    found += await examine_database(settings, vault)
    return found


# ------------------------------------------------------------------ without the database


def _instance(settings: Settings, data_dir: Path | None) -> list[Finding]:
    from app.reports.findings import note, ok
    from app.supervisor.find import running

    try:
        instance = running(data_dir)
    except NotFound:
        mend = "Start it: saldo serve" if settings.embedded else ""
        return [note("instance", "no supervisor runs on this machine", mend)]
    found = [ok("instance", f"runs in {instance.data_dir} since {instance.started}")]
    if not (instance.demo or data_dir or os.environ.get("SALDO_DATA_DIR")):
        what = "the settings below are this shell's, not those that the instance was started with"
        found.append(note("environment", what, "Use the same .env, or SALDO_ENV_FILE."))
    return found


def _public_url(settings: Settings) -> list[Finding]:
    from app.reports.findings import note, ok

    if settings.secure or settings.demo:
        return [ok("public url", settings.public_url)]
    what = f"{settings.public_url} is this machine itself: no borrower can reach it"
    return [note("public url", what, "Set SALDO_PUBLIC_URL to your https address.")]


def _clock(settings: Settings) -> list[Finding]:
    from app.clock import read_clock
    from app.reports.findings import note, ok, wrong

    now = datetime.now(UTC)
    if now < _WRITTEN_AT:
        what = f"this machine says it is {now:%Y-%m-%d}"
        return [wrong("clock", what, "Set its clock, best by a time server (NTP).")]
    path = settings.clock_path
    try:
        warp = read_clock(path)
    except Misconfigured as error:
        return [wrong("business clock", error.problem, error.mend)]
    if warp is None:
        return [ok("business clock", "is real time")]
    if not settings.demo:
        what = f"{path} warps business time, and this is not the demo"
        return [wrong("business clock", what, f"Stop Saldo and remove {path}.")]
    if warp.lease_until is not None and warp.lease_until < now.timestamp():
        mend = "Start the demo again: it goes on where it stood."
        return [note("business clock", "stands still: nobody renews its lease", mend)]
    return [ok("business clock", f"runs at {warp.speed:g}x (demo)")]


def _providers(settings: Settings) -> list[Finding]:
    """Connectors and licence, as this shell's settings have them."""
    from app.reports.findings import note

    if settings.demo and not os.environ.get("SALDO_BERLIN_GROUP_BANKS"):
        return [note("providers", "the demo brings its own sandbox; nothing live is set up")]
    return _connectors(settings)


def _connectors(settings: Settings) -> list[Finding]:
    import httpx

    import connectors
    from app.commands.lacks import lacks
    from app.commands.ways_out import certificates
    from app.ports import Wire
    from app.reports.findings import note, ok, wrong

    def now() -> datetime:
        return datetime.now(UTC)

    found = []
    known = connectors.discover()
    wire = Wire(http=httpx.AsyncClient(), now=now, real_now=now)
    for slot, name in (
        ("aggregation", settings.aggregation_connector),
        ("payments", settings.payment_connector),
        *(("messages", name) for name in settings.text_routes.providers),
        ("emails", settings.email_connector),
    ):
        connector = known.get(name)
        build = getattr(connector, slot, None)
        if connector is None or build is None:
            able = ", ".join(sorted(one.name for one in known.values() if getattr(one, slot)))
            what = f"{name!r} is no connector for it"
            found.append(wrong(slot, what, f"Set one of: {able}."))
            continue
        # A lender may well do without e-mail.
        tell = note if slot == "emails" else wrong
        try:
            own = connectors.settings_of(connector)
            found += [one for one in certificates("certificates", name, own) if one not in found]
            live = connectors.live_addresses(own) if connector.needs_licence else ()
        except Misconfigured as error:
            found.append(tell(slot, f"{name}: {error.setting}: {error.problem}", error.mend))
            continue
        missing = lacks(build, own, wire)
        if missing:
            found += [
                tell(slot, f"{name}: {one.setting}: {one.problem}", one.mend) for one in missing
            ]
            continue
        moved = f" and moves {_moved(build(own, wire))}" if slot == "payments" else ""
        found.append(ok(slot, f"{name} is set up{moved}"))
        if slot == "aggregation":
            found.append(_licence(settings, live))
    if not any(one.check == "licence" for one in found):
        found.append(_licence(settings, ("none set up yet",)))
    return found


def _moved(port: PaymentPort) -> str:
    """The currencies of its banks."""
    found = {one.currency for bank in port.banks() for one in bank.pays}
    return ", ".join(sorted(found)) or "no currency"


def _licence(settings: Settings, live: tuple[str, ...]) -> Finding:
    from app.reports.findings import ok, wrong

    if settings.tpp_basis:
        return ok("licence", f"live banks are read under {settings.tpp_basis!r}")
    if not live:
        return ok("licence", "none set, and none needed: only a sandbox on this machine is set up")
    return wrong(
        "licence",
        "no basis for reading live bank accounts is set: live reads are refused",
        "Set SALDO_TPP_BASIS to your licence number, or to the agreement you act under as agent.",
    )


def _keys(settings: Settings) -> tuple[Vault | None, list[Finding]]:
    from app.keyring import keys_file, load_keys
    from app.reports.findings import ok, wrong
    from app.store.vault import Vault

    try:
        keys = load_keys(settings)
        vault = Vault({key.id: key.key for key in keys.masters}, keys.hash_key)
    except Misconfigured as error:
        return None, [wrong("keys", f"{error.setting}: {error.problem}", error.mend)]
    found = [ok("keys", f"{len(keys.masters)} master key(s), {keys.masters[0].id} seals")]
    path = keys_file(settings.data_dir)
    if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        found.append(wrong("keys", f"{path} can be read by others", f"chmod 600 {path}"))
    return vault, found
