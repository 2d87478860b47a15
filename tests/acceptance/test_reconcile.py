"""The nightly comparison: gaps are filled, what can't be had is named, and the operator hears of it once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from prefect.logging import disable_run_logger

from blocks import ImapMailbox
from blocks.base import load_block
from demo.house import MAILBOXES
from demo.servers import open_mailbox, read_folder
from desk.facts import Arrival
from flows.reconcile import reconcile
from store.engine import writing
from store.intake import deliveries, quarantine
from store.mailboxes import lease_mailbox, list_mailboxes
from store.memory import Store
from store.retention import forget_strays
from tasks.fetching import read_fetch
from tasks.intake import sync_mailbox
from tasks.reconciling import FolderAudit, reconcile_mailbox
from tests.acceptance.again import empty_desk
from tests.acceptance.artifacts import read_table
from tests.acceptance.scene import Scene
from tests.acceptance.workers import write_mail
from tests.stores import LEASE, count_rows, look_up

COUNT = 6


@dataclass(frozen=True, slots=True)
class Synced:
    """A desk that has kept six mails of `support`, whose UIDs are `uids`, and one of `contact`."""

    scene: Scene
    store: Store
    mailbox_id: int
    uids: list[int]

    def list_kept(self) -> list[int]:
        return sorted(look_up(self.store, "delivery", "uid", mailbox_id=self.mailbox_id))

    def read_cursor(self) -> int:
        (last,) = look_up(self.store, "folder", "last_uid", mailbox_id=self.mailbox_id)
        return int(last)

    def lose(self, *uids: int) -> None:
        """As a restored backup or a fault would: the rows are gone, the cursor has passed them."""
        own = sa.and_(deliveries.c.uid.in_(uids), deliveries.c.mailbox_id == self.mailbox_id)
        with writing(self.store.engine) as connection:
            assert connection.execute(sa.delete(deliveries).where(own)).rowcount == len(uids)

    def remove(self, *uids: int) -> None:
        """A person deletes mails in the mailbox."""
        with open_mailbox(self.scene.imap, "support") as client:
            client.select_folder("INBOX")
            client.delete_messages(uids)
            client.expunge()


@pytest.fixture
def synced(standing: Scene) -> Iterator[Synced]:
    scene = empty_desk(standing)
    scene.deliver(write_mail(thread, 0, datetime.now(UTC)).raw for thread in range(COUNT))
    scene.deliver([write_mail(COUNT, 0, datetime.now(UTC)).raw], "contact")
    with disable_run_logger():
        for name in MAILBOXES:
            sync(name)
        store = scene.store
        mailbox_id = next(one.id for one in list_mailboxes(store.engine) if one.name == "support")
        yield Synced(scene, store, mailbox_id, list(read_folder(scene.imap, "support")))


def sync(name: str = "support") -> None:
    sync_mailbox.fn(name, force=True)


def audit(name: str = "support") -> FolderAudit:
    (found,) = reconcile_mailbox.fn(name)
    return found


@contextmanager
def change_block(name: str, **values: Any) -> Iterator[None]:
    """The mailbox's block with other values, for a while."""
    block = load_block(ImapMailbox, name)
    kept = {field: getattr(block, field) for field in values}
    save_values(block, name, values)
    try:
        yield
    finally:
        save_values(block, name, kept)


def save_values(block: ImapMailbox, name: str, values: dict[str, Any]) -> None:
    for field, value in values.items():
        setattr(block, field, value)
    block.save(name, overwrite=True)


