"""Door 9's letters in real mailboxes: drafts laid and withdrawn, copies of what was sent; agents at work beside it."""

from __future__ import annotations

import pkgutil
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from itertools import count

import pytest
import sqlalchemy as sa
from imapclient import DELETED
from pydantic import SecretStr

from blocks import ImapMailbox, PasswordCredentials
from demo.servers import ImapServer, open_mailbox
from desk.facts import Status
from desk.following import is_untouched
from desk.mail import Address
from desk.plan import Purpose
from letters.compose import compose_letter
from letters.render import Rendered
from store.cases import change_status
from store.engine import writing
from store.filing import ToFile, claim_filings, list_open_mailboxes
from store.following import withdraw_overtaken
from store.memory import Store
from tasks.filing import COPYING, FileCount, _file_mailbox, file_one
from tests.dovecot import Dovecot, run_dovecot
from tests.stores import (
    LEASE,
    NOW,
    PERSON,
    add_mailbox,
    count_rows,
    look_up,
    make_letter,
    open_ticket,
    tables,
)

USERS = tuple(f"agent{number}" for number in range(120))  # one a test
SERIAL = count()
WORD = "drafts"
SUPPORT = "support@atelier.example"
HEADER_ID = "<2026-000001.draft@atelier.example>"
NO_UIDPLUS = "imap_capability = IMAP4rev1 LITERAL+ NAMESPACE CHILDREN ENABLE\n"
FRENCH = """
namespace inbox {
  mailbox Brouillons {
    auto = create
    special_use = \\Drafts
  }
  mailbox Partis {
    auto = create
    special_use = \\Sent
  }
  mailbox Archives {
    auto = create
    special_use = \\Sent
  }
}
"""


def write_draft(text: str = "Bonjour, voici la clé.", **headers: str) -> bytes:
    mail = EmailMessage(policy=SMTP)
    named = {"From": SUPPORT, "To": PERSON, "Subject": "Re: clé", "Message-ID": HEADER_ID}
    for name, value in (named | headers).items():
        mail[name] = value
    mail.set_content(text)
    mail.add_alternative(f"<p>{text}</p>", subtype="html")
    return mail.as_bytes()


