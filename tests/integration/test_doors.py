"""Doors 1, 2 and 9 against a real IMAP server: what is fetched, what is left alone, what is laid down and moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from imapclient import IMAPClient
from pydantic import SecretStr

import tasks.fetching
from blocks import ImapMailbox, PasswordCredentials
from demo.servers import FOLDERS, ImapServer, deliver, open_mailbox, read_folder
from desk.facts import Arrival
from store.filing import ToFile
from store.intake import claim_deliveries, open_mail
from store.mailboxes import MailboxState, end_sync, lease_mailbox, list_mailboxes, register_mailbox
from store.memory import Store
from store.troubles import list_quarantine
from tasks.filing import file_one
from tasks.intake import SyncReport, close_visit, describe_account, fetch_mailbox
from tasks.tending import LEASE
from tests.acceptance.workers import change_policy
from tests.stores import count_rows, look_up

USER = "support"
WORD = "doors"
LIMIT = 2_000
FIRST, SECOND = 101, 102  # UIDs of a folder's first mails: pymap begins there


@pytest.fixture
def imap() -> Iterator[ImapServer]:
    with ImapServer({USER: WORD}, FOLDERS) as server:
        yield server


def make_block(imap: ImapServer, **more: object) -> ImapMailbox:
    given: dict[str, object] = {
        "address": "support@atelier.example",
        "host": imap.host,
        "port": imap.port,
        "security": "none",
        "credentials": PasswordCredentials(user=USER, password=SecretStr(WORD)),
    }
    return ImapMailbox.model_validate(given | more)


def write_mail(name: str, size_bytes: int = 0) -> bytes:
    body = "x" * 70 + "\r\n"
    return f"From: lea@ecole.example\r\nSubject: {name}\r\n\r\n{body * (1 + size_bytes // len(body))}".encode()


def sync(store: Store, block: ImapMailbox, token: str = "worker") -> SyncReport:
    """One visit, without the Prefect around it."""
    mailbox_id = register_mailbox(store.engine, describe_account(block, USER))
    now, state = datetime.now(UTC), find_state(store)
    assert lease_mailbox(store.engine, mailbox_id, token, now, LEASE)
    report = fetch_mailbox(store, block, state, token)
    end_sync(store.engine, mailbox_id, token, now, close_visit(state, report, "", now))
    return report


def find_state(store: Store) -> MailboxState:
    return list_mailboxes(store.engine)[0]


def read_subjects(store: Store) -> list[str]:
    """Subjects of everything kept, opened from the packs."""
    claimed = claim_deliveries(store, "reader", datetime.now(UTC), timedelta(minutes=1), 1_000)
    raws = (open_mail(store, place) for place in claimed)
    return [raw.split(b"Subject: ")[1].split(b"\r\n")[0].decode() for raw in raws]


# --- the cursor ----------------------------------------------------------------------------------------------


def test_every_mail_is_kept_once_however_often_we_look(store: Store, imap: ImapServer) -> None:
    block = make_block(imap)
    for name in ("one", "two"):
        deliver(imap, USER, write_mail(name))
    assert [sync(store, block).kept for _ in range(3)] == [2, 0, 0]
    deliver(imap, USER, write_mail("three"))
    assert sync(store, block).kept == 1
    assert read_subjects(store) == ["one", "two", "three"]


def test_the_last_mail_that_a_server_names_below_the_cursor_is_not_fetched_again(
    store: Store, imap: ImapServer
) -> None:
    block = make_block(imap)
    deliver(imap, USER, write_mail("one"))
    sync(store, block)
    with open_mailbox(imap, USER) as client:
        client.select_folder("INBOX", readonly=True)
        assert client.search(["UID", "1000:*"])  # RFC 3501 §6.4.8: `n:*` names the last one, however high n is
    sync(store, block)
    assert count_rows(store, "pack") == 1


def test_an_empty_folder_is_no_trouble(store: Store, imap: ImapServer) -> None:
    assert sync(store, make_block(imap)).status == "synced"


def test_a_mailbox_made_anew_brings_its_mails_again_and_its_old_ones_stay(store: Store, imap: ImapServer) -> None:
    deliver(imap, USER, write_mail("one"))
    sync(store, make_block(imap))
    with ImapServer({USER: WORD}, FOLDERS) as anew:  # a new INBOX has a UIDVALIDITY of its own
        for name in ("one", "two"):
            deliver(anew, USER, write_mail(name))
        assert sync(store, make_block(anew)).kept == 2
    assert len(set(look_up(store, "delivery", "uidvalidity"))) == 2
    assert look_up(store, "folder", "last_uid") == [max(look_up(store, "delivery", "uid"))]


def test_all_folders_of_the_block_are_read_and_no_other(store: Store, imap: ImapServer) -> None:
    for folder in ("INBOX", "Junk", "Sent"):
        deliver(imap, USER, write_mail(folder), folder)
    assert sync(store, make_block(imap, folders=["INBOX", "Junk"])).kept == 2
    assert look_up(store, "delivery", "folder") == ["INBOX", "Junk"]


@pytest.mark.usefixtures("incidents")
def test_a_missing_folder_holds_up_no_other_and_is_named(store: Store, imap: ImapServer) -> None:
    deliver(imap, USER, write_mail("one"))
    report = sync(store, make_block(imap, folders=["Nowhere", "INBOX"]))
    assert (report.status, report.error_code, report.kept) == ("partial", "configuration", 1)
    assert "Nowhere" in report.remedy


@pytest.mark.usefixtures("incidents")
def test_a_mailbox_none_of_whose_folders_is_there_is_at_fault(store: Store, imap: ImapServer) -> None:
    assert sync(store, make_block(imap, folders=["Nowhere"])).status == "error"


@pytest.fixture
def incidents(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Causes are kept in the store of this test."""
    monkeypatch.setattr("tasks.guard.open_database", lambda: store.engine)


