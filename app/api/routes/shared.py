"""What several routes need: parameters of the path, filters, and the answers they share."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Path, Query

from app.api.wire import REF_PATTERN, Id

RefInPath = Annotated[
    str, Path(pattern=REF_PATTERN, description="Your own reference.", examples=["C-1001"])
]
IdInPath = Annotated[Id, Path(description="Saldo's id.")]
OfBorrower = Annotated[
    str | None,
    Query(pattern=REF_PATTERN, description="Only what belongs to this borrower of yours."),
]

# Descriptions only; app/api/openapi.py fills in the problem that every error answer carries.
NOT_FOUND: Final[dict[int | str, dict[str, Any]]] = {
    404: {"description": "Nothing of that name belongs to your lender."}
}
CONFLICT: Final[dict[int | str, dict[str, Any]]] = {
    409: {"description": "The thing is in another state, or somebody was faster."}
}
