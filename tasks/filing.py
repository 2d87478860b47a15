"""Door 9: what is done in the mailboxes themselves. Always last, always repeatable."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from imapclient import DRAFT, FLAGGED, SEEN, IMAPClient
from imapclient.exceptions import IMAPClientAbortError
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from blocks import ImapMailbox
from blocks.base import load_block
from desk.errors import ByreturnError
from store.filing import ToFile, claim_filings, end_filings, list_open_mailboxes, postpone_filings, put_off
from store.mailboxes import list_mailboxes
from store.memory import Store
from tasks.alarm import end_trouble, tell_trouble
from tasks.guard import clean_error, guarded, keep_cause
from tasks.opening import open_policy, open_store

CHUNK = 100
CLAIM = timedelta(minutes=2)
RETRY = timedelta(minutes=10)


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
    outcomes: list[bool] = []
    try:
        block = load_block(ImapMailbox, name)
        with block.connect() as client:
            for one in todo:
                outcomes.append(_file_safely(client, block, one))
        end_trouble(store, f"filing:{name}")
    except ByreturnError as trouble:
        clean = clean_error("file mails", trouble)
        tell_trouble(store, f"filing:{name}", clean.code, clean.remedy)
    done = [one for one, well in zip(todo, outcomes, strict=False) if well]
    failed = [one for one, well in zip(todo, outcomes, strict=False) if not well]
    later = datetime.now(UTC) + RETRY
    end_filings(store, done)
    put_off(store, todo[len(outcomes) :], later)
    _postpone(store, name, failed, later)
    return FileCount(len(done), len(todo) - len(done))


def _file_safely(client: IMAPClient, block: ImapMailbox, one: ToFile) -> bool:
    """Whether it could be done. Raises when the connection is at fault, which is no fault of this one."""
    try:
        file_one(client, block, one)
    except (IMAPClientAbortError, OSError):
        raise
    except Exception as trouble:  # noqa: BLE001 - promise 3
        keep_cause("file mails", trouble)
        return False
    return True


def _postpone(store: Store, name: str, failed: Sequence[ToFile], later: datetime) -> None:
    """Try again later; the operator hears of what is given up."""
    most = open_policy().limits.attempts
    postpone_filings(store, failed, later, most)
    for one in failed:
        if one.attempts + 1 >= most:
            remedy = f"The server refuses {one.action} {one.id} of mailbox {name}: see the incidents, do it by hand."
            tell_trouble(store, f"filing:{name}:{one.id}", "given-up", remedy)


def file_one(client: IMAPClient, block: ImapMailbox, one: ToFile) -> None:
    """One thing to do; doing it again changes nothing."""
    if one.action == "draft":
        lay_draft(client, block.drafts_folder, one)
    elif one.action == "move":
        move_mail(client, one, one.folder)
    elif block.after_intake == "move":
        move_mail(client, one, block.after_intake_folder)
    elif block.after_intake in ("mark_seen", "flag"):
        flag_mail(client, one, SEEN if block.after_intake == "mark_seen" else FLAGGED)


def lay_draft(client: IMAPClient, folder: str, one: ToFile) -> None:
    """APPEND once: a crash after it must not make two, so the folder is searched by Message-ID first."""
    if not folder:
        return
    if not client.folder_exists(folder):
        client.create_folder(folder)
    client.select_folder(folder, readonly=True)
    if not client.search(["HEADER", "Message-ID", one.header_id]):
        client.append(folder, one.body, flags=[DRAFT])


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
    client.delete_messages([one.uid])
    client.uid_expunge([one.uid])


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
