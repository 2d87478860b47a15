"""What the desk knows about one mail beyond the mail itself (door 4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from desk.mail import Address


class Trust(StrEnum):
    """Who the sender really is, as far as `desk.trust.judge_sender` can tell."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    FORGED = "forged"


class Arrival(StrEnum):
    """How a mail came to us: only live mail is answered by itself."""

    LIVE = "live"
    BACKFILL = "backfill"  # fetched later on purpose: tickets, no letters to requesters
    HISTORY = "history"  # lay in the mailbox before the desk came: kept, not worked on


class Status(StrEnum):
    """Life of a ticket (ITIL words)."""

    NEW = "new"
    IN_ANALYSIS = "in_analysis"
    SOLUTION_PROPOSED = "solution_proposed"
    RESOLVED = "resolved"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class TicketFacts:
    """A ticket as a decision sees it; `version` fences the decision."""

    id: int
    number: str
    version: int
    status: Status
    category: str
    priority: str
    level: int
    team: str
    requester: str  # address; empty once anonymised


@dataclass(frozen=True, slots=True)
class Organisation:
    name: str
    segment: str  # pilot | standard | academy | international
    academy: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything looked up about one mail; `now` is handed to the decision beside it."""

    mailbox: str  # name of the mailbox it came through first
    trust: Trust
    evidence: str = ""  # what decided the trust, see desk.trust.RULES; names nobody
    own: bool = False  # we sent it ourselves (a letter of ours came back)
    ticket: TicketFacts | None = None  # named by References or by a valid token
    participant: bool = False  # the sender takes part in that ticket
    from_agent: bool = False  # the sender is one of our people
    passed_on_for: Address | None = None  # whose mail one of our people, proven, passes on to us
    quoted: TicketFacts | None = None  # named by its number in the subject only
    quoted_participant: bool = False  # the sender takes part in that one
    bounced_letter: int | None = None  # id of the letter that this bounce is about
    organisation: Organisation | None = None
    sent_to_sender: tuple[datetime, ...] = ()  # automatic letters to this sender lately
    sent_on_ticket: tuple[datetime, ...] = ()
    sent_by_mailbox: tuple[tuple[timedelta, int], ...] = ()  # automatic letters within each span of the caps
    sent_in_all: tuple[tuple[timedelta, int], ...] = ()
    agent_active: bool = False  # a person of ours has the case
    suppressed: bool = False  # letters to where its answer would go came back
    own_reader: bool = False  # its answer would go to one of our own addresses that is not its sender
    addressed: bool = True  # we stand in its To, not in Cc or nowhere
    writers: int = 1  # people who wrote in its conversation within a day
    arrival: Arrival = Arrival.LIVE
    too_large: bool = False  # above the policy's size limit: only its header was fetched

    @property
    def joined(self) -> TicketFacts | None:
        """The ticket this mail belongs to: open, and named by somebody proven who takes part in it."""
        named = ((self.ticket, self.participant), (self.quoted, self.quoted_participant))
        open_ones = (ticket for ticket, known in named if ticket and _is_open(ticket) and (known or self.from_agent))
        return next(open_ones, None) if self.trust is Trust.VERIFIED else None


def _is_open(ticket: TicketFacts) -> bool:
    return ticket.status is not Status.CLOSED
