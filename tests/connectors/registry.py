"""Which connector is tested by which rig, and how an attempt is seen to fail."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import httpx
import pytest

import connectors
from app.domain.errors import ProviderError
from app.ports import EmailPort, LenderHookPort, Wire
from connectors._http import client
from tests.connectors.rig_enable_banking import EnableBankingRig
from tests.connectors.rig_gocardless import GoCardlessRig
from tests.connectors.rig_gocardless_pay import GoCardlessPayRig
from tests.connectors.rig_infobip import InfobipRig
from tests.connectors.rig_plaid import PlaidRig
from tests.connectors.rig_smsapi import SmsapiRig
from tests.connectors.rig_tink import TinkRig
from tests.connectors.rig_truelayer import TrueLayerRig
from tests.connectors.rig_twilio import TwilioRig
from tests.connectors.rig_unnax import UnnaxRig
from tests.connectors.rig_vonage import VonageRig
from tests.connectors.rigs import BankRig
from tests.connectors.scene import MONDAY, SMALL

# Every connector that fills a slot has its rig here; a new one without a rig fails below.
BANK_RIGS: dict[str, type[BankRig]] = {
    "berlin_group": BankRig,
    "enable_banking": EnableBankingRig,
    "gocardless": GoCardlessRig,
    "gocardless_pay": GoCardlessPayRig,
    "plaid": PlaidRig,
    "tink": TinkRig,
    "truelayer": TrueLayerRig,
}
# Of these too little is known for the whole contract; their own tests say which part applies.
EXPERIMENTAL_RIGS: dict[str, type[BankRig]] = {"unnax": UnnaxRig}
MESSAGE_RIGS: dict[str, type[TwilioRig]] = {
    "infobip": InfobipRig,
    "smsapi": SmsapiRig,
    "twilio": TwilioRig,
    "vonage": VonageRig,
}
HOOK_SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def hook_over(transport: httpx.AsyncBaseTransport) -> LenderHookPort:
    connector = connectors.discover()["lender_webhook"]
    assert connector.lender_hooks is not None
    wire = Wire(client(SMALL, transport=transport), lambda: MONDAY, lambda: MONDAY)
    return connector.lender_hooks(connector.settings.model_validate({}), wire)


EMAIL_SECRET = "a secret of thirty-two letters....."


def emails_at(port: int = 2525, **settings: Any) -> EmailPort:
    """SMTP to a server on this machine, on which a test decides what is answered."""
    connector = connectors.discover()["smtp"]
    assert connector.emails is not None
    given = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "from_address": "messages@pay.example.com",
        "bounce_secret": EMAIL_SECRET,
        "timeout_seconds": 1.01,
        **settings,
    }
    wire = Wire(client(SMALL), lambda: MONDAY, lambda: MONDAY)
    return connector.emails(connector.settings.model_validate(given), wire)


EMAIL_RIGS = {"smtp": emails_at}
HOOK_RIGS = {"lender_webhook": hook_over}


async def refused(attempt: Awaitable[object]) -> ProviderError:
    """The error of an attempt that must fail, checked for saying who failed at what."""
    with pytest.raises(ProviderError) as caught:
        await attempt
    error = caught.value
    assert error.connector
    assert error.operation
    return error