LAID = write_draft()
DRAFT = ToFile(1, 1, "draft", "", 0, "", 0, 0, 1, HEADER_ID, LAID, "filer")
WITHDRAWAL = replace(DRAFT, action="withdraw")
COPY = replace(DRAFT, action="sent", sent_at=datetime(2026, 11, 17, 9, 30, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Box:
    """A mailbox on a real server with an agent's client beside the desk."""

    dovecot: Dovecot
    user: str
    block: ImapMailbox

    def file(self, one: ToFile, **block: object) -> str:
        made = self.block.model_copy(update=block)
        with made.connect() as client:
            return file_one(client, made, one)

    def read(self, folder: str = "Drafts") -> list[bytes]:
        return list(self.dovecot.read(self.user, folder).values())

    def read_flags(self, folder: str = "Drafts") -> list[set[bytes]]:
        return list(self.dovecot.read_flags(self.user, folder).values())

    def keep(self, *raws: bytes, folder: str = "Drafts") -> None:
        self.dovecot.deliver(self.user, *raws, folder=folder)

    def mark_deleted(self, folder: str = "Drafts", sweep: bool = False) -> None:
        with self.dovecot.open(self.user) as client:
            client.select_folder(folder)
            client.add_flags(client.search("ALL"), [DELETED])
            if sweep:
                client.expunge()


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with run_dovecot(dict.fromkeys(USERS, WORD)) as server:
        yield server


@pytest.fixture(scope="module")
def french() -> Iterator[Dovecot]:
    """Its folders have names of their own, and flags that tell what they are for."""
    with run_dovecot(dict.fromkeys(USERS, WORD), more=FRENCH) as server:
        yield server


@pytest.fixture(scope="module")
def plain() -> Iterator[Dovecot]:
    """A server without UIDPLUS (RFC 4315)."""
    with run_dovecot(dict.fromkeys(USERS, WORD), more=NO_UIDPLUS) as server:
        yield server


def make_box(server: Dovecot) -> Box:
    user = USERS[next(SERIAL)]
    return Box(server, user, make_block(server.port, user))


def make_block(port: int, user: str) -> ImapMailbox:
    return ImapMailbox(
        address=SUPPORT, host="127.0.0.1", port=port, security="none",
        credentials=PasswordCredentials(user=user, password=SecretStr(WORD)),
    )  # fmt: skip


@pytest.fixture
def box(dovecot: Dovecot) -> Box:
    return make_box(dovecot)


# --- laid ----------------------------------------------------------------------------------------------------


def test_a_draft_is_laid_once_and_tells_agents_whose_it_is(box: Box) -> None:
    for _ in range(2):
        assert box.file(DRAFT) == "done"
    assert box.read() == [LAID]
    assert box.read_flags() == [{b"\\Draft", b"$Byreturn"}]


def test_a_draft_lies_where_the_server_says_unless_the_block_s_folder_is_there(french: Dovecot) -> None:
    box = make_box(french)
    box.file(DRAFT)
    assert box.read("Brouillons") == [LAID]
    box.keep(write_draft("else"), folder="Drafts")
    box.file(replace(DRAFT, header_id="<other@atelier.example>"))
    assert (len(box.read("Drafts")), len(box.read("Brouillons"))) == (2, 1)


def test_a_check_is_content_with_the_folder_that_the_server_says(french: Dovecot) -> None:
    assert "Brouillons: 0" in make_box(french).block.check().detail


def test_a_draft_bears_only_what_any_client_writes() -> None:
    raw = compose_letter(
        Rendered("Re: clé", "Bonjour", "<p>Bonjour</p>"), message_id=HEADER_ID, sender=Address("L'atelier", SUPPORT),
        recipients=(PERSON,), date=NOW, in_reply_to="<help@ecole.example>", references=("<first@ecole.example>",),
        automatic=False,
    )  # fmt: skip
    mail = message_from_bytes(raw)
    assert {name.lower() for name in mail.keys()} == {  # noqa: SIM118 - a Message is no mapping
        "from", "to", "date", "subject", "message-id", "in-reply-to", "references", "mime-version", "content-type",
    }  # fmt: skip
    assert mail["In-Reply-To"] == "<help@ecole.example>"
    assert mail["References"].split() == ["<first@ecole.example>", "<help@ecole.example>"]


# --- as we laid it --------------------------------------------------------------------------------------------

SAME = {
    "the same bytes": LAID,
    "line ends and a header of the server's": b"X-Exchange: 1\n" + LAID.replace(b"\r\n", b"\n"),
    "words encoded anew": LAID.replace(
        "8bit\r\n\r\nBonjour, voici la clé.\r\n".encode(),
        b"base64\r\n\r\n" + b64encode("Bonjour, voici la clé.".encode()) + b"\r\n",
    ),
    "a header encoded anew": LAID.replace(b"=?utf-8?q?cl=C3=A9?=", b"=?utf-8?B?Y2zDqQ==?="),
    "addresses in brackets": LAID.replace(PERSON.encode(), f'"Lea" <{PERSON}>'.encode()),
}
OTHER = {
    "another word": write_draft("Bonjour, voici une clé."),
    "another subject": write_draft(Subject="Re: votre clé"),
    "another recipient": write_draft(To="paul@ecole.example"),
    "one more in copy": write_draft(Cc="paul@ecole.example"),
    "one more in blind copy": write_draft(Bcc="paul@ecole.example"),
    "no words": b"",
}


def add_file() -> bytes:
    mail = message_from_bytes(LAID, policy=SMTP)
    mail.add_attachment(b"key", maintype="application", subtype="octet-stream", filename="key.bin")
    return bytes(mail)


@pytest.mark.parametrize("there", SAME.values(), ids=SAME)
def test_a_draft_is_untouched(there: bytes) -> None:
    assert is_untouched(LAID, there)


@pytest.mark.parametrize("there", [*OTHER.values(), add_file()], ids=[*OTHER, "one more file"])
def test_a_draft_is_edited(there: bytes) -> None:
    assert not is_untouched(LAID, there)
    assert not is_untouched(b"", there)  # forgotten: nothing to compare with


# --- withdrawn ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("added", [b"", b"X-Server: 1\r\n"], ids=["as laid", "rewritten"])
def test_exactly_our_draft_is_withdrawn(box: Box, added: bytes) -> None:
    others = [write_draft(**{"Message-ID": f"<{number}@atelier.example>"}) for number in range(2)]
    box.keep(others[0])
    box.mark_deleted()  # by the agent, who has not swept it yet
    box.keep(added + LAID, others[1])
    assert box.file(WITHDRAWAL) == "withdrawn"
    assert box.read() == others
    assert box.read_flags() == [{b"\\Deleted"}, set()]
    assert box.file(WITHDRAWAL) == "gone"
    assert box.read() == others


@pytest.mark.parametrize("beside", [False, True], ids=["in its place", "beside it"])
def test_an_edited_draft_is_never_touched(box: Box, beside: bool) -> None:
    edited = write_draft("Bonjour, la clé suit.")
    there = [LAID, edited] if beside else [edited]
    box.keep(*there)
    assert box.file(WITHDRAWAL) == "edited"
    assert box.read() == there


@pytest.mark.parametrize("folders", [{"drafts_folder": ""}, {"drafts_folder": "Nowhere"}])
def test_where_no_drafts_lie_none_is_withdrawn(box: Box, folders: dict[str, str]) -> None:
    assert box.file(WITHDRAWAL, **folders) == "gone"


def strike_once(monkeypatch: pytest.MonkeyPatch, when: str, name: str, deed: Callable[[], None]) -> None:
    """The agent does something before or after the desk's first call of a function."""
    owner, _, attribute = name.rpartition(".")
    module = pkgutil.resolve_name(owner)
    original, turns = getattr(module, attribute), count()

    def step(*args: object, **kwargs: object) -> object:
        first = next(turns) == 0
        if first and when == "before":
            deed()
        result = original(*args, **kwargs)
        if first and when == "after":
            deed()
        return result

    monkeypatch.setattr(module, attribute, step)


EDITED = write_draft("Bonjour, j'y regarde moi-même.")
RACES = {
    "replaced after it was read": ("after", "tasks.filing.read_drafts", True, "edited"),
    "replaced after it was compared": ("after", "tasks.filing.is_untouched", True, "edited"),
    "edited and not swept yet": ("after", "tasks.filing.is_untouched", False, "edited"),
    "edited once it was marked": ("after", "imapclient.IMAPClient.delete_messages", False, "edited"),
    "replaced once it was marked": ("after", "imapclient.IMAPClient.delete_messages", True, "edited"),
}


@pytest.mark.parametrize(("when", "name", "swept", "word"), RACES.values(), ids=RACES)
def test_an_agent_who_edits_the_draft_meanwhile_keeps_the_edit(
    box: Box, when: str, name: str, swept: bool, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edit() -> None:
        if swept:
            box.mark_deleted(sweep=True)
        box.keep(EDITED)

    box.keep(LAID)
    strike_once(monkeypatch, when, name, edit)
    assert box.file(WITHDRAWAL) == word
    assert box.read() == [EDITED]


def test_an_agent_who_deletes_the_draft_meanwhile_hinders_nobody(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.keep(LAID)
    strike_once(monkeypatch, "after", "tasks.filing.is_untouched", lambda: box.mark_deleted(sweep=True))
    assert box.file(WITHDRAWAL) == "withdrawn"
    assert box.read() == []


def test_a_draft_that_somebody_marked_is_swept(box: Box) -> None:
    box.keep(LAID)
    box.mark_deleted()
    assert box.file(WITHDRAWAL) == "withdrawn"
    assert box.read() == []


def test_without_uidplus_a_draft_is_marked_and_nothing_is_swept(plain: Dovecot) -> None:
    box = make_box(plain)
    other = write_draft(**{"Message-ID": "<else@atelier.example>"})
    box.keep(other)
    box.mark_deleted()
    box.keep(LAID)
    assert box.file(WITHDRAWAL) == "marked"
    assert box.read() == [other, LAID]
    assert box.read_flags() == [{b"\\Deleted"}, {b"\\Deleted"}]
    assert box.file(WITHDRAWAL) == "gone"


def test_the_demo_s_server_is_served_too() -> None:
    with ImapServer({"support": WORD}, ("Drafts", "Sent")) as server:
        block = make_block(server.port, "support")
        with block.connect() as client:
            assert file_one(client, block, DRAFT) == "done"
            assert file_one(client, block, WITHDRAWAL) == "withdrawn"
            assert file_one(client, block, COPY) == "done"
        with open_mailbox(server, "support") as client:
            assert client.select_folder("Drafts")[b"EXISTS"] == 0
            assert client.select_folder("Sent")[b"EXISTS"] == 1


# --- copies of what was sent ----------------------------------------------------------------------------------


SENT = ("Partis", "Archives")  # which of them the server names first is its own business


def read_sent(box: Box) -> list[bytes]:
    return [raw for name in SENT for raw in box.read(name)]


def test_a_copy_of_what_was_sent_is_laid_once_as_read_mail_of_its_own_time(french: Dovecot) -> None:
    box = make_box(french)
    for _ in range(2):
        assert box.file(COPY) == "done"
    assert read_sent(box) == [LAID]
    (folder,) = [name for name in SENT if box.read(name)]
    assert box.read_flags(folder) == [{b"\\Seen"}]
    with box.block.connect() as client:
        client.normalise_times = False
        client.select_folder(folder)
        assert client.fetch([1], ["INTERNALDATE"])[1][b"INTERNALDATE"] == COPY.sent_at


@pytest.mark.parametrize("place", [0, 1])
def test_where_the_provider_keeps_a_copy_none_is_laid(french: Dovecot, place: int) -> None:
    box = make_box(french)
    kept = b"X-Provider: 1\r\n" + LAID
    with box.block.connect() as client:
        folder = box.block.list_sent(client)[place]
    box.keep(kept, folder=folder)
    assert box.file(COPY) == "done"
    assert read_sent(box) == [kept]


@pytest.mark.parametrize("provider", ["gmail", "microsoft365"])
def test_a_provider_s_own_copy_is_waited_for(french: Dovecot, provider: str) -> None:
    box = make_box(french)
    now = datetime.now(UTC)
    assert box.file(replace(COPY, sent_at=now), provider=provider) == "later"
    assert read_sent(box) == []
    assert box.file(replace(COPY, sent_at=now - COPYING), provider=provider) == "done"
    assert read_sent(box) == [LAID]


def test_without_a_folder_for_sent_mail_no_copy_is_laid_and_a_named_one_is_made(box: Box) -> None:
    assert box.file(COPY) == "nowhere"
    assert box.file(COPY, sent_folder="Envoyés par Byreturn") == "done"
    assert box.read("Envoyés par Byreturn") == [LAID]


# --- what the store keeps of it -------------------------------------------------------------------------------


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the operator is told: key and code."""
    found: list[tuple[str, str]] = []
    monkeypatch.setattr("tasks.filing.tell_trouble", lambda _store, key, code, _remedy: found.append((key, code)))
    return found


@pytest.fixture
def desk(store: Store, box: Box, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A ticket whose draft lies in the mailbox."""
    monkeypatch.setattr("tasks.filing.load_block", lambda *_: box.block)
    add_mailbox(store)
    draft = make_letter("draft", Purpose.DRAFT, draft=True, reason="doubt", header_id=HEADER_ID, body=LAID)
    open_ticket(store, draft)
    assert file_all(store) == FileCount(1)
    return store


def file_all(store: Store) -> FileCount:
    return _file_mailbox(store, 1, "support")


def settle_ticket(store: Store) -> None:
    assert change_status(store, "2026-000001", Status.RESOLVED, "by-hand", NOW)
    assert withdraw_overtaken(store, 1, datetime.now(UTC)) == 1


def read_letter(store: Store) -> tuple[str, str]:
    return look_up(store, "letter", "state")[0], look_up(store, "letter", "reason")[0]


def read_events(store: Store) -> list[tuple[str, str]]:
    return list(zip(look_up(store, "letter_event", "word"), look_up(store, "letter_event", "code"), strict=True))


def test_a_draft_that_lies_there_says_so(desk: Store) -> None:
    assert read_letter(desk) == ("drafted", "doubt")
    assert read_events(desk) == [("drafted", "")]


def test_a_draft_that_an_agent_deletes_stays_deleted(desk: Store, box: Box) -> None:
    box.mark_deleted(sweep=True)
    assert file_all(desk) == FileCount(0)
    assert box.read() == []
    settle_ticket(desk)
    assert file_all(desk) == FileCount(1)
    assert read_events(desk)[1:] == [("withdrawn", "gone")]
    assert box.read() == []


def test_a_withdrawn_draft_says_why(desk: Store, box: Box) -> None:
    settle_ticket(desk)
    assert file_all(desk) == FileCount(1)
    assert box.read() == []
    assert read_letter(desk) == ("withdrawn", "settled")
    assert read_events(desk)[1:] == [("withdrawn", "")]
    assert list_open_mailboxes(desk, datetime.now(UTC)) == ()


def test_an_edited_draft_is_its_agent_s_from_then_on(desk: Store, box: Box) -> None:
    box.mark_deleted(sweep=True)
    box.keep(EDITED)
    settle_ticket(desk)
    assert file_all(desk) == FileCount(1)
    assert box.read() == [EDITED]
    assert read_letter(desk) == ("drafted", "edited")
    assert read_events(desk)[1:] == [("edited", "")]
    assert withdraw_overtaken(desk, 1, datetime.now(UTC)) == 0


def test_a_draft_that_was_never_laid_is_laid_no_more(store: Store, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.filing.load_block", lambda *_: box.block)
    add_mailbox(store)
    open_ticket(store, make_letter("draft", Purpose.DRAFT, draft=True, header_id=HEADER_ID, body=LAID))
    settle_ticket(store)
    assert file_all(store) == FileCount(1)
    with box.dovecot.open(box.user) as client:
        assert not client.folder_exists("Drafts")
    assert read_letter(store) == ("withdrawn", "settled")


def test_a_draft_that_is_being_laid_just_now_is_withdrawn_after_that(
    store: Store, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.filing.load_block", lambda *_: box.block)
    add_mailbox(store)
    open_ticket(store, make_letter("draft", Purpose.DRAFT, draft=True, header_id=HEADER_ID, body=LAID))
    seen: list[tuple[ToFile, ...]] = []

    def overtake() -> None:
        settle_ticket(store)
        seen.append(claim_filings(store, 1, "other", datetime.now(UTC), LEASE, 10))

    strike_once(monkeypatch, "before", "imapclient.IMAPClient.append", overtake)
    assert file_all(store) == FileCount(1)
    assert seen == [()]
    assert box.read() == [LAID]
    assert file_all(store) == FileCount(1)
    assert box.read() == []
    assert [word for word, _ in read_events(store)] == ["drafted", "withdrawn"]


def test_what_another_worker_has_taken_over_is_not_done_twice(
    store: Store, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.filing.load_block", lambda *_: box.block)
    monkeypatch.setattr("tasks.filing.CLAIM", -timedelta(seconds=1))  # it ends at once
    add_mailbox(store)
    open_ticket(store, make_letter("draft", Purpose.DRAFT, draft=True, header_id=HEADER_ID, body=LAID))

    def take_over() -> None:
        claim_filings(store, 1, "other", datetime.now(UTC), LEASE, 10)

    strike_once(monkeypatch, "before", "tasks.filing._file_safely", take_over)
    assert file_all(store) == FileCount(0, 1)
    assert look_up(store, "filing", "state") == ["open"]
    assert look_up(store, "filing", "claimed_by") == ["other"]
    with box.dovecot.open(box.user) as client:
        assert not client.folder_exists("Drafts")


def queue_copy(store: Store, sent_at: datetime) -> None:
    row = {"mailbox_id": 1, "action": "sent", "letter_id": 1, "folder": "", "state": "open", "attempts": 0}
    with writing(store.engine) as connection:
        connection.execute(sa.update(tables()["letter"]).values(state="sent", sent_at=sent_at))
        connection.execute(sa.insert(tables()["filing"]).values(**row, claimed_by=""))


def test_what_a_mailbox_lacks_is_told_until_it_has_it(
    desk: Store, box: Box, told: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    monkeypatch.setattr("tasks.filing.end_trouble", lambda _store, key: ended.append(key))
    queue_copy(desk, NOW)
    assert file_all(desk) == FileCount(1)
    assert told == [("filing:support:no-sent-folder", "no-sent-folder")]
    assert ended == ["filing:support"]
    other = write_draft(**{"Message-ID": "<else@atelier.example>"})
    box.keep(other, folder="Sent")
    with writing(desk.engine) as connection:
        connection.execute(
            sa.update(tables()["filing"]).where(tables()["filing"].c.action == "sent").values(state="open")
        )
    assert file_all(desk) == FileCount(1)
    assert ended[1:] == ["filing:support", "filing:support:no-sent-folder"]
    assert len(told) == 1
    assert box.read("Sent") == [other, LAID]


def test_a_server_without_uidplus_is_told_of(
    store: Store, plain: Dovecot, told: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    box = make_box(plain)
    monkeypatch.setattr("tasks.filing.load_block", lambda *_: box.block)
    add_mailbox(store)
    open_ticket(store, make_letter("draft", Purpose.DRAFT, draft=True, header_id=HEADER_ID, body=LAID))
    file_all(store)
    settle_ticket(store)
    assert file_all(store) == FileCount(1)
    assert told == [("filing:support:no-uidplus", "no-uidplus")]
    assert read_events(store)[1:] == [("withdrawn", "marked")]


def test_a_copy_that_a_provider_may_be_making_counts_no_attempt(
    desk: Store, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = box.block.model_copy(update={"provider": "gmail", "sent_folder": "Sent"})
    monkeypatch.setattr("tasks.filing.load_block", lambda *_: block)
    queue_copy(desk, datetime.now(UTC))
    assert file_all(desk) == FileCount(0, 1)
    assert look_up(desk, "filing", "attempts", action="sent") == [0]
    (later,) = look_up(desk, "filing", "next_try_at", action="sent")
    assert timedelta() < later - datetime.now(UTC) <= COPYING
    assert count_rows(desk, "filing", state="open") == 1
