"""Verdicts looked at once more: which mails a window holds, and what may still be changed about them.

A change touches the category of a mail, and category and priority of the ticket that it opened; nothing is written to
anybody. What a person has had in hands since is theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from store.corrections import corrections
from store.engine import changed, reading, writing
from store.facts import mailboxes, tickets
from store.memory import Store
from store.messages import Waiting, messages
from store.outcomes import decisions, events, origins
from store.retention import holds

ENDED = ("resolved", "closed")
BY_PERSON = ("agent", "by-hand")  # events of somebody's own answer and of a status set by hand


@dataclass(frozen=True, slots=True)
class Decided:
    """A judged mail and what the desk made of it; `number` of its ticket and `priority` only when it opened one."""

    waiting: Waiting
    category: str
    number: str
    priority: str
    confidence: float
    source: str


@dataclass(frozen=True, slots=True)
class Window:
    """Judged mails that were received in a span of time, and how many more of it are erased or were never judged."""

    mails: tuple[Decided, ...]
    erased: int
    unjudged: int


@dataclass(frozen=True, slots=True)
class Change:
    """What would be said of a mail now; `number` of the ticket that it opened, or nothing."""

    message_id: int
    number: str
    category_was: str
    category: str
    priority_was: str
    priority: str


def list_decided(store: Store, start: datetime, end: datetime, mailbox: str = "") -> Window:
    """Mails received from `start` (included) to `end` (excluded), of one mailbox if it is named; oldest first."""
    where = sa.and_(messages.c.received_at >= start, messages.c.received_at < end)
    where = sa.and_(where, mailboxes.c.name == mailbox) if mailbox else where
    with reading(store.engine) as connection:
        found = connection.execute(_SELECT_DECIDED.where(where)).all()
        states = connection.execute(_COUNT_STATES.where(where)).all()
    counts = {(row.state, bool(row.judged)): int(row.mails) for row in states}
    erased = counts.get(("anonymised", True), 0) + counts.get(("anonymised", False), 0)
    return Window(tuple(map(_read_decided, found)), erased, counts.get(("decided", False), 0))


def _read_decided(row: Any) -> Decided:
    waiting = Waiting(
        row.id, row.conversation_id, row.mailbox_id, row.contact_id, row.received_at, row.arrival, row.attempts, ""
    )
    return Decided(waiting, row.category, row.number or "", row.priority or "", row.confidence or 0.0, row.source or "")


def look_untouched(store: Store, change: Change, now: datetime) -> str:
    """Why this is left alone, in one word; empty when it may be changed."""
    with reading(store.engine) as connection:
        return _tell_why(connection, change, now)


def carry_change(store: Store, change: Change, now: datetime) -> str:
    """Change mail and ticket in one commit; why not, in one word, or nothing."""
    with writing(store.engine) as connection:
        why = _tell_why(connection, change, now)
        if not why and change.number:
            why = _change_ticket(connection, change, now)
        if not why:
            this = sa.update(messages).where(messages.c.id == change.message_id)
            connection.execute(this.values(category=change.category))
    return why


def _tell_why(connection: sa.Connection, change: Change, now: datetime) -> str:
    """The first reason that holds; read from top to bottom."""
    mail = connection.execute(_FIND_MAIL, {"wanted": change.message_id}).one()
    about = {"message": mail.id, "ticket": mail.ticket_id, "now": now}
    checks = (
        ("erased", mail.state == "anonymised"),
        ("corrected", connection.execute(_FIND_CORRECTION, about).first() is not None),
        (mail.status or "", mail.status in ENDED),
        ("held", connection.execute(_FIND_HOLD, about).first() is not None),
        ("answered", connection.execute(_FIND_PERSON, about).first() is not None),
        ("changed", mail.state != "decided" or mail.category != change.category_was),
        ("changed", bool(change.number) and (mail.has, mail.priority) != (change.category_was, change.priority_was)),
    )
    return next((word for word, holding in checks if holding), "")


def _change_ticket(connection: sa.Connection, change: Change, now: datetime) -> str:
    ticket = connection.execute(_FIND_TICKET, {"wanted": change.number}).one()
    this = sa.update(tickets).where(tickets.c.id == ticket.id, tickets.c.version == ticket.version)
    values = {"category": change.category, "priority": change.priority, "version": ticket.version + 1}
    if changed(connection.execute(this.values(**values))) != 1:
        return "changed"
    event = {"ticket_id": ticket.id, "at": now, "word": "reclassified", "status": ticket.status}
    connection.execute(sa.insert(events).values(**event, message_id=change.message_id))
    return ""


# --- statements, made once: see store.engine ------------------------------------------------------------------

_LATEST = (
    sa.select(decisions.c.message_id, sa.func.max(decisions.c.id).label("id"))
    .group_by(decisions.c.message_id)
    .subquery()
)
_SELECT_DECIDED = (
    sa.select(
        messages.c.id, messages.c.conversation_id, messages.c.mailbox_id, messages.c.contact_id,
        messages.c.received_at, messages.c.arrival, messages.c.attempts, messages.c.category,
        tickets.c.number, tickets.c.priority, decisions.c.confidence, decisions.c.source,
    )
    .join(mailboxes, mailboxes.c.id == messages.c.mailbox_id)
    .outerjoin(_LATEST, _LATEST.c.message_id == messages.c.id)
    .outerjoin(decisions, decisions.c.id == _LATEST.c.id)
    .outerjoin(origins, origins.c.message_id == messages.c.id)
    .outerjoin(tickets, tickets.c.id == origins.c.ticket_id)
    .where(messages.c.state == "decided", messages.c.category != "")
    .order_by(messages.c.received_at, messages.c.id)
)  # fmt: skip
_JUDGED = (messages.c.category != "").label("judged")
_COUNT_STATES = (
    sa.select(messages.c.state, _JUDGED, sa.func.count().label("mails"))
    .join(mailboxes, mailboxes.c.id == messages.c.mailbox_id)
    .group_by(messages.c.state, _JUDGED)
)
_FIND_MAIL = (
    sa.select(
        messages.c.id, messages.c.state, messages.c.category, messages.c.ticket_id,
        tickets.c.status, tickets.c.category.label("has"), tickets.c.priority,
    )
    .outerjoin(tickets, tickets.c.id == messages.c.ticket_id)
    .where(messages.c.id == sa.bindparam("wanted"))
)  # fmt: skip
_FIND_TICKET = sa.select(tickets).where(tickets.c.number == sa.bindparam("wanted"))
_OF_TICKET = sa.select(messages.c.id).where(messages.c.ticket_id == sa.bindparam("ticket"))
_FIND_CORRECTION = (
    sa.select(corrections.c.id)
    .where(sa.or_(corrections.c.message_id == sa.bindparam("message"), corrections.c.message_id.in_(_OF_TICKET)))
    .limit(1)
)
_FIND_HOLD = (
    sa.select(holds.c.id)
    .where(holds.c.ticket_id == sa.bindparam("ticket"))
    .where(sa.or_(holds.c.until.is_(None), holds.c.until > sa.bindparam("now", type_=holds.c.until.type)))
    .limit(1)
)
_FIND_PERSON = (
    sa.select(events.c.id).where(events.c.ticket_id == sa.bindparam("ticket"), events.c.word.in_(BY_PERSON)).limit(1)
)
