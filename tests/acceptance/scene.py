"""What acceptance tests do to a desk and ask of it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL, temporary_settings

from classifiers.local import LEARNT
from demo.house import FOLDERS, MAILBOXES, save_desk, save_mailboxes
from demo.servers import ImapServer, SmtpSink, WebhookSink, deliver_all, open_mailbox
from store.memory import Store
from store.views import LetterView, MailView, list_letters, list_mails
from tests.schemas import remember_schemas

PASSWORD = "acceptance"


@dataclass(frozen=True, slots=True)
class House:
    """A running Prefect server: its folder (database and log inside) and its API."""

    home: Path
    url: str


@dataclass(frozen=True, slots=True)
class Scene:
    """A desk on embedded servers."""

    house: House
    home: Path
    imap: ImapServer
    sink: SmtpSink
    hook: WebhookSink

    def deliver(self, raws: Iterable[bytes], mailbox: str = "support") -> None:
        deliver_all(self.imap, mailbox, raws)

    def sync(self) -> State[Any]:
        """Every mailbox, due or not."""
        from flows.sync_inbox import sync_inbox

        return sync_inbox(mailboxes=list(MAILBOXES), return_state=True)

    def work(self, at: datetime | None = None) -> State[Any]:
        from flows.classify_and_reply import classify_and_reply

        return classify_and_reply(at=at, return_state=True)

    def restore(self, home: Path) -> None:
        """Begin again from the memory in another folder."""
        self.store.engine.dispose()
        shutil.rmtree(self.home)
        shutil.copytree(home, self.home)
        for name in MAILBOXES:
            empty_mailbox(self.imap, name)
        self.sink.accepted.clear()
        self.hook.posts.clear()

    @property
    def store(self) -> Store:
        from tasks.opening import open_store

        return open_store()

    @property
    def mails(self) -> tuple[MailView, ...]:
        return list_mails(self.store)

    @property
    def letters(self) -> tuple[LetterView, ...]:
        return list_letters(self.store)


def empty_mailbox(imap: ImapServer, name: str) -> None:
    with open_mailbox(imap, name) as client:
        for folder in ("INBOX", *imap.folders):
            client.select_folder(folder)
            client.delete_messages(client.search("ALL"))
            client.expunge()


@contextmanager
def open_house(**settings: str) -> Iterator[House]:
    """A Prefect server with its own folder; `settings` are further ones of its environment."""
    from demo.house import find_port, flush_prefect, run_server

    remember_schemas()
    with tempfile.TemporaryDirectory(prefix="byreturn-house-") as folder:
        home, port = Path(folder), find_port()
        kept = dict(os.environ)
        os.environ |= {"PREFECT_HOME": str(home / "prefect"), **settings}
        borrow_database(home)
        try:
            with run_server(home, port) as url:
                lend_database(home)
                yield House(home, url)
                flush_prefect()
        finally:
            os.environ.clear()
            os.environ.update(kept)


def find_template() -> Path:
    """Prefect's database as the first server of all test processes made it, once it has: a third of its start."""
    return Path(os.environ["TESTS_SHARED"], "prefect.db")


def borrow_database(home: Path) -> None:
    (home / "prefect").mkdir()
    if find_template().exists():
        shutil.copy(find_template(), home / "prefect")


def lend_database(home: Path) -> None:
    template = find_template()
    if template.exists():
        return
    draft = template.with_suffix(f".{os.getpid()}")
    with closing(sqlite3.connect(home / "prefect" / "prefect.db")) as made, closing(sqlite3.connect(draft)) as copy:
        made.backup(copy)
    draft.rename(template)  # another process may have been first: theirs is as good


def find_model() -> Path:
    """The local judge as the first scene of all test processes trained it: seconds for each process of a scene."""
    return Path(os.environ["TESTS_SHARED"], LEARNT)


def copy_once(source: Path, target: Path) -> None:
    if source.exists() and not target.exists():
        draft = target.with_suffix(f".{os.getpid()}")
        shutil.copy(source, draft)
        draft.rename(target)


@contextmanager
def open_scene(house: House, home: Path) -> Iterator[Scene]:
    """Start the mail servers and save the blocks anew."""
    kept = os.environ.get("BYRETURN_HOME")
    with ExitStack() as stack:
        stack.enter_context(temporary_settings({PREFECT_API_URL: house.url}))
        imap = stack.enter_context(ImapServer(dict.fromkeys(MAILBOXES, PASSWORD), FOLDERS))
        sink = stack.enter_context(SmtpSink())
        hook = stack.enter_context(WebhookSink())
        os.environ["BYRETURN_HOME"] = str(home)
        save_desk(home, sink.port, ("exploitation@atelier.example",), hook.url)
        save_mailboxes(imap.port, PASSWORD)
        copy_once(find_model(), home / LEARNT)
        yield Scene(house, home, imap, sink, hook)
        copy_once(home / LEARNT, find_model())
    if kept is None:
        os.environ.pop("BYRETURN_HOME", None)
    else:
        os.environ["BYRETURN_HOME"] = kept
