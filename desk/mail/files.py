"""The files of a mail: its attached parts, what winmail.dat holds, and which pictures are part of the text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from desk.mail.attachments import describe_file, tell_apart
from desk.mail.pages import render_html
from desk.mail.parts import Leaf, read_name
from desk.mail.tnef import Tnef, open_tnef
from desk.mail.values import Attachment

_MAX_ATTACHMENTS = 200
_TNEF_TYPES = ("application/ms-tnef", "application/vnd.ms-tnef")
_TNEF_NAME = re.compile(r"win\s?mail\.dat", re.IGNORECASE)
_SHOWN = re.compile(rb"cid:([^\"'\s>)]{1,200})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Files:
    """What came with a mail; `text` is that of a winmail.dat, for a mail that has no other."""

    attachments: tuple[Attachment, ...] = ()
    left_out: int = 0
    text: str = ""
    wrapped: bool = False  # in a winmail.dat


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    content_type: str
    content: bytes
    inline: bool


def read_files(leaves: Sequence[Leaf]) -> Files:
    """Every attachment, names told apart; a winmail.dat that can be opened gives way to what is in it."""
    attached = [leaf for leaf in leaves if leaf.attached]
    if not attached:
        return Files()
    opened = {id(leaf): found for leaf in attached if is_tnef(leaf) and (found := open_tnef(leaf.part.read_content()))}
    shown = _list_shown(leaves) if any(_names_image(leaf) for leaf in attached) else frozenset()
    files = [file for leaf in attached for file in _list_files(leaf, opened.get(id(leaf)), shown)]
    described = [
        describe_file(one.name, one.content_type, one.content, position, one.inline)
        for position, one in enumerate(files[:_MAX_ATTACHMENTS], start=1)
    ]
    names = tell_apart(one.name for one in described)
    told = (replace(one, name=name) if name != one.name else one for one, name in zip(described, names, strict=True))
    text = next((_read_text(one) for one in opened.values()), "")
    return Files(tuple(told), len(files) - len(described), text, any(is_tnef(leaf) for leaf in attached))


def is_tnef(leaf: Leaf) -> bool:
    """Outlook's own format (MS-OXTNEF), which no other program shows."""
    return leaf.content_type in _TNEF_TYPES or bool(_TNEF_NAME.fullmatch(read_name(leaf.part)))


def _list_files(leaf: Leaf, opened: Tnef | None, shown: frozenset[str]) -> Iterator[_File]:
    if opened is None:
        yield _File(read_name(leaf.part), leaf.content_type, leaf.part.read_content(), _is_inline(leaf, shown))
        return
    for one in opened.attachments:
        yield _File(one.name, one.content_type, one.content, one.inline)


def _read_text(opened: Tnef) -> str:
    return opened.text or (render_html(opened.html).text if opened.html else "")


def _is_inline(leaf: Leaf, shown: frozenset[str]) -> bool:
    """A picture that a page shows (RFC 2392), or that has no other purpose than to be shown (RFC 2387)."""
    if not leaf.content_type.startswith("image/"):
        return False
    if leaf.part.headers.first("content-id").strip("<> ") in shown:
        return True
    return leaf.related and leaf.part.disposition != "attachment"


def _names_image(leaf: Leaf) -> bool:
    return leaf.content_type.startswith("image/") and "content-id" in leaf.part.headers


def _list_shown(leaves: Sequence[Leaf]) -> frozenset[str]:
    """Content-IDs of the pictures that the mail's pages show."""
    pages = (leaf.part.read_content() for leaf in leaves if leaf.content_type == "text/html")
    return frozenset(one.decode("ascii", "replace") for page in pages for one in _SHOWN.findall(page))
