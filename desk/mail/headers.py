"""Header fields of a mail as clean text (RFC 5322 §3, RFC 2047), tolerant of what really comes."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from desk.mail.charsets import clean_line, clean_text, decode_bytes
from desk.mail.values import Address

_VALUE_BYTES = 50_000  # of one field; RFC 5322 allows 998 a line, real To fields reach some thousands
_MAX_FIELDS = 1_000
_WORDS_CHARS = 5_000  # within which encoded words are looked for
_MAX_ADDRESSES = 1_000
_MAX_REFERENCES = 100

_WORD = re.compile(r"=\?([\w.:+-]{1,40})(?:\*[\w-]{0,20})?\?([bBqQ])\?((?:[^?]|\?(?!=)){0,2000})(?:\?=|\Z)")
_WORD_GAP = re.compile(r"(?<=\?=)\s{1,200}(?==\?)")
# Every repetition is bounded: a hostile field must not take quadratic time.
_ADDRESS_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.){0,1000}"|\((?:[^()\\]|\\.){0,1000}\)|<[^<>]{0,1000}>|[^",;(<]+|.', re.DOTALL
)
_ADDRESS = re.compile(r"[^\s<>@\"(),:;\\\[\]]{1,100}@[^\s<>@\"'(),:;\\\[\]]{1,255}")
_MOJIBAKE = re.compile("[\u00c2-\u00c5\u00e2][\u0080-\u00bf\u20ac\u201a-\u203a\u0152-\u017e\u02c6\u02dc\u2122]")
_REFERENCE = re.compile(r"<([^<>]{1,990})>")
# A space before the colon is obsolete and still comes (RFC 5322 §4.5).
_FIELD = re.compile(rb"(?m)^([!-9;-~]{1,200})[ \t]{0,8}:([^\n]*(?:\n[ \t][^\n]*)*)")


@dataclass(frozen=True, slots=True)
class Headers:
    """Fields by lower-cased name, topmost first, as they came; most are never asked for, so none is decoded before."""

    fields: Mapping[str, Sequence[bytes]]

    def first(self, name: str) -> str:
        """Topmost value of a field, unfolded, 8-bit bytes decoded, encoded words not; empty when there is none."""
        values = self.fields.get(name.lower())
        return _unfold_value(values[0]) if values else ""

    def every(self, name: str) -> tuple[str, ...]:
        """All values of a field, topmost first."""
        values = self.fields.get(name.lower())
        return tuple(map(_unfold_value, values)) if values else ()

    def __contains__(self, name: str) -> bool:
        return name in self.fields


def read_headers(head: bytes) -> Headers:
    """Fields of a header part; lines that are none are passed over."""
    fields: dict[str, list[bytes]] = {}
    for name, value in _FIELD.findall(head)[:_MAX_FIELDS]:
        fields.setdefault(name.decode("ascii").lower(), []).append(value[:_VALUE_BYTES])
    return Headers(fields)


def decode_words(value: str) -> str:
    """One clean line with RFC 2047 encoded words decoded; words cut within a letter are joined first."""
    if "=?" not in value:
        return clean_line(value[:_WORDS_CHARS])
    source = _WORD_GAP.sub("", value[:_WORDS_CHARS])
    pieces: list[str] = []
    end, pending, pending_charset = 0, b"", ""
    for match in _WORD.finditer(source):
        charset, data = match[1].lower(), _decode_word(match[2], match[3])
        joins = match.start() == end and charset == pending_charset
        if not joins:
            pieces += decode_bytes(pending, pending_charset), source[end : match.start()]
        pending, pending_charset, end = (pending + data if joins else data), charset, match.end()
    pieces += decode_bytes(pending, pending_charset), source[end:]
    joined = "".join(pieces)
    if "=?" in joined and joined != source:
        return decode_words(joined)  # encoded twice, as some gateways do
    return clean_line(_mend_mojibake(joined))


def _mend_mojibake(text: str) -> str:
    """ "ProblÃ¨me" as it was meant: UTF-8 that a program took for Windows-1252 before it encoded it."""
    if not _MOJIBAKE.search(text):
        return text
    try:
        return text.encode("cp1252").decode("utf-8")
    except ValueError:
        pass
    try:
        return text.encode("latin-1").decode("utf-8")
    except ValueError:
        return text


def read_addresses(values: Iterable[str]) -> tuple[Address, ...]:
    """Mailboxes of address fields (RFC 5322 §3.4); groups are flattened, entries without address dropped."""
    found: list[Address] = []
    for value in values:
        for tokens in _split_addresses(value):
            found += _read_mailboxes(tokens)
    return tuple(dict.fromkeys(found))[:_MAX_ADDRESSES]


def read_ids(values: Iterable[str]) -> tuple[str, ...]:
    """Message-IDs with angle brackets, in order, without repeats; the latest hundred."""
    found = ("".join(match.split()) for value in values for match in _REFERENCE.findall(clean_text(value)))
    return tuple(dict.fromkeys(f"<{one}>" for one in found if one))[-_MAX_REFERENCES:]


def read_message_id(headers: Headers) -> str:
    """The mail's own Message-ID with brackets; those who forget the brackets get them."""
    value = headers.first("message-id")
    bare = clean_line(value).split(" ")[0].strip("<>")[:990]
    return next(iter(read_ids((value,))), f"<{bare}>" if bare else "")


