"""Door 3's memory: what was read becomes messages, grouped into conversations; then they are claimed for deciding."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from desk.mail import Kind, Mail
from store.after import queue_late
from store.aside import set_aside
from store.engine import changed, insert_found, insert_new, pass_over, reading, writing
from store.intake import Claimed, deliveries
from store.memory import Store
from store.tables import Contact, Conversation, ConversationRef, JudgingItem, Message, Quarantine, Tombstone, table

messages = table(Message)
conversations = table(Conversation)
refs = table(ConversationRef)
contacts = table(Contact)
tombstones = table(Tombstone)
quarantine = table(Quarantine)
judging_items = table(JudgingItem)

INDEXED_BYTES = 2_000  # PostgreSQL indexes no longer values; a Message-ID in ASCII never comes near (RFC 5322 §2.1.1)


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
    arrival: str
    attempts: int
    token: str


def save_read(store: Store, token: str, read: Sequence[ReadMail]) -> SavedCount:
    """Make messages of a chunk that was read; one transaction, only for deliveries that are still claimed.

    Rows that another worker may insert too (refs, contacts, messages) go in one sorted order, so that two
    workers wait for each other and never deadlock.
    """
    with writing(store.engine) as connection:
        held = _release_deliveries(connection, token, read)
        buried = _find_buried(connection, store, {one.mail.fingerprint for one in held})
        living = [one for one in held if one.mail.fingerprint not in buried]
        _send_away(connection, [one.place.id for one in held if one.mail.fingerprint in buried])
        new = _save_living(connection, living)
    return SavedCount(new, len(living) - new, len(held) - len(living))


def _release_deliveries(connection: sa.Connection, token: str, read: Sequence[ReadMail]) -> list[ReadMail]:
    """Fence: those of the chunk that are still ours, marked as read; what another worker has now is its own."""
    own = sa.and_(deliveries.c.claimed_by == token, deliveries.c.state == "kept")
    these = sa.update(deliveries).where(own, deliveries.c.id.in_([one.place.id for one in read]))
    released = these.values(state="read", claimed_by="", claimed_until=None).returning(deliveries.c.id)
    held = set(connection.execute(released).scalars())
    return [one for one in read if one.place.id in held]


def _send_away(connection: sa.Connection, ids: Sequence[int]) -> None:
    """Of an erased mail that comes back nothing is kept but that it came."""
    these = sa.update(deliveries).where(deliveries.c.id.in_(ids))
    connection.execute(these.values(state="erased", wrapped_key=None))


def _save_living(connection: sa.Connection, living: Sequence[ReadMail]) -> int:
    """Messages of these deliveries; how many were new."""
    grouped = _group_conversations(connection, living)
    people = _know_contacts(connection, living)
    ordered = sorted(living, key=lambda each: each.mail.fingerprint)
    rows = {
        one.mail.fingerprint: _describe(one, grouped[one.place.id], people.get(one.mail.sender.address))
        for one in reversed(ordered)  # of a mail that comes twice in one chunk, the first delivery counts
    }
    made = set(insert_found(connection, messages, [rows[one] for one in sorted(rows)]))
    ids = _find_messages(connection, rows)
    if living:
        named = [{"of": one.place.id, "is": ids[one.mail.fingerprint]} for one in ordered]
        connection.execute(_NAME_MESSAGE, named)
    opening = {one.place.id for one in {ids[one.mail.fingerprint]: one for one in reversed(ordered)}.values()}
    known = [one.place.id for one in ordered if ids[one.mail.fingerprint] not in made or one.place.id not in opening]
    queue_late(connection, known)
    return len(living) - len(known)


def _find_messages(connection: sa.Connection, fingerprints: Iterable[str]) -> dict[str, int]:
    found = connection.execute(_FIND_MESSAGES, {"wanted": list(fingerprints)})
    return {row.fingerprint: row.id for row in found}


def _describe(read: ReadMail, conversation_id: int, contact_id: int | None) -> dict[str, object]:
    mail = read.mail
    return {
        "fingerprint": mail.fingerprint,
        "conversation_id": conversation_id,
        "mailbox_id": read.place.mailbox_id,
        "contact_id": contact_id,
        "header_id": mail.message_id if len(mail.message_id.encode()) <= INDEXED_BYTES else "",
        "subject": mail.subject[:500],
        "kind": mail.kind.value,
        "evidence": mail.evidence,
        "sent_at": mail.date,
        "received_at": read.place.received_at,
        "arrival": read.place.arrival,
        "state": "waiting",
        "attempts": 0,
        "verdict": "",
        "reason": "",
        "category": "",
    }


def _know_contacts(connection: sa.Connection, read: Sequence[ReadMail]) -> dict[str, int]:
    """Contact of each sender, with what the signature tells of a person of whom that was not known."""
    rows = {one.mail.sender.address: _describe_sender(one.mail) for one in read if one.mail.sender.address}
    insert_new(connection, contacts, [rows[address] for address in sorted(rows)])
    found = connection.execute(_FIND_CONTACTS, {"wanted": list(rows)}).all()
    learnt = [
        {"of": one.id, **{f"new_{name}": getattr(one, name) or rows[one.address][name] for name in _LEARNT}}
        for one in found
        if any(rows[one.address][name] and not getattr(one, name) for name in _LEARNT)
    ]
    if learnt:
        connection.execute(_LEARN, learnt)
    return {row.address: row.id for row in found}


def _describe_sender(mail: Mail) -> dict[str, str]:
    told = mail.signature if mail.kind is Kind.PERSON else None
    name = mail.sender.name or (told.name if told else "")
    return {
        "address": mail.sender.address,
        "name": name[:200],
        "organisation": told.organisation[:200] if told else "",
        "phone": told.phone if told else "",
        "segment": "",
    }


def _find_buried(connection: sa.Connection, store: Store, fingerprints: set[str]) -> set[str]:
    """Those that have a tombstone, under whichever key."""
    named = {stone: one for one in fingerprints for stone in store.keys.bury_all(one)}
    columns = (tombstones.c.key_version, tombstones.c.digest)
    found = connection.execute(sa.select(*columns).where(sa.tuple_(*columns).in_(list(named))))
    return {named[version, digest] for version, digest in found}


def hash_ref(message_id: str) -> str:
    """Message-IDs are kept as digests: enough to keep a thread together while one of its mails lives."""
    return hashlib.sha256(message_id.encode()).hexdigest()[:40]


def _group_conversations(connection: sa.Connection, read: Sequence[ReadMail]) -> dict[int, int]:
    """Conversation of each delivery: mails that name a common Message-ID are in one.

    A ref that is new to us may be another worker's too: the first to commit has it, and whoever comes second finds its
    thread in two conversations and makes them one, as for a mail that links two threads.
    """
    named = {one.place.id: _name_refs(one.mail) for one in read}
    threads = _join_groups(named.values())
    known = _find_refs(connection, {ref for thread in threads for ref in thread})
    for thread in threads:
        _name_thread(connection, thread, known)
    insert_new(connection, refs, [{"ref": ref, "conversation_id": known[ref]} for ref in sorted(known)])
    settled = _find_refs(connection, set(known))
    for thread in threads:
        _merge_conversations(connection, thread, settled)
    return {delivery_id: settled[group[0]] for delivery_id, group in named.items()}


def _join_groups(groups: Iterable[Sequence[str]]) -> list[set[str]]:
    """Threads within a chunk: groups of refs that have one in common, even through others."""
    threads: dict[str, set[str]] = {}
    for group in groups:
        joined = set(group).union(*(threads[ref] for ref in group if ref in threads))
        threads.update(dict.fromkeys(joined, joined))
    return list({id(thread): thread for thread in threads.values()}.values())


def _name_thread(connection: sa.Connection, thread: set[str], known: dict[str, int]) -> None:
    """Give the refs that are new a conversation: the oldest that their thread has, or a new one."""
    found = min((known[ref] for ref in thread if ref in known), default=None)
    own = found if found is not None else _open_conversation(connection)
    known.update({ref: own for ref in thread if ref not in known})


def _merge_conversations(connection: sa.Connection, thread: set[str], settled: dict[str, int]) -> None:
    """One conversation for a thread, the oldest; mails of the others that are being decided lose their claim."""
    chosen, *others = sorted({settled[ref] for ref in thread})
    if others:
        for moved in (refs, messages):
            these = sa.update(moved).where(moved.c.conversation_id.in_(others))
            connection.execute(these.values(conversation_id=chosen))
        settled.update({ref: chosen for ref, one in settled.items() if one in others})


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
    """Take up to `limit` conversations with mail waiting, all their waiting mails together, oldest mail first.

    One whose mails all wait for a batch of judgements is left alone; as soon as another mail comes to it, it is taken.
    """
    due = sa.and_(
        messages.c.state == "waiting",
        sa.or_(messages.c.next_try_at.is_(None), messages.c.next_try_at <= now),
    )
    free = sa.or_(conversations.c.claimed_until.is_(None), conversations.c.claimed_until < now)
    chosen = (
        sa.select(conversations.c.id)
        .where(free, conversations.c.id.in_(sa.select(messages.c.conversation_id).where(due, ~is_held(now))))
        .order_by(conversations.c.id)
        .limit(limit)
    )
    take = (
        sa.update(conversations)
        .where(conversations.c.id.in_(pass_over(chosen)), free)
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


def is_held(now: datetime) -> sa.ColumnElement[bool]:
    """Whether a message waits for a batch of judgements: one look at a primary key."""
    return sa.exists().where(judging_items.c.message_id == messages.c.id, judging_items.c.held_until > now)


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


def find_places(store: Store, message_ids: Sequence[int]) -> dict[int, int]:
    """Of each message a delivery that still holds its bytes, the whole of them if any does."""
    with reading(store.engine) as connection:
        rows = connection.execute(_FIND_PLACES, {"wanted": list(message_ids)}).all()
    return {row.message_id: row.id for row in rows}  # the last one counts


def postpone_message(store: Store, waiting: Waiting, next_try: datetime) -> None:
    """Try this mail again later; its thread waits with it, so that no later mail overtakes it."""
    with writing(store.engine) as connection:
        if hold_claim(connection, waiting.conversation_id, waiting.token, next_try):
            thread = sa.update(conversations).where(conversations.c.id == waiting.conversation_id)
            connection.execute(thread.values(claimed_by=""))  # else the chunk's end would give it back
            this = sa.update(messages).where(messages.c.id == waiting.id)
            connection.execute(this.values(attempts=messages.c.attempts + 1, next_try_at=next_try))


def quarantine_message(store: Store, waiting: Waiting, cause: str, incident: str, now: datetime) -> None:
    """Give up on one mail for now, with its cause; it can be replayed."""
    held = sa.exists().where(conversations.c.id == waiting.conversation_id, conversations.c.claimed_by == waiting.token)
    this = sa.and_(messages.c.id == waiting.id, messages.c.state == "waiting", held)
    aside = sa.update(messages).where(this).values(state="quarantined", attempts=messages.c.attempts + 1)
    with writing(store.engine) as connection:
        if changed(connection.execute(aside)) != 1:
            return  # another worker has it, or is done with it
        set_aside(connection, quarantine.c.message_id, waiting.id, cause, incident, waiting.attempts + 1, now)


def count_waiting(store: Store) -> dict[str, int]:
    """How much lies before each door."""
    queries = {
        "unread": sa.select(sa.func.count()).select_from(deliveries).where(deliveries.c.state == "kept"),
        "undecided": sa.select(sa.func.count()).select_from(messages).where(messages.c.state == "waiting"),
    }
    with reading(store.engine) as connection:
        return {name: int(connection.execute(query).scalar_one()) for name, query in queries.items()}


# Made once: see store.engine.
_LEARNT = ("name", "organisation", "phone")
_FIND_CONTACTS = sa.select(contacts.c.id, contacts.c.address, *(contacts.c[name] for name in _LEARNT)).where(
    contacts.c.address.in_(sa.bindparam("wanted", expanding=True))
)
_LEARN = (
    sa.update(contacts)
    .where(contacts.c.id == sa.bindparam("of"))
    .values(**{name: sa.bindparam(f"new_{name}") for name in _LEARNT})
)
_FIND_PLACES = (
    sa.select(deliveries.c.id, deliveries.c.message_id)
    .where(deliveries.c.message_id.in_(sa.bindparam("wanted", expanding=True)), deliveries.c.wrapped_key.is_not(None))
    .order_by(deliveries.c.part, deliveries.c.id.desc())  # "head" before "whole"
)
_NAME_MESSAGE = sa.update(deliveries).where(deliveries.c.id == sa.bindparam("of")).values(message_id=sa.bindparam("is"))
_FIND_MESSAGES = sa.select(messages.c.id, messages.c.fingerprint).where(
    messages.c.fingerprint.in_(sa.bindparam("wanted", expanding=True))
)
