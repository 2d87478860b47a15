"""Door 8's memory: letters are claimed one chunk at a time; each one's state is kept before and after it is sent.

    queued ─→ sending ─→ sent | partly | refused | queued again (later) | unknown
A letter found in `sending` with its claim ended was in flight when its worker died: its fate is unknown, it is shown
to a person and never sent again blindly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from desk.errors import ClaimLost
from store.engine import changed, pass_over, reading, writing
from store.facts import letters, recipients
from store.memory import Store


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A letter claimed for sending: `recipients` are those not yet served."""

    id: int
    mailbox_id: int | None
    sender: str
    body: bytes
    attempts: int
    recipients: tuple[str, ...]
    token: str


def claim_letters(store: Store, token: str, now: datetime, lease: timedelta, limit: int) -> tuple[Outgoing, ...]:
    """Take up to `limit` letters whose time has come, oldest first."""
    free = sa.and_(
        letters.c.state == "queued",
        sa.or_(letters.c.next_try_at.is_(None), letters.c.next_try_at <= now),
        sa.or_(letters.c.claimed_until.is_(None), letters.c.claimed_until < now),
    )
    chosen = sa.select(letters.c.id).where(free).order_by(letters.c.id).limit(limit)
    take = (
        sa.update(letters)
        .where(letters.c.id.in_(pass_over(chosen)), free)
        .values(claimed_by=token, claimed_until=now + lease)
        .returning(letters.c.id)
    )
    with writing(store.engine) as connection:
        taken = sorted(connection.execute(take).scalars())
    return tuple(_read_letter(store, letter_id, token) for letter_id in taken)


def _read_letter(store: Store, letter_id: int, token: str) -> Outgoing:
    columns = (letters.c.id, letters.c.mailbox_id, letters.c.sender, letters.c.body, letters.c.attempts)
    open_ones = sa.select(recipients.c.address).where(
        recipients.c.letter_id == letter_id, recipients.c.state == "queued", recipients.c.address.is_not(None)
    )
    with reading(store.engine) as connection:
        row = connection.execute(sa.select(*columns).where(letters.c.id == letter_id)).one()
        people = tuple(connection.execute(open_ones.order_by(recipients.c.id)).scalars())
    return Outgoing(row.id, row.mailbox_id, row.sender, row.body or b"", row.attempts, people, token)


def begin_sending(store: Store, letter: Outgoing, until: datetime) -> None:
    """The state kept before DATA. Raises ClaimLost when another worker has the letter: then it must not go out."""
    own = sa.and_(letters.c.id == letter.id, letters.c.claimed_by == letter.token, letters.c.state == "queued")
    started = (
        sa.update(letters).where(own).values(state="sending", claimed_until=until, attempts=letters.c.attempts + 1)
    )
    with writing(store.engine) as connection:
        if changed(connection.execute(started)) != 1:
            raise ClaimLost(f"letter {letter.id}")


def end_sending(
    store: Store,
    letter: Outgoing,
    state: str,
    results: Mapping[str, tuple[str, str]],
    now: datetime,
    *,
    next_try: datetime | None = None,
    error_code: str = "",
) -> str:
    """The state kept after, which is returned: `results` is address → (state, SMTP code).

    Without a result there was no attempt. A letter that earlier attempts brought to some is "partly" sent in the end.
    """
    own = sa.and_(letters.c.id == letter.id, letters.c.claimed_by == letter.token)
    values = {
        "error_code": error_code,
        "next_try_at": next_try,
        "attempts": letter.attempts + bool(results),
        "claimed_by": "",
        "claimed_until": None,
    }
    with writing(store.engine) as connection:
        if changed(connection.execute(sa.update(letters).where(own).values(**values))) != 1:
            return "lost"  # its claim lapsed and others have judged its fate since
        for address, (result, code) in results.items():
            one = sa.and_(recipients.c.letter_id == letter.id, recipients.c.address == address)
            connection.execute(sa.update(recipients).where(one).values(state=result, code=code))
        final = _sum_up(connection, letter.id, state)
        sent_at = now if final in ("sent", "partly") else None
        connection.execute(sa.update(letters).where(letters.c.id == letter.id).values(state=final, sent_at=sent_at))
    return final


def _sum_up(connection: sa.Connection, letter_id: int, state: str) -> str:
    """The state of a letter that is done with, after that of all its recipients."""
    found = sa.select(recipients.c.state).where(recipients.c.letter_id == letter_id).distinct()
    states = set(connection.execute(found).scalars())
    mixed = state in ("sent", "refused") and "sent" in states and len(states) > 1
    return "partly" if mixed else state


def release_letters(store: Store, token: str) -> None:
    """Give back letters that were claimed and not begun."""
    own = sa.and_(letters.c.claimed_by == token, letters.c.state == "queued")
    with writing(store.engine) as connection:
        connection.execute(sa.update(letters).where(own).values(claimed_by="", claimed_until=None))


def mark_unknown(store: Store, now: datetime) -> tuple[int, ...]:
    """Letters whose worker died between DATA and its answer: state `unknown`, never resent by the desk."""
    lost = sa.and_(letters.c.state == "sending", letters.c.claimed_until < now)
    with writing(store.engine) as connection:
        found = list(
            connection.execute(
                sa.update(letters)
                .where(lost)
                .values(state="unknown", claimed_by="", claimed_until=None)
                .returning(letters.c.id)
            ).scalars()
        )
        open_ones = sa.and_(recipients.c.letter_id.in_(found), recipients.c.state == "queued")
        connection.execute(sa.update(recipients).where(open_ones).values(state="unknown"))
    return tuple(found)
