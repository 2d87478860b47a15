"""Whom the desk knows: names of contacts and of their organisations, for hiding them from judges far away."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from store.engine import reading
from store.facts import participants
from store.memory import Store
from store.messages import contacts


def list_names(store: Store) -> tuple[str, ...]:
    """Of all contacts."""
    return _list_distinct(store, sa.select(contacts.c.name).where(contacts.c.name != ""))


def list_organisations(store: Store) -> tuple[str, ...]:
    return _list_distinct(store, sa.select(contacts.c.organisation).where(contacts.c.organisation != ""))


def list_participants(store: Store, ticket_ids: Collection[int]) -> tuple[str, ...]:
    """Names of those who take part in these tickets."""
    joined = sa.select(contacts.c.name).join(participants, participants.c.contact_id == contacts.c.id)
    named = joined.where(participants.c.ticket_id.in_(ticket_ids), contacts.c.name != "")
    return _list_distinct(store, named) if ticket_ids else ()


def _list_distinct(store: Store, names: sa.Select[tuple[str]]) -> tuple[str, ...]:
    with reading(store.engine) as connection:
        return tuple(connection.execute(names.distinct().order_by(*names.selected_columns)).scalars())
