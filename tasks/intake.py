"""Doors 1–2: a visit to a mailbox fetches what it has and keeps it; one task does both and returns counts."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from imapclient import IMAPClient
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event
from prefect.logging import get_run_logger

from blocks import ImapMailbox
from blocks.answers import translate_talk
from blocks.base import load_block
from desk.errors import ByreturnError, ClaimLost, ConfigurationError, NetworkTrouble, ProtocolTrouble
from desk.policy import Policy
from desk.visits import Next, Pace, plan_visit
from store.audit import fill_holes
from store.intake import Batch, keep_batch
from store.mailboxes import (
    Account,
    Cursor,
    Hole,
    MailboxState,
    Shown,
    Visit,
    end_sync,
    lease_mailbox,
    list_holes,
    list_mailboxes,
    open_cursor,
    read_mailbox,
    register_mailbox,
    release_lease,
    remember_folder,
    renew_lease,
)
from store.memory import Store
from tasks.alarm import end_trouble, tell_trouble
from tasks.expiry import watch_secret
from tasks.fetching import Line, fetch_mails, find_due, find_new, open_folder, read_ahead
from tasks.guard import clean_error, guarded
from tasks.opening import open_policy, open_store
from tasks.tending import LEASE, Tender

MAIL_KEPT = "byreturn.mail.kept"  # the event
SILENT = "silent"  # the alert for a mailbox that had no good visit for long
UNFINISHED = "time-limit"
TOO_SLOW = "Look at the server and the way to it; a longer visit_minutes in the block may help."
GOES_ON = "Nothing to do: what came stays, the next visit goes on. Lengthen visit_minutes if it comes back."
BARREN = 8  # sessions of a visit that may break before anything came: each costs a sign-in
HOLES = "withheld"
NAMED = "The run's table names the UIDs; they are asked for again. Look at them in the mailbox if it lasts."


@dataclass(frozen=True, slots=True)
class SyncReport:
    """How one mailbox's sync went: synced | partial | error, or why it was left alone: disabled | not due | busy.

    `lag` is the longest wait of a live mail between its arrival on the server and here, None when none came.
    """

    mailbox: str
    status: str
    kept: int = 0
    withheld: int = 0
    too_large: int = 0
    error_code: str = ""
    remedy: str = ""
    lag: timedelta | None = None


@dataclass(slots=True)
class Tally:
    """What a visit brought so far; `closed` tells of folders that can't be opened."""

    kept: int = 0
    withheld: int = 0
    too_large: int = 0
    lag: timedelta | None = None
    closed: list[ByreturnError] = field(default_factory=list)

    def add(self, batch: Batch, kept: int, lag: timedelta | None) -> None:
        self.kept += kept
        self.withheld += len(batch.withheld)
        self.too_large += len(batch.oversized)
        self.lag = max((one for one in (self.lag, lag) if one is not None), default=None)


