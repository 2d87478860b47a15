"""Door 4: what the store knows about one mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from desk.facts import Status, TicketFacts
from desk.mail import Mail
from store.engine import reading
from store.intake import deliveries
from store.messages import contacts, messages
from store.tables import (
    AgentLetter,
    Event,
    Letter,
    LetterRecipient,
    Mailbox,
    Participant,
    Suppression,
    Ticket,
    table,
)

tickets = table(Ticket)
participants = table(Participant)
letters = table(Letter)
recipients = table(LetterRecipient)
mailboxes = table(Mailbox)
suppressions = table(Suppression)
agent_letters = table(AgentLetter)
events = table(Event)

_MAX_NAMED = 20  # of a mail's references, the latest
_MAX_THREAD = 200  # of a conversation's mails, the latest
_STORM = timedelta(days=1)  # writers within it make a crowd


@dataclass(frozen=True, slots=True)
class Known:
    """Raw findings; `tasks` turns them into `desk.facts.Facts` together with trust and policy."""

    mailbox: str
    own_letter: bool
    ticket: TicketFacts | None
    participant: bool
    quoted: TicketFacts | None
    quoted_participant: bool
    bounced_letter: int | None
    sent_to_sender: tuple[datetime, ...]
    sent_on_ticket: tuple[datetime, ...]
    suppressed: bool
    agent_active: bool
    writers: int


@dataclass(frozen=True, slots=True)
class Prospect:
    """The letter that a mail may cause: to whom, and when."""

    reader: str
    now: datetime


def gather_facts(
    engine: sa.Engine,
    mail: Mail,
    mailbox_id: int,
    *,
    number: str,
    quoted: str,
    since: datetime,
    thread: int = 0,
    prospect: Prospect | None = None,
) -> Known:
    """`number` comes from a valid token, `quoted` from the subject; caps of sender and ticket look back to `since`.

    `thread` is the mail's conversation: its ticket counts when the mail names none that we know. Without a `prospect`
    nothing is told of suppression and of how many write.
    """
    with reading(engine) as connection:
        ticket = (
            _find_named(connection, mail.references)
            or _find_number(connection, number)
            or _find_overtaken(connection, mail, thread)
        )
        hinted = _find_number(connection, quoted)
        takes_part, quotes_own = (_takes_part(connection, one, mail.sender.address) for one in (ticket, hinted))
        shown = ticket if takes_part or not quotes_own else hinted
        people = {mail.sender.address, *(one.address for one in mail.reply_to)}
        talk = _read_thread(connection, thread)
        return Known(
            mailbox=str(connection.execute(_NAME_MAILBOX, {"mailbox": mailbox_id}).scalar()),
            own_letter=_find_letter(connection, (mail.message_id,)) is not None,
            ticket=ticket,
            participant=takes_part,
            quoted=hinted,
            quoted_participant=quotes_own,
            bounced_letter=_find_told(connection, mail),
            sent_to_sender=_list_sent(connection, _SENT_TO, {"people": list(people), "since": since}),
            sent_on_ticket=_list_sent(connection, _SENT_ON, {"ticket": shown.id, "since": since}) if shown else (),
            suppressed=_is_suppressed(connection, prospect),
            agent_active=_is_answered(connection, talk, [ticket, hinted if quotes_own else None]),
            writers=_count_writers(talk, prospect),
        )


def _is_suppressed(connection: sa.Connection, prospect: Prospect | None) -> bool:
    if prospect is None:
        return False
    wanted = {"reader": prospect.reader.lower(), "now": prospect.now}
    return connection.execute(_FIND_SUPPRESSED, wanted).first() is not None


def _read_thread(connection: sa.Connection, thread: int) -> Sequence[sa.Row[Any]]:
    """The mails of a conversation: id, contact, moment of arrival, ticket and that one's status."""
    return connection.execute(_READ_THREAD, {"thread": thread}).all() if thread else ()


def _count_writers(talk: Sequence[sa.Row[Any]], prospect: Prospect | None) -> int:
    """People who wrote in a conversation within a day, this mail's sender among them."""
    late = [one for one in talk if prospect and prospect.now - one.received_at < _STORM]
    return max(1, len({one.contact_id for one in late if one.contact_id is not None}))


