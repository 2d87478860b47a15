"""Whatever a server does between visits and wherever a visit breaks: what it showed is here, or named as a hole.

Hypothesis plays mail coming, going, being withheld and renumbered, connections that break and commits that fail.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError
from pydantic import SecretStr

import store.intake
from blocks import ImapMailbox, PasswordCredentials
from store.engine import open_engine, reading, writing
from store.intake import deliveries, open_mail, read_places
from store.mailboxes import folders, lease_mailbox, pending, read_mailbox, release_lease
from store.memory import Store
from store.migrate import migrate_store
from store.packs import PackFolder
from tasks import fetching, intake
from tasks.tending import LEASE
from tests.stores import add_mailbox, make_keys

BLOCK = ImapMailbox(
    address="support@atelier.example", host="127.0.0.1", port=1, security="none",
    credentials=PasswordCredentials(user="u", password=SecretStr("p")),
)  # fmt: skip


@dataclass
class Server:
    """A folder as IMAP has it; as a client it answers what the intake asks. It breaks off at the so-manieth FETCH."""

    uidvalidity: int = 1
    uidnext: int = 1
    mails: dict[int, bytes] = field(default_factory=dict)
    withheld: set[int] = field(default_factory=set)
    breaks_at: int | None = None
    says_uidnext: bool = True
    asked: dict[bytes, list[int]] = field(default_factory=dict)
    written: int = 0

    def deliver(self) -> None:
        self.written += 1
        self.mails[self.uidnext] = f"Message-ID: <{self.written}@x>\r\n\r\nmail {self.written}\r\n".encode()
        self.uidnext += 1

    def socket(self) -> None:
        """Nothing to be cut off."""

    def renumber(self) -> None:
        """A mailbox that was made anew, its UIDs beginning again (RFC 3501 §2.3.1.1)."""
        self.uidvalidity += 1
        self.mails = dict(enumerate(self.mails.values(), start=1))
        self.withheld, self.uidnext = set(), len(self.mails) + 1

    # --- what IMAPClient would do ---

    def select_folder(self, _folder: str, readonly: bool) -> dict[bytes, int]:
        assert readonly
        said = {b"UIDVALIDITY": self.uidvalidity, b"EXISTS": len(self.mails)}
        return said | ({b"UIDNEXT": self.uidnext} if self.says_uidnext else {})

    def search(self, *criteria: str) -> list[int]:
        if "LARGER" in criteria:
            return []
        if not criteria[1].endswith(":*"):
            return [uid for uid in read_set(criteria[1]) if uid in self.mails]
        found = [uid for uid in self.mails if uid >= int(criteria[1][:-2])]
        return found or sorted(self.mails)[-1:]  # `n:*` names the last one, however high n is

    def send_fetch(self, uids: list[int]) -> bytes:
        tag = str(len(self.asked)).encode()
        self.asked[tag] = uids
        return tag

    def read_fetch(self, tag: bytes) -> dict[int, dict[bytes, Any]]:
        if self.breaks_at is not None:
            self.breaks_at -= 1
            if self.breaks_at < 0:
                raise IMAPClientAbortError("socket error: EOF")
        shown = [uid for uid in self.asked[tag] if uid in self.mails and uid not in self.withheld]
        return {uid: {b"INTERNALDATE": datetime.now(), b"BODY[]": self.mails[uid]} for uid in shown}  # noqa: DTZ005 - IMAPClient gives it naive


def read_set(text: str) -> Iterator[int]:
    """UIDs of a sequence set (RFC 3501 §9)."""
    for part in text.split(","):
        first, _, last = part.partition(":")
        yield from range(int(first), int(last or first) + 1)


class Visits(RuleBasedStateMachine):
    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        home = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="byreturn-cursor-")))
        engine = open_engine(f"sqlite:///{shutil.copy(self.template, home / 'desk.db')}")
        sa.event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=OFF"))
        self.stack.callback(engine.dispose)
        self.store = Store(engine, PackFolder(home / "packs"), make_keys())
        self.mailbox_id = add_mailbox(self.store)
        self.server = Server()
        self.shown: dict[tuple[int, int], bytes] = {}  # by UIDVALIDITY and UID, everything there ever was
        for name, other in (
            ("tasks.fetching.search_uids", lambda _client, *criteria: self.server.search(*criteria)),
            ("tasks.fetching.send_fetch", lambda _client, uids: self.server.send_fetch(uids)),
            ("tasks.fetching.read_fetch", lambda _client, tag, **_more: self.server.read_fetch(tag)),
            ("tasks.fetching.BATCH_MAILS", 2),
            ("tasks.guard.open_database", lambda: engine),
            ("os.fsync", lambda _file: None),  # a test's disk need not outlive a power cut
        ):
            self.stack.enter_context(patch(name, other))

    def teardown(self) -> None:
        self.stack.close()

    @rule(count=st.integers(1, 7))
    def mail_comes(self, count: int) -> None:
        for _ in range(count):
            self.server.deliver()
        self.shown |= {(self.server.uidvalidity, uid): raw for uid, raw in self.server.mails.items()}

    @precondition(lambda self: self.server.mails)
    @rule(data=st.data())
    def a_person_deletes_one(self, data: st.DataObject) -> None:
        del self.server.mails[data.draw(st.sampled_from(sorted(self.server.mails)))]

    @precondition(lambda self: self.server.mails)
    @rule(data=st.data())
    def the_server_withholds_one(self, data: st.DataObject) -> None:
        self.server.withheld.add(data.draw(st.sampled_from(sorted(self.server.mails))))

    @rule()
    def the_server_hands_out_all_again(self) -> None:
        self.server.withheld.clear()
        self.let_time_pass()

    @rule()
    def the_server_numbers_its_mails_anew(self) -> None:
        self.server.renumber()
        self.shown |= {(self.server.uidvalidity, uid): raw for uid, raw in self.server.mails.items()}

    @rule(says=st.booleans())
    def the_server_tells_its_next_uid_or_not(self, says: bool) -> None:
        self.server.says_uidnext = says

    @rule(at=st.integers(0, 3))
    def a_visit_breaks_off(self, at: int) -> None:
        self.server.breaks_at = at
        self.visit()
        self.server.breaks_at = None

    @rule(at=st.integers(0, 2), committed=st.booleans())
    def a_commit_fails(self, at: int, committed: bool) -> None:
        """Before it, or after it when nobody hears of its success."""
        keep, calls = store.intake.keep_batch, iter(range(100))

        def fail(*args: Any, **more: Any) -> int:
            fails = next(calls) == at
            if fails and not committed:
                with patch("store.intake.move_cursor", side_effect=OSError("power cut")):
                    return keep(*args, **more)
            kept = keep(*args, **more)
            if fails:
                raise OSError("power cut")
            return kept

        with patch("tasks.intake.keep_batch", fail):
            self.visit()

    @rule()
    def a_visit_goes_well(self) -> None:
        assert self.visit() in ("synced", "partial")
        assert self.count_missing() == 0

    def visit(self) -> str:
        """Over a connection that is open; its lease is given back as the end of a process would."""
        now = datetime.now(UTC)
        assert lease_mailbox(self.store.engine, self.mailbox_id, "visit", now, LEASE)
        state = read_mailbox(self.store.engine, self.mailbox_id)
        report = intake.fetch_mailbox(self.store, BLOCK, state, "visit", cast(IMAPClient, self.server))
        release_lease(self.store.engine, self.mailbox_id, "visit")
        return report.status

    def let_time_pass(self) -> None:
        """The next try of every hole has come."""
        with writing(self.store.engine) as connection:
            connection.execute(sa.update(pending).values(next_try_at=datetime(2020, 1, 1, tzinfo=UTC)))

    def count_missing(self) -> int:
        """Mails on the server that are neither here nor named as a hole."""
        there = {(self.server.uidvalidity, uid) for uid in self.server.mails}
        return len(there - self.kept - self.holes)

    @property
    def kept(self) -> set[tuple[int, int]]:
        return self.read(sa.select(deliveries.c.uidvalidity, deliveries.c.uid))

    @property
    def holes(self) -> set[tuple[int, int]]:
        return self.read(sa.select(pending.c.uidvalidity, pending.c.uid))

    def read(self, query: sa.Select[Any]) -> set[tuple[int, int]]:
        with reading(self.store.engine) as connection:
            return {(row[0], row[1]) for row in connection.execute(query)}

    @invariant()
    def what_the_cursor_has_passed_is_here_or_named(self) -> None:
        for uidvalidity, last_uid in self.read(sa.select(folders.c.uidvalidity, folders.c.last_uid)):
            if uidvalidity == self.server.uidvalidity:
                passed = {(uidvalidity, uid) for uid in self.server.mails if uid <= last_uid}
                assert passed <= self.kept | self.holes
                assert last_uid < self.server.uidnext

    @invariant()
    def nothing_is_both_here_and_a_hole(self) -> None:
        assert not self.kept & self.holes

    @invariant()
    def what_is_here_is_what_the_server_showed(self) -> None:
        with reading(self.store.engine) as connection:
            rows = connection.execute(sa.select(deliveries.c.id, deliveries.c.uidvalidity, deliveries.c.uid)).all()
        names = {row.id: (row.uidvalidity, row.uid) for row in rows}
        for place in read_places(self.store, list(names)):
            assert open_mail(self.store, place) == self.shown[names[place.id]]


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="byreturn-cursor-") as folder:
        file = Path(folder) / "desk.db"
        engine = open_engine(f"sqlite:///{file}")
        migrate_store(engine)
        engine.dispose()
        yield file


def test_what_the_server_showed_is_here_or_named_as_a_hole(template: Path) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    Visits.template = template
    run_state_machine_as_test(
        Visits,
        settings=settings(
            max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_a_run_of_uids_is_written_short() -> None:
    assert fetching.join_uids([1, 2, 3, 7, 9, 10]) == "1:3,7,9:10"
