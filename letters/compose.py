"""From words to a mail ready for SMTP: headers that nothing from outside can bend, parts in order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from hashlib import blake2b

from desk.domains import encode_domain
from desk.errors import ConfigurationError, MailTrouble
from desk.mail import Address
from letters.lines import one_line
from letters.mime import join_parts, write_file, write_header, write_phrase, write_text, write_words
from letters.render import Rendered

MOST_REFERENCES = 20  # the first and the latest, as RFC 5537 §3.4.4 trims them
IMPORTANCE: Mapping[str, Mapping[str, str]] = {"high": {"Importance": "high", "X-Priority": "1 (Highest)"}}

# Printable ASCII without brackets or an encoded word, well inside a line of 998 characters.
_MESSAGE_ID = re.compile(r"<(?!.*=\?)[!-;=?-~]{1,480}>")
_NOT_CID = re.compile(r"[^A-Za-z0-9.@_-]")
_CONTENT_TYPE = re.compile(r"(?:application|audio|image|text|video)/[A-Za-z0-9][A-Za-z0-9.+-]{0,99}")

# Local part and domain as RFC 5322 §3.4.1 has them, the obsolete left out; lengths by RFC 5321 §4.5.3.1 and RFC 1035
# §2.3.4; nothing like an encoded word, which some readers would decode (RFC 2047 §5).
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_LOCAL = rf'{_ATEXT}+(?:\.{_ATEXT}+)*|"(?:[ !#-\[\]-~]|\\[ -~])*"'
_DOMAIN = rf"{_ATEXT}{{1,63}}(?:\.{_ATEXT}{{1,63}})*|\[[A-Za-z0-9:.-]+\]"
_ADDRESS = re.compile(rf"(?=.{{3,254}}$)(?!.*=\?)(?:{_LOCAL})@(?:{_DOMAIN})")
_WIDE_ATEXT = _ATEXT.replace("[", "[\u0080-\U0010ffff")  # RFC 6532 §3.2; unprintable ones are told apart elsewhere
_WIDE_ADDRESS = re.compile(rf"(?!.*=\?){_WIDE_ATEXT}+(?:\.{_WIDE_ATEXT}+)*@(?:{_DOMAIN})")
WIDEST_ADDRESS = 254  # bytes


@dataclass(frozen=True, slots=True)
class Part:
    """A file in a letter; `data` as it is, decoded. `cid` is its Content-ID without brackets (RFC 2392)."""

    name: str
    content_type: str
    data: bytes
    cid: str = ""


def compose_letter(
    rendered: Rendered,
    *,
    message_id: str,
    sender: Address,
    recipients: Sequence[str],
    date: datetime,
    in_reply_to: str = "",
    references: Sequence[str] = (),
    reply_to: str = "",
    automatic: bool = True,
    importance: str = "",
    read_receipt: str = "",
    html: bool = True,
    attachments: tuple[Part, ...] = (),
    inline: tuple[Part, ...] = (),
) -> bytes:
    """The mail as bytes with CRLF, 7-bit, no line over 998; a recipient beyond ASCII stands in it as UTF-8 (RFC 6532).

    `message_id`, `in_reply_to` and `references` with brackets; `recipients` and `reply_to` bare addresses; `date`
    aware. An automatic letter says so (RFC 3834 §5): auto-replied with `in_reply_to`, else auto-generated; a draft
    (`automatic=False`) does not. `importance` is '' or 'high'; `read_receipt` is the bare address that a reader is
    asked to tell (RFC 8098 §2.1). Without `html` the text goes alone and `inline` is left out. ConfigurationError
    for what we got wrong ourselves, MailTrouble for an address that can't be used.
    """
    head = [
        *_write_envelope(sender, recipients, date, one_line(rendered.subject)),
        *([write_header("Reply-To", _write_address(sender.name, reply_to))] if reply_to else []),
        *([write_header("Disposition-Notification-To", _write_address("", read_receipt))] if read_receipt else []),
        *_write_thread(message_id, in_reply_to, references),
        *_write_marks(automatic, bool(_MESSAGE_ID.fullmatch(in_reply_to)), importance),
        "MIME-Version: 1.0\r\n",
    ]
    token = blake2b(message_id.encode(), digest_size=12).hexdigest()  # the same letter twice is the same bytes
    body = _write_body(rendered, token, inline, html)
    files = [_write_part(part, "attachment") for part in attachments]
    return "".join(head).encode() + (join_parts("mixed", token, [body, *files]) if files else body)


def _write_envelope(sender: Address, recipients: Sequence[str], date: datetime, subject: str) -> list[str]:
    if date.tzinfo is None or not recipients:
        raise ConfigurationError("a letter needs a recipient and an aware date")
    addresses = [_write_recipient(each) for each in recipients]
    return [
        write_header("From", _write_address(sender.name, sender.address)),
        write_header("To", [*(f"{each}," for each in addresses[:-1]), addresses[-1]], utf8=True),
        write_header("Date", [format_datetime(date)]),
        write_header("Subject", write_words(subject)),
    ]


def _write_address(name: str, address: str) -> list[str]:
    local, _, domain = address.rpartition("@")
    bare = f"{local}@{encode_domain(domain)}"
    if not _ADDRESS.fullmatch(bare):
        raise MailTrouble("an address of a letter can't be written in a header") from None  # a cause would quote it
    shown = write_phrase(one_line(name).replace("=?", "= ?"))  # an encoded word would be decoded on the way
    return [*shown, f"<{bare}>"] if shown else [bare]


def _write_recipient(address: str) -> str:
    """As it stands in To: no quotes around what is beyond ASCII, and its domain in ASCII all the same."""
    local, _, domain = address.rpartition("@")
    if local.isascii():
        return " ".join(_write_address("", address))
    bare = f"{local}@{encode_domain(domain)}"
    if not (_WIDE_ADDRESS.fullmatch(bare) and bare.isprintable() and len(bare.encode()) <= WIDEST_ADDRESS):
        raise MailTrouble("an address of a letter can't be written in a header") from None
    return bare


def is_writable(address: str) -> bool:
    """Whether a letter can be addressed to it."""
    with suppress(MailTrouble):
        return bool(_write_recipient(address))
    return False


def _write_thread(message_id: str, in_reply_to: str, references: Sequence[str]) -> list[str]:
    """Folded between identifiers only, however long: Microsoft's are over 78, and a cut one breaks the thread."""
    if not _MESSAGE_ID.fullmatch(message_id):
        raise ConfigurationError("a letter's Message-ID is not well-formed")
    parent = [in_reply_to] if _MESSAGE_ID.fullmatch(in_reply_to) else []
    known = {"In-Reply-To": parent, "References": _pick_references((*references, in_reply_to))}
    named = [write_header(name, ids) for name, ids in known.items() if ids]
    return [write_header("Message-ID", [message_id]), *named]


