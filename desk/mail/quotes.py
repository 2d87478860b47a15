"""What a person wrote now, told from what their mail program quotes. When in doubt, more is kept.

Written here because mail-parser-reply takes quadratic time on hostile text (10 s on 28 KB) and cuts at
"Cordialement". Lines are looked at once; only those that might be a mark are looked at closely.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from desk.mail.phrases import (
    ADDRESS,
    ANSWERS,
    ARTICLES,
    AUXILIARIES,
    BARE_DATES,
    BELOW,
    CLOCK,
    CONFIDENTIAL,
    FORWARDED,
    LABELS,
    LEGAL,
    LEGAL_OPENING,
    LEGAL_WORDS,
    LINE_CHARS,
    MOBILE,
    OPENINGS,
    ORIGINAL,
    REPLY_LINE,
    REPLY_STARTS,
    TELLERS,
    VERBS,
    WROTE_ENDS,
    name_label,
)
from desk.mail.signatures import find_contacts, is_closing

_SPAN = 6  # lines over which an attribution may be broken
_BLOCK = 14  # lines within which a header block shows
_SIGNATURE_LINES = 12
_ANSWERED_LINES = 40  # of a quotation that is kept with its answer; the nearest ones
_LEGAL_LINES = 60
_LEGAL_CHARS = 5_000
_WRAP_COLUMN = 76  # where programs break lines, quoted or not

_FIRSTS = frozenset(">|-_=*—–#~ \t<\xa0")  # what a mark may begin with; all others have a colon
_RULE = re.compile(r"[-_=*#~+‐–—\s]{2,200}|[—–ᐧ]")  # Streak leaves the last one to be told when a mail is opened
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_BRACKETED = re.compile(r"<[^<>\s]{1,100}@[^<>\s]{1,200}>[^<>]{0,60}[:：]\Z")
# Yahoo, once, and what mails lose on the way: an attribution behind the last words.
_GLUED = re.compile(
    r"(?<=[^\s-])(?:[ \t]{0,3}(?=--- (?:On|Le|Am|El|Il|Op|Em) )|[ \t](?=On [A-Z]\w\w, [A-Z]\w\w \d{1,2}, \d{4} ))"
    r"([^\n]{8,200}:[ \t]{0,5}(?:\n|\Z))"
)
_DRAWN = frozenset("-_=*—#~")
_EDGES = " \t\xa0\u202f*_"


@dataclass(frozen=True, slots=True)
class Written:
    """The text that is new in a mail, and the signature that stood below it, its mark left out."""

    text: str
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A body by lines; `reply` tells that the mail answers another, `first` is the first line that is not blank."""

    lines: Sequence[str]
    reply: bool
    first: int = 0

    def next_written(self, at: int) -> str:
        """First line from `at` on that is not blank, within five."""
        return next((line for line in self.lines[at : at + 5] if line.strip()), "")


@dataclass(frozen=True, slots=True)
class Mark:
    """A program's mark over the lines from `start` to before `stop`."""

    kind: str  # "quote", "attribution", "history", "kept" or "signature"
    start: int
    stop: int


@dataclass(slots=True)
class Piece:
    """Lines of one origin: "own", "quote" or "signature"; a signature's first line is its mark."""

    kind: str
    lines: list[str] = field(default_factory=list)

    def is_written(self) -> bool:
        return any(line.strip(" \t\xa0>|") for line in self.lines)


def cut_quotes(text: str, *, reply: bool = True, whole: str = "") -> str:
    """What was written now; `whole`, or else the text, when nothing would be left.

    `reply` tells that the mail answers another: only then are ">" lines anything but the writer's own.
    """
    return split_text(text, reply=reply, whole=whole).text


def split_text(text: str, *, reply: bool = True, whole: str = "") -> Written:
    """As `cut_quotes`, with the signature that was cut."""
    lines = _split_lines(text)
    first = next((at for at, line in enumerate(lines) if line.strip()), len(lines))
    pieces = _trim_pieces(_read_pieces(Text(lines, reply, first)))
    own = "\n".join(line for piece in _choose_pieces(pieces) for line in piece.lines).strip()
    signatures = ("\n".join(piece.lines[1:]).strip() for piece in pieces if piece.kind == "signature")
    block = next((one for one in signatures if one), "")
    if not own:
        return Written((whole or text).strip(), block)
    if block or not (contacts := find_contacts(own)):
        return Written(own, block)
    return Written(own[: contacts[1]].rstrip(), own[contacts[0] :].strip())


