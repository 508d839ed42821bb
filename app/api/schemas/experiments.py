"""Experiments as a lender's system reads them. People start and end them, at the desk."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.api.wire import Id, Instant, MoneyShown, Shown

_SHARE = Field(description="A share, 0 to 1.", examples=[0.42])


class ExperimentShown(Shown):
    """Cases drawn by chance into two arms, to tell what a treatment is worth."""

    id: Id
    name: str
    kind: Annotated[str, Field(description="holdout or challenger.")]
    product: Annotated[str, Field(description="Only this product; empty: every one.")]
    share: Annotated[float, Field(description="Of the cases, in the smaller arm.", examples=[0.1])]
    horizon_days: Annotated[
        int, Field(description="An outcome is what came within these days.", examples=[30])
    ]
    made_by: str
    started_at: Instant
    ended_at: Instant | None
    ended_by: str


class ArmShown(Shown):
    """One arm. `mean` is what came as a share of what was due, over the measured cases."""

    arm: Annotated[str, Field(description="treated or control.")]
    drawn: int
    measured: Annotated[int, Field(description="Cases whose measuring time is over.")]
    mean: Annotated[float, _SHARE]
    low: Annotated[float, _SHARE]
    high: Annotated[float, _SHARE]
    due: list[MoneyShown]
    recovered: list[MoneyShown]


class ExperimentDetailShown(ExperimentShown):
    """The same with its results. The interval may be looked at every day (docs/adr/0011)."""

    arms: list[ArmShown]
    lift: Annotated[
        float, Field(description="Mean of treated less mean of control.", examples=[0.05])
    ]
    low: Annotated[float, Field(description="Where the interval begins.", examples=[-0.02])]
    high: Annotated[float, Field(description="Where it ends.", examples=[0.12])]
    certain: Annotated[bool, Field(description="The interval leaves no difference out.")]
