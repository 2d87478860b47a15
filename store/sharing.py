"""Files that were laid behind links: which letter they belong to, and when they have had their time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from store.engine import insert_rows, reading, writing
from store.memory import Store
from store.tables import SharedFile, table

shared_files = table(SharedFile)


@dataclass(frozen=True, slots=True)
class Shared:
    """A file behind a link."""

    place: str
    size_bytes: int
    expires_at: datetime


def keep_shared(store: Store, letter_id: int, files: Sequence[Shared]) -> None:
    rows = [{"letter_id": letter_id, "place": one.place, "size_bytes": one.size_bytes, "expires_at": one.expires_at,
             "state": "shared"} for one in files]  # fmt: skip
    with writing(store.engine) as connection:
        insert_rows(connection, shared_files, rows)


def find_shared(store: Store, letter_id: int, now: datetime) -> tuple[Shared, ...]:
    """What an earlier try of this letter has laid and is still there, in its order."""
    columns = (shared_files.c[name] for name in Shared.__slots__)
    its = sa.select(*columns).where(shared_files.c.letter_id == letter_id, shared_files.c.state == "shared")
    with reading(store.engine) as connection:
        rows = connection.execute(its.where(shared_files.c.expires_at > now).order_by(shared_files.c.id))
        return tuple(Shared(*row) for row in rows)


def list_expired(store: Store, now: datetime) -> tuple[str, ...]:
    """Places whose time is over."""
    over = sa.select(shared_files.c.place).where(shared_files.c.state == "shared", shared_files.c.expires_at <= now)
    with reading(store.engine) as connection:
        return tuple(connection.execute(over.order_by(shared_files.c.id)).scalars())


def list_shared(store: Store) -> frozenset[str]:
    """Places that a link leads to."""
    there = sa.select(shared_files.c.place).where(shared_files.c.state == "shared")
    with reading(store.engine) as connection:
        return frozenset(connection.execute(there).scalars())


def mark_gone(store: Store, places: Iterable[str]) -> None:
    these = sa.update(shared_files).where(shared_files.c.place.in_(list(places)))
    with writing(store.engine) as connection:
        connection.execute(these.values(state="gone"))
