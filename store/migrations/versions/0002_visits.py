"""How visits to mailboxes go: rests, lag, watches; what a folder looked like; heads of mails that are too large.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = store.tables.Instant(timezone=True)
TEXT = sa.String()


def number(name: str, default: int = 0, kind: type[sa.Integer] = sa.Integer) -> sa.Column[int]:
    return sa.Column(name, kind(), nullable=False, server_default=str(default))


def word(name: str, default: str = "") -> sa.Column[str]:
    return sa.Column(name, TEXT, nullable=False, server_default=default)


def maybe(name: str) -> sa.Column[datetime]:
    return sa.Column(name, INSTANT, nullable=True)


def upgrade() -> None:
    with op.batch_alter_table("mailbox") as mailbox:
        mailbox.add_column(maybe("since"))
        for column in (
            number("interval_minutes", 5), word("stamp"), number("failures"), number("slowness", 1),
            number("kept_last"), number("lag_seconds"), word("watch_token"), maybe("watch_until"),
        ):  # fmt: skip
            mailbox.add_column(column)
    mailboxes = sa.table("mailbox", sa.column("since", INSTANT))
    op.execute(sa.update(mailboxes).values(since=datetime.now(UTC)))
    with op.batch_alter_table("mailbox") as mailbox:
        mailbox.alter_column("since", existing_type=INSTANT, nullable=False)
    with op.batch_alter_table("folder") as folder:
        for column in (number("uidnext", 0, sa.BigInteger), number("exists"), number("modseq", 0, sa.BigInteger)):
            folder.add_column(column)
        folder.add_column(maybe("searched_at"))
    folders = sa.table("folder", sa.column("searched_at", INSTANT))
    op.execute(sa.update(folders).values(searched_at=datetime.now(UTC)))
    with op.batch_alter_table("delivery") as delivery:
        delivery.add_column(word("part", "whole"))
    with op.batch_alter_table("quarantine") as quarantine:
        quarantine.add_column(maybe("next_try_at"))
        quarantine.create_index(quarantine.f("ix_quarantine_next_try_at"), ["next_try_at"])


def downgrade() -> None:
    with op.batch_alter_table("quarantine") as quarantine:
        quarantine.drop_index(quarantine.f("ix_quarantine_next_try_at"))
        quarantine.drop_column("next_try_at")
    with op.batch_alter_table("delivery") as delivery:
        delivery.drop_column("part")
    with op.batch_alter_table("folder") as folder:
        for name in ("uidnext", "exists", "modseq", "searched_at"):
            folder.drop_column(name)
    with op.batch_alter_table("mailbox") as mailbox:
        for name in ("since", "interval_minutes", "stamp", "failures", "slowness", "kept_last", "lag_seconds",
                     "watch_token", "watch_until"):  # fmt: skip
            mailbox.drop_column(name)
