"""Door 3's memory: what was read becomes messages, grouped into conversations; then they are claimed for deciding."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from desk.mail import Mail
from store.engine import changed, insert_new, insert_once, reading, writing
from store.intake import Claimed, deliveries
from store.memory import Store
from store.tables import Contact, Conversation, ConversationRef, Message, Quarantine, Tombstone, table

messages = table(Message)
conversations = table(Conversation)
refs = table(ConversationRef)
contacts = table(Contact)
tombstones = table(Tombstone)
quarantine = table(Quarantine)


@dataclass(frozen=True, slots=True)
class ReadMail:
    """A delivery with what was read from its bytes."""

    place: Claimed
    mail: Mail


@dataclass(frozen=True, slots=True)
class SavedCount:
    """What became of a chunk: new messages, further deliveries of known ones, erased mails sent away again."""

    new: int
    repeated: int
    buried: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message claimed for deciding, with the claim that fences it."""

    id: int
    conversation_id: int
    mailbox_id: int
    contact_id: int | None
    received_at: datetime
    replies_allowed: bool
    attempts: int
    token: str


def save_read(store: Store, token: str, read: Sequence[ReadMail]) -> SavedCount:
    """Make messages of a chunk that was read; one transaction, only for deliveries that are still claimed.

    Rows that another worker may insert too (refs, contacts, messages) go in one sorted order, so that two
    workers wait for each other and never deadlock.
    """
    counts = {"new": 0, "repeated": 0, "buried": 0}
    with writing(store.engine) as connection:
        grouped = _group_conversations(connection, read)
        people = _know_contacts(connection, read)
        for one in sorted(read, key=lambda each: each.mail.fingerprint):
            row = _describe(one, grouped[one.place.id], people.get(one.mail.sender.address))
            counts[_save_one(connection, store, token, one, row)] += 1
    return SavedCount(**counts)


def _save_one(connection: sa.Connection, store: Store, token: str, read: ReadMail, row: dict[str, object]) -> str:
    own = sa.and_(deliveries.c.id == read.place.id, deliveries.c.claimed_by == token, deliveries.c.state == "kept")
    released = {"claimed_by": "", "claimed_until": None}
    if _is_buried(connection, store, read.mail.fingerprint):
        connection.execute(sa.update(deliveries).where(own).values(state="erased", wrapped_key=None, **released))
        return "buried"
    made = insert_once(connection, messages, row)
    known = sa.select(messages.c.id).where(messages.c.fingerprint == read.mail.fingerprint)
    message_id = made or connection.execute(known).scalar_one()
    connection.execute(sa.update(deliveries).where(own).values(state="read", message_id=message_id, **released))
    return "new" if made else "repeated"


def _describe(read: ReadMail, conversation_id: int, contact_id: int | None) -> dict[str, object]:
    mail = read.mail
    return {
        "fingerprint": mail.fingerprint,
        "conversation_id": conversation_id,
        "mailbox_id": read.place.mailbox_id,
        "contact_id": contact_id,
        "header_id": mail.message_id,
        "subject": mail.subject[:500],
        "kind": mail.kind.value,
        "evidence": mail.evidence,
        "sent_at": mail.date,
        "received_at": read.place.received_at,
        "replies_allowed": read.place.replies_allowed,
        "state": "waiting",
        "attempts": 0,
        "verdict": "",
        "reason": "",
        "category": "",
    }


def _know_contacts(connection: sa.Connection, read: Sequence[ReadMail]) -> dict[str, int]:
    names = {one.mail.sender.address: one.mail.sender.name for one in read if one.mail.sender.address}
    rows = [
        {"address": address, "name": names[address][:200], "organisation": "", "segment": ""}
        for address in sorted(names)
    ]
    insert_new(connection, contacts, rows)
    found = connection.execute(sa.select(contacts.c.address, contacts.c.id).where(contacts.c.address.in_(names)))
    return {row.address: row.id for row in found}


def _is_buried(connection: sa.Connection, store: Store, fingerprint: str) -> bool:
    buried = store.keys.bury_all(fingerprint)
    found = sa.select(tombstones.c.digest).where(sa.tuple_(tombstones.c.key_version, tombstones.c.digest).in_(buried))
    return connection.execute(found).first() is not None


def hash_ref(message_id: str) -> str:
    """Message-IDs are kept as digests: threads stay together after the mail is anonymised."""
    return hashlib.sha256(message_id.encode()).hexdigest()[:40]


def _group_conversations(connection: sa.Connection, read: Sequence[ReadMail]) -> dict[int, int]:
    """Conversation of each delivery: mails that name a common Message-ID are in one."""
    named = {one.place.id: _name_refs(one.mail) for one in read}
    wanted = _find_refs(connection, {ref for group in named.values() for ref in group})
    known = set(wanted)
    for delivery_id in sorted(named):
        group = named[delivery_id]
        found = min((wanted[ref] for ref in group if ref in wanted), default=None)
        own = found if found is not None else _open_conversation(connection)
        wanted.update({ref: own for ref in group if ref not in wanted})
    fresh = sorted(set(wanted) - known)
    insert_new(connection, refs, [{"ref": ref, "conversation_id": wanted[ref]} for ref in fresh])
    settled = _find_refs(connection, set(wanted))
    return {one: _settle_group(connection, group, wanted, settled) for one, group in named.items()}