def _pick_references(named: Sequence[str]) -> list[str]:
    """The parent's references, then the parent (RFC 5322 §3.6.4): well-formed, no repeats, not too many."""
    parent = named[-1]
    earlier = dict.fromkeys(each for each in named[:-1] if each != parent)
    known = [each for each in (*earlier, parent) if _MESSAGE_ID.fullmatch(each)]
    return known if len(known) <= MOST_REFERENCES else [known[0], *known[1 - MOST_REFERENCES :]]


def _write_marks(automatic: bool, replied: bool, importance: str) -> list[str]:
    marks = dict(IMPORTANCE.get(importance, {}))
    if automatic:
        marks["Auto-Submitted"] = "auto-replied" if replied else "auto-generated"
        marks["X-Auto-Response-Suppress"] = "OOF, AutoReply"  # Exchange reads this one instead
    return [write_header(name, [value]) for name, value in marks.items()]


def _write_body(rendered: Rendered, token: str, inline: tuple[Part, ...], html: bool) -> bytes:
    text = write_text("plain", rendered.text)
    if not html:
        return text
    page = write_text("html", rendered.html)
    if inline:
        page = join_parts("related", token, [page, *(_write_part(part, "inline") for part in inline)])
    return join_parts("alternative", token, [text, page])


def _write_part(part: Part, place: str) -> bytes:
    """multipart/* and message/* may not be base64 (RFC 2046 §5): they go as bytes."""
    known = _CONTENT_TYPE.fullmatch(part.content_type)
    name = re.sub(r'[/\\:*?"<>|]', "_", one_line(part.name)) or "file"
    content_type = part.content_type if known else "application/octet-stream"
    return write_file(name, content_type, part.data, place, _NOT_CID.sub("", part.cid))
