"""Bring a database to the current schema; safe when two processes start at once."""

from __future__ import annotations

from importlib.resources import files

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from desk.errors import ConfigurationError
from store.engine import reading, writing

LOCK = 7_262_891  # any number, the same in every process: PostgreSQL advisory lock


def make_config(connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("store") / "migrations"))
    config.attributes["connection"] = connection
    return config


def migrate_store(engine: sa.Engine) -> None:
    """Apply what is missing, in one transaction (both databases roll DDL back)."""
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        command.upgrade(make_config(connection), "head")


def check_head(engine: sa.Engine) -> None:
    """Raise ConfigurationError when migrations are missing here: on a server they are the operator's to apply."""
    scripts = ScriptDirectory.from_config(make_config())
    with reading(engine) as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current != scripts.get_current_head():
        raise ConfigurationError("the database schema is not up to date", remedy="Run `make migrate`.")


def check_models(engine: sa.Engine) -> None:
    """Raise when the models say something that no migration does."""
    with writing(engine) as connection:
        command.check(make_config(connection))
