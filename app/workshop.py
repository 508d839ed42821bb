"""Makes ports of what lenders have set up for themselves, and tries it out before it is kept.

A lender is not the operator: his settings see nothing of the operator's access data, name no file
of this machine, and lead to public addresses alone where he names one himself.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import structlog

import connectors
from app.boundary import guard
from app.domain.errors import Invalid, Misconfigured, ProviderError
from app.domain.provider_setup import Slot
from app.flows.providers.port_book import MadePorts
from app.ports import Connector, Wire
from app.settings import Settings
from app.side_ports import Offer
from app.store import inbox
from app.store.provider_setups import AccessData, Setup
from app.store.unit import Store
from connectors import ConnectorSettings

log = structlog.get_logger("providers")

# Real seconds for all questions of one trial.
_TRIAL_S: Final = 28.0
# In memory where the machine has it; the folder is deleted in any case before anybody is asked.
IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of our own in it, readable for us alone
_NO_ANSWER: Final = "Look at the address, and at the provider's own status."


class LenderWorkshop:
    """The one of a process. `open_http` makes the connections of one set-up."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        wire: Wire,
        open_http: Callable[[], httpx.AsyncClient],
    ) -> None:
        self._settings = settings
        self._store = store
        self._wire = wire
        self._open_http = open_http

    def offers(self, slot: Slot) -> tuple[Offer, ...]:
        """What can be set up for a job, by name."""
        found = sorted(connectors.discover().values(), key=lambda one: one.name)
        return tuple(
            Offer(
                one.name,
                connectors.own_fields(one),
                known_at_the_door=one.try_out is not None,
                takes_calls=one.hooks is not None or slot in (Slot.MESSAGES, Slot.EMAILS),
            )
            for one in found
            if one.by_lender and getattr(one, slot.value) is not None
        )

    def make(self, setup: Setup, data: AccessData) -> MadePorts:
        """The ports of a set-up. Raises `Misconfigured`."""
        http = self._open_http()
        try:
            with _laid_out(data.files) as files:
                connector = _connector(setup.slot, setup.connector)
                own = self._own_settings(connector, setup.name, data.values, files)
                ports = self._ports(connector, setup.slot, own, self._wire_of(setup.name, http))
        except Invalid as wrong:
            raise Misconfigured(wrong.field, wrong.problem.removesuffix("."), wrong.mend) from None
        guarded = {slot: guard(port, setup.name) for slot, port in ports.items()}
        return MadePorts(close=http.aclose, **guarded)

    def leads_to(self, slot: Slot, connector: str, data: AccessData) -> Mapping[str, str]:
        """Hosts of the lender's own naming, by field."""
        one = _connector(slot, connector)
        operator = connectors.settings_of(one)
        if not isinstance(operator, ConnectorSettings):
            return {}
        return connectors.leads_to(one, operator, data.values)

    async def try_out(self, slot: Slot, connector: str, name: str, data: AccessData) -> None:
        """Whether the provider answers and takes this access data; nothing is done there.

        Raises `Invalid` naming the setting, or `provider` where the answer is no or there is none.
        """
        one = _connector(slot, connector)
        http = self._open_http()
        wire = self._wire_of(name, http)
        try:
            with _laid_out(data.files) as files:
                own = self._own_settings(one, name, data.values, files)
                self._ports(one, slot, own, wire)
                self._check_licence(one, own)
                async with asyncio.timeout(_TRIAL_S):
                    await _ask(one, own, wire)
        except TimeoutError:
            raise Invalid("provider", "gives no answer in time.", mend=_NO_ANSWER) from None
        except Misconfigured as wrong:
            raise _invalid(one, wrong) from None
        except ProviderError as error:
            log.info("own_provider_refused", connector=connector, detail=error.detail)
            raise Invalid(
                "provider",
                f"does not take this access data ({error.detail}).",
                mend="Copy it anew from the provider's own pages.",
            ) from None
        finally:
            await http.aclose()

    # ------------------------------------------------------------ pieces

    def _own_settings(
        self,
        connector: Connector,
        name: str,
        values: Mapping[str, str],
        files: Mapping[str, Path],
    ) -> ConnectorSettings:
        operator = connectors.settings_of(connector)
        if not connector.by_lender or not isinstance(operator, ConnectorSettings):
            raise Invalid("connector", "cannot be set up here.", mend="Ask whoever runs Saldo.")
        return connectors.own_settings(
            connector, operator, values, files, f"{self._settings.public_url}/hooks/{name}"
        )

    def _ports(
        self, connector: Connector, slot: Slot, own: ConnectorSettings, wire: Wire
    ) -> dict[str, Any]:
        """By slot; with the port that takes the provider's calls, where that is set up."""
        connectors.refuse_broken_ways(own, wire.real_now())
        if slot is Slot.PAYMENTS:
            _refuse_open_payments(connector, own)
        made = {slot.value: getattr(connector, slot.value)(own, wire)}
        if connector.hooks is None:
            return made
        try:
            made["hooks"] = connector.hooks(own, wire)
        except Misconfigured as error:
            # Nothing is lost but time: states are asked for anyway.
            log.info("hooks_not_set_up", connector=connector.name, setting=error.setting)
        return made

    def _check_licence(self, connector: Connector, own: ConnectorSettings) -> None:
        """Whose authorisation it is done under is the operator's word."""
        live = connector.needs_licence and connectors.live_addresses(own)
        if live and not self._settings.tpp_basis.strip():
            raise Invalid(
                "provider",
                "would reach real banks, and this installation states no authorisation for it.",
                mend="Whoever runs it sets SALDO_TPP_BASIS.",
            )

    def _wire_of(self, name: str, http: httpx.AsyncClient) -> Wire:
        """Calls that came in are looked up under the set-up's own name, whatever is asked for."""

        async def called(source: str, event_id: str) -> bytes | None:
            del source
            async with self._store.engine_unit() as unit:
                return await inbox.raw_of(unit, name, event_id)

        return Wire(http, self._wire.now, self._wire.real_now, called)


