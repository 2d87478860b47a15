"""Judgements asked for in batches: which mails wait for which batch, who has it in hands, and what came of it.

    open ── name_job ──> asked ── end_batch ──> done | failed

A mail is in one batch at most, ever, and is put there before anybody is asked about it. Until its `held_until` it is
not decided; then, and as soon as its batch ends, it goes the way of all others.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from desk.classification import Role, Trouble
from desk.errors import ClaimLost
from desk.facts import Arrival
from store.engine import changed, insert_rows, pass_over, reading, writing
from store.judgings import Said, add_judgements, add_spending
from store.memory import Store
from store.messages import Waiting, conversations, judging_items, messages
from store.tables import JudgingBatch, table

batches = table(JudgingBatch)

BATCH_MAILS = 1_000  # of whole conversations: a longer one is a batch of its own
TOUCH = timedelta(seconds=5)  # a claim by a batch, which a worker that looked a moment ago finds in its way
UNENDED = ("open", "asked")


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch in somebody's hands, with the claim that fences it."""

    id: int
    marker: str
    job: str
    state: str
    model: str
    prompt: str
    policy_version: str
    created_at: datetime
    token: str


def count_backfill(store: Store) -> int:
    """Backfilled mails that nobody has tried to decide and that are in no batch."""
    with reading(store.engine) as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(messages).where(_fresh())).scalar_one())


def reserve_backfill(store: Store, over: int, now: datetime, span: timedelta) -> int:
    """When more than `over` backfilled mails wait, put them all into batches and hold them for at most `span`; how many
    that were. Asks nobody.
    """
    if count_backfill(store) <= over:
        return 0
    reserved = 0
    while took := _reserve_batch(store, now, now + span):
        reserved += took
    return reserved


def _fresh() -> sa.ColumnElement[bool]:
    waiting = sa.and_(messages.c.state == "waiting", messages.c.next_try_at.is_(None), messages.c.attempts == 0)
    placed = sa.exists().where(judging_items.c.message_id == messages.c.id)
    return sa.and_(waiting, messages.c.arrival == Arrival.BACKFILL.value, ~placed)


def _reserve_batch(store: Store, now: datetime, until: datetime) -> int:
    """One batch of conversations that nobody has in hands and where nothing but old mail waits."""
    with writing(store.engine) as connection:
        marker = uuid.uuid4().hex
        chosen = _choose_mails(connection, _take_conversations(connection, marker, now))
        if chosen:
            batch_id = _add_batch(connection, marker, now)
            rows = [{"message_id": one, "batch_id": batch_id, "state": "held", "held_until": until} for one in chosen]
            connection.execute(sa.insert(judging_items), rows)
    return len(chosen)


def _take_conversations(connection: sa.Connection, marker: str, now: datetime) -> list[int]:
    """Claimed for a moment, in the same commit as their items: a worker that chose before it and locks after it then
    finds them taken, for PostgreSQL looks again at the row that it locks, and at no other.
    """
    free = sa.or_(conversations.c.claimed_until.is_(None), conversations.c.claimed_until < now)
    thread = sa.select(messages.c.conversation_id)
    other = thread.where(messages.c.state == "waiting", messages.c.arrival != Arrival.BACKFILL.value)
    chosen = (
        sa.select(conversations.c.id)
        .where(free, conversations.c.id.in_(thread.where(_fresh())), conversations.c.id.not_in(other))
        .order_by(conversations.c.id)
        .limit(BATCH_MAILS)
    )
    touched = sa.update(conversations).where(conversations.c.id.in_(pass_over(chosen)), free)
    values = {"claimed_by": marker, "claimed_until": now + TOUCH}
    return list(connection.execute(touched.values(**values).returning(conversations.c.id)).scalars())


def _choose_mails(connection: sa.Connection, taken: Sequence[int]) -> list[int]:
    """Mails of whole conversations, at most BATCH_MAILS of them; conversations left over are given back."""
    columns = (messages.c.conversation_id, messages.c.id)
    found = sa.select(*columns).where(messages.c.conversation_id.in_(taken), _fresh()).order_by(*columns)
    chosen: list[int] = []
    left: list[int] = []
    for conversation_id, rows in groupby(connection.execute(found).all(), lambda row: row.conversation_id):
        ids = [row.id for row in rows]
        fits = not left and (not chosen or len(chosen) + len(ids) <= BATCH_MAILS)
        (chosen if fits else left).extend(ids if fits else [conversation_id])
    _give_back(connection, conversations.c.id.in_(left))
    return chosen


def _give_back(connection: sa.Connection, these: sa.ColumnElement[bool]) -> None:
    connection.execute(sa.update(conversations).where(these).values(claimed_by="", claimed_until=None))


def _add_batch(connection: sa.Connection, marker: str, now: datetime) -> int:
    row = {"marker": marker, "job": "", "state": "open", "created_at": now, "claimed_by": ""}
    (batch_id,) = insert_rows(connection, batches, [{**row, "model": "", "prompt": "", "policy_version": ""}])
    return batch_id


# --- a batch in hands ----------------------------------------------------------------------------------------


def claim_batches(store: Store, token: str, now: datetime, lease: timedelta) -> tuple[Batch, ...]:
    """Take every batch that has not ended and that nobody has in hands, the oldest first."""
    free = sa.or_(batches.c.claimed_until.is_(None), batches.c.claimed_until < now)
    due = sa.and_(batches.c.state.in_(UNENDED), free)
    columns = [batches.c[name] for name in Batch.__slots__ if name != "token"]
    taken = sa.update(batches).where(due).values(claimed_by=token, claimed_until=now + lease).returning(*columns)
    with reading(store.engine) as connection:
        if connection.execute(sa.select(batches.c.id).where(due).limit(1)).first() is None:
            return ()  # most runs end here, and wait for no writer
    with writing(store.engine) as connection:
        rows = connection.execute(taken).all()
    return tuple(Batch(**row._mapping, token=token) for row in sorted(rows, key=lambda row: row.id))