@dataclass(frozen=True, slots=True)
class Caller:
    """One visit to one mailbox: what it stands on, and the lease's token that fences what it commits."""

    store: Store
    policy: Policy
    block: ImapMailbox
    mailbox_id: int
    token: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A session that broke off in a folder: at the UIDs `asked`, after it had brought mails or before."""

    trouble: ByreturnError
    cursor: Cursor
    asked: tuple[int, ...]
    progress: bool


@task(name="sync mailbox", task_run_name="sync {name}", cache_policy=NO_CACHE)
@guarded("sync mailbox")
def sync_mailbox(name: str, force: bool = False) -> SyncReport:
    """Bring in what is new in one mailbox. Its troubles end here: they become its status, not an exception.

    `force` visits a mailbox that is not due, or rests after a refusal.
    """
    store = open_store()
    try:
        block, state = open_block(store, name)
    except ConfigurationError as fault:
        report = SyncReport(name, "error", error_code=fault.code, remedy=fault.remedy)
        report_trouble(store, report)
        return report
    if state is None:
        return SyncReport(name, "disabled")
    if not (force or is_due(store, block, state, datetime.now(UTC))):
        return leave_alone(state, "not due")
    return visit_mailbox(store, block, state)


def leave_alone(state: MailboxState, why: str) -> SyncReport:
    """A mailbox that is down stays named while it rests."""
    down = state.status == "error"
    return SyncReport(state.name, why, error_code=state.error_code if down else "", remedy=state.remedy if down else "")


def is_due(store: Store, block: ImapMailbox, state: MailboxState, now: datetime) -> bool:
    """A mailbox at rest is due as soon as somebody has changed how we connect to it."""
    if state.next_due_at is None or state.next_due_at <= now:
        return True
    return state.status == "error" and state.stamp != stamp_block(store, block)


def visit_mailbox(
    store: Store, block: ImapMailbox, state: MailboxState, client: IMAPClient | None = None
) -> SyncReport:
    """Lease, fetch and keep, give the lease back with how it went, tell the operator what is to be told.

    Over a connection that is open already its troubles are the caller's: nothing is written down of them.
    """
    token = uuid.uuid4().hex
    if not lease_mailbox(store.engine, state.id, token, datetime.now(UTC), LEASE):
        return leave_alone(state, "busy")
    report = fetch_mailbox(store, block, state, token, client)
    if client is not None and report.status == "error":
        release_lease(store.engine, state.id, token)
        return report
    return end_visit(store, block, state, token, report)


def refuse_visit(store: Store, block: ImapMailbox, state: MailboxState, trouble: Exception) -> SyncReport:
    """Write down that a mailbox can't be visited, as a visit that met this trouble would have."""
    clean = clean_error("sync mailbox", trouble)
    report = SyncReport(state.name, "error", error_code=clean.code, remedy=clean.remedy)
    token = uuid.uuid4().hex
    if not lease_mailbox(store.engine, state.id, token, datetime.now(UTC), LEASE):
        return leave_alone(state, "busy")
    return end_visit(store, block, state, token, report)


def end_visit(store: Store, block: ImapMailbox, state: MailboxState, token: str, report: SyncReport) -> SyncReport:
    """A mailbox that another worker has taken over meanwhile is that one's to tell of."""
    if report.error_code == ClaimLost.code:
        return replace(report, status="busy", error_code="", remedy="")
    now = datetime.now(UTC)
    end_sync(store.engine, state.id, token, now, close_visit(state, report, stamp_saved(store, report), now))
    report_trouble(store, report)
    watch_secret(store, block.credentials, state.name, now)
    return report


def close_visit(state: MailboxState, report: SyncReport, stamp: str, now: datetime) -> Visit:
    """How the visit is written down, with the moment of the next."""
    following = plan_next(state, report)
    return Visit(
        status=report.status, next_due=now + following.after, error_code=report.error_code, remedy=report.remedy,
        kept=report.kept, failures=following.failures, slowness=following.slowness, stamp=stamp, lag=report.lag,
    )  # fmt: skip


def plan_next(state: MailboxState, report: SyncReport) -> Next:
    pace = Pace(timedelta(minutes=state.interval_minutes), state.failures, state.slowness)
    code = report.error_code if report.status == "error" else ""
    return plan_visit(pace, code, unfinished=report.error_code == UNFINISHED)


def stamp_saved(store: Store, report: SyncReport) -> str:
    """Of the block as it is saved now: the visit itself may have renewed a secret in it."""
    return stamp_block(store, load_block(ImapMailbox, report.mailbox)) if report.status == "error" else ""


def stamp_block(store: Store, block: ImapMailbox) -> str:
    """Keyed digest of all that the connection depends on, the secret included: it tells a change and nothing else."""
    secret = block.credentials.model_dump(mode="json", context={"include_secrets": True})
    wanted = [block.host, block.port, block.security, block.folders, secret]
    return store.keys.bury("mailbox\0" + json.dumps(wanted, sort_keys=True, default=str))[1]


def open_block(store: Store, name: str) -> tuple[ImapMailbox, MailboxState | None]:
    """A block and its mailbox's state, None while it is disabled. Raises ConfigurationError for what it can't be."""
    block = load_block(ImapMailbox, name)
    if not block.enabled:
        return block, None
    return block, read_mailbox(store.engine, register_mailbox(store.engine, describe_account(block, name)))


def describe_account(block: ImapMailbox, name: str) -> Account:
    return Account(
        block_id=str(block._block_document_id), name=name, host=block.host, user=block.credentials.user,
        address=block.address, after_intake=block.after_intake, interval_minutes=block.interval_minutes,
    )  # fmt: skip


