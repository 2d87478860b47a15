"""The body of a mail as plain text (RFC 2046 §5.1.4, RFC 3676, HTML)."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby, pairwise

import lxml.html
from inscriptis.css_profiles import STRICT_CSS_PROFILE
from inscriptis.html_engine import Inscriptis
from inscriptis.model.config import ParserConfig
from lxml.etree import LxmlError

from desk.mail.charsets import clean_text, decode_bytes
from desk.mail.parts import Leaf, decode_part

TEXT_CHARS = 200_000  # of a body; what is longer is shortened
_KEPT_CHARS = TEXT_CHARS + 1  # one more, to see that something is left out
_HTML_CHARS = 500_000

# Where mail programs put what they quote; blockquotes without such a mark are the writer's own indents.
_QUOTES = (
    "//blockquote[@type='cite' or contains(@class,'gmail_quote') or contains(@class,'protonmail_quote')"
    " or contains(@id,'MAC_OUTLOOK_ATTRIBUTION')]"
    " | //div[contains(@class,'yahoo_quoted') or contains(@class,'protonmail_quote')]"
    " | //*[@id='OLK_SRC_BODY_SECTION']"
)
_STUB = re.compile(
    r"\W*(?:this (?:message|e-?mail) .{0,60}html|votre (?:logiciel|client) .{0,80}html).{0,200}",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(r"(<[^<>]{0,5000}>)")
_UNSEEN = re.compile(r"<(?:script|style|head)\b", re.IGNORECASE)
_FIXED = re.compile(r">|-- $")
_LAYOUT = ParserConfig(css=STRICT_CSS_PROFILE, display_links=False, display_images=False)


@dataclass(frozen=True, slots=True)
class Body:
    """A body as its reader sees it; `marked` has the quotations that HTML marks reduced to ">" lines."""

    text: str
    marked: str
    shortened: bool = False


def read_body(leaves: Iterable[Leaf]) -> Body:
    """Plain text of the parts that are no attachments, shortened to TEXT_CHARS."""
    bodily = [leaf for leaf in leaves if not leaf.attached]
    found = [_choose_text(list(group)) for _, group in groupby(bodily, key=_name_group)]
    text, marked = _join_texts(one.text for one in found), _join_texts(one.marked for one in found)
    shortened = len(text) > TEXT_CHARS or any(one.shortened for one in found)
    return Body(text[:TEXT_CHARS].strip(), marked[:TEXT_CHARS].strip(), shortened)


def render_html(source: str) -> Body:
    """HTML as a reader sees it, without scripts, styles and hidden elements."""
    try:
        tree = lxml.html.document_fromstring(source[:_HTML_CHARS])
        text = Inscriptis(tree, _LAYOUT).get_text()
        marked = Inscriptis(tree, _LAYOUT).get_text() if _mark_quotes(tree) else text
    except (LxmlError, ValueError, RecursionError, LookupError, TypeError):
        text = marked = ""
    if text.strip():
        return Body(text, marked, len(source) > _HTML_CHARS)
    bare = _strip_tags(source[:_HTML_CHARS])  # nested too deep for the parser, or no HTML at all
    return Body(bare, bare, len(source) > _HTML_CHARS)


def _join_texts(texts: Iterable[str]) -> str:
    joined = "\n\n".join(text[:_KEPT_CHARS] for text in texts if text.strip())
    return clean_text(joined[:_KEPT_CHARS])


def _name_group(leaf: Leaf) -> int:
    return leaf.group or id(leaf)


def _choose_text(leaves: list[Leaf]) -> Body:
    # The plain alternative wins: what the writer's program made of the HTML is better than what we would.
    plain = _join_texts(_read_plain(leaf) for leaf in leaves if leaf.content_type == "text/plain")
    if plain and not (len(leaves) > 1 and _STUB.fullmatch(plain.strip())):
        return Body(plain, plain)
    pages = [render_html(_read_text(leaf)) for leaf in leaves if leaf.content_type == "text/html"]
    text, marked = _join_texts(page.text for page in pages), _join_texts(page.marked for page in pages)
    return Body(text or plain, marked or plain, any(page.shortened for page in pages))


def _read_text(leaf: Leaf) -> str:
    charset = leaf.part.get_param("charset", "")
    named = charset[2] if isinstance(charset, tuple) else charset
    return decode_bytes(decode_part(leaf.part), str(named or ""))


def _read_plain(leaf: Leaf) -> str:
    text = _read_text(leaf)[:_KEPT_CHARS].replace("\r\n", "\n")
    if str(leaf.part.get_param("format", "")).lower() != "flowed":
        return text
    return _join_flowed(text, cut_space=str(leaf.part.get_param("delsp", "")).lower() == "yes")


def _join_flowed(text: str, cut_space: bool) -> str:
    """Lines of one paragraph joined again (RFC 3676 §4); quoted lines and the signature's mark stay."""
    lines = [line.removeprefix(" ") for line in text.split("\n")]
    pieces: list[str] = []
    for line, following in pairwise([*lines, ""]):
        flows = line.endswith(" ") and not _FIXED.match(line) and not _FIXED.match(following)
        pieces += (line[:-1] if flows and cut_space else line), "" if flows else "\n"
    return "".join(pieces)


def _mark_quotes(tree: lxml.html.HtmlElement) -> bool:
    quotes = tree.xpath(_QUOTES)
    for quote in quotes:
        tail = quote.tail
        quote.clear()
        quote.tag, quote.text, quote.tail = "p", "> ", tail
    return bool(quotes)


def _strip_tags(source: str) -> str:
    seen: list[str] = []
    hidden = False
    for piece in _TAG.split(source):
        if piece.startswith("<"):
            hidden = bool(_UNSEEN.match(piece)) or (hidden and not piece.startswith("</"))
        elif not hidden:
            seen.append(piece)
    return html.unescape(" ".join(seen))
