"""Door 9's memory: what is still to do in the mailboxes themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from store.after import EDITED, filings
from store.engine import pass_over, reading, writing
from store.facts import letters
from store.intake import deliveries
from store.letterlog import note_letters
from store.memory import Store
from store.tables import Event, table

events = table(Event)
laying = filings.alias("laying")

# How a withdrawal may end.
WITHDRAWN, GONE, MARKED = "withdrawn", "gone", "marked"
NO_WORDS: Mapping[int, str] = {}


@dataclass(frozen=True, slots=True)
class ToFile:
    """One thing to do; a move names a UID, the others carry the letter's bytes."""

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
    sent_at: datetime | None = None


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
            r.sent_at,
        )
        for r in rows
    )


def _free(now: datetime) -> sa.ColumnElement[bool]:
    due = sa.or_(filings.c.next_try_at.is_(None), filings.c.next_try_at <= now)
    unclaimed = sa.or_(filings.c.claimed_until.is_(None), filings.c.claimed_until < now)
    return sa.and_(filings.c.state == "open", due, unclaimed, ~_is_being_laid())


def _is_being_laid() -> sa.ColumnElement[bool]:
    """A draft that a worker may be laying just now is withdrawn after that."""
    same = sa.and_(laying.c.letter_id == filings.c.letter_id, laying.c.action == "draft", laying.c.state == "open")
    return sa.and_(filings.c.action == "withdraw", sa.exists().where(same))


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
        letters.c.sent_at,
    )
    joined = filings.outerjoin(deliveries, deliveries.c.id == filings.c.delivery_id)
    return sa.select(*columns).select_from(joined.outerjoin(letters, letters.c.id == filings.c.letter_id))


def holds_claim(store: Store, one: ToFile) -> bool:
    """Fence: whether this is still ours to do, and still to be done."""
    own = sa.select(filings.c.id).where(filings.c.id == one.id, filings.c.claimed_by == one.token)
    with reading(store.engine) as connection:
        return connection.execute(own.where(filings.c.state == "open")).first() is not None


def end_filings(store: Store, done: Sequence[ToFile], now: datetime, words: Mapping[int, str] = NO_WORDS) -> None:
    """These are done; the letters of drafts say what became of them: `words` tell it of a withdrawal (id → word)."""
    ids = [one.id for one in done]
    drafts = [one.letter_id for one in done if one.action == "draft" and one.letter_id]
    with writing(store.engine) as connection:
        connection.execute(
            sa.update(filings).where(filings.c.id.in_(ids)).values(state="done", claimed_by="", claimed_until=None)
        )
        laid = sa.update(letters).where(letters.c.id.in_(drafts), letters.c.state == "draft").values(state="drafted")
        note_letters(connection, connection.execute(laid.returning(letters.c.id)).scalars().all(), "drafted", now)
        for one in done:
            if one.action == "withdraw" and one.letter_id:
                _end_withdrawal(connection, one.letter_id, words.get(one.id, WITHDRAWN), now)


def _end_withdrawal(connection: sa.Connection, letter_id: int, word: str, now: datetime) -> None:
    """The letter says why: the agent was first, or its ticket is settled; what an agent has edited stays a draft."""
    answered = sa.exists().where(events.c.ticket_id == letters.c.ticket_id, events.c.word == "agent")
    why = EDITED if word == EDITED else sa.case((answered, "agent"), else_="settled")
    values = {"reason": why} if word == EDITED else {"reason": why, "state": "withdrawn"}
    these = sa.update(letters).where(letters.c.id == letter_id, letters.c.state.in_(("draft", "drafted")))
    told = connection.execute(these.values(**values).returning(letters.c.id)).scalars().all()
    code = word if word in (GONE, MARKED) else ""
    note_letters(connection, told, EDITED if word == EDITED else "withdrawn", now, code)


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
