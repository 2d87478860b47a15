"""Letters that people of ours sent from their mail client: which ticket they answer, and the loop closed, once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from desk.facts import Status
from desk.following import Case
from desk.mail import Address
from store.after import queue_withdrawals
from store.corrections import Answer, OpenDraft, describe_draft, find_messages, insert_answer, select_drafts
from store.engine import insert_new, reading, writing
from store.facts import letters, mailboxes, participants, recipients, tickets
from store.letterlog import note_letters
from store.memory import Store
from store.messages import contacts, hash_ref, messages, refs
from store.outcomes import events
from store.tables import AgentLetter, table

agent_letters = table(AgentLetter)

LATER_WORDS = ("reply", "steering", "confirmed", "by-hand")  # events that tell more of a ticket than an older letter
TO_REQUESTERS = ("answer", "acknowledgement", "draft")  # purposes of letters


@dataclass(frozen=True, slots=True)
class Named:
    """What a Message-ID stands for: a ticket, and a mail on it if it is one's; no ticket while it isn't decided."""

    ticket_id: int | None
    message_id: int | None


@dataclass(frozen=True, slots=True)
class Sent:
    """A person's letter on a ticket: the mail it answers and the draft it came of, where these are known; `answer` is
    what it says of the verdict.
    """

    header_id: str
    ref: str
    mailbox_id: int
    ticket_id: int
    message_id: int | None
    letter_id: int | None
    at: datetime
    text: str
    answer: Answer | None = None


# --- which ticket --------------------------------------------------------------------------------------------


def find_named(store: Store, mailbox_id: int, header_ids: Collection[str]) -> dict[str, Named]:
    """What these stand for: letters of ours, those that agents sent, mails of this mailbox; of one, the mail counts."""
    refs_of = {hash_ref(one): one for one in header_ids if one}
    mails = find_messages(store, mailbox_id, header_ids)
    with reading(store.engine) as connection:
        ours = connection.execute(_FIND_LETTERS, {"wanted": list(refs_of.values())}).all()
        theirs = connection.execute(_FIND_AGENTS, {"wanted": list(refs_of)}).all()
        rows = connection.execute(_FIND_MESSAGES, {"wanted": list(mails.values())}).all()
    of_mail = {row.id: row for row in rows if row.ticket_id or row.state == "waiting"}
    return {
        **{row.header_id: Named(row.ticket_id, row.message_id) for row in ours if row.ticket_id},
        **{refs_of[row.ref]: Named(row.ticket_id, row.message_id) for row in theirs if row.ticket_id},
        **{one: Named(of_mail[id_].ticket_id, id_) for one, id_ in mails.items() if id_ in of_mail},
    }


def find_numbers(store: Store, numbers: Collection[str]) -> dict[str, int]:
    """Number → ticket."""
    these = sa.select(tickets.c.number, tickets.c.id).where(tickets.c.number.in_(set(numbers)))
    with reading(store.engine) as connection:
        return {row.number: row.id for row in connection.execute(these)}


def list_cases(store: Store, ticket_ids: Collection[int]) -> dict[int, Case]:
    """With everybody who wrote on the ticket or whom our letters on it went to."""
    wanted = {"wanted": sorted(set(ticket_ids))}
    with reading(store.engine) as connection:
        opened = connection.execute(_FIND_TICKETS, wanted).all()
        rows = [*connection.execute(_LIST_PEOPLE, wanted), *connection.execute(_LIST_WRITTEN, wanted)]
    people = {of: tuple(Address(r.name, r.address) for r in rows if r.ticket_id == of) for of in wanted["wanted"]}
    return {row.id: Case(row.id, row.opened_at, people[row.id]) for row in opened}


def list_drafts(store: Store, ticket_ids: Collection[int]) -> dict[int, OpenDraft]:
    """The latest draft of each ticket that has one."""
    these = select_drafts().where(letters.c.ticket_id.in_(set(ticket_ids)))
    with reading(store.engine) as connection:
        return {row.ticket_id: describe_draft(row) for row in connection.execute(these)}


def find_ours(store: Store, header_ids: Collection[str]) -> frozenset[str]:
    """Those of these Message-IDs that letters bear which the desk sends itself: a draft is its agent's."""
    with reading(store.engine) as connection:
        rows = connection.execute(_FIND_LETTERS, {"wanted": list(header_ids)}).all()
    return frozenset(row.header_id for row in rows if row.purpose != "draft")


def find_followed(store: Store, header_ids: Collection[str]) -> frozenset[str]:
    """Those of these Message-IDs whose loop is closed."""
    refs_of = {hash_ref(one): one for one in header_ids if one}
    with reading(store.engine) as connection:
        return frozenset(refs_of[row.ref] for row in connection.execute(_FIND_AGENTS, {"wanted": list(refs_of)}))


# --- the loop ------------------------------------------------------------------------------------------------


def close_loop(store: Store, sent: Sent, now: datetime) -> bool:
    """All that an agent's letter changes, in one transaction and once; False when that was done."""
    with writing(store.engine) as connection:
        if insert_new(connection, agent_letters, [{name: getattr(sent, name) for name in _KEPT}]) != 1:
            return False
        _tell_history(connection, sent, _answer_ticket(connection, sent))
        _join_thread(connection, sent)
        _withdraw_answers(connection, sent.ticket_id, now)
        queue_withdrawals(connection, letters.c.ticket_id == sent.ticket_id, now)
        if sent.answer:
            insert_answer(connection, sent.answer, now)
    return True


