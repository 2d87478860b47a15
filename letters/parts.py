"""A letter of ours taken apart and put together: its head as it was, its parts written as letters.compose does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from hashlib import blake2b

from letters.mime import join_parts, write_file, write_text

_FIELD = re.compile(rb"[^\r\n]*(?:\r\n[ \t][^\r\n]*)*\r\n")  # with its folded lines
_LINE_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class File:
    """A file of a letter, decoded; shown in the page under `cid`, or attached when that is empty."""

    name: str
    content_type: str
    data: bytes
    cid: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """A letter in its parts; `head` are its fields but for those that tell of the content, with CRLF."""

    head: bytes
    text: str
    html: str
    shown: tuple[File, ...]
    files: tuple[File, ...]


def take_apart(body: bytes) -> Taken:
    """Read a letter that letters.compose wrote; what is written otherwise is read as far as it can be."""
    parsed = message_from_bytes(body, policy=policy.SMTP)
    leaves = [one for one in parsed.walk() if not one.is_multipart()]
    words = [one for one in leaves if one.get_content_maintype() == "text" and not _is_file(one)]
    others = [_read_file(one) for one in leaves if one not in words]
    return Taken(
        _read_head(body),
        next((_read_words(one) for one in words if one.get_content_subtype() == "plain"), ""),
        next((_read_words(one) for one in words if one.get_content_subtype() == "html"), ""),
        tuple(one for one in others if one.cid),
        tuple(one for one in others if not one.cid),
    )


def put_together(taken: Taken) -> bytes:
    """The bytes of a letter of these parts; the same parts make the same bytes."""
    token = blake2b(taken.head, digest_size=12).hexdigest()
    body = _write_words(taken, token)
    files = [write_file(one.name, one.content_type, one.data, "attachment") for one in taken.files]
    return taken.head + (join_parts("mixed", token, [body, *files]) if files else body)


def _write_words(taken: Taken, token: str) -> bytes:
    text = write_text("plain", taken.text)
    if not taken.html:
        return text
    page = write_text("html", taken.html)
    if taken.shown:
        shown = [write_file(one.name, one.content_type, one.data, "inline", one.cid) for one in taken.shown]
        page = join_parts("related", token, [page, *shown])
    return join_parts("alternative", token, [text, page]) if taken.text else page


def _read_head(body: bytes) -> bytes:
    return b"".join(one for one in _list_fields(body) if not one.lower().startswith(b"content-"))


def _list_fields(body: bytes) -> Iterator[bytes]:
    head = re.split(rb"\r\n\r\n|\n\n|\r\r", body, maxsplit=1)[0]
    yield from (one for one in _FIELD.findall(_LINE_END.sub(b"\r\n", head) + b"\r\n") if one.strip())


def _is_file(part: EmailMessage) -> bool:
    return part.get_content_disposition() == "attachment" or bool(part.get_filename())


def _read_words(part: EmailMessage) -> str:
    return _read_bytes(part).decode("utf-8", "replace").replace("\r\n", "\n")


def _read_file(part: EmailMessage) -> File:
    shown = part.get_content_disposition() == "inline"
    cid = str(part.get("Content-ID", "")).strip().strip("<>") if shown else ""
    return File(part.get_filename() or "file", part.get_content_type(), _read_bytes(part), cid)


def _read_bytes(part: EmailMessage) -> bytes:
    found = part.get_payload(decode=True)
    return found if isinstance(found, bytes) else b""
