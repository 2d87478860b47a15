"""What a backfill asks of the store: which mails are here already, and which lie here as history and may be woken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from desk.facts import Arrival
from store.engine import reading, writing
from store.intake import deliveries
from store.mailboxes import Cursor
from store.memory import Store
from store.messages import conversations, messages

FILES = "backfill://files"  # the folder of mails that no server showed us
NO_SERVER = 0  # their UIDVALIDITY: a server's is never 0 (RFC 3501 §9, nz-number)
HISTORY = Arrival.HISTORY.value


@dataclass(frozen=True, slots=True)
class Asleep:
    """A delivery that was kept as history: its mail was not worked on."""

    delivery_id: int
    received_at: datetime


def find_known(store: Store, mailbox_id: int, cursor: Cursor, uids: Sequence[int]) -> frozenset[int]:
    """Those of these UIDs that are deliveries already."""
    query = sa.select(deliveries.c.uid).where(_name_deliveries(mailbox_id, cursor, uids))
    with reading(store.engine) as connection:
        return frozenset(connection.execute(query).scalars())


def find_asleep(store: Store, mailbox_id: int, cursor: Cursor, uids: Sequence[int]) -> tuple[Asleep, ...]:
    """Those of these UIDs whose bytes are here as history."""
    columns = (deliveries.c.id, deliveries.c.received_at)
    named = sa.select(*columns).where(_name_deliveries(mailbox_id, cursor, uids), deliveries.c.arrival == HISTORY)
    with reading(store.engine) as connection:
        rows = connection.execute(named.where(deliveries.c.state.in_(("kept", "read")))).all()
    return tuple(Asleep(*row) for row in rows)


def wake_history(store: Store, ids: Sequence[int], arrival: Arrival) -> None:
    """These deliveries came on purpose now: their mails are decided anew, and a decision under way loses its claim."""
    these = deliveries.c.id.in_(ids)
    brought = messages.c.id.in_(sa.select(deliveries.c.message_id).where(these))
    slept = sa.or_(
        sa.and_(messages.c.state == "waiting", messages.c.arrival == HISTORY),
        sa.and_(messages.c.state == "decided", messages.c.reason == HISTORY),
    )
    woken = sa.update(messages).where(brought, slept).values(
        state="waiting", arrival=arrival.value, decided_at=None, verdict="", reason="", attempts=0, next_try_at=None
    )  # fmt: skip
    with writing(store.engine) as connection:
        connection.execute(sa.update(deliveries).where(these).values(arrival=arrival.value))
        touched = list(connection.execute(woken.returning(messages.c.conversation_id)).scalars())
        freed = sa.update(conversations).where(conversations.c.id.in_(touched))
        connection.execute(freed.values(claimed_by="", claimed_until=None))


def _name_deliveries(mailbox_id: int, cursor: Cursor, uids: Sequence[int]) -> sa.ColumnElement[bool]:
    return sa.and_(
        deliveries.c.mailbox_id == mailbox_id,
        deliveries.c.folder == cursor.name,
        deliveries.c.uidvalidity == cursor.uidvalidity,
        deliveries.c.uid.in_(uids),
    )