def extend_batches(store: Store, token: str, until: datetime) -> None:
    """Keep what we hold while a job goes on."""
    with writing(store.engine) as connection:
        connection.execute(sa.update(batches).where(batches.c.claimed_by == token).values(claimed_until=until))


def release_batches(store: Store, token: str) -> None:
    """Give back what was not ended; the next run looks at it again."""
    these = sa.update(batches).where(batches.c.claimed_by == token)
    with writing(store.engine) as connection:
        connection.execute(these.values(claimed_by="", claimed_until=None))


def _hold(connection: sa.Connection, batch: Batch, **values: Any) -> None:
    """Fence: change a batch that is still ours. Raises ClaimLost."""
    own = sa.and_(batches.c.id == batch.id, batches.c.claimed_by == batch.token, batches.c.state.in_(UNENDED))
    if changed(connection.execute(sa.update(batches).where(own).values(claimed_by=batch.token, **values))) != 1:
        raise ClaimLost(f"batch {batch.id}")


def list_mails(store: Store, batch: Batch, state: str) -> tuple[Waiting, ...]:
    """Mails of a batch in this state that still wait for their decision, in the order they came."""
    columns = [messages.c[name] for name in Waiting.__slots__ if name != "token"]
    query = (
        sa.select(*columns)
        .join(judging_items, judging_items.c.message_id == messages.c.id)
        .where(judging_items.c.batch_id == batch.id, judging_items.c.state == state, messages.c.state == "waiting")
        .order_by(messages.c.id)
    )
    with reading(store.engine) as connection:
        return tuple(Waiting(**row._mapping, token="") for row in connection.execute(query))


def prepare_batch(
    store: Store, batch: Batch, asking: Sequence[int], model: str, prompt: str, policy_version: str
) -> None:
    """Who is going to be asked about which of its mails; the others are let go. Raises ClaimLost.

    A mail in whose conversation another is asked about waits with it: none may be overtaken.
    """
    own = judging_items.c.batch_id == batch.id
    spared = sa.and_(own, judging_items.c.state == "held", judging_items.c.message_id.not_in(asking))
    threads = sa.select(messages.c.conversation_id).where(messages.c.id.in_(asking))
    alone = sa.select(messages.c.id).where(messages.c.conversation_id.not_in(threads))
    with writing(store.engine) as connection:
        _hold(connection, batch, model=model, prompt=prompt, policy_version=policy_version)
        connection.execute(sa.update(judging_items).where(spared).values(state="spared"))
        let_go = sa.and_(own, judging_items.c.state == "spared", judging_items.c.message_id.in_(alone))
        connection.execute(sa.update(judging_items).where(let_go).values(held_until=None))
        _give_back(connection, conversations.c.claimed_by == batch.marker)


def name_job(store: Store, batch: Batch, job: str) -> None:
    """The job is there: from now on it is looked at and never asked for again. Raises ClaimLost."""
    held = sa.and_(judging_items.c.batch_id == batch.id, judging_items.c.state == "held")
    with writing(store.engine) as connection:
        _hold(connection, batch, job=job, state="asked")
        connection.execute(sa.update(judging_items).where(held).values(state="asked"))


def keep_answers(store: Store, batch: Batch, said: Mapping[int, Said], now: datetime, day: str, engine: str) -> int:
    """Answers of a batch, each kept and paid for once however often they come; how many are of use. `day` and `engine`
    name the account. Raises ClaimLost.
    """
    with writing(store.engine) as connection:
        _hold(connection, batch)
        asked = sa.and_(judging_items.c.batch_id == batch.id, judging_items.c.state == "asked")
        due = list(connection.execute(sa.select(judging_items.c.message_id).where(asked)).scalars())
        answers = {one: said[one] for one in due if one in said and not isinstance(said[one], Trouble)}
        troubles = {one: said[one] for one in due if one in said and one not in answers}
        for some, role, state in ((answers, Role.AHEAD, "answered"), (troubles, Role.TROUBLE, "failed")):
            add_judgements(connection, some, role, batch.policy_version, now)
            these = sa.update(judging_items).where(asked, judging_items.c.message_id.in_(list(some)))
            connection.execute(these.values(state=state))
        add_spending(connection, day, engine, [one.usage for one in (*answers.values(), *troubles.values())])
    return len(answers)


def end_batch(store: Store, batch: Batch, state: str, now: datetime) -> int:
    """Let all its mails go; how many without an answer they had been asked for. Raises ClaimLost."""
    own = judging_items.c.batch_id == batch.id
    missing = sa.and_(own, judging_items.c.state.in_(("held", "asked")))
    with writing(store.engine) as connection:
        _hold(connection, batch, state=state, ended_at=now)
        lost = changed(connection.execute(sa.update(judging_items).where(missing).values(state="failed")))
        connection.execute(sa.update(judging_items).where(own).values(held_until=None))
        connection.execute(sa.update(batches).where(batches.c.id == batch.id).values(claimed_by="", claimed_until=None))
        _give_back(connection, conversations.c.claimed_by == batch.marker)
    return lost


def count_items(store: Store, batch: Batch) -> dict[str, int]:
    """How many mails of a batch are in which state."""
    query = sa.select(judging_items.c.state, sa.func.count()).where(judging_items.c.batch_id == batch.id)
    with reading(store.engine) as connection:
        return {state: int(count) for state, count in connection.execute(query.group_by(judging_items.c.state))}
