"""Doors 1–2: fetch what a mailbox has and keep it; one task does both and returns counts."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from imapclient import IMAPClient
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from blocks import ImapMailbox
from blocks.base import load_block
from desk.errors import ConfigurationError, NetworkTrouble
from store.intake import Batch, Oversized, RawMail, keep_batch
from store.mailboxes import (
    Account,
    Cursor,
    MailboxState,
    end_sync,
    lease_mailbox,
    list_mailboxes,
    open_cursor,
    register_mailbox,
)
from store.memory import Store
from tasks.alarm import end_trouble, tell_trouble
from tasks.expiry import watch_secret
from tasks.guard import clean_error, guarded
from tasks.opening import open_policy, open_store

BATCH_MAILS = 200  # the knee: more in one FETCH gains nothing (measured)
BATCH_BYTES = 16 * 1024 * 1024  # bounds the memory of the intake
LEASE = timedelta(minutes=2)
# A pause after a refusal, longer than any interval: never hammer a login. Run by hand to try at once.
COOL_DOWN = {"auth": timedelta(hours=1), "throttled": timedelta(minutes=20)}


@dataclass(frozen=True, slots=True)
class SyncReport:
    """How one mailbox's sync went: synced | partial | error, or why it was left alone: disabled | not due | busy."""

    mailbox: str
    status: str
    kept: int = 0
    withheld: int = 0
    error_code: str = ""
    remedy: str = ""


@task(name="sync mailbox", task_run_name="sync {name}", cache_policy=NO_CACHE)
@guarded("sync mailbox")
def sync_mailbox(name: str, force: bool = False) -> SyncReport:
    """Bring in what is new in one mailbox. Its troubles end here: they become its status, not an exception."""
    store = open_store()
    try:
        block, state = open_block(store, name)
    except ConfigurationError as fault:
        report = SyncReport(name, "error", error_code=fault.code, remedy=fault.remedy)
        report_trouble(store, report)
        return report
    if state is None:
        return SyncReport(name, "disabled")
    now, token = datetime.now(UTC), uuid.uuid4().hex
    if not (force or state.next_due_at is None or state.next_due_at <= now):
        return SyncReport(name, "not due", error_code=state.error_code, remedy=state.remedy)
    if not lease_mailbox(store.engine, state.id, token, now, LEASE):
        return SyncReport(name, "busy")
    report = fetch_mailbox(store, block, state, token)
    pause = COOL_DOWN.get(report.error_code, timedelta(minutes=block.interval_minutes))
    end_sync(
        store.engine, state.id, token, datetime.now(UTC), now + pause, report.status, report.error_code, report.remedy
    )
    report_trouble(store, report)
    watch_secret(store, block.credentials, name, now)
    return report


def open_block(store: Store, name: str) -> tuple[ImapMailbox, MailboxState | None]:
    """A block and its mailbox's state, None while it is disabled. Raises ConfigurationError for what it can't be."""
    block = load_block(ImapMailbox, name)
    if not block.enabled:
        return block, None
    return block, find_mailbox(store, register_mailbox(store.engine, describe_account(block, name)))


def describe_account(block: ImapMailbox, name: str) -> Account:
    return Account(
        block_id=str(block._block_document_id), name=name, host=block.host, user=block.credentials.user,
        address=block.address, after_intake=block.after_intake,
    )  # fmt: skip


def read_mailboxes() -> tuple[MailboxState, ...]:
    """State of every mailbox that was ever synced."""
    return list_mailboxes(open_store().engine)


def find_mailbox(store: Store, mailbox_id: int) -> MailboxState:
    return next(one for one in list_mailboxes(store.engine) if one.id == mailbox_id)


def fetch_mailbox(store: Store, block: ImapMailbox, state: MailboxState, token: str) -> SyncReport:
    """Every folder of the mailbox; what was kept before a trouble stays kept.

    Until a first sync went well, mail older than the desk would answer is history: kept, not worked on.
    """
    kept = withheld = 0
    first = state.last_good_at is None
    before = datetime.now(UTC) - open_policy().limits.answer_within if first else None
    try:
        for batch, cursor in fetch_new(store, block, state.id):
            now = datetime.now(UTC)
            kept += keep_batch(store, state.id, cursor, batch, token=token, now=now, lease=LEASE, history_before=before)
            withheld += len(batch.withheld)
    except Exception as trouble:  # noqa: BLE001 - one mailbox's trouble never delays another
        clean = clean_error("sync mailbox", trouble)
        return SyncReport(state.name, "error", kept, withheld, clean.code, clean.remedy)
    return SyncReport(state.name, "partial" if withheld else "synced", kept, withheld)