def is_attribution(line: str) -> bool:
    """Whether one line names the writer of what follows ("Le 3 mars à 10:00, Jean a écrit :")."""
    return bool(_find_attribution(Text((line,), True), 0))


# --- from lines to pieces --------------------------------------------------------------------------------------


def _split_lines(text: str) -> list[str]:
    return (_GLUED.sub(r"\n\1", text) if "--- " in text or " wrote:" in text else text).split("\n")


def _read_pieces(text: Text) -> list[Piece]:
    pieces = [Piece("own")]
    at = 0
    for mark in _list_marks(text):
        pieces[-1].lines += text.lines[at : mark.start]
        _add_piece(pieces, mark.kind, list(text.lines[mark.start : mark.stop]))
        at = mark.stop
    pieces[-1].lines += text.lines[at:]
    return pieces


def _add_piece(pieces: list[Piece], kind: str, lines: list[str]) -> None:
    above = pieces[-2] if len(pieces) > 1 and not pieces[-1].is_written() else None
    if kind == "kept":
        pieces[-1].lines += lines
    elif kind == "signature":
        pieces.append(Piece("signature", lines))
    elif kind == "quote" and above and above.kind == "quote":
        above.lines += ["", *lines]
    elif kind == "quote":
        pieces += [Piece("quote", lines), Piece("own")]


def _list_marks(text: Text) -> Iterator[Mark]:
    reached = 0
    for at, line in enumerate(text.lines):
        if at < reached or not (line[:1] in _FIRSTS or ":" in line or "：" in line or line[:5] in REPLY_STARTS):
            continue
        if mark := _find_mark(text, at):
            start = max(mark.start, reached)
            last = mark.stop == len(text.lines) and mark.kind in ("history", "attribution")
            yield Mark("kept" if last and _answers_below(text.lines[:start]) else mark.kind, start, mark.stop)
            reached = mark.stop
            # Whoever names a writer answers one, whatever the header says.
            text = replace(text, reply=True) if mark.kind == "attribution" else text


def _answers_below(lines: Sequence[str]) -> bool:
    """Whether somebody says that they wrote between the lines of what follows, as in Outlook, which marks no line."""
    said = [line for line in lines[:_ANSWERED_LINES] if 12 < len(line) <= LINE_CHARS]
    joined = "\n".join(said).lower()
    if not any(word in joined for word in ANSWERS):
        return False
    return any(
        any(word in line for word in ANSWERS) and any(word in line for word in BELOW) for line in joined.split("\n")
    )


def _find_mark(text: Text, at: int) -> Mark | None:
    line = text.lines[at]
    if not line.strip():
        return None
    finders = _FINDERS if len(line) <= LINE_CHARS else (_find_quote,)
    return next((mark for find in finders if (mark := find(text, at))), None)


def _find_quote(text: Text, at: int) -> Mark | None:
    return Mark("quote", at, _end_quote(text.lines, at)) if text.reply and _is_quoted(text.lines[at]) else None


def _end_quote(lines: Sequence[str], at: int) -> int:
    """Where a run of quoted lines ends; blank ones and wrapped ones between them belong to it."""
    end = at + 1
    while end < len(lines):
        ahead = end + (not lines[end].strip())
        if ahead < len(lines) and _is_quoted(lines[ahead]):
            end = ahead + 1
        elif ahead == end and _is_wrapped(lines, end):
            end += 1
        else:
            return end
    return end


def _is_wrapped(lines: Sequence[str], at: int) -> bool:
    """The rest of a quoted line that was too long for a program on the way (RFC 3676 §4.1)."""
    above, line, below = lines[at - 1], lines[at], lines[at + 1 : at + 2]
    if not below or not _is_quoted(below[0]) or not _is_quoted(above):
        return False
    if above.rfind("<") > above.rfind(">") or (len(line) > 20 and " " not in line.strip()):
        return True  # an address in brackets, or a link
    full = len(above) + 1 + len(line.split(" ")[0]) > _WRAP_COLUMN
    return full and line[:1].islower() and above.rstrip()[-1:] not in ".?!:;"


