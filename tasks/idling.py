"""Watch a mailbox by IMAP IDLE (RFC 2177): new mail is here within seconds, over a connection that stays open.

The server is asked anew long before the 29 minutes after which it may hang up; that also finds out a connection which
died without a word. Whatever breaks, the next session begins with a visit, so nothing depends on a notice that came.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from imapclient import IMAPClient
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from blocks import ImapMailbox
from desk.errors import ByreturnError, ConfigurationError, ConnectionTrouble, NetworkTrouble, TimeOver
from store.mailboxes import MailboxState, lease_mailbox, open_cursor, read_mailbox, release_lease, renew_lease
from store.memory import Store
from tasks.fetching import open_folder
from tasks.guard import guarded
from tasks.intake import announce_mail, is_due, open_block, refuse_visit, visit_mailbox
from tasks.opening import open_store

ANEW = timedelta(minutes=5)  # IDLE is ended and begun again: routers forget silent connections sooner than servers do
SOON = timedelta(seconds=2)  # the first time: what came between a visit and IDLE, Dovecot tells of only after 30 s
GLANCE = timedelta(seconds=10)  # how often a watch looks up: is its time over, is it still the only one
WATCH = timedelta(minutes=1)  # of a watcher that died
STEADY = timedelta(minutes=1)  # a session that lasted this long was a good one
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (1, 5, 15))  # before the next session, by failures in a row


@dataclass(slots=True)
class WatchReport:
    """How a watch went: watched | busy | disabled | not due; sessions begun, times it was woken, mails kept."""

    mailbox: str
    status: str = "watched"
    sessions: int = 0
    woken: int = 0
    kept: int = 0
    error_code: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Watch:
    """One watcher of one mailbox until `ends_at`; its token says that it is the only one."""

    store: Store
    block: ImapMailbox
    mailbox_id: int
    token: str
    ends_at: datetime
    report: WatchReport

    @property
    def state(self) -> MailboxState:
        return read_mailbox(self.store.engine, self.mailbox_id)

    def go_on(self) -> None:
        """Raises TimeOver at the watch's end, or when another watcher has the mailbox."""
        now = datetime.now(UTC)
        ours = renew_lease(self.store.engine, self.mailbox_id, self.token, now + WATCH, "watch")
        if now >= self.ends_at or not ours:
            raise TimeOver

    def wait(self, span: timedelta) -> None:
        """Let time pass, looking up now and then."""
        until = datetime.now(UTC) + span
        while (left := min(until, self.ends_at) - datetime.now(UTC)) > timedelta():
            self.go_on()
            threading.Event().wait(min(left, GLANCE).total_seconds())
        self.go_on()


@task(name="watch mailbox", task_run_name="watch {name}", cache_policy=NO_CACHE)
@guarded("watch mailbox")
def watch_mailbox(name: str, ends_at: datetime) -> WatchReport:
    """Keep a mailbox within seconds of its server until `ends_at`. One at rest is left alone until it is due."""
    store, report = open_store(), WatchReport(name)
    try:
        block, state = open_block(store, name)
    except ConfigurationError as fault:
        return WatchReport(name, "error", error_code=fault.code, remedy=fault.remedy)
    if state is None:
        return WatchReport(name, "disabled")
    token = uuid.uuid4().hex
    if not lease_mailbox(store.engine, state.id, token, datetime.now(UTC), WATCH, "watch"):
        return WatchReport(name, "busy")
    try:
        keep_watch(Watch(store, block, state.id, token, ends_at, report))
    except TimeOver:
        pass
    except ConfigurationError as fault:  # sync-inbox tells of it if it troubles more than watching
        report.error_code, report.remedy = fault.code, fault.remedy
    finally:
        release_lease(store.engine, state.id, token, "watch")
    get_run_logger().info("watched %s: woken %d times, %d mails kept", name, report.woken, report.kept)
    return report


