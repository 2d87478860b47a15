"""Door 9: what is done in the mailboxes themselves. Always last, always repeatable."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from imapclient import DRAFT, FLAGGED, SEEN, IMAPClient
from imapclient.exceptions import IMAPClientAbortError
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from blocks import ImapMailbox
from blocks.base import load_block
from desk.errors import ByreturnError, ProtocolTrouble
from desk.following import is_untouched
from store.after import EDITED
from store.filing import (
    GONE,
    MARKED,
    WITHDRAWN,
    ToFile,
    claim_filings,
    end_filings,
    holds_claim,
    list_open_mailboxes,
    postpone_filings,
    put_off,
)
from store.mailboxes import list_mailboxes
from store.memory import Store
from tasks.alarm import end_trouble, tell_trouble
from tasks.guard import clean_error, guarded, keep_cause
from tasks.opening import open_policy, open_store

CHUNK = 100
CLAIM = timedelta(minutes=2)
RETRY = timedelta(minutes=10)
KEYWORD = b"$Byreturn"  # tells agents whose draft it is (RFC 3501 §2.3.2)
KEEPERS = frozenset({"gmail", "microsoft365"})  # providers that keep a copy of what goes out by themselves
COPYING = timedelta(minutes=2)  # that they may take for it
LOOKS = 3  # at a draft that changes while it is withdrawn
DONE, FAILED, LATER, LOST, NOWHERE = "done", "failed", "later", "lost", "nowhere"
LACKS = {  # by the word for it, what a mailbox can't do: in which action it shows, and what the operator is told once
    MARKED: (
        "withdraw", "no-uidplus", "The server lacks UIDPLUS: withdrawn drafts are marked as deleted, not swept.",
    ),
    NOWHERE: ("sent", "no-sent-folder", "Name the folder for sent mail in the mailbox's block: copies go there."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FileCount:
    filed: int = 0
    postponed: int = 0


@task(name="file mails", cache_policy=NO_CACHE)
@guarded("file mails")
def file_mails() -> FileCount:
    """Lay drafts and move or mark mails, mailbox by mailbox; one that is down does not hold up the others."""
    store = open_store()
    names = {one.id: one.name for one in list_mailboxes(store.engine)}
    done = [
        _file_mailbox(store, mailbox_id, names[mailbox_id])
        for mailbox_id in list_open_mailboxes(store, datetime.now(UTC))
    ]
    counts = FileCount(sum(one.filed for one in done), sum(one.postponed for one in done))
    if done:
        get_run_logger().info("filed %d, %d to be tried again", counts.filed, counts.postponed)
    return counts


def _file_mailbox(store: Store, mailbox_id: int, name: str) -> FileCount:
    """What its server refuses is tried again later; when it can't be reached at all, everything waits."""
    todo = claim_filings(store, mailbox_id, uuid.uuid4().hex, datetime.now(UTC), CLAIM, CHUNK)
    words: list[str] = []
    try:
        block = load_block(ImapMailbox, name)
        with block.connect() as client:
            for one in todo:
                words.append(_file_safely(store, client, block, one))
        end_trouble(store, f"filing:{name}")
    except ByreturnError as trouble:
        clean = clean_error("file mails", trouble)
        tell_trouble(store, f"filing:{name}", clean.code, clean.remedy)
    return _keep_words(store, name, todo, words)


def _keep_words(store: Store, name: str, todo: Sequence[ToFile], words: Sequence[str]) -> FileCount:
    """Write down how it went; those without a word were not reached."""
    told = list(zip(todo, words, strict=False))
    done = [one for one, word in told if word not in (FAILED, LATER, LOST)]
    now = datetime.now(UTC)
    end_filings(store, done, now, {one.id: word for one, word in told})
    put_off(store, [one for one, word in told if word == LATER], now + COPYING)
    put_off(store, todo[len(words) :], now + RETRY)
    _postpone(store, name, [one for one, word in told if word == FAILED], now + RETRY)
    _tell_lacks(store, name, [(one.action, word) for one, word in told if one in done])
    return FileCount(len(done), len(todo) - len(done))