def fetch_new(store: Store, block: ImapMailbox, mailbox_id: int) -> Iterator[tuple[Batch, Cursor]]:
    """What is new in every folder, through as many sessions as it takes: Gmail and Microsoft end one with its token."""
    while (yield from fetch_session(store, block, mailbox_id)):
        pass


def fetch_session(store: Store, block: ImapMailbox, mailbox_id: int) -> Generator[tuple[Batch, Cursor], None, bool]:
    """What one session brings; True when it broke after it had brought some, and the next goes on at the cursor."""
    got = False
    try:
        with block.connect() as client:
            for found in fetch_folders(store, client, mailbox_id, block.folders):
                yield found
                got = True
    except NetworkTrouble:
        if not got:
            raise
        return True
    return False


def fetch_folders(
    store: Store, client: IMAPClient, mailbox_id: int, folders: Sequence[str]
) -> Iterator[tuple[Batch, Cursor]]:
    for folder in folders:
        yield from fetch_folder(store, client, mailbox_id, folder)


def fetch_folder(store: Store, client: IMAPClient, mailbox_id: int, folder: str) -> Iterator[tuple[Batch, Cursor]]:
    """New mails of a folder in batches bounded in count and bytes; flags stay as they are (EXAMINE, BODY.PEEK[])."""
    selected = client.select_folder(folder, readonly=True)
    cursor = open_cursor(store.engine, mailbox_id, folder, int(selected[b"UIDVALIDITY"]), datetime.now(UTC))
    named = find_new(client, cursor)
    limit = open_policy().limits.mail_bytes
    for slice_ in slice_uids(client, named):
        yield fetch_batch(client, slice_, limit), cursor


def find_new(client: IMAPClient, cursor: Cursor) -> list[int]:
    """UIDs after the cursor, and holes whose next try has come. `n:*` answers the last UID even below n: filtered."""
    found = client.search(["UID", f"{cursor.last_uid + 1}:*"])
    return sorted({int(uid) for uid in found if uid > cursor.last_uid} | set(cursor.holes))


def slice_uids(client: IMAPClient, uids: Sequence[int]) -> Iterator[dict[int, dict[bytes, Any]]]:
    """Groups of UIDs with their size and INTERNALDATE; RFC822.SIZE is a hint that bounds a group's bytes."""
    for start in range(0, len(uids), BATCH_MAILS):
        group = list(uids[start : start + BATCH_MAILS])
        listed = client.fetch(group, ["RFC822.SIZE", "INTERNALDATE"])
        part: dict[int, dict[bytes, Any]] = {}
        for uid in group:
            facts = listed.get(uid, {})
            if part and _weigh(part) + facts.get(b"RFC822.SIZE", 0) > BATCH_BYTES:
                yield part
                part = {}
            part[uid] = facts
        yield part


def _weigh(part: dict[int, dict[bytes, Any]]) -> int:
    return sum(facts.get(b"RFC822.SIZE", 0) for facts in part.values())


def fetch_batch(client: IMAPClient, listed: dict[int, dict[bytes, Any]], limit: int) -> Batch:
    """The bytes of a group; what the server named and then withheld becomes a hole."""
    large = [uid for uid, facts in listed.items() if facts.get(b"RFC822.SIZE", 0) > limit]
    wanted = [uid for uid in listed if uid not in large]
    bodies = client.fetch(wanted, ["BODY.PEEK[]"]) if wanted else {}
    mails = tuple(
        RawMail(uid, _arrival(listed[uid]), bodies[uid][b"BODY[]"])
        for uid in wanted
        if bodies.get(uid, {}).get(b"BODY[]")
    )
    got = {mail.uid for mail in mails}
    aside = tuple(Oversized(uid, _arrival(listed[uid]), listed[uid][b"RFC822.SIZE"]) for uid in large)
    return Batch(mails, tuple(uid for uid in wanted if uid not in got), aside, max(listed))


def _arrival(facts: dict[bytes, Any]) -> datetime:
    """INTERNALDATE as aware UTC; IMAPClient gives it naive in local time."""
    arrived = facts.get(b"INTERNALDATE")
    return arrived.astimezone(UTC) if isinstance(arrived, datetime) else datetime.now(UTC)


def report_trouble(store: Store, report: SyncReport) -> None:
    """Tell the operator once when a mailbox fails and once when it is well again; log ids and codes only."""
    key = f"mailbox:{report.mailbox}"
    if report.status == "error":
        get_run_logger().warning("mailbox %s: %s. %s", report.mailbox, report.error_code, report.remedy)
        tell_trouble(store, key, report.error_code, report.remedy)
    else:
        get_run_logger().info("mailbox %s: %s, %d kept", report.mailbox, report.status, report.kept)
        end_trouble(store, key)
