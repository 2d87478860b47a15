"""Mailboxes: their state, their cursor and their lease."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from desk.errors import ClaimLost, ConfigurationError
from store.engine import changed, insert_once, reading, writing
from store.tables import Folder, Mailbox, PendingUid, table

mailboxes = table(Mailbox)
folders = table(Folder)
pending = table(PendingUid)


@dataclass(frozen=True, slots=True)
class MailboxState:
    """A mailbox as shown to the operator: our own configuration, no requester in it."""

    id: int
    name: str
    address: str
    status: str
    error_code: str
    remedy: str
    kept: int
    last_sync_at: datetime | None
    last_good_at: datetime | None
    next_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the intake of a folder stands; `holes` are UIDs named but withheld, whose next try has come."""

    folder_id: int
    name: str
    uidvalidity: int
    last_uid: int
    holes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """What a mailbox's block says of itself: our own configuration."""

    block_id: str
    name: str
    host: str
    user: str
    address: str
    after_intake: str


def register_mailbox(engine: sa.Engine, account: Account) -> int:
    """The row of a block, made when new; two blocks for one account are refused."""
    values = {**asdict(account), "host": account.host.lower(), "address": account.address.lower()}
    with writing(engine) as connection:
        this = mailboxes.c.block_id == account.block_id
        row = connection.execute(sa.select(mailboxes.c.id).where(this)).scalar()
        _refuse_double(connection, values["host"], account.user, row or 0)
        if row is not None:
            connection.execute(sa.update(mailboxes).where(mailboxes.c.id == row).values(**values))
            return int(row)
        fresh = {"status": "never", "kept": 0, "error_code": "", "remedy": "", "lease_token": ""}
        made = insert_once(connection, mailboxes, {**values, **fresh})
    if made is None:
        raise ConfigurationError(f"mailbox {account.name} is registered under another block")
    return made


def _refuse_double(connection: sa.Connection, host: str, user: str, own: int) -> None:
    other = connection.execute(
        sa.select(mailboxes.c.name).where(mailboxes.c.host == host, mailboxes.c.user == user, mailboxes.c.id != own)
    ).scalar()
    if other is not None:
        raise ConfigurationError(
            f"mailbox {other} already reads this account", remedy="Delete or disable one of the two blocks."
        )


def list_mailboxes(engine: sa.Engine) -> tuple[MailboxState, ...]:
    columns = [mailboxes.c[name] for name in MailboxState.__slots__]
    with reading(engine) as connection:
        rows = connection.execute(sa.select(*columns).order_by(mailboxes.c.name)).all()
    return tuple(MailboxState(*row) for row in rows)


def lease_mailbox(engine: sa.Engine, mailbox_id: int, token: str, now: datetime, span: timedelta) -> bool:
    """Take the mailbox for `span`; False when somebody else has it."""
    free = sa.or_(mailboxes.c.lease_until.is_(None), mailboxes.c.lease_until < now, mailboxes.c.lease_token == token)
    statement = sa.update(mailboxes).where(mailboxes.c.id == mailbox_id, free)
    with writing(engine) as connection:
        taken = connection.execute(statement.values(lease_token=token, lease_until=now + span))
        return changed(taken) == 1


def extend_lease(connection: sa.Connection, mailbox_id: int, token: str, until: datetime) -> None:
    """Fence: inside the intake's own transaction, so that a lapsed worker can't commit."""
    statement = sa.update(mailboxes).where(mailboxes.c.id == mailbox_id, mailboxes.c.lease_token == token)
    if changed(connection.execute(statement.values(lease_until=until))) != 1:
        raise ClaimLost("mailbox lease")


def release_lease(engine: sa.Engine, mailbox_id: int, token: str) -> None:
    """Give the mailbox back, its state untouched."""
    statement = sa.update(mailboxes).where(mailboxes.c.id == mailbox_id, mailboxes.c.lease_token == token)
    with writing(engine) as connection:
        connection.execute(statement.values(lease_token="", lease_until=None))


def end_sync(
    engine: sa.Engine,
    mailbox_id: int,
    token: str,
    now: datetime,
    next_due: datetime,
    status: str,
    error_code: str = "",
    remedy: str = "",
) -> None:
    """Give the lease back and keep how the sync went."""
    values: dict[str, object] = {
        "status": status,
        "error_code": error_code,
        "remedy": remedy,
        "last_sync_at": now,
        "next_due_at": next_due,
        "lease_token": "",
        "lease_until": None,
    }
    if status == "synced":
        values["last_good_at"] = now
    statement = sa.update(mailboxes).where(mailboxes.c.id == mailbox_id, mailboxes.c.lease_token == token)
    with writing(engine) as connection:
        connection.execute(statement.values(**values))


def open_cursor(engine: sa.Engine, mailbox_id: int, folder: str, uidvalidity: int, now: datetime) -> Cursor:
    """The folder's cursor; it starts again when the server's UIDVALIDITY changed (RFC 3501 §2.3.1.1)."""
    with writing(engine) as connection:
        insert_once(
            connection,
            folders,
            {"mailbox_id": mailbox_id, "name": folder, "uidvalidity": uidvalidity, "last_uid": 0},
        )
        where = sa.and_(folders.c.mailbox_id == mailbox_id, folders.c.name == folder)
        row = connection.execute(sa.select(folders.c.id, folders.c.uidvalidity, folders.c.last_uid).where(where)).one()
        if row.uidvalidity != uidvalidity:
            connection.execute(sa.update(folders).where(where).values(uidvalidity=uidvalidity, last_uid=0))
            connection.execute(sa.delete(pending).where(pending.c.folder_id == row.id))
            return Cursor(row.id, folder, uidvalidity, 0, ())
        due = sa.select(pending.c.uid).where(pending.c.folder_id == row.id, pending.c.next_try_at <= now)
        holes = tuple(connection.execute(due.order_by(pending.c.uid)).scalars())
    return Cursor(row.id, folder, uidvalidity, row.last_uid, holes)


def move_cursor(
    connection: sa.Connection,
    cursor: Cursor,
    last_uid: int,
    settled: Sequence[int],
    withheld: Sequence[int],
    now: datetime,
) -> None:
    """Pass `last_uid`; what was withheld stays as a hole with a later next try, what is settled stops being one."""
    higher = sa.and_(folders.c.id == cursor.folder_id, folders.c.last_uid < last_uid)
    connection.execute(sa.update(folders).where(higher).values(last_uid=last_uid))
    own = sa.and_(pending.c.folder_id == cursor.folder_id, pending.c.uidvalidity == cursor.uidvalidity)
    connection.execute(sa.delete(pending).where(own, pending.c.uid.in_(settled)))
    for uid in withheld:
        _keep_hole(connection, cursor, uid, now)


def _keep_hole(connection: sa.Connection, cursor: Cursor, uid: int, now: datetime) -> None:
    key = {"folder_id": cursor.folder_id, "uidvalidity": cursor.uidvalidity, "uid": uid}
    insert_once(connection, pending, {**key, "attempts": 0, "next_try_at": now})
    this = sa.and_(*(pending.c[name] == value for name, value in key.items()))
    attempts = connection.execute(sa.select(pending.c.attempts).where(this)).scalar_one() + 1
    later = now + timedelta(minutes=min(5 * 2**attempts, 24 * 60))
    connection.execute(sa.update(pending).where(this).values(attempts=attempts, next_try_at=later))