def _tell_lacks(store: Store, name: str, done: Sequence[tuple[str, str]]) -> None:
    for lack, (action, code, remedy) in LACKS.items():
        key = f"filing:{name}:{code}"
        if (action, lack) in done:
            tell_trouble(store, key, code, remedy)
        elif {(action, DONE), (action, WITHDRAWN)}.intersection(done):
            end_trouble(store, key)


def _file_safely(store: Store, client: IMAPClient, block: ImapMailbox, one: ToFile) -> str:
    """How it went, in a word. Raises when the connection is at fault, which is no fault of this one."""
    if not holds_claim(store, one):
        return LOST
    try:
        return file_one(client, block, one)
    except (IMAPClientAbortError, OSError):
        raise
    except Exception as trouble:  # noqa: BLE001 - promise 3
        keep_cause("file mails", trouble)
        return FAILED


def _postpone(store: Store, name: str, failed: Sequence[ToFile], later: datetime) -> None:
    """Try again later; the operator hears of what is given up."""
    most = open_policy().limits.attempts
    postpone_filings(store, failed, later, most)
    for one in failed:
        if one.attempts + 1 >= most:
            remedy = f"The server refuses {one.action} {one.id} of mailbox {name}: see the incidents, do it by hand."
            tell_trouble(store, f"filing:{name}:{one.id}", "given-up", remedy)


def file_one(client: IMAPClient, block: ImapMailbox, one: ToFile) -> str:
    """One thing to do, and how it went in a word; doing it again changes nothing."""
    deed = DEEDS.get(one.action, after_intake)
    return deed(client, block, one)


def after_intake(client: IMAPClient, block: ImapMailbox, one: ToFile) -> str:
    if block.after_intake == "move":
        move_mail(client, one, block.after_intake_folder)
    elif block.after_intake in ("mark_seen", "flag"):
        flag_mail(client, one, SEEN if block.after_intake == "mark_seen" else FLAGGED)
    return DONE


def file_move(client: IMAPClient, _block: ImapMailbox, one: ToFile) -> str:
    move_mail(client, one, one.folder)
    return DONE


# --- drafts --------------------------------------------------------------------------------------------------


def lay_draft(client: IMAPClient, block: ImapMailbox, one: ToFile) -> str:
    """APPEND once: a crash after it must not make two, so the folder is searched by Message-ID first."""
    folder = block.pick_drafts(client)
    if folder:
        flags = open_for_laying(client, folder)
        if not find_letter(client, one.header_id):
            client.append(folder, one.body, flags=[DRAFT, KEYWORD if takes_keyword(flags) else FLAGGED])
    return DONE


def open_for_laying(client: IMAPClient, folder: str) -> Sequence[bytes]:
    """SELECT a folder, made where it is missing; the flags that it keeps (RFC 3501 §7.1)."""
    if not client.folder_exists(folder):
        client.create_folder(folder)
    flags: Sequence[bytes] = client.select_folder(folder).get(b"PERMANENTFLAGS", ())
    return flags


def takes_keyword(flags: Sequence[bytes]) -> bool:
    return b"\\*" in flags or KEYWORD in flags


def find_letter(client: IMAPClient, header_id: str) -> list[int]:
    """UIDs in the open folder."""
    return list(client.search(["HEADER", "Message-ID", header_id]))


def withdraw_draft(client: IMAPClient, block: ImapMailbox, one: ToFile) -> str:
    """Delete a draft that lies as we laid it; the word tells whether it was there, or an agent has it in hands.

    What a UID names never changes (RFC 3501 §2.3.1.1): an agent's edit is another mail, so the one that was compared
    is the one that goes. Looked at again after that, for an edit that came meanwhile.
    """
    folder, word = block.pick_drafts(client), GONE
    if not (folder and client.folder_exists(folder)):
        return word
    for _ in range(LOOKS):
        client.select_folder(folder)
        there = read_drafts(client, one.header_id)
        if not there:
            return word
        if not all(is_untouched(one.body, body) for body in there.values()):
            return EDITED
        word = delete_mails(client, list(there))
    raise ProtocolTrouble("a withdrawn draft stays where it is")


