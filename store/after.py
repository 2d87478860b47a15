"""What is to be done in the mailboxes with a mail that was decided: queued here, done last (store.filing)."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from store.engine import insert_new
from store.intake import deliveries
from store.mailboxes import mailboxes
from store.tables import Filing, Message, table

filings = table(Filing)
messages = table(Message)


def queue_filings(connection: sa.Connection, message_id: int, folder: str) -> None:
    """Each delivery goes to the verdict's `folder`, or gets its mailbox's after-intake action, or is left alone."""
    _queue_some(connection, deliveries.c.message_id == message_id, sa.literal(folder))


def queue_late(connection: sa.Connection, ids: Sequence[int]) -> None:
    """The same for deliveries of mails that may be decided already; those that are not have it done with the verdict.

    Only where a mail is new to its mailbox: in one that had it before, a person has moved or marked it since.
    """
    if decided := _lock_decided(connection, ids):
        late = sa.and_(deliveries.c.id.in_(ids), deliveries.c.message_id.in_(decided))
        _queue_some(connection, sa.and_(late, ~_had_before(ids)), _find_folder())


def _lock_decided(connection: sa.Connection, ids: Sequence[int]) -> list[int]:
    """Messages of these deliveries that are decided; whoever is deciding the others waits for us, then finds them."""
    named = sa.select(deliveries.c.message_id).where(deliveries.c.id.in_(ids))
    these = sa.select(messages.c.id, messages.c.state).where(messages.c.id.in_(named)).order_by(messages.c.id)
    rows = connection.execute(these.with_for_update(read=True)) if ids else ()
    return [row.id for row in rows if row.state == "decided"]


def _had_before(ids: Sequence[int]) -> sa.ColumnElement[bool]:
    other = deliveries.alias()
    same = sa.and_(other.c.message_id == deliveries.c.message_id, other.c.mailbox_id == deliveries.c.mailbox_id)
    return sa.exists().where(same, other.c.id.not_in(ids), other.c.uidvalidity > 0)


def _find_folder() -> sa.ColumnElement[str]:
    """Where the verdict has sent the same message's other deliveries; empty when it has sent them nowhere."""
    other = deliveries.alias()
    moved = sa.select(filings.c.folder).join(other, other.c.id == filings.c.delivery_id)
    moved = moved.where(other.c.message_id == deliveries.c.message_id, filings.c.action == "move")
    return sa.func.coalesce(moved.order_by(filings.c.id.desc()).limit(1).scalar_subquery(), "")


def _queue_some(connection: sa.Connection, which: sa.ColumnElement[bool], folder: sa.ColumnElement[str]) -> None:
    """What came out of a file lies in no mailbox (its UIDVALIDITY is 0): there is nothing to move or mark."""
    found = (
        sa.select(deliveries.c.id, deliveries.c.mailbox_id, mailboxes.c.after_intake, folder.label("folder"))
        .join(mailboxes, mailboxes.c.id == deliveries.c.mailbox_id)
        .where(which, deliveries.c.uidvalidity > 0)
    )
    rows = [
        {"mailbox_id": row.mailbox_id, "action": "move" if row.folder else "after_intake", "delivery_id": row.id,
         "folder": row.folder, "state": "open", "attempts": 0, "claimed_by": ""}
        for row in connection.execute(found)
        if row.folder or row.after_intake != "keep"
    ]  # fmt: skip
    insert_new(connection, filings, rows)
