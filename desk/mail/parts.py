"""A mail taken apart (RFC 2045 to 2049, RFC 2183): its parts as places in its bytes, within bounds.

Written here because the standard library's parser goes line by line, at a tenth of the speed, and takes quadratic
time or a Python stack for what a hostile mail can hold.
"""

from __future__ import annotations

import re
from binascii import Error as BinasciiError
from binascii import a2b_base64, a2b_qp, a2b_uu
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from desk.mail.fields import split_field
from desk.mail.headers import Headers, decode_words, read_headers
from desk.mail.repairs import split_head

_MAX_PARTS = 1_000
_MAX_DEPTH = 100
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")
_FIELD_LINE = re.compile(rb"[!-9;-~]{1,60}[ \t]?:")
_WORDS = re.compile(rb"[\t\n\r -~\x80-\xff]{1,100000}")
_MISLABELLED = re.compile(r"(?:image|audio|video|plain|unknown)/|text/(?!calendar|x?-?vcard|directory)")
_TEXTS = ("text/plain", "text/html")
_PADDING = re.compile(rb"=+")
_NO_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_UUENCODED = frozenset({"x-uuencode", "uuencode", "uue", "x-uue"})
_PLAIN = frozenset({"", "7bit", "8bit", "binary"})
# Where a boundary is not named, or not the one that is used: a delimiter is what stands above a part's header.
_LIKELY = re.compile(rb"(?im)^--([^\r\n]{1,70}?)[ \t]*\r?\ncontent-[a-z-]{1,30}[ \t]?:")
# What a report tells other programs (RFC 6522): neither text for a reader nor a file.
_REPORTED = frozenset(
    {
        "message/delivery-status",
        "message/global-delivery-status",
        "message/disposition-notification",
        "message/global-disposition-notification",
        "message/feedback-report",
        "message/global-headers",
        "text/rfc822-headers",
    }
)
MAILS = frozenset({"message/rfc822", "message/global", "message/news"})  # RFC 2046 §5.2.1, RFC 6532


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a mail, or the mail itself; its body lies undecoded between `start` and `end` of `raw`."""

    headers: Headers
    content_type: str  # "type/subtype", lower case; text/plain when missing or unfit (RFC 2045 §5.2)
    params: dict[str, str]
    raw: bytes = field(repr=False)
    start: int
    end: int
    parts: tuple[Part, ...] = ()  # of a multipart; of an attached mail that mail alone
    flaws: tuple[str, ...] = ()

    @property
    def is_multipart(self) -> bool:
        return bool(self.parts) and self.content_type.startswith("multipart/")

    @property
    def disposition(self) -> str:
        """`inline`, `attachment`, another word or nothing (RFC 2183)."""
        value = self.headers.first("content-disposition")
        return split_field(value)[0] if value else ""

    @property
    def encoding(self) -> str:
        """The content-transfer-encoding, lower case."""
        value = self.headers.first("content-transfer-encoding")
        return value.partition(";")[0].strip().strip('"').lower() if value else ""

    def read_content(self) -> bytes:
        """The body, its transfer encoding undone; of an attached mail, that mail."""
        return decode_transfer(self.raw[self.start : self.end], self.encoding)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part without parts of its own. `group` numbers the multipart/alternative around it; 0: none."""

    part: Part
    content_type: str
    group: int
    attached: bool
    related: bool = False  # within a multipart/related (RFC 2387)


@dataclass(slots=True)
class _Budget:
    """How many parts may still be made; fifty megabytes of empty parts would take gigabytes."""

    left: int = _MAX_PARTS


def parse_parts(raw: bytes) -> Part:
    """The mail in `raw`, taken apart. Never raises; what is nested or split beyond reason stays in one piece."""
    return _read_part(raw, 0, len(raw), depth=0, budget=_Budget())


