"""Alembic's entry: it works on the connection that store.migrate hands in, inside its transaction."""

from alembic import context
from sqlmodel import SQLModel

import store.tables  # noqa: F401  # importing declares the models

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
