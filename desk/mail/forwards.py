"""Mails that somebody passed on within their own: who wrote them, about what, when (as printed) and what."""

from __future__ import annotations

from dataclasses import dataclass, field

from desk.mail.phrases import (
    ADDRESS,
    FORWARD_STARTS,
    FORWARD_SUBJECT,
    FORWARDED,
    LINE_CHARS,
    ORIGINAL,
    name_label,
)
from desk.mail.values import Address, Forward

_COMMENT_LINES = 200  # above what is passed on
_FIELD_LINES = 30
_FIELDS = 2  # at least, of a head
_FIRSTS = frozenset(start[0] for start in FORWARD_STARTS)
_WRAPPED = 3  # lines that a value may go on for


@dataclass(slots=True)
class Block:
    """A header block as it is read: values by role, and where the text below begins."""

    fields: dict[str, str] = field(default_factory=dict)
    end: int = 0


def read_forward(subject: str, text: str) -> Forward | None:
    """The mail that is passed on in a text; None when none is, as in a reply that quotes one.

    A forward has a subject that says so, or a line that does above what its program copied ("Forwarded message").
    """
    named = bool(FORWARD_SUBJECT.match(subject))
    lines = text.split("\n")
    start = _find_start(lines, named)
    if start < 0:
        return None
    lines = _unquote_lines(lines[start:])
    block = _read_block(lines)
    if "from" not in block.fields or len(block.fields) < _FIELDS:
        return None
    date = block.fields.get("date") or block.fields.get("sent", "")
    sender = _read_sender(block.fields["from"])
    body = "\n".join(_unquote_lines(lines[block.end :])).strip()
    return Forward(sender, block.fields.get("subject", ""), date, body)


def _find_start(lines: list[str], named: bool) -> int:
    """Where the header block begins: below a line that says so, or, in a mail whose subject does, by itself."""
    for at, line in enumerate(lines[:_COMMENT_LINES]):
        if not named and (line[:1] == ">" or (":" in line[:40] and name_label(line) in ("from", "sent"))):
            return -1  # an ordinary reply
        if line[:1] in _FIRSTS and line.startswith(FORWARD_STARTS) and FORWARDED.fullmatch(line[:LINE_CHARS].strip()):
            return at + 1
        if named and _begins_block(lines, at):
            return at
    return -1


def _begins_block(lines: list[str], at: int) -> bool:
    role = name_label(lines[at]) or ("from" if ORIGINAL.fullmatch(lines[at][:LINE_CHARS].strip()) else "")
    if role not in ("from", "sent", "date", "subject"):
        return False
    fields = _read_block(lines[at : at + _FIELD_LINES]).fields
    return "from" in fields and len(fields) >= _FIELDS


def _unquote_lines(lines: list[str]) -> list[str]:
    """Without the ">" that Apple Mail, Orange and Proton put before what they pass on."""
    first = next((line for line in lines if line.strip()), "")
    if not first.lstrip().startswith(">"):
        return lines
    return [line.lstrip().removeprefix(">").removeprefix(" ") for line in lines]


def _read_block(lines: list[str]) -> Block:
    """Labelled lines from the first on; a value may go on for some lines, and blank lines may part them."""
    block, role, wrapped = Block(), "", 0
    for at, line in enumerate(lines[:_FIELD_LINES]):
        if label := name_label(line):
            role, wrapped = label, 0
            block.fields.setdefault(role, line.replace("：", ":").partition(":")[2].strip(" \t\xa0*_")[:LINE_CHARS])
            block.end = at + 1
        elif not line.strip():
            role = ""
            if len(block.fields) > 1 and not _goes_on(lines, at + 1):
                return block
        elif role and wrapped < _WRAPPED:
            wrapped += 1
            block.fields[role] = f"{block.fields[role]} {line.strip()}"[:LINE_CHARS]
            block.end = at + 1
        else:
            return block
    return block


def _goes_on(lines: list[str], at: int) -> bool:
    return at < len(lines) and bool(name_label(lines[at]))


def _read_sender(value: str) -> Address:
    """Name and address as programs print them: "Jean <j@x>", "Jean [mailto:j@x]", "j@x (Jean)"."""
    found = ADDRESS.search(value.replace("mailto:", " "))
    address = found[0].lower() if found else ""
    name = value.partition("<")[0].partition("[")[0]
    if "@" in name:
        name = value.partition("(")[2].partition(")")[0]
    return Address(" ".join(name.strip(" \t\"'*_,;\xa0").split()), address)
