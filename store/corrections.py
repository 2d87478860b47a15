"""What people did with the desk's verdicts: kept, counted, learnt from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from desk.corrections import ANSWERED, RELABELLED, Kind, Lesson, Standing
from desk.drift import Corrected, Judged
from store.engine import changed, reading, upsert, writing
from store.facts import letters, tickets
from store.intake import deliveries
from store.memory import Store
from store.messages import messages
from store.outcomes import decisions, events, filings, origins
from store.tables import Correction, Meta, table

corrections = table(Correction)
meta = table(Meta)

NAMED = 500  # Message-IDs asked for at once


@dataclass(frozen=True, slots=True)
class CorrectionView:
    """A correction as it is listed: ids, categories and words."""

    id: int
    message_id: int
    number: str  # of the ticket
    at: datetime
    kind: str
    was: str
    became: str
    source: str


@dataclass(frozen=True, slots=True)
class OpenDraft:
    """A draft of which it isn't known yet what its agent made of it; `answers` is the Message-ID of the request."""

    letter_id: int
    message_id: int
    header_id: str
    answers: str
    number: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agent's letter says of a verdict; `text` is what may be learnt from it, under pseudonyms."""

    standing: Standing
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Looked:
    """How far a folder was looked through."""

    uidvalidity: int = 0
    last_uid: int = 0


# --- the verdicts --------------------------------------------------------------------------------------------


def find_messages(store: Store, mailbox_id: int, header_ids: Collection[str]) -> dict[str, int]:
    """Message-ID → message, for those that exactly one mail of this mailbox bears: another may have stolen it."""
    here = sa.exists().where(deliveries.c.message_id == messages.c.id, deliveries.c.mailbox_id == mailbox_id)
    found: dict[str, list[int]] = {}
    with reading(store.engine) as connection:
        for named in _split(header_ids):
            these = sa.select(messages.c.id, messages.c.header_id).where(messages.c.header_id.in_(named), here)
            for row in connection.execute(these):
                found.setdefault(row.header_id, []).append(row.id)
    return {header_id: ids[0] for header_id, ids in found.items() if len(ids) == 1}


def _split(header_ids: Collection[str]) -> Iterable[list[str]]:
    named = sorted(set(header_ids) - {""})
    return (named[start : start + NAMED] for start in range(0, len(named), NAMED))


def read_standings(store: Store, message_ids: Sequence[int]) -> dict[int, Standing]:
    """How the categories of these mails stand."""
    wanted = messages.c.id.in_(message_ids)
    columns = (messages.c.id, messages.c.state, messages.c.category, tickets.c.category.label("of_ticket"))
    for_another = sa.and_(origins.c.message_id.is_not(None), tickets.c.contact_id != messages.c.contact_id)
    of_mail = sa.and_(deliveries.c.message_id == messages.c.id, deliveries.c.uidvalidity > 0)
    boxes = sa.select(sa.func.count(deliveries.c.mailbox_id.distinct())).where(of_mail).scalar_subquery()
    joined = (
        sa.select(*columns, for_another.label("passed_on"), boxes.label("boxes"))
        .outerjoin(tickets, tickets.c.id == messages.c.ticket_id)
        .outerjoin(origins, origins.c.message_id == messages.c.id)
        .where(wanted)
    )
    with reading(store.engine) as connection:
        relabelled = {row.message_id: row for row in connection.execute(_select_relabelled(message_ids))}
        sources = {row.message_id: row.source for row in connection.execute(_select_decisions(message_ids))}
        filed = {row.message_id: row.folder for row in connection.execute(_select_moves(message_ids))}
        rows = connection.execute(joined).all()
    return {row.id: _tell_standing(row, relabelled.get(row.id), sources, filed) for row in rows}


def _select_relabelled(message_ids: Sequence[int]) -> sa.Select[Any]:
    these = sa.and_(corrections.c.message_id.in_(message_ids), corrections.c.kind.in_(RELABELLED))
    return sa.select(corrections.c.message_id, corrections.c.kind, corrections.c.was).where(these)


def _select_decisions(message_ids: Sequence[int]) -> sa.Select[Any]:
    """The latest decision of each comes last."""
    these = sa.select(decisions.c.message_id, decisions.c.source).where(decisions.c.message_id.in_(message_ids))
    return these.order_by(decisions.c.revision)


def _select_moves(message_ids: Sequence[int]) -> sa.Select[Any]:
    moves = sa.select(deliveries.c.message_id, filings.c.folder).join(filings, filings.c.delivery_id == deliveries.c.id)
    return moves.where(deliveries.c.message_id.in_(message_ids), filings.c.action == "move").order_by(filings.c.id)


