"""Header parts mended before they are parsed: what gateways and broken programs leave behind."""

from __future__ import annotations

import re

_HEAD_BYTES = 1_000_000
_BLANK = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n")
_FIELD = re.compile(rb"[!-9;-~]{1,200}:|From |[ \t]|\Z")
_SPACED_NAME = re.compile(rb"(?m)^([!-9;-~]{1,60})[ \t]{1,8}:")  # RFC 5322 §4.5 allows it, parsers do not
_KNOWN_FIELD = re.compile(rb"(?im)^(?:from|to|date|subject|message-id|received|content-type|mime-version):")


def trim_start(raw: bytes) -> bytes:
    """Without the byte order mark, NULs and blank lines that some gateways put first."""
    return raw.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n\t \0")


def cut_head(raw: bytes) -> bytes:
    """The header part with the blank line that ends it, at most a megabyte."""
    return _BLANK.split(raw[:_HEAD_BYTES], maxsplit=1)[0] + b"\r\n\r\n"


def mend_head(raw: bytes) -> bytes:
    """`raw` with stray lines of its header folded into the field above: a parser would end the header there."""
    blank = _BLANK.search(raw, 0, _HEAD_BYTES)
    end = blank.start() if blank else min(len(raw), _HEAD_BYTES)
    head = _SPACED_NAME.sub(rb"\1:", raw[:end])
    lines = head.split(b"\n")
    last_known = max((at for at, line in enumerate(lines) if _KNOWN_FIELD.match(line)), default=-1)
    mended = (_fold_stray(line, at) for at, line in enumerate(lines[: max(last_known, 0)]))
    kept = [line for line in mended if line is not None]
    return b"\n".join(kept + lines[max(last_known, 0) :]) + raw[end:]


def _fold_stray(line: bytes, at: int) -> bytes | None:
    if _FIELD.match(line.rstrip(b"\r")):
        return line
    return b" " + line if at else None  # nothing above the first line to fold it into