def list_leaves(mail: Part) -> tuple[Leaf, ...]:
    """All leaves, first to last; an attached mail is one leaf."""
    leaves = tuple(_walk_parts(mail, group=0, related=False, reported=False))
    if any(leaf.content_type in _TEXTS and not leaf.attached for leaf in leaves):
        return leaves
    return tuple(_show_text(leaf) for leaf in leaves)


def list_parts(mail: Part) -> Iterator[Part]:
    """The mail and all its parts, those of attached mails left out."""
    yield mail
    if mail.is_multipart:
        for part in mail.parts:
            yield from list_parts(part)


def read_name(part: Part) -> str:
    """The name a part claims, decoded (RFC 2183, RFC 2231, RFC 2047), not yet safe; empty when there is none."""
    disposed = part.headers.first("content-disposition")
    named = split_field(disposed)[1].get("filename", "") if disposed else ""
    return decode_words(named or part.params.get("name", ""))


def decode_transfer(body: bytes, encoding: str) -> bytes:
    """`body` with its content-transfer-encoding undone (RFC 2045 §6); what is damaged is decoded as far as it goes."""
    if encoding in _PLAIN:
        return body
    if encoding == "quoted-printable":
        return a2b_qp(body)
    if encoding == "base64":
        return _decode_base64(body)
    return _decode_uu(body) if encoding in _UUENCODED else body


def _read_part(raw: bytes, start: int, end: int, depth: int, budget: _Budget, default: str = "text/plain") -> Part:
    head, body = split_head(raw, start, end)
    headers = read_headers(head)
    value, params = split_field(headers.first("content-type"))
    content_type = value if _TYPE.fullmatch(value) else _mend_type(value, default)
    composite = content_type.startswith("multipart/") or content_type in MAILS
    if not composite:
        return Part(headers, content_type, params, raw, body, end)
    if depth >= _MAX_DEPTH or budget.left <= 0:
        return Part(headers, "application/octet-stream", params, raw, body, end, flaws=("nested-too-deep",))
    part = Part(headers, content_type, params, raw, body, end)
    parts, flaws = _open_mail(part, depth, budget) if content_type in MAILS else _split_parts(part, depth, budget)
    return Part(headers, content_type, params, raw, body, end, parts, flaws)


def _mend_type(value: str, default: str) -> str:
    """Old programs write a type alone: "text" for plain text (RFC 1049)."""
    return default if not value else "text/plain"


def _open_mail(part: Part, depth: int, budget: _Budget) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    budget.left -= 1
    if part.encoding in _PLAIN:
        return (_read_part(part.raw, part.start, part.end, depth + 1, budget),), ()
    content = part.read_content()  # RFC 2046 §5.2.1 forbids it, Exchange does it
    return (_read_part(content, 0, len(content), depth + 1, budget),), ()


def _split_parts(part: Part, depth: int, budget: _Budget) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    boundary = part.params.get("boundary", "").rstrip().encode("utf-8", "replace")
    places, closed = _find_places(part, boundary) if boundary else ([], False)
    flaws = () if closed else ("multipart-unclosed",)
    if not places:
        likely = _LIKELY.search(part.raw, part.start, part.end)
        places, closed = _find_places(part, likely[1]) if likely else ([], False)
        flaws = ("boundary-missing",)
    if len(places) > budget.left:
        places, flaws = places[: budget.left], (*flaws, "parts-left-out")
    budget.left -= len(places)
    default = "message/rfc822" if part.content_type == "multipart/digest" else "text/plain"  # RFC 2046 §5.1.5
    return tuple(_read_part(part.raw, *place, depth + 1, budget, default) for place in places), flaws


