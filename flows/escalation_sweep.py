"""Ring the next level for tickets near or past a deadline."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.classify_and_reply import drain_sending
from flows.shared import At, end_partial, end_well, show_table
from tasks.guard import guarded
from tasks.ringing import ring_levels


@flow(name="escalation-sweep")
@guarded("escalation-sweep")
def escalation_sweep(at: At = None, dry_run: bool = False) -> State[Any]:
    """Ring each level once, on the business clock, outside quiet hours.

    Args:
        at: Rehearsal: decide as if it were this moment. Empty: now.
        dry_run: Only list the levels that would be rung.
    """
    rung = ring_levels(at, dry_run)
    if rung:
        show_table(
            "escalations",
            [{**asdict(one), "deadline": one.deadline.isoformat()} for one in rung],
            "Levels that would be rung" if dry_run else "Levels rung",
        )
    sent = [] if dry_run else drain_sending(at)
    down = next((count.error_code for count in sent if count.error_code), "")
    said = f"{len(rung)} levels {'would be rung' if dry_run else 'rung'}"
    return end_partial(f"{said}; SMTP: {down}") if down else end_well(said)
