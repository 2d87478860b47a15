"""What people of ours do with cases from their mail client: which of their letters answer a ticket, and which drafts
they have left as the desk laid them.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from email import message_from_bytes
from email.message import Message

from desk.corrections import LESSON_CHARS
from desk.mail import Address, Kind, Mail
from desk.mail.headers import decode_words, read_addresses, read_headers
from desk.pseudonyms import hide_people

AUTOMATIC = frozenset({Kind.AUTO_REPLY, Kind.BOUNCE, Kind.RECEIPT, Kind.CALENDAR})
PATIENCE = timedelta(hours=1)  # a mail may be answered before the desk has brought it in and decided it
_PEOPLE = ("from", "to", "cc", "bcc", "reply-to")  # header fields that a person may edit, beside the subject


@dataclass(frozen=True, slots=True)
class Case:
    """A ticket as far as an answer to it must know: when it was opened, and whom we know of it."""

    ticket_id: int
    opened_at: datetime
    people: tuple[Address, ...]


def is_addressed(case: Case, sender: str, recipients: Set[str], own: Set[str]) -> bool:
    """Whether somebody of the case, who is none of us, gets this letter; one that they wrote is no letter of ours."""
    people = {one.address for one in case.people} - own
    return not people.isdisjoint(recipients) and sender not in people


def is_written(mail: Mail) -> bool:
    """Whether a person wrote it: an absence note or a read receipt that lies in Sent answers nothing."""
    return mail.kind not in AUTOMATIC


def may_come(date: datetime | None, now: datetime) -> bool:
    """Whether the mail that this young letter answers may still come to be known."""
    return date is not None and now - date < PATIENCE


def tell_moment(date: datetime | None, opened_at: datetime, now: datetime) -> datetime:
    """When it was written, as its client's clock says, but neither before its ticket nor in times to come."""
    return min(max(date or now, opened_at), now)


def hide_answer(mail: Mail, case: Case) -> str:
    """What an agent wrote, under pseudonyms."""
    signed = Address(mail.signature.name if mail.signature else "", "")
    hidden, _ = hide_people(mail.reply_text, (mail.sender, *mail.to, *mail.cc, signed, *case.people))
    return hidden[:LESSON_CHARS]


# --- drafts --------------------------------------------------------------------------------------------------


def is_untouched(laid: bytes, there: bytes) -> bool:
    """Whether a draft is as we laid it: the same bytes or, where the server writes them anew, the same words and files
    to the same people.
    """
    return bool(laid) and (laid == there or _list_contents(laid) == _list_contents(there))


def _list_contents(raw: bytes) -> list[object]:
    mail = message_from_bytes(raw)
    headers = read_headers(raw.replace(b"\r\n", b"\n").partition(b"\n\n")[0])
    people = [{one.address for one in read_addresses(headers.every(name))} for name in _PEOPLE]
    return [" ".join(decode_words(headers.first("subject")).split()), *people, *_list_leaves(mail)]


def _list_leaves(mail: Message) -> Iterator[tuple[str, str | None, bytes]]:
    """Type, file name and content of every part; line ends and spaces at them are the server's to change."""
    for part in mail.walk():
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            lines = content.rstrip().splitlines()
            yield part.get_content_type(), part.get_filename(), b"\n".join(line.rstrip() for line in lines)