def keep_watch(watch: Watch) -> None:
    """Session after session until TimeOver. A connection that breaks is made anew; one that keeps breaking rests."""
    failures = 0
    while True:
        wait_rest(watch)
        begun = datetime.now(UTC)
        try:
            hold_session(watch)
        except ConnectionTrouble as trouble:
            failures = 1 if datetime.now(UTC) - begun > STEADY else failures + 1
            settle_trouble(watch, trouble, failures)
        watch.wait(PAUSES[min(failures, len(PAUSES)) - 1])


def wait_rest(watch: Watch) -> None:
    """A server that refused us is not asked again before its time."""
    while (state := watch.state).status == "error" and not is_due(watch.store, watch.block, state, datetime.now(UTC)):
        watch.wait(GLANCE)


def settle_trouble(watch: Watch, trouble: ByreturnError, failures: int) -> None:
    """A connection that broke is nobody's business; what lasts, or what a person must mend, is told and rests."""
    watch.report.error_code, watch.report.remedy = trouble.code, trouble.remedy
    if failures > len(PAUSES) or not isinstance(trouble, NetworkTrouble):
        refuse_visit(watch.store, watch.block, watch.state, trouble)


def hold_session(watch: Watch) -> None:
    """Sign in, catch up, then wait to be woken, over and over. Raises ConnectionTrouble when the connection ends."""
    with watch.block.connect() as client:
        watch.report.sessions += 1
        if not client.has_capability("IDLE"):
            raise ConfigurationError(
                f"{watch.block.place} has no IDLE", remedy="Watch it by its interval: sync-inbox does that."
            )
        catch_up(watch, client)
        span = SOON
        while True:
            watch.report.error_code = watch.report.remedy = ""
            woken = await_news(watch, client, span)
            watch.report.woken += woken
            span = SOON if woken else min(2 * span, ANEW)
            catch_up(watch, client)


def catch_up(watch: Watch, client: IMAPClient) -> None:
    """Visit until the first folder is as the last visit left it."""
    quiet = False
    while not quiet and has_changed(watch, client):
        report = visit_mailbox(watch.store, watch.block, watch.state, client)
        watch.report.kept += report.kept
        announce_mail(report.kept)
        if report.status == "error":
            kind = NetworkTrouble if report.error_code == NetworkTrouble.code else ConnectionTrouble
            raise kind("a visit failed", remedy=report.remedy, code=report.error_code)
        quiet = report.status != "busy" and not report.kept
        if report.status == "busy":
            watch.wait(PAUSES[0])


def has_changed(watch: Watch, client: IMAPClient) -> bool:
    """EXAMINE: one round trip."""
    folder = watch.block.folders[0]
    shown = open_folder(client, folder)
    cursor = open_cursor(watch.store.engine, watch.mailbox_id, folder, shown, datetime.now(UTC))
    return bool(cursor.holes) or not shown.is_unchanged(cursor.shown)


def await_news(watch: Watch, client: IMAPClient, span: timedelta) -> bool:
    """IDLE until something comes, or for so long; True when the server said anything of the folder."""
    with idling(client) as answers:
        until = datetime.now(UTC) + span
        while not answers and datetime.now(UTC) < until:
            watch.go_on()
            begun = time.monotonic()
            answers.extend(client.idle_check(timeout=min(GLANCE, until - datetime.now(UTC)).total_seconds()))
            if not answers and time.monotonic() - begun < GLANCE.total_seconds() / 10:
                break  # at the end of the stream idle_check returns at once, for ever: ending IDLE will tell
    return any(is_news(answer) for answer in answers)


@contextmanager
def idling(client: IMAPClient) -> Iterator[list[object]]:
    """Answers that came; those that come while IDLE is ended are added."""
    answers: list[object] = []
    client.idle()
    yield answers
    _, late = client.idle_done()
    answers.extend(late)


def is_news(answer: object) -> bool:
    """`(3, b"EXISTS")` and its like; `(b"OK", b"Still here")` is none."""
    return isinstance(answer, tuple) and len(answer) > 1 and answer[1] in (b"EXISTS", b"RECENT", b"EXPUNGE", b"FETCH")