def _find_rule(text: Text, at: int) -> Mark | None:
    """Marks that a program draws as a line of its own."""
    bare = text.lines[at].strip()
    if _is_quoted(bare):
        return None
    asks = (bare[:5] in REPLY_STARTS or bare[0] in _DRAWN) and REPLY_LINE.fullmatch(bare)
    if asks and text.first < at:
        return Mark("history", at, len(text.lines))
    if not (bare[0] in _DRAWN and bare[1:2] in _DRAWN) and not bare.endswith(":"):
        return None
    if FORWARDED.fullmatch(bare):
        return Mark("kept", at, len(text.lines))  # what is passed on is what the mail is about
    if ORIGINAL.match(bare):
        return Mark("history", at, len(text.lines))
    return Mark("signature", at, at + 1) if bare == "--" else None


def _find_block(text: Text, at: int) -> Mark | None:
    """A header block as Outlook, Zimbra, Notes or a webmail prints it above what is answered."""
    line = text.lines[at]
    if name_label(line) not in ("from", "sent", "date") or (text.reply and _is_quoted(line)):
        return None
    fields = _read_fields(text, at)
    shown = _is_block(fields) and (text.reply or "sent" in fields)
    return Mark("history", at, len(text.lines)) if shown else None


def _read_fields(text: Text, at: int) -> dict[str, str]:
    """Values by role of the labelled lines from `at` on; only people and subjects go on for a line."""
    fields: dict[str, str] = {}
    last = ""
    for line in text.lines[at : at + _BLOCK]:
        role = name_label(line)
        if role:
            fields.setdefault(role, line[:LINE_CHARS])
        elif line.strip() and last not in ("to", "cc", "subject") and not (last == "from" and "@" in line):
            break
        last = role or (last if not line.strip() else "")
    return fields if len(fields) > 1 else _read_words(text.lines[at])


def _read_words(line: str) -> dict[str, str]:
    """The same of a block that was squeezed into one line; it must show an address and a time."""
    if not (ADDRESS.search(line) and CLOCK.search(line)):
        return {}
    words = line.split()
    labels = (before if word == ":" else word[:-1] for before, word in zip(["", *words], words, strict=False)
              if word.endswith(":"))  # fmt: skip
    return {role: line for label in labels if (role := LABELS.get(label.strip("*_").lower()))}


def _is_block(fields: dict[str, str]) -> bool:
    """Programs print a date and, but for Outlook, an address; people who write "De : … À : …" print neither."""
    named = len(fields.keys() - {"cc", "other"})
    addressed = "@" in fields.get("from", "") or "@" in fields.get("to", "")
    if "sent" in fields and "from" in fields:
        return named >= 3 or addressed
    if "date" not in fields or not addressed:
        return False
    return named >= 3 or bool(CLOCK.search(fields["date"]))


# --- attributions ----------------------------------------------------------------------------------------------


def _find_attribution(text: Text, at: int) -> Mark | None:
    bare = text.lines[at].rstrip(_EDGES)
    if BARE_DATES.fullmatch(bare.strip()):
        return _mark_attribution(text, at, at + 1)
    if not bare.endswith((":", "：", "--")) or (_is_quoted(bare) and not _ends_bracket(bare)):
        return None
    ending = " ".join(text.lines[max(at - 2, 0) : at + 1])
    if not _has_verb(ending) and not (
        "@" in ending and CLOCK.search(" ".join(text.lines[max(at - _SPAN, 0) : at + 1]))
    ):
        return None
    starts = list(_list_starts(text, at))
    found = (start for opened in (True, False) for start in starts if _attributes(text, start, at, opened))
    start = next(found, -1)
    return _mark_attribution(text, start, at + 1) if start >= 0 else None


def _mark_attribution(text: Text, start: int, stop: int) -> Mark:
    """With all that follows, unless that is quoted by itself, or nothing would be left."""
    bounded = _is_quoted(text.next_written(stop)) or text.first >= start
    return Mark("attribution", start, stop if bounded else len(text.lines))


def _list_starts(text: Text, at: int) -> Iterator[int]:
    """Lines where an attribution may begin that ends at `at`, nearest first."""
    yield at
    for above in range(at - 1, max(0, at - _SPAN) - 1, -1):
        line, below = text.lines[above], text.lines[above + 1].lstrip()
        if len(line) > LINE_CHARS or _is_quoted(line) or not (line.strip() or below.startswith("<")):
            return
        yield above


