"""Text of Rich Text Format, plain or compressed: what Outlook puts in a winmail.dat (MS-OXRTFCP, RTF 1.9.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from desk.mail.charsets import clean_text, find_codec

_MOST_BYTES = 500_000  # of unpacked RTF; its text is a fraction of that
_MOST_DEPTH = 200

# MS-OXRTFCP §2.2.2.1: what the dictionary holds before the first byte.
_DICTIONARY = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor "
    rb"MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
_WINDOW = 4_096
_COMPRESSED, _STORED = b"LZFu", b"MELA"

_TOKEN = re.compile(
    rb"\\([a-z]{1,32})(-?\d{1,9})? ?|\\'([0-9a-fA-F]{2})|\\([^a-z])|([{}])|([^\\{}\r\n]+)|[\r\n]+|\\", re.DOTALL
)
_SIGNS = {
    b"par": "\n", b"line": "\n", b"row": "\n", b"sect": "\n", b"page": "\n", b"tab": "\t", b"cell": "\t",
    b"lquote": "‘", b"rquote": "’", b"ldblquote": "“", b"rdblquote": "”", b"bullet": "•", b"endash": "–",
    b"emdash": "—", b"emspace": " ", b"enspace": " ",
}  # fmt: skip
_SYMBOLS = {b"~": " ", b"_": "-", b"\\": "\\", b"{": "{", b"}": "}", b"\n": "\n", b"\r": "\n"}
_HIDDEN = frozenset(
    b"colortbl datafield fldinst fonttbl footer footnote generator header info listtable object pict stylesheet "
    b"themedata xmlnstbl".split()
)


@dataclass(slots=True)
class _Group:
    """What holds between two braces."""

    hidden: bool = False
    skip: int = 1  # characters that stand in for one of Unicode (\\uc)


@dataclass(slots=True)
class _Reader:
    codec: str = "cp1252"
    groups: list[_Group] = field(default_factory=lambda: [_Group()])
    pieces: list[str] = field(default_factory=list)
    letters: bytearray = field(default_factory=bytearray)  # not yet decoded: one letter may be two escapes
    skipped: int = 0  # stand-ins still to be left out

    @property
    def group(self) -> _Group:
        return self.groups[-1]


def read_rtf(packed: bytes) -> str:
    """The text, paragraphs as lines; empty when it is no RTF. Never raises; reads the first half megabyte."""
    page = unpack_rtf(packed)
    if not page.startswith(b"{\\rtf"):
        return ""
    reader, position = _Reader(), 0
    while found := _TOKEN.match(page, position):
        position = found.end() + _read_token(reader, found)
    _add_sign(reader, "")
    text = "".join(reader.pieces).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return clean_text(text).strip()


def unpack_rtf(packed: bytes) -> bytes:
    """MS-OXRTFCP §3.1.3; what is not compressed is handed back, what breaks off as far as it goes."""
    if packed[8:12] == _STORED:
        return packed[16:][:_MOST_BYTES]
    return _unpack_runs(packed[16:]) if packed[8:12] == _COMPRESSED else packed[:_MOST_BYTES]


def _unpack_runs(packed: bytes) -> bytes:
    """Eight tokens after each byte of flags: a byte, or a place in the window (12 bits) and a length (4 bits)."""
    out, position, start = bytearray(_DICTIONARY), 0, len(_DICTIONARY)
    while position < len(packed) and len(out) < _MOST_BYTES:
        flags, position = packed[position], position + 1
        for bit in range(8):
            taken = _unpack_token(out, packed, position, bool(flags >> bit & 1))
            if not taken:
                return bytes(out[start:])
            position += taken
    return bytes(out[start:])


def _unpack_token(out: bytearray, packed: bytes, position: int, is_run: bool) -> int:
    """Bytes taken from `packed`; 0 at the end."""
    token = packed[position : position + 1 + is_run]
    if len(token) <= is_run:
        return 0
    if not is_run:
        out += token
        return 1
    offset, length = token[0] << 4 | token[1] >> 4, (token[1] & 0x0F) + 2
    back = (len(out) - offset) % _WINDOW
    start = len(out) - back
    if back == 0 or start < 0:  # the place that is written next is the end mark; one never written is damage
        return 0
    piece = bytes(out[start : start + length])
    out += (piece * length)[:length]  # a run may reach into what it writes
    return 2


def _read_token(reader: _Reader, found: re.Match[bytes]) -> int:
    """Bytes to leave out after the token."""
    word, number, code, symbol, brace, text = found.groups()
    if brace:
        _turn_group(reader, opens=brace == b"{")
    elif word:
        return _read_word(reader, word, int(number or b"1"))
    elif symbol == b"*":
        reader.group.hidden = True
    elif code:
        _add_letters(reader, bytes.fromhex(code.decode()))
    elif symbol:
        _add_sign(reader, _SYMBOLS.get(symbol, ""))
    elif text:
        _add_letters(reader, text)
    return 0


def _turn_group(reader: _Reader, opens: bool) -> None:
    reader.skipped = 0
    if opens and len(reader.groups) < _MOST_DEPTH:
        reader.groups.append(_Group(reader.group.hidden, reader.group.skip))
    elif not opens and len(reader.groups) > 1:
        reader.groups.pop()


def _read_word(reader: _Reader, word: bytes, number: int) -> int:
    if word == b"bin":
        return max(number, 0)
    if word in _HIDDEN:
        reader.group.hidden = True
    elif word == b"uc":
        reader.group.skip = min(max(number, 0), 10)
    elif word == b"ansicpg":
        reader.codec = find_codec(f"cp{number}") or reader.codec
    elif word == b"u":
        _add_sign(reader, chr(number % 0x10000))
        reader.skipped = reader.group.skip
    elif word in _SIGNS:
        _add_sign(reader, _SIGNS[word])
    return 0


def _add_letters(reader: _Reader, raw: bytes) -> None:
    if not reader.group.hidden:
        reader.letters += raw[reader.skipped :]
    reader.skipped = max(0, reader.skipped - len(raw))


def _add_sign(reader: _Reader, sign: str) -> None:
    if reader.group.hidden:
        return
    reader.pieces += reader.letters.decode(reader.codec, "replace"), sign
    reader.letters.clear()
