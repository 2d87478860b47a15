"""A mail is set aside: its row in the quarantine, one for all times that this happens to it."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from desk.quarantine import plan_retry
from store.engine import insert_once
from store.tables import Quarantine, table

quarantine = table(Quarantine)


def set_aside(
    connection: sa.Connection,
    owner: sa.Column[int],
    owner_id: int,
    cause: str,
    incident: str,
    tries: int,
    now: datetime,
) -> None:
    """Open the row of a delivery or message (`owner` is its column), or open it again: tries add up, `since` stays.

    `tries` is what the door counts. A row that still has a next try was put back by it: that was one try, whatever the
    door says. A row that is open, as of a mail whose head alone was tried, keeps its cause.
    """
    row = connection.execute(sa.select(quarantine).where(owner == owner_id)).first()
    before = row.attempts if row is not None else 0
    attempts = before + (1 if row is not None and row.next_try_at else tries)
    values = {
        "cause": cause,
        "incident": incident,
        "attempts": attempts,
        "next_try_at": plan_retry(cause, attempts - tries + 1, now),
        "resolved_at": None,
    }
    insert_once(connection, quarantine, {owner.name: owner_id, "since": now, **values})
    ended = sa.and_(owner == owner_id, quarantine.c.resolved_at.is_not(None))
    connection.execute(sa.update(quarantine).where(ended).values(**values))
