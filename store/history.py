"""What a requester has had to do with us before."""

from __future__ import annotations

import sqlalchemy as sa

from desk.facts import Status
from store.engine import reading
from store.tables import Participant, Ticket, table

participants = table(Participant)
tickets = table(Ticket)

_OVER = (Status.RESOLVED.value, Status.CLOSED.value)


def find_open_request(engine: sa.Engine, contact_id: int) -> str:
    """Number of this person's latest request that is neither resolved nor closed; empty when there is none."""
    with reading(engine) as connection:
        return str(connection.execute(_FIND_OPEN, {"who": contact_id}).scalar() or "")


_FIND_OPEN = (
    sa.select(tickets.c.number)
    .join(participants, participants.c.ticket_id == tickets.c.id)  # which is indexed by person
    .where(participants.c.contact_id == sa.bindparam("who"), tickets.c.contact_id == sa.bindparam("who"))
    .where(tickets.c.status.not_in(_OVER))
    .order_by(tickets.c.id.desc())
    .limit(1)
)
