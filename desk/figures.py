"""What the digest counts: rows without a person in them, handed from `store` to `reports`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TicketFigure:
    """A ticket as figures see it; instants are aware UTC. `subject` is empty once anonymised."""

    number: str
    subject: str
    category: str
    team: str
    organisation: str
    priority: str
    status: str
    level: int
    opened_at: datetime
    respond_by: datetime | None
    responded_at: datetime | None
    resolve_by: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class MailFigure:
    at: datetime
    mailbox: str
    kind: str
    category: str
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class LetterFigure:
    at: datetime
    purpose: str
    state: str


@dataclass(frozen=True, slots=True)
class RingFigure:
    at: datetime
    ticket: str
    level: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything that happened from `start` (included) to `end` (excluded); and tickets still open then."""

    start: datetime
    end: datetime
    tickets: tuple[TicketFigure, ...]
    mails: tuple[MailFigure, ...]
    letters: tuple[LetterFigure, ...]
    rings: tuple[RingFigure, ...]
    quarantined: int
