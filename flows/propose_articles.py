"""Propose articles of questions that people have answered more than once; nothing is published without a person."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.shared import SHOWN_ROWS, end_well, show_table
from store.faq import CandidateLine
from tasks.guard import guarded
from tasks.proposing import propose_articles as propose


@flow(name="propose-articles")
@guarded("propose-articles")
def propose_articles() -> State[Any]:
    """Compare the questions of resolved tickets and propose those asked often; see `byreturn faq list`."""
    done = propose()
    if done.waiting:
        rows = [describe_candidate(one) for one in done.waiting[:SHOWN_ROWS]]
        show_table("articles-proposed", rows, "Questions without an article: `byreturn faq show ID`")
    return end_well(f"{done.fresh} articles proposed, {len(done.waiting)} wait for a person")


def describe_candidate(one: CandidateLine) -> dict[str, Any]:
    """Ids, labels and numbers."""
    return asdict(one) | {"at": f"{one.at:%Y-%m-%d}"}