@pytest.fixture
def withheld(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """UIDs that the server names and does not hand out, as Microsoft's does."""
    held: set[int] = set()

    def read_others(*given: Any, **named: Any) -> Any:
        return {uid: parts for uid, parts in read_fetch(*given, **named).items() if uid not in held}

    monkeypatch.setattr("tasks.fetching.read_fetch", read_others)
    return held


def test_the_flow_fills_gaps_and_shows_counts_and_uids(synced: Synced) -> None:
    synced.lose(*synced.uids[1:3])
    with change_block("contact", port=1):
        state = reconcile(return_state=True)
    assert (state.name, str(state.message).partition(". ")[0]) == (
        "Partial", "2 folders compared, 2 gaps filled; contact: network",
    )  # fmt: skip
    rows = {row["mailbox"]: row for row in read_table("reconciliation")}
    assert rows["support"] == {
        "mailbox": "support", "folder": "INBOX", "on_server": COUNT, "fetched": 2, "left": "", "too_large": "",
        "erased": "", "waiting": 0, "gone": 0, "error_code": "", "remedy": "",
    }  # fmt: skip
    assert rows["contact"]["error_code"] == "network"
    assert synced.scene.hook.posts == []  # of a mailbox that is down sync-inbox tells


def test_a_gap_is_filled_once_and_the_cursor_stays(synced: Synced) -> None:
    assert audit() == FolderAudit("support", "INBOX", on_server=COUNT)
    synced.lose(*synced.uids[1:3])
    assert audit() == FolderAudit("support", "INBOX", on_server=COUNT, fetched=2)
    assert synced.list_kept() == synced.uids
    assert synced.read_cursor() == synced.uids[-1]
    assert audit().fetched == 0


def test_a_gap_may_be_answered_only_while_its_mail_is_young(synced: Synced) -> None:
    with open_mailbox(synced.scene.imap, "support") as client:
        client.append("INBOX", write_mail(7, 0, datetime.now(UTC)).raw, msg_time=datetime.now(UTC) - timedelta(days=4))
    sync()
    *_, young, old = synced.list_kept()
    synced.lose(young, old)
    assert audit().fetched == 2
    arrivals = {uid: look_up(synced.store, "delivery", "arrival", uid=uid)[-1] for uid in (young, old)}
    assert arrivals == {young: Arrival.LIVE, old: Arrival.BACKFILL}


def test_what_no_sync_has_seen_yet_is_left_to_the_sync(synced: Synced) -> None:
    synced.scene.deliver([write_mail(8, 0, datetime.now(UTC)).raw])
    assert (audit().waiting, audit().fetched, synced.read_cursor()) == (1, 0, synced.uids[-1])
    sync()
    assert len(synced.list_kept()) == COUNT + 1


def test_what_left_the_server_is_counted_only(synced: Synced) -> None:
    synced.remove(*synced.uids[:2])
    assert audit() == FolderAudit("support", "INBOX", on_server=COUNT - 2, gone=2)
    assert synced.list_kept() == synced.uids


def test_what_is_erased_or_too_large_is_named_and_no_gap(synced: Synced) -> None:
    erased, large = synced.uids[2:4]
    ids = dict(zip(synced.uids, look_up(synced.store, "delivery", "id", mailbox_id=synced.mailbox_id), strict=True))
    forget_strays(synced.store, [ids[erased]], datetime.now(UTC))
    row = {"delivery_id": ids[large], "cause": "too-large", "incident": "", "attempts": 0, "since": datetime.now(UTC)}
    with writing(synced.store.engine) as connection:
        connection.execute(sa.insert(quarantine).values(**row))
    assert audit() == FolderAudit("support", "INBOX", on_server=COUNT, erased=(erased,), too_large=(large,))
    assert synced.scene.hook.posts == []


def test_what_the_server_withholds_is_named_and_told_once(synced: Synced, withheld: set[int]) -> None:
    gaps = tuple(synced.uids[1:3])
    synced.lose(*gaps)
    withheld.update(gaps)
    assert [audit().left, audit().left] == [gaps, gaps]
    assert [b"gaps:support: gaps" in post.body for post in synced.scene.hook.posts] == [True]
    withheld.clear()
    assert audit().fetched == 2
    assert b"gaps:support: well again" in synced.scene.hook.posts[-1].body
    assert count_rows(synced.store, "pending_uid") == 0


def test_gaps_that_are_left_make_the_run_partial(synced: Synced, withheld: set[int]) -> None:
    synced.lose(synced.uids[1])
    withheld.add(synced.uids[1])
    state = reconcile(mailboxes=["support"], return_state=True)
    assert (state.name, state.message) == ("Partial", "1 folders compared, 0 gaps filled; support: 1 gaps left")
    assert read_table("reconciliation")[0]["left"] == str(synced.uids[1])


def test_a_hole_whose_mail_left_the_server_is_none_any_more(synced: Synced, withheld: set[int]) -> None:
    synced.lose(synced.uids[1])
    withheld.add(synced.uids[1])
    audit()
    assert count_rows(synced.store, "pending_uid") == 1
    synced.remove(synced.uids[1])
    assert audit() == FolderAudit("support", "INBOX", on_server=COUNT - 1)
    assert count_rows(synced.store, "pending_uid") == 0


def test_a_mailbox_that_is_off_is_left_alone(synced: Synced) -> None:
    with change_block("contact", enabled=False):
        assert reconcile_mailbox.fn("contact") == ()


def test_gaps_wait_for_a_sync_that_is_at_work(synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    synced.lose(synced.uids[1])
    monkeypatch.setattr("tasks.keeping.PATIENCE", timedelta())
    now = datetime.now(UTC)
    assert lease_mailbox(synced.store.engine, synced.mailbox_id, "a sync", now, LEASE)
    assert audit().error_code == "claim-lost"
    assert lease_mailbox(synced.store.engine, synced.mailbox_id, "a sync", now, -LEASE)
    assert audit().fetched == 1
