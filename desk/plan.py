"""What is to be done with one mail: the outcome of `desk.decide`, carried out by `store` in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from desk.facts import Status
from desk.mail import Address


class Verdict(StrEnum):
    ANSWERED = "answered"  # the category's letter goes out by itself
    DRAFTED = "drafted"  # acknowledged, a draft waits in the mailbox
    HANDED_OVER = "handed_over"  # to a person, no draft
    APPENDED = "appended"  # joined to its ticket
    CONFIRMED = "confirmed"  # the requester says it is solved
    IGNORED = "ignored"  # kept, counted, nothing to do
    HELD = "held"  # kept and shown to the operator; nobody is answered


class Purpose(StrEnum):
    """What a letter is for; unique together with what caused it."""

    ANSWER = "answer"
    ACKNOWLEDGEMENT = "acknowledgement"
    DRAFT = "draft"
    HANDOVER = "handover"  # to the team
    RING = "ring"  # to a level
    DIGEST = "digest"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class OpenTicket:
    category: str
    priority: str
    level: int
    team: str
    language: str
    respond_by: datetime | None
    resolve_by: datetime | None
    status: Status = Status.NEW
    linked_to: int | None = None
    requester: Address | None = None  # whose request it is when not the sender's own


@dataclass(frozen=True, slots=True)
class TouchTicket:
    """Change an existing ticket, only if its version is still `version`."""

    ticket_id: int
    version: int
    number: str
    status: Status
    team: str
    event: str  # one word for the history


@dataclass(frozen=True, slots=True)
class PlannedLetter:
    """A letter to be rendered once the ticket's number is known."""

    purpose: Purpose
    template: str
    language: str
    recipients: tuple[str, ...]
    draft: bool = False
    segment: str = ""  # whose template, where there is one of its own


class Fate(StrEnum):
    """What the mail system told of a letter after it had gone out."""

    DELAYED = "delayed"  # only late: nothing is lost yet
    RELAYED = "relayed"  # to a server that tells no more
    BOUNCED = "bounced"
    DELIVERED = "delivered"  # RFC 3464, where the server tells of success
    READ = "read"  # RFC 8098


@dataclass(frozen=True, slots=True)
class Report:
    """What a bounce or receipt tells of a letter of ours; without `recipients` it names nobody."""

    letter_id: int
    recipients: tuple[str, ...]
    fate: Fate
    code: str  # RFC 3463 status, or the reason or what its reader did with it in a word
    reason: str = ""  # one of desk.mail.bounces.REASONS
    until: datetime | None = None  # so long nothing is sent to an address that is to blame; empty: it is not for that


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do and why: `rule` names the row of the table that decided, `reason` is its one word."""

    verdict: Verdict
    reason: str
    rule: str
    ticket: OpenTicket | TouchTicket | None = None
    letters: tuple[PlannedLetter, ...] = ()
    reports: tuple[Report, ...] = ()  # each of other recipients
    folder: str = ""  # where the mail is filed; empty: where it lies
    mark: str = ""
    instead: Plan | None = None  # of an answer: the draft that it becomes when it may not go out by itself after all