def _tell_standing(row: Any, relabelled: Any, sources: dict[int, str], filed: dict[int, str]) -> Standing:
    return Standing(
        message_id=row.id,
        state=row.state,
        category=row.category,
        was=relabelled.was if relabelled else row.category,
        changed=relabelled.kind if relabelled else "",
        source=sources.get(row.id, ""),
        ticket_category=row.of_ticket or "",
        filed=filed.get(row.id, ""),
        passed_on=bool(row.passed_on),
        shared=row.boxes > 1,
    )


# --- corrections ---------------------------------------------------------------------------------------------


def relabel_mail(store: Store, standing: Standing, kind: Kind, became: str, text: str, now: datetime) -> bool:
    """A person has another category for a mail, and for the ticket that it opened. The latest word counts; the desk's
    own again takes the correction back. False when somebody changed it meanwhile, with nothing done.
    """
    of_mail = messages.c.id == standing.message_id
    same = sa.and_(of_mail, messages.c.category == standing.category, messages.c.state == standing.state)
    with writing(store.engine) as connection:
        if changed(connection.execute(sa.update(messages).where(same).values(category=became))) != 1:
            return False
        older = sa.and_(corrections.c.message_id == standing.message_id, corrections.c.kind.in_(RELABELLED))
        connection.execute(sa.delete(corrections).where(older))
        if became != standing.was:
            row = _describe(standing, kind, became, text, now)
            connection.execute(sa.insert(corrections).values(**row))
        _relabel_ticket(connection, standing.message_id, became, now)
    return True


def _describe(standing: Standing, kind: Kind, became: str, text: str, now: datetime) -> dict[str, object]:
    return {
        "message_id": standing.message_id,
        "at": now,
        "kind": kind.value,
        "was": standing.was,
        "became": became,
        "source": standing.source,
        "text": text,
    }


def _relabel_ticket(connection: sa.Connection, message_id: int, became: str, now: datetime) -> None:
    """The ticket that this mail opened; a decision that is under way about it is made again."""
    opened = sa.select(origins.c.ticket_id).where(origins.c.message_id == message_id).scalar_subquery()
    these = sa.update(tickets).where(tickets.c.id == opened, tickets.c.category != became)
    taken = these.values(category=became, version=tickets.c.version + 1).returning(tickets.c.id, tickets.c.status)
    for row in connection.execute(taken).all():
        event = {"ticket_id": row.id, "at": now, "word": "recategorised", "status": row.status}
        connection.execute(sa.insert(events).values(**event, message_id=message_id))


def keep_answer(store: Store, answer: Answer, now: datetime) -> bool:
    """What became of a mail's draft, once; False when that was known."""
    with writing(store.engine) as connection:
        return insert_answer(connection, answer, now)


def insert_answer(connection: sa.Connection, answer: Answer, now: datetime) -> bool:
    """The same within a transaction that does more."""
    standing = answer.standing
    known = sa.and_(corrections.c.message_id == standing.message_id, corrections.c.kind.in_(ANSWERED))
    connection.execute(sa.select(messages.c.id).where(messages.c.id == standing.message_id).with_for_update())
    if connection.execute(sa.select(corrections.c.id).where(known)).first():
        return False
    row = _describe(standing, answer.kind, standing.category, answer.text, now) | {"was": standing.category}
    connection.execute(sa.insert(corrections).values(**row))
    return True


def list_corrections(store: Store) -> tuple[CorrectionView, ...]:
    """Every correction, the latest first; no text."""
    columns = [tickets.c.number if name == "number" else corrections.c[name] for name in CorrectionView.__slots__]
    joined = (
        sa.select(*columns)
        .join(messages, messages.c.id == corrections.c.message_id)
        .outerjoin(tickets, tickets.c.id == messages.c.ticket_id)
        .order_by(corrections.c.at.desc(), corrections.c.id.desc())
    )
    with reading(store.engine) as connection:
        rows = connection.execute(joined).all()
    return tuple(CorrectionView(**{**row._mapping, "number": row.number or ""}) for row in rows)


# --- drafts --------------------------------------------------------------------------------------------------


def list_open_drafts(store: Store, mailbox_id: int) -> tuple[OpenDraft, ...]:
    """Drafts of a mailbox of which nothing is known yet."""
    known = sa.exists().where(corrections.c.message_id == letters.c.message_id, corrections.c.kind.in_(ANSWERED))
    with reading(store.engine) as connection:
        rows = connection.execute(select_drafts().where(letters.c.mailbox_id == mailbox_id, ~known)).all()
    return tuple(map(describe_draft, rows))


def select_drafts() -> sa.Select[Any]:
    """Drafts that still have their words, in the order they were made; an agent may have used a withdrawn one."""
    columns = (letters.c.id, letters.c.message_id, letters.c.header_id, letters.c.ticket_id)
    made = sa.and_(letters.c.state.in_(("draft", "drafted", "withdrawn")), letters.c.body.is_not(None))
    return (
        sa.select(*columns, messages.c.header_id.label("answers"), tickets.c.number)
        .join(messages, messages.c.id == letters.c.message_id)
        .outerjoin(tickets, tickets.c.id == letters.c.ticket_id)
        .where(letters.c.purpose == "draft", made)
        .order_by(letters.c.id)
    )


