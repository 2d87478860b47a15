"""Letters as people look at them: one with all its steps, and what the letters of a period came to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from desk.escalation import SETTLED
from desk.plan import Purpose
from desk.results import Asked, LetterFate
from store.engine import reading
from store.facts import letters, recipients, tickets
from store.letterlog import letter_events
from store.memory import Store
from store.messages import messages
from store.outcomes import origins
from store.reopening import events
from store.tables import AgentLetter, table

agent_letters = table(AgentLetter)

REQUESTERS = (Purpose.ANSWER.value, Purpose.ACKNOWLEDGEMENT.value)
ANSWERS = (Purpose.ANSWER.value, Purpose.DRAFT.value)
_DRAFTS = ("draft", "drafted")
_UNSENT = (*_DRAFTS, "withdrawn", "queued", "deferred", "erased")


@dataclass(frozen=True, slots=True)
class Reader:
    """A recipient and what became of the letter there."""

    address: str
    state: str
    code: str
    delivered_at: datetime | None
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class Step:
    at: datetime
    word: str
    code: str


@dataclass(frozen=True, slots=True)
class LetterCard:
    """One letter with its recipients and all its steps; `body` as it was queued, None once erased."""

    id: int
    purpose: str
    state: str
    reason: str
    ticket: str
    template: str
    segment: str
    variant: str
    language: str
    shape: str
    attempts: int
    error_code: str
    created_at: datetime
    next_try_at: datetime | None
    sent_at: datetime | None
    body: bytes | None
    readers: tuple[Reader, ...]
    steps: tuple[Step, ...]


def read_letter(store: Store, letter_id: int) -> LetterCard | None:
    with reading(store.engine) as connection:
        row = connection.execute(_READ, {"letter": letter_id}).first()
        if row is None:
            return None
        readers = tuple(Reader(*one) for one in connection.execute(_READ_READERS, {"letter": letter_id}))
        steps = tuple(Step(*one) for one in connection.execute(_READ_STEPS, {"letter": letter_id}))
    return LetterCard(**row._mapping, readers=readers, steps=steps)


def list_fates(store: Store, start: datetime, end: datetime) -> tuple[LetterFate, ...]:
    """Letters made from `start` (included) to `end` (excluded), drafts left out."""
    span = {"start": start, "end": end}
    with reading(store.engine) as connection:
        people: dict[int, list[str]] = {}
        for row in connection.execute(_LIST_STATES, span):
            people.setdefault(row.letter_id, []).append(row.state)
        return tuple(_describe_fate(row, tuple(people.get(row.id, ()))) for row in connection.execute(_LIST, span))


def _describe_fate(row: sa.Row[Any], people: tuple[str, ...]) -> LetterFate:
    requester = row.purpose in REQUESTERS
    return LetterFate(row.category or "", row.template, row.segment, row.variant, requester, people, bool(row.solved))


def list_asked(store: Store, start: datetime, end: datetime) -> tuple[Asked, ...]:
    """Tickets opened in the period that were answered: by our letter once it went out, else by a person."""
    with reading(store.engine) as connection:
        return tuple(_list_answered(connection.execute(_LIST_ASKED, {"start": start, "end": end})))


def _list_answered(rows: sa.CursorResult[Any]) -> Iterator[Asked]:
    for row in rows:
        ours = row.written_at is not None and row.written_at == row.responded_at
        answered_at = row.sent_at if ours else row.responded_at
        if answered_at is not None:
            yield Asked(row.category, row.asked_at or row.opened_at, answered_at)


# --- statements, made once: see store.engine ------------------------------------------------------------------


def _select_solved() -> sa.ColumnElement[bool]:
    """Its ticket is settled, and nothing of ours went there after this letter: no answer, no person's letter."""
    later = letters.alias("later")
    more = (
        sa.exists()
        .where(later.c.ticket_id == letters.c.ticket_id, later.c.id > letters.c.id)
        .where(later.c.purpose.in_(ANSWERS), later.c.state.not_in(_UNSENT))
    )
    written = sa.exists().where(
        agent_letters.c.ticket_id == letters.c.ticket_id, agent_letters.c.at > letters.c.created_at
    )
    answered = sa.exists().where(
        events.c.ticket_id == letters.c.ticket_id, events.c.word == "agent", events.c.at > letters.c.created_at
    )
    settled = tickets.c.status.in_([one.value for one in SETTLED])
    return sa.and_(settled, ~more, ~written, ~answered)


