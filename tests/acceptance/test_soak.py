"""Twenty mailboxes, round after round; one refuses us, one says nothing, one is slow: the others are on time."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from prefect.client.schemas.objects import State
from pydantic import SecretStr

from blocks import ImapMailbox, PasswordCredentials
from store.engine import reading
from store.memory import Store
from tests.acceptance.scene import Scene
from tests.acceptance.workers import wait_until
from tests.dovecot import HOST, Dovecot, run_dovecot
from tests.stores import look_up, tables

WORD = "soak"
REFUSED, SILENT, SLOW = "refused", "silent", "slow"
OTHERS = tuple(f"box{number:02}" for number in range(17))
ALL = (SILENT, SLOW, REFUSED, *OTHERS)  # those in the way come first
SOME = 5  # new mails a round in each mailbox
PATIENCE = 180.0  # seconds that a gate waits for the others: with a busy machine, not with the desk
TIMEOUT = 180.0  # of the mailboxes: longer than any gate is shut
NO_PENALTY = "service anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}\n"  # it slows everybody down
SERIAL = count()


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with run_dovecot(dict.fromkeys(ALL, WORD), more=NO_PENALTY) as server:
        yield server


@dataclass(slots=True)
class Gate:
    """Before a server: from the first answer with `word` in it on, answers wait until `may_pass`, or end the session.

    `waits` is what became of each wait: whether what it waited for came while its client was still waiting, too.
    """

    behind: int
    word: bytes
    may_pass: Callable[[], bool]
    hangs_up: bool = False
    is_open: bool = False
    waits: list[bool] = field(default_factory=list)
    listener: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.listener = socket.create_server((HOST, 0))

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def welcome(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                start_thread(self.serve, client, socket.create_connection((HOST, self.behind)))

    def serve(self, client: socket.socket, server: socket.socket) -> None:
        asking = start_thread(carry, client, server)
        with client, server, suppress(OSError):
            while (some := server.recv(65_536)) and self.lets_through(some, asking):
                client.sendall(some)
            hang_up(client)
            asking.join()

    def lets_through(self, some: bytes, asking: threading.Thread) -> bool:
        if self.is_open or self.word not in some:
            return True
        self.waits.append(has_come(self.may_pass) and asking.is_alive())
        return not self.hangs_up


def carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while some := source.recv(65_536):
            target.sendall(some)
    hang_up(target)


def hang_up(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


def has_come(what: Callable[[], bool]) -> bool:
    try:
        wait_until(what, PATIENCE, "what a gate waits for")
    except TimeoutError:
        return False
    return True


def start_thread(work: Callable[..., None], *args: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=args, daemon=True)
    thread.start()
    return thread


@contextmanager
def open_gate(gate: Gate) -> Iterator[Gate]:
    start_thread(gate.welcome)
    try:
        yield gate
    finally:
        hang_up(gate.listener)
        gate.listener.close()


@dataclass(frozen=True, slots=True)
class Soak:
    scene: Scene
    store: Store
    dovecot: Dovecot
    silent: Gate
    slow: Gate

    def bring(self) -> State[Any]:
        """New mail in every mailbox, and a run."""
        from flows.sync_inbox import sync_inbox

        for name in ALL:
            self.dovecot.drop(name, (write_mail() for _ in range(SOME)))
        return sync_inbox(mailboxes=list(ALL), return_state=True)

    def save(self, name: str, word: str = WORD) -> None:
        ports = {SILENT: self.silent.port, SLOW: self.slow.port}
        ImapMailbox(
            address=f"{name}@atelier.example", host=HOST, port=ports.get(name, self.dovecot.port), security="none",
            credentials=PasswordCredentials(user=name, password=SecretStr(word)), timeout_seconds=TIMEOUT,
        ).save(name, overwrite=True)  # fmt: skip

    def hear(self, name: str) -> list[str]:
        """What the operator was told of a mailbox."""
        said = [json.loads(post.body) for post in self.scene.hook.posts]
        key = f"mailbox:{name}"
        return [one["subject"].removeprefix(f"Byreturn: {key}: ") for one in said if one["key"] == key]

    def get_remedy(self, name: str) -> str:
        remedies = dict(zip(*(look_up(self.store, "mailbox", column) for column in ("name", "remedy")), strict=True))
        assert remedies[name]
        return str(remedies[name])


def write_mail() -> bytes:
    number = next(SERIAL)
    return f"Subject: mail {number}\r\nMessage-ID: <{number}@ecole.example>\r\n\r\nBonjour\r\n".encode()


def count_kept(store: Store) -> Counter[str]:
    """Mails here, by mailbox."""
    mailbox, delivery = tables()["mailbox"], tables()["delivery"]
    kept = sa.select(mailbox.c.name).join(delivery, delivery.c.mailbox_id == mailbox.c.id)
    with reading(store.engine) as connection:
        return Counter(connection.execute(kept).scalars())


@pytest.fixture
def soak(scene: Scene, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Soak]:
    """All mailboxes saved, with the wrong password in one of them."""
    monkeypatch.setattr("blocks.imap.CONNECT_SECONDS", TIMEOUT)
    store = scene.store

    def others_are_in() -> bool:
        kept = count_kept(store)
        return all(kept[name] == count_files(dovecot, name) for name in OTHERS)

    with ExitStack() as stack:
        silent = stack.enter_context(open_gate(Gate(dovecot.port, b"", others_are_in, hangs_up=True)))
        slow = stack.enter_context(open_gate(Gate(dovecot.port, b" FETCH (", others_are_in)))
        made = Soak(scene, store, dovecot, silent, slow)
        for name in ALL:
            made.save(name, "wrong" if name == REFUSED else WORD)
        yield made


def count_files(dovecot: Dovecot, name: str) -> int:
    """A mailbox's mails, whether a client has seen them or not."""
    folder = dovecot.home / "mail" / name / "Maildir"
    return sum(1 for place in ("new", "cur") for _ in (folder / place).iterdir())


def test_twenty_mailboxes_are_on_time_while_three_misbehave_and_the_operator_hears_it_once(soak: Soak) -> None:
    well = (*OTHERS, SLOW)
    for round_ in (1, 2):
        state = soak.bring()
        assert count_kept(soak.store) == dict.fromkeys(well, SOME * round_)
        assert (soak.silent.waits, soak.slow.waits) == ([True] * round_, [True] * round_)
        said = str(state.message)
        assert said.startswith(f"{SOME * len(well)} mails kept from {len(ALL)} mailboxes; ")
        assert f"{REFUSED}: auth. {soak.get_remedy(REFUSED)}" in said
        assert f"{SILENT}: network. {soak.get_remedy(SILENT)}" in said
        assert [soak.hear(name) for name in (REFUSED, SILENT)] == [["auth"], ["network"]]

    soak.save(REFUSED)
    soak.silent.is_open = soak.slow.is_open = True
    assert soak.bring().is_completed()
    assert count_kept(soak.store) == dict.fromkeys(ALL, SOME * 3)
    assert [soak.hear(name) for name in (REFUSED, SILENT)] == [["auth", "well again"], ["network", "well again"]]
    assert {name: soak.hear(name) for name in well if soak.hear(name)} == {}
