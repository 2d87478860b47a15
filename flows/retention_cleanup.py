"""Anonymise and delete what has had its time."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from desk.errors import ConfigurationError
from flows.shared import At, end_well, show_table
from tasks.forgetting import forget_old
from tasks.guard import guarded


@flow(name="retention-cleanup")
@guarded("retention-cleanup")
def retention_cleanup(at: At = None, dry_run: bool = False) -> State[Any]:
    """Anonymise-but-count, chunk by chunk.

    Args:
        at: Rehearsal: what would go at this moment. Empty: now. A moment to come needs a dry run.
        dry_run: Only list what would go.
    """
    check_rehearsal(at, dry_run)
    done = forget_old(at, dry_run)
    rows = [
        {"what": name, "count": count, "ids": ", ".join(done.places.get(name, ())[:50])}
        for name, count in done.counts.items()
    ]
    show_table("retention", rows, "What would go" if dry_run else "What went")
    said = ", ".join(f"{count} {name}" for name, count in done.counts.items() if count) or "nothing"
    return end_well(f"{'Would go' if dry_run else 'Gone'}: {said}")


def check_rehearsal(at: At, dry_run: bool) -> None:
    """A moment to come is for dry runs: it would erase today what still has its time. The demo says that it may."""
    if at and at > datetime.now(UTC) and not dry_run and not os.environ.get("BYRETURN_STORY"):
        raise ConfigurationError("`at` lies in the future", remedy="Tick dry run, or leave `at` empty.")