def _attributes(text: Text, start: int, end: int, opened: bool) -> bool:
    joined = " ".join(text.lines[start : end + 1]).strip(" \t\xa0\u202f*_-—[")
    words = joined.split()
    if not words or (opened and not _opens(words)):
        return False
    verb = _find_verb(words)
    if verb < 0:
        return _is_dated(joined, opened)
    if not _is_name(words, verb) or not _is_tail(words[verb + 1 :]):
        return False
    quoted = _is_quoted(text.next_written(end + 1))
    if opened:
        return quoted or "@" in joined or bool(CLOCK.search(joined))
    ruled = text.lines[end].startswith("--") and text.lines[end].rstrip().endswith("--")  # Android's
    named = ruled or any("@" in word for word in words[1:verb])
    return named or (quoted and start == end and verb <= 6)


def _opens(words: list[str]) -> bool:
    """A date at the start, with or without "Le", "On", "Am" or a day before it."""
    first = words[0].strip("*_([").lower()
    dated = any(char.isdigit() for word in words[1:9] for char in (word[0], word[-1]))
    if first[:1].isdigit() or (first in OPENINGS and dated):
        return len(first) <= 20 and "@" not in first
    return len(first) <= 12 and len(words) > 1 and words[1][0].isdigit() and first.strip(".,").isalpha()


def _has_verb(text: str) -> bool:
    lowered = text[-LINE_CHARS:].lower().replace(":", " ").replace("-", " ")
    return not VERBS.isdisjoint(lowered.split()) or any(end in lowered for end in WROTE_ENDS)


def _find_verb(words: list[str]) -> int:
    found = (at for at in range(len(words) - 1, -1, -1) if words[at].strip(":：-—*_").lower() in VERBS)
    return next(found, len(words) - 1 if words[-1].rstrip(":：").endswith(WROTE_ENDS) else -1)


def _is_dated(joined: str, opened: bool) -> bool:
    """Gmail in some languages, mail.ru and Tutanota have no verb: a date, a name, an address and a colon."""
    words = joined.rstrip(":： ").split()
    if len(words) > 20 or "@" not in joined or not CLOCK.search(joined):
        return False
    if not opened:
        return bool(_BRACKETED.search(joined) and _YEAR.search(joined))
    return joined.endswith(">:") or ("@" in words[-1] and words[0].lower() not in OPENINGS)


def _is_name(words: list[str], verb: int) -> bool:
    """Whether what goes before the verb may be a name: "you wrote" and "le directeur a écrit" are a person's."""
    last = verb - 1
    while last >= 0 and words[last] in AUXILIARIES:
        last -= 1
    if last < 0 or words[last] in TELLERS:
        return last < 0 and len(words) > verb + 1  # the name follows: "schreef Name:"
    if "@" in words[last]:
        return True
    dated = (at for at in range(last, -1, -1) if words[at].endswith(",") or words[at][-1:].isdigit())
    first = words[next(dated, -1) + 1]
    return first not in ARTICLES and not first.startswith(("l'", "l’"))


def _is_tail(tail: list[str]) -> bool:
    """After the verb: nothing, a date, an address or a name; not "a écrit ceci :"."""
    rest = " ".join(tail).strip(" :：-—*_")
    if not rest or rest[0].isupper() or rest[0] in "\"'<(«":
        return True
    return "@" in rest or bool(CLOCK.search(rest) or _YEAR.search(rest))


def _ends_bracket(bare: str) -> bool:
    """ "> wrote:" below an address that was broken over lines, as Polymail does."""
    return bare.strip("> :") == "" or (
        len(bare) < 30 and any(word.strip(":").lower() in VERBS for word in bare.split())
    )


# Read from top to bottom: the first that finds anything decides.
_FINDERS: tuple[Callable[[Text, int], Mark | None], ...] = (_find_rule, _find_block, _find_attribution, _find_quote)


# --- choosing --------------------------------------------------------------------------------------------------


def _trim_pieces(pieces: list[Piece]) -> list[Piece]:
    last = next((piece for piece in reversed(pieces) if piece.kind == "signature"), None)
    for piece in pieces:
        if piece.kind == "signature" and not _is_signature(piece, piece is last):
            piece.kind = "own"
        if piece.kind == "own":
            piece.lines = _trim_end(piece.lines, int(piece is pieces[0]))
    return pieces


