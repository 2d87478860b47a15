"""Who else reads mail in Python. Each gives all headers decoded, one text body, and attachments decoded.

That is less than ours gives: no kind, no reply text, no checksums of attachments, no repair. It is what a desk has to
work with when it stands on one of them.
"""

from __future__ import annotations

import base64
import email
from collections.abc import Callable
from dataclasses import dataclass
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from importlib import import_module
from typing import Any, cast

from desk.mail import Unreadable, read_mail

Read = Callable[[bytes], object]
OURS, BASE = "Byreturn read_mail", "stdlib policy.default"


@dataclass(frozen=True, slots=True)
class Parser:
    """`load` imports it (ImportError when it is missing) and returns what reads a mail."""

    name: str
    load: Callable[[], Read]
    pin: str = ""


class Refusal(Exception):
    """A mail is not read."""


def load_ours() -> Read:
    def read(raw: bytes) -> object:
        mail = read_mail(raw)
        if isinstance(mail, Unreadable):
            raise Refusal(mail.reason)
        return mail

    return read


def load_modern() -> Read:
    def read(raw: bytes) -> object:
        mail = email.message_from_bytes(raw, _class=EmailMessage, policy=policy.default)
        heads = [(name, str(value)) for name, value in mail.items()]
        body = cast("EmailMessage | None", mail.get_body(("plain", "html")))
        text = take_content(body) if body else ""
        return heads, text, [(part.get_filename(), take_bytes(part)) for part in mail.iter_attachments()]

    return read


def take_content(body: EmailMessage) -> str:
    try:
        return str(body.get_content())
    except (LookupError, UnicodeError):  # a charset that nobody knows
        return take_bytes(body).decode("utf-8", "replace")


def take_bytes(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def load_old() -> Read:
    def read(raw: bytes) -> object:
        mail = email.message_from_bytes(raw)
        heads = [(name, decode_head(value)) for name, value in mail.items()]
        leaves = [part for part in mail.walk() if not part.is_multipart()]
        files = [part for part in leaves if part.get_filename() or part.get_content_disposition() == "attachment"]
        texts = [part for part in leaves if part not in files and part.get_content_maintype() == "text"]
        return heads, texts and decode_text(texts[0]), [(part.get_filename(), take_bytes(part)) for part in files]

    return read


def decode_head(value: object) -> str:
    text = str(value)
    try:
        return str(make_header(decode_header(text))) if "=?" in text else text
    except (LookupError, UnicodeError, ValueError):
        return text


def decode_text(part: Message) -> str:
    try:
        return take_bytes(part).decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return take_bytes(part).decode("utf-8", "replace")


def load_fast() -> Read:
    parse = import_module("fast_mail_parser").parse_email

    def read(raw: bytes) -> object:
        mail = parse(raw)
        files = [(file.filename, bytes(file.content)) for file in mail.attachments]
        return mail.headers, "\n".join(mail.text_plain or mail.text_html), files

    return read


def load_mail_parser() -> Read:
    parse = import_module("mailparser").parse_from_bytes

    def read(raw: bytes) -> object:
        mail = parse(raw)
        return mail.headers, "\n".join(mail.text_plain or mail.text_html), [open_file(one) for one in mail.attachments]

    return read


def open_file(file: dict[str, Any]) -> tuple[str, bytes]:
    payload = file["payload"]
    return file["filename"], base64.b64decode(payload) if file["binary"] else payload.encode("utf-8", "replace")


def load_imap_tools() -> Read:
    kind = import_module("imap_tools.message").MailMessage

    def read(raw: bytes) -> object:
        mail = kind.from_bytes(raw)
        return mail.headers, mail.text or mail.html, [(file.filename, file.payload) for file in mail.attachments]

    return read


PARSERS: tuple[Parser, ...] = (
    Parser(OURS, load_ours),
    Parser(BASE, load_modern),
    Parser("stdlib compat32", load_old),
    Parser("fast-mail-parser", load_fast, "fast-mail-parser==0.10.0"),
    Parser("mail-parser", load_mail_parser, "mail-parser==4.8.0"),
    Parser("imap_tools MailMessage", load_imap_tools, "imap-tools==1.16.0"),
)