def _connector(slot: Slot, name: str) -> Connector:
    found = connectors.discover().get(name)
    if found is None or getattr(found, slot.value) is None:
        raise Invalid("connector", "is not one for this job.", mend="Choose from the list.")
    return found


def _refuse_open_payments(connector: Connector, own: ConnectorSettings) -> None:
    """Whose contract it is says whether he takes payments that nobody can take back."""
    try:
        connectors.refuse_open_payments(connector.name, own)
    except Misconfigured as error:
        raise Invalid(
            "accept_open_payments",
            f"is not ticked, and {error.problem}.",
            mend="Tick it if you accept that.",
        ) from None


async def _ask(connector: Connector, own: ConnectorSettings, wire: Wire) -> None:
    for way in connectors.ways_out(own):
        for address in way.addresses:
            reached, what = await connectors.probe(wire.http, way, address)
            if not reached:
                raise Invalid("provider", f"cannot be reached: {what}.", mend=_NO_ANSWER)
    if connector.try_out is not None:
        await connector.try_out(own, wire)


@contextmanager
def _laid_out(files: Mapping[str, bytes]) -> Iterator[dict[str, Path]]:
    """The files by their settings, for as long as ports are made of them."""
    if not files:
        yield {}
        return
    in_memory = IN_MEMORY.is_dir() and os.access(IN_MEMORY, os.W_OK)
    folder = Path(tempfile.mkdtemp(prefix="saldo-own-", dir=IN_MEMORY if in_memory else None))
    try:
        laid = {}
        for setting, body in files.items():
            path = folder / setting
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as written:
                written.write(body)
            laid[setting] = path
        yield laid
    except Misconfigured as wrong:
        # Nobody else has the folder, and nobody needs to read of it.
        problem = wrong.problem.replace(f"{folder}/", "the file ")
        mend = wrong.mend.replace(f"{folder}/", "")
        raise Misconfigured(wrong.setting, problem, mend) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _invalid(connector: Connector, wrong: Misconfigured) -> Invalid:
    """The same with the field of the page instead of the variable of the environment."""
    prefix = str(connector.settings.model_config.get("env_prefix", ""))
    field = wrong.setting.removeprefix(prefix).lower()
    known = {one.name for one in connectors.own_fields(connector)}
    # A certificate and its key are one pair to whoever checks it.
    name = field if field in known else "provider"
    return Invalid(name, f"{wrong.problem.removesuffix('.')}.", mend=wrong.mend)