def _answer_ticket(connection: sa.Connection, sent: Sent) -> str:
    """The ticket's status then: what happened on it after the letter was written counts more than the letter."""
    after = sa.exists().where(events.c.ticket_id == tickets.c.id, events.c.at > sent.at, events.c.word.in_(LATER_WORDS))
    kept = sa.or_(tickets.c.status == Status.CLOSED.value, after)
    this = sa.update(tickets).where(tickets.c.id == sent.ticket_id)
    changes = this.values(
        version=tickets.c.version + 1,
        responded_at=sa.func.coalesce(tickets.c.responded_at, sent.at),
        status=sa.case((kept, tickets.c.status), else_=Status.SOLUTION_PROPOSED.value),
        resolved_at=sa.case((kept, tickets.c.resolved_at), else_=sa.null()),
        touched_at=sa.case((tickets.c.touched_at > sent.at, tickets.c.touched_at), else_=sent.at),
    )
    return str(connection.execute(changes.returning(tickets.c.status)).scalar_one())


def _tell_history(connection: sa.Connection, sent: Sent, status: str) -> None:
    """Unless a copy of the same letter came in as mail and has told it."""
    copied = sa.and_(messages.c.header_id == sent.header_id, messages.c.header_id != "")
    told = sa.select(events.c.id).join(messages, messages.c.id == events.c.message_id)
    told = told.where(events.c.ticket_id == sent.ticket_id, events.c.word == "agent", copied)
    if connection.execute(told).first() is None:
        event = {"ticket_id": sent.ticket_id, "at": sent.at, "word": "agent", "status": status}
        connection.execute(sa.insert(events).values(**event))


def _join_thread(connection: sa.Connection, sent: Sent) -> None:
    """Mails that answer the letter belong to the conversation of the mail that it answers."""
    of_ticket = sa.select(messages.c.conversation_id).where(messages.c.ticket_id == sent.ticket_id)
    answered = of_ticket.order_by((messages.c.id == (sent.message_id or 0)).desc(), messages.c.id.desc()).limit(1)
    thread = connection.execute(answered).scalar()
    if sent.header_id and thread is not None:
        insert_new(connection, refs, [{"ref": hash_ref(sent.header_id), "conversation_id": thread}])


def _withdraw_answers(connection: sa.Connection, ticket_id: int, now: datetime) -> None:
    """Automatic letters that have not gone out need not go out any more."""
    waiting = sa.and_(letters.c.automatic, letters.c.state.in_(("queued", "deferred")))
    these = sa.update(letters).where(letters.c.ticket_id == ticket_id, waiting)
    values = {"state": "withdrawn", "reason": "agent", "claimed_by": "", "claimed_until": None}
    gone = connection.execute(these.values(**values).returning(letters.c.id)).scalars().all()
    note_letters(connection, gone, "withdrawn", now, "agent")


# --- what else is looked for ---------------------------------------------------------------------------------


def withdraw_overtaken(store: Store, mailbox_id: int, now: datetime) -> int:
    """Have drafts of a mailbox withdrawn whose tickets an agent has answered by mail, or that are settled; how many."""
    answered = sa.exists().where(events.c.ticket_id == letters.c.ticket_id, events.c.word == "agent")
    settled = sa.exists().where(
        tickets.c.id == letters.c.ticket_id, tickets.c.status.in_((Status.RESOLVED.value, Status.CLOSED.value))
    )
    with writing(store.engine) as connection:
        overtaken = sa.and_(letters.c.mailbox_id == mailbox_id, sa.or_(answered, settled))
        return queue_withdrawals(connection, overtaken, now)


def list_unknown(store: Store, mailbox_id: int, since: datetime) -> dict[str, int]:
    """Message-ID → letter, for those whose fate isn't known and which may lie in this mailbox's Sent folder."""
    address = sa.select(mailboxes.c.address).where(mailboxes.c.id == mailbox_id).scalar_subquery()
    here = sa.or_(letters.c.mailbox_id == mailbox_id, letters.c.sender == address)
    these = sa.select(letters.c.header_id, letters.c.id).where(letters.c.state == "unknown", here)
    with reading(store.engine) as connection:
        rows = connection.execute(these.where(letters.c.created_at >= since).order_by(letters.c.id)).all()
    return {row.header_id: row.id for row in rows}


# --- statements, made once: see store.engine ------------------------------------------------------------------

_KEPT = ("ref", "mailbox_id", "ticket_id", "message_id", "letter_id", "at", "text")
_WANTED: sa.BindParameter[Any] = sa.bindparam("wanted", expanding=True)
_FIND_LETTERS = sa.select(letters.c.header_id, letters.c.ticket_id, letters.c.message_id, letters.c.purpose).where(
    letters.c.header_id.in_(_WANTED)
)
_FIND_AGENTS = sa.select(agent_letters.c.ref, agent_letters.c.ticket_id, agent_letters.c.message_id).where(
    agent_letters.c.ref.in_(_WANTED)
)
_FIND_MESSAGES = sa.select(messages.c.id, messages.c.ticket_id, messages.c.state).where(messages.c.id.in_(_WANTED))
_FIND_TICKETS = sa.select(tickets.c.id, tickets.c.opened_at).where(tickets.c.id.in_(_WANTED))
_LIST_PEOPLE = (
    sa.select(participants.c.ticket_id, contacts.c.name, contacts.c.address)
    .join(contacts, contacts.c.id == participants.c.contact_id)
    .where(participants.c.ticket_id.in_(_WANTED), contacts.c.address.is_not(None))
)
_LIST_WRITTEN = (
    sa.select(letters.c.ticket_id, sa.literal("").label("name"), recipients.c.address)
    .join(recipients, recipients.c.letter_id == letters.c.id)
    .where(letters.c.ticket_id.in_(_WANTED), letters.c.purpose.in_(TO_REQUESTERS), recipients.c.address.is_not(None))
)
