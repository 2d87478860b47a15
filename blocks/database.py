"""Where the desk's own tables are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar, Self

import sqlalchemy as sa
from pydantic import Field, SecretStr, model_validator
from sqlalchemy.exc import ArgumentError, DBAPIError

from blocks.base import Checked, DeskBlock
from desk.errors import BlockError, ByreturnError, ConfigurationError, NetworkTrouble, SignInRefused

DRIVERS = ("sqlite", "postgresql+psycopg")

# Read from top to bottom: the first text found in the server's refusal decides. Source: PostgreSQL 18.
REFUSALS: tuple[tuple[str, type[ByreturnError], str, str], ...] = (
    ("authentication failed", SignInRefused, "the server does not take this user and password", ""),
    (
        "no pg_hba.conf entry",
        SignInRefused,
        "the server lets us not in from here",
        "Add this machine to pg_hba.conf.",
    ),
    (
        "does not exist",
        ConfigurationError,
        "there is no such database or user",
        "Create it, or correct the URL.",
    ),
    ("not a database", ConfigurationError, "the file is no SQLite database", "Correct the path in the URL."),
)


class Database(DeskBlock):
    """The desk's memory: SQLite for one machine, PostgreSQL for more."""

    _block_type_name: ClassVar[str | None] = "Byreturn database"
    _block_type_slug: ClassVar[str | None] = "byreturn-database"
    _description: ClassVar[str | None] = "The desk's own tables. Never Prefect's database."

    url: SecretStr = Field(
        title="URL",
        description="sqlite:////folder/desk.db or postgresql+psycopg://user:password@host/database",
    )

    @model_validator(mode="after")
    def know_driver(self) -> Self:
        try:
            driver = sa.make_url(self.url.get_secret_value()).drivername
        except ArgumentError:
            driver = ""
        if driver not in DRIVERS:
            raise BlockError(
                "the URL is of no database we speak",
                remedy="Begin it with sqlite:/// or postgresql+psycopg://, as in the field's description.",
            )
        return self

    def check(self) -> Checked:
        """Connect and select 1; a SQLite file that is not there yet is not created.

        Raises SignInRefused, ConfigurationError or NetworkTrouble.
        """
        url = sa.make_url(self.url.get_secret_value())
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
            return check_parent(Path(url.database or ""))
        ask_database(url)
        return Checked(True, f"{url.get_backend_name()} answers")


def check_parent(file: Path) -> Checked:
    """Whether a SQLite file could be created; it is left to the migrations to do so."""
    folder = next((folder for folder in file.absolute().parents if folder.is_dir()), Path("/"))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError("the database's folder is not writable", remedy="Give the desk's user write access.")
    return Checked(True, "the SQLite file will be created")


def ask_database(url: sa.URL) -> None:
    engine = sa.create_engine(url, hide_parameters=True, connect_args=wait_briefly(url))
    try:
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT count(*) FROM (SELECT 1) AS one"))
            if url.get_backend_name() == "sqlite":
                connection.execute(sa.text("PRAGMA schema_version"))  # the first statement that reads the file
    except DBAPIError as failure:
        raise read_refusal(str(failure.orig)) from None
    finally:
        engine.dispose()


def wait_briefly(url: sa.URL) -> dict[str, int]:
    return {"timeout": 10} if url.get_backend_name() == "sqlite" else {"connect_timeout": 10}


def read_refusal(text: str) -> ByreturnError:
    """The error a database's refusal stands for; its text names hosts and users and is not repeated."""
    for part, error, detail, remedy in REFUSALS:
        if part in text:
            return error(detail, remedy=remedy)
    return NetworkTrouble("the database is out of reach", remedy="Check host, port and whether the server runs.")
