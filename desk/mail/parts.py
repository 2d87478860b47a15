"""The parts of a mail (RFC 2045 to 2049, RFC 2183): parsed within bounds, laid out flat."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Any

from desk.errors import MailTrouble
from desk.mail.charsets import clean_line
from desk.mail.headers import decode_words
from desk.mail.values import Attachment

_MAX_PARTS = 1_000
_MAX_DEPTH = 50
_MAX_MATCHES = 60_000_000  # lines times boundaries: the parser tries every open boundary on every line
_FIELD_CHARS = 2_000  # the standard library splits parameters in quadratic time
_NAME_CHARS = 120

_EXTENSIONS = {
    "message/rfc822": ".eml",
    "message/delivery-status": ".txt",
    "message/disposition-notification": ".txt",
    "text/rfc822-headers": ".txt",
    "text/plain": ".txt",
    "text/html": ".html",
    "text/calendar": ".ics",
    "application/pdf": ".pdf",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
}
_EXECUTABLE = re.compile(
    r"apk|app|appx|bat|chm|cmd|com|cpl|dll|dmg|exe|hta|img|iso|jar|jse?|lnk|ms[cip]|pif|ps1(?:xml)?|reg|sc[rt]|sh|sys|"
    r"vb[es]?|vhdx?|ws[cfh]?|xll"
)
_DOCUMENT = re.compile(r"csv|docx?|gif|html?|jpe?g|mp[34]|od[st]|pdf|png|pptx?|rtf|txt|xlsx?|zip")
_MAGIC = (b"MZ", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"#!")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)  # names that Windows keeps
_FORBIDDEN = re.compile(r"""[<>:"|?*\u200b-\u200f\u2060\ufeff]""")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part without parts of its own. `group` numbers the multipart/alternative around it; 0: none."""

    part: Message
    content_type: str
    group: int
    attached: bool


class Part(Message):
    """A part whose fields are short text; the base class returns other types for 8-bit bytes."""

    def get(self, name: str, failobj: Any = None) -> Any:
        value = super().get(name, failobj)
        return failobj if value is failobj else str(value)[:_FIELD_CHARS]


def parse_parts(raw: bytes) -> Message:
    """The mail as the standard library reads it; raises MailTrouble when nested or split beyond reason."""
    if raw.count(b"\n") * raw.lower().count(b"boundary") > _MAX_MATCHES:
        raise MailTrouble("nesting")
    try:
        return message_from_bytes(raw, _class=_limit_parts())
    except RecursionError:
        raise MailTrouble("nesting") from None


def parse_head(head: bytes) -> Message:
    """A header part alone; never raises."""
    return BytesHeaderParser().parsebytes(head)


def list_leaves(message: Message) -> tuple[Leaf, ...]:
    """All leaves, first to last; an attached mail is one leaf. Raises MailTrouble."""
    return tuple(_walk_parts(message, depth=0, group=0))


def decode_part(part: Message) -> bytes:
    """Decoded bytes of a leaf; of an attached mail, the mail itself."""
    if part.is_multipart():
        return b"".join(_print_part(child) for child in part.get_payload() if isinstance(child, Message))
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def read_attachment(leaf: Leaf, position: int) -> Attachment:
    """What is to be known of an attachment; `position` names the nameless."""
    content = decode_part(leaf.part)
    claimed = read_name(leaf.part)
    name = save_name(claimed) or f"attachment-{position}{_EXTENSIONS.get(leaf.content_type, '.bin')}"
    return Attachment(
        name=name,
        content_type=leaf.content_type,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        inline=is_inline(leaf.part),
        warning=warn_attachment(name, content),
    )


def read_name(part: Message) -> str:
    """The name a part claims, decoded (RFC 2231, RFC 2047), not yet safe; empty when there is none."""
    try:
        return decode_words(part.get_filename("") or "")
    except (ValueError, LookupError, TypeError):  # damaged RFC 2231 pieces
        return ""


def save_name(claimed: str) -> str:
    """A name safe to show and to save on any system: no folder, control, device or hidden file."""
    base = unicodedata.normalize("NFC", clean_line(claimed)).replace("\\", "/").rpartition("/")[2]
    bare = _FORBIDDEN.sub("", base).strip(" .")
    stem, dot, extension = bare.rpartition(".")
    if len(bare) > _NAME_CHARS:
        bare = stem[: _NAME_CHARS - 20] + dot + extension[:19] if dot else bare[:_NAME_CHARS]
    return f"_{bare}" if _RESERVED.match(bare) else bare


def warn_attachment(name: str, content: bytes) -> str:
    """One word about a dangerous attachment: "double-extension", "executable" or nothing."""
    *before, last = (piece.strip().lower() for piece in name.split("."))
    if not (before and _EXECUTABLE.fullmatch(last)):
        return "executable" if content.startswith(_MAGIC) else ""
    return "double-extension" if _DOCUMENT.fullmatch(before[-1]) else "executable"


def is_inline(part: Message) -> bool:
    """Whether the part is shown within the body rather than beside it."""
    disposition = part.get_content_disposition()
    return disposition == "inline" or (disposition is None and "content-id" in part)


def _limit_parts() -> Callable[..., Message]:
    # Counted while parsing: fifty megabytes of empty parts would take gigabytes first.
    made = 0

    def make_part(*args: Any, **settings: Any) -> Message:
        nonlocal made
        made += 1
        if made > _MAX_PARTS:
            raise MailTrouble("parts")
        return Part(*args, **settings)

    return make_part


def _walk_parts(part: Message, depth: int, group: int) -> Iterator[Leaf]:
    if depth > _MAX_DEPTH:
        raise MailTrouble("nesting")
    if not (part.is_multipart() and part.get_content_maintype() == "multipart"):
        yield _make_leaf(part, group)
        return
    inner = id(part) if part.get_content_subtype() == "alternative" else group
    for child in part.get_payload():
        if isinstance(child, Message):
            yield from _walk_parts(child, depth + 1, inner)


def _make_leaf(part: Message, group: int) -> Leaf:
    content_type = part.get_content_type()
    if content_type.startswith("multipart/"):
        content_type = "text/plain"  # a multipart whose boundary is missing: what is there is text
    bodily = content_type in ("text/plain", "text/html") and not read_name(part)
    attached = not bodily or part.get_content_disposition() == "attachment"
    return Leaf(part, content_type, group, attached)


def _print_part(part: Message) -> bytes:
    try:
        return part.as_bytes()
    except (ValueError, LookupError, TypeError, AttributeError):  # the generator is stricter than the parser
        return b""
