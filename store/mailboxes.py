"""Mailboxes: their state, their cursor and their lease."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from desk.errors import ClaimLost, ConfigurationError
from store.engine import changed, insert_once, reading, writing
from store.tables import Delivery, Folder, Mailbox, Message, PendingUid, Quarantine, table

mailboxes = table(Mailbox)
folders = table(Folder)
pending = table(PendingUid)
deliveries = table(Delivery)
quarantine = table(Quarantine)
messages = table(Message)

Lease = Literal["lease", "watch"]


@dataclass(frozen=True, slots=True)
class MailboxState:
    """A mailbox as shown to the operator: our own configuration and counts, no requester in it."""

    id: int
    name: str
    address: str
    status: str  # never | synced | partial | error
    error_code: str
    remedy: str
    kept: int  # mails, since the first sync
    kept_last: int  # by the last sync
    withheld: int  # mails that the server named and does not hand out
    set_aside: int  # its mails in quarantine
    lag_seconds: int  # longest wait of a live mail before it was here, when last some came
    failures: int  # visits that failed in a row
    slowness: int
    interval_minutes: int
    stamp: str
    since: datetime
    last_sync_at: datetime | None
    last_good_at: datetime | None
    next_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a server says of a folder that is opened, 0 for what it does not say (RFC 3501 §6.3.1, RFC 7162 §3.1.2)."""

    uidvalidity: int
    uidnext: int = 0
    exists: int = 0
    modseq: int = 0

    def is_unchanged(self, before: Shown) -> bool:
        """Whether nothing can have come since. By HIGHESTMODSEQ where there is one: nothing at all has changed then;
        else by UIDNEXT, which only rises, and no more mails than before: one that shows late under a low UID is seen.
        """
        if not self.uidnext or self.uidvalidity != before.uidvalidity:
            return False
        if self.modseq and before.modseq:
            return self.modseq == before.modseq and self.uidnext == before.uidnext
        return self.uidnext == before.uidnext and self.exists <= before.exists


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the intake of a folder stands; `holes` are UIDs named but withheld, whose next try has come.

    `shown` is what the server said before the last complete search; `first` until there was one.
    """

    folder_id: int
    name: str
    uidvalidity: int
    last_uid: int
    holes: tuple[int, ...]
    shown: Shown = Shown(0)
    first: bool = False


@dataclass(frozen=True, slots=True)
class Hole:
    """A mail that a server named and did not hand out so far."""

    mailbox: str
    folder: str
    uid: int
    attempts: int
    next_try_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """What a mailbox's block says of itself: our own configuration."""

    block_id: str
    name: str
    host: str
    user: str
    address: str
    after_intake: str
    interval_minutes: int = 5


@dataclass(frozen=True, slots=True)
class Visit:
    """How a visit ended and what follows from it; `lag` is None when no live mail came."""

    status: str  # synced | partial | error
    next_due: datetime
    error_code: str = ""
    remedy: str = ""
    kept: int = 0
    failures: int = 0
    slowness: int = 1
    stamp: str = ""
    lag: timedelta | None = None


def register_mailbox(engine: sa.Engine, account: Account, now: datetime | None = None) -> int:
    """The row of a block, made when new; two blocks for one account are refused."""
    values = {**asdict(account), "host": account.host.lower(), "address": account.address.lower()}
    with reading(engine) as connection:
        known = connection.execute(sa.select(mailboxes).where(mailboxes.c.block_id == account.block_id)).first()
    if known is not None and all(known._mapping[name] == value for name, value in values.items()):
        return int(known.id)
    with writing(engine) as connection:
        this = mailboxes.c.block_id == account.block_id
        row = connection.execute(sa.select(mailboxes.c.id).where(this)).scalar()
        _refuse_double(connection, values["host"], account)
        if row is not None:
            connection.execute(sa.update(mailboxes).where(mailboxes.c.id == row).values(**values))
            return int(row)
        made = insert_once(connection, mailboxes, {**_start_state(now or datetime.now(UTC)), **values})
        if made is None:  # another worker has met it at this very moment
            made = connection.execute(sa.select(mailboxes.c.id).where(this)).scalar()
    if made is None:
        raise ConfigurationError(f"mailbox {account.name} is registered under another block")
    return made


