"""What letters are made of and what became of them, step by step; suppressed addresses, agents' own letters, files
behind links, certificates; what articles were looked up for a mail, and which a person's answer could become.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.tables import Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TEXTS = ("reason", "template", "segment", "variant", "language", "shape")
TABLES = ("faq_candidate", "lookup", "embedding", "certificate", "shared_file", "agent_letter", "suppression",
          "letter_event")  # fmt: skip


def upgrade() -> None:
    with op.batch_alter_table("letter") as letter:
        for name in TEXTS:
            letter.add_column(sa.Column(name, sa.String(), nullable=False, server_default=""))
    op.create_index("ix_letter_sent", "letter", ["mailbox_id", "sent_at"])
    op.create_index("ix_letter_caps", "letter", ["created_at", "automatic", "mailbox_id"])
    with op.batch_alter_table("letter_recipient") as recipient:
        for name in ("delivered_at", "read_at"):
            recipient.add_column(sa.Column(name, Instant(timezone=True), nullable=True))
    op.create_table(
        "letter_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("letter_id", sa.Integer(), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        *_texts("word", "code"),
        _foreign("letter_event", "letter"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letter_event")),
    )
    op.create_index(op.f("ix_letter_event_letter_id"), "letter_event", ["letter_id"])
    op.create_table(
        "suppression",
        *_texts("address", "reason", "code"),
        sa.Column("since", Instant(timezone=True), nullable=False),
        sa.Column("until", Instant(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_suppression")),
    )
    op.create_index(op.f("ix_suppression_until"), "suppression", ["until"])
    op.create_table(
        "agent_letter",
        *_texts("ref"),
        sa.Column("mailbox_id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=True) for name in ("ticket_id", "message_id", "letter_id")),
        sa.Column("at", Instant(timezone=True), nullable=False),
        *_texts("text"),
        *(_foreign("agent_letter", name) for name in ("mailbox", "ticket", "message", "letter")),
        sa.PrimaryKeyConstraint("ref", name=op.f("pk_agent_letter")),
    )
    for name in ("ticket_id", "message_id"):
        op.create_index(op.f(f"ix_agent_letter_{name}"), "agent_letter", [name])
    op.create_table(
        "shared_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("letter_id", sa.Integer(), nullable=False),
        *_texts("place"),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", Instant(timezone=True), nullable=False),
        *_texts("state"),
        _foreign("shared_file", "letter"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shared_file")),
        sa.UniqueConstraint("place", name=op.f("uq_shared_file_place")),
    )
    op.create_index(op.f("ix_shared_file_letter_id"), "shared_file", ["letter_id"])
    op.create_index(op.f("ix_shared_file_expires_at"), "shared_file", ["expires_at"])
    op.create_table(
        "certificate",
        *_texts("address", "pem"),
        *(sa.Column(name, Instant(timezone=True), nullable=False) for name in ("added_at", "expires_at")),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_certificate")),
    )
    op.create_table(
        "embedding",
        *_texts("key"),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_embedding")),
    )
    op.create_table(
        "lookup",
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        *_texts("category", "language", "article"),
        sa.Column("score", sa.Float(), nullable=False),
        *_texts("outcome", "faults"),
        _foreign("lookup", "message"),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_lookup")),
    )
    op.create_index(op.f("ix_lookup_at"), "lookup", ["at"])
    op.create_table(
        "faq_candidate",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        *_texts("category", "language", "question", "answer"),
        sa.Column("alike", sa.Integer(), nullable=False),
        *_texts("state", "article"),
        _foreign("faq_candidate", "message"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_faq_candidate")),
        sa.UniqueConstraint("message_id", name=op.f("uq_faq_candidate_message_id")),
    )
    op.create_index(op.f("ix_faq_candidate_at"), "faq_candidate", ["at"])


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(), nullable=False) for name in names]


def _foreign(owner: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([f"{other}_id"], [f"{other}.id"], name=op.f(f"fk_{owner}_{other}_id"))


def downgrade() -> None:
    for name in TABLES:
        op.drop_table(name)
    with op.batch_alter_table("letter_recipient") as recipient:
        for name in ("read_at", "delivered_at"):
            recipient.drop_column(name)
    op.drop_index("ix_letter_caps", "letter")
    op.drop_index("ix_letter_sent", "letter")
    with op.batch_alter_table("letter") as letter:
        for name in reversed(TEXTS):
            letter.drop_column(name)
