"""HTML as the text that its reader sees, in one walk over the page.

Written here because inscriptis takes two to three times as long, and because what a mail program marks as quoted is
known only while the page is read.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lxml import etree

from desk.mail.hidden import (
    CODE,
    Drawer,
    Shade,
    begin_shade,
    darken,
    hides_element,
    list_comments,
    list_styles,
    may_fade,
    may_hide,
    read_shade,
)
from desk.mail.phrases import FORWARDED
from desk.mail.quotes import is_attribution

_HTML_CHARS = 500_000
_LINKS = 200  # shown of a page
_LINK_CHARS = 300
_WIDE = 200  # characters; a longer row of a table is laid out below one another
_STYLE_CHARS = 1_000
_NAME_CHARS = 200  # of what an element is called; longer names mark nothing

_TAG = re.compile(r"(<[^<>]{0,5000}>)")
_UNSEEN = re.compile(r"<(?:script|style|head)\b", re.IGNORECASE)
_DECLARATION = re.compile(r"\s{0,100}<\?xml[^>]{0,300}>")
_UNSEEN_CHARS = "\n\u200b\u200c\u200d\u2060\ufeff\u034f\u00ad\u180e"

_SKIPPED = frozenset(("script", "style", "head", "title", "template", "select", "object", "svg", "math", "textarea"))
_BLOCKS = frozenset(
    (
        *(
            "div",
            "blockquote",
            "li",
            "table",
            "tr",
            "ul",
            "ol",
            "dl",
            "dt",
            "dd",
            "section",
            "article",
            "header",
            "footer",
        ),
        *("main", "nav", "center", "form", "address", "fieldset", "body", "hr", "caption", "thead", "tbody", "tfoot"),
        *("figure", "details", "figcaption", "summary"),
    )
)
_PARAGRAPHS = frozenset(("p", "h1", "h2", "h3", "h4", "h5", "h6", "pre"))
_MARKED = frozenset(("blockquote", "div", "hr", "p", "span", "pre", "section", "table", "td"))
_NAMED = ("id", "class", "type", "data-marker", "name")

# Read from top to bottom, against "tag id class marker" in lower case: what mail programs call their parts. Outlook
# and Hotmail put "x_" and "ecx" before the names of others.
_KINDS = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        # Gmail, Thunderbird, Apple Mail, Proton, Outlook (mobile, web), Samsung, Yahoo, Spark, Zimbra, Windows Mail
        (
            "signature",
            r"gmail_signature(?!_prefix)|moz-signature|applemailsignature|protonmail_signature_block|outlook.{0,20}-signature|"
            r"composer_signature|yahoo.{0,20}signature|ymail.{0,20}signature|ydp\w{0,40}signature|messagesignaturesection|"
            r"__sig_p(?:re|ost)__|\s(?:x_)?signature\b|signatureblock|mail-?signature|tutanota-signature",
        ),
        # Outlook (all), Hotmail, Zimbra, Yahoo: whatever follows is history
        (
            "history",
            r"divrplyfwdmsg|appendonsend|mail-editor-reference-message|outlook-mobile-reference|outlookmessageheader|"
            r"stopspelling|\bzwchr|__divider__|__headers__|yahoo.quoted.begin|mac_outlook_attribution_header",
        ),
        # Gmail, Apple Mail, Thunderbird, Proton, Yahoo, Zoho, Outlook for Mac, Roundcube, Spark, Superhuman, Front,
        # Freshdesk, Intercom, Tutanota, Yandex, mail.ru, 163
        (
            "quote",
            r"^blockquote .{0,150}(?:\bcite\b|iosymail|attribution|auto-quote|wmi-quote|isreplycontent)|"
            r"gmail_attr|moz-cite-prefix|protonmail_quote|yahoo_quoted|zmail_extra|olk_src_body_section|reply-intro|"
            r"messagereplysection|__quoted_text__|sh-quoted|front-blockquote|freshdesk_quote|history_container|"
            r"tutanota_quote|mailmaster-quote|replied-?message|quoted-?message",
        ),
        ("container", r"gmail_quote|gmail_extra"),  # Gmail: see Page.is_quoted
    )
)
_RULED = re.compile(r"border-top[^;]{0,40}:[^;]{0,40}(?:#e1e1e1|#b5c4df|229, ?229, ?229)")  # Outlook, Windows Mail
_BARRED = re.compile(r"gmail_quote|border-left")
_LABELLED = re.compile(r"\W{0,5}[^\W\d][\w \xa0]{0,20}[:：]")


@dataclass(frozen=True, slots=True)
class Body:
    """A body as its reader sees it; `marked` has what HTML marks as quoted in ">" lines, history and signature
    below the lines that mark them in plain text. `hidden` is what its reader does not see, see desk.mail.hidden."""

    text: str
    marked: str
    shortened: bool = False
    hidden: str = ""


def render_html(source: str) -> Body:
    """HTML as a reader sees it, without scripts, styles and hidden elements; half a megabyte at most."""
    shortened, source = len(source) > _HTML_CHARS, source[:_HTML_CHARS]
    page = _read_page(source)
    lines, hidden = page.lines, page.drawer.text
    if page.broken or not (lines or hidden):
        bare = _strip_tags(source)  # nested too deep for the parser, or no HTML at all
        return Body(bare, bare, shortened, hidden)
    text = "\n".join(line for kind, line in lines if kind != "history").strip()
    plain = all(kind == "own" for kind, _ in lines)
    return Body(text, text if plain else "\n".join(_mark_lines(lines)).strip(), shortened, hidden)


def find_hidden(source: str) -> str:
    """What a page hides from its reader, where its text is not wanted: laid out only if it seems to hide something."""
    source = source[:_HTML_CHARS]
    if may_hide(source, list_styles(source)):
        return _read_page(source).drawer.text
    drawer = Drawer()
    drawer.keep(list_comments(source))
    return drawer.text


def _read_page(source: str) -> Page:
    page = Page()
    try:
        page.read_source(_drop_declaration(source))
    except (etree.LxmlError, ValueError, LookupError, TypeError, AssertionError):
        page.broken = True
    return page


@dataclass(frozen=True, slots=True)
class Manner:
    """How an element is read: lines broken around it, not shown, marked by a mail program; told from its attributes."""

    breaks: int = 0  # two leave a line blank
    hidden: bool = False
    kind: str = ""
    shade: tuple[tuple[str, object], ...] = ()  # what it changes of the colours around it


@dataclass(slots=True)
class Page:
    """A page on its way to lines, each with its kind: "own", "quote", "signature" or "history"."""

    lines: list[tuple[str, str]] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)  # of the line that is being written
    kind: str = "own"  # of what is written now
    line_kind: str = "own"
    breaks: int = 0  # before the next word
    space: bool = False  # before the next word
    fresh: bool = False  # at the start of a cell, where no break counts
    bullet: str = ""
    lists: list[int] = field(default_factory=list)  # open ones: the next number, 0 for bullets
    rows: list[int] = field(default_factory=list)  # cells so far of each open row
    cell_line: int = 0  # how many lines there were when the last cell began
    marks: list[tuple[Any, str]] = field(default_factory=list)  # open ones, with the kind around them
    preformatted: int = 0
    links: int = 0
    manners: dict[Any, Manner] = field(default_factory=dict)  # the same attributes come again and again
    broken: bool = False  # no page could be made of the source
    drawer: Drawer = field(default_factory=Drawer)
    shaded: bool = False  # whether colours and sizes of letters are looked at
    shades: list[Shade] = field(default_factory=list)  # of the open elements that change it
    unseen: bool = False  # what is written now

    def read_source(self, source: str) -> None:
        self.shaded = may_fade(list_styles(source))
        self.shades = [begin_shade(source)] if self.shaded else []
        self.drawer.keep(list_comments(source))
        tree = etree.fromstring(source, etree.HTMLParser(remove_comments=True, remove_pis=True))
        walk = etree.iterwalk(tree, events=("start", "end"))
        manners: list[Manner] = []  # of the open elements
        for event, node in walk:
            if event == "start":
                manners.append(self.find_manner(node))
                self.open_element(walk, node, manners[-1])
            else:
                self.close_element(node, manners.pop())
        self.end_line()

    def find_manner(self, node: Any) -> Manner:
        tag = node.tag
        every = self.shaded or tag in _MARKED
        key = (tag, *node.items()) if every else (tag, node.get("style"), node.get("hidden"))
        manner = self.manners.get(key)
        if manner is None:
            manner = self.manners[key] = _read_manner(node, self.shaded)
        return manner

    def open_element(self, walk: Any, node: Any, manner: Manner) -> None:
        if manner.hidden:
            walk.skip_subtree()
            self.drawer.keep(node.itertext() if node.tag not in CODE else ())
            return
        if manner.shade:
            self.shades.append(darken(self.shades[-1], manner.shade))
            self.unseen = self.shades[-1].unseen
        if manner.breaks:
            self.break_line(manner.breaks)
        if manner.kind and self.kind != "quote":
            self.enter_mark(node, manner.kind)
        if node.tag in _OPENERS:
            _OPENERS[node.tag](self)
        elif node.tag == "img":
            self.write_emoji(node.get("alt") or "")
        if text := node.text:
            self.write_text(text)

    def close_element(self, node: Any, manner: Manner) -> None:
        if not manner.hidden:
            if node.tag in _CLOSERS:
                _CLOSERS[node.tag](self)
            elif node.tag == "a" and not self.unseen:
                self.write_target(node)
            if manner.shade:
                self.shades.pop()
                self.unseen = self.shades[-1].unseen
            if manner.breaks:
                self.break_line(manner.breaks)
            if self.marks and self.marks[-1][0] is node:
                self.set_kind(self.marks.pop()[1])
        if text := node.tail:
            self.write_text(text)

    # --- words and lines

    def write_text(self, text: str) -> None:
        """Adds words; white space is one space, as HTML has it."""
        if self.unseen and text.strip():
            self.drawer.keep((text,))
        elif self.preformatted:
            self.write_lines(text)
        elif words := text.split():
            self.space = self.space or text[0].isspace()
            self.write_piece(" ".join(words))
            self.space = text[-1].isspace()
        else:
            self.space = True
            # Outlook and Word leave a line blank by a paragraph with a hard space.
            self.breaks = 2 if "\xa0" in text and self.breaks == 1 and not self.fresh else self.breaks

    def write_lines(self, text: str) -> None:
        for at, line in enumerate(text.split("\n")):
            self.breaks += at > 0
            if line.strip():
                self.write_piece(line.rstrip("\r"))

    def write_piece(self, piece: str) -> None:
        if self.breaks:
            self.end_line()
        if not self.pieces:
            self.line_kind = self.kind
            self.pieces.append(self.bullet)
        elif self.space:
            self.pieces.append(" ")
        self.pieces.append(piece)
        self.space, self.fresh, self.bullet = False, False, ""

    def end_line(self) -> None:
        line = "".join(self.pieces).lstrip(_UNSEEN_CHARS).rstrip(_UNSEEN_CHARS + " \t")
        if line.strip():
            self.lines.append((self.line_kind, line))
        if self.lines:
            self.lines += [("own", "")] * min(self.breaks - 1, 2)
        self.pieces, self.breaks, self.space = [], 0, False

    def break_line(self, breaks: int = 1) -> None:
        if not self.fresh and breaks > self.breaks:
            self.breaks = breaks

    def add_break(self) -> None:
        self.breaks = min(self.breaks + 1, 3)

    # --- lists, tables, links

    def open_bullets(self) -> None:
        self.lists.append(0)

    def open_numbers(self) -> None:
        self.lists.append(1)

    def close_list(self) -> None:
        if self.lists:
            self.lists.pop()

    def open_item(self) -> None:
        number = self.lists[-1] if self.lists else 0
        self.bullet = "  " * min(len(self.lists) - 1, 8) + (f"{number}. " if number else "* ")
        if number:
            self.lists[-1] += 1

    def open_row(self) -> None:
        self.rows.append(0)

    def close_row(self) -> None:
        self.fresh = False
        if self.rows:
            self.rows.pop()

    def open_cell(self) -> None:
        """Cells of one line stand beside one another, a tab apart."""
        if self.rows and self.rows[-1] and self.pieces:
            beside = len(self.lines) == self.cell_line and sum(map(len, self.pieces)) < _WIDE
            self.breaks = 0 if beside else max(self.breaks, 1)
            self.pieces += ["\t"] if beside else []
        if self.rows:
            self.rows[-1] += 1
        self.cell_line = len(self.lines) + (self.breaks > 0 and bool(self.pieces))
        self.fresh, self.space = True, False

    def close_cell(self) -> None:
        self.fresh = False
        self.break_line()

    def open_pre(self) -> None:
        self.preformatted += 1

    def close_pre(self) -> None:
        self.preformatted -= 1

    def write_rule(self) -> None:
        self.write_piece("_" * 32)  # as Outlook writes it in plain text

    def write_emoji(self, shown: str) -> None:
        """Gmail sends them as images; what is described in ASCII is a picture."""
        if shown and len(shown) <= 8 and not shown.isascii():
            self.write_piece(shown)

    def write_target(self, node: Any) -> None:
        """Adds the address that a link leads to, when its text is another."""
        target = _read_target(node.get("href") or "")
        if not target or self.links >= _LINKS:
            return
        shown = "".join(node.itertext()).strip()
        if shown and target.rstrip("/").rpartition("//")[2].removeprefix("www.") not in shown:
            self.links += 1
            self.space = True
            self.write_piece(f"<{target[:_LINK_CHARS]}>")

    # --- marks of mail programs

    def enter_mark(self, node: Any, kind: str) -> None:
        if kind == "ruled":
            kind = "history" if _LABELLED.match(_start_text(node)) else "own"
        elif kind in ("blockquote", "container"):
            kind = "quote" if self.is_quoted(node) else "own"
        if kind == "history":
            self.breaks = max(self.breaks, 1)
            self.end_line()
            self.lines.append(("history", ""))
        elif kind != "own":
            self.marks.append((node, self.kind))
            self.set_kind(kind)

    def is_quoted(self, node: Any) -> bool:
        """Whether a blockquote is one below its attribution, a container of Gmail's one that quotes as a whole."""
        if node.tag != "blockquote":
            return not FORWARDED.match(_start_text(node)) and not node.xpath("boolean(.//blockquote)")
        attribution = "".join(self.pieces) or next((line for _, line in reversed(self.lines[-4:]) if line), "")
        return is_attribution(attribution.strip())

    def set_kind(self, kind: str) -> None:
        if kind != self.kind:
            self.kind, self.breaks, self.fresh = kind, max(self.breaks, 1), False


