"""What the digest counts, read from rows that outlive the people in them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from desk.figures import Ledger, LetterFigure, MailFigure, RingFigure, TicketFigure
from desk.unanswered import Asked
from store.cases import rings
from store.engine import insert_once, reading, writing
from store.facts import letters, mailboxes, tickets
from store.memory import Store
from store.messages import messages, quarantine
from store.outcomes import ReadyLetter, keep_letter
from store.tables import DigestIssue, Lookup, table

issues = table(DigestIssue)
lookups = table(Lookup)

UNANSWERED = ("none", "refused")  # outcomes of a lookup


def read_ledger(store: Store, start: datetime, end: datetime) -> Ledger:
    """Everything from `start` (included) to `end` (excluded); tickets opened before and still open at `start` too."""
    with reading(store.engine) as connection:
        return Ledger(
            start=start,
            end=end,
            tickets=_read_tickets(connection, start, end),
            mails=_read_mails(connection, start, end),
            letters=_read_letters(connection, start, end),
            rings=_read_rings(connection, start, end),
            quarantined=_count_quarantine(connection, start, end),
        )


def _read_tickets(connection: sa.Connection, start: datetime, end: datetime) -> tuple[TicketFigure, ...]:
    columns = [tickets.c[name] for name in TicketFigure.__slots__]
    open_then = sa.or_(tickets.c.closed_at.is_(None), tickets.c.closed_at >= start)
    query = sa.select(*columns).where(tickets.c.opened_at < end, open_then).order_by(tickets.c.id)
    return tuple(TicketFigure(*row) for row in connection.execute(query))


def _read_mails(connection: sa.Connection, start: datetime, end: datetime) -> tuple[MailFigure, ...]:
    query = (
        sa.select(
            messages.c.decided_at,
            mailboxes.c.name,
            messages.c.kind,
            messages.c.category,
            messages.c.verdict,
            messages.c.reason,
        )
        .join(mailboxes, mailboxes.c.id == messages.c.mailbox_id)
        .where(messages.c.decided_at >= start, messages.c.decided_at < end)
        .order_by(messages.c.id)
    )
    return tuple(MailFigure(*row) for row in connection.execute(query))


def _read_letters(connection: sa.Connection, start: datetime, end: datetime) -> tuple[LetterFigure, ...]:
    query = sa.select(letters.c.created_at, letters.c.purpose, letters.c.state).where(
        letters.c.created_at >= start, letters.c.created_at < end
    )
    return tuple(LetterFigure(*row) for row in connection.execute(query.order_by(letters.c.id)))


def _read_rings(connection: sa.Connection, start: datetime, end: datetime) -> tuple[RingFigure, ...]:
    query = (
        sa.select(rings.c.at, tickets.c.number, rings.c.level)
        .join(tickets, tickets.c.id == rings.c.ticket_id)
        .where(rings.c.at >= start, rings.c.at < end)
    )
    return tuple(RingFigure(*row) for row in connection.execute(query.order_by(rings.c.at, rings.c.level)))


def _count_quarantine(connection: sa.Connection, start: datetime, end: datetime) -> int:
    query = (
        sa.select(sa.func.count()).select_from(quarantine).where(quarantine.c.since >= start, quarantine.c.since < end)
    )
    return int(connection.execute(query).scalar_one())


def list_unanswered(store: Store, start: datetime, end: datetime, teams: Collection[str] = ()) -> tuple[Asked, ...]:
    """Mails of a period for which no article was found, the latest first, without text; `teams`: of their tickets."""
    columns = (lookups.c.message_id, lookups.c.category, lookups.c.language, messages.c.contact_id)
    these = (
        sa.select(*columns)
        .join(messages, messages.c.id == lookups.c.message_id)
        .outerjoin(tickets, tickets.c.id == messages.c.ticket_id)
        .where(lookups.c.at >= start, lookups.c.at < end, lookups.c.outcome.in_(UNANSWERED))
        .order_by(lookups.c.at.desc(), lookups.c.message_id.desc())
    )
    with reading(store.engine) as connection:
        rows = connection.execute(these.where(tickets.c.team.in_(teams)) if teams else these).all()
    return tuple(Asked(*row) for row in rows)


def keep_digest(
    store: Store, reader: str, period: str, figures: Mapping[str, Any], letter: ReadyLetter, now: datetime
) -> bool:
    """A digest and its letter in one commit; False when this reader has this period already."""
    row = {"reader": reader, "period": period, "at": now, "figures": json.dumps(figures, ensure_ascii=False)}
    with writing(store.engine) as connection:
        if insert_once(connection, issues, row) is None:
            return False
        keep_letter(connection, letter, f"digest:{reader}:{period}", now)
    return True


def has_digest(store: Store, reader: str, period: str) -> bool:
    query = sa.select(issues.c.id).where(issues.c.reader == reader, issues.c.period == period)
    with reading(store.engine) as connection:
        return connection.execute(query).first() is not None
