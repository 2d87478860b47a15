"""Incidents, alerts and quarantine: what went wrong, kept here so that Prefect need not know."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from desk.mail import Mail
from store.aside import quarantine
from store.engine import changed, insert_new, insert_once, reading, upsert, writing
from store.intake import TOO_LARGE, bind_context, deliveries, packs
from store.mailboxes import folders, mailboxes, pending
from store.memory import Store
from store.messages import contacts, messages
from store.packs import name_pack
from store.tables import Alert, IncidentRecord, table

incidents = table(IncidentRecord)
alerts = table(Alert)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A mail set aside before it was read (delivery) or decided (message): ids and the typed cause, no content."""

    id: int
    delivery_id: int | None
    message_id: int | None
    mailbox: str
    cause: str
    attempts: int  # over all rounds
    since: datetime  # first set aside
    next_try_at: datetime | None  # empty: it waits for a person
    incident: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bytes of a mail set aside came from and how many they are; of a `head` only the header is here."""

    delivery_id: int
    folder: str
    uid: int
    size_bytes: int
    part: str


@dataclass(frozen=True, slots=True)
class IncidentView:
    id: str
    at: datetime
    place: str
    error_type: str
    cause: str


def name_incident() -> str:
    return uuid.uuid4().hex[:12]


def keep_incident(engine: sa.Engine, incident_id: str, place: str, error_type: str, cause: str, now: datetime) -> None:
    """Keep the whole cause (it may tell of people: it goes with the logs' retention)."""
    row = {"id": incident_id, "at": now, "place": place, "error_type": error_type, "cause": cause}
    with writing(engine) as connection:
        insert_new(connection, incidents, [row])


def read_incident(engine: sa.Engine, incident_id: str) -> IncidentView | None:
    columns = [incidents.c[name] for name in IncidentView.__slots__]
    with reading(engine) as connection:
        row = connection.execute(sa.select(*columns).where(incidents.c.id == incident_id)).first()
    return IncidentView(*row) if row else None


def list_quarantine(engine: sa.Engine) -> tuple[Quarantined, ...]:
    with reading(engine) as connection:
        rows = connection.execute(_find_open().order_by(quarantine.c.id)).all()
    return tuple(map(_read_row, rows))


def find_quarantined(engine: sa.Engine, quarantine_id: int) -> Quarantined | None:
    with reading(engine) as connection:
        row = connection.execute(_find_open().where(quarantine.c.id == quarantine_id)).first()
    return _read_row(row) if row is not None else None


def _find_open() -> sa.Select[Any]:
    """What is set aside; a mail that was erased since is not."""
    mailbox_id = sa.func.coalesce(deliveries.c.mailbox_id, messages.c.mailbox_id)
    return (
        sa.select(quarantine, mailboxes.c.name.label("mailbox"))
        .outerjoin(deliveries, deliveries.c.id == quarantine.c.delivery_id)
        .outerjoin(messages, messages.c.id == quarantine.c.message_id)
        .outerjoin(mailboxes, mailboxes.c.id == mailbox_id)
        .where(quarantine.c.resolved_at.is_(None), sa.func.coalesce(deliveries.c.state, "") != "erased")
    )


def _read_row(row: Any) -> Quarantined:
    return Quarantined(*(row._mapping[name] for name in Quarantined.__slots__))


def find_bytes(engine: sa.Engine, aside: Quarantined) -> Place | None:
    """The delivery that a mail set aside is read from."""
    with reading(engine) as connection:
        return _find_bytes(connection, aside)


def _find_bytes(connection: sa.Connection, aside: Quarantined) -> Place | None:
    """As `find_places` does of messages, but also where the bytes are gone."""
    own = deliveries.c.id == aside.delivery_id
    query = sa.select(*(deliveries.c[name] for name in ("id", "folder", "uid", "size_bytes", "part")))
    query = query.where(own if aside.delivery_id is not None else deliveries.c.message_id == aside.message_id)
    query = query.order_by(deliveries.c.wrapped_key.is_(None), deliveries.c.part.desc(), deliveries.c.id)
    row = connection.execute(query.limit(1)).first()
    return Place(*row) if row is not None else None


def replay_quarantined(engine: sa.Engine, quarantine_id: int, now: datetime | None = None) -> bool:
    """Put one mail back before its door, as if it had come anew; one that was too large is asked for at the next sync.

    False when it is not in quarantine, or was not fetched and can't be.
    """
    moment = now or datetime.now(UTC)
    with writing(engine) as connection:
        row = connection.execute(_find_open().where(quarantine.c.id == quarantine_id)).first()
        if row is None:
            return False
        aside = _read_row(row)
        if aside.cause == TOO_LARGE:
            return _ask_again(connection, aside, moment)
        if not (_reset_delivery(connection, aside) or _reset_message(connection, aside, attempts=0)):
            return False
        _resolve(connection, quarantine.c.id == aside.id, resolved_at=moment, next_try_at=None)
    return True


def requeue_due(store: Store, now: datetime) -> int:
    """Put back what is to be tried again by itself by now, for one try each; how many mails that are.

    Their rows keep the next try that has come: by that the quarantine knows them if they are back at once.
    """
    due = _find_open().where(quarantine.c.next_try_at <= now)
    with reading(store.engine) as connection:
        found = [_read_row(row) for row in connection.execute(due)]
    return sum(_try_again(store.engine, aside, now) for aside in found)


def _try_again(engine: sa.Engine, aside: Quarantined, now: datetime) -> bool:
    one_left = sa.case((messages.c.attempts > 0, messages.c.attempts - 1), else_=0)
    with writing(engine) as connection:
        back = _reset_delivery(connection, aside) or _reset_message(connection, aside, attempts=one_left)
        if back:
            _resolve(connection, quarantine.c.id == aside.id, resolved_at=now)
    return back


def _reset_delivery(connection: sa.Connection, aside: Quarantined) -> bool:
    kept = sa.and_(
        deliveries.c.id == aside.delivery_id,
        deliveries.c.state == "quarantined",
        deliveries.c.wrapped_key.is_not(None),
    )
    back = sa.update(deliveries).where(kept).values(state="kept", claimed_until=None, attempts=0)
    return changed(connection.execute(back)) == 1


def _reset_message(connection: sa.Connection, aside: Quarantined, **values: Any) -> bool:
    this = sa.and_(messages.c.id == aside.message_id, messages.c.state == "quarantined")
    back = sa.update(messages).where(this).values(state="waiting", next_try_at=None, **values)
    return changed(connection.execute(back)) == 1


def _resolve(connection: sa.Connection, rows: sa.ColumnElement[bool], **values: Any) -> None:
    connection.execute(sa.update(quarantine).where(rows, quarantine.c.resolved_at.is_(None)).values(**values))


def _ask_again(connection: sa.Connection, aside: Quarantined, now: datetime) -> bool:
    """Its UID becomes a hole that is due; False when its server would not know the UID any more."""
    same = sa.and_(
        folders.c.mailbox_id == deliveries.c.mailbox_id,
        folders.c.name == deliveries.c.folder,
        folders.c.uidvalidity == deliveries.c.uidvalidity,
    )
    query = sa.select(folders.c.id, deliveries.c.uidvalidity, deliveries.c.uid).join(folders, same)
    found = connection.execute(query.where(deliveries.c.id == aside.delivery_id)).first()
    if found is None:
        return False
    hole = {"folder_id": found.id, "uidvalidity": found.uidvalidity, "uid": found.uid}
    upsert(connection, pending, {**hole, "attempts": 0, "next_try_at": now}, tuple(hole), ("attempts", "next_try_at"))
    wanted = sa.update(deliveries).where(deliveries.c.id == aside.delivery_id)
    connection.execute(wanted.values(state="wanted", claimed_by="", claimed_until=None))
    connection.execute(sa.delete(quarantine).where(quarantine.c.id == aside.id))
    return True


def replace_mail(store: Store, aside: Quarantined, data: bytes, mail: Mail, now: datetime) -> bool:
    """An edited mail takes the place of the bytes, in a pack of its own; the key of the old ones is dropped.

    A delivery goes back before door 3 and is read as if it had come so. A message keeps its identity (fingerprint,
    Message-ID, conversation): the mail that servers show stays the one it was, so however often it comes again it is
    nothing new. Only what it says of itself is taken from the edited mail, and it is decided anew. False when it is no
    longer in quarantine or erased.
    """
    name = name_pack(now)
    sealed = store.keys.seal(data, bind_context(name, 0))
    (entry,) = store.packs.write(name, [sealed.data])
    pack = {"name": name, "size_bytes": entry.length, "created_at": now}
    fresh = {**asdict(entry), "size_bytes": len(data), "key_id": sealed.key_id, "wrapped_key": sealed.wrapped_key}
    with writing(store.engine) as connection:
        held = connection.execute(_find_open().where(quarantine.c.id == aside.id)).first()
        place = _find_bytes(connection, aside) if held is not None else None
        if place is None:
            return False
        values = {**fresh, "pack_id": insert_once(connection, packs, pack), "part": "whole"}
        _take_place(connection, aside, place, values, mail)
        both = sa.or_(quarantine.c.id == aside.id, quarantine.c.delivery_id == place.delivery_id)
        _resolve(connection, both, resolved_at=now, next_try_at=None)
    return True


def _take_place(
    connection: sa.Connection, aside: Quarantined, place: Place, values: dict[str, object], mail: Mail
) -> None:
    this = sa.update(deliveries).where(deliveries.c.id == place.delivery_id)
    if aside.message_id is not None:
        connection.execute(this.values(**values))
        _reset_message(connection, aside, attempts=0, **_describe(connection, mail))
    else:
        unread = {"state": "kept", "message_id": None, "claimed_by": "", "claimed_until": None, "attempts": 0}
        connection.execute(this.values(**values, **unread))


def _describe(connection: sa.Connection, mail: Mail) -> dict[str, object]:
    """What a message's row says of its mail, but for what identifies it."""
    address = mail.sender.address
    if address:
        row = {"address": address, "name": mail.sender.name[:200], "organisation": "", "segment": ""}
        insert_new(connection, contacts, [row])
    contact_id = connection.execute(sa.select(contacts.c.id).where(contacts.c.address == address)).scalar()
    return {
        "contact_id": contact_id,
        "subject": mail.subject[:500],
        "kind": mail.kind.value,
        "evidence": mail.evidence,
        "sent_at": mail.date,
    }


def raise_alert(store: Store, key: str, code: str, remedy: str, now: datetime) -> bool:
    """Note a trouble; True when the operator must be told (it is new, or nobody could be told so far)."""
    with writing(store.engine) as connection:
        row = connection.execute(
            sa.select(alerts.c.code, alerts.c.told_at, alerts.c.ended_at).where(alerts.c.key == key)
        ).first()
        if row is not None and row.ended_at is None and row.code == code:
            return row.told_at is None
        fresh = {
            "key": key,
            "code": code,
            "remedy": remedy,
            "raised_at": now,
            "told_at": None,
            "ended_at": None,
        }
        upsert(connection, alerts, fresh, ("key",), ("code", "remedy", "raised_at", "told_at", "ended_at"))
    return True


def end_alert(store: Store, key: str, now: datetime) -> bool:
    """The trouble is over; True when the operator had been told of it."""
    running = sa.and_(alerts.c.key == key, alerts.c.ended_at.is_(None))
    with writing(store.engine) as connection:
        row = connection.execute(sa.select(alerts.c.told_at).where(running)).first()
        connection.execute(sa.update(alerts).where(running).values(ended_at=now))
    return row is not None and row.told_at is not None


def mark_told(store: Store, key: str, now: datetime) -> None:
    with writing(store.engine) as connection:
        connection.execute(sa.update(alerts).where(alerts.c.key == key).values(told_at=now))
