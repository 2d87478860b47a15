"""Lines: words from outside, made fit to stand in a header or in a letter."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

WIDEST = 180  # characters of one line; a longer subject helps nobody
MULTILINE = frozenset({"excerpt", "passages.text"})  # slots that keep their line breaks, and such within slots

# Unicode Bidi_Control and line separators: they would let a name rewrite what stands beside it (UAX #9).
_UNSEEN = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff]")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_NAME = re.compile(r"[^\W\d_]+\.?(?:[ '’-][^\W\d_]+\.?)*")


def one_line(text: str, widest: int = WIDEST) -> str:
    """`text` on one line of at most `widest` characters: no control, direction mark or lone surrogate."""
    line = " ".join(_scrub(text).split())
    return line if len(line) <= widest else line[: widest - 1].rstrip() + "…"


def many_lines(text: str) -> str:
    """`text` with its line breaks as LF and everything else that `one_line` takes away gone."""
    lines = _scrub(text.replace("\r\n", "\n").replace("\r", "\n")).split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def greet_name(name: str) -> str:
    """`name` when it looks like one, else empty: a forged From must not make us carry a slogan or a link."""
    line = unicodedata.normalize("NFC", one_line(name))
    return line if len(line) <= 60 and _NAME.fullmatch(line) else ""


def tidy_slots(slots: Mapping[str, object]) -> dict[str, object]:
    """Every text in `slots`, however deep, on one line; those of MULTILINE keep their breaks."""
    return {name: _tidy(value, name) for name, value in slots.items()}


def _tidy(value: object, name: str) -> object:
    match value:
        case str():
            return many_lines(value) if name in MULTILINE else one_line(value)
        case Mapping():
            return {key: _tidy(each, f"{name}.{key}") for key, each in value.items()}
        case list() | tuple():
            return [_tidy(each, name) for each in value]
        case _:
            return value


def _scrub(text: str) -> str:
    if text.isprintable():  # no control, format character, separator or surrogate, which is nearly always
        return text
    encodable = text.encode("utf-8", "replace").decode("utf-8")
    return _CONTROL.sub(" ", _UNSEEN.sub("", encodable))
