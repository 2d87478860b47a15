"""A worker in a process of its own that visits a mailbox, or files in it, up to a point: there it dies or waits.

with send_worker(order) as worker:
    assert worker.hear_end() == -signal.SIGKILL

What is killed here really dies: SIGKILL, by its own hand. All are forked from one process that has imported everything.
"""

from __future__ import annotations

import multiprocessing
import os
import pkgutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import store.mailboxes
import tasks.filing
from blocks import ImapMailbox, PasswordCredentials
from desk.policy import read_policy
from store.engine import open_engine
from store.mailboxes import MailboxState, lease_mailbox, read_mailbox, register_mailbox
from store.memory import Store
from store.packs import PackFolder
from tasks.filing import FileCount
from tasks.following import Answered, follow_folder
from tasks.intake import SyncReport, close_visit, describe_account, fetch_mailbox, leave_alone
from tasks.looking import Visit
from tasks.tending import LEASE
from tests.stores import make_keys

NAME = "support"
WORD = "dying"
PATIENCE = 180.0  # seconds: with a busy machine, not with the desk
PATCHED = ("intake", "filing", "guard", "fetching")
BATCH_MAILS = 40  # so that a few hundred mails are several batches


@dataclass(frozen=True, slots=True)
class Point:
    """`before`, `after` or in the `middle` of the so-manieth call of a function, named as `module.name` or by class."""

    function: str
    when: str
    turn: int = 1


@dataclass(frozen=True, slots=True)
class Order:
    """What to do on which desk: visit | file | follow. At the point the worker dies, or waits when it is told to."""

    url: str
    packs: str
    port: int
    user: str
    folders: tuple[str, ...] = ("INBOX",)
    after_intake: str = "keep"
    work: str = "visit"
    token: str = "worker"
    lease_seconds: float = 120
    point: Point | None = None
    waits: bool = False

    @property
    def store(self) -> Store:
        return Store(open_engine(self.url), PackFolder(Path(self.packs)), make_keys())

    @property
    def block(self) -> ImapMailbox:
        return ImapMailbox.model_validate({
            "address": "support@atelier.example", "host": "127.0.0.1", "port": self.port, "security": "none",
            "credentials": PasswordCredentials.model_validate({"user": self.user, "password": WORD}),
            "folders": list(self.folders), "after_intake": self.after_intake, "after_intake_folder": "Traité",
        })  # fmt: skip

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.lease_seconds)


# --- by the test -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Worker:
    process: ForkServerProcess
    line: Connection

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def hear(self) -> Any:
        """The next that it says: `here` when it waits at its point, else how its work went."""
        assert self.line.poll(PATIENCE)
        return self.line.recv()

    def go_on(self) -> None:
        self.line.send("go")

    def hear_end(self) -> int | None:
        """Its exit code, once it is gone."""
        self.process.join(PATIENCE)
        return self.process.exitcode


@contextmanager
def send_worker(order: Order) -> Iterator[Worker]:
    """It works while the test goes on, and is gone at the end, whatever state it is in."""
    nursery = multiprocessing.get_context("forkserver")
    nursery.set_forkserver_preload([__name__])
    ours, theirs = nursery.Pipe()
    process = nursery.Process(target=work, args=(order, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Worker(process, ours)
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()


# --- by the worker ---------------------------------------------------------------------------------------------------


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wait(line: Connection) -> None:
    """In this thread; others go on."""
    line.send("here")
    line.recv()


def lay_mine(point: Point, strike: Callable[[], None]) -> None:
    """From now on the function strikes at the point's turn."""
    owner_name, _, name = point.function.rpartition(".")
    owner = pkgutil.resolve_name(owner_name)
    original, turns = getattr(owner, name), count(1)

    def step(*args: Any, **kwargs: Any) -> Any:
        due = next(turns) == point.turn
        if due and point.when == "before":
            strike()
        if due and point.when == "middle":
            halve(original, *args)
            strike()
        result = original(*args, **kwargs)
        if due and point.when == "after":
            strike()
        return result

    setattr(owner, name, step)


def halve(read: Callable[..., Any], stream: Any, size: int) -> None:
    """Read half of what is to be read."""
    read(stream, size // 2)


def work(order: Order, line: Connection) -> None:
    """Doors 1, 2 and 9 as the desk's tasks have them, without Prefect around."""
    desk, block = order.store, order.block
    prepare(desk, block, order.lease)
    state = register(desk, block)
    if order.point:
        lay_mine(order.point, partial(wait, line) if order.waits else die)
    works: dict[str, Callable[[], Any]] = {
        "visit": lambda: visit(desk, block, state, order.token, order.lease),
        "file": lambda: file(desk, state),
        "follow": lambda: follow(desk, block, state),
    }
    line.send(works[order.work]())


def prepare(desk: Store, block: ImapMailbox, lease: timedelta) -> None:
    """Small batches, leases of this length, and what Prefect's blocks would say."""
    intake, filing, guard, fetching = (pkgutil.resolve_name(f"tasks.{name}") for name in PATCHED)
    fetching.BATCH_MAILS = BATCH_MAILS
    intake.LEASE, intake.Tender = lease, partial(intake.Tender, lease=lease)
    filing.load_block = lambda *_: block
    guard.open_database = lambda: desk.engine


def register(desk: Store, block: ImapMailbox) -> MailboxState:
    account = describe_account(block, NAME)
    return read_mailbox(desk.engine, register_mailbox(desk.engine, account))


def visit(desk: Store, block: ImapMailbox, state: MailboxState, token: str, lease: timedelta = LEASE) -> SyncReport:
    """As `tasks.intake.visit_mailbox`, but that nobody is told."""
    if not lease_mailbox(desk.engine, state.id, token, datetime.now(UTC), lease):
        return leave_alone(state, "busy")
    report = fetch_mailbox(desk, block, state, token)
    now = datetime.now(UTC)
    store.mailboxes.end_sync(desk.engine, state.id, token, now, close_visit(state, report, "", now))
    return report


def file(desk: Store, state: MailboxState) -> FileCount:
    return tasks.filing._file_mailbox(desk, state.id, NAME)


def follow(desk: Store, block: ImapMailbox, state: MailboxState) -> list[Answered]:
    with block.connect() as client:
        seen = Visit(desk, read_policy(Path("policy.yaml")), block, client, state.id)
        return [one for folder in block.list_sent(client) for one in follow_folder(seen, folder)]
