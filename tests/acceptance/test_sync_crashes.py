"""SIGKILL in the middle of the intake, or of what is done after it: nothing lost, nothing twice, no pack missing."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from desk.mail import Mail, read_mail
from store.engine import writing
from store.filing import claim_filings, list_open_mailboxes
from store.intake import claim_deliveries, open_mail, read_places
from store.memory import Store
from store.messages import ReadMail, save_read
from store.retention import find_orphans
from tasks.filing import FileCount, file_one
from tests.acceptance.dying import BATCH_MAILS, WORD, Order, Point, file, register, send_worker, visit
from tests.dovecot import Dovecot, run_dovecot
from tests.integration.conftest import engine, postgres, postgres_template, sqlite_template, store, url
from tests.stores import IGNORED, LEASE, carry_out, claim_all, count_rows, cut_at, look_up, make_outcome, tables

__all__ = ["engine", "postgres", "postgres_template", "sqlite_template", "store", "url"]  # fixtures

INBOX, OTHER, DONE = "INBOX", "Été", "Traité"
MANY, FEW = 5 * BATCH_MAILS, 60
USERS = tuple(f"user{number}" for number in range(60))  # one a test
SERIAL = count()
NO_MOVE = "imap_capability = IMAP4rev1 LITERAL+ UIDPLUS NAMESPACE CHILDREN ENABLE\n"


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with run_dovecot(dict.fromkeys(USERS, WORD)) as server:
        yield server


@pytest.fixture(scope="module")
def plain() -> Iterator[Dovecot]:
    """A server without MOVE (RFC 6851)."""
    with run_dovecot(dict.fromkeys(USERS, WORD), more=NO_MOVE) as server:
        yield server


@pytest.fixture
def database() -> str:
    """SQLite, unless a test names another."""
    return "sqlite"


@pytest.fixture
def order(url: str, tmp_path: Path, dovecot: Dovecot) -> Order:
    """For a mailbox of this test's own."""
    return Order(url, str(tmp_path / "packs"), dovecot.port, USERS[next(SERIAL)])


