"""Bring every waiting mail in, exactly once."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import Field

from blocks import ImapMailbox, list_blocks
from desk.errors import ConfigurationError
from flows.shared import end_partial, end_well, show_table
from tasks.guard import guarded
from tasks.intake import SyncReport, sync_mailbox

MAIL_KEPT = "byreturn.mail.kept"


@flow(name="sync-inbox", task_runner=ThreadPoolTaskRunner(max_workers=8))  # type: ignore[arg-type]  # Prefect's own type variance
@guarded("sync-inbox")
def sync_inbox(
    mailboxes: Annotated[
        list[str],
        Field(title="Mailboxes", description="Names of mailbox blocks. Empty: every enabled one that is due."),
    ] = [],  # noqa: B006 - Prefect shows it in the form and never changes it
) -> State[Any]:
    """Bring every waiting mail in, exactly once. One mailbox's trouble never delays another."""
    names = choose_mailboxes(mailboxes)
    running = [sync_mailbox.submit(name, force=bool(mailboxes)) for name in names]
    reports = [future.result() for future in running]
    kept = sum(report.kept for report in reports)
    if kept:
        emit_event(MAIL_KEPT, resource={"prefect.resource.id": "byreturn.desk"}, payload={"kept": kept})
    show_table("mailboxes", [asdict(report) for report in reports], "Mailboxes of this sync")
    return tell_end(reports, kept)


def choose_mailboxes(wanted: list[str]) -> list[str]:
    """All saved mailboxes, or the ones named. Raises ConfigurationError for a name that no block has."""
    known = list_blocks(ImapMailbox)
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise ConfigurationError(
            f"no mailbox block named {', '.join(unknown)}",
            remedy=f"There are: {', '.join(known) or 'none yet'}.",
        )
    return list(dict.fromkeys(wanted)) or list(known)


def tell_end(reports: list[SyncReport], kept: int) -> State[Any]:
    failed = [report for report in reports if report.status == "error"]
    said = f"{kept} mails kept from {len(reports)} mailboxes"
    if not failed:
        return end_well(said)
    return end_partial(f"{said}; " + "; ".join(f"{one.mailbox}: {one.error_code}. {one.remedy}" for one in failed))
