"""Try a mailbox's connection without touching a mail."""

from __future__ import annotations

from dataclasses import dataclass

from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks import ImapMailbox
from blocks.base import load_block
from tasks.guard import clean_error, guarded


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a mailbox's server said; `detail` holds the remedy when it is not well."""

    mailbox: str
    ok: bool
    code: str
    detail: str


@task(name="check mailbox", task_run_name="check {name}", cache_policy=NO_CACHE)
@guarded("check mailbox")
def check_mailbox(name: str) -> CheckReport:
    """Sign in and look into every needed folder with EXAMINE. Its troubles are its report."""
    try:
        return CheckReport(name, True, "", load_block(ImapMailbox, name).check().detail)
    except Exception as trouble:  # noqa: BLE001 - one mailbox's trouble never hides another's
        clean = clean_error("check mailbox", trouble)
        return CheckReport(name, False, clean.code, clean.message)
