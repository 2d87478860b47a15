"""What is remembered of articles: their passages as vectors, and what was looked up for which mail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import sqlalchemy as sa

from desk.knowledge import Found
from store.engine import insert_many, reading, upsert, writing
from store.memory import Store
from store.tables import Embedding, Lookup, table

embeddings = table(Embedding)
lookups = table(Lookup)

_CHANGE = ("at", "category", "language", "article", "score", "outcome", "faults")
_AT_ONCE = 500  # keys in one query


def read_embeddings(store: Store, keys: Iterable[str]) -> dict[str, bytes]:
    """The vectors that are known, by key."""
    wanted, found = list(keys), dict[str, bytes]()
    with reading(store.engine) as connection:
        for start in range(0, len(wanted), _AT_ONCE):
            some = embeddings.c.key.in_(wanted[start : start + _AT_ONCE])
            found |= {row.key: row.vector for row in connection.execute(sa.select(embeddings).where(some))}
    return found


def keep_embeddings(store: Store, vectors: Mapping[str, bytes]) -> None:
    """Vectors are only added: what bears the same key is the same."""
    rows = [{"key": key, "vector": vector} for key, vector in vectors.items()]
    with writing(store.engine) as connection:
        insert_many(connection, embeddings, rows)


def keep_lookups(connection: sa.Connection, found: Iterable[Found], now: datetime) -> None:
    """What was found for messages, where anything was looked for; what was found for them before is replaced."""
    for one in found:
        if not one.outcome:
            continue
        row = {
            "message_id": one.message_id,
            "at": now,
            "category": one.category,
            "language": one.language,
            "article": one.article,
            "score": one.score,
            "outcome": one.outcome,
            "faults": " ".join(one.faults),
        }
        upsert(connection, lookups, row, ("message_id",), _CHANGE)
