"""Bring every waiting mail in, exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.task_runners import ThreadPoolTaskRunner

from blocks import ImapMailbox, list_blocks
from desk.errors import ConfigurationError
from flows.shared import end_partial, end_well, show_quarantine, show_table, tell_instant
from store.mailboxes import Hole
from tasks.guard import guarded
from tasks.intake import SyncReport, announce_mail, read_holes, read_mailboxes, sync_mailbox
from tasks.reading import read_quarantine


@flow(name="sync-inbox", task_runner=ThreadPoolTaskRunner(max_workers=16))  # type: ignore[arg-type]  # Prefect's own type variance
@guarded("sync-inbox")
def sync_inbox(
    mailboxes: list[str] = [],  # noqa: B006 - Prefect shows it in the form and never changes it
) -> State[Any]:
    """Bring every waiting mail in, exactly once. One mailbox's trouble never delays another.

    Args:
        mailboxes: Names of mailbox blocks, synced at once. Empty: every enabled one that is due.
    """
    names = choose_mailboxes(mailboxes)
    running = [sync_mailbox.submit(name, force=bool(mailboxes)) for name in names]
    reports = [future.result() for future in running]
    kept = sum(report.kept for report in reports)
    announce_mail(kept)
    show_table("mailboxes", describe_mailboxes(reports), "Every mailbox and how its sync went")
    show_holes(read_holes())
    show_quarantine(read_quarantine())
    return tell_end(reports, kept)


def describe_mailboxes(reports: list[SyncReport]) -> list[dict[str, Any]]:
    """What is kept of every mailbox beside what this run did; our own configuration, no requester in it."""
    now = {report.mailbox: report for report in reports}
    return [
        {
            "mailbox": state.name,
            "this run": now[state.name].status if state.name in now else "not asked",
            "kept now": now[state.name].kept if state.name in now else 0,
            "status": state.status,
            "last sync": tell_instant(state.last_sync_at),
            "last good sync": tell_instant(state.last_good_at),
            "next due": tell_instant(state.next_due_at),
            "error": state.error_code,
            "remedy": state.remedy,
            "withheld": state.withheld,
            "set aside": state.set_aside,
            "lag s": state.lag_seconds,
            "kept in all": state.kept,
        }
        for state in read_mailboxes()
    ]


def show_holes(holes: Sequence[Hole]) -> None:
    """Mails that a server names and does not hand out, by UID; they are asked for again."""
    if holes:
        rows = [asdict(one) | {"next_try_at": tell_instant(one.next_try_at)} for one in holes]
        show_table("withheld", rows, "Named by the server and not handed out so far")


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
    """Partial while a mailbox is down, also while it rests after a refusal."""
    failed = [report for report in reports if report.error_code]
    said = f"{kept} mails kept from {len(reports)} mailboxes"
    if not failed:
        return end_well(said)
    return end_partial(f"{said}; " + "; ".join(f"{one.mailbox}: {one.error_code}. {one.remedy}" for one in failed))
