"""Bring in old mail on purpose, from a mailbox's past or from files, without writing to anybody."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from desk.backfill import Window
from flows.shared import end_partial, end_well, show_table
from flows.sync_inbox import choose_mailboxes
from tasks.backfilling import BackfillCount, backfill_files, backfill_mailbox
from tasks.guard import guarded
from tasks.intake import announce_mail
from tasks.opening import open_policy


@flow(name="backfill")
@guarded("backfill")
def backfill(
    mailbox: str,
    path: str = "",
    first_day: date | None = None,
    last_day: date | None = None,
    replies: bool = False,
    dry_run: bool = False,
) -> State[Any]:
    """Old mail gets tickets and no letters. What is here already is passed over: a run that was killed is run again.

    Args:
        mailbox: Name of a mailbox block: the one to look into, or the one that mails of files are filed under.
        path: An .mbox, a Maildir, a folder of .eml files or one such file, as the worker sees it; it bears no
            person's name. Empty: the mailbox's own folders.
        first_day: Mails that arrived on this day or later. Empty: from the first one.
        last_day: The last day, included. Empty: up to now.
        replies: Answer requesters too, but never mail older than limits.answer_within of the policy.
        dry_run: Only count what would come.
    """
    (name,) = choose_mailboxes([mailbox])
    window = Window(first_day, last_day, open_policy().calendar.timezone)
    if path:
        count = backfill_files(name, path, window, replies, dry_run)
    else:
        count = backfill_mailbox(name, window, replies, dry_run)
    if not dry_run:
        announce_mail(count.kept + count.woken)
    show_table("backfilled", [{"mailbox": name, **asdict(count)}], "What would come" if dry_run else "What came")
    return tell_end(count, dry_run)


def tell_end(count: BackfillCount, dry_run: bool) -> State[Any]:
    came = f"{count.kept} mails {'would come' if dry_run else 'came'}, {count.woken} from history"
    said = f"{came}; {count.known} of {count.named} were here already"
    aside = f"; {count.too_large} too large" if count.too_large else ""
    return end_partial(f"{said}{aside}; {count.left} could not be had") if count.left else end_well(said + aside)