_OPENERS: dict[str, Callable[[Page], None]] = {
    "br": Page.add_break,
    "ul": Page.open_bullets,
    "ol": Page.open_numbers,
    "li": Page.open_item,
    "tr": Page.open_row,
    "td": Page.open_cell,
    "th": Page.open_cell,
    "hr": Page.write_rule,
    "pre": Page.open_pre,
}
_CLOSERS: dict[str, Callable[[Page], None]] = {
    "ul": Page.close_list,
    "ol": Page.close_list,
    "tr": Page.close_row,
    "td": Page.close_cell,
    "th": Page.close_cell,
    "pre": Page.close_pre,
}


def _drop_declaration(source: str) -> str:
    """Without the XML declaration: the parser takes no text that declares the charset of its bytes."""
    found = _DECLARATION.match(source)
    return source[found.end() :] if found else source


def _read_manner(node: Any, shaded: bool) -> Manner:
    style = (node.get("style") or "").lower()[:_STYLE_CHARS]
    hidden = node.tag in _SKIPPED or "hidden" in node.attrib or hides_element(style)
    word = (node.get("class") or "").startswith("Mso")  # Word's paragraphs have no margins
    breaks = 2 - word if node.tag in _PARAGRAPHS else int(node.tag in _BLOCKS)
    kind = _name_kind(node, style) if node.tag in _MARKED else ""
    return Manner(breaks, hidden, kind, read_shade(node) if shaded else ())


