"""Try every mailbox's connection without touching a mail."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.task_runners import ThreadPoolTaskRunner

from flows.shared import end_partial, end_well, show_table
from flows.sync_inbox import choose_mailboxes
from tasks.checking import CheckReport, check_mailbox
from tasks.guard import guarded


@flow(name="check-mailboxes", task_runner=ThreadPoolTaskRunner(max_workers=16))  # type: ignore[arg-type]  # Prefect's own type variance
@guarded("check-mailboxes")
def check_mailboxes(
    mailboxes: list[str] = [],  # noqa: B006 - Prefect shows it in the form and never changes it
) -> State[Any]:
    """Sign in, look into every folder the desk needs, and go: before a mailbox is put to work, or when it fails.

    Args:
        mailboxes: Names of mailbox blocks, also of those switched off. Empty: every one.
    """
    running = [check_mailbox.submit(name) for name in choose_mailboxes(mailboxes)]
    reports = [future.result() for future in running]
    show_table("connections", [describe_check(one) for one in reports], "What each server says; nothing was touched")
    failed = [f"{one.mailbox}: {one.detail}" for one in reports if not one.ok]
    return end_partial("; ".join(failed)) if failed else end_well(f"{len(reports)} mailboxes let us in")


def describe_check(report: CheckReport) -> dict[str, Any]:
    return {"mailbox": report.mailbox, "well": report.ok, "code": report.code, "found": report.detail}
