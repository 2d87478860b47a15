"""Structured fields of MIME: a value and its parameters (RFC 2045 §5.1, RFC 2183, RFC 2231), as sloppy as they come."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import takewhile
from urllib.parse import unquote_to_bytes

from desk.mail.charsets import decode_bytes
from desk.mail.headers import decode_words

_FIELD_CHARS = 8_000
_MAX_PARAMS = 200
# Every repetition is bounded: a hostile field must not take quadratic time. The last form is a value that holds
# spaces without quotes, which many programs write, or a quote that is never closed.
_PARAM = re.compile(
    r';\s{0,50}([^\s=;"]{1,60})\s{0,5}=\s{0,50}(?:"((?:[^"\\]|\\.){0,4000})"|([^;]{0,4000}))', re.DOTALL
)
_ESCAPED = re.compile(r'\\(["\\])')
_PIECE = re.compile(r"([^*]{1,60})(?:\*(\d{1,3}))?(\*)?")


def split_field(value: str) -> tuple[str, dict[str, str]]:
    """(value, parameters) of a field, both names in lower case; parameter values decoded."""
    short = value[:_FIELD_CHARS]
    main, parted, _ = short.partition(";")
    named = [(found[1].lower(), _read_value(found)) for found in _PARAM.finditer(short)][:_MAX_PARAMS] if parted else []
    return main.strip().lower(), _join_params(named)


def _read_value(found: re.Match[str]) -> str:
    quoted, bare = found[2], found[3]
    return _ESCAPED.sub(r"\1", quoted) if quoted is not None else bare.strip().strip('"')


def _join_params(named: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Plain parameters, overruled by extended ones (RFC 2231 §4), whose pieces are joined by number (§3)."""
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bool, str]]] = {}
    for name, value in named:
        piece = _PIECE.fullmatch(name)
        if piece and "*" in name:
            pieces.setdefault(piece[1], {}).setdefault(int(piece[2] or 0), (bool(piece[3]), value))
        else:
            plain.setdefault(name, value)
    return plain | {name: _join_pieces(of_name) for name, of_name in pieces.items()}


def _join_pieces(numbered: dict[int, tuple[bool, str]]) -> str:
    in_row = list(takewhile(lambda at: at in numbered, range(min(numbered), min(numbered) + _MAX_PARAMS)))
    charset = ""
    data = b""
    for at in in_row:
        extended, value = numbered[at]
        if extended and at == in_row[0] and value.count("'") >= 2:
            charset, _, value = value.split("'", 2)
        data += unquote_to_bytes(value) if extended else value.encode("utf-8", "replace")
    return decode_words(decode_bytes(data, charset)) if not charset else decode_bytes(data, charset)