def _name_kind(node: Any, style: str) -> str:
    called = " ".join((node.tag, *(node.get(name) or "" for name in _NAMED)))[:_NAME_CHARS].lower()
    kind = next((kind for kind, pattern in _KINDS if pattern.search(called)), "")
    if "data-signatureblock" in node.attrib:  # Windows Mail
        return "signature"
    if node.tag == "blockquote":
        # The button for indents of Gmail makes a blockquote with the class of its quotations, and no bar.
        plain = re.search(r"border:\s{0,3}none", style)
        return "" if plain else kind if kind == "quote" else "quote" if _BARRED.search(called + style) else "blockquote"
    return kind or ("ruled" if "border-top" in style and _RULED.search(style) else "")


def _read_target(href: str) -> str:
    href = " ".join(href.split())
    if href.startswith("mailto:"):
        return href[7:].partition("?")[0]
    if not href.startswith(("http://", "https://")):
        return ""
    if ".safelinks.protection.outlook.com/" in href[:100]:  # Microsoft 365 wraps every link that passes
        return parse_qs(urlsplit(href).query).get("url", [href])[0]
    return href


def _start_text(node: Any) -> str:
    text = ""
    for piece in node.itertext():
        text = (text + piece).lstrip()
        if len(text) > 100:
            break
    return text[:200].strip().partition("\n")[0]


