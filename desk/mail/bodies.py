"""The body of a mail as plain text (RFC 2046 §5.1.4, RFC 3676, HTML)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby, pairwise

from desk.mail.charsets import clean_text, decode_bytes
from desk.mail.hidden import HIDDEN_CHARS
from desk.mail.pages import Body, find_hidden, render_html
from desk.mail.parts import Leaf

TEXT_CHARS = 200_000  # of a body; what is longer is shortened
_KEPT_CHARS = TEXT_CHARS + 1  # one more, to see that something is left out

_STUB = re.compile(
    r"\W*(?:this (?:message|e-?mail) .{0,60}html|votre (?:logiciel|client) .{0,80}html).{0,200}",
    re.IGNORECASE | re.DOTALL,
)
_FIXED = re.compile(r">|-- $")


def read_body(leaves: Iterable[Leaf]) -> Body:
    """Plain text of the parts that are no attachments, shortened to TEXT_CHARS."""
    bodily = [leaf for leaf in leaves if not leaf.attached]
    found = [_choose_text(list(group)) for _, group in groupby(bodily, key=_name_group)]
    text, marked = _join_texts(one.text for one in found), _join_texts(one.marked for one in found)
    shortened = len(text) > TEXT_CHARS or any(one.shortened for one in found)
    hidden = _join_texts(one.hidden for one in found)[:HIDDEN_CHARS]
    return Body(text[:TEXT_CHARS].strip(), marked[:TEXT_CHARS].strip(), shortened, hidden)


def _join_texts(texts: Iterable[str]) -> str:
    joined = "\n\n".join(text[:_KEPT_CHARS] for text in texts if text.strip())
    return clean_text(joined[:_KEPT_CHARS])


def _name_group(leaf: Leaf) -> int:
    return leaf.group or id(leaf)


def _choose_text(leaves: list[Leaf]) -> Body:
    # The plain alternative wins: what the writer's program made of the HTML is better than what we would.
    plain = _join_texts(_read_plain(leaf) for leaf in leaves if leaf.content_type == "text/plain")
    if plain and not (len(leaves) > 1 and _STUB.fullmatch(plain.strip())):
        return Body(plain, plain, hidden="\n".join(map(find_hidden, _read_pages(leaves))))
    pages = [render_html(page) for page in _read_pages(leaves)]
    text, marked = _join_texts(page.text for page in pages), _join_texts(page.marked for page in pages)
    hidden = "\n".join(page.hidden for page in pages)
    return Body(text or plain, marked or plain, any(page.shortened for page in pages), hidden)


def _read_pages(leaves: Iterable[Leaf]) -> list[str]:
    return [_read_text(leaf) for leaf in leaves if leaf.content_type == "text/html"]


def _read_text(leaf: Leaf) -> str:
    return decode_bytes(leaf.part.read_content(), leaf.part.params.get("charset", ""))


def _read_plain(leaf: Leaf) -> str:
    text = _read_text(leaf)[:_KEPT_CHARS].replace("\r\n", "\n")
    if leaf.part.params.get("format", "").lower() != "flowed":
        return text
    return _join_flowed(text, cut_space=leaf.part.params.get("delsp", "").lower() == "yes")


def _join_flowed(text: str, cut_space: bool) -> str:
    """Lines of one paragraph joined again (RFC 3676 §4); quoted lines and the signature's mark stay."""
    lines = [line.removeprefix(" ") for line in text.split("\n")]
    pieces: list[str] = []
    for line, following in pairwise([*lines, ""]):
        flows = line.endswith(" ") and not _FIXED.match(line) and not _FIXED.match(following)
        pieces += (line[:-1] if flows and cut_space else line), "" if flows else "\n"
    return "".join(pieces)
