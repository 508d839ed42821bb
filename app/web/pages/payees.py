"""Where the lender is paid, by currency. Another account is proposed here; others decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.account import BankAccount, UkAccount
from app.domain.errors import Conflict, Invalid
from app.domain.money import KNOWN_CURRENCIES
from app.domain.payee import Unpayable, unpayable_words
from app.domain.roles import Act
from app.flows.money.change_payee import PayeeWanted, propose_payee
from app.flows.payments.ways_to_pay import moved_by, unpayable
from app.reports.book import lender_of
from app.reports.payees import PayeeLine, payee_lines
from app.web.desk import back_to, brakes_in_force, desk_page
from app.web.seats import Seat, needs
from app.web.site import site_of

router = APIRouter()

HERE: Final = "/payees"
_FIELDS: Final = ("currency", "iban", "sort_code", "account_number", "reason")
# Who agrees to a change, or puts his name to one that a machine proposed.
_COMPARE: Final = (Act.APPROVE_PAYEE, Act.RECORD_CONSIDERATION)
_LABELS: Final[Mapping[str, str]] = {
    "currency": "The currency",
    "iban": "The IBAN",
    "sort_code": "The sort code",
    "account_number": "The account number",
    "reason": "The reason",
}


@router.get("/payees")
async def payees(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_PAYEES))]
) -> Response:
    """Every currency with its account, and what waits for a second person."""
    return await _payees(request, seat)


async def _payees(
    request: Request,
    seat: Seat,
    *,
    typed: Mapping[str, str] | None = None,
    wrong: Invalid | None = None,
    trouble: str = "",
) -> Response:
    """`wrong`: the field that was not right, and why."""
    site = site_of(request)
    house = await site.house.of(seat.lender_id)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        lines = await payee_lines(unit)
        lender = await lender_of(unit)
        why = await unpayable(unit, lender, [one.currency for one in lines], moved_by(house))
    said = "" if wrong is None else wrong.said
    field = "" if wrong is None else wrong.field
    return desk_page(
        site,
        request,
        seat,
        "desk/payees.html",
        banners=banners,
        here=HERE,
        status=422 if wrong is not None or trouble else 200,
        lines=lines,
        troubles={one.currency: _trouble(one, why) for one in lines},
        # Whoever decides compares all of it with the account he knows; the same last digits prove
        # nothing, because an account that has them is easily opened.
        whole=written if any(map(seat.may, _COMPARE)) else None,
        currencies=sorted(KNOWN_CURRENCIES),
        typed=typed or {},
        wrong_field=field,
        wrong=said,
        trouble=trouble or (f"{_LABELS[field]} {said} Nothing was proposed." if field else ""),
    )


def _trouble(line: PayeeLine, why: Mapping[str, Unpayable]) -> str:
    """Why loans in this currency cannot be paid, where any are worked."""
    found = why.get(line.currency)
    return unpayable_words(found, line.currency) if found is not None and line.lent else ""


def written(account: BankAccount) -> str:
    """The whole of an account as it stands on a bank statement."""
    if isinstance(account, UkAccount):
        code = account.sort_code
        return f"{code[:2]}-{code[2:4]}-{code[4:]} {account.number}"
    plain = account.reveal()
    return " ".join(plain[at : at + 4] for at in range(0, len(plain), 4))


@router.post("/payees")
async def propose(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SET_PAYEE))]
) -> Response:
    """Propose another account for one currency."""
    site, form = site_of(request), seat.posted
    typed = {name: form.text(name, longest=1000) for name in _FIELDS}
    wanted = PayeeWanted(**{**typed, "currency": typed["currency"].upper()})
    try:
        await propose_payee(
            site.house,
            site.now(),
            wanted,
            lender_id=seat.lender_id,
            actor=seat.actor,
            user_id=seat.user_id,
        )
    except Invalid as error:
        return await _payees(request, seat, typed=typed, wrong=error)
    except Conflict as error:
        return await _payees(request, seat, typed=typed, trouble=error.message)
    return back_to(HERE, "payee_waits")