def describe_draft(row: Any) -> OpenDraft:
    return OpenDraft(row.id, row.message_id, row.header_id, row.answers, row.number or "")


def read_draft(store: Store, letter_id: int) -> bytes:
    """Its bytes; empty once they are forgotten."""
    with reading(store.engine) as connection:
        found: bytes | None = connection.execute(sa.select(letters.c.body).where(letters.c.id == letter_id)).scalar()
    return found or b""


def find_letters(store: Store, header_ids: Collection[str]) -> frozenset[str]:
    """Those of these Message-IDs that letters of ours bear."""
    with reading(store.engine) as connection:
        these = [sa.select(letters.c.header_id).where(letters.c.header_id.in_(named)) for named in _split(header_ids)]
        return frozenset(one for query in these for one in connection.execute(query).scalars())


# --- how far folders were looked through ---------------------------------------------------------------------


def read_looked(store: Store, mailbox_id: int, folder: str) -> Looked:
    known = sa.select(meta.c.value).where(meta.c.key == _name_look(mailbox_id, folder))
    with reading(store.engine) as connection:
        value = connection.execute(known).scalar()
    return Looked(*map(int, value.split())) if value else Looked()


def keep_looked(store: Store, mailbox_id: int, folder: str, looked: Looked) -> None:
    row = {"key": _name_look(mailbox_id, folder), "value": f"{looked.uidvalidity} {looked.last_uid}"}
    with writing(store.engine) as connection:
        upsert(connection, meta, row, ("key",), ("value",))


def _name_look(mailbox_id: int, folder: str) -> str:
    """Apart from the intake's cursors: a folder that is looked through may be brought in one day."""
    return f"looked through {mailbox_id} {folder}"


# --- what is learnt and counted ------------------------------------------------------------------------------


def list_lessons(store: Store) -> tuple[Lesson, ...]:
    """Texts that people have a category for: of each mail the one they changed it to, else the one whose draft they
    sent as it was.
    """
    latest = _select_latest().subquery()
    columns = (corrections.c.message_id, corrections.c.at, corrections.c.kind, corrections.c.became, corrections.c.text)
    joined = (
        sa.select(*columns, tickets.c.priority.label("of_ticket"), latest.c.priority)
        .join(messages, messages.c.id == corrections.c.message_id)
        .outerjoin(tickets, tickets.c.id == messages.c.ticket_id)
        .outerjoin(latest, latest.c.message_id == corrections.c.message_id)
        .where(corrections.c.kind.in_((*RELABELLED, Kind.SENT)), corrections.c.text != "")
        .order_by(corrections.c.kind.in_(RELABELLED), corrections.c.id)  # what was changed counts last
    )
    with reading(store.engine) as connection:
        found = {row.message_id: row for row in connection.execute(joined)}
    return tuple(
        Lesson(row.text, row.became, row.of_ticket or row.priority or "normal", row.at) for row in found.values()
    )


def list_verdicts(store: Store, since: datetime) -> tuple[Judged, ...]:
    """Every verdict with a category, as the desk had it."""
    latest = _select_latest().where(decisions.c.at >= since, decisions.c.category != "")
    with reading(store.engine) as connection:
        rows = connection.execute(latest.order_by(decisions.c.id)).all()
    return tuple(Judged(row.message_id, row.at, row.category) for row in rows)


def list_corrected(store: Store, since: datetime) -> tuple[Corrected, ...]:
    """What people did with these verdicts."""
    latest = _select_latest().where(decisions.c.at >= since).subquery()
    joined = sa.select(corrections.c.message_id, corrections.c.kind)
    with reading(store.engine) as connection:
        rows = connection.execute(joined.join(latest, latest.c.message_id == corrections.c.message_id)).all()
    return tuple(Corrected(row.message_id, row.kind) for row in rows)


def list_opened(store: Store, since: datetime) -> tuple[tuple[str, datetime], ...]:
    """Category and opening of every ticket that live mail opened: what a backfill opens says nothing of the day."""
    joined = sa.select(tickets.c.category, tickets.c.opened_at).join(origins, origins.c.ticket_id == tickets.c.id)
    live = joined.join(messages, messages.c.id == origins.c.message_id).where(messages.c.arrival == "live")
    with reading(store.engine) as connection:
        return tuple(
            (row.category, row.opened_at) for row in connection.execute(live.where(tickets.c.opened_at >= since))
        )


def _select_latest() -> sa.Select[Any]:
    """The latest decision on each mail."""
    last = sa.select(sa.func.max(decisions.c.id)).group_by(decisions.c.message_id)
    columns = (decisions.c.message_id, decisions.c.at, decisions.c.category, decisions.c.priority)
    return sa.select(*columns).where(decisions.c.id.in_(last))