def write_mail(number: int, header_id: str = "", size_bytes: int = 0) -> bytes:
    name = header_id or f"<{number}@ecole.example>"
    head = f"From: lea@ecole.example\r\nSubject: mail {number}\r\nMessage-ID: {name}\r\n\r\n"
    return (head + "Bonjour, ça va ?\r\n" * (1 + size_bytes // 18)).encode()


def be_killed(order: Order) -> None:
    """A worker that dies at the order's point, by the kernel's word."""
    with send_worker(order) as worker:
        assert worker.hear_end() == -signal.SIGKILL


# --- the intake ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Crash:
    """Where the first worker dies, how many mails it may have kept, and how many packs nobody names."""

    point: Point
    kept: tuple[int, ...]
    orphans: tuple[int, ...] = (0,)


CRASHES = {
    "half of a mail read": Crash(Point("imaplib.IMAP4.read", "middle", 100), (0, 40, 80), (0, 1)),
    "a pack written and not named": Crash(Point("pathlib.Path.rename", "before", 2), (40,), (1,)),
    "a pack named": Crash(Point("store.packs._sync_folder", "before", 2), (40,), (1,)),
    "rows written and not committed": Crash(Point("store.intake.move_cursor", "after", 2), (40,), (1,)),
    "a batch committed": Crash(Point("tasks.intake.keep_batch", "after", 3), (120,)),
    "a folder kept and not remembered": Crash(Point("tasks.intake.remember_folder", "before"), (MANY,)),
    "between two folders": Crash(Point("tasks.intake.fetch_folder", "after"), (MANY,)),
    "a visit not written down": Crash(Point("store.mailboxes.end_sync", "before"), (MANY + FEW,)),
}
ON_POSTGRESQL = tuple(CRASHES)[1:5]
EVERYWHERE = [("sqlite", name) for name in CRASHES] + [("postgresql", name) for name in ON_POSTGRESQL]


@pytest.mark.parametrize(("database", "name"), EVERYWHERE)
def test_after_sigkill_a_second_worker_brings_every_mail_in_once(
    store: Store, order: Order, dovecot: Dovecot, name: str
) -> None:
    crash, order = CRASHES[name], replace(order, folders=(INBOX, OTHER))
    fill_folders(dovecot, order.user)
    be_killed(replace(order, point=crash.point))
    assert count_rows(store, "delivery") in crash.kept

    state = register(store, order.block)
    assert visit(store, order.block, state, "second").status == "busy"  # the dead one's lease goes on
    end_lease(store)
    reports = [visit(store, order.block, state, "second") for _ in range(2)]
    assert [one.status for one in reports] == ["synced", "synced"]
    assert reports[1].kept == 0
    assert find_flaws(store, dovecot, order) == {}
    assert len(find_strays(store)) in crash.orphans


def fill_folders(dovecot: Dovecot, user: str) -> None:
    dovecot.drop(user, (write_mail(number, size_bytes=number % 7 * 9_000) for number in range(MANY)))
    dovecot.deliver(user, *(write_mail(MANY + number) for number in range(FEW)), folder=OTHER)


def end_lease(store: Store) -> None:
    """As if its time had passed."""
    change_rows(store, "mailbox", lease_until=datetime.now(UTC) - timedelta(seconds=1))


def change_rows(store: Store, name: str, **values: Any) -> None:
    with writing(store.engine) as connection:
        connection.execute(sa.update(tables()[name]).values(**values))


def find_strays(store: Store) -> tuple[str, ...]:
    """Packs that retention would sweep, whatever their age."""
    return find_orphans(store, cut_at(datetime.now(UTC) + timedelta(hours=1)))


def find_flaws(store: Store, dovecot: Dovecot, order: Order) -> dict[str, Any]:
    """What is in the store against what is on the server; empty when all is well."""
    there = {(folder, uid): raw for folder in order.folders for uid, raw in dovecot.read(order.user, folder).items()}
    here = open_mails(store)
    files = {path.name for path in store.packs.path.iterdir()}
    flaws = {
        "lost": sorted(there.keys() - here.keys()),
        "made up": sorted(here.keys() - there.keys()),
        "changed": sorted(key for key in there.keys() & here.keys() if here[key] != there[key]),
        "twice": [raw for raw, times in Counter(here.values()).items() if times > 1],
        "cursor": set(read_cursors(store).items())
        ^ {(one, max(dovecot.read(order.user, one))) for one in order.folders},
        "counted": set(look_up(store, "mailbox", "kept")) ^ {len(there)},
        "holes": look_up(store, "pending_uid", "uid"),
        "packs missing": sorted(set(look_up(store, "pack", "name")) - files),
        "packs astray": sorted((files - set(look_up(store, "pack", "name"))) ^ set(find_strays(store))),
        "leased": [one for one in look_up(store, "mailbox", "lease_token") if one],
    }
    return {name: found for name, found in flaws.items() if found}


def open_mails(store: Store) -> dict[tuple[str, int], bytes]:
    """Every mail, opened from its pack, by folder and UID."""
    columns = (look_up(store, "delivery", name) for name in ("id", "folder", "uid"))
    names = {row[0]: row[1:] for row in zip(*columns, strict=True)}
    return {names[place.id]: open_mail(store, place) for place in read_places(store, list(names))}


def read_cursors(store: Store) -> dict[str, int]:
    return dict(zip(look_up(store, "folder", "name"), look_up(store, "folder", "last_uid"), strict=True))


# --- what is done after it -------------------------------------------------------------------------------------------

SOME = 12
FILED = {
    "moved": ("mailbox", "move", Point("imapclient.IMAPClient.move", "after", 7)),
    "folder made": ("mailbox", "move", Point("imapclient.IMAPClient.create_folder", "after")),
    "all moved, none recorded": ("mailbox", "move", Point("tasks.filing.end_filings", "before")),
    "marked": ("mailbox", "mark_seen", Point("imapclient.IMAPClient.add_flags", "after", 7)),
    "flagged": ("mailbox", "flag", Point("imapclient.IMAPClient.add_flags", "before", 7)),
    "copied": ("plain", "move", Point("imapclient.IMAPClient.copy", "after", 7)),
    "copied and to be deleted": ("plain", "move", Point("imapclient.IMAPClient.delete_messages", "after", 7)),
    "copied and deleted": ("plain", "move", Point("imapclient.IMAPClient.uid_expunge", "after", 7)),
}
MARKS: dict[str, set[bytes]] = {"mark_seen": {b"\\Seen"}, "flag": {b"\\Flagged"}}


@pytest.fixture
def server(request: pytest.FixtureRequest, kind: str) -> Dovecot:
    found: Dovecot = request.getfixturevalue({"mailbox": "dovecot", "plain": "plain"}[kind])
    return found


@pytest.mark.parametrize(("kind", "action", "point"), FILED.values(), ids=FILED)
def test_after_sigkill_each_mail_is_once_where_it_belongs(
    store: Store, order: Order, server: Dovecot, action: str, point: Point, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = replace(order, port=server.port, after_intake=action, work="file")
    mails = [write_mail(number) for number in range(SOME)]
    server.drop(order.user, mails)
    decide_all(store, order)
    be_killed(replace(order, point=point))
    assert look_up(store, "filing", "state") == ["open"] * SOME

    end_claims(store)
    monkeypatch.setattr("tasks.filing.load_block", lambda *_: order.block)
    assert file(store, register(store, order.block)) == FileCount(SOME, 0)
    assert list_open_mailboxes(store, datetime.now(UTC)) == ()
    assert look_up(store, "filing", "state") == ["done"] * SOME
    assert Counter(server.read(order.user, DONE if action == "move" else INBOX).values()) == Counter(mails)
    left = [] if action == "move" else [MARKS[action]] * SOME
    assert list(server.read_flags(order.user).values()) == left


def decide_all(store: Store, order: Order) -> None:
    """All mails in, and decided."""
    assert visit(store, order.block, register(store, order.block), "first").status == "synced"
    now = datetime.now(UTC)
    read = [(place, read_mail(open_mail(store, place))) for place in claim_deliveries(store, "reader", now, LEASE, 500)]
    save_read(store, "reader", [ReadMail(place, mail) for place, mail in read if isinstance(mail, Mail)])
    for waiting in claim_all(store):
        carry_out(store, waiting, make_outcome(IGNORED), now, now)


def end_claims(store: Store) -> None:
    """As if their time had passed."""
    change_rows(store, "filing", claimed_until=datetime.now(UTC) - timedelta(seconds=1))


def test_two_mails_with_one_message_id_are_both_moved(store: Store, order: Order, plain: Dovecot) -> None:
    order = replace(order, port=plain.port, after_intake="move")
    mails = [write_mail(number, "<stolen@ecole.example>") for number in range(2)]
    plain.drop(order.user, mails)
    decide_all(store, order)
    file_once(store, order)
    assert sorted(plain.read(order.user, DONE).values()) == mails
    assert plain.read(order.user) == {}


def file_once(store: Store, order: Order) -> None:
    with order.block.connect() as client:
        for one in claim_filings(store, 1, "filer", datetime.now(UTC), LEASE, SOME):
            file_one(client, order.block, one)


def test_a_copy_of_a_mail_without_message_id_is_made_again_and_none_is_lost(
    store: Store, order: Order, plain: Dovecot
) -> None:
    order = replace(order, port=plain.port, after_intake="move")
    nameless = b"Subject: no name\r\n\r\nBonjour\r\n"
    plain.drop(order.user, [nameless])
    decide_all(store, order)
    be_killed(replace(order, work="file", point=Point("imapclient.IMAPClient.copy", "after")))
    end_claims(store)
    file_once(store, order)
    assert list(plain.read(order.user, DONE).values()) == [nameless] * 2
    assert plain.read(order.user) == {}
