"""Door 9's memory: what is still to do in the mailboxes themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from store.after import filings
from store.engine import pass_over, reading, writing
from store.facts import letters
from store.intake import deliveries
from store.memory import Store


@dataclass(frozen=True, slots=True)
class ToFile:
    """One thing to do; a move names a UID, a draft carries the letter's bytes."""

    id: int
    mailbox_id: int
    action: str
    folder: str
    attempts: int
    source_folder: str
    uidvalidity: int
    uid: int
    letter_id: int | None
    header_id: str
    body: bytes
    token: str


def list_open_mailboxes(store: Store, now: datetime) -> tuple[int, ...]:
    """Mailboxes with something to file now."""
    query = sa.select(filings.c.mailbox_id).where(_free(now)).distinct().order_by(filings.c.mailbox_id)
    with reading(store.engine) as connection:
        return tuple(connection.execute(query).scalars())


def claim_filings(
    store: Store, mailbox_id: int, token: str, now: datetime, lease: timedelta, limit: int
) -> tuple[ToFile, ...]:
    """Take what is to be done in one mailbox; a claim ends by itself and everything here is repeatable."""
    free = sa.and_(_free(now), filings.c.mailbox_id == mailbox_id)
    chosen = sa.select(filings.c.id).where(free).order_by(filings.c.id).limit(limit)
    take = (
        sa.update(filings)
        .where(filings.c.id.in_(pass_over(chosen)), free)
        .values(claimed_by=token, claimed_until=now + lease)
        .returning(filings.c.id)
    )
    with writing(store.engine) as connection:
        taken = list(connection.execute(take).scalars())
        rows = connection.execute(_describe().where(filings.c.id.in_(taken)).order_by(filings.c.id)).all()
    return tuple(
        ToFile(
            r.id,
            r.mailbox_id,
            r.action,
            r.folder,
            r.attempts,
            r.source or "",
            r.uidvalidity or 0,
            r.uid or 0,
            r.letter_id,
            r.header_id or "",
            r.body or b"",
            token,
        )
        for r in rows
    )


def _free(now: datetime) -> sa.ColumnElement[bool]:
    due = sa.or_(filings.c.next_try_at.is_(None), filings.c.next_try_at <= now)
    unclaimed = sa.or_(filings.c.claimed_until.is_(None), filings.c.claimed_until < now)
    return sa.and_(filings.c.state == "open", due, unclaimed)


def _describe() -> sa.Select[tuple[object, ...]]:
    columns = (
        filings.c.id,
        filings.c.mailbox_id,
        filings.c.action,
        filings.c.folder,
        filings.c.attempts,
        deliveries.c.folder.label("source"),
        deliveries.c.uidvalidity,
        deliveries.c.uid,
        filings.c.letter_id,
        letters.c.header_id,
        letters.c.body,
    )
    joined = filings.outerjoin(deliveries, deliveries.c.id == filings.c.delivery_id)
    return sa.select(*columns).select_from(joined.outerjoin(letters, letters.c.id == filings.c.letter_id))


def end_filings(store: Store, done: Sequence[ToFile]) -> None:
    """These are done; a draft that lies in its mailbox says so in its letter."""
    ids = [one.id for one in done]
    drafts = [one.letter_id for one in done if one.action == "draft"]
    with writing(store.engine) as connection:
        connection.execute(
            sa.update(filings).where(filings.c.id.in_(ids)).values(state="done", claimed_by="", claimed_until=None)
        )
        connection.execute(
            sa.update(letters).where(letters.c.id.in_(drafts), letters.c.state == "draft").values(state="drafted")
        )


def put_off(store: Store, untouched: Sequence[ToFile], next_try: datetime) -> None:
    """Their mailbox can't be reached: they wait as long as it takes, and no attempt counts."""
    with writing(store.engine) as connection:
        for one in untouched:
            own = sa.and_(filings.c.id == one.id, filings.c.claimed_by == one.token)
            waiting = {"next_try_at": next_try, "claimed_by": "", "claimed_until": None}
            connection.execute(sa.update(filings).where(own).values(**waiting))


def postpone_filings(store: Store, failed: Sequence[ToFile], next_try: datetime, most: int) -> None:
    """Try these again later; after `most` attempts they are given up."""
    with writing(store.engine) as connection:
        for one in failed:
            state = "given_up" if one.attempts + 1 >= most else "open"
            connection.execute(
                sa.update(filings)
                .where(filings.c.id == one.id, filings.c.claimed_by == one.token)
                .values(
                    state=state,
                    attempts=one.attempts + 1,
                    next_try_at=next_try,
                    claimed_by="",
                    claimed_until=None,
                )
            )
