"""Looking through folders of a mailbox for what people did there: once, UID after UID, nothing in them is touched
(EXAMINE, BODY.PEEK).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from imapclient import IMAPClient

from blocks import ImapMailbox
from desk.mail import Address, Mail, read_mail
from desk.mail.headers import read_addresses, read_headers
from desk.policy import Policy
from store.corrections import Looked, read_looked
from store.memory import Store
from tasks.fetching import open_folder, search_uids

LISTED = 500  # headers asked for at once
ANSWER_BYTES = 256 * 1024  # of an agent's letter: its text comes before its files
HEADS = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID REFERENCES IN-REPLY-TO SUBJECT FROM TO CC BCC DATE)]"
_HEAD_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Visit:
    """A signed-in session with all that is needed to look into its mailbox."""

    store: Store
    policy: Policy
    block: ImapMailbox
    client: IMAPClient
    mailbox_id: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A mail that is new in a folder, as far as its header tells."""

    folder: str
    uid: int
    header_id: str
    references: tuple[str, ...]
    subject: str
    sender: Address
    recipients: frozenset[str]
    date: datetime | None


@dataclass(frozen=True, slots=True)
class Look:
    """What is new in a folder, and how far it will have been looked through."""

    folder: str
    looked: Looked
    seen: tuple[Seen, ...] = ()

    def stop_before(self, held: Collection[int]) -> Looked:
        """The mails of these UIDs, and what came after them, are looked at again."""
        return Looked(self.looked.uidvalidity, min(held, default=self.looked.last_uid + 1) - 1)


def look_through(visit: Visit, folder: str, since: date | None = None) -> Look:
    """What came into a folder since it was last looked through, by header; of what lies there the first time, what
    arrived `since`. The folder stays selected.
    """
    shown = open_folder(visit.client, folder)
    before = read_looked(visit.store, visit.mailbox_id, folder)
    last = before.last_uid if before.uidvalidity == shown.uidvalidity else 0
    if shown.uidnext and shown.uidnext <= last + 1:
        return Look(folder, Looked(shown.uidvalidity, last))
    young = ("SINCE", since) if since else ()
    uids = [uid for uid in search_uids(visit.client, "UID", f"{last + 1}:*", *young) if uid > last]
    seen = tuple(read_heads(visit.client, folder, uids))
    return Look(folder, Looked(shown.uidvalidity, max([last, shown.uidnext - 1, *uids])), seen)


def read_heads(client: IMAPClient, folder: str, uids: Sequence[int]) -> Iterator[Seen]:
    for start in range(0, len(uids), LISTED):
        said = client.fetch(uids[start : start + LISTED], [HEADS])
        for uid, facts in sorted(said.items()):
            raw = _pick_body(facts)
            mail = read_mail(raw)
            if isinstance(mail, Mail):
                people = frozenset(one.address for one in (*mail.to, *mail.cc, *_read_hidden(raw)))
                told = (mail.message_id, mail.references, mail.subject, mail.sender, people, mail.date)
                yield Seen(folder, uid, *told)


def _read_hidden(raw: bytes) -> tuple[Address, ...]:
    """Bcc, which a client may keep in its own copy (RFC 5322 §3.6.3)."""
    return read_addresses(read_headers(_HEAD_END.split(raw, 1)[0]).every("bcc"))


def fetch_start(client: IMAPClient, uid: int) -> bytes:
    """The first part of a mail of the selected folder, large enough for its text."""
    said = client.fetch([uid], [f"BODY.PEEK[]<0.{ANSWER_BYTES}>"])
    return _pick_body(said.get(uid, {}))


def _pick_body(facts: Mapping[bytes, Any]) -> bytes:
    found: bytes | None = next((value for key, value in facts.items() if key.startswith(b"BODY[")), None)
    return found or b""