def _is_signature(piece: Piece, last: bool) -> bool:
    """Some people draw "--" between paragraphs; the mark of a signature has a space behind (RFC 3676 §4.3)."""
    written = [line.strip() for line in piece.lines[1:] if line.strip()]
    if len(written) > _SIGNATURE_LINES:
        return False
    asks = any(line.endswith(("?", "!")) for line in written)
    return piece.lines[0].startswith("-- ") or (last and not asks)


def _choose_pieces(pieces: list[Piece]) -> Iterator[Piece]:
    """Own pieces, and the quotations they answer; a mail that stands as a whole above its answer is not one."""
    answered = _count_answered(pieces)
    first = next((piece for piece in pieces if piece.is_written()), None)
    alone = first is not None and first.kind == "quote" and sum(piece.kind == "quote" for piece in pieces) == 1
    seen = 0
    for piece in pieces:
        seen += piece.kind == "quote"
        if piece.kind == "own":
            yield piece
        elif piece.kind == "quote" and seen <= answered and not alone:
            yield Piece("quote", piece.lines[-_ANSWERED_LINES:])


def _count_answered(pieces: list[Piece]) -> int:
    """How many quotations, from the first on, have an answer below; mere regards answer no single one."""
    answered = seen = 0
    for piece in pieces:
        seen += piece.kind == "quote"
        if piece.kind == "own" and piece.is_written() and (answered or not is_closing(piece.lines)):
            answered = seen
    return answered


def _is_quoted(line: str) -> bool:
    first = line[:1]
    if first == ">":
        return not line.startswith(">From ")  # so writes mbox
    return first in (" ", "\t", "|", "\xa0") and line.lstrip().startswith((">", "|>"))


def _trim_end(lines: list[str], least: int) -> list[str]:
    """Without the rules, praises of telephones and legal notices at the end; of notices, `least` lines stay."""
    end = _skip_idle(lines, len(lines))
    start = _find_legal(lines, end, least)
    return lines[: _skip_idle(lines, start)] if start < end else lines[:end]


def _skip_idle(lines: list[str], end: int) -> int:
    while end and _is_idle(lines[end - 1].strip()):
        end -= 1
    return end


def _is_idle(bare: str) -> bool:
    return _is_rule(bare) or (len(bare) < 250 and bool(MOBILE.fullmatch(bare)))


def _find_legal(lines: list[str], end: int, least: int) -> int:
    """Where the legal notices begin that end at `end`; `end` when there are none."""
    found = stop = end
    while stop > 0 and end - stop < _LEGAL_LINES:
        start = _start_paragraph(lines, stop)
        opening = next((at for at in range(max(start, least), stop) if _opens_legal(lines[at:stop])), stop)
        if opening == stop and not _is_legal(lines[start:stop]):
            return found
        found = opening if opening < stop else found
        if opening > start and opening < stop:
            return found  # lines of the writer above, in the same paragraph
        stop = _skip_rules(lines, start)
    return found


def _start_paragraph(lines: list[str], stop: int) -> int:
    at = stop - 1
    while at > 0 and stop - at < _LEGAL_LINES and not _is_rule(lines[at - 1].strip()):
        at -= 1
    return at


def _skip_rules(lines: list[str], stop: int) -> int:
    while stop > 0 and _is_rule(lines[stop - 1].strip()):
        stop -= 1
    return stop


def _opens_legal(paragraph: list[str]) -> bool:
    first = paragraph[0][:LINE_CHARS]
    return bool(LEGAL.match(first)) or (bool(LEGAL_OPENING.match(first)) and _is_legal(paragraph))


def _is_legal(paragraph: list[str]) -> bool:
    """Whether enough is said that lawyers say, and nothing is asked."""
    joined = "\n".join(paragraph)[:_LEGAL_CHARS]
    if len(joined) < 60 or "?" in joined:
        return False
    lowered = joined.lower()
    return any(word in lowered for word in CONFIDENTIAL) and sum(word in lowered for word in LEGAL_WORDS) >= 2


def _is_rule(bare: str) -> bool:
    return not bare or bool(_RULE.fullmatch(bare))
