"""Door 4: what the store knows about one mail."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from desk.facts import Status, TicketFacts
from desk.mail import Mail
from store.engine import reading
from store.intake import deliveries
from store.messages import contacts, messages
from store.tables import Letter, LetterRecipient, Mailbox, Participant, Ticket, table

tickets = table(Ticket)
participants = table(Participant)
letters = table(Letter)
recipients = table(LetterRecipient)
mailboxes = table(Mailbox)


@dataclass(frozen=True, slots=True)
class Known:
    """Raw findings; `tasks` turns them into `desk.facts.Facts` together with trust and policy."""

    mailbox: str
    own_letter: bool
    ticket: TicketFacts | None
    participant: bool
    quoted: TicketFacts | None
    bounced_letter: int | None
    sent_to_sender: tuple[datetime, ...]
    sent_on_ticket: tuple[datetime, ...]


def gather_facts(
    engine: sa.Engine, mail: Mail, mailbox_id: int, *, number: str, quoted: str, since: datetime, thread: int = 0
) -> Known:
    """`number` comes from a valid token in the references, `quoted` from the subject; caps look back to `since`.

    `thread` is the mail's conversation: its ticket counts when the mail names none that we know.
    """
    with reading(engine) as connection:
        ticket = (
            _find_named(connection, mail.references)
            or _find_number(connection, number)
            or _find_overtaken(connection, mail, thread)
        )
        bounced = mail.bounce.message_id if mail.bounce else ""
        return Known(
            mailbox=str(connection.execute(sa.select(mailboxes.c.name).where(mailboxes.c.id == mailbox_id)).scalar()),
            own_letter=_find_letter(connection, (mail.message_id,)) is not None,
            ticket=ticket,
            participant=ticket is not None and _takes_part(connection, ticket.id, mail.sender.address),
            quoted=_find_number(connection, quoted),
            bounced_letter=_find_letter(connection, (bounced, *mail.references)) if mail.bounce else None,
            sent_to_sender=_sent_to(connection, {mail.sender.address, *(one.address for one in mail.reply_to)}, since),
            sent_on_ticket=_sent_on(connection, ticket.id, since) if ticket else (),
        )


def _find_named(connection: sa.Connection, references: Sequence[str]) -> TicketFacts | None:
    """The ticket of the latest mail or letter that the references name."""
    for reference in reversed(references[-20:]):
        by_mail = sa.select(messages.c.ticket_id).where(messages.c.header_id == reference)
        by_letter = sa.select(letters.c.ticket_id).where(letters.c.header_id == reference)
        for query in (by_mail, by_letter):
            found = connection.execute(query.where(sa.column("ticket_id").is_not(None)).limit(1)).scalar()
            if found is not None:
                return _read_ticket(connection, tickets.c.id == found)
    return None


def _find_overtaken(connection: sa.Connection, mail: Mail, thread: int) -> TicketFacts | None:
    """The ticket that a later mail of the same sender and thread has opened: it was decided before this one.

    Another mail under this one's own Message-ID is no answer to it; but the head that was read of this very mail while
    it was too large, and whose delivery is the whole mail's now, has opened its ticket.
    """
    brought = sa.exists().where(deliveries.c.message_id == messages.c.id)
    query = (
        sa.select(messages.c.ticket_id)
        .join(contacts, contacts.c.id == messages.c.contact_id)
        .where(messages.c.conversation_id == thread, messages.c.ticket_id.is_not(None))
        .where(contacts.c.address == mail.sender.address)
        .where(sa.or_(messages.c.header_id != mail.message_id, ~brought))
    )
    found = connection.execute(query.order_by(messages.c.id.desc()).limit(1)).scalar()
    return None if found is None else _read_ticket(connection, tickets.c.id == found)


def _find_number(connection: sa.Connection, number: str) -> TicketFacts | None:
    return _read_ticket(connection, tickets.c.number == number) if number else None


def _read_ticket(connection: sa.Connection, where: sa.ColumnElement[bool]) -> TicketFacts | None:
    names = ("id", "number", "version", "status", "category", "priority", "level", "team")
    columns = [tickets.c[name] for name in names]
    query = sa.select(*columns, contacts.c.address).join(contacts, contacts.c.id == tickets.c.contact_id, isouter=True)
    row = connection.execute(query.where(where)).first()
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


def _takes_part(connection: sa.Connection, ticket_id: int, address: str) -> bool:
    query = (
        sa.select(participants.c.ticket_id)
        .join(contacts, contacts.c.id == participants.c.contact_id)
        .where(participants.c.ticket_id == ticket_id, contacts.c.address == address)
    )
    return connection.execute(query).first() is not None


def _find_letter(connection: sa.Connection, header_ids: Sequence[str]) -> int | None:
    wanted = [one for one in header_ids if one]
    query = sa.select(letters.c.id).where(letters.c.header_id.in_(wanted)).limit(1)
    found: int | None = connection.execute(query).scalar() if wanted else None
    return found


def _sent_to(connection: sa.Connection, addresses: Collection[str], since: datetime) -> tuple[datetime, ...]:
    """Letters to the sender or to where answers are asked to go: a Reply-To must not lift the caps."""
    query = (
        sa.select(letters.c.created_at)
        .join(recipients, recipients.c.letter_id == letters.c.id)
        .where(recipients.c.address.in_(addresses), letters.c.automatic, letters.c.created_at >= since)
    )
    return tuple(connection.execute(query).scalars())


def _sent_on(connection: sa.Connection, ticket_id: int, since: datetime) -> tuple[datetime, ...]:
    query = sa.select(letters.c.created_at).where(
        letters.c.ticket_id == ticket_id, letters.c.automatic, letters.c.created_at >= since
    )
    return tuple(connection.execute(query).scalars())
