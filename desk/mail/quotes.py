"""What a person wrote now, told from what their mail program quotes. When in doubt, more is kept.

Written here because mail-parser-reply takes quadratic time on hostile text (10 s on 28 KB) and cuts at
"Cordialement"; every pattern below looks at a few short lines only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile

_LINE_CHARS = 500  # a longer line is never a mark
_SPAN = 3  # lines over which an attribution may be broken
_BLOCK = 8  # lines within which a header block shows
_SIGNATURE_LINES = 12

_VERBS = (
    r"a [ée]crit|écrivait|wrote|writes|geschreven|schrieb|escribi[óo]|ha scritto|schreef|escreveu|skrev|"
    r"napisał\(?a?\)?|napsal\(a\)|kirjoitti|написал\(?а?\)?"
)
_WROTE = re.compile(
    rf"(?<!['’])(?<!vous )(?<!you )\b(?:{_VERBS})\b.{{0,120}}:\Z",
    re.IGNORECASE,
)
_WRITER = re.compile(r"\d|@|\A[^,]{2,40}\Z")  # a date, an address or a bare name before the verb
_OPENING = re.compile(
    r"\s*(?:le|on|am|el|il|op|em|den|dnia|dne|w dniu|pe|\d{4}-\d\d-\d\d)\b.{0,200}\d",
    re.IGNORECASE,
)
_PROOF = re.compile(r"@|\b\d{1,2} ?[:hH] ?\d{2}\b")
_DATED_ADDRESS = re.compile(r"\d{4}[-/]\d\d[-/]\d\d .{0,60}<\s?[^<>\s]{1,100}@[^<>\s]{1,200}>:")

_ORIGINAL = re.compile(
    r"[-_=*]{2,}\s?(?:original (?:message|e-?mail|appointment)|message d['’]origine|message original|"
    r"e-?mail d['’]origine|ursprüngliche nachricht|mensaje original|messaggio originale|"
    r"oorspronkelijk bericht|mensagem original|oprindelig besked|reply (?:above|below) this line)\s?[-_=*]{2,}",
    re.IGNORECASE,
)
_REPLY_LINE = re.compile(r"##-.{1,200}-##")  # "write above this line", as help desks print it
_FORWARDED = re.compile(
    r"[-_=*>\s]{0,20}(?:(?:begin )?forwarded message|(?:début du )?message (?:transféré|réexpédié)|"
    r"weitergeleitete nachricht|mensaje reenviado)\s?:?\s?[-_=*]{0,20}(?:\s.{0,60})?:?",
    re.IGNORECASE,
)
_FROM_LABEL = re.compile(r"[\s*_>|]{0,6}(?:from|de|von|da|van|exp[ée]diteur)\s?[*_]{0,2}\s?:", re.IGNORECASE)
_LABEL = re.compile(
    r"[\s*_>|]{0,6}(?:sent|envoyée?(?: le)?|date|to|à|a|pour|destinataires?|message du|copie [àa]|objet|sujet|"
    r"subject|cc|gesendet|an|betreff|datum|enviado(?: el)?|para|asunto|inviato|oggetto|verzonden|aan|"
    r"onderwerp)\s?[*_]{0,2}\s?:",
    re.IGNORECASE,
)
_RULE = re.compile(r"\s*[-_=*‐–—]{3,}\s*")
_MOBILE = re.compile(
    r"\W{0,3}(?:envoyé (?:de(?:puis)?|à partir de|avec)|sent (?:from|with)|get outlook for|"
    r"(?:télécharge[rz]|obtenez) outlook|gesendet (?:von|mit)|sendt fra|enviado desde)\b.{0,120}",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Text:
    """A body by lines; `reply` tells that the mail answers another."""

    lines: tuple[str, ...]
    reply: bool

    def __getitem__(self, at: int) -> str:
        return self.lines[at] if 0 <= at < len(self.lines) else ""

    def next_written(self, at: int) -> str:
        """First line from `at` on that is not blank."""
        return next((line for line in self.lines[at : at + 5] if line.strip()), "")


@dataclass(frozen=True, slots=True)
class Mark:
    """A row of the table: `span` says how many lines at a place are this mark, 0 for none."""

    name: str
    span: Callable[[Text, int], int]
    ends: bool  # everything from here on is left out
    keeps: bool = False  # everything from here on is kept as it is


def cut_quotes(text: str, *, reply: bool = True, whole: str = "") -> str:
    """What was written now; `whole`, or else the text, when nothing would be left.

    `reply` tells that the mail answers another: only then are ">" lines anything but the writer's own.
    """
    return _trim_end(_keep_lines(Text(tuple(text.split("\n")), reply))) or (whole or text).strip()


def _keep_lines(text: Text) -> list[str]:
    kept: list[str] = []
    at = 0
    while at < len(text.lines):
        mark, span = _find_mark(text, at)
        if mark is None:
            kept.append(text[at])
        elif mark.keeps:
            return kept + list(text.lines[at:])
        elif mark.ends:
            return kept
        at += span
    return kept


def _find_mark(text: Text, at: int) -> tuple[Mark | None, int]:
    for mark in MARKS:
        if span := mark.span(text, at):
            return mark, span
    return None, 1


def _span_attribution(text: Text, at: int) -> int:
    """How many lines an attribution ("Le … a écrit :") takes that begins here."""
    lines = tuple(takewhile(_may_attribute, text.lines[at : at + _SPAN]))
    for span in range(1, len(lines) + 1):
        if _is_attribution(" ".join(lines[:span])):
            # What begins further down is not the attribution's, but the writer's own.
            return 0 if any(_OPENING.match(line) for line in lines[1:span]) else span
    return 0


def _may_attribute(line: str) -> bool:
    return bool(line.strip()) and len(line) <= _LINE_CHARS and not _is_quoted(line)


def _is_attribution(joined: str) -> bool:
    wrote = _WROTE.search(joined.rstrip())
    if wrote and _WRITER.search(joined[: wrote.start()]):
        return True
    return bool(_DATED_ADDRESS.fullmatch(joined.strip()))


def _span_quoted_attribution(text: Text, at: int) -> int:
    span = _span_attribution(text, at)
    return span if span and _is_quoted(text.next_written(at + span)) else 0


def _span_proven_attribution(text: Text, at: int) -> int:
    span = _span_attribution(text, at)
    joined = " ".join(text.lines[at : at + span])
    return span if _PROOF.search(joined) else 0


def _span_block(text: Text, at: int) -> int:
    """A header block as Outlook prints it: From and at least two other labels."""
    block = [line for line in text.lines[at : at + _BLOCK] if len(line) <= _LINE_CHARS]
    if not (_LABEL.match(text[at]) or _FROM_LABEL.match(text[at])):
        return 0
    others = sum(bool(_LABEL.match(line)) for line in block)
    return int(others >= 2 and any(_FROM_LABEL.match(line) for line in block))


def _span_quote(text: Text, at: int) -> int:
    return int(text.reply and _is_quoted(text[at]))


def _span_signature(text: Text, at: int) -> int:
    rest = [line for line in text.lines[at + 1 : at + 50] if line.strip()]
    return int(text[at].rstrip() == "--" and len(rest) <= _SIGNATURE_LINES)


def _match_line(pattern: re.Pattern[str]) -> Callable[[Text, int], int]:
    def span_line(text: Text, at: int) -> int:
        line = text[at].strip()
        return int(len(line) <= _LINE_CHARS and bool(pattern.fullmatch(line)))

    return span_line


MARKS = (
    Mark("forwarded", _match_line(_FORWARDED), ends=False, keeps=True),
    Mark("reply line", _match_line(_REPLY_LINE), ends=True),
    Mark("original", _match_line(_ORIGINAL), ends=True),
    Mark("header block", _span_block, ends=True),
    Mark("attribution of quoted lines", _span_quoted_attribution, ends=False),
    Mark("attribution with proof", _span_proven_attribution, ends=True),
    Mark("quoted line", _span_quote, ends=False),
    Mark("signature", _span_signature, ends=True),
)


def _is_quoted(line: str) -> bool:
    return line.lstrip().startswith((">", "|>")) and not line.startswith(">From ")  # mbox writes ">From "


def _trim_end(lines: list[str]) -> str:
    end = len(lines)
    while end and _is_idle(lines[end - 1]):
        end -= 1
    return "\n".join(lines[:end]).strip()


def _is_idle(line: str) -> bool:
    return not line.strip() or any(pattern.fullmatch(line.strip()) for pattern in (_RULE, _MOBILE))
