"""Propose articles: questions that several resolved tickets asked and people answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from desk.faq import Answered, find_proposals
from store.corrections import read_standings
from store.faq import CandidateLine, keep_proposals, list_answered, list_candidates
from store.memory import Store
from tasks.guard import guarded, keep_cause
from tasks.learning import recall_text
from tasks.opening import open_policy, open_store

MOST = 500  # resolved tickets, the latest: an older question that is still asked has younger ones beside it


@dataclass(frozen=True, slots=True)
class Proposed:
    """How many articles are new, and all that wait for a person."""

    fresh: int
    waiting: tuple[CandidateLine, ...]


@task(name="propose articles", cache_policy=NO_CACHE)
@guarded("propose articles")
def propose_articles() -> Proposed:
    """Look through what was resolved lately. Nothing is published: a person reads it first, see `byreturn faq`."""
    store, policy = open_store(), open_policy()
    answered = list(recall_questions(store, list_answered(store, MOST)))
    fresh = keep_proposals(store, find_proposals(answered, policy.knowledge.propose_after), datetime.now(UTC))
    get_run_logger().info("articles: %d proposed of %d resolved tickets", fresh, len(answered))
    return Proposed(fresh, tuple(one for one in list_candidates(store) if one.state == "proposed"))


def recall_questions(store: Store, answered: Sequence[Answered]) -> Iterator[Answered]:
    """Each with its question, under pseudonyms; a mail whose bytes are gone or can't be read asks nothing any more."""
    standings = read_standings(store, [one.message_id for one in answered])
    for one in answered:
        try:
            text = one.question or recall_text(store, standings[one.message_id])
        except Exception as trouble:  # noqa: BLE001 - one bad mail never holds up another
            keep_cause("propose articles", trouble)
            continue
        if text:
            yield replace(one, question=text)
