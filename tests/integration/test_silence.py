"""The watchdog tells once of a mailbox that stays silent, whatever the reason, and once when it is read again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from desk.errors import ConfigurationError
from store.engine import writing
from store.mailboxes import Visit, end_sync, lease_mailbox, mailboxes, read_mailbox
from store.memory import Store
from store.troubles import end_alert, mark_told, raise_alert
from tasks.silence import Silence, find_silence
from tests.stores import LEASE, add_mailbox

HOUR = timedelta(hours=1)


@dataclass
class Post:
    """Alarms as the operator gets them: told once by the store's own book-keeping."""

    store: Store
    said: list[str]

    def tell(self, store: Store, key: str, code: str, remedy: str) -> None:
        if raise_alert(store, key, code, remedy, datetime.now(UTC)):
            self.said.append(f"{key}: {code.split(' since')[0]}")
            mark_told(store, key, datetime.now(UTC))

    def end(self, store: Store, key: str) -> None:
        if end_alert(store, key, datetime.now(UTC)):
            self.said.append(f"{key}: well again")


@pytest.fixture(params=["sqlite"])
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def post(store: Store, monkeypatch: pytest.MonkeyPatch) -> Post:
    """A desk whose only mailbox is `support`."""
    mailbox_id, post = add_mailbox(store), Post(store, [])
    monkeypatch.setattr("tasks.silence.open_store", lambda: store)
    monkeypatch.setattr("tasks.silence.list_blocks", lambda _kind: ("support",))
    monkeypatch.setattr("tasks.silence.open_block", lambda *_: (None, read_mailbox(store.engine, mailbox_id)))
    monkeypatch.setattr("tasks.silence.tell_trouble", post.tell)
    monkeypatch.setattr("tasks.silence.end_trouble", post.end)
    return post


def set_good(store: Store, ago: timedelta | None, since: timedelta = timedelta()) -> None:
    now = datetime.now(UTC)
    good = None if ago is None else now - ago
    with writing(store.engine) as connection:
        connection.execute(sa.update(mailboxes).values(last_good_at=good, since=now - since))


def look() -> Silence:
    (found,) = find_silence.fn()
    return found


def test_silence_is_told_once_and_its_end_once(post: Post) -> None:
    set_good(post.store, timedelta(minutes=1))
    assert not look().silent
    set_good(post.store, HOUR)
    assert [look().silent for _ in range(3)] == [True] * 3
    assert post.said == ["silent:support: no good visit"]
    set_good(post.store, timedelta(minutes=1))
    for _ in range(2):
        look()
    assert post.said == ["silent:support: no good visit", "silent:support: well again"]


def test_a_mailbox_that_never_had_a_good_visit_is_silent_since_it_was_first_heard_of(post: Post) -> None:
    set_good(post.store, None, since=timedelta(minutes=10))
    assert not look().silent
    set_good(post.store, None, since=HOUR)
    assert look().silent


def test_a_mailbox_that_is_switched_off_meanwhile_is_silent_no_more(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_good(post.store, HOUR)
    look()
    monkeypatch.setattr("tasks.silence.open_block", lambda *_: (None, None))
    assert find_silence.fn() == ()
    assert post.said[-1] == "silent:support: well again"


def test_a_block_that_cannot_be_used_is_not_the_watchdogs_business(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ConfigurationError("wrong")

    monkeypatch.setattr("tasks.silence.open_block", refuse)
    assert find_silence.fn() == ()
    assert post.said == []


@pytest.mark.parametrize(("status", "good"), [("synced", True), ("partial", True), ("error", False)])
def test_a_visit_that_read_the_mailbox_is_a_good_one(post: Post, status: str, good: bool) -> None:
    set_good(post.store, HOUR)
    now = datetime.now(UTC)
    assert lease_mailbox(post.store.engine, 1, "visit", now, LEASE)
    end_sync(post.store.engine, 1, "visit", now, Visit(status, now))
    assert look().silent is not good
