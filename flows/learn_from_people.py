"""See what people did with the desk's verdicts: mails moved to another category, drafts rewritten where they lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.task_runners import ThreadPoolTaskRunner

from flows.shared import end_partial, end_well, show_table
from flows.sync_inbox import choose_mailboxes
from reports.drift import write_drift
from tasks.guard import guarded
from tasks.learning import Drift, Visited, learn_from_mailbox, read_drift


@flow(name="learn-from-people", task_runner=ThreadPoolTaskRunner(max_workers=16))  # type: ignore[arg-type]  # Prefect's own type variance
@guarded("learn-from-people")
def learn_from_people(
    mailboxes: list[str] = [],  # noqa: B006 - Prefect shows it in the form and never changes it
) -> State[Any]:
    """Look through the categories' folders and the drafts of each mailbox; nothing in them is touched. What became of
    drafts that were sent is seen by follow-letters.

    Args:
        mailboxes: Names of mailbox blocks. Empty: every enabled one.
    """
    running = [learn_from_mailbox.submit(name) for name in choose_mailboxes(mailboxes)]
    visited = [future.result() for future in running]
    changes = [{"mailbox": one.mailbox, **asdict(change)} for one in visited for change in one.changes]
    if changes:
        show_table("corrections", changes, "What people did with verdicts, as this run found it")
    drift = read_drift()
    show_drift(drift)
    return tell_end(visited, drift)


def show_drift(drift: Drift) -> None:
    """Labels and numbers only."""
    if drift.rows or drift.spikes:
        create_markdown_artifact(key="drift", markdown=write_drift(drift.rows, drift.spikes))
        show_table("drift-rows", [asdict(row) for row in drift.rows], "Verdicts and their corrections by week")


def tell_end(visited: Sequence[Visited], drift: Drift) -> State[Any]:
    kinds = Counter(change.kind for one in visited for change in one.changes)
    said = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "nothing new"
    said += "".join(f"; {one.category}: {one.count} tickets in 24 hours, {one.usual:g} usual" for one in drift.spikes)
    failed = [f"{one.mailbox}: {one.error_code}. {one.remedy}" for one in visited if one.error_code]
    return end_partial("; ".join([said, *failed])) if failed else end_well(said)
