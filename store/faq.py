"""Resolved tickets that a person answered, and the articles proposed of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from desk.facts import Status
from desk.faq import Answered, Proposal
from store.engine import changed, insert_new, reading, writing
from store.facts import tickets
from store.memory import Store
from store.messages import messages
from store.outcomes import origins
from store.tables import AgentLetter, FaqCandidate, table

agent_letters = table(AgentLetter)
candidates = table(FaqCandidate)

DONE = (Status.RESOLVED, Status.CLOSED)


@dataclass(frozen=True, slots=True)
class CandidateLine:
    """A proposed article as it is listed: no text."""

    id: int
    at: datetime
    state: str
    category: str
    language: str
    alike: int
    article: str


@dataclass(frozen=True, slots=True)
class CandidateView:
    """A proposed article with its texts, under pseudonyms."""

    id: int
    state: str
    category: str
    language: str
    alike: int
    question: str
    answer: str


def list_answered(store: Store, limit: int) -> tuple[Answered, ...]:
    """The latest resolved tickets that a person answered, one row each: the mail that opened it, the last answer.

    `question` is there of those that were proposed; of the others it lies in the mail.
    """
    told = agent_letters.alias("told")
    latest = sa.select(sa.func.max(told.c.at)).where(told.c.ticket_id == tickets.c.id, told.c.text != "")
    instant = latest.correlate(tickets).scalar_subquery()
    last = sa.and_(agent_letters.c.ticket_id == tickets.c.id, agent_letters.c.at == instant)
    columns = (
        messages.c.id, tickets.c.opened_at, tickets.c.category, tickets.c.language, agent_letters.c.text,
        candidates.c.id.label("candidate"), candidates.c.question,
    )  # fmt: skip
    joined = (
        sa.select(*columns)
        .select_from(tickets)
        .join(agent_letters, last)
        .join(origins, origins.c.ticket_id == tickets.c.id)
        .join(messages, messages.c.id == origins.c.message_id)
        .outerjoin(candidates, candidates.c.message_id == messages.c.id)
        .where(tickets.c.status.in_(DONE), messages.c.state == "decided", agent_letters.c.text != "")
        .order_by(tickets.c.id.desc())
        .limit(limit)
    )
    with reading(store.engine) as connection:
        rows = {row.id: row for row in connection.execute(joined)}
    return tuple(
        Answered(row.id, row.opened_at, row.category, row.language, row.question or "", row.text, row.candidate or 0)
        for row in rows.values()
    )


def keep_proposals(store: Store, proposals: Sequence[Proposal], now: datetime) -> int:
    """Keep what is new, count anew what is known; how many are new. A mail that was erased meanwhile makes none."""
    fresh = [one for one in proposals if not one.answered.candidate]
    ids = [one.answered.message_id for one in fresh]
    living = sa.select(messages.c.id).where(messages.c.id.in_(ids), messages.c.state == "decided").with_for_update()
    with writing(store.engine) as connection:
        there = set(connection.execute(living).scalars())
        rows = [_describe(one, now) for one in fresh if one.answered.message_id in there]
        kept = insert_new(connection, candidates, rows)
        for one in proposals:
            known = sa.update(candidates).where(candidates.c.id == one.answered.candidate)
            connection.execute(known.values(alike=one.alike))
    return kept


def _describe(proposal: Proposal, now: datetime) -> dict[str, object]:
    one = proposal.answered
    return {
        "message_id": one.message_id, "at": now, "category": one.category, "language": one.language,
        "question": one.question, "answer": one.answer, "alike": proposal.alike, "state": "proposed", "article": "",
    }  # fmt: skip


def list_candidates(store: Store) -> tuple[CandidateLine, ...]:
    """Those that wait for a person first, the most asked before the others."""
    told = sa.case(
        (sa.and_(candidates.c.state == "proposed", candidates.c.answer == ""), "erased"), else_=candidates.c.state
    )
    columns = [told.label("state") if name == "state" else candidates.c[name] for name in CandidateLine.__slots__]
    order = (candidates.c.state != "proposed", candidates.c.alike.desc(), candidates.c.id)
    with reading(store.engine) as connection:
        return tuple(CandidateLine(**row._mapping) for row in connection.execute(sa.select(*columns).order_by(*order)))


def find_candidate(store: Store, candidate_id: int) -> CandidateView | None:
    columns = [candidates.c[name] for name in CandidateView.__slots__]
    with reading(store.engine) as connection:
        row = connection.execute(sa.select(*columns).where(candidates.c.id == candidate_id)).first()
    return CandidateView(**row._mapping) if row else None


def settle_candidate(store: Store, candidate_id: int, state: str, article: str = "") -> bool:
    """What a person said of it, once: `approved` or `rejected`. False when that was said already."""
    waiting = sa.and_(candidates.c.id == candidate_id, candidates.c.state == "proposed")
    with writing(store.engine) as connection:
        settled = connection.execute(sa.update(candidates).where(waiting).values(state=state, article=article))
        return bool(changed(settled))
