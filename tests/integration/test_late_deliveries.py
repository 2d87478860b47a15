"""A mail that comes through another mailbox of ours after its verdict: there too it is marked, moved or left alone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from blocks import ImapMailbox, PasswordCredentials
from desk.mail import Mail, read_mail
from store.after import queue_late
from store.backfill import NO_SERVER
from store.engine import reading, writing
from store.filing import claim_filings, end_filings
from store.intake import claim_deliveries, open_mail
from store.mailboxes import end_sync, lease_mailbox, read_mailbox, register_mailbox
from store.memory import Store
from store.messages import ReadMail, save_read
from tasks.filing import file_one
from tasks.intake import close_visit, describe_account, fetch_mailbox
from tests.acceptance.workers import wait_until
from tests.dovecot import Dovecot, run_dovecot
from tests.stores import (
    IGNORED,
    LEASE,
    NOW,
    add_mailbox,
    bring_in,
    bring_one,
    claim_all,
    claim_read,
    count_rows,
    look_up,
    make_mail,
    make_outcome,
    settle,
    tables,
)

MAIL = make_mail("help")
JUNK = replace(IGNORED, folder="Junk")


def decide_first(store: Store, folder: str = "") -> None:
    """The mail came through `support`, where nothing is done after intake, and has its verdict."""
    settle(store, bring_one(store), make_outcome(replace(IGNORED, folder=folder)))


def bring_late(store: Store, after_intake: str, mailbox: str = "sales", mail: Mail = MAIL) -> None:
    read = claim_read(store, [mail], mailbox=mailbox)
    add_mailbox(store, mailbox, after_intake)
    save_read(store, "reader", read)


def find_filings(store: Store) -> list[tuple[str, str, str]]:
    """What is to be done: mailbox, action, folder."""
    names = dict(zip(look_up(store, "mailbox", "id"), look_up(store, "mailbox", "name"), strict=True))
    where = (names[one] for one in look_up(store, "filing", "mailbox_id"))
    return list(zip(where, look_up(store, "filing", "action"), look_up(store, "filing", "folder"), strict=True))


@pytest.mark.parametrize(("after_intake", "queued"), [("keep", 0), ("mark_seen", 1), ("flag", 1), ("move", 1)])
def test_a_late_delivery_gets_what_its_mailbox_wants(store: Store, after_intake: str, queued: int) -> None:
    decide_first(store)
    bring_late(store, after_intake)
    assert find_filings(store) == [("sales", "after_intake", "")] * queued
    assert look_up(store, "filing", "delivery_id") == look_up(store, "delivery", "id")[1:] * queued


@pytest.mark.parametrize("after_intake", ["keep", "flag"])
def test_a_late_delivery_goes_where_the_verdict_has_sent_the_others(store: Store, after_intake: str) -> None:
    decide_first(store, "Junk")
    bring_late(store, after_intake)
    assert find_filings(store) == [("support", "move", "Junk"), ("sales", "move", "Junk")]


def test_where_the_verdict_has_sent_another_mail_is_of_no_matter(store: Store) -> None:
    settle(store, bring_one(store, "other"), make_outcome(JUNK))
    decide_first(store)
    bring_late(store, "flag")
    assert find_filings(store) == [("support", "move", "Junk"), ("sales", "after_intake", "")]


def test_a_delivery_that_comes_before_the_verdict_waits_for_it(store: Store) -> None:
    bring_in(store, MAIL)
    bring_late(store, "flag")
    assert find_filings(store) == []
    (waiting,) = claim_all(store)
    settle(store, waiting, make_outcome(IGNORED))
    assert find_filings(store) == [("sales", "after_intake", "")]


def test_a_mail_of_its_own_is_no_late_delivery(store: Store) -> None:
    decide_first(store)
    bring_late(store, "flag", mail=make_mail("other"))
    assert find_filings(store) == []


def test_a_mail_that_people_move_about_in_its_mailbox_is_left_to_them(store: Store) -> None:
    decide_first(store, "Junk")
    end_filings(store, claim_filings(store, 1, "filer", NOW, LEASE, 10), NOW)
    bring_late(store, "flag", mailbox="support")  # out of the junk folder: a new UID of the same mail
    assert look_up(store, "filing", "state") == ["done"]


def test_a_mail_that_came_out_of_a_file_is_new_to_its_mailbox(store: Store) -> None:
    decide_first(store)
    put_into_file(store)
    bring_late(store, "flag", mailbox="support")
    assert find_filings(store) == [("support", "after_intake", "")]


def put_into_file(store: Store) -> None:
    """All deliveries so far."""
    with writing(store.engine) as connection:
        connection.execute(sa.update(tables()["delivery"]).values(uidvalidity=NO_SERVER))


def test_a_mail_that_comes_out_of_a_file_after_its_verdict_is_left_there(store: Store) -> None:
    decide_first(store)
    read = claim_read(store, [MAIL], mailbox="sales")
    add_mailbox(store, "sales", "flag")
    put_into_file(store)
    save_read(store, "reader", read)
    assert find_filings(store) == []


def test_of_two_deliveries_that_are_late_together_both_are_filed(store: Store) -> None:
    decide_first(store)
    read = claim_read(store, [MAIL, MAIL], mailbox="sales")
    add_mailbox(store, "sales", "flag")
    save_read(store, "reader", read)
    assert find_filings(store) == [("sales", "after_intake", "")] * 2


def test_a_delivery_that_is_filed_already_is_not_filed_twice(store: Store) -> None:
    decide_first(store)
    bring_late(store, "flag")
    with writing(store.engine) as connection:
        queue_late(connection, look_up(store, "delivery", "id")[1:])
    assert count_rows(store, "filing") == 1


@pytest.mark.parametrize("database", ["postgresql"])  # SQLite has one writer at a time
def test_a_mail_that_is_decided_while_it_comes_again_is_filed_all_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, go_on = Event(), Event()

    def pause(connection: sa.Connection, ids: Any) -> None:
        queue_late(connection, ids)
        looked.set()
        assert go_on.wait(30)

    waiting = bring_one(store)
    monkeypatch.setattr("store.messages.queue_late", pause)
    with ThreadPoolExecutor(2) as pool:
        late = pool.submit(bring_late, store, "flag")
        assert looked.wait(30)
        decided = pool.submit(settle, store, waiting, make_outcome(IGNORED))
        wait_until(lambda: decided.done() or is_blocked(store), 30, "the decision at the door")
        go_on.set()
        late.result()
        decided.result()
    assert find_filings(store) == [("sales", "after_intake", "")]


def is_blocked(store: Store) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with reading(store.engine) as connection:
        return bool(connection.execute(sa.text(query)).scalar_one())


# --- on a real server ------------------------------------------------------------------------------------------------

USERS = {"support": "late", "sales": "late"}
RAW = b"""\
From: lea@ecole.example\r\nTo: support@atelier.example\r\nSubject: %b\r\nDate: Tue, 17 Nov 2026 09:00:00 +0000\r
Message-ID: <%b@ecole.example>\r\n\r\nBonjour\r\n"""


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with run_dovecot(USERS) as server:
        yield server


def make_block(dovecot: Dovecot, user: str, after_intake: str) -> ImapMailbox:
    return ImapMailbox(
        address=f"{user}@atelier.example", host=dovecot.host, port=dovecot.port, security="none",
        credentials=PasswordCredentials(user=user, password=SecretStr(USERS[user])),
        after_intake=after_intake, after_intake_folder="Done",
    )  # fmt: skip


def bring_through(store: Store, block: ImapMailbox) -> None:
    """Doors 1 to 3, and the verdict where there is none yet."""
    user = block.credentials.user
    mailbox_id = register_mailbox(store.engine, replace(describe_account(block, user), block_id=user))
    assert lease_mailbox(store.engine, mailbox_id, user, NOW, LEASE)
    state = read_mailbox(store.engine, mailbox_id)
    report = fetch_mailbox(store, block, state, user)
    assert report.kept == 1
    end_sync(store.engine, mailbox_id, user, NOW, close_visit(state, report, "", NOW))
    read = [(place, read_mail(open_mail(store, place))) for place in claim_deliveries(store, user, NOW, LEASE, 10)]
    save_read(store, user, [ReadMail(place, mail) for place, mail in read if isinstance(mail, Mail)])
    for waiting in claim_all(store):
        settle(store, waiting, make_outcome(IGNORED))


def file_all(store: Store, block: ImapMailbox, mailbox_id: int) -> None:
    todo = claim_filings(store, mailbox_id, "filer", NOW, LEASE, 10)
    with block.connect() as client:
        for one in todo:
            file_one(client, block, one)
    end_filings(store, todo, NOW)


@pytest.mark.parametrize(("after_intake", "left"), [("mark_seen", [{b"\\Seen"}]), ("move", [])])
def test_a_mail_that_came_to_both_of_our_mailboxes_is_marked_or_moved_in_both(
    store: Store, database: str, dovecot: Dovecot, after_intake: str, left: list[set[bytes]]
) -> None:
    raw = RAW % ((f"{database}-{after_intake}".encode(),) * 2)
    for mailbox_id, user in enumerate(USERS, 1):
        empty_inbox(dovecot, user)
        dovecot.deliver(user, raw)
        block = make_block(dovecot, user, after_intake)
        bring_through(store, block)
        file_all(store, block, mailbox_id)
        assert list(dovecot.read_flags(user).values()) == left
        moved = list(dovecot.read(user, "Done").values()) if after_intake == "move" else []
        assert moved.count(raw) == (after_intake == "move")
    assert count_rows(store, "message") == 1
    assert look_up(store, "filing", "state") == ["done", "done"]


def empty_inbox(dovecot: Dovecot, user: str) -> None:
    with dovecot.open(user) as client:
        client.select_folder("INBOX")
        client.delete_messages(client.search("ALL"))
        client.expunge()