@pytest.mark.parametrize(("mails", "bytes_", "packs"), [(2, 1_000_000, 3), (100, 40_000, 5), (100, 80_000, 3)])
def test_batches_are_bounded_in_count_and_in_bytes(
    store: Store, imap: ImapServer, monkeypatch: pytest.MonkeyPatch, mails: int, bytes_: int, packs: int
) -> None:
    monkeypatch.setattr(tasks.fetching, "BATCH_MAILS", mails)
    monkeypatch.setattr(tasks.fetching, "BATCH_BYTES", bytes_)
    names = [f"mail {one}" for one in range(5)]
    for name in names:
        deliver(imap, USER, write_mail(name, 34_000))
    assert sync(store, make_block(imap)).kept == 5
    assert count_rows(store, "pack") == packs
    assert read_subjects(store) == names


def test_intake_changes_no_flag(store: Store, imap: ImapServer) -> None:
    deliver(imap, USER, write_mail("one"))
    sync(store, make_block(imap, after_intake="mark_seen"))
    assert b"\\Seen" not in read_flags(imap)[FIRST]


def read_flags(imap: ImapServer, folder: str = "INBOX") -> dict[int, tuple[bytes, ...]]:
    with open_mailbox(imap, USER) as client:
        client.select_folder(folder, readonly=True)
        found: dict[int, tuple[bytes, ...]] = client.get_flags(client.search("ALL"))
        return found


# --- too large -----------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that keeps larger mails aside."""
    file = change_policy(tmp_path, ("mail_bytes: 52428800", f"mail_bytes: {LIMIT}"))
    monkeypatch.setenv("BYRETURN_POLICY", str(file))


@pytest.mark.usefixtures("small")
def test_a_mail_above_the_limit_is_set_aside_and_the_others_go_on(store: Store, imap: ImapServer) -> None:
    for name, size_bytes in (("one", 0), ("large", 2 * LIMIT), ("two", 0)):
        deliver(imap, USER, write_mail(name, size_bytes))
    report = sync(store, make_block(imap))
    assert (report.status, report.kept, report.too_large) == ("partial", 2, 1)
    assert sorted(read_subjects(store)) == ["large", "one", "two"]  # of the large one its head
    (aside,) = list_quarantine(store.engine)
    assert aside.cause == "too-large"
    assert len(read_folder(imap, USER)) == 3  # it is where it was


# --- what lay there before -------------------------------------------------------------------------------------


def append_at(imap: ImapServer, name: str, arrived: datetime) -> None:
    with open_mailbox(imap, USER) as client:
        client.append("INBOX", write_mail(name), msg_time=arrived)


def test_on_the_first_sync_old_mail_is_history_and_later_nothing_is(store: Store, imap: ImapServer) -> None:
    now, block = datetime.now(UTC), make_block(imap)
    append_at(imap, "lay there", now - timedelta(days=4))
    append_at(imap, "came lately", now - timedelta(days=2))
    sync(store, block)
    append_at(imap, "old and late", now - timedelta(days=40))
    sync(store, block)
    assert look_up(store, "delivery", "arrival") == [Arrival.HISTORY, Arrival.LIVE, Arrival.LIVE]


@pytest.mark.usefixtures("incidents")
def test_a_first_sync_that_broke_off_was_not_the_first(store: Store, imap: ImapServer) -> None:
    append_at(imap, "lay there", datetime.now(UTC) - timedelta(days=4))
    wrong = PasswordCredentials(user=USER, password=SecretStr("wrong"))
    assert sync(store, make_block(imap, credentials=wrong)).error_code == "auth"
    sync(store, make_block(imap))
    assert look_up(store, "delivery", "arrival") == [Arrival.HISTORY]


def test_old_mail_of_a_folder_that_is_added_later_is_history_too(store: Store, imap: ImapServer) -> None:
    sync(store, make_block(imap))
    with open_mailbox(imap, USER) as client:
        client.append("Junk", write_mail("lay there"), msg_time=datetime.now(UTC) - timedelta(days=4))
    sync(store, make_block(imap, folders=["INBOX", "Junk"]))
    assert look_up(store, "delivery", "arrival") == [Arrival.HISTORY]


# --- filing ----------------------------------------------------------------------------------------------------

