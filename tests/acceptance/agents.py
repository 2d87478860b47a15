"""A desk whose mailbox lies on a Dovecot of the test's own, and an agent with an ordinary mail client beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from itertools import count
from pathlib import Path

import pytest
from imapclient import IMAPClient
from prefect.logging import disable_run_logger
from pydantic import SecretStr

from blocks import ImapMailbox, PasswordCredentials
from demo.house import MAILBOXES, save_mailboxes
from desk.policy import load_policy
from store.memory import Store
from tasks.deciding import decide_mails
from tasks.filing import file_mails
from tasks.following import Followed, follow_mailbox
from tasks.intake import sync_mailbox
from tasks.learning import Visited, learn_from_mailbox
from tasks.reading import read_mails
from tasks.sending import send_letters
from tests.acceptance.again import empty_desk
from tests.acceptance.scene import PASSWORD, Scene
from tests.acceptance.workers import write_mail
from tests.dovecot import Dovecot, run_dovecot

USERS = tuple(f"agent{number}" for number in range(80))  # one a test
SERIAL = count()
SENT = "Partis"  # no name that tells anything: the server flags it
FLAGGED = f"namespace inbox {{\n  mailbox {SENT} {{\n    auto = create\n    special_use = \\Sent\n  }}\n}}\n"
FOLDERS = {
    "programme": "Programmes", "timetable": "Emplois du temps", "account": "Comptes", "technical": "Pannes",
    "pedagogical": "Pédagogie", "billing": "Factures", "urgent": "Urgent", "spam": "Indésirables", "other": "Autres",
}  # fmt: skip
INVOICE, CRASH = 3, 2  # of tests.acceptance.workers.OPENINGS
PERSON = "Camille Martin"
OWN_WORDS = "Bonjour, ma collègue de la comptabilité vous rappelle demain matin à neuf heures précises."


@dataclass(frozen=True, slots=True)
class Desk:
    """A desk whose mailbox lies on a real server, and its agent's mail client."""

    scene: Scene
    dovecot: Dovecot
    user: str

    @property
    def store(self) -> Store:
        return self.scene.store

    @contextmanager
    def open(self, folder: str) -> Iterator[IMAPClient]:
        with self.dovecot.open(self.user) as client:
            if not client.folder_exists(folder):
                client.create_folder(folder)
            client.select_folder(folder)
            yield client

    def receive(self, *raws: bytes) -> None:
        """New mail, sorted and filed."""
        self.dovecot.deliver(self.user, *raws)
        sync()
        work()

    def move(self, source: str, target: str) -> None:
        """The agent drags all mails of a folder to another."""
        with self.open(target), self.open(source) as client:
            client.move(client.search("ALL"), target)

    def learn(self) -> Visited:
        with disable_run_logger():
            return learn_from_mailbox.fn("support")

    def follow(self) -> Followed:
        with disable_run_logger():
            return follow_mailbox.fn("support")

    def read(self, folder: str) -> list[bytes]:
        with self.open(folder):
            return list(self.dovecot.read(self.user, folder).values())

    def find_folder(self) -> str:
        """Where the only mail was filed."""
        (name,) = [name for name in FOLDERS.values() if self.read(name)]
        return name


def sync() -> None:
    with disable_run_logger():
        sync_mailbox.fn("support", force=True)


def work() -> None:
    """classify-and-reply without the flow: most of a test's time would be Prefect's."""
    with disable_run_logger():
        for door in (read_mails, decide_mails, send_letters):
            while door.fn().claimed:
                pass
        file_mails.fn()


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with run_dovecot(dict.fromkeys(USERS, PASSWORD), more=FLAGGED) as server:
        yield server


@pytest.fixture
def empty(standing: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A desk without a mail, whose policy names folders."""
    monkeypatch.setenv("BYRETURN_POLICY", str(write_policy(tmp_path)))
    return empty_desk(standing)


@pytest.fixture
def desk(empty: Scene, dovecot: Dovecot) -> Desk:
    made = Desk(empty, dovecot, USERS[next(SERIAL)])
    save_mailbox(made.user, dovecot.port)
    sync()
    return made


def save_mailbox(user: str, port: int, folders: Sequence[str] = ("INBOX",)) -> None:
    ImapMailbox(
        address=MAILBOXES["support"], host="127.0.0.1", port=port, security="none", folders=list(folders),
        credentials=PasswordCredentials(user=user, password=SecretStr(PASSWORD)),
    ).save("support", overwrite=True)  # fmt: skip


def write_policy(folder: Path) -> Path:
    text = Path("policy.yaml").read_text(encoding="utf-8")
    for category, name in FOLDERS.items():
        text = text.replace(f"\n  {category}:\n", f'\n  {category}:\n    folder: "{name}"\n', 1)
    load_policy(text)
    (folder / "policy.yaml").write_text(text, encoding="utf-8")
    return folder / "policy.yaml"


def invoice(number: int = 0) -> bytes:
    return write_mail(INVOICE + 8 * number, 0, datetime.now(UTC)).raw


# --- what the agent's client writes --------------------------------------------------------------------------


def read_draft(desk: Desk) -> EmailMessage:
    (raw,) = desk.read("Drafts")
    return parse(raw)


def parse(raw: bytes) -> EmailMessage:
    mail = message_from_bytes(raw, policy=default)
    assert isinstance(mail, EmailMessage)
    return mail


def edit(mail: EmailMessage, text: str, **headers: str) -> bytes:
    """As a mail client writes it anew; a header's empty text takes it away."""
    made = EmailMessage(policy=default.clone(linesep="\r\n"))
    kept = {name: str(mail[name]) for name in ("From", "To", "Subject", "Message-ID", "In-Reply-To", "References")}
    for name, value in (kept | {name.replace("_", "-"): value for name, value in headers.items()}).items():
        if value and value != "None":
            made[name] = value
    made.set_content(text)
    return made.as_bytes()


def read_text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def keep_sent(desk: Desk, raw: bytes, folder: str = SENT) -> None:
    desk.dovecot.deliver(desk.user, raw, folder=folder)


@contextmanager
def lose_contact(scene: Scene) -> Iterator[None]:
    """Nobody listens where mailbox contact should be; afterwards somebody does again."""
    ImapMailbox(
        address=MAILBOXES["contact"], host="127.0.0.1", port=1, security="none",
        credentials=PasswordCredentials(user="contact", password=SecretStr(PASSWORD)),
    ).save("contact", overwrite=True)  # fmt: skip
    try:
        yield
    finally:
        save_mailboxes(scene.imap.port, PASSWORD)
