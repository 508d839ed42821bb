"""A grant that can be used now, where the provider gives ones that last for minutes.

An exchange spends the token it is made with, so exactly one process makes it: the claim is
committed before the provider is asked, and the next token before anybody uses it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from app.domain.errors import OutcomeUnknown, TryLater
from app.domain.ids import LenderId
from app.flows.house import House
from app.ports import Grant
from app.side_ports import RenewingPort
from app.store.consents import claim_renewal, drop_claim, keep_token

# Real time. The boundary ends every exchange after 30 seconds.
_STALE_AFTER: Final = timedelta(seconds=60)
_OTHERS_NEED: Final = timedelta(seconds=30)


async def fresh_grant(
    house: House,
    lender_id: LenderId,
    consent_id: UUID,
    connector: str,
    grant: Grant,
    *,
    ask: bool = False,
) -> Grant:
    """The consent's grant, exchanged for the next one where that is due.

    `ask` exchanges it in any case: for a provider whose only word on a consent is whether its
    token is still taken. No transaction may be open. Raises ConsentGone when it is not, TryLater
    while somebody else exchanges it and where the answer was lost, and what else the provider
    raises.
    """
    port = house.aggregation(connector)
    if not isinstance(port, RenewingPort) or not (ask or port.renewal_due(grant)):
        return grant
    real_now = house.real_now()
    async with house.store.unit(lender_id) as unit:
        newest = await claim_renewal(unit, consent_id, real_now, real_now - _STALE_AFTER)
    if newest is None:
        raise TryLater(
            "its token is being exchanged", after=_OTHERS_NEED, connector=connector,
            operation="renew",
        )  # fmt: skip
    held = Grant(grant.bank_id, newest)
    fresh = held
    try:
        if ask or port.renewal_due(held):
            fresh = await port.renew(held)
    except OutcomeUnknown as lost:
        # Nothing was read or changed at the bank; whether the old token still counts shows next.
        raise TryLater(lost.detail, after=None, connector=connector, operation="renew") from None
    finally:
        async with house.store.unit(lender_id) as unit:
            if fresh == held:
                await drop_claim(unit, consent_id)
            else:
                await keep_token(unit, consent_id, fresh.token)
    return fresh
