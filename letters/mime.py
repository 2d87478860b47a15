"""MIME written by hand (RFC 5322, 2045–2047, 2231): the standard library folds a letter's headers in milliseconds.

Every line ends with CRLF and is ASCII, but for a recipient beyond it; every header is checked to be, and no part can
hold a boundary.
"""

from __future__ import annotations

import re
from base64 import b64encode, encodebytes
from binascii import b2a_qp
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from urllib.parse import quote

from desk.errors import ConfigurationError

LINE = 76  # characters; RFC 5322 §2.1.1 asks for 78, RFC 2047 §2 for 76 where words are encoded
WIDEST_LINE = 998  # RFC 5322 §2.1.1, for what can't be folded
LONG_WORD = 60  # an ASCII word that long is encoded, so that it can be cut

# Characters within an encoded word, beside "=?utf-8?q?" and "?=": both fit on the line of the longest name, Reply-To.
_ROOM_Q = 54
_ROOM_B = 39  # bytes: thirteen groups of four characters

_PLAIN_IN_WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")  # RFC 2047 §5 (3)
_ATOMS = re.compile(r"[A-Za-z0-9 !#$%&'*+/=?^_`{|}~-]*")
_QUOTED = re.compile(r'([\\"])')
_OVERHANG = re.compile(rb"(=20|=09)(?=\n)(?<=[^\n]{77})")


# --- headers -----------------------------------------------------------------------------------------------


def write_header(name: str, words: Sequence[str], *, utf8: bool = False) -> str:
    """A header with its CRLF, folded between `words` and nowhere else.

    ConfigurationError for anything but printable ASCII (with `utf8`: printable, RFC 6532), so that no value can end its
    line, and for a word that no line can hold; the value is not told.
    """
    line = f"{name}: {' '.join(words)}"
    if not ((utf8 or line.isascii()) and line.isprintable()):
        raise ConfigurationError(f"the header {name} of a letter is not printable ASCII")
    return f"{line if len(line) <= LINE else _fold_line(name, words)}\r\n"


def _fold_line(name: str, words: Sequence[str]) -> str:
    lines = [f"{name}: {words[0]}"]  # a first line without a word would be lost on some readers
    for word in words[1:]:
        if len(lines[-1]) + len(word) < LINE:
            lines[-1] += f" {word}"
        else:
            lines.append(f" {word}")
    if max(map(len, lines)) > WIDEST_LINE:
        raise ConfigurationError(f"the header {name} of a letter is too long for a line")
    return "\r\n".join(lines)


def write_words(text: str) -> list[str]:
    """One line of `text` as the words of a header: as they are, or encoded (RFC 2047)."""
    return text.split(" ") if _is_plain(text) else _encode_words(text)


def write_phrase(name: str) -> list[str]:
    """A display name as the words of a header: as they are, quoted (RFC 5322 §3.2.5) or encoded; none when empty."""
    if not _is_plain(name):
        return _encode_words(name)
    if _ATOMS.fullmatch(name):
        return name.split()
    return '"{}"'.format(_QUOTED.sub(r"\\\1", name)).split(" ")


def _is_plain(text: str) -> bool:
    """Short ASCII words that do not look encoded already: a reader would decode those (RFC 2047 §6.1)."""
    return text.isascii() and "=?" not in text and all(len(word) < LONG_WORD for word in text.split())


def _encode_words(text: str) -> list[str]:
    """Encoded words of at most 66 characters, in the shorter of both codes, cut between characters (RFC 2047 §5)."""
    quoted, sizes = [_quote_letter(each) for each in text], [len(each.encode()) for each in text]
    if sum(map(len, quoted)) <= sum(sizes) * 4 / 3:
        return [f"=?utf-8?q?{''.join(piece)}?=" for piece in _cut_pieces(quoted, map(len, quoted), _ROOM_Q)]
    pieces = _cut_pieces(text, sizes, _ROOM_B)
    return [f"=?utf-8?b?{b64encode(''.join(piece).encode()).decode()}?=" for piece in pieces]


@lru_cache(4096)
def _quote_letter(letter: str) -> str:
    if letter in _PLAIN_IN_WORD:
        return letter
    return "_" if letter == " " else "".join(f"={byte:02X}" for byte in letter.encode())


def _cut_pieces(letters: Sequence[str], sizes: Iterable[int], room: int) -> Iterator[Sequence[str]]:
    """`letters` in pieces whose `sizes` stay within `room`."""
    start = filled = 0
    for at, size in enumerate(sizes):
        if filled + size > room:
            yield letters[start:at]
            start, filled = at, 0
        filled += size
    yield letters[start:]


# --- parts -------------------------------------------------------------------------------------------------


def write_text(subtype: str, text: str) -> bytes:
    """A text part in utf-8, its last line ended: quoted-printable, or base64 for a script that this would double."""
    content_type = f'text/{subtype}; charset="utf-8"'
    lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").encode("utf-8", "replace") + b"\n"
    quoted = _OVERHANG.sub(rb"=\n\1", b2a_qp(lines)).replace(b"\n", b"\r\n")  # it codes a last space beyond 76
    if len(quoted) <= len(lines) * 2:
        return _join_part(content_type, "quoted-printable", quoted)
    return _join_part(content_type, "base64", _encode_bytes(lines.replace(b"\n", b"\r\n")))


def write_file(name: str, content_type: str, data: bytes, place: str, cid: str = "") -> bytes:
    """A file in base64; `place` is attachment or inline, `cid` the Content-ID of the latter without brackets."""
    more = write_header("Content-Disposition", [f"{place};", *_name_file(name)])
    if cid:
        more += write_header("Content-ID", [f"<{cid}>"])
    return _join_part(content_type, "base64", _encode_bytes(data), more)


def join_parts(kind: str, token: str, parts: Sequence[bytes]) -> bytes:
    """multipart/`kind` of `parts`; `token` is what makes a mail's boundaries its own.

    `=_` stands in no line of quoted-printable and none of base64 (RFC 2045 §6.7), `kind` tells nested ones apart.
    """
    boundary = f"=_{kind}_{token}"
    head = write_header("Content-Type", [f"multipart/{kind};", f'boundary="{boundary}"'])
    opening = f"\r\n--{boundary}\r\n".encode()
    return b"".join([head.encode(), *(opening + part for part in parts), f"\r\n--{boundary}--\r\n".encode()])


def _join_part(content_type: str, coding: str, body: bytes, more: str = "") -> bytes:
    about = write_header("Content-Type", content_type.split(" "))
    return f"{about}Content-Transfer-Encoding: {coding}\r\n{more}\r\n".encode() + body


def _encode_bytes(data: bytes) -> bytes:
    return encodebytes(data).replace(b"\n", b"\r\n")


def _name_file(name: str) -> list[str]:
    """The parameter `filename`, without `"` and `\\` in it: quoted, or percent-coded and in pieces (RFC 2231 §4)."""
    if name.isascii() and len(name) < LONG_WORD:
        return [f'filename="{name}"']
    coded = [quote(each, safe="") for each in name]
    pieces = ["".join(piece) for piece in _cut_pieces(coded, map(len, coded), LONG_WORD - 10)]
    if len(pieces) == 1:
        return [f"filename*=utf-8''{pieces[0]}"]
    marks = ["utf-8''", *[""] * len(pieces)]
    last = len(pieces) - 1
    return [f"filename*{at}*={marks[at]}{each}{'' if at == last else ';'}" for at, each in enumerate(pieces)]
