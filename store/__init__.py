"""Memory: SQLModel tables, queries in and out of desk values, sealed packs, Alembic migrations."""
