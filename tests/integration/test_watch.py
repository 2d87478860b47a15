"""Watching a mailbox by IDLE on a real Dovecot: new mail comes in at once, and nothing that breaks ends the watch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from imapclient import IMAPClient
from prefect.logging import disable_run_logger
from pydantic import SecretStr

from blocks import ImapMailbox, PasswordCredentials
from store.intake import keep_batch
from store.mailboxes import MailboxState, lease_mailbox, read_mailbox, release_lease
from store.memory import Store
from tasks.idling import WatchReport, is_news, watch_mailbox
from tasks.tending import LEASE
from tests.cable import Cable
from tests.dovecot import Dovecot, run_dovecot
from tests.stores import add_mailbox, count_rows, look_up

USER, WORD = "support", "watch"
PATIENCE = 60.0  # seconds
LONG = timedelta(minutes=5)


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with run_dovecot({USER: WORD}) as running:
        yield running


@pytest.fixture(params=["sqlite"])
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@dataclass
class Watcher:
    """A watch in a thread; what it told the operator, and how it ended."""

    store: Store
    mailbox_id: int
    cable: Cable
    dovecot: Dovecot
    told: list[str] = field(default_factory=list)
    report: WatchReport | None = None
    _thread: threading.Thread | None = None

    def start(self, span: timedelta = LONG) -> None:
        self._thread = threading.Thread(target=self._watch, args=(datetime.now(UTC) + span,), daemon=True)
        self._thread.start()

    def _watch(self, ends_at: datetime) -> None:
        with disable_run_logger():
            self.report = watch_mailbox.fn("support", ends_at)

    def end(self) -> WatchReport:
        """By taking its lease away, as another watcher would once it has lapsed."""
        if self._thread is not None and self._thread.is_alive():
            release_lease(self.store.engine, self.mailbox_id, self.token, "watch")
            self._thread.join(PATIENCE)
        assert self.report is not None
        return self.report

    @property
    def token(self) -> str:
        return str(look_up(self.store, "mailbox", "watch_token")[0])

    @property
    def kept(self) -> int:
        return count_rows(self.store, "delivery")

    @property
    def is_idle(self) -> bool:
        """Signed in, caught up, and no visit under way."""
        return look_up(self.store, "mailbox", "lease_token") == [""] and self.state.status == "synced"

    @property
    def state(self) -> MailboxState:
        return read_mailbox(self.store.engine, self.mailbox_id)

    def deliver(self, count: int = 1) -> None:
        self.dovecot.deliver(USER, *[b"Subject: hello\r\n\r\nhello\r\n"] * count)

    def wait_kept(self, count: int) -> None:
        wait_until(lambda: self.kept == count)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def watcher(dovecot: Dovecot, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watcher]:
    """A watch over a cable, of a mailbox without a mail; its pauses and glances are short."""
    empty(dovecot)
    mailbox_id = add_mailbox(store)
    with Cable(dovecot.port) as cable:
        watcher = Watcher(store, mailbox_id, cable, dovecot)
        block = ImapMailbox(
            address="support@atelier.example", host="127.0.0.1", port=cable.port, security="none", timeout_seconds=1,
            credentials=PasswordCredentials(user=USER, password=SecretStr(WORD)), drafts_folder="",
        )  # fmt: skip
        replaced: dict[str, Any] = {
            "tasks.idling.open_store": lambda: store,
            "tasks.idling.open_block": lambda _store, _name: (block, read_mailbox(store.engine, mailbox_id)),
            "tasks.idling.announce_mail": lambda _kept: None,
            "tasks.idling.SOON": timedelta(milliseconds=300),
            "tasks.idling.GLANCE": timedelta(milliseconds=300),
            "tasks.idling.PAUSES": (timedelta(milliseconds=20),) * 3,
            "tasks.intake.load_block": lambda _kind, _name: block,
            "tasks.intake.tell_trouble": lambda _store, key, code, _remedy: watcher.told.append(f"{key}: {code}"),
            "tasks.guard.open_database": lambda: store.engine,
        }
        for name, other in replaced.items():
            monkeypatch.setattr(name, other)
        yield watcher
        if watcher._thread is not None:
            watcher.end()


def empty(dovecot: Dovecot) -> None:
    with dovecot.open(USER) as client:
        client.select_folder("INBOX")
        client.delete_messages(client.search("ALL"))
        client.expunge()


def test_what_lies_there_comes_in_first_and_what_comes_later_wakes_it(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.idling.SOON", LONG)  # it looks by itself no more
    watcher.deliver(2)
    watcher.start()
    for count in (3, 4):
        wait_until(lambda count=count: watcher.cable.idles >= count - 2)  # type: ignore[misc]  # bound by default
        assert watcher.kept == count - 1
        watcher.deliver()
        watcher.wait_kept(count)
    report = watcher.end()
    assert (report.kept, report.sessions, watcher.cable.sessions) == (4, 1, 1)
    assert report.woken >= 2
    assert report.error_code == ""


def test_mails_that_come_while_others_are_being_kept_do_not_wait_for_the_next(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = iter((True, True))

    def keep_and_deliver(*args: Any, **more: Any) -> int:
        if next(again, False):
            watcher.deliver()
        return keep_batch(*args, **more)

    monkeypatch.setattr("tasks.intake.keep_batch", keep_and_deliver)
    watcher.start()
    wait_until(lambda: watcher.is_idle)
    watcher.deliver()
    watcher.wait_kept(3)


def test_a_line_that_is_cut_is_made_anew_and_nobody_is_told(watcher: Watcher) -> None:
    watcher.start()
    wait_until(lambda: watcher.is_idle)
    for count in (1, 2):
        sessions = watcher.cable.sessions
        watcher.cable.cut()
        wait_until(lambda before=sessions: watcher.cable.sessions > before)  # type: ignore[misc]  # bound by default
        watcher.deliver()
        watcher.wait_kept(count)
    assert watcher.end().sessions >= 3
    assert watcher.told == []


def test_a_line_that_dies_without_a_word_is_found_out_when_idle_is_begun_anew(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.idling.ANEW", timedelta(milliseconds=500))
    watcher.start()
    wait_until(lambda: watcher.is_idle)
    watcher.cable.dead = True
    watcher.deliver()
    sessions = watcher.cable.sessions
    wait_until(lambda: watcher.cable.sessions > sessions)
    assert watcher.kept == 0
    watcher.cable.dead = False
    watcher.wait_kept(1)


def test_idle_is_begun_anew_long_before_the_server_hangs_up(watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, idle = [], IMAPClient.idle

    def count_idle(client: IMAPClient) -> None:
        begun.append(client)
        idle(client)

    monkeypatch.setattr(IMAPClient, "idle", count_idle)
    monkeypatch.setattr("tasks.idling.ANEW", timedelta(milliseconds=400))
    watcher.start()
    wait_until(lambda: len(begun) >= 3)
    assert len({id(one) for one in begun}) == 1
    watcher.deliver()
    watcher.wait_kept(1)
    assert watcher.end().sessions == 1


def test_a_server_that_stays_away_is_told_of_once_and_then_rests(watcher: Watcher) -> None:
    watcher.start()
    wait_until(lambda: watcher.is_idle)
    watcher.cable.behind = 1  # nobody is there
    watcher.cable.cut()
    wait_until(lambda: bool(watcher.told))
    assert watcher.told == ["mailbox:support: network"]
    assert watcher.state.status == "error"
    assert watcher.state.next_due_at is not None
    assert watcher.state.next_due_at > datetime.now(UTC) + timedelta(minutes=4)


def test_of_two_watchers_one_watches(watcher: Watcher) -> None:
    watcher.start()
    wait_until(lambda: watcher.is_idle)
    with disable_run_logger():
        second = watch_mailbox.fn("support", datetime.now(UTC) + LONG)
    assert second.status == "busy"
    assert watcher.end().status == "watched"


def test_a_watch_ends_with_its_time(watcher: Watcher) -> None:
    watcher.start(timedelta(seconds=1))
    wait_until(lambda: watcher.report is not None)
    assert watcher.end().status == "watched"
    assert watcher.token == ""


def test_a_visit_by_another_worker_is_waited_for(watcher: Watcher) -> None:
    watcher.start()
    wait_until(lambda: watcher.is_idle)
    assert lease_mailbox(watcher.store.engine, watcher.mailbox_id, "a visit", datetime.now(UTC), LEASE)
    watcher.deliver()
    wait_until(lambda: watcher.cable.sessions == 1)
    release_lease(watcher.store.engine, watcher.mailbox_id, "a visit")
    watcher.wait_kept(1)


@pytest.mark.parametrize(
    ("answer", "news"),
    [((3, b"EXISTS"), True), ((1, b"FETCH", (b"FLAGS", ())), True), ((b"OK", b"Still here"), False), (None, False)],
)
def test_a_word_that_only_keeps_the_line_open_wakes_nobody(answer: object, news: bool) -> None:
    assert is_news(answer) is news