THERE = ToFile(1, 1, "after_intake", "", 0, "INBOX", 0, FIRST, None, "", b"", "worker")
DRAFT = b"Message-ID: %b\r\nSubject: draft\r\n\r\nBonjour\r\n"


def file_twice(imap: ImapServer, block: ImapMailbox, *todo: ToFile) -> None:
    """As after a crash between the deed and its record."""
    with open_mailbox(imap, USER) as client:
        for one in todo * 2:
            file_one(client, block, one)


def name_mail(imap: ImapServer) -> ToFile:
    """The first mail of the INBOX, as the intake saw it."""
    return replace(THERE, uidvalidity=read_validity(imap))


def read_validity(imap: ImapServer) -> int:
    with open_mailbox(imap, USER) as client:
        return int(client.select_folder("INBOX", readonly=True)[b"UIDVALIDITY"])


@pytest.mark.parametrize(("action", "flag"), [("mark_seen", b"\\Seen"), ("flag", b"\\Flagged"), ("keep", None)])
def test_a_mail_is_marked_as_its_block_says_and_its_neighbour_is_not(
    imap: ImapServer, action: str, flag: bytes | None
) -> None:
    for name in ("one", "two"):
        deliver(imap, USER, write_mail(name))
    file_twice(imap, make_block(imap, after_intake=action), name_mail(imap))
    flags = {uid: set(one) - {b"\\Recent"} for uid, one in read_flags(imap).items()}
    assert flags == {FIRST: {flag} if flag else set(), SECOND: set()}


@pytest.mark.parametrize("folder", ["Junk", "Traité/Été"])
def test_a_mail_is_moved_once_to_a_folder_that_is_made_where_it_is_missing(imap: ImapServer, folder: str) -> None:
    for name in ("one", "two"):
        deliver(imap, USER, write_mail(name))
    block = make_block(imap, after_intake="move", after_intake_folder=folder)
    file_twice(imap, block, name_mail(imap))
    assert list(read_folder(imap, USER)) == [SECOND]
    assert len(read_folder(imap, USER, folder)) == 1


def test_a_verdicts_folder_goes_before_the_blocks(imap: ImapServer) -> None:
    deliver(imap, USER, write_mail("one"))
    block = make_block(imap, after_intake="move", after_intake_folder="Sent")
    file_twice(imap, block, replace(name_mail(imap), action="move", folder="Junk"))
    assert [len(read_folder(imap, USER, folder)) for folder in ("INBOX", "Sent", "Junk")] == [0, 0, 1]


def forget_move(client: IMAPClient) -> None:
    """A server without MOVE (RFC 6851)."""
    kept = tuple(one for one in client.capabilities() if one != b"MOVE")
    client._cached_capabilities = kept
    assert not client.has_capability("MOVE")


def test_a_server_without_move_is_served_too(imap: ImapServer) -> None:
    for name in ("one", "two"):
        deliver(imap, USER, write_mail(name))
    block = make_block(imap, after_intake="move", after_intake_folder="Junk")
    with open_mailbox(imap, USER) as client:
        forget_move(client)
        for _ in range(2):
            file_one(client, block, name_mail(imap))
    assert list(read_folder(imap, USER)) == [SECOND]
    assert len(read_folder(imap, USER, "Junk")) == 1


@pytest.mark.parametrize("stale", [{"uidvalidity": 7}, {"uid": 9}])
def test_a_uid_that_means_no_mail_or_another_one_touches_nothing(imap: ImapServer, stale: dict[str, int]) -> None:
    deliver(imap, USER, write_mail("one"))
    wrong = replace(name_mail(imap), **stale)  # type: ignore[arg-type]  # two of its numbers
    file_twice(imap, make_block(imap, after_intake="flag"), wrong)
    file_twice(imap, make_block(imap, after_intake="move", after_intake_folder="Junk"), wrong)
    assert set(read_flags(imap)[FIRST]) <= {b"\\Recent"}
    assert list(read_folder(imap, USER)) == [FIRST]


def make_drafts(*names: str) -> Sequence[ToFile]:
    ids = [f"<{name}@atelier.example>" for name in names]
    return [replace(THERE, action="draft", header_id=one, body=DRAFT % one.encode()) for one in ids]


def test_a_draft_is_laid_once(imap: ImapServer) -> None:
    file_twice(imap, make_block(imap), *make_drafts("one", "two"))
    assert len(read_folder(imap, USER, "Drafts")) == 2
    flags = {flag for flags in read_flags(imap, "Drafts").values() for flag in flags} - {b"\\Recent"}
    assert flags == {b"\\Draft", b"\\Flagged"}  # it takes no keyword of ours


def test_a_drafts_folder_is_made_where_it_is_missing_and_none_is_laid_where_none_is_named(imap: ImapServer) -> None:
    file_twice(imap, make_block(imap, drafts_folder="Brouillons"), *make_drafts("one"))
    file_twice(imap, make_block(imap, drafts_folder=""), *make_drafts("two"))
    assert len(read_folder(imap, USER, "Brouillons")) == 1
    assert not read_folder(imap, USER, "Drafts")
