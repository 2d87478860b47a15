"""A ticket whose answer came to nobody counts as unanswered again: its deadlines run, its people hear of it."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from desk.escalation import SETTLED
from desk.facts import Status
from store.facts import tickets
from store.tables import Event, table

events = table(Event)


def tell_unanswered(
    connection: sa.Connection, ticket_id: int, since: datetime, now: datetime, word: str, message_id: int | None = None
) -> None:
    """The answer of `since` reached nobody: unless a person has answered after it or the ticket is settled, it is open
    again. Its history says why in `word`.
    """
    open_again(connection, ticket_id, since, now)
    tell_history(connection, ticket_id, now, word, message_id)


def tell_history(
    connection: sa.Connection, ticket_id: int, now: datetime, word: str, message_id: int | None = None
) -> None:
    status = connection.execute(_READ_STATUS, {"ticket": ticket_id}).scalar_one()
    event = {"ticket_id": ticket_id, "at": now, "word": word, "status": status, "message_id": message_id}
    connection.execute(_KEEP_EVENT, event)


def open_again(connection: sa.Connection, ticket_id: int, since: datetime, now: datetime) -> None:
    this = {"ticket": ticket_id, "since": since}
    if connection.execute(_ANSWERED_SINCE, this).first() is None:
        connection.execute(_OPEN_AGAIN, {**this, "now": now})


# --- statements, made once: see store.engine ------------------------------------------------------------------

_READ_STATUS = sa.select(tickets.c.status).where(tickets.c.id == sa.bindparam("ticket"))
_KEEP_EVENT = sa.insert(events)
_ANSWERED_SINCE = (
    sa.select(events.c.id)
    .where(events.c.ticket_id == sa.bindparam("ticket"), events.c.at > sa.bindparam("since"))
    .where(events.c.status == Status.SOLUTION_PROPOSED.value)
    .limit(1)
)
_OPEN_AGAIN = (
    sa.update(tickets)
    .where(tickets.c.id == sa.bindparam("ticket"), tickets.c.status.not_in([one.value for one in SETTLED]))
    .values(
        version=tickets.c.version + 1,
        status=sa.case(
            (tickets.c.status == Status.SOLUTION_PROPOSED.value, Status.IN_ANALYSIS.value), else_=tickets.c.status
        ),
        responded_at=sa.case((tickets.c.responded_at == sa.bindparam("since"), None), else_=tickets.c.responded_at),
        touched_at=sa.bindparam("now"),
    )
)
