"""The store as one value: database, packs and keys, opened together and checked against each other."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from desk.errors import DeskKeyError
from store.engine import insert_new, reading, writing
from store.keys import KeyRing
from store.packs import PackFolder
from store.tables import Meta, table

MASTER_FINGERPRINT = "master key fingerprint"


@dataclass(frozen=True, slots=True)
class Store:
    engine: sa.Engine
    packs: PackFolder
    keys: KeyRing


def check_keys(store: Store) -> None:
    """Refuse to work with a key set that lacks the master key this store was begun with."""
    meta = table(Meta)
    row = {"key": MASTER_FINGERPRINT, "value": store.keys.fingerprint()}
    with reading(store.engine) as connection:
        known = connection.execute(sa.select(meta.c.value).where(meta.c.key == MASTER_FINGERPRINT)).scalar()
    if known is None:
        with writing(store.engine) as connection:
            insert_new(connection, meta, [row])
        return check_keys(store)
    if known not in map(store.keys.fingerprint, store.keys.master):
        raise DeskKeyError("the master key is not the one this store was begun with")
    return None