def _settle_group(
    connection: sa.Connection, group: Sequence[str], wanted: dict[str, int], settled: dict[str, int]
) -> int:
    """Another worker may have named one of our refs first: then its conversation is ours too."""
    foreign = {settled[ref] for ref in group if settled[ref] != wanted[ref]}
    if not foreign:
        return min(settled[ref] for ref in group)
    chosen = min(foreign)
    connection.execute(sa.update(refs).where(refs.c.ref.in_(group)).values(conversation_id=chosen))
    return chosen


def _name_refs(mail: Mail) -> tuple[str, ...]:
    own = mail.message_id or mail.fingerprint
    return tuple(hash_ref(ref) for ref in dict.fromkeys((*mail.references, own)))


def _find_refs(connection: sa.Connection, wanted: set[str]) -> dict[str, int]:
    rows = connection.execute(sa.select(refs.c.ref, refs.c.conversation_id).where(refs.c.ref.in_(wanted))).all()
    return {row.ref: row.conversation_id for row in rows}


def _open_conversation(connection: sa.Connection) -> int:
    made = sa.insert(conversations).values(claimed_by="", attempt=0).returning(conversations.c.id)
    return int(connection.execute(made).scalar_one())


def claim_conversations(store: Store, token: str, now: datetime, lease: timedelta, limit: int) -> tuple[Waiting, ...]:
    """Take up to `limit` conversations with mail waiting, all their waiting mails together, oldest mail first."""
    due = sa.and_(
        messages.c.state == "waiting",
        sa.or_(messages.c.next_try_at.is_(None), messages.c.next_try_at <= now),
    )
    free = sa.or_(conversations.c.claimed_until.is_(None), conversations.c.claimed_until < now)
    chosen = (
        sa.select(conversations.c.id)
        .where(free, sa.exists().where(messages.c.conversation_id == conversations.c.id, due))
        .order_by(conversations.c.id)
        .limit(limit)
    )
    take = (
        sa.update(conversations)
        .where(conversations.c.id.in_(chosen.scalar_subquery()), free)
        .values(claimed_by=token, claimed_until=now + lease, attempt=conversations.c.attempt + 1)
        .returning(conversations.c.id)
    )
    columns = [messages.c[name] for name in Waiting.__slots__ if name != "token"]
    with writing(store.engine) as connection:
        taken = list(connection.execute(take).scalars())
        found = sa.select(*columns).where(messages.c.conversation_id.in_(taken), due)
        order = (
            messages.c.conversation_id,
            sa.func.coalesce(messages.c.sent_at, messages.c.received_at),
            messages.c.id,
        )
        rows = connection.execute(found.order_by(*order)).all()
    return tuple(Waiting(**row._mapping, token=token) for row in rows)


def hold_claim(connection: sa.Connection, conversation_id: int, token: str, until: datetime | None) -> bool:
    """Fence: true when the claim is still ours; sets its new end (None gives it back)."""
    own = sa.and_(conversations.c.id == conversation_id, conversations.c.claimed_by == token)
    held = sa.update(conversations).where(own).values(claimed_until=until, claimed_by=token if until else "")
    return changed(connection.execute(held)) == 1


def extend_claims(store: Store, token: str, until: datetime) -> int:
    """Keep what we hold while a long chunk goes on; how many conversations are still ours."""
    own = conversations.c.claimed_by == token
    with writing(store.engine) as connection:
        return changed(connection.execute(sa.update(conversations).where(own).values(claimed_until=until)))


def release_claims(store: Store, token: str) -> None:
    """Give back every conversation of a chunk that is done."""
    own = conversations.c.claimed_by == token
    with writing(store.engine) as connection:
        connection.execute(sa.update(conversations).where(own).values(claimed_by="", claimed_until=None))


def find_place(store: Store, message_id: int) -> int | None:
    """A delivery that still holds the message's bytes."""
    wanted = sa.select(deliveries.c.id).where(
        deliveries.c.message_id == message_id, deliveries.c.wrapped_key.is_not(None)
    )
    with reading(store.engine) as connection:
        found: int | None = connection.execute(wanted.order_by(deliveries.c.id).limit(1)).scalar()
    return found


def postpone_message(store: Store, waiting: Waiting, next_try: datetime) -> None:
    """Try this mail again later; the rest of the chunk goes on."""
    with writing(store.engine) as connection:
        if hold_claim(connection, waiting.conversation_id, waiting.token, next_try):
            this = sa.update(messages).where(messages.c.id == waiting.id)
            connection.execute(this.values(attempts=messages.c.attempts + 1, next_try_at=next_try))


def quarantine_message(store: Store, waiting: Waiting, cause: str, incident: str, now: datetime) -> None:
    """Give up on one mail for now, with its cause; it can be replayed."""
    with writing(store.engine) as connection:
        connection.execute(
            sa.update(messages)
            .where(messages.c.id == waiting.id, messages.c.state == "waiting")
            .values(state="quarantined", attempts=messages.c.attempts + 1)
        )
        insert_once(
            connection,
            quarantine,
            {
                "message_id": waiting.id,
                "cause": cause,
                "incident": incident,
                "attempts": waiting.attempts + 1,
                "since": now,
            },
        )


def count_waiting(store: Store) -> dict[str, int]:
    """How much lies before each door."""
    queries = {
        "unread": sa.select(sa.func.count()).select_from(deliveries).where(deliveries.c.state == "kept"),
        "undecided": sa.select(sa.func.count()).select_from(messages).where(messages.c.state == "waiting"),
    }
    with reading(store.engine) as connection:
        return {name: int(connection.execute(query).scalar_one()) for name, query in queries.items()}
