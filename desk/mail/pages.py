"""HTML as the text that its reader sees."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

import lxml.html
from inscriptis.css_profiles import STRICT_CSS_PROFILE
from inscriptis.html_engine import Inscriptis
from inscriptis.model.config import ParserConfig
from lxml.etree import LxmlError

_HTML_CHARS = 500_000

# Where mail programs put what they quote; blockquotes without such a mark are the writer's own indents.
_QUOTES = (
    "//blockquote[@type='cite' or contains(@class,'gmail_quote') or contains(@class,'protonmail_quote')"
    " or contains(@id,'MAC_OUTLOOK_ATTRIBUTION')]"
    " | //div[contains(@class,'yahoo_quoted') or contains(@class,'protonmail_quote')]"
    " | //*[@id='OLK_SRC_BODY_SECTION']"
)
_TAG = re.compile(r"(<[^<>]{0,5000}>)")
_UNSEEN = re.compile(r"<(?:script|style|head)\b", re.IGNORECASE)
_LAYOUT = ParserConfig(css=STRICT_CSS_PROFILE, display_links=False, display_images=False)


@dataclass(frozen=True, slots=True)
class Body:
    """A body as its reader sees it; `marked` has the quotations that HTML marks reduced to ">" lines."""

    text: str
    marked: str
    shortened: bool = False


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