def read_mailboxes() -> tuple[MailboxState, ...]:
    """State of every mailbox that was ever synced."""
    return list_mailboxes(open_store().engine)


def read_holes() -> tuple[Hole, ...]:
    """Mails that their servers withhold."""
    return list_holes(open_store().engine)


# --- fetch and keep --------------------------------------------------------------------------------------------------


def fetch_mailbox(
    store: Store, block: ImapMailbox, state: MailboxState, token: str, client: IMAPClient | None = None
) -> SyncReport:
    """Every folder of the mailbox; what was kept before a trouble stays kept. The lease must be ours."""
    tally = Tally()
    renew = partial(renew_lease, store.engine, state.id, token)
    with Tender(renew, timedelta(minutes=block.visit_minutes)) as tender:
        try:
            caller = Caller(store, open_policy(), block, state.id, token)
            if client is None:
                fetch_all(caller, tender, tally)
            else:
                fetch_over(caller, tender, client, tally)
        except Exception as trouble:  # noqa: BLE001 - one mailbox's trouble never delays another
            return report_failure(state.name, tally, tender, trouble)
    return report_visit(state.name, tally, len(block.folders))


def report_visit(name: str, tally: Tally, folders: int) -> SyncReport:
    """Synced when every folder gave all it named."""
    report = SyncReport(name, "synced", tally.kept, tally.withheld, tally.too_large, lag=tally.lag)
    if tally.closed:
        fault, status = tally.closed[0], "error" if len(tally.closed) == folders else "partial"
        return replace(report, status=status, error_code=fault.code, remedy=f"{fault.detail}. {fault.remedy}")
    if tally.withheld:
        return replace(report, status="partial", error_code=HOLES, remedy=NAMED)
    return replace(report, status="partial") if tally.too_large else report


def report_failure(name: str, tally: Tally, tender: Tender, trouble: Exception) -> SyncReport:
    """A visit that was ended for its length is unfinished when it brought anything, else its server is at fault."""
    came = SyncReport(name, "error", tally.kept, tally.withheld, tally.too_large, lag=tally.lag)
    if tender.why == "late" and tally.kept:
        return replace(came, status="partial", error_code=UNFINISHED, remedy=GOES_ON)
    if tender.why == "late":
        trouble = NetworkTrouble("its server was too slow for a whole visit", remedy=TOO_SLOW, code=UNFINISHED)
    elif tender.why == "lost":
        trouble = ClaimLost("mailbox lease")
    clean = clean_error("sync mailbox", trouble)
    return replace(came, error_code=clean.code, remedy=clean.remedy)


def fetch_all(caller: Caller, tender: Tender, tally: Tally) -> None:
    """As many sessions as it takes: Gmail and Microsoft end one with its token, and the next goes on at the cursor.

    One that breaks before anything came may have met a mail that its server can't hand out: then mails are asked for
    one by one, and the one at which it breaks twice is passed as a hole, a few of them a visit.
    """
    alone, left = False, BARREN
    stuck: tuple[int, ...] = (0,)
    while (broken := fetch_session(caller, tender, tally, alone)) is not None:
        if broken.progress:
            continue
        left -= 1
        if not left:
            raise broken.trouble
        if broken.asked == stuck:
            pass_mail(caller, broken, tally)
        alone, stuck = broken.asked != stuck, broken.asked


def fetch_session(caller: Caller, tender: Tender, tally: Tally, alone: bool) -> Broken | None:
    """What one session brings; where it broke, when it may go on there. Raises what no further session can mend."""
    before, line = tally.kept, None
    try:
        with caller.block.connect(opened=tender.watch) as client:
            line = Line(client, caller.policy.limits.mail_bytes, alone)
            fetch_folders(caller, line, tally)
    except (NetworkTrouble, ProtocolTrouble) as trouble:
        progress = tally.kept > before
        if tender.why or line is None or line.cursor is None or not (progress or line.asked):
            raise
        return Broken(trouble, line.cursor, line.asked, progress)
    return None


