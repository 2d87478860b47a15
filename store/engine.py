"""Connections: SQLite (WAL, foreign keys, immediate writers) and PostgreSQL behind the same two doors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


@lru_cache(maxsize=8)
def open_engine(url: str) -> sa.Engine:
    """One engine per URL and process; parameters never appear in its exceptions or logs."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed)
    return sa.create_engine(parsed, hide_parameters=True, pool_pre_ping=True)


def _open_sqlite(url: sa.URL) -> sa.Engine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, hide_parameters=True, connect_args={"timeout": 30})
    sa.event.listen(engine, "connect", _set_pragmas)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_pragmas(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see _begin_sqlite
    # secure_delete: what is erased must not stay readable in pages that are no longer used
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL", "busy_timeout=30000", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    # A deferred transaction that upgrades to a writer fails at once despite the time-out: writers say so first.
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A short transaction that only reads."""
    with engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A short transaction that writes: all of it or nothing."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


def pass_over(chosen: sa.Select[tuple[int]]) -> sa.Select[tuple[int]]:
    """These ids, on PostgreSQL without the rows that another worker is claiming just now: it would wait for them and
    then go away with nothing. As a CTE, which is evaluated once, or its LIMIT would count anew for each row.
    """
    free = chosen.with_for_update(skip_locked=True, key_share=True).cte("free")
    return sa.select(free.c.id)


def insert_new(connection: sa.Connection, into: sa.Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert rows, passing over those whose unique key is there already; how many were new."""
    return len(insert_found(connection, into, rows))


def insert_many(connection: sa.Connection, into: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """The same without the count, by the driver's own executemany: on PostgreSQL in half the time."""
    if rows:
        connection.execute(_insert_new(connection.dialect.name, into), list(rows))


def insert_once(connection: sa.Connection, into: sa.Table, row: Mapping[str, Any]) -> int | None:
    """Insert one row; its id, or None when its unique key is there already."""
    statement = _insert_new(connection.dialect.name, into, into.c.id)
    found: int | None = connection.execute(statement, row).scalar_one_or_none()
    return found


def insert_found(connection: sa.Connection, into: sa.Table, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Insert rows, passing over those whose unique key is there already; the first key of those that were new."""
    if not rows:
        return []
    statement = _insert_new(connection.dialect.name, into, next(iter(into.primary_key.columns)))
    return list(connection.execute(statement, rows[0] if len(rows) == 1 else list(rows)).scalars())


def insert_rows(connection: sa.Connection, into: sa.Table, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Insert rows that nobody else can have inserted; their ids in the same order."""
    if not rows:
        return []
    statement = _insert_all(into)
    return list(connection.execute(statement, list(rows)).scalars())


def upsert(
    connection: sa.Connection,
    into: sa.Table,
    row: Mapping[str, Any],
    keys: Sequence[str],
    change: Sequence[str],
) -> None:
    """Insert a row or, where `keys` are there already, set its `change` columns."""
    statement = _insert(connection, into).values(**row)
    excluded = {name: statement.excluded[name] for name in change}
    connection.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=excluded))


def _insert(connection: sa.Connection, into: sa.Table) -> Any:
    return postgresql.insert(into) if connection.dialect.name == "postgresql" else sqlite.insert(into)


# Statements are made once: to make one and find its SQL takes ten times as long as to run it. SQLAlchemy finds no SQL
# again for inserts with a conflict clause unless their classes say that it may; ours has nothing that varies.
class _SqliteInsert(sqlite.Insert):
    inherit_cache = True


class _SqlitePassing(sqlite.dml.OnConflictDoNothing):
    inherit_cache = True
    _traverse_internals: Any = ()


class _PostgresInsert(postgresql.Insert):
    inherit_cache = True


class _PostgresPassing(postgresql.dml.OnConflictDoNothing):
    inherit_cache = True
    _traverse_internals: Any = ()


@lru_cache(maxsize=256)
def _insert_new(dialect: str, into: sa.Table, *returned: sa.Column[Any]) -> Any:
    on_postgres = dialect == "postgresql"
    made: Any = (_PostgresInsert if on_postgres else _SqliteInsert)(into)
    made._post_values_clause = _PostgresPassing() if on_postgres else _SqlitePassing()
    return made.returning(*returned) if returned else made


@lru_cache(maxsize=64)
def _insert_all(into: sa.Table) -> Any:
    return sa.insert(into).returning(into.c.id, sort_by_parameter_order=True)


def changed(result: sa.CursorResult[Any]) -> int:
    """How many rows a statement changed."""
    return int(result.rowcount)
