"""Keep mailboxes within seconds of their servers."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import Field

from flows.shared import end_partial, end_well, show_table
from flows.sync_inbox import choose_mailboxes
from tasks.guard import guarded
from tasks.idling import WatchReport, watch_mailbox


@flow(name="watch-inbox", task_runner=ThreadPoolTaskRunner(max_workers=64))  # type: ignore[arg-type]  # Prefect's own type variance
@guarded("watch-inbox")
def watch_inbox(
    mailboxes: list[str] = [],  # noqa: B006 - Prefect shows it in the form and never changes it
    minutes: Annotated[float, Field(gt=0, le=1440)] = 60,
) -> State[Any]:
    """Hold a connection to each mailbox and bring mail in as soon as it comes (IMAP IDLE), beside sync-inbox.

    Args:
        mailboxes: Names of mailbox blocks. Empty: every enabled one. Those that another run watches are left to it.
        minutes: How long this run watches; the next scheduled run goes on.
    """
    ends_at = datetime.now(UTC) + timedelta(minutes=minutes)
    running = [watch_mailbox.submit(name, ends_at) for name in choose_mailboxes(mailboxes)]
    reports = [future.result() for future in running]
    show_table("watches", [asdict(one) for one in reports], "How each watch went")
    return tell_end(reports)


def tell_end(reports: list[WatchReport]) -> State[Any]:
    failed = [f"{one.mailbox}: {one.error_code}. {one.remedy}" for one in reports if one.error_code]
    said = f"{sum(one.kept for one in reports)} mails kept by {sum(one.status == 'watched' for one in reports)} watches"
    return end_partial("; ".join([said, *failed])) if failed else end_well(said)