def _find_places(part: Part, boundary: bytes) -> tuple[list[tuple[int, int]], bool]:
    """Where the parts lie between their delimiter lines, and whether the closing one came (RFC 2046 §5.1.1)."""
    raw, delimiter = part.raw, b"--" + boundary
    begins: list[int] = []
    places: list[tuple[int, int]] = []
    at = raw.find(delimiter, part.start, part.end)
    while at >= 0:
        after = at + len(delimiter)
        line_end = _end_line(raw, after, part.end)
        rest = raw[after:line_end].strip(b" \t\r\n") if line_end - after < 100 else b"x"
        if rest in (b"", b"--") and (at == part.start or raw[at - 1 : at] == b"\n"):
            if begins:
                places.append((begins[-1], max(begins[-1], _strip_break(raw, at))))
            if rest:
                return places, True
            begins.append(line_end)
            if len(places) > _MAX_PARTS:
                return places, False
        at = raw.find(delimiter, after, part.end)
    if begins and begins[-1] < part.end:
        places.append((begins[-1], part.end))
    return places, False


def _end_line(raw: bytes, at: int, end: int) -> int:
    found = raw.find(b"\n", at, end)
    return end if found < 0 else found + 1


def _strip_break(raw: bytes, at: int) -> int:
    """The line break before a delimiter belongs to the delimiter."""
    at -= raw[at - 1 : at] == b"\n"
    return at - (raw[at - 1 : at] == b"\r")


def _walk_parts(part: Part, group: int, related: bool, reported: bool) -> Iterator[Leaf]:
    if not part.is_multipart:
        yield _make_leaf(part, group, related, reported)
        return
    inner = id(part) if part.content_type == "multipart/alternative" else group
    related = related or part.content_type == "multipart/related"
    for child in part.parts:
        yield from _walk_parts(child, inner, related, part.content_type == "multipart/report")


def _make_leaf(part: Part, group: int, related: bool, reported: bool) -> Leaf:
    content_type = part.content_type
    if content_type.startswith("multipart/") or _is_prose(part):
        content_type = "text/plain"  # a multipart whose boundary is missing: what is there is text
    machine = reported and content_type in _REPORTED
    bodily = content_type in _TEXTS and not read_name(part)
    attached = not (bodily or machine) or part.disposition == "attachment"
    return Leaf(part, content_type, group, attached, related)


def _show_text(leaf: Leaf) -> Leaf:
    """In a mail that has no text, a nameless part of whatever type that holds words is the text (self-made mailers)."""
    part = leaf.part
    if not _MISLABELLED.match(leaf.content_type) or read_name(part) or part.disposition == "attachment":
        return leaf
    return Leaf(part, "text/plain", leaf.group, attached=False) if _WORDS.fullmatch(part.read_content()) else leaf


def _is_prose(part: Part) -> bool:
    """InterMail labels its explanation a delivery status; a status has fields (RFC 3464 §2.1)."""
    if part.content_type != "message/delivery-status":
        return False
    first, _, _ = part.raw[part.start : part.end].lstrip().partition(b"\n")
    return bool(first) and not _FIELD_LINE.match(first)


def _decode_base64(body: bytes) -> bytes:
    """Whatever letters of the alphabet there are; programs join encoded pieces, each with its own padding."""
    padding = body.find(b"=")
    if padding < 0 or not body[padding:].strip(b"=\r\n\t "):
        return _decode_letters(body)
    return b"".join(_decode_letters(piece) for piece in _PADDING.split(body) if not piece.isspace())


def _decode_letters(piece: bytes) -> bytes:
    with suppress(BinasciiError):
        return a2b_base64(piece + b"==")
    letters = _NO_BASE64.sub(b"", piece)
    cut = letters[: len(letters) - (len(letters) % 4 == 1)]  # one letter alone holds six bits of a byte
    return a2b_base64(cut + b"==")


def _decode_uu(body: bytes) -> bytes:
    lines = iter(body.splitlines())
    for line in lines:
        if line.startswith(b"begin "):
            break
    pieces: list[bytes] = []
    for line in lines:
        if line.strip() in (b"end", b"`"):
            break
        with suppress(BinasciiError):
            pieces.append(a2b_uu(line))
    return b"".join(pieces)
