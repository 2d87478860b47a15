"""SIGKILL between any two steps of laying, withdrawing, copying and following letters: done once, whoever goes on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from desk.facts import Status
from desk.plan import Purpose
from store.cases import change_status
from store.engine import writing
from store.following import withdraw_overtaken
from store.memory import Store
from tasks.filing import FileCount
from tests.acceptance.dying import WORD, Order, Point, file, follow, register, send_worker
from tests.dovecot import Dovecot, run_dovecot
from tests.integration.conftest import engine, postgres, postgres_template, sqlite_template, store, url
from tests.stores import NOW, PERSON, count_rows, look_up, make_letter, name_id, open_ticket, tables

__all__ = ["engine", "postgres", "postgres_template", "sqlite_template", "store", "url"]  # fixtures

DRAFTS, SENT, NUMBER = "Drafts", "Sent", "2026-000001"
USERS = tuple(f"user{number}" for number in range(60))  # one a test
SERIAL = count()
DRAFT = f"From: support@atelier.example\r\nTo: {PERSON}\r\nMessage-ID: {name_id('draft')}\r\n\r\nBonjour\r\n".encode()
LETTER = (
    f"From: support@atelier.example\r\nTo: {PERSON}\r\nSubject: Re [#{NUMBER}]\r\nMessage-ID: <own@client.example>\r\n"
    "Date: Tue, 17 Nov 2026 10:00:00 +0000\r\n\r\nNous vous rappelons demain.\r\n"
).encode()
OTHER = DRAFT.replace(b"draft@", b"other@")


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with run_dovecot(dict.fromkeys(USERS, WORD)) as server:
        yield server


@pytest.fixture
def database() -> str:
    """SQLite, unless a test names another."""
    return "sqlite"


@pytest.fixture
def order(url: str, store: Store, tmp_path: Path, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Order:
    """For a mailbox of this test's own, on whose case a draft waits to be laid."""
    made = Order(url, str(tmp_path / "packs"), dovecot.port, USERS[next(SERIAL)], work="file")
    open_ticket(store, make_letter("draft", Purpose.DRAFT, draft=True, automatic=False, body=DRAFT))
    change_rows(store, "mailbox", block_id=str(made.block._block_document_id))
    for folder in (DRAFTS, SENT):
        dovecot.deliver(made.user, OTHER, folder=folder)
    monkeypatch.setattr("tasks.filing.load_block", lambda *_: made.block)
    return made


def change_rows(store: Store, name: str, **values: Any) -> None:
    with writing(store.engine) as connection:
        connection.execute(sa.update(tables()[name]).values(**values))


def be_killed(store: Store, order: Order, point: Point) -> None:
    """A worker that dies at this point, by the kernel's word; its claims end as if their time had passed."""
    with send_worker(replace(order, point=point)) as worker:
        assert worker.hear_end() == -signal.SIGKILL
    change_rows(store, "filing", claimed_until=datetime.now(UTC) - timedelta(seconds=1))


def file_rest(store: Store, order: Order) -> FileCount:
    return file(store, register(store, order.block))


def read_folder(dovecot: Dovecot, order: Order, folder: str) -> list[bytes]:
    return list(dovecot.read(order.user, folder).values())


def read_events(store: Store) -> list[str]:
    return look_up(store, "letter_event", "word")


LAYING = {
    "before it is looked for": Point("tasks.filing.find_letter", "before"),
    "before APPEND": Point("imapclient.IMAPClient.append", "before"),
    "after APPEND": Point("imapclient.IMAPClient.append", "after"),
    "laid and not recorded": Point("tasks.filing.end_filings", "before"),
    "recorded and not committed": Point("store.filing.note_letters", "after"),
}


@pytest.mark.parametrize("point", LAYING.values(), ids=LAYING)
def test_a_draft_is_laid_once(store: Store, order: Order, dovecot: Dovecot, point: Point) -> None:
    be_killed(store, order, point)
    assert look_up(store, "letter", "state") == ["draft"]
    assert file_rest(store, order) == FileCount(1)
    assert read_folder(dovecot, order, DRAFTS) == [OTHER, DRAFT]
    assert look_up(store, "letter", "state") == ["drafted"]
    assert read_events(store) == ["drafted"]
    assert file_rest(store, order) == FileCount()


@pytest.mark.parametrize("point", list(LAYING.values())[:4], ids=list(LAYING)[:4])
def test_a_copy_is_laid_once(store: Store, order: Order, dovecot: Dovecot, point: Point) -> None:
    change_rows(store, "letter", state="sent", sent_at=NOW)
    change_rows(store, "filing", action="sent")
    be_killed(store, order, point)
    assert file_rest(store, order) == FileCount(1)
    assert read_folder(dovecot, order, SENT) == [OTHER, DRAFT]


WITHDRAWING = {
    "before it is looked for": Point("tasks.filing.read_drafts", "before"),
    "found": Point("tasks.filing.read_drafts", "after"),
    "compared": Point("tasks.filing.is_untouched", "after"),
    "marked": Point("imapclient.IMAPClient.delete_messages", "after"),
    "swept": Point("imapclient.IMAPClient.uid_expunge", "after"),
    "looked at again": Point("tasks.filing.read_drafts", "after", 2),
    "not recorded": Point("tasks.filing.end_filings", "before"),
    "recorded and not committed": Point("store.filing.note_letters", "after", 2),
}


@pytest.mark.parametrize("point", WITHDRAWING.values(), ids=WITHDRAWING)
def test_a_draft_is_withdrawn_and_nothing_else(store: Store, order: Order, dovecot: Dovecot, point: Point) -> None:
    assert file_rest(store, order) == FileCount(1)
    change_status(store, NUMBER, Status.CLOSED, "by-hand", NOW)
    assert withdraw_overtaken(store, 1, NOW) == 1
    be_killed(store, order, point)
    assert look_up(store, "letter", "state") == ["drafted"]
    assert file_rest(store, order) == FileCount(1)
    assert read_folder(dovecot, order, DRAFTS) == [OTHER]
    assert look_up(store, "letter", "state") == ["withdrawn"]
    assert read_events(store) == ["drafted", "withdrawn"]


FOLLOWING = {
    "a letter read": Point("tasks.following.describe_letter", "after"),
    "kept and nothing else": Point("store.following._answer_ticket", "before"),
    "the ticket answered": Point("store.following._answer_ticket", "after"),
    "the draft to be withdrawn, not committed": Point("store.following.queue_withdrawals", "after"),
    "a loop closed": Point("tasks.following.close_loop", "after"),
    "all closed, the folder not remembered": Point("tasks.following.keep_looked", "before"),
}
EVERYWHERE = [("sqlite", name) for name in FOLLOWING] + [("postgresql", name) for name in list(FOLLOWING)[2:5]]


@pytest.mark.parametrize(("database", "name"), EVERYWHERE)
def test_a_loop_is_closed_once(store: Store, order: Order, dovecot: Dovecot, name: str) -> None:
    dovecot.deliver(order.user, LETTER, folder=SENT)
    be_killed(store, replace(order, work="follow"), FOLLOWING[name])
    follow(store, order.block, register(store, order.block))
    assert look_up(store, "event", "word").count("agent") == 1
    assert look_up(store, "ticket", "version") == [2]
    assert count_rows(store, "agent_letter") == 1
    assert count_rows(store, "filing", action="withdraw") == 1
    assert follow(store, order.block, register(store, order.block)) == []
