"""Header parts mended before they are read: what gateways and broken programs leave behind."""

from __future__ import annotations

import re

_HEAD_BYTES = 1_000_000
# Some gateways double the CR; bounded, for a row of them would take quadratic time.
_BLANK = re.compile(rb"\r{0,3}\n\r{0,3}\n")
_STRAY = re.compile(rb"(?m)^(?![!-9;-~]{1,200}[ \t]{0,8}:|[ \t]|From )(?=[^\r\n])")
_KNOWN_FIELD = re.compile(rb"(?im)^(?:from|to|date|subject|message-id|received|content-type|mime-version)[ \t]{0,8}:")


def trim_start(raw: bytes) -> bytes:
    """Without the byte order mark, NULs and blank lines that some gateways put first; CR alone becomes LF."""
    trimmed = raw.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n\t \0")
    return trimmed if b"\n" in trimmed else trimmed.replace(b"\r", b"\n")


def split_head(raw: bytes, start: int, end: int) -> tuple[bytes, int]:
    """(header part, where the body begins) of what lies between `start` and `end`; at most a megabyte is header."""
    if raw.startswith((b"\n", b"\r\n"), start, end):
        return b"", raw.index(b"\n", start) + 1
    last = min(end, start + _HEAD_BYTES)
    blank = _BLANK.search(raw, start, last)
    head, after = (raw[start : blank.start()], blank.end()) if blank else (raw[start:last], last)
    stray = _STRAY.search(head)
    if not stray:
        return head, after
    known = [found.start() for found in _KNOWN_FIELD.finditer(head)]
    if not known or stray.start() > known[-1]:
        return head[: stray.start()], start + stray.start()  # a body that no blank line parts from its header
    return _fold_strays(head[: known[-1]]) + head[known[-1] :], after


def _fold_strays(head: bytes) -> bytes:
    """Stray lines folded into the field above: for a parser the header would end there."""
    return _STRAY.sub(b" ", head)
