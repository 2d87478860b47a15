"""Doors 1–2: a batch of raw mails becomes a durable pack, then rows and cursor in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from desk.facts import Arrival
from store.engine import changed, insert_new, insert_once, pass_over, reading, writing
from store.keys import Sealed
from store.mailboxes import Cursor, extend_lease, mailboxes, move_cursor
from store.memory import Store
from store.packs import PackEntry, name_pack
from store.tables import Delivery, Pack, Quarantine, table

deliveries = table(Delivery)
packs = table(Pack)
quarantine = table(Quarantine)


@dataclass(frozen=True, slots=True)
class RawMail:
    """A mail as the server gave it; `received_at` is INTERNALDATE."""

    uid: int
    received_at: datetime
    data: bytes


@dataclass(frozen=True, slots=True)
class Oversized:
    """A mail above the policy's limit: named and quarantined, left on the server."""

    uid: int
    received_at: datetime
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What one round of fetching brought: `last_uid` is the highest UID that SEARCH named in it."""

    mails: tuple[RawMail, ...]
    withheld: tuple[int, ...]
    oversized: tuple[Oversized, ...]
    last_uid: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery taken for reading."""

    id: int
    mailbox_id: int
    pack: str
    entry: PackEntry
    wrapped_key: bytes
    key_id: str
    received_at: datetime
    arrival: str
    attempts: int


def keep_batch(
    store: Store,
    mailbox_id: int,
    cursor: Cursor,
    batch: Batch,
    *,
    token: str,
    now: datetime,
    lease: timedelta,
    arrival: Arrival = Arrival.LIVE,
    history_before: datetime | None = None,
) -> int:
    """Pack first, commit after: a crash between leaves an orphan pack, never a lost mail. Returns mails kept.

    Mails that arrived before `history_before` lay there before the desk came: they are history, whatever `arrival`.
    """
    name = name_pack(now)
    sealed = _seal_mails(store, name, batch.mails)
    entries = store.packs.write(name, [one.data for one in sealed]) if sealed else ()
    key = {
        "mailbox_id": mailbox_id,
        "folder": cursor.name,
        "uidvalidity": cursor.uidvalidity,
        "kept_at": now,
    }
    with writing(store.engine) as connection:
        extend_lease(connection, mailbox_id, token, now + lease)
        pack_id = _insert_pack(connection, name, entries, now)
        rows = [
            {
                **key,
                "uid": mail.uid,
                "received_at": mail.received_at,
                "arrival": _tell_arrival(mail.received_at, arrival, history_before).value,
                "size_bytes": len(mail.data),
                "pack_id": pack_id,
                "offset": entry.offset,
                "length": entry.length,
                "key_id": one.key_id,
                "wrapped_key": one.wrapped_key,
                "state": "kept",
                "claimed_by": "",
                "attempts": 0,
            }
            for mail, one, entry in zip(batch.mails, sealed, entries, strict=True)
        ]
        kept = insert_new(connection, deliveries, rows)
        for large in batch.oversized:
            _keep_aside(connection, key, large, now)
        settled = [mail.uid for mail in batch.mails] + [large.uid for large in batch.oversized]
        move_cursor(connection, cursor, batch.last_uid, settled, batch.withheld, now)
        connection.execute(
            sa.update(mailboxes).where(mailboxes.c.id == mailbox_id).values(kept=mailboxes.c.kept + kept)
        )
    return kept


def _tell_arrival(received_at: datetime, arrival: Arrival, history_before: datetime | None) -> Arrival:
    old = history_before is not None and received_at < history_before
    return Arrival.HISTORY if old else arrival


def _seal_mails(store: Store, pack: str, mails: Sequence[RawMail]) -> list[Sealed]:
    sealed: list[Sealed] = []
    offset = 0
    for mail in mails:
        sealed.append(store.keys.seal(mail.data, bind_context(pack, offset)))
        offset += len(sealed[-1].data)
    return sealed


