"""agencies and placements

Revision: 2026_11_29_agencies
Follows: 2026_11_28_asked_for
Made: 2026-11-28 11:20:00
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "2026_11_29_agencies"
down_revision = "2026_11_28_asked_for"
branch_labels = None
depends_on = None

TENANTS = ("agencies", "placements")
BOUND = "nullif(current_setting('app.lender_id', true), '')::uuid"


def fence(table: str) -> None:
    """Row-level security and rights, as app/store/security.py has them."""
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY bound_lender ON {table} TO saldo_app "
        f"USING (lender_id = {BOUND}) WITH CHECK (lender_id = {BOUND})"
    )
    op.execute(f"CREATE POLICY engine ON {table} TO saldo_engine USING (true) WITH CHECK (true)")
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON {table} TO saldo_app, saldo_engine")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "agencies",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column(
            "commission_basis_points",
            sa.SmallInteger(),
            server_default=sa.text("0"),
            nullable=False,
        ),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "commission_basis_points BETWEEN 0 AND 7500", name=op.f("ck_agencies_commission")
        ),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_agencies_lender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agencies")),
        sa.UniqueConstraint("lender_id", "name", name=op.f("uq_agencies_lender_id_name")),
    )
    op.create_table(
        "placements",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("agency_id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("loan_id", sa.UUID(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=False),
        sa.Column("approval_id", sa.UUID(), nullable=False),
        sa.Column("hold_id", sa.UUID(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'placed'"), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column(
            "commission_basis_points",
            sa.SmallInteger(),
            server_default=sa.text("0"),
            nullable=False,
        ),
        sa.Column("placed_by", sa.Text(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_why", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "state IN ('placed', 'recalled', 'ended')", name=op.f("ck_placements_state")
        ),
        *(
            sa.ForeignKeyConstraint(
                [column], [f"{target}.id"], name=op.f(f"fk_placements_{column}")
            )
            for column, target in (
                ("lender_id", "lenders"),
                ("agency_id", "agencies"),
                ("borrower_id", "borrowers"),
                ("loan_id", "loans"),
                ("case_id", "cases"),
                ("approval_id", "approvals"),
                ("hold_id", "holds"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_placements")),
        sa.UniqueConstraint(
            "lender_id", "approval_id", name=op.f("uq_placements_lender_id_approval_id")
        ),
    )
    op.create_index(
        "uq_placements_placed",
        "placements",
        ["case_id"],
        unique=True,
        postgresql_where=sa.text("state = 'placed'"),
    )
    op.create_index(op.f("ix_placements_agency_id"), "placements", ["agency_id"])
    op.create_index(op.f("ix_placements_loan_id"), "placements", ["loan_id"])
    op.create_index(
        op.f("ix_placements_lender_id_placed_at"), "placements", ["lender_id", "placed_at"]
    )
    op.add_column("contacts", sa.Column("placement_id", sa.UUID(), nullable=True))
    op.create_foreign_key(
        op.f("fk_contacts_placement_id"), "contacts", "placements", ["placement_id"], ["id"]
    )
    for table in TENANTS:
        fence(table)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_constraint(op.f("fk_contacts_placement_id"), "contacts", type_="foreignkey")
    op.drop_column("contacts", "placement_id")
    op.drop_table("placements")
    op.drop_table("agencies")