def _start_state(now: datetime) -> dict[str, object]:
    words = dict.fromkeys(("error_code", "remedy", "lease_token", "watch_token", "stamp"), "")
    counts = dict.fromkeys(("kept", "kept_last", "lag_seconds", "failures"), 0)
    return {**words, **counts, "status": "never", "slowness": 1, "since": now}


def _refuse_double(connection: sa.Connection, host: str, account: Account) -> None:
    same = sa.and_(mailboxes.c.host == host, mailboxes.c.user == account.user)
    other = connection.execute(
        sa.select(mailboxes.c.name).where(same, mailboxes.c.block_id != account.block_id)
    ).scalar()
    if other is not None:
        raise ConfigurationError(
            f"mailbox {other} already reads this account", remedy="Delete or disable one of the two blocks."
        )


def list_mailboxes(engine: sa.Engine) -> tuple[MailboxState, ...]:
    with reading(engine) as connection:
        rows = connection.execute(_describe().order_by(mailboxes.c.name)).all()
    return tuple(MailboxState(*row) for row in rows)


def read_mailbox(engine: sa.Engine, mailbox_id: int) -> MailboxState:
    with reading(engine) as connection:
        return MailboxState(*connection.execute(_describe().where(mailboxes.c.id == mailbox_id)).one())


def _describe() -> sa.Select[Any]:
    counted = {
        "withheld": sa.select(sa.func.count())
        .select_from(pending.join(folders, folders.c.id == pending.c.folder_id))
        .where(folders.c.mailbox_id == mailboxes.c.id),
        "set_aside": sa.select(sa.func.count())
        .select_from(
            quarantine.outerjoin(deliveries, deliveries.c.id == quarantine.c.delivery_id).outerjoin(
                messages, messages.c.id == quarantine.c.message_id
            )
        )
        .where(
            sa.func.coalesce(deliveries.c.mailbox_id, messages.c.mailbox_id) == mailboxes.c.id,
            quarantine.c.resolved_at.is_(None),
        ),
    }
    columns = [
        counted[name].scalar_subquery().label(name) if name in counted else mailboxes.c[name]
        for name in MailboxState.__slots__
    ]
    return sa.select(*columns)


def lease_mailbox(
    engine: sa.Engine, mailbox_id: int, token: str, now: datetime, span: timedelta, what: Lease = "lease"
) -> bool:
    """Take the mailbox for `span`; False when somebody else has it. A `watch` is held beside the visits' `lease`."""
    holder, until = mailboxes.c[f"{what}_token"], mailboxes.c[f"{what}_until"]
    free = sa.or_(until.is_(None), until < now, holder == token)
    statement = sa.update(mailboxes).where(mailboxes.c.id == mailbox_id, free)
    with writing(engine) as connection:
        return changed(connection.execute(statement.values({holder: token, until: now + span}))) == 1


def extend_lease(connection: sa.Connection, mailbox_id: int, token: str, until: datetime) -> None:
    """Fence: inside the intake's own transaction, so that a lapsed worker can't commit."""
    if not _hold_lease(connection, mailbox_id, token, until):
        raise ClaimLost("mailbox lease")


def _hold_lease(connection: sa.Connection, mailbox_id: int, token: str, until: datetime, what: Lease = "lease") -> bool:
    own = sa.update(mailboxes).where(mailboxes.c.id == mailbox_id, mailboxes.c[f"{what}_token"] == token)
    return changed(connection.execute(own.values({f"{what}_until": until}))) == 1


def release_lease(engine: sa.Engine, mailbox_id: int, token: str, what: Lease = "lease") -> None:
    """Give the mailbox back, its state untouched."""
    own = sa.update(mailboxes).where(mailboxes.c.id == mailbox_id, mailboxes.c[f"{what}_token"] == token)
    with writing(engine) as connection:
        connection.execute(own.values({f"{what}_token": "", f"{what}_until": None}))