def read_drafts(client: IMAPClient, header_id: str) -> dict[int, bytes]:
    """By UID. One that is marked as deleted is still to be swept, where the server can sweep it alone."""
    open_ones = [] if client.has_capability("UIDPLUS") else ["UNDELETED"]
    uids = client.search([*open_ones, "HEADER", "Message-ID", header_id])
    found = client.fetch(uids, ["BODY.PEEK[]"]) if uids else {}
    return {uid: facts[b"BODY[]"] for uid, facts in found.items() if b"BODY[]" in facts}


def delete_mails(client: IMAPClient, uids: Sequence[int]) -> str:
    """These and no others: without UIDPLUS (RFC 4315) an EXPUNGE would take all that anybody has marked, so they are
    only marked.
    """
    client.delete_messages(uids)
    if not client.has_capability("UIDPLUS"):
        return MARKED
    client.uid_expunge(uids)
    return WITHDRAWN


# --- copies of what was sent ----------------------------------------------------------------------------------


def lay_copy(client: IMAPClient, block: ImapMailbox, one: ToFile) -> str:
    """What went out, once in the folder for sent mail: where the provider keeps a copy by itself, that one stays."""
    folders = block.list_sent(client)
    if not folders:
        return NOWHERE
    for folder in folders:
        open_for_laying(client, folder)
        if find_letter(client, one.header_id):
            return DONE
    if block.provider in KEEPERS and one.sent_at and datetime.now(UTC) - one.sent_at < COPYING:
        return LATER
    client.append(folders[0], one.body, flags=[SEEN], msg_time=one.sent_at)
    return DONE


# --- mails ---------------------------------------------------------------------------------------------------


def move_mail(client: IMAPClient, one: ToFile, folder: str) -> None:
    """MOVE (RFC 6851), or COPY and EXPUNGE where the server has none; a mail that left already is left alone.

    After a crash between COPY and EXPUNGE the copy is found by its Message-ID; a mail without one is copied again.
    """
    if folder == one.source_folder or not _is_there(client, one):
        return
    if not client.folder_exists(folder):
        client.create_folder(folder)
    if client.has_capability("MOVE"):
        client.move([one.uid], folder)
        return
    if not _is_copied(client, one, folder):
        client.copy([one.uid], folder)
    delete_mails(client, [one.uid])


def _is_copied(client: IMAPClient, one: ToFile, folder: str) -> bool:
    """Whether the folder has the very same mail: another one may bear its Message-ID, and must not stand in for it."""
    header_id = _read_id(client, one.uid)
    if not header_id:
        return False
    client.select_folder(folder, readonly=True)
    there = _read_bodies(client, client.search(["HEADER", "Message-ID", header_id]))
    client.select_folder(one.source_folder)
    return bool(there) and _read_bodies(client, [one.uid])[0] in there


def _read_id(client: IMAPClient, uid: int) -> str:
    """The Message-ID, empty where there is none that can be searched for."""
    said = client.fetch([uid], ["BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"])[uid]
    line: bytes = next((value for key, value in said.items() if key.startswith(b"BODY[")), None) or b""
    header_id = b" ".join(line.partition(b":")[2].split())
    return header_id.decode() if header_id.isascii() else ""


def _read_bodies(client: IMAPClient, uids: Sequence[int]) -> list[bytes]:
    found = client.fetch(uids, ["BODY.PEEK[]"]) if uids else {}
    return [facts[b"BODY[]"] for facts in found.values()]


def flag_mail(client: IMAPClient, one: ToFile, flag: bytes) -> None:
    if _is_there(client, one):
        client.add_flags([one.uid], [flag])


def _is_there(client: IMAPClient, one: ToFile) -> bool:
    """Whether the UID still means the same mail: same UIDVALIDITY, and the UID answers."""
    selected = client.select_folder(one.source_folder)
    return int(selected[b"UIDVALIDITY"]) == one.uidvalidity and bool(client.search(["UID", str(one.uid)]))


Deed = Callable[[IMAPClient, ImapMailbox, ToFile], str]
DEEDS: Mapping[str, Deed] = {
    "draft": lay_draft,
    "withdraw": withdraw_draft,
    "sent": lay_copy,
    "move": file_move,
}