def _mark_lines(lines: list[tuple[str, str]]) -> Iterator[str]:
    """Lines as plain text marks them; what has words of its own below it is no signature."""
    groups = [(kind, [line for _, line in group]) for kind, group in groupby(lines, key=lambda one: one[0])]
    for at, (kind, group) in enumerate(groups):
        if kind == "signature" and _is_last(groups[at + 1 :]):
            yield "-- "
        yield from _MARKERS[kind](group)


def _is_last(groups: Iterable[tuple[str, list[str]]]) -> bool:
    following = next((kind for kind, group in groups if any(group) or kind == "history"), "quote")
    return following != "own"


_MARKERS: dict[str, Callable[[list[str]], list[str]]] = {
    "own": lambda lines: lines,
    "signature": lambda lines: [line for line in lines if line not in ("--", "-- ")],
    "quote": lambda lines: [f"> {line}" for line in lines],
    "history": lambda _: ["-----Original Message-----"],
}


def _strip_tags(source: str) -> str:
    seen: list[str] = []
    hidden = False
    for piece in _TAG.split(source):
        if piece.startswith("<"):
            hidden = bool(_UNSEEN.match(piece)) or (hidden and not piece.startswith("</"))
        elif not hidden:
            seen.append(piece)
    return html.unescape(" ".join(seen))
