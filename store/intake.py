"""Doors 1–2: a batch of raw mails becomes a durable pack, then rows and cursor in one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from desk.facts import Arrival
from store.aside import set_aside
from store.engine import changed, insert_many, insert_once, pass_over, reading, writing
from store.keys import Sealed
from store.mailboxes import Cursor, extend_lease, mailboxes, move_cursor
from store.memory import Store
from store.packs import PackEntry, name_pack
from store.tables import Delivery, Pack, Quarantine, table

deliveries = table(Delivery)
packs = table(Pack)
quarantine = table(Quarantine)

TOO_LARGE = "too-large"
FRESH = {"part": "whole", "message_id": None, "claimed_until": None}  # of a delivery whose bytes are new


@dataclass(frozen=True, slots=True)
class RawMail:
    """A mail as the server gave it; `received_at` is INTERNALDATE."""

    uid: int
    received_at: datetime
    data: bytes


@dataclass(frozen=True, slots=True)
class Oversized:
    """A mail above the policy's limit: left on the server and quarantined; its header alone is kept."""

    uid: int
    received_at: datetime
    size_bytes: int
    head: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """What one round of fetching brought: `last_uid` is the highest UID that SEARCH named in it."""

    mails: tuple[RawMail, ...]
    withheld: tuple[int, ...]
    oversized: tuple[Oversized, ...]
    last_uid: int

    @property
    def named(self) -> int:
        """Mails that the server named in it, handed out or not."""
        return len(self.mails) + len(self.withheld) + len(self.oversized)


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
    part: str = "whole"  # head: the mail is too large, these bytes are its header


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
    """Pack first, commit after: a crash between leaves an orphan pack, never a lost mail. Returns mails kept whole.

    Mails that arrived before `history_before` lay there before the desk came: they are history, whatever `arrival`.
    """
    name = name_pack(now)
    heads = [RawMail(one.uid, one.received_at, one.head) for one in batch.oversized]
    sealed = _seal_mails(store, name, [*batch.mails, *heads])
    entries = store.packs.write(name, [one.data for one in sealed]) if sealed else ()
    with writing(store.engine) as connection:
        extend_lease(connection, mailbox_id, token, now + lease)
        pack_id = _insert_pack(connection, name, entries, now)
        key = {"mailbox_id": mailbox_id, "folder": cursor.name, "uidvalidity": cursor.uidvalidity}
        same = {**key, "pack_id": pack_id, "kept_at": now, "state": "kept", "claimed_by": "", "attempts": 0}
        rows = [
            {**same, **_describe_mail(mail, one, entry), "arrival": _tell_arrival(mail, arrival, history_before)}
            for mail, one, entry in zip([*batch.mails, *heads], sealed, entries, strict=True)
        ]
        whole, cut = rows[: len(batch.mails)], rows[len(batch.mails) :]
        kept = _insert_fresh(connection, key, [{**row, "part": "whole"} for row in whole])
        kept += _fill_wanted(connection, [row for row in whole if row["uid"] in cursor.holes])
        _keep_aside(connection, key, cut, {one.uid: one.size_bytes for one in batch.oversized}, now)
        settled = [mail.uid for mail in batch.mails] + [large.uid for large in batch.oversized]
        move_cursor(connection, cursor, batch.last_uid, settled, batch.withheld, now)
        if kept:
            counted = sa.update(mailboxes).where(mailboxes.c.id == mailbox_id)
            connection.execute(counted.values(kept=mailboxes.c.kept + kept))
    return kept


def _describe_mail(mail: RawMail, sealed: Sealed, entry: PackEntry) -> dict[str, Any]:
    return {
        "uid": mail.uid,
        "received_at": mail.received_at,
        "size_bytes": len(mail.data),
        "offset": entry.offset,
        "length": entry.length,
        "key_id": sealed.key_id,
        "wrapped_key": sealed.wrapped_key,
    }


def _insert_fresh(connection: sa.Connection, key: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> int:
    """Those that are not here yet; the lease, whose row is locked by now, keeps others from adding to this mailbox."""
    if not rows:
        return 0
    uids = [row["uid"] for row in rows]
    same = (deliveries.c[name] == value for name, value in key.items())
    near = deliveries.c.uid.between(min(uids), max(uids))
    known = set(connection.execute(sa.select(deliveries.c.uid).where(*same, near)).scalars())
    fresh = [row for row in rows if row["uid"] not in known]
    insert_many(connection, deliveries, fresh)
    return len(fresh)


def _fill_wanted(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> int:
    """Mails that were too large and were asked for again by a replay take the place of their headers."""
    return sum(changed(connection.execute(_find_wanted(row).values({**row, **FRESH}))) for row in rows)


def _find_wanted(row: Mapping[str, Any]) -> sa.Update:
    same = (deliveries.c[name] == row[name] for name in ("mailbox_id", "folder", "uidvalidity", "uid"))
    return sa.update(deliveries).where(*same, deliveries.c.state == "wanted")


def _tell_arrival(mail: RawMail, arrival: Arrival, history_before: datetime | None) -> str:
    old = history_before is not None and mail.received_at < history_before
    return (Arrival.HISTORY if old else arrival).value


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


def _keep_aside(
    connection: sa.Connection,
    key: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    sizes: Mapping[int, int],
    now: datetime,
) -> None:
    """Headers of mails that are too large go through the doors as mails do; the mails themselves are in quarantine."""
    _insert_fresh(connection, key, [{**row, "part": "head", "size_bytes": sizes[row["uid"]]} for row in rows])
    for row in rows:
        connection.execute(_find_wanted(row).values(state="read"))
        this = (deliveries.c[name] == value for name, value in {**key, "uid": row["uid"]}.items())
        delivery_id = connection.execute(sa.select(deliveries.c.id).where(*this)).scalar_one()
        cause = {"cause": TOO_LARGE, "incident": "", "attempts": 0, "since": now}
        insert_once(connection, quarantine, {"delivery_id": delivery_id, **cause})


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
    with reading(store.engine) as connection:
        rows = connection.execute(_READ_PLACES, {"wanted": list(ids)}).all()
    return tuple(Claimed(r[0], r[1], r[2], PackEntry(r[3], r[4]), *r[5:]) for r in rows)


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
            set_aside(connection, quarantine.c.delivery_id, delivery_id, cause, incident, attempts, now)


# Made once: see store.engine.
_READ_PLACES = (
    sa.select(
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
        deliveries.c.part,
    )
    .join(packs, packs.c.id == deliveries.c.pack_id)
    .where(deliveries.c.id.in_(sa.bindparam("wanted", expanding=True)), deliveries.c.wrapped_key.is_not(None))
    .order_by(deliveries.c.id)
)
