"""From words to a mail ready for SMTP: headers that nothing from outside can bend, parts in order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.errors import HeaderParseError
from email.header import Header
from email.headerregistry import Address as HeaderAddress
from email.headerregistry import BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from typing import Any

from desk.errors import ConfigurationError, MailTrouble
from desk.mail import Address
from letters.lines import one_line
from letters.render import Rendered

MOST_REFERENCES = 20  # the first and the latest, as RFC 5537 §3.4.4 trims them
IMPORTANCE: Mapping[str, Mapping[str, str]] = {"high": {"Importance": "high", "X-Priority": "1 (Highest)"}}

# Printable ASCII without brackets or an encoded word, well inside a line of 998 characters.
_MESSAGE_ID = re.compile(r"<(?!.*=\?)[!-;=?-~]{1,480}>")
_NOT_CID = re.compile(r"[^A-Za-z0-9.@_-]")
_CONTENT_TYPE = re.compile(r"(application|audio|image|text|video)/([A-Za-z0-9][A-Za-z0-9.+-]{0,99})")


@dataclass(frozen=True, slots=True)
class Part:
    """A file in a letter; `data` as it is, decoded. `cid` is its Content-ID without brackets (RFC 2392)."""

    name: str
    content_type: str
    data: bytes
    cid: str = ""


class Verbatim(UnstructuredHeader, BaseHeader):
    """Takes its value as it is: the library would decode encoded words in it, line breaks and all."""

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        kwds |= {"decoded": value, "parse_tree": None}


class MessageIds(Verbatim):
    """Folds between identifiers only: the library encodes those over 78 characters, which breaks the thread.

    Microsoft's are that long.
    """

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: " + f"{policy.linesep} ".join(str(self).split()) + policy.linesep


class Words(Verbatim):
    """Folds a subject by the older code: the newer (Python 3.11) loses spaces between encoded words."""

    def fold(self, *, policy: Policy) -> str:
        charset = "us-ascii" if _foldable(str(self)) else "utf-8"
        header = Header(str(self), charset, header_name=self.name)
        return f"{self.name}: {header.encode(linesep=policy.linesep)}{policy.linesep}"


def _foldable(words: str) -> bool:
    """Short ASCII words that do not look encoded already: a reader would decode those (RFC 2047 §6.1)."""
    return words.isascii() and "=?" not in words and all(len(word) < 60 for word in words.split())


def _open_registry() -> HeaderRegistry:
    registry = HeaderRegistry()
    registry.map_to_type("subject", Words)
    registry.map_to_type("references", MessageIds)
    registry.map_to_type("in-reply-to", MessageIds)
    return registry


WIRE = SMTP.clone(header_factory=_open_registry())


def compose_letter(
    rendered: Rendered,
    *,
    message_id: str,
    sender: Address,
    recipients: Sequence[str],
    date: datetime,
    in_reply_to: str = "",
    references: Sequence[str] = (),
    automatic: bool = True,
    importance: str = "",
    html: bool = True,
    attachments: tuple[Part, ...] = (),
    inline: tuple[Part, ...] = (),
) -> bytes:
    """The mail as bytes with CRLF, 7-bit, no line over 998.

    `message_id`, `in_reply_to` and `references` with brackets; `recipients` bare addresses; `date` aware. An
    automatic letter says so (RFC 3834 §5): auto-replied with `in_reply_to`, else auto-generated; a draft
    (`automatic=False`) does not. `importance` is '' or 'high'. Without `html` the text goes alone and
    `inline` is left out. ConfigurationError for what we got wrong ourselves, MailTrouble for an address that
    can't be used.
    """
    letter = EmailMessage(policy=WIRE)
    _put_envelope(letter, sender, recipients, date, one_line(rendered.subject))
    _put_thread(letter, message_id, in_reply_to, references)
    _put_marks(letter, automatic, importance)
    _put_words(letter, rendered, inline if html else (), html)
    for part in attachments:
        _attach_part(letter, part)
    return letter.as_bytes()


def _put_envelope(
    letter: EmailMessage, sender: Address, recipients: Sequence[str], date: datetime, subject: str
) -> None:
    if date.tzinfo is None or not recipients:
        raise ConfigurationError("a letter needs a recipient and an aware date")
    letter["From"] = _write_address(sender)
    letter["To"] = [_write_address(Address("", each)) for each in recipients]
    letter["Date"] = date
    letter["Subject"] = subject


def _write_address(address: Address) -> HeaderAddress:
    local, _, domain = address.address.rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode("ascii")
        name = one_line(address.name).replace("=?", "= ?")  # an encoded word would be decoded on the way
        return HeaderAddress(name, addr_spec=f"{local}@{ascii_domain}")
    except (ValueError, IndexError, HeaderParseError):
        raise MailTrouble("an address of a letter can't be written in a header") from None  # causes quote it


def _put_thread(letter: EmailMessage, message_id: str, in_reply_to: str, references: Sequence[str]) -> None:
    if not _MESSAGE_ID.fullmatch(message_id):
        raise ConfigurationError("a letter's Message-ID is not well-formed")
    letter["Message-ID"] = message_id
    known = _pick_references((*references, in_reply_to))
    if _MESSAGE_ID.fullmatch(in_reply_to):
        letter["In-Reply-To"] = in_reply_to
    if known:
        letter["References"] = " ".join(known)


def _pick_references(named: Sequence[str]) -> list[str]:
    """The parent's references, then the parent (RFC 5322 §3.6.4): well-formed, no repeats, not too many."""
    parent = named[-1]
    earlier = dict.fromkeys(each for each in named[:-1] if each != parent)
    known = [each for each in (*earlier, parent) if _MESSAGE_ID.fullmatch(each)]
    return known if len(known) <= MOST_REFERENCES else [known[0], *known[1 - MOST_REFERENCES :]]


def _put_marks(letter: EmailMessage, automatic: bool, importance: str) -> None:
    marks = dict(IMPORTANCE.get(importance, {}))
    if automatic:
        marks["Auto-Submitted"] = "auto-replied" if "In-Reply-To" in letter else "auto-generated"
        marks["X-Auto-Response-Suppress"] = "OOF, AutoReply"  # Exchange reads this one instead
    for name, value in marks.items():
        letter[name] = value


def _put_words(letter: EmailMessage, rendered: Rendered, inline: tuple[Part, ...], html: bool) -> None:
    letter.set_content(rendered.text, cte="quoted-printable")
    if not html:
        return
    letter.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
    *_, page = letter.iter_parts()
    for part in inline:
        main, sub = _split_type(part.content_type)
        cid = f"<{_NOT_CID.sub('', part.cid)}>"
        page.add_related(part.data, main, sub, cid=cid, filename=_name_file(part), disposition="inline")


def _attach_part(letter: EmailMessage, part: Part) -> None:
    main, sub = _split_type(part.content_type)
    letter.add_attachment(part.data, main, sub, filename=_name_file(part))


def _split_type(content_type: str) -> tuple[str, str]:
    """Main and sub type; multipart/* and message/* may not be base64 (RFC 2046 §5): they go as bytes."""
    known = _CONTENT_TYPE.fullmatch(content_type)
    return (known[1], known[2]) if known else ("application", "octet-stream")


def _name_file(part: Part) -> str:
    return re.sub(r'[/\\:*?"<>|]', "_", one_line(part.name)) or "file"