def bind_context(pack: str, offset: int) -> bytes:
    """Associated data: bytes moved to another place of another pack do not open."""
    return f"{pack}:{offset}".encode()


def _insert_pack(connection: sa.Connection, name: str, entries: Sequence[PackEntry], now: datetime) -> int | None:
    if not entries:
        return None
    size = entries[-1].offset + entries[-1].length
    return insert_once(connection, packs, {"name": name, "size_bytes": size, "created_at": now})


def _keep_aside(connection: sa.Connection, key: dict[str, object], large: Oversized, now: datetime) -> None:
    row = {
        **key,
        "uid": large.uid,
        "received_at": large.received_at,
        "arrival": Arrival.LIVE.value,
        "size_bytes": large.size_bytes,
        "offset": 0,
        "length": 0,
        "key_id": "",
        "state": "quarantined",
        "claimed_by": "",
        "attempts": 0,
    }
    made = insert_once(connection, deliveries, row)
    if made is not None:
        insert_once(
            connection,
            quarantine,
            {"delivery_id": made, "cause": "too-large", "incident": "", "attempts": 0, "since": now},
        )


def claim_deliveries(store: Store, token: str, now: datetime, lease: timedelta, limit: int) -> tuple[Claimed, ...]:
    """Take up to `limit` kept mails for reading; a claim ends by itself."""
    free = sa.and_(
        deliveries.c.state == "kept",
        sa.or_(deliveries.c.claimed_until.is_(None), deliveries.c.claimed_until < now),
    )
    chosen = sa.select(deliveries.c.id).where(free).order_by(deliveries.c.id).limit(limit)
    take = (
        sa.update(deliveries)
        .where(deliveries.c.id.in_(pass_over(chosen)), free)
        .values(claimed_by=token, claimed_until=now + lease, attempts=deliveries.c.attempts + 1)
        .returning(deliveries.c.id)
    )
    with writing(store.engine) as connection:
        taken = list(connection.execute(take).scalars())
    return read_places(store, taken)


def read_places(store: Store, ids: Sequence[int]) -> tuple[Claimed, ...]:
    """Where the bytes of these deliveries lie; erased ones are passed over."""
    columns = [
        deliveries.c.id,
        deliveries.c.mailbox_id,
        packs.c.name,
        deliveries.c.offset,
        deliveries.c.length,
        deliveries.c.wrapped_key,
        deliveries.c.key_id,
        deliveries.c.received_at,
        deliveries.c.arrival,
        deliveries.c.attempts,
    ]
    wanted = sa.select(*columns).join(packs, packs.c.id == deliveries.c.pack_id)
    wanted = wanted.where(deliveries.c.id.in_(ids), deliveries.c.wrapped_key.is_not(None)).order_by(deliveries.c.id)
    with reading(store.engine) as connection:
        rows = connection.execute(wanted).all()
    return tuple(Claimed(r[0], r[1], r[2], PackEntry(r[3], r[4]), r[5], r[6], r[7], r[8], r[9]) for r in rows)


def open_mail(store: Store, place: Claimed) -> bytes:
    """The mail's bytes as they came. Raises MailTrouble when the pack is damaged or gone."""
    sealed = Sealed(store.packs.read(place.pack, place.entry), place.wrapped_key, place.key_id)
    return store.keys.open(sealed, bind_context(place.pack, place.entry.offset))


def quarantine_delivery(
    store: Store, delivery_id: int, token: str, cause: str, incident: str, attempts: int, now: datetime
) -> None:
    """Set one mail aside with its cause; the others go on."""
    own = sa.and_(deliveries.c.id == delivery_id, deliveries.c.claimed_by == token)
    with writing(store.engine) as connection:
        held = connection.execute(
            sa.update(deliveries).where(own).values(state="quarantined", claimed_by="", claimed_until=None)
        )
        if changed(held) == 1:
            insert_once(
                connection,
                quarantine,
                {
                    "delivery_id": delivery_id,
                    "cause": cause,
                    "incident": incident,
                    "attempts": attempts,
                    "since": now,
                },
            )
