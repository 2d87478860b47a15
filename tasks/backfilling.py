"""Bring in on purpose what sync-inbox does not: a window of days of a mailbox, or mails that lie in files.

Whatever is here already is passed over, so a run that was killed is simply run again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from imapclient import IMAPClient
from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks import ImapMailbox
from blocks.base import load_block
from desk.backfill import Window, choose_arrival
from desk.facts import Arrival
from desk.policy import Policy
from store.audit import read_books
from store.backfill import FILES, NO_SERVER, find_asleep, find_known, wake_history
from store.intake import Batch, Oversized, RawMail
from store.mailboxes import Cursor, Shown, open_cursor, register_mailbox
from store.memory import Store
from tasks.archives import FiledMail, count_mails, read_archive
from tasks.fetching import BATCH_BYTES, BATCH_MAILS, Line, cut_head, fetch_mails, open_folder, search_uids
from tasks.guard import guarded
from tasks.intake import describe_account
from tasks.keeping import keep_apart
from tasks.opening import open_policy, open_store
from tasks.progress import Progress


@dataclass(frozen=True, slots=True)
class BackfillCount:
    """Of the mails `named`: here already, brought in now, woken from history, kept aside, not handed out to us."""

    named: int = 0
    known: int = 0
    kept: int = 0
    woken: int = 0
    too_large: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """What every step of a backfill stands on; `tally` counts by the names of BackfillCount."""

    store: Store
    policy: Policy
    mailbox_id: int
    window: Window
    replies: bool
    dry_run: bool
    now: datetime
    tally: Counter[str] = field(default_factory=Counter)

    def choose(self, received_at: datetime) -> Arrival:
        return choose_arrival(received_at, self.replies, self.policy.limits.answer_within, self.now)


@task(name="backfill mailbox", task_run_name="backfill {name}", cache_policy=NO_CACHE)
@guarded("backfill mailbox")
def backfill_mailbox(name: str, window: Window, replies: bool, dry_run: bool) -> BackfillCount:
    """The folders of a mailbox, mails whose INTERNALDATE lies in the window. Raises as `ImapMailbox.connect` does."""
    block = load_block(ImapMailbox, name)
    job = open_job(block, name, window, replies, dry_run)
    with block.connect() as client:
        named = {folder: list_window(client, folder, window) for folder in block.folders}
        progress = begin_progress(name, sum(map(len, named.values())))
        for folder, uids in named.items():
            backfill_folder(job, client, folder, uids, progress)
    return BackfillCount(**job.tally)


@task(name="backfill files", task_run_name="backfill {name} from files", cache_policy=NO_CACHE)
@guarded("backfill files")
def backfill_files(name: str, path: str, window: Window, replies: bool, dry_run: bool) -> BackfillCount:
    """The mails of an .mbox, a Maildir or .eml files, filed under a mailbox. Raises ConfigurationError."""
    job = open_job(load_block(ImapMailbox, name), name, window, replies, dry_run)
    total = count_mails(Path(path))
    progress = begin_progress(name, total)
    cursor = open_cursor(job.store.engine, job.mailbox_id, FILES, Shown(NO_SERVER), job.now)
    seen = 0
    for chunk in slice_mails(read_archive(Path(path), job.policy.limits.mail_bytes, job.now)):
        seen += len(chunk)
        keep_chunk(job, cursor, chunk)
        progress.move(len(chunk))
    job.tally["left"] += total - seen
    return BackfillCount(**job.tally)


def open_job(block: ImapMailbox, name: str, window: Window, replies: bool, dry_run: bool) -> Job:
    store = open_store()
    mailbox_id = register_mailbox(store.engine, describe_account(block, name))
    return Job(store, open_policy(), mailbox_id, window, replies, dry_run, datetime.now(UTC))


# --- mails on a server ---------------------------------------------------------------------------------------


def list_window(client: IMAPClient, folder: str, window: Window) -> list[int]:
    open_folder(client, folder)
    return search_uids(client, *window.search())


def backfill_folder(job: Job, client: IMAPClient, folder: str, uids: Sequence[int], progress: Progress) -> None:
    """Under the very keys that sync-inbox gives: what one of the two has kept the other passes over."""
    cursor = open_cursor(job.store.engine, job.mailbox_id, folder, open_folder(client, folder), job.now)
    known = read_books(job.store, job.mailbox_id, cursor).kept.intersection(uids)
    missing = [uid for uid in uids if uid not in known]
    job.tally.update(named=len(uids), known=len(known))
    wake_known(job, cursor, sorted(known))
    progress.move(len(known))
    if job.dry_run:
        job.tally["kept"] += len(missing)
        return
    for batch in fetch_mails(Line(client, job.policy.limits.mail_bytes), missing):
        keep_batch(job, cursor, batch)
        progress.move(batch.named)


# --- mails in files ------------------------------------------------------------------------------------------


def slice_mails(mails: Iterable[FiledMail]) -> Iterator[list[FiledMail]]:
    """Chunks bounded in count and bytes."""
    chunk: list[FiledMail] = []
    weight = 0
    for mail in mails:
        if chunk and (len(chunk) == BATCH_MAILS or weight + len(mail.data) > BATCH_BYTES):
            yield chunk
            chunk, weight = [], 0
        chunk.append(mail)
        weight += len(mail.data)
    if chunk:
        yield chunk


def keep_chunk(job: Job, cursor: Cursor, chunk: Sequence[FiledMail]) -> None:
    """Those of the window that are not here yet; one mail that lies there twice is one."""
    wanted = {mail.uid: mail for mail in chunk if job.window.holds(mail.received_at)}
    known = find_known(job.store, job.mailbox_id, cursor, list(wanted))
    fresh = {uid: mail for uid, mail in wanted.items() if uid not in known}
    job.tally.update(named=len(wanted), known=len(known))
    wake_known(job, cursor, sorted(known))
    batch = make_batch(fresh, job.policy.limits.mail_bytes)
    if job.dry_run:
        job.tally.update(kept=len(batch.mails), too_large=len(batch.oversized))
    elif fresh:
        keep_batch(job, cursor, batch)


def make_batch(fresh: dict[int, FiledMail], limit: int) -> Batch:
    large = {uid: mail for uid, mail in fresh.items() if mail.size_bytes > limit}
    return Batch(
        tuple(RawMail(uid, mail.received_at, mail.data) for uid, mail in fresh.items() if uid not in large),
        (),
        tuple(Oversized(uid, mail.received_at, mail.size_bytes, cut_head(mail.data)) for uid, mail in large.items()),
        0,
    )


# --- both ----------------------------------------------------------------------------------------------------


def keep_batch(job: Job, cursor: Cursor, batch: Batch) -> None:
    kept = keep_apart(job.store, job.mailbox_id, cursor, batch, job.choose)
    job.tally.update(kept=kept, too_large=len(batch.oversized), left=len(batch.withheld))


def wake_known(job: Job, cursor: Cursor, uids: Sequence[int]) -> None:
    """Mails of the window that were kept as history are worked on now."""
    for start in range(0, len(uids), BATCH_MAILS):
        asleep = find_asleep(job.store, job.mailbox_id, cursor, uids[start : start + BATCH_MAILS])
        job.tally["woken"] += len(asleep)
        for arrival in Arrival if not job.dry_run else ():
            ids = [one.delivery_id for one in asleep if job.choose(one.received_at) is arrival]
            if ids:
                wake_history(job.store, ids, arrival)


def begin_progress(name: str, total: int) -> Progress:
    return Progress.begin("backfill", total, f"Backfill of {name}: {total} mails")