def renew_lease(engine: sa.Engine, mailbox_id: int, token: str, until: datetime, what: Lease = "lease") -> bool:
    """Hold a lease that is ours still; False when somebody else has it."""
    with writing(engine) as connection:
        return _hold_lease(connection, mailbox_id, token, until, what)


def end_sync(engine: sa.Engine, mailbox_id: int, token: str, now: datetime, visit: Visit) -> None:
    """Give the lease back and keep how the visit went."""
    values: dict[str, object] = {
        "status": visit.status,
        "error_code": visit.error_code,
        "remedy": visit.remedy,
        "kept_last": visit.kept,
        "failures": visit.failures,
        "slowness": visit.slowness,
        "stamp": visit.stamp,
        "last_sync_at": now,
        "next_due_at": visit.next_due,
        "lease_token": "",
        "lease_until": None,
    }
    if visit.status != "error":
        values["last_good_at"] = now
    if visit.lag is not None:
        values["lag_seconds"] = int(visit.lag.total_seconds())
    statement = sa.update(mailboxes).where(mailboxes.c.id == mailbox_id, mailboxes.c.lease_token == token)
    with writing(engine) as connection:
        connection.execute(statement.values(**values))


def open_cursor(engine: sa.Engine, mailbox_id: int, folder: str, shown: Shown, now: datetime) -> Cursor:
    """The folder's cursor; it starts again when the server's UIDVALIDITY changed (RFC 3501 §2.3.1.1)."""
    with reading(engine) as connection:
        row = connection.execute(_find_folder(mailbox_id, folder)).first()
        if row is not None and row.uidvalidity == shown.uidvalidity:
            return _read_cursor(connection, row, now)
    with writing(engine) as connection:
        start = {"uidvalidity": shown.uidvalidity, "last_uid": 0, "uidnext": 0, "exists": 0, "modseq": 0}
        insert_once(connection, folders, {"mailbox_id": mailbox_id, "name": folder, **start})
        row = connection.execute(_find_folder(mailbox_id, folder)).one()
        if row.uidvalidity != shown.uidvalidity:
            connection.execute(sa.update(folders).where(folders.c.id == row.id).values(**start))
            connection.execute(sa.delete(pending).where(pending.c.folder_id == row.id))
            row = connection.execute(_find_folder(mailbox_id, folder)).one()
        return _read_cursor(connection, row, now)


def _find_folder(mailbox_id: int, folder: str) -> sa.Select[Any]:
    return sa.select(folders).where(folders.c.mailbox_id == mailbox_id, folders.c.name == folder)


def _read_cursor(connection: sa.Connection, row: Any, now: datetime) -> Cursor:
    due = sa.select(pending.c.uid).where(pending.c.folder_id == row.id, pending.c.next_try_at <= now)
    holes = tuple(connection.execute(due.order_by(pending.c.uid)).scalars())
    shown = Shown(row.uidvalidity, row.uidnext, row.exists, row.modseq)
    return Cursor(row.id, row.name, row.uidvalidity, row.last_uid, holes, shown, row.searched_at is None)


def remember_folder(engine: sa.Engine, cursor: Cursor, shown: Shown, now: datetime) -> None:
    """The folder was searched to its end after the server had said this of it."""
    same = sa.and_(folders.c.id == cursor.folder_id, folders.c.uidvalidity == shown.uidvalidity)
    seen = {"uidnext": shown.uidnext, "exists": shown.exists, "modseq": shown.modseq, "searched_at": now}
    with writing(engine) as connection:
        connection.execute(sa.update(folders).where(same).values(**seen))


def list_holes(engine: sa.Engine) -> tuple[Hole, ...]:
    columns = (mailboxes.c.name, folders.c.name, pending.c.uid, pending.c.attempts, pending.c.next_try_at)
    joined = pending.join(folders, folders.c.id == pending.c.folder_id).join(mailboxes)
    query = sa.select(*columns).select_from(joined).order_by(mailboxes.c.name, folders.c.name, pending.c.uid)
    with reading(engine) as connection:
        return tuple(Hole(*row) for row in connection.execute(query))


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
