"""A lender's own providers, without anything secret."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.api.wire import Id, Instant, Shown
from app.domain.provider_setup import SetupState, Slot


class OwnProviderShown(Shown):
    """One contract of your own with a provider. Secrets and files are never shown."""

    id: Id
    job: Slot
    connector: str
    known_as: Annotated[
        str,
        Field(
            description="What it goes by wherever a connector is named; the provider's calls come "
            "to /hooks/ and this."
        ),
    ]
    state: Annotated[
        SetupState,
        Field(
            description="proposed: waits for a second person. in_force: used. retired: nothing new "
            "begins with it, what is open is still followed."
        ),
    ]
    settings: Annotated[
        dict[str, str], Field(description="What is set and no secret; accounts only masked.")
    ]
    secrets: Annotated[
        dict[str, Instant], Field(description="Which secrets and files are set, changed when.")
    ]
    made_by: str
    made_at: Instant
    tested_at: Annotated[Instant, Field(description="When the provider took the access data.")]
    in_force_at: Instant | None
    proposal_id: Annotated[
        Id | None, Field(description="The approval that it waits for; null: for none.")
    ]
