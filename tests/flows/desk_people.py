"""People of the desk for flow tests: made once each, with the role a test asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from app.domain.approval import ApprovalKind
from app.domain.forbearance import consider
from app.domain.ids import UserId
from app.domain.placement import agency_terms
from app.domain.roles import Role
from app.flows.approvals.decide_approval import Decided, Word, decide_approval
from app.flows.approvals.endorse_approval import endorse_approval
from app.flows.approvals.propose_approval import Proposed, propose
from app.flows.cases.propose_placement import PlacementWanted, RowResult, propose_placements
from app.flows.cases.write_agency import write_agency
from app.flows.lenders.manage_users import add_user
from tests.flows.street import Neighbour, Street

CONSIDERED = consider(["defer", "extend_term"], "He cannot pay at all.", by="sue").as_notes()


@dataclass(slots=True)
class Desk:
    """The people of the street's lender."""

    street: Street
    ids: dict[str, UserId] = field(default_factory=dict)

    async def person(self, name: str, role: Role = Role.APPROVER) -> UserId:
        """The user of this name; made with this role at the first call."""
        if name not in self.ids:
            self.ids[name] = await add_user(
                self.street.house,
                self.street.now,
                lender_id=self.street.lender_id,
                email=f"{name}@{self.street.lender_id.hex[-8:]}.example",
                name=name,
                role=role,
                password_hash="",
                actor="test",
            )
        return self.ids[name]

    async def propose(
        self,
        kind: ApprovalKind,
        subject_id: UUID,
        *,
        by: str = "sue",
        role: Role = Role.SUPERVISOR,
        **more: Any,
    ) -> Proposed:
        """A person proposes, with forbearance on record."""
        proposer_id = await self.person(by, role)
        values: dict[str, Any] = {"reason": "He emigrated.", "considered": CONSIDERED, **more}
        async with self.street.store.unit(self.street.lender_id) as unit:
            return await propose(
                unit,
                self.street.now,
                kind=kind,
                subject_id=subject_id,
                actor=by,
                proposer_id=proposer_id,
                **values,
            )

    async def robot_proposes(
        self, subject_id: UUID, kind: ApprovalKind = ApprovalKind.WRITE_OFF
    ) -> Proposed:
        """The strategy came to its end. `subject_id` is the loan, or the case to be placed."""
        async with self.street.store.engine_unit() as unit:
            return await propose(
                unit,
                self.street.now,
                kind=kind,
                subject_id=subject_id,
                reason="Three calls without a promise.",
                actor="saldo",
            )

    async def says(
        self,
        word: Word,
        approval_id: UUID,
        *,
        by: str = "april",
        role: Role = Role.APPROVER,
        note: str = "Looked at.",
    ) -> Decided:
        """Somebody approves, refuses or withdraws."""
        user_id = await self.person(by, role)
        return await decide_approval(
            self.street.house,
            self.street.now,
            lender_id=self.street.lender_id,
            approval_id=approval_id,
            user_id=user_id,
            actor=by,
            word=word,
            note=note,
        )

    async def endorses(
        self,
        approval_id: UUID,
        *,
        by: str = "sue",
        role: Role = Role.SUPERVISOR,
        agency_id: UUID | None = None,
    ) -> None:
        """Somebody puts his name to a machine's proposal."""
        user_id = await self.person(by, role)
        await endorse_approval(
            self.street.house,
            self.street.now,
            lender_id=self.street.lender_id,
            approval_id=approval_id,
            user_id=user_id,
            actor=by,
            options=["defer"],
            why_not="He cannot pay at all.",
            agency_id=agency_id,
        )

    async def agency(self, name: str = "Norte", *, commission: int = 2_000) -> UUID:
        """An agency of the street's lender."""
        return await write_agency(
            self.street.house,
            self.street.now,
            lender_id=self.street.lender_id,
            terms=agency_terms(name, "cases@norte.example", commission),
            user_id=await self.person("sol", Role.SUPERVISOR),
            actor="sol",
        )

    async def propose_placement(
        self,
        case_id: UUID,
        agency_id: UUID,
        *,
        by: str = "max",
        role: Role = Role.COLLECTION_MANAGER,
    ) -> RowResult:
        """A person proposes to place one case."""
        (result,) = await propose_placements(
            self.street.house,
            self.street.now,
            lender_id=self.street.lender_id,
            case_ids=[case_id],
            user_id=await self.person(by, role),
            actor=by,
            wanted=PlacementWanted(agency_id, "Nobody answers.", ("defer",), "He never answers."),
        )
        return result

    async def placed(self, case_id: UUID, agency_id: UUID) -> UUID:
        """Place the case by two people; returns the placement."""
        result = await self.propose_placement(case_id, agency_id)
        assert result.proposed is not None, result.refused
        await self.says(Word.APPROVE, result.proposed.id)
        found: UUID = await self.street.value(
            "SELECT id FROM placements WHERE case_id = :id AND state = 'placed'", id=case_id
        )
        return found

    async def given_up(self, loan_id: UUID) -> UUID:
        """Write the loan off by two people; returns the entry."""
        proposed = await self.propose(ApprovalKind.WRITE_OFF, loan_id)
        await self.says(Word.APPROVE, proposed.id)
        found: UUID = await self.street.value(
            "SELECT id FROM adjustments WHERE loan_id = :id ORDER BY made_at DESC LIMIT 1",
            id=loan_id,
        )
        return found


async def loan_of(street: Street, who: Neighbour) -> Any:
    """The row of a person's first loan."""
    return (await street.rows("SELECT * FROM loans WHERE id = :id", id=who.loans[0]))[0]


async def unpaid(street: Street, who: Neighbour) -> int:
    """Minor units unpaid on a person's first loan, due or not."""
    query = "SELECT sum(amount_minor - paid_minor)::bigint FROM instalments WHERE loan_id = :id"
    return int(await street.value(query, id=who.loans[0]))