_COLUMNS = [
    letters.c[name] if name != "ticket" else sa.func.coalesce(tickets.c.number, "").label("ticket")
    for name in LetterCard.__slots__
    if name not in ("readers", "steps")
]
_ON_TICKETS = letters.outerjoin(tickets, tickets.c.id == letters.c.ticket_id)
_READ = sa.select(*_COLUMNS).select_from(_ON_TICKETS).where(letters.c.id == sa.bindparam("letter"))
_READ_READERS = (
    sa.select(
        sa.func.coalesce(recipients.c.address, ""),
        recipients.c.state,
        recipients.c.code,
        recipients.c.delivered_at,
        recipients.c.read_at,
    )
    .where(recipients.c.letter_id == sa.bindparam("letter"))
    .order_by(recipients.c.id)
)
_READ_STEPS = (
    sa.select(letter_events.c.at, letter_events.c.word, letter_events.c.code)
    .where(letter_events.c.letter_id == sa.bindparam("letter"))
    .order_by(letter_events.c.at, letter_events.c.id)
)
_MADE_THEN = sa.and_(
    letters.c.created_at >= sa.bindparam("start"),
    letters.c.created_at < sa.bindparam("end"),
    letters.c.state.not_in(_DRAFTS),
    letters.c.purpose != Purpose.DRAFT.value,
)
_LIST = (
    sa.select(
        letters.c.id,
        letters.c.purpose,
        letters.c.template,
        letters.c.segment,
        letters.c.variant,
        tickets.c.category,
        _select_solved().label("solved"),
    )
    .select_from(_ON_TICKETS)
    .where(_MADE_THEN)
    .order_by(letters.c.id)
)
_LIST_STATES = (
    sa.select(recipients.c.letter_id, recipients.c.state)
    .join(letters, letters.c.id == recipients.c.letter_id)
    .where(_MADE_THEN)
    .order_by(recipients.c.id)
)
_FIRST_ANSWER = (
    sa.select(letters.c.ticket_id, sa.func.min(letters.c.created_at).label("written_at"),
              sa.func.min(letters.c.sent_at).label("sent_at"))
    .where(letters.c.purpose == Purpose.ANSWER.value)
    .group_by(letters.c.ticket_id)
    .subquery()
)  # fmt: skip
_FIRST_QUESTION = (
    sa.select(origins.c.ticket_id, sa.func.min(messages.c.received_at).label("asked_at"))
    .join(messages, messages.c.id == origins.c.message_id)
    .group_by(origins.c.ticket_id)
    .subquery()
)
_LIST_ASKED = (
    sa.select(
        tickets.c.category,
        tickets.c.opened_at,
        tickets.c.responded_at,
        _FIRST_QUESTION.c.asked_at,
        _FIRST_ANSWER.c.written_at,
        _FIRST_ANSWER.c.sent_at,
    )
    .outerjoin(_FIRST_QUESTION, _FIRST_QUESTION.c.ticket_id == tickets.c.id)
    .outerjoin(_FIRST_ANSWER, _FIRST_ANSWER.c.ticket_id == tickets.c.id)
    .where(tickets.c.opened_at >= sa.bindparam("start"), tickets.c.opened_at < sa.bindparam("end"))
    .where(tickets.c.responded_at.is_not(None))
    .order_by(tickets.c.id)
)
