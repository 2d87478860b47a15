"""Tickets whose deadlines run: for the escalation sweep, and for the life of a ticket after its first answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from desk.escalation import OpenCase, Ring
from desk.facts import Status
from store.engine import insert_new, reading, writing
from store.facts import tickets
from store.memory import Store
from store.outcomes import ReadyLetter, events, keep_letter
from store.tables import Ring as RingRow
from store.tables import table

rings = table(RingRow)
ENDED = (Status.RESOLVED.value, Status.CLOSED.value)


@dataclass(frozen=True, slots=True)
class TicketCard:
    """A ticket as a ring letter and the command line show it."""

    id: int
    number: str
    status: str
    category: str
    priority: str
    level: int
    team: str
    language: str
    opened_at: datetime
    respond_by: datetime | None
    resolve_by: datetime | None


def list_running(store: Store) -> tuple[OpenCase, ...]:
    """Every ticket that is not resolved or closed, with the levels already rung."""
    names = (
        "id",
        "number",
        "priority",
        "level",
        "opened_at",
        "respond_by",
        "responded_at",
        "resolve_by",
        "status",
    )
    columns = [tickets.c[name] for name in names]
    running = sa.select(*columns).where(tickets.c.status.not_in(ENDED)).order_by(tickets.c.id)
    with reading(store.engine) as connection:
        rung = _group_rings(connection)
        rows = connection.execute(running).all()
    return tuple(OpenCase(**row._mapping, rung=frozenset(rung.get(row.id, ()))) for row in rows)


def _group_rings(connection: sa.Connection) -> dict[int, list[int]]:
    grouped: dict[int, list[int]] = {}
    for row in connection.execute(sa.select(rings.c.ticket_id, rings.c.level)):
        grouped.setdefault(row.ticket_id, []).append(row.level)
    return grouped


def read_card(store: Store, ticket_id: int) -> TicketCard:
    columns = [tickets.c[name] for name in TicketCard.__slots__]
    with reading(store.engine) as connection:
        return TicketCard(*connection.execute(sa.select(*columns).where(tickets.c.id == ticket_id)).one())


def keep_ring(store: Store, ticket_id: int, ring: Ring, letter: ReadyLetter, now: datetime) -> bool:
    """Ring and its letter in one commit; False when this level was rung for this ticket already."""
    with writing(store.engine) as connection:
        row = {"ticket_id": ticket_id, "level": ring.level, "at": now, "deadline": ring.deadline}
        if insert_new(connection, rings, [row]) != 1:
            return False
        keep_letter(connection, letter, f"ring:{ticket_id}:{ring.level}", now, ticket_id=ticket_id)
        raised = sa.update(tickets).where(tickets.c.id == ticket_id, tickets.c.level < ring.level)
        connection.execute(raised.values(level=ring.level, version=tickets.c.version + 1))
        status = connection.execute(sa.select(tickets.c.status).where(tickets.c.id == ticket_id)).scalar_one()
        connection.execute(
            sa.insert(events).values(ticket_id=ticket_id, at=now, word=f"rung-{ring.level}", status=status)
        )
    return True


def change_status(store: Store, number: str, status: Status, word: str, now: datetime) -> bool:
    """A person sets a ticket's status; True when there is such a ticket."""
    stamps: dict[Status, dict[str, Any]] = {
        Status.SOLUTION_PROPOSED: {"responded_at": sa.func.coalesce(tickets.c.responded_at, now)},
        Status.RESOLVED: {"resolved_at": now},
        Status.CLOSED: {"closed_at": now, "resolved_at": sa.func.coalesce(tickets.c.resolved_at, now)},
    }
    values = {
        "status": status.value,
        "version": tickets.c.version + 1,
        "touched_at": now,
        "resolved_at": None,  # a ticket that is opened again is neither resolved nor on its way to be forgotten
        "closed_at": None,
        **stamps.get(status, {}),
    }
    with writing(store.engine) as connection:
        changed = sa.update(tickets).where(tickets.c.number == number).values(**values).returning(tickets.c.id)
        ticket_id = connection.execute(changed).scalar()
        if ticket_id is None:
            return False
        connection.execute(sa.insert(events).values(ticket_id=ticket_id, at=now, word=word, status=status.value))
    return True


def close_idle(store: Store, idle_since: datetime, now: datetime, limit: int) -> Sequence[int]:
    """Close tickets that were answered or resolved and heard nothing since."""
    answered = tickets.c.status.in_((Status.RESOLVED.value, Status.SOLUTION_PROPOSED.value))
    idle = sa.and_(answered, tickets.c.touched_at < idle_since)
    chosen = sa.select(tickets.c.id).where(idle).limit(limit)
    closing = (
        sa.update(tickets)
        .where(tickets.c.id.in_(chosen.scalar_subquery()), idle)  # again: a reply may have come meanwhile
        .values(status=Status.CLOSED.value, closed_at=now, version=tickets.c.version + 1, touched_at=now)
    )
    with writing(store.engine) as connection:
        closed = list(connection.execute(closing.returning(tickets.c.id)).scalars())
        rows = [{"ticket_id": one, "at": now, "word": "closed", "status": Status.CLOSED.value} for one in closed]
        if rows:
            connection.execute(sa.insert(events), rows)
    return closed
