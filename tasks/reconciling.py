"""Compare what a mailbox's server shows with what the store holds: fetch the gaps, name the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from imapclient import IMAPClient
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from blocks import ImapMailbox
from blocks.base import load_block
from desk.backfill import choose_arrival
from desk.facts import Arrival
from desk.gaps import Gaps, find_gaps
from store.audit import fill_holes, read_books
from store.mailboxes import Cursor, open_cursor, register_mailbox
from store.memory import Store
from tasks.alarm import end_trouble, tell_trouble
from tasks.fetching import Line, fetch_mails, open_folder, search_uids
from tasks.guard import clean_error, guarded
from tasks.intake import describe_account
from tasks.keeping import keep_apart
from tasks.opening import open_policy, open_store

GAPS = "gaps"
REMEDY = "The reconcile run's table names the UIDs: look at them in the mailbox; they are asked for again each night."


@dataclass(frozen=True, slots=True)
class FolderAudit:
    """One folder: mails on the server, and how those that are not in the store are explained. Tuples are UIDs."""

    mailbox: str
    folder: str
    on_server: int = 0
    fetched: int = 0  # were missing and are in the store now
    left: tuple[int, ...] = ()  # still missing: the server withholds them
    too_large: tuple[int, ...] = ()
    erased: tuple[int, ...] = ()
    waiting: int = 0  # not synced yet
    gone: int = 0  # in the store, not on the server any more
    error_code: str = ""
    remedy: str = ""


@task(name="reconcile mailbox", task_run_name="reconcile {name}", cache_policy=NO_CACHE)
@guarded("reconcile mailbox")
def reconcile_mailbox(name: str) -> tuple[FolderAudit, ...]:
    """Every folder of an enabled mailbox. Its troubles end here: they become a row, not an exception."""
    store, block = open_store(), load_block(ImapMailbox, name)
    if not block.enabled:
        return ()
    mailbox_id = register_mailbox(store.engine, describe_account(block, name))
    audits: list[FolderAudit] = []
    try:
        with block.connect() as client:
            audits.extend(audit_folder(store, client, mailbox_id, name, folder) for folder in block.folders)
    except Exception as trouble:  # noqa: BLE001 - one mailbox's trouble never hides another's; sync-inbox tells of it
        clean = clean_error("reconcile mailbox", trouble)
        return (*audits, FolderAudit(name, "", error_code=clean.code, remedy=clean.remedy))
    report_gaps(store, name, audits)
    return tuple(audits)


def audit_folder(store: Store, client: IMAPClient, mailbox_id: int, name: str, folder: str) -> FolderAudit:
    """The server's list is made before the books are read: what comes in meanwhile is no gap."""
    shown = open_folder(client, folder)
    server = frozenset(search_uids(client, "ALL"))
    cursor = open_cursor(store.engine, mailbox_id, folder, shown, datetime.now(UTC))
    gaps = find_gaps(server, read_books(store, mailbox_id, cursor))
    fill_holes(store, cursor, gaps.filled)
    fetched = tuple(fetch_gaps(store, client, mailbox_id, cursor, gaps))
    return FolderAudit(
        mailbox=name,
        folder=folder,
        on_server=len(server),
        fetched=sum(one.kept for one in fetched),
        left=tuple(uid for one in fetched for uid in one.withheld),
        too_large=(*gaps.too_large, *(uid for one in fetched for uid in one.too_large)),
        erased=gaps.erased,
        waiting=gaps.waiting,
        gone=gaps.gone,
    )


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of a batch of gaps."""

    kept: int
    withheld: tuple[int, ...]
    too_large: tuple[int, ...]


def fetch_gaps(store: Store, client: IMAPClient, mailbox_id: int, cursor: Cursor, gaps: Gaps) -> Iterator[Fetched]:
    """A mail that was missed is answered only while it is young; the cursor stays where it is."""
    limits, now = open_policy().limits, datetime.now(UTC)

    def choose(received_at: datetime) -> Arrival:
        return choose_arrival(received_at, True, limits.answer_within, now)

    for batch in fetch_mails(Line(client, limits.mail_bytes), gaps.wanted):
        kept = keep_apart(store, mailbox_id, cursor, batch, choose)
        yield Fetched(kept, batch.withheld, tuple(one.uid for one in batch.oversized))


def report_gaps(store: Store, name: str, audits: Sequence[FolderAudit]) -> None:
    """Tell the operator once while gaps last; log counts only."""
    left, fetched = sum(len(one.left) for one in audits), sum(one.fetched for one in audits)
    get_run_logger().info("mailbox %s: %d gaps filled, %d left", name, fetched, left)
    if left:
        tell_trouble(store, f"gaps:{name}", GAPS, REMEDY)
    else:
        end_trouble(store, f"gaps:{name}")
