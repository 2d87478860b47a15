"""One wording, two shapes: the text of a letter and its HTML come from the same paragraphs, so they agree.

Paragraphs stand apart by an empty line; their first characters tell what they are, as in everyday mail:
`- ` a list, `1. ` a numbered list, `> ` a quotation line by line, `| ` one of paragraphs and lists, four spaces a
table, `--` the line above the foot.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

TEXT_STYLE = "margin:0 0 14px 0"
LIST_STYLE = "margin:0 0 14px 0;padding:0 0 0 22px"
QUOTE_STYLE = "margin:0 0 14px 0;padding:4px 0 4px 12px;border-left:3px solid #c3cad5;color:#4a5260"
TABLE_STYLE = "margin:0 0 14px 0;font-family:Consolas,Menlo,monospace;font-size:13px"
FOOT_STYLE = "margin:22px 0 0 0;padding:14px 0 0 0;border-top:1px solid #d9dee6;font-size:13px;color:#5b6472"
FOOT = "--"
GUIDE = "|"
QUOTED_LINES = 15
QUOTED_WIDTH = 300  # characters of one quoted line

_GAP = re.compile(r"\n(?:[ \t]*\n)+")
_ITEM = re.compile(r"^(- |\d{1,3}\. )", re.MULTILINE)
_MARKS = re.compile(r"^(?:[>#|\s]+|--+\s*$)+")
_SPACED = (*(f" {mark}" for mark in ":;?!»%"), "« ")  # French puts a space that never breaks there
_TIGHT = {each: each.replace(" ", "\N{NO-BREAK SPACE}") for each in _SPACED}


def write_plain(wording: str) -> str:
    """The text shape: a line per paragraph or item, for clients to wrap and agents to edit."""
    return "\n\n".join(_plain(each) for each in _split(wording)) + "\n"


def write_html(wording: str) -> str:
    """The HTML shape of a `wording` whose slots are escaped already; inline styles only, for every client."""
    paragraphs = _split(wording)
    foot = paragraphs.index(FOOT) if FOOT in paragraphs else len(paragraphs)
    body, rest = ("\n".join(map(_tag, part)) for part in (paragraphs[:foot], paragraphs[foot + 1 :]))
    return f'{body}\n<div style="{FOOT_STYLE}">\n{rest}\n</div>' if rest else body


def quote_lines(text: str) -> str:
    """The first QUOTED_LINES of `text` as a quotation; empty lines stay inside it."""
    lines = text.split("\n")
    shown = [*lines[:QUOTED_LINES], *(["[…]"] if len(lines) > QUOTED_LINES else [])]
    return "\n".join(f"> {line[:QUOTED_WIDTH]}".rstrip() for line in shown)


def lay_passage(text: str) -> str:
    """The `text` of an article as a quotation of paragraphs and lists: steps stay steps, with their numbers; nothing in
    it passes for another part of the letter.
    """
    paragraphs: list[list[str]] = []
    before = ""
    for line in map(_disarm, text.split("\n")):
        if _begins(paragraphs[-1] if paragraphs else [], before, line):
            paragraphs.append([])
        paragraphs[-1:] = [[*paragraphs[-1], line]] if line else paragraphs[-1:]
        before = line
    laid = "\n\n".join("\n".join(lines) for lines in paragraphs)
    return "\n".join(f"{GUIDE} {line}".rstrip() for line in laid.split("\n")) if laid else ""


def _begins(lines: list[str], before: str, line: str) -> bool:
    """Whether `line` begins a paragraph: the first one, a list, a list of another kind, words after an empty line."""
    if not lines or not line:
        return bool(line)
    kind, listed = _tell_kind(line), _tell_kind(lines[0])
    return kind != listed if kind else not before


def _tell_kind(line: str) -> str:
    """The kind of list that `line` is an item of: "-", "1"; "" for other words."""
    item = _ITEM.match(line)
    return "" if item is None else "-" if item[0] == "- " else "1"


def _disarm(line: str) -> str:
    """A line without the marks that paragraphs are told by, but those of lists."""
    return _MARKS.sub("", line).rstrip()


def align_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in aligned columns for the text shape, the first to the left, the others to the right."""
    lines = [columns, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("    " + _align(line, widths) for line in lines)


def _align(cells: Sequence[str], widths: Sequence[int]) -> str:
    others = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
    return "  ".join([cells[0].ljust(widths[0]), *others]).rstrip()


def _split(wording: str) -> list[str]:
    return [each.rstrip() for each in _GAP.split(wording.strip("\n")) if each.strip()]


def _items(paragraph: str) -> list[tuple[str, str]]:
    """(mark, words) of each item of a list; one pair without a mark for anything else."""
    if not _ITEM.match(paragraph):
        return [("", _join(paragraph))]
    pieces = _ITEM.split(paragraph)
    return [(mark, _join(words)) for mark, words in zip(pieces[1::2], pieces[2::2], strict=True)]


def _join(lines: str) -> str:
    words = " ".join(lines.split())
    for spaced, tight in _TIGHT.items():
        words = words.replace(spaced, tight)
    return words


def _plain(paragraph: str) -> str:
    if paragraph == FOOT:
        return "-- "  # RFC 3676 §4.3: clients cut a quoted letter here
    if paragraph.startswith(GUIDE):
        return "\n".join(f"> {line}".rstrip() for line in write_plain(_open_guide(paragraph)).rstrip().split("\n"))
    if paragraph.startswith((">", "    ")):
        return paragraph
    return "\n".join(mark + words for mark, words in _items(paragraph))


def _tag(paragraph: str) -> str:
    if paragraph.startswith(">"):
        lines = "<br>\n".join(line[2:] for line in paragraph.split("\n"))
        return f'<blockquote style="{QUOTE_STYLE}">{lines}</blockquote>'
    if paragraph.startswith(GUIDE):
        return f'<blockquote style="{QUOTE_STYLE}">\n{write_html(_open_guide(paragraph))}\n</blockquote>'
    if paragraph.startswith("    "):
        return f'<pre style="{TABLE_STYLE}">{paragraph}</pre>'
    return _tag_words(_items(paragraph))


def _open_guide(paragraph: str) -> str:
    return "\n".join(line.removeprefix(GUIDE).removeprefix(" ") for line in paragraph.split("\n"))


def _tag_words(items: list[tuple[str, str]]) -> str:
    mark, words = items[0]
    if not mark:
        return f'<p style="{TEXT_STYLE}">{words}</p>'
    name = "ul" if mark == "- " else "ol"
    start = "" if mark in ("- ", "1. ") else f' start="{int(mark[:-2])}"'
    points = "\n".join(f"<li>{words}</li>" for _, words in items)
    return f'<{name}{start} style="{LIST_STYLE}">\n{points}\n</{name}>'
