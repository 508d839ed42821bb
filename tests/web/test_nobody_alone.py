"""Every route there is, with crafted ids and fields, by one user after the other: nobody alone.

The lists of routes come from the routers themselves; a new route is walked without being told.
"""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.approval import ApprovalKind
from app.domain.hold import HoldKind
from app.domain.roles import WATCHED, Act, Role, may
from app.flows.work.set_hold import set_hold
from app.store.keys import new_id
from tests.flows.desk_people import Desk as People
from tests.flows.street import Neighbour, Street
from tests.web.conftest import Browser, OpenBrowser, desk_of
from tests.web.test_roles import GUARDED

pytestmark = pytest.mark.anyio

POSTS = [(path, act) for method, path, act in GUARDED if method == "POST" and path != "/sign-out"]

# What somebody would try who knows the tables: every field that any form or row has.
CRAFTED: dict[str, Any] = {
    "amount": "10.00", "reason": "x", "note": "x", "why_not": "x", "option": ["defer"],
    "kind": "write_off", "word": "approve", "state": "approved", "outcome": "resolved",
    "back": "/approvals", "confirm": "1", "everything": "1", "currency": "EUR",
    "small": "99999999", "single": "99999999", "name": "soft", "channel": "sms", "language": "es",
    "scope": "lender", "target": "", "text": "{}", "body": "{}", "edition": str(new_id()),
    "contacts_per_week": "2", "contact": "x", "commission": "1", "active": "1",
}  # fmt: skip


async def given_up(street: Street) -> bool:
    """Whether any approval came to effect."""
    approved = "SELECT count(*) FROM approvals WHERE state = 'approved'"
    inactive = "SELECT count(*) FROM loans WHERE state <> 'active'"
    entries = "SELECT count(*) FROM adjustments"
    forgiven = "SELECT count(*) FROM repayments WHERE source = 'forgiven'"
    published = [
        f"SELECT count(*) FROM {table} WHERE state = 'published' AND published_by LIKE '%@%'"
        for table in ("strategy_versions", "templates", "segments", "pack_editions")
    ]
    placed = "SELECT count(*) FROM placements"
    asked = (approved, inactive, entries, forgiven, placed, *published)
    return any([await street.value(one) for one in asked])


async def subjects(street: Street, who: Neighbour) -> dict[str, list[Any]]:
    """Ids for the parameters of addresses: the right ones, and others in their places."""
    found = [row.id for row in await street.rows("SELECT id FROM approvals ORDER BY id")]
    others = [who.loans[0], who.cases[0]]
    return {
        "approval_id": [*found, *others],
        "adjustment_id": [*found, *others],
        "case_id": [who.cases[0], *found],
        "version_id": [
            row.id for row in await street.rows("SELECT id FROM strategy_versions ORDER BY id")
        ],
        "edition_id": [
            row.id for row in await street.rows("SELECT id FROM pack_editions ORDER BY id")
        ],
        "place": ["es"],
        "agency_id": [row.id for row in await street.rows("SELECT id FROM agencies")],
        "segment_id": [row.id for row in await street.rows("SELECT id FROM segments ORDER BY id")],
    }


def addresses(path: str, known: dict[str, list[Any]]) -> list[str]:
    """The path with each of the ids that fit it."""
    for name, values in known.items():
        if "{" + name + "}" in path:
            return [
                filled
                for value in values
                for filled in addresses(path.replace("{" + name + "}", str(value)), known)
            ]
    while "{" in path:
        before, _, rest = path.partition("{")
        path = f"{before}{new_id()}{rest.partition('}')[2]}"
    return [path]


async def everything(
    street: Street, who: Neighbour, desk: Browser, posts: list[tuple[str, Act]], **extra: Any
) -> None:
    """Post these forms of the desk to every address, with every crafted field."""
    known = await subjects(street, who)
    for path, _act in posts:
        if path.startswith(("/account", "/team")):
            continue  # who the people are is another test's matter (test_team, test_sign_in)
        for address in addresses(path, known):
            answer = await desk.http.post(address, data={**CRAFTED, **extra})
            assert answer.status_code < 500, (address, answer.text)


# Those whose word counts for something; the others have less to try.
DECIDING = {Role.SUPERVISOR, Role.COMPLIANCE, Role.APPROVER}


