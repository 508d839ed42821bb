"""Lenders' own ports: looked up at the door of each flow, made once, and kept while they last.

Which set-ups there are is asked every time, so that a change counts from the next flow on in
every process; what they hold is opened once. One that cannot be used is missing from the book, and
whoever asks for it is told so: the installation's never takes its place.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

import structlog

from app.domain.errors import Misconfigured
from app.domain.ids import LenderId
from app.domain.provider_setup import SetupState, Slot
from app.pay_ports import PaymentPort
from app.ports import AggregationPort, EmailPort, MessagePort
from app.side_ports import HookPort, Offer
from app.store import provider_setups as rows
from app.store.provider_setups import AccessData, Setup
from app.store.unit import Store, inside_unit

log = structlog.get_logger("providers")

MOST_MADE: Final = 2_000
"""Set-ups whose ports one process keeps. The one not asked for longest is made anew."""
# Real time. The boundary ends every call after 30 seconds: then nobody uses a connection any more.
_LEAVES_AFTER: Final = timedelta(seconds=60)
_TRY_AGAIN: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class MadePorts:
    """The ports of one set-up, each guarded, and how to give its connections back."""

    close: Callable[[], Awaitable[None]]
    aggregation: AggregationPort | None = None
    payments: PaymentPort | None = None
    messages: MessagePort | None = None
    emails: EmailPort | None = None
    hooks: HookPort | None = None


class Workshop(Protocol):
    """Makes ports of access data, and tries it. Filled in wiring, which knows the connectors."""

    def make(self, setup: Setup, data: AccessData) -> MadePorts:
        """Raises `Misconfigured` naming the setting."""
        ...

    def offers(self, slot: Slot) -> tuple[Offer, ...]:
        """What can be set up for a job."""
        ...

    def leads_to(self, slot: Slot, connector: str, data: AccessData) -> Mapping[str, str]:
        """The hosts, by field, that this access data leads to and the operator's does not: people
        are sent there, or what is meant for them.
        """
        ...

    async def try_out(self, slot: Slot, connector: str, name: str, data: AccessData) -> None:
        """Ask the provider whether this access data works; nothing is read or done there.

        Raises `Invalid` naming the setting, or "provider" where it says no or nothing.
        """
        ...


@dataclass(frozen=True, slots=True)
class OwnPorts:
    """What one lender has of his own: ports by the name of their set-up, and which are chosen."""

    aggregations: Mapping[str, AggregationPort] = field(default_factory=dict)
    payments: Mapping[str, PaymentPort] = field(default_factory=dict)
    messages: Mapping[str, MessagePort] = field(default_factory=dict)
    emails: Mapping[str, EmailPort] = field(default_factory=dict)
    hooks: Mapping[str, HookPort] = field(default_factory=dict)
    chosen: Mapping[Slot, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Made:
    setup: Setup
    ports: MadePorts


class PortBook:
    """The own ports of one process."""

    def __init__(self, store: Store, workshop: Workshop, real_now: Callable[[], datetime]) -> None:
        self.workshop = workshop
        self._store = store
        self._real_now = real_now
        self._made: OrderedDict[UUID, _Made] = OrderedDict()
        self._broken: dict[UUID, datetime] = {}
        self._leaving: list[tuple[MadePorts, datetime]] = []
        self._one_at_a_time = asyncio.Lock()

    async def of(self, lender_id: LenderId) -> OwnPorts:
        """What this lender has. No unit may be open."""
        _refuse_inside()
        async with self._store.unit(lender_id) as unit:
            found = await rows.answering(unit)
            held = await rows.held_by(unit, self._unknown(found))
        every = await self._ports(found, held, lambda one: one.lender_id == lender_id)
        return every.get(lender_id, OwnPorts())

    async def of_everybody(self, slot: Slot) -> dict[LenderId, OwnPorts]:
        """What each lender has for one job, for batches over many of them. No unit may be open."""
        _refuse_inside()
        async with self._store.engine_unit() as unit:
            found = await rows.answering(unit, slot)
            unknown = self._unknown(found)
            await unit.keys({one.lender_id for one in found if one.id in unknown})
            held = await rows.held_by(unit, unknown)
        return await self._ports(found, held, lambda one: one.slot is slot)

    async def close(self) -> None:
        """Give all connections back, at the end of the process."""
        every = [made.ports for made in self._made.values()]
        for ports in (*every, *(ports for ports, _ in self._leaving)):
            await ports.close()
        self._made.clear()
        self._leaving.clear()

    def _unknown(self, found: Iterable[Setup]) -> set[UUID]:
        """Those to be made now: one that could not be is tried again after a while."""
        since = self._real_now() - _TRY_AGAIN
        return {
            one.id
            for one in found
            if one.id not in self._made and self._broken.get(one.id, since) <= since
        }

    async def _ports(
        self,
        found: Sequence[Setup],
        held: Mapping[UUID, AccessData],
        looked_up: Callable[[Setup], bool],
    ) -> dict[LenderId, OwnPorts]:
        """`looked_up`: was this set-up asked for? One that was, and is not `found`, is over."""
        async with self._one_at_a_time:
            for setup in found:
                if setup.id in held and setup.id not in self._made:
                    self._make(setup, held[setup.id])
            of_lender: dict[LenderId, list[Setup]] = {}
            for setup in found:
                of_lender.setdefault(setup.lender_id, []).append(setup)
            every = {lender: self._one_lender(theirs) for lender, theirs in of_lender.items()}
            await self._let_go({setup.id for setup in found}, looked_up)
        return every

    def _make(self, setup: Setup, data: AccessData) -> None:
        try:
            ports = self.workshop.make(setup, data)
        except Misconfigured as error:
            log.warning("own_provider_not_usable", name=setup.name, setting=error.setting)
            self._broken[setup.id] = self._real_now()
        else:
            self._made[setup.id] = _Made(setup, ports)
            self._broken.pop(setup.id, None)

    def _one_lender(self, setups: Sequence[Setup]) -> OwnPorts:
        made = [(one.name, self._made[one.id].ports) for one in setups if one.id in self._made]
        return OwnPorts(
            aggregations={name: it.aggregation for name, it in made if it.aggregation},
            payments={name: it.payments for name, it in made if it.payments},
            messages={name: it.messages for name, it in made if it.messages},
            emails={name: it.emails for name, it in made if it.emails},
            hooks={name: it.hooks for name, it in made if it.hooks},
            chosen={one.slot: one.name for one in setups if one.state is SetupState.IN_FORCE},
        )

    async def _let_go(self, found: set[UUID], looked_up: Callable[[Setup], bool]) -> None:
        """Drop what is over, and what is too much; close it when nobody can be using it."""
        now = self._real_now()
        for setup_id, made in list(self._made.items()):
            if setup_id in found:
                self._made.move_to_end(setup_id)
            elif looked_up(made.setup):
                del self._made[setup_id]
                self._leaving.append((made.ports, now))
        while len(self._made) > MOST_MADE:
            self._leaving.append((self._made.popitem(last=False)[1].ports, now))
        over = [ports for ports, since in self._leaving if now - since >= _LEAVES_AFTER]
        self._leaving = [one for one in self._leaving if now - one[1] < _LEAVES_AFTER]
        for ports in over:
            await ports.close()


def _refuse_inside() -> None:
    """A second connection taken while the first one is held: the pool could run dry."""
    if inside_unit():
        message = "ports are looked up before a unit is opened, never inside one"
        raise RuntimeError(message)