def _is_answered(connection: sa.Connection, talk: Sequence[sa.Row[Any]], named: Sequence[TicketFacts | None]) -> bool:
    """Whether a person of ours has the case: they answered on a ticket of this conversation, or on the one that the
    mail names, which is not closed (by a mail that came to us, or by a letter found in a Sent folder); or they answered
    one of its mails that has no ticket.
    """
    on = {one.ticket_id for one in talk if one.ticket_id is not None and one.status != Status.CLOSED}
    on |= {one.id for one in named if one and one.status is not Status.CLOSED}
    loose = {one.id for one in talk if one.ticket_id is None} if len(talk) > 1 else set()
    asked = {"on": sorted(on), "mails": sorted(loose)}
    return bool(on or loose) and connection.execute(_FIND_ANSWER, asked).first() is not None


def _find_named(connection: sa.Connection, references: Sequence[str]) -> TicketFacts | None:
    """The ticket of the latest mail or letter that the references name."""
    named = references[-_MAX_NAMED:]
    if not named:
        return None
    found = {row.header_id: row.ticket_id for row in connection.execute(_FIND_NAMED, {"named": list(named)})}
    latest = next((found[one] for one in reversed(named) if one in found), None)
    return None if latest is None else _read_ticket(connection, _BY_ID, latest)


def _find_overtaken(connection: sa.Connection, mail: Mail, thread: int) -> TicketFacts | None:
    """The ticket that a later mail of the same sender and thread has opened: it was decided before this one.

    Another mail under this one's own Message-ID is no answer to it; but the head that was read of this very mail while
    it was too large, and whose delivery is the whole mail's now, has opened its ticket.
    """
    this = {"thread": thread, "sender": mail.sender.address, "own": mail.message_id}
    found = connection.execute(_FIND_OVERTAKEN, this).scalar() if thread else None
    return None if found is None else _read_ticket(connection, _BY_ID, found)


def _find_number(connection: sa.Connection, number: str) -> TicketFacts | None:
    return _read_ticket(connection, _BY_NUMBER, number) if number else None


def _read_ticket(connection: sa.Connection, query: sa.Select[Any], wanted: int | str) -> TicketFacts | None:
    row = connection.execute(query, {"wanted": wanted}).first()
    if row is None:
        return None
    return TicketFacts(
        row.id,
        row.number,
        row.version,
        Status(row.status),
        row.category,
        row.priority,
        row.level,
        row.team,
        row.address or "",
    )


def _takes_part(connection: sa.Connection, ticket: TicketFacts | None, address: str) -> bool:
    if ticket is None:
        return False
    return connection.execute(_TAKES_PART, {"ticket": ticket.id, "address": address}).first() is not None


def _find_letter(connection: sa.Connection, header_ids: Sequence[str]) -> int | None:
    wanted = [one for one in header_ids if one]
    found: int | None = connection.execute(_FIND_LETTER, {"wanted": wanted}).scalar() if wanted else None
    return found


def _find_told(connection: sa.Connection, mail: Mail) -> int | None:
    """The letter that a bounce or receipt is about: the one that it names, by Message-ID or by the ENVID it was sent
    with, which is the same without brackets; where it names none, the latest that it answers. A Message-ID of ours
    can't be guessed (desk.tokens), so who names one has seen the letter.
    """
    if not (mail.bounce or mail.receipt):
        return None
    envelope = mail.receipt.envelope_id if mail.receipt else ""
    named = (mail.receipt or mail.bounce or mail).message_id
    wanted = [f"<{envelope}>"] * bool(envelope) + ([named] if named else list(reversed(mail.references))[:_MAX_NAMED])
    found = {row.header_id: row.id for row in connection.execute(_FIND_LETTERS, {"wanted": wanted})}
    return next((found[one] for one in wanted if one in found), None)


def _list_sent(connection: sa.Connection, query: sa.Select[Any], which: Mapping[str, Any]) -> tuple[datetime, ...]:
    return tuple(connection.execute(query, which).scalars())


