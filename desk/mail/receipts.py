"""What a receipt says: RFC 8098 notifications, and what webmails and Outlook write in their stead."""

from __future__ import annotations

import re

from desk.mail.bounces import Report, read_recipient
from desk.mail.charsets import decode_bytes
from desk.mail.headers import Headers, read_ids, read_references
from desk.mail.parts import Leaf
from desk.mail.values import Address, Kind, Receipt, Told, Word

_NOTICES = frozenset({"message/disposition-notification", "message/global-disposition-notification"})
_NOTICE_BYTES = 20_000
_FIELD = re.compile(
    r"(?im)^[ \t]{0,3}(original-recipient|final-recipient|original-message-id|disposition)[ \t]{0,5}:"
    r"([^\n]{0,2000}(?:\n[ \t]+[^\n]{1,1000}){0,10})"
)
# By how it begins: servers add modifiers ("deleted/expired"), older ones other forms (RFC 2298 §3.2.6).
_DISPOSITIONS = (("displ", Word.DISPLAYED), ("read", Word.DISPLAYED), ("delet", Word.DELETED), ("deni", Word.DENIED))
_UNREAD = re.compile(
    r"(?:non lu|not read|unread|deleted|supprimé|ungelesen|gelöscht|no leído|non letto|niet gelezen|não lid[oa])\b",
    re.IGNORECASE,
)


def read_receipt(
    kind: Kind, report: Report | None, headers: Headers, leaves: tuple[Leaf, ...], sender: Address, subject: str
) -> Receipt | None:
    """What a mail that tells of a letter says of each recipient; None for any other mail and for a home-made bounce."""
    if kind not in (Kind.BOUNCE, Kind.RECEIPT):
        return None
    if report:
        return report.receipt
    return _read_notice(headers, leaves, sender) or _read_home_made(headers, sender, subject)


def _read_notice(headers: Headers, leaves: tuple[Leaf, ...], sender: Address) -> Receipt | None:
    """RFC 8098 §3; who reads the mail for somebody else is named, so the fields go before the sender."""
    notice = next((leaf for leaf in leaves if leaf.content_type in _NOTICES), None)
    if notice is None:
        return None
    text = decode_bytes(notice.part.read_content()[:_NOTICE_BYTES]).replace("\r\n", "\n")
    fields = {name.lower(): " ".join(value.split()) for name, value in reversed(_FIELD.findall(text))}
    named = (read_recipient(fields.get(f"{name}-recipient", "")) for name in ("original", "final"))
    reader = next((one for one in named if one), sender.address)
    letter = next(iter(read_ids((fields.get("original-message-id", ""),))), "")
    word = _tell_disposition(fields.get("disposition", ""))
    return Receipt((Told(reader, word),), letter or _find_answered(headers))


def _tell_disposition(value: str) -> Word:
    """The type in "manual-action/MDN-sent-manually; displayed"; what no reader had to do with was processed."""
    kind = value.rpartition(";")[2].strip().lower()
    return next((word for start, word in _DISPOSITIONS if kind.startswith(start)), Word.PROCESSED)


def _read_home_made(headers: Headers, sender: Address, subject: str) -> Receipt:
    """Its subject says what became of the letter that it answers."""
    word = Word.DELETED if _UNREAD.match(subject) else Word.DISPLAYED
    return Receipt((Told(sender.address, word),), _find_answered(headers))


def _find_answered(headers: Headers) -> str:
    answered = read_ids(headers.every("in-reply-to")) or read_references(headers)
    return answered[-1] if answered else ""
