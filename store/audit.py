"""What the store holds of one folder, for comparing it with its server."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from desk.gaps import Books
from store.engine import reading, writing
from store.intake import deliveries, quarantine
from store.mailboxes import Cursor, folders, pending
from store.memory import Store


def read_books(store: Store, mailbox_id: int, cursor: Cursor) -> Books:
    """The cursor is read first: whatever it has passed by then is a delivery or a hole of the later queries."""
    own = sa.and_(
        deliveries.c.mailbox_id == mailbox_id,
        deliveries.c.folder == cursor.name,
        deliveries.c.uidvalidity == cursor.uidvalidity,
    )
    holes = sa.and_(pending.c.folder_id == cursor.folder_id, pending.c.uidvalidity == cursor.uidvalidity)
    large = sa.exists().where(quarantine.c.delivery_id == deliveries.c.id, quarantine.c.cause == "too-large")
    with reading(store.engine) as connection:
        last = connection.execute(sa.select(folders.c.last_uid).where(folders.c.id == cursor.folder_id)).scalar_one()
        return Books(
            last_uid=last,
            holes=_list_uids(connection, pending.c.uid, holes),
            kept=_list_uids(connection, deliveries.c.uid, own),
            erased=_list_uids(connection, deliveries.c.uid, own, deliveries.c.state == "erased"),
            too_large=_list_uids(connection, deliveries.c.uid, own, large),
        )


def _list_uids(connection: sa.Connection, column: sa.Column[int], *where: sa.ColumnElement[bool]) -> frozenset[int]:
    return frozenset(connection.execute(sa.select(column).where(*where)).scalars())


def fill_holes(store: Store, cursor: Cursor, uids: Sequence[int]) -> None:
    """These are no holes any more: the server does not name them, so nothing is withheld."""
    own = sa.and_(pending.c.folder_id == cursor.folder_id, pending.c.uidvalidity == cursor.uidvalidity)
    with writing(store.engine) as connection:
        connection.execute(sa.delete(pending).where(own, pending.c.uid.in_(uids)))
