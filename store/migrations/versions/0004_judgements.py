"""Judgements whole, with their price and their part; corrections by people, circuits, spending, batches, models.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.tables import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXTS = ("prompt", "policy_version", "priority", "language", "complexity", "impact", "explanation", "fields")
FLAGS = ("wants_human", "confirms_solved", "steering")


def upgrade() -> None:
    with op.batch_alter_table("judgement") as judgement:
        judgement.add_column(sa.Column("role", sa.String(), nullable=False, server_default="verdict"))
        judgement.add_column(sa.Column("cost_eur", sa.Float(), nullable=False, server_default="0"))
        for name in TEXTS:
            judgement.add_column(sa.Column(name, sa.String(), nullable=False, server_default=""))
        for name in FLAGS:
            judgement.add_column(sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE judgement SET role = 'trouble' WHERE trouble <> ''")
    op.create_table(
        "correction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("kind", "was", "became", "source", "text")),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_correction_message_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction")),
        sa.UniqueConstraint("message_id", "kind", "became", name=op.f("uq_correction_message_id_kind_became")),
    )
    op.create_index(op.f("ix_correction_message_id"), "correction", ["message_id"])
    op.create_index(op.f("ix_correction_at"), "correction", ["at"])
    op.create_table(
        "engine_state",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("rest_seconds", sa.Integer(), nullable=False),
        sa.Column("open_until", Instant(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_engine_state")),
    )
    op.create_table(
        "spending",
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("input_tokens", "output_tokens", "micro_eur")),
        sa.PrimaryKeyConstraint("day", "engine", name=op.f("pk_spending")),
    )
    op.create_table(
        "judging_batch",
        sa.Column("id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("marker", "job", "state", "model", "prompt")),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("policy_version", "claimed_by")),
        sa.Column("claimed_until", Instant(timezone=True), nullable=True),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("ended_at", Instant(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_judging_batch")),
        sa.UniqueConstraint("marker", name=op.f("uq_judging_batch_marker")),
    )
    op.create_index(op.f("ix_judging_batch_job"), "judging_batch", ["job"])
    op.create_index(op.f("ix_judging_batch_state"), "judging_batch", ["state"])
    op.create_table(
        "judging_item",
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("held_until", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["judging_batch.id"], name=op.f("fk_judging_item_batch_id")),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_judging_item_message_id")),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_judging_item")),
    )
    op.create_index(op.f("ix_judging_item_batch_id"), "judging_item", ["batch_id"])
    op.create_table(
        "trained_model",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("examples", sa.Integer(), nullable=False),
        sa.Column("corrections", sa.Integer(), nullable=False),
        sa.Column("figures", sa.String(), nullable=False),
        sa.Column("artefact", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trained_model")),
        sa.UniqueConstraint("key", name=op.f("uq_trained_model_key")),
    )


def downgrade() -> None:
    for name in ("trained_model", "judging_item", "judging_batch", "spending", "engine_state", "correction"):
        op.drop_table(name)
    with op.batch_alter_table("judgement") as judgement:
        for name in (*FLAGS, *reversed(TEXTS), "cost_eur", "role"):
            judgement.drop_column(name)
