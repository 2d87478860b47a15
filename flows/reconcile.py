"""Compare the mailboxes with the store, fetch what is missing and name what can't be had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.task_runners import ThreadPoolTaskRunner

from flows.shared import end_partial, end_well, show_table
from flows.sync_inbox import choose_mailboxes
from tasks.guard import guarded
from tasks.intake import announce_mail
from tasks.reconciling import FolderAudit, reconcile_mailbox

SHOWN = 50  # UIDs of a kind and folder


@flow(name="reconcile", task_runner=ThreadPoolTaskRunner(max_workers=16))  # type: ignore[arg-type]  # Prefect's own type variance
@guarded("reconcile")
def reconcile(
    mailboxes: list[str] = [],  # noqa: B006 - Prefect shows it in the form and never changes it
) -> State[Any]:
    """The server's list of mails against the store's, folder by folder.

    Args:
        mailboxes: Names of mailbox blocks. Empty: every enabled one.
    """
    running = [reconcile_mailbox.submit(name) for name in choose_mailboxes(mailboxes)]
    audits = [audit for future in running for audit in future.result()]
    fetched = sum(one.fetched for one in audits)
    announce_mail(fetched)
    show_table(
        "reconciliation",
        [describe_audit(one) for one in audits],
        "Server against store; what is left, too large or erased by UID",
    )
    return tell_end(audits)


def describe_audit(audit: FolderAudit) -> dict[str, Any]:
    """Counts and UIDs: no person in it."""
    return {name: list_uids(value) if isinstance(value, tuple) else value for name, value in asdict(audit).items()}


def list_uids(uids: Sequence[int]) -> str:
    more = f" … {len(uids)} in all" if len(uids) > SHOWN else ""
    return ", ".join(map(str, uids[:SHOWN])) + more


def tell_end(audits: Sequence[FolderAudit]) -> State[Any]:
    said = f"{len(audits)} folders compared, {sum(one.fetched for one in audits)} gaps filled"
    left = [f"{one.mailbox}: {len(one.left)} gaps left" for one in audits if one.left]
    failed = [f"{one.mailbox}: {one.error_code}. {one.remedy}" for one in audits if one.error_code]
    return end_partial("; ".join([said, *left, *failed])) if left or failed else end_well(said)