def read_references(headers: Headers) -> tuple[str, ...]:
    """References, then In-Reply-To: oldest first (RFC 5322 §3.6.4)."""
    return read_ids((*headers.every("references"), *headers.every("in-reply-to")))


def read_date(headers: Headers) -> datetime | None:
    """The Date field as aware UTC; None when missing or unparsable. A date without zone counts as UTC."""
    try:
        date = parsedate_to_datetime(clean_line(headers.first("date")))
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _unfold_value(value: bytes) -> str:
    text = decode_bytes(value).replace("\r", "").replace("\n", "").strip()
    return text if text.isprintable() else clean_text(text)


def _decode_word(form: str, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    if form in "qQ":
        return binascii.a2b_qp(data, header=True)
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
    if len(letters) % 4 == 1:
        letters = letters[:-1]  # a cut word: what is whole is kept
    return base64.b64decode(letters + b"==")


def _split_addresses(value: str) -> list[list[str]]:
    entries: list[list[str]] = [[]]
    for piece in _ADDRESS_TOKEN.findall(value):
        # An unquoted "Dupont, Jean <…>" is one entry: a comma only ends one that has an address.
        if piece in ",;" and any("@" in one for one in entries[-1]):
            entries.append([])
        else:
            entries[-1].append(piece)
    return entries


def _read_mailboxes(tokens: list[str]) -> list[Address]:
    angles = [token for token in tokens if token.startswith("<")]
    rest = [token for token in tokens if not token.startswith("<")]
    if angles:
        found = [_find_address(token[1:-1]) for token in angles]
        return [Address(_read_name(rest), one) for one in found if one]
    comments = [token for token in rest if token.startswith("(")]
    address = _find_address("".join(token for token in rest if token not in comments))
    if not address:
        return [Address("", one) for one in map(_find_address, comments) if one]
    return [Address(_read_name(comments), address)]


def _find_address(text: str) -> str:
    match = _ADDRESS.search(clean_line(text))
    return match[0].lower().strip(".'") if match else ""


def _read_name(tokens: list[str]) -> str:
    name = decode_words(" ".join(_strip_marks(token.strip()) for token in tokens)).replace(" ,", ",").strip(' ,;"')
    return name[1:-1].strip() if name[:1] == name[-1:] == "'" else name


def _strip_marks(token: str) -> str:
    """Without the quotes or the parentheses around it, and the backslashes within (RFC 5322 §3.2.2, §3.2.4)."""
    enclosed = token[:1] + token[-1:] in ('""', "()") and len(token) > 1
    return re.sub(r"\\(.)", r"\1", token[1:-1] if enclosed else token)
