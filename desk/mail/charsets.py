"""Bytes to text, whatever a mail claims about its charset (RFC 2045, RFC 2047, WHATWG Encoding)."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from charset_normalizer import from_bytes

# What senders mean when they say the narrower name (WHATWG Encoding §4.2).
_WIDER = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-9": "cp1254",
}
# Codecs of Python that are no charsets of mail, or that take quadratic time on hostile input.
_REFUSED = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})
# Western first: charset-normalizer takes short French for Central European when it may.
_GUESSES = [
    "cp1252", "cp1251", "koi8_r", "cp932", "euc_jp", "gb18030", "big5", "cp949", "cp1253", "cp1255", "cp1256",
]  # fmt: skip
# Accents stand apart, the letters of other scripts in a row; five bytes mean nothing in Windows-1252.
_FOREIGN = re.compile(rb"[\x80-\xff]{3}|[\x81\x8d\x8f\x90\x9d]")
_SAMPLE_BYTES = 20_000  # enough to guess from; guessing is slow

# C0 and C1 without tab and line feed; PostgreSQL holds no NUL.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Bidirectional overrides turn "exe.fdp" into "pdf.exe" on a screen (Unicode TR 36).
_OVERRIDES = re.compile("[\u202a-\u202e\u2066-\u2069]")


def decode_bytes(data: bytes, charset: str = "") -> str:
    """Text of `data`; never raises. Claimed charset first, UTF-8 where it fits, else the likeliest guess."""
    claimed = find_codec(charset)
    if claimed.startswith("iso2022"):
        return _decode_escaped(data, claimed)  # seven bits: every other charset would fit it
    for codec in _order_codecs(claimed):
        try:
            return data.decode(codec)
        except (ValueError, LookupError):  # UnicodeError is a ValueError; LookupError: no text codec
            continue
    return _guess_text(data)


@lru_cache(maxsize=256)
def find_codec(charset: str) -> str:
    """Python's name of a charset, widened; empty when it is unknown."""
    try:
        name = codecs.lookup(charset.strip().strip("\"'")).name
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        return ""
    return "" if name in _REFUSED else _WIDER.get(name, name)


def clean_text(text: str) -> str:
    """Text that every database holds: LF line ends, no controls, no lone surrogates."""
    even = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", even.encode("utf-8", "replace").decode("utf-8"))


def clean_line(text: str) -> str:
    """One line that is safe to show: white space collapsed, no controls, no bidirectional overrides."""
    plain = text if text.isascii() and text.isprintable() else _OVERRIDES.sub("", clean_text(text.replace("\t", " ")))
    return " ".join(plain.split())


def _decode_escaped(data: bytes, claimed: str) -> str:
    """ISO-2022-JP as Windows writes it, with NEC's letters (①, ㈱) in the rows that JIS X 0208 leaves empty."""
    try:
        return data.decode(claimed)
    except ValueError:
        widened = data.replace(b"\x1b$B", b"\x1b$(Q") if claimed.startswith("iso2022_jp") else data
    return widened.decode("iso2022_jp_2004" if widened is not data else claimed, "replace")


def _order_codecs(claimed: str) -> tuple[str, ...]:
    # UTF-8 is hardly valid by accident, so it goes before a claim that fits any bytes.
    if claimed in ("", "utf-8"):
        return ("utf-8",)
    return ("utf-8", claimed) if claimed == "cp1252" else (claimed, "utf-8")


def _guess_text(data: bytes) -> str:
    mended = data.decode("utf-8", "replace")
    damaged = mended.count("\ufffd")
    if sum(letter > "\x7f" for letter in mended) > 2 * damaged:
        return mended  # UTF-8 with a few broken letters
    if not _FOREIGN.search(data):
        return data.decode("cp1252")
    best = from_bytes(data[:_SAMPLE_BYTES], cp_isolation=_GUESSES).best()
    return data.decode(best.encoding if best else "cp1252", "replace")