def fetch_over(caller: Caller, tender: Tender, client: IMAPClient, tally: Tally) -> None:
    """The same over a connection that is open. Raises as it breaks."""
    tender.watch(client.socket())
    with translate_talk(caller.block.place):
        fetch_folders(caller, Line(client, caller.policy.limits.mail_bytes), tally)


def fetch_folders(caller: Caller, line: Line, tally: Tally) -> None:
    tally.closed.clear()
    for folder in caller.block.folders:
        fetch_folder(caller, line, folder, tally)


def pass_mail(caller: Caller, broken: Broken, tally: Tally) -> None:
    """Its UID is a hole from now on, asked for again later, and no longer in the way of others."""
    keep_new(caller, broken.cursor, Batch((), broken.asked, (), broken.asked[-1]), tally)


def fetch_folder(caller: Caller, line: Line, folder: str, tally: Tally) -> None:
    """One folder to its end. A folder that can't be opened holds up no other."""
    try:
        shown = open_folder(line.client, folder)
    except (ConfigurationError, ProtocolTrouble) as fault:
        tally.closed.append(fault)
        return
    line.cursor = open_cursor(caller.store.engine, caller.mailbox_id, folder, shown, datetime.now(UTC))
    if not shown.is_unchanged(line.cursor.shown) or line.cursor.holes:
        search_folder(caller, line, line.cursor, shown, tally)


def search_folder(caller: Caller, line: Line, cursor: Cursor, shown: Shown, tally: Tally) -> None:
    """Fetch and keep what an open folder has beyond the cursor, then the holes that are due: they hold up nothing.

    A server that has given out higher UIDs than it names may name one late: then the next visit searches again.
    """
    fresh = find_new(line.client, cursor)
    fetch_kept(caller, line, cursor, fresh, tally)
    if cursor.holes:
        due = find_due(line.client, cursor)
        fill_holes(caller.store, cursor, [uid for uid in cursor.holes if uid not in due])  # deleted meanwhile
        fetch_kept(caller, line, cursor, due, tally)
    complete = shown.uidnext <= max([cursor.last_uid, *fresh[-1:]]) + 1
    seen = shown if complete else replace(shown, uidnext=0)
    remember_folder(caller.store.engine, cursor, seen, datetime.now(UTC))


def fetch_kept(caller: Caller, line: Line, cursor: Cursor, uids: Sequence[int], tally: Tally) -> None:
    """The next batch is on its way while one is kept."""
    if not uids:
        return
    with closing(read_ahead(fetch_mails(line, uids))) as batches:
        for batch in batches:
            keep_new(caller, cursor, batch, tally)


def keep_new(caller: Caller, cursor: Cursor, batch: Batch, tally: Tally) -> None:
    """Until a folder was searched to its end once, mail older than the desk would answer is history in it."""
    now = datetime.now(UTC)
    before = now - caller.policy.limits.answer_within if cursor.first else None
    kept = keep_batch(
        caller.store, caller.mailbox_id, cursor, batch, token=caller.token, now=now, lease=LEASE, history_before=before
    )
    tally.add(batch, kept, measure_lag(batch, before, now))


def measure_lag(batch: Batch, before: datetime | None, now: datetime) -> timedelta | None:
    waits = [now - mail.received_at for mail in batch.mails if before is None or mail.received_at >= before]
    return max(waits, default=None)


# --- tell ------------------------------------------------------------------------------------------------------------


def report_trouble(store: Store, report: SyncReport) -> None:
    """Tell the operator once when a mailbox fails and once when it is well again; log ids and codes only."""
    key = f"mailbox:{report.mailbox}"
    if report.error_code not in ("", UNFINISHED, HOLES) or report.status == "error":
        get_run_logger().warning("mailbox %s: %s. %s", report.mailbox, report.error_code, report.remedy)
        tell_trouble(store, key, report.error_code, report.remedy)
    else:
        get_run_logger().info("mailbox %s: %s, %d kept", report.mailbox, report.status, report.kept)
        end_trouble(store, key)
    if report.status in ("synced", "partial"):
        end_trouble(store, f"{SILENT}:{report.mailbox}")


def announce_mail(kept: int) -> None:
    """Let classify-and-reply be started by what came in; a number, no content."""
    if kept:
        emit_event(MAIL_KEPT, resource={"prefect.resource.id": "byreturn.desk"}, payload={"kept": kept})
