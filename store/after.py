"""What is to be done in the mailboxes with a mail that was decided: queued here, done last (store.filing)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from store.engine import insert_new
from store.intake import deliveries
from store.mailboxes import mailboxes
from store.tables import Filing, Letter, Message, table

filings = table(Filing)
letters = table(Letter)
messages = table(Message)

EDITED = "edited"  # reason of a draft that an agent has in hands


def queue_filings(connection: sa.Connection, folders: Mapping[int, str]) -> None:
    """Each delivery of a message (id → its verdict's folder) goes there, or where that is empty gets its mailbox's
    after-intake action, or is left alone.
    """
    found = connection.execute(_FIND_DELIVERIES, {"decided": list(folders)})
    _queue_rows(connection, [(one, folders[one.message_id]) for one in found])


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
    found = connection.execute(_find_deliveries(which, folder.label("folder")))
    _queue_rows(connection, [(one, one.folder) for one in found])


def _find_deliveries(which: sa.ColumnElement[bool], *more: sa.ColumnElement[str]) -> sa.Select[Any]:
    columns = (deliveries.c.id, deliveries.c.mailbox_id, deliveries.c.message_id, mailboxes.c.after_intake)
    joined = sa.select(*columns, *more).join(mailboxes, mailboxes.c.id == deliveries.c.mailbox_id)
    return joined.where(which, deliveries.c.uidvalidity > 0)


def _queue_rows(connection: sa.Connection, found: Sequence[tuple[sa.Row[Any], str]]) -> None:
    rows = [
        {"mailbox_id": one.mailbox_id, "action": "move" if folder else "after_intake", "delivery_id": one.id,
         "folder": folder, "state": "open", "attempts": 0, "claimed_by": ""}
        for one, folder in found
        if folder or one.after_intake != "keep"
    ]  # fmt: skip
    insert_new(connection, filings, rows)


def queue_withdrawals(connection: sa.Connection, which: sa.ColumnElement[bool], now: datetime) -> int:
    """These of the drafts are to be taken out of their mailboxes, once; one that waits to be laid waits no more. How
    many.
    """
    known = sa.exists().where(filings.c.letter_id == letters.c.id, filings.c.action == "withdraw")
    open_ones = sa.and_(letters.c.purpose == "draft", letters.c.state.in_(("draft", "drafted")))
    ours = sa.and_(open_ones, letters.c.reason != EDITED, letters.c.mailbox_id.is_not(None), ~known)
    rows = connection.execute(sa.select(letters.c.id, letters.c.mailbox_id).where(ours, which).order_by(letters.c.id))
    queued = [
        {"mailbox_id": one.mailbox_id, "action": "withdraw", "letter_id": one.id, "folder": "", "state": "open",
         "attempts": 0, "claimed_by": ""}
        for one in rows
    ]  # fmt: skip
    if queued:
        _stop_laying(connection, [one["letter_id"] for one in queued], now)
    return insert_new(connection, filings, queued)


def _stop_laying(connection: sa.Connection, letter_ids: Sequence[Any], now: datetime) -> None:
    """But for those that a worker has in hands: they are withdrawn once they lie there."""
    unclaimed = sa.or_(filings.c.claimed_until.is_(None), filings.c.claimed_until < now)
    waiting = sa.and_(filings.c.action == "draft", filings.c.state == "open", unclaimed)
    these = sa.update(filings).where(waiting, filings.c.letter_id.in_(letter_ids))
    connection.execute(these.values(state="done", claimed_by="", claimed_until=None))


# Made once: see store.engine.
_FIND_DELIVERIES = _find_deliveries(deliveries.c.message_id.in_(sa.bindparam("decided", expanding=True)))