# --- statements, made once: see store.engine ------------------------------------------------------------------


def _select_ticket() -> sa.Select[Any]:
    names = ("id", "number", "version", "status", "category", "priority", "level", "team")
    columns = [tickets.c[name] for name in names]
    return sa.select(*columns, contacts.c.address).join(contacts, contacts.c.id == tickets.c.contact_id, isouter=True)


def _select_named(kept: sa.Table) -> sa.Select[Any]:
    named = kept.c.header_id.in_(sa.bindparam("named", expanding=True))
    return sa.select(kept.c.header_id, kept.c.ticket_id).where(named, kept.c.ticket_id.is_not(None))


def _select_sent() -> sa.Select[Any]:
    return sa.select(letters.c.created_at).where(letters.c.automatic, letters.c.created_at >= sa.bindparam("since"))


_BY_ID = _select_ticket().where(tickets.c.id == sa.bindparam("wanted"))
_BY_NUMBER = _select_ticket().where(tickets.c.number == sa.bindparam("wanted"))
_FIND_SUPPRESSED = (
    sa.select(suppressions.c.address)
    .where(suppressions.c.address == sa.bindparam("reader"))
    .where(sa.or_(suppressions.c.until.is_(None), suppressions.c.until > sa.bindparam("now")))
)
_READ_THREAD = (
    sa.select(messages.c.id, messages.c.contact_id, messages.c.received_at, messages.c.ticket_id, tickets.c.status)
    .join(tickets, tickets.c.id == messages.c.ticket_id, isouter=True)
    .where(messages.c.conversation_id == sa.bindparam("thread"))
    .order_by(messages.c.id.desc())
    .limit(_MAX_THREAD)
)
_FIND_ANSWER = sa.union_all(
    sa.select(events.c.ticket_id)
    .where(events.c.ticket_id.in_(sa.bindparam("on", expanding=True)))
    .where(events.c.word == "agent"),
    sa.select(agent_letters.c.ticket_id).where(agent_letters.c.ticket_id.in_(sa.bindparam("on", expanding=True))),
    sa.select(agent_letters.c.message_id).where(agent_letters.c.message_id.in_(sa.bindparam("mails", expanding=True))),
).limit(1)
_NAME_MAILBOX = sa.select(mailboxes.c.name).where(mailboxes.c.id == sa.bindparam("mailbox"))
_FIND_NAMED = sa.union_all(_select_named(letters), _select_named(messages))  # of one id, a mail's ticket counts
_FIND_OVERTAKEN = (
    sa.select(messages.c.ticket_id)
    .join(contacts, contacts.c.id == messages.c.contact_id)
    .where(messages.c.conversation_id == sa.bindparam("thread"), messages.c.ticket_id.is_not(None))
    .where(contacts.c.address == sa.bindparam("sender"))
    .where(
        sa.or_(
            messages.c.header_id != sa.bindparam("own"),
            ~sa.exists().where(deliveries.c.message_id == messages.c.id),
        )
    )
    .order_by(messages.c.id.desc())
    .limit(1)
)
_TAKES_PART = (
    sa.select(participants.c.ticket_id)
    .join(contacts, contacts.c.id == participants.c.contact_id)
    .where(participants.c.ticket_id == sa.bindparam("ticket"), contacts.c.address == sa.bindparam("address"))
)
_FIND_LETTER = sa.select(letters.c.id).where(letters.c.header_id.in_(sa.bindparam("wanted", expanding=True))).limit(1)
_FIND_LETTERS = sa.select(letters.c.id, letters.c.header_id).where(
    letters.c.header_id.in_(sa.bindparam("wanted", expanding=True))
)
# Letters to the sender or to where answers are asked to go: a Reply-To must not lift the caps.
_SENT_TO = (
    _select_sent()
    .join(recipients, recipients.c.letter_id == letters.c.id)
    .where(recipients.c.address.in_(sa.bindparam("people", expanding=True)))
)
_SENT_ON = _select_sent().where(letters.c.ticket_id == sa.bindparam("ticket"))