@pytest.mark.parametrize(
    "role",
    [
        role if role in DECIDING else pytest.param(role, marks=pytest.mark.long)
        for role in Role
        if role is not Role.INTEGRATION
    ],
)
async def test_no_user_alone_brings_anything_to_effect(
    role: Role, street: Street, browser: OpenBrowser
) -> None:
    """A robot's proposal waits, and the user proposes what he may. Then he tries all there is."""
    who = await street.neighbour()
    people = People(street)
    await people.robot_proposes(who.loans[0])
    await people.robot_proposes(who.cases[0], ApprovalKind.PLACEMENT)
    agency = await people.agency()
    desk = await desk_of(street, browser, role)
    csrf = (await desk.open("/account")).forms[0].fields["csrf"]
    user = await street.value("SELECT id FROM users WHERE name = :name", name=f"Pat {role.value}")
    extra = {
        "decider_id": str(new_id()), "user_id": str(new_id()), "proposer_id": "",
        "endorser_id": str(user), "role": "approver", "agency": str(agency),
        "case": str(who.cases[0]), "csrf": csrf,
    }  # fmt: skip
    # Once more what his role opens, on what the first round left; a role's refusal looks at nothing
    # that could have changed.
    opened = [(path, act) for path, act in POSTS if may(role, act)]
    for posts in (POSTS, opened):
        await everything(street, who, desk, posts, **extra)
        assert not await given_up(street), role
    waiting = await street.value("SELECT count(*) FROM approvals WHERE state = 'proposed'")
    # Whoever may refuse or withdraw has done so by now; nothing was approved.
    assert waiting <= await street.value("SELECT count(*) FROM approvals")


async def test_a_manager_is_refused_each_time_and_it_is_recorded(
    street: Street, browser: OpenBrowser
) -> None:
    who = await street.neighbour()
    await People(street).robot_proposes(who.loans[0])
    desk = await desk_of(street, browser, Role.COLLECTION_MANAGER)
    csrf = (await desk.open("/account")).forms[0].fields["csrf"]
    known = await subjects(street, who)
    tried = 0
    for path, act in POSTS:
        if act not in WATCHED or may(Role.COLLECTION_MANAGER, act):
            continue
        for address in addresses(path, known):
            answer = await desk.http.post(address, data={**CRAFTED, "csrf": csrf})
            assert answer.status_code == 403, address
            tried += 1
    assert tried > 10
    # What his role opens, and a write-off in disguise.
    answer = await desk.http.post(
        f"/cases/{who.cases[0]}/forgive", data={"csrf": csrf, "amount": "120.00", "reason": "x"}
    )
    assert answer.status_code == 403
    answer = await desk.http.post(
        f"/approvals/{known['approval_id'][0]}/withdraw", data={"csrf": csrf}
    )
    assert answer.status_code == 403
    assert not await given_up(street)
    assert await street.value("SELECT state FROM approvals") == "proposed"
    noted = await street.value("SELECT count(*) FROM audit WHERE act = 'refused'")
    assert noted == tried + 2
    who_tried = await street.rows("SELECT DISTINCT actor FROM audit WHERE act = 'refused'")
    assert [row.actor.partition("@")[0] for row in who_tried] == ["collection_manager"]


def test_whatever_lets_something_loose_is_watched() -> None:
    """Money that "arrived" ends a case, a lifted hold lets calls begin: a try is news by itself."""
    assert {
        Act.SETTLE_UNCLEAR, Act.LIFT_HOLD, Act.LET_GO_ON, Act.LEAVE_OBSERVE_ONLY, Act.MOVE_CASES,
        Act.PUBLISH_RULES, Act.RUN_EXPERIMENT, Act.PROPOSE_RELIEF, Act.LOAD_BOOK,
    } <= WATCHED  # fmt: skip


async def test_a_hold_that_his_role_may_not_end_is_recorded(
    street: Street, browser: OpenBrowser
) -> None:
    who = await street.neighbour()
    async with street.store.unit(street.lender_id) as unit:
        hold_id = await set_hold(
            unit, street.now, borrower_id=who.id, case_id=None, kind=HoldKind.DECEASED,
            reason="His widow wrote.", ends_at=None, set_by="coral",
        )  # fmt: skip
    desk = await desk_of(street, browser, Role.COLLECTION_MANAGER)
    csrf = (await desk.open("/account")).forms[0].fields["csrf"]
    for last in ("lift", "crisis-over"):
        answer = await desk.http.post(
            f"/cases/{who.cases[0]}/holds/{hold_id}/{last}",
            data={"csrf": csrf, "ended_on": "2026-03-01"},
        )
        assert answer.status_code == 403
    assert await street.value("SELECT lifted_at FROM holds") is None
    rows = await street.rows("SELECT subject, after FROM audit WHERE act = 'refused'")
    assert [(row.subject, row.after["wanted"]) for row in rows] == [(str(hold_id), "lift_hold")] * 2


def test_every_route_to_a_debt_is_behind_a_watched_act() -> None:
    """A new page about giving debts up that forgets its act is found here."""
    for path, act in POSTS:
        if any(word in path for word in ("write-off", "approve", "refuse", "endorse", "reverse")):
            assert act in WATCHED, (path, act)
    assert {act for path, act in POSTS if path.endswith("/approve")} == {Act.DECIDE}
