"""What the command line, the demo and tests look at: outcomes by id, with no text of any mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from store.engine import reading
from store.facts import letters, mailboxes, tickets
from store.intake import deliveries
from store.memory import Store
from store.messages import messages
from store.outcomes import decisions, origins


@dataclass(frozen=True, slots=True)
class MailView:
    """One delivery and what became of its mail. `ticket`: new | linked | joined | none."""

    mailbox: str
    uid: int
    state: str
    message_id: int | None
    kind: str
    verdict: str
    reason: str
    rule: str
    trust: str
    category: str
    priority: str
    language: str
    confidence: float
    source: str
    ticket: str
    number: str
    team: str
    letters: tuple[str, ...]  # purposes of the letters it caused


@dataclass(frozen=True, slots=True)
class TicketView:
    number: str
    status: str
    category: str
    priority: str
    level: int
    team: str
    opened_at: datetime
    respond_by: datetime | None
    responded_at: datetime | None
    resolve_by: datetime | None


@dataclass(frozen=True, slots=True)
class LetterView:
    id: int
    purpose: str
    state: str
    ticket: str
    attempts: int
    error_code: str


def list_mails(store: Store) -> tuple[MailView, ...]:
    """Every delivery in the order it came, with the latest decision on its mail."""
    latest = (
        sa.select(decisions.c.message_id, sa.func.max(decisions.c.id).label("id"))
        .group_by(decisions.c.message_id)
        .subquery()
    )
    query = (
        sa.select(
            mailboxes.c.name, deliveries.c.uid, deliveries.c.state, messages.c.id.label("message_id"),
            messages.c.kind, messages.c.verdict, messages.c.reason, decisions.c.rule, decisions.c.trust,
            decisions.c.category, decisions.c.priority, decisions.c.language, decisions.c.confidence,
            decisions.c.source, messages.c.ticket_id, origins.c.ticket_id.label("opened"), tickets.c.linked_to,
            tickets.c.number, tickets.c.team, deliveries.c.message_id.label("known"),
        )
        .select_from(deliveries)
        .join(mailboxes, mailboxes.c.id == deliveries.c.mailbox_id)
        .outerjoin(messages, messages.c.id == deliveries.c.message_id)
        .outerjoin(latest, latest.c.message_id == messages.c.id)
        .outerjoin(decisions, decisions.c.id == latest.c.id)
        .outerjoin(tickets, tickets.c.id == messages.c.ticket_id)
        .outerjoin(origins, origins.c.message_id == messages.c.id)
        .order_by(mailboxes.c.name, deliveries.c.uid)
    )  # fmt: skip
    with reading(store.engine) as connection:
        caused = _group_purposes(connection)
        return tuple(_view_mail(row, caused) for row in connection.execute(query))


def _group_purposes(connection: sa.Connection) -> dict[int, tuple[str, ...]]:
    query = sa.select(letters.c.message_id, letters.c.purpose).where(letters.c.message_id.is_not(None))
    grouped: dict[int, tuple[str, ...]] = {}
    for row in connection.execute(query.order_by(letters.c.id)):
        grouped[row.message_id] = (*grouped.get(row.message_id, ()), row.purpose)
    return grouped


def _view_mail(row: Any, caused: dict[int, tuple[str, ...]]) -> MailView:
    opened = "linked" if row.linked_to else "new"
    relation = opened if row.opened else "joined" if row.ticket_id else "none"
    return MailView(
        row.name, row.uid, row.state, row.message_id, row.kind or "", row.verdict or "", row.reason or "",
        row.rule or "", row.trust or "", row.category or "", row.priority or "", row.language or "",
        row.confidence or 0.0, row.source or "", relation, row.number or "", row.team or "",
        caused.get(row.message_id, ()),
    )  # fmt: skip


def list_tickets(store: Store) -> tuple[TicketView, ...]:
    columns = [tickets.c[name] for name in TicketView.__slots__]
    with reading(store.engine) as connection:
        return tuple(TicketView(*row) for row in connection.execute(sa.select(*columns).order_by(tickets.c.id)))


def list_letters(store: Store, state: str = "", ticket: str = "") -> tuple[LetterView, ...]:
    """All letters, or those in one state or on one ticket, by its number."""
    query = (
        sa.select(letters.c.id, letters.c.purpose, letters.c.state, tickets.c.number, letters.c.attempts,
                  letters.c.error_code)
        .outerjoin(tickets, tickets.c.id == letters.c.ticket_id)
        .order_by(letters.c.id)
    )  # fmt: skip
    if state:
        query = query.where(letters.c.state == state)
    if ticket:
        query = query.where(tickets.c.number == ticket)
    with reading(store.engine) as connection:
        rows = connection.execute(query).all()
    return tuple(LetterView(r[0], r[1], r[2], r[3] or "", r[4], r[5]) for r in rows)
