"""What a page of HTML hides: comments, elements not shown, letters too small or of the colour of their ground.

Nobody reads it but machines. That a page hides something is no sign by itself: newsletters hide their first lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

HIDDEN_CHARS = 5_000  # kept of a mail

Colour = tuple[int, int, int]
WHITE, BLACK, LINK = (255, 255, 255), (0, 0, 0), (0, 0, 238)
_NEAR = 16  # of 255, in each of red, green and blue: nobody sees the difference

# Elements that show nothing by themselves and whose words are code.
CODE = frozenset(("script", "style", "head", "title", "svg", "math"))

_NAMES: Mapping[str, Colour] = {
    "white": WHITE, "black": BLACK, "windowtext": BLACK, "window": WHITE, "snow": (255, 250, 250),
    "ivory": (255, 255, 240), "whitesmoke": (245, 245, 245), "ghostwhite": (248, 248, 255),
    "floralwhite": (255, 250, 240), "red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255),
    "yellow": (255, 255, 0), "gray": (128, 128, 128), "grey": (128, 128, 128), "silver": (192, 192, 192),
}  # fmt: skip
_HEX = re.compile(r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})")
_RGB = re.compile(r"rgba?\(\s{0,3}(\d{1,3})[\s,]{1,3}(\d{1,3})[\s,]{1,3}(\d{1,3})\s{0,3}(?:[,/]\s{0,3}([\d.]{1,6}))?\)")
_KEPT = frozenset(("inherit", "initial", "unset", "currentcolor", "auto", ""))
_IMAGE = re.compile(r"url\(|gradient|image")

_HIDDEN = re.compile(
    r"display\s{0,3}:\s{0,3}none|visibility\s{0,3}:\s{0,3}hidden|max-height\s{0,3}:\s{0,3}0[^.\d].{0,300}overflow|"
    r"opacity\s{0,3}:\s{0,3}(?:0(?:\.0{1,5})?|\.0{1,5})\s{0,3}(?:[;!]|$)|"
    r"(?:text-indent|\bleft|\btop)\s{0,3}:\s{0,3}-\d{3,6}(?:\.\d{1,3})?(?:px|pt|r?em|%)"
)
_STYLED = re.compile(r"""style\s{0,3}=\s{0,3}(?:"[^"]{0,1000}|'[^']{0,1000}|[^\s>]{1,200})""")
_COLOURED = re.compile(r"(?:bg)?color=[\"']?#?\w{1,20}", re.IGNORECASE)
_SMALL = re.compile(r"font(?:-size)?\s{0,3}:[^;\"]{0,40}?(?<![\d.])(?:0|\.\d|1(?:\.0{1,3})?p)")
_TINY = re.compile(r"0{0,3}(?:\.\d{1,5})?(?:px|pt)?|0{1,3}(?:\.0{1,3})?(?:r?em|%)|1(?:\.0{1,3})?(?:px|pt)")
_RELATIVE = re.compile(r"[\d.]{1,8}(?:em|%)|smaller|larger|inherit")
_FONT = re.compile(r"(?<![\w.])(\d{0,4}\.?\d{1,4}(?:px|pt|r?em|%)?)(?=[/ ])")
_PAINT = re.compile(r"color\s{0,3}[:=]\s{0,3}[\"']?\s{0,3}(#?\w{1,20}(?:\([^)]{0,30}\))?)")
_GROUND = re.compile(r"background\s{0,3}:\s{0,3}(#?\w{1,20}(?:\([^)]{0,30}\))?)")
_BEFORE = ("background-", "bg")


@dataclass(frozen=True, slots=True)
class Shade:
    """How words look at a place of the page. A colour is None where nobody can tell it: by a picture, say."""

    ink: Colour | None = BLACK
    ground: Colour | None = WHITE
    clear: bool = False
    tiny: bool = False

    @property
    def unseen(self) -> bool:
        return self.tiny or self.clear or _is_near(self.ink, self.ground)


@dataclass(slots=True)
class Drawer:
    """Collects what is hidden, up to HIDDEN_CHARS."""

    pieces: list[str] = field(default_factory=list)
    room: int = HIDDEN_CHARS

    def keep(self, texts: Iterable[str]) -> None:
        for text in texts:
            if self.room <= 0:
                return
            if words := " ".join(text[: self.room].split()):
                self.pieces.append(words)
                self.room -= len(words) + 1

    @property
    def text(self) -> str:
        return " ".join(self.pieces)[:HIDDEN_CHARS]


def hides_element(style: str) -> bool:
    """Whether a style (lower case) takes the element and all in it out of sight."""
    return bool(_HIDDEN.search(style))


def list_styles(source: str) -> str:
    """What styles and colours a page's elements have, each once, in lower case: much shorter than the page."""
    styles = set(_STYLED.findall(source.lower() if "STYLE" in source or "Style" in source else source))
    if "olor=" in source or "OLOR=" in source:
        styles |= set(_COLOURED.findall(source))
    return ";".join(styles).lower()


def may_hide(source: str, styles: str) -> bool:
    """Whether any element of the page may be hidden; `styles` are those of `list_styles`."""
    return hides_element(styles) or may_fade(styles) or " hidden" in source or "<template" in source


def may_fade(styles: str) -> bool:
    """Whether any letters may be too small, or of the colour of a ground, so that shades are worth a look."""
    if _SMALL.search(styles) or "transparent" in styles or "rgba(" in styles:
        return True
    inks: set[Colour | None] = {BLACK}
    grounds: set[Colour | None] = {WHITE, *map(read_colour, _GROUND.findall(styles))}
    for found in _PAINT.finditer(styles):
        before = styles[max(0, found.start() - 11) : found.start()]
        told = grounds if before.endswith(_BEFORE) else inks
        told.add(read_colour(found[1]) if told is grounds or before[-1:] != "-" else None)
    return any(_is_near(ink, ground) for ink in inks for ground in grounds)


def begin_shade(source: str) -> Shade:
    """Black on white, unless a style sheet may say otherwise: what it paints is not looked up."""
    lowered = source.lower()
    start = lowered.find("<style")
    sheet = lowered[start : lowered.rfind("</style")] if start >= 0 else ""
    return Shade(None if "color" in sheet else BLACK, None if "background" in sheet else WHITE)


def read_shade(node: Any) -> tuple[tuple[str, object], ...]:
    """What an element's attributes change of the shade around it: fields of Shade and their values."""
    told: dict[str, object] = {"ink": LINK} if node.tag == "a" else {}
    for name in ("bgcolor", "color", "text", "background"):
        told |= _tell_attribute(name, (node.get(name) or "").strip().lower())
    for part in (node.get("style") or "").lower()[:1_000].split(";"):
        name, _, value = part.partition(":")
        told |= _tell_style(name.strip(), value.replace("!important", "").strip())
    return tuple(told.items())


def list_comments(source: str) -> Iterator[str]:
    """Comments that hold words: neither Outlook's conditions nor those around style sheets."""
    start = source.find("<!--")
    while start >= 0:
        end = source.find("-->", start + 4)
        comment = source[start + 4 : end if end >= 0 else None]
        if not _CODED.match(comment):
            yield comment
        start = source.find("<!--", end + 3) if end >= 0 else -1


_CODED = re.compile(r"\s{0,100}(?:\[(?:if|endif)|<!\[|/\*|@|[\w.#*,:>\s-]{1,80}\{|[-=_*~ ]{0,80}$)")


def _tell_attribute(name: str, value: str) -> dict[str, object]:
    if not value:
        return {}
    if name == "background":
        return {"ground": None}
    return _tell_style("background-color" if name == "bgcolor" else "color", value)


def _tell_style(name: str, value: str) -> dict[str, object]:
    if name in ("font-size", "font"):
        return _tell_size(value if name == "font-size" else _pick(_FONT, value))
    if value in _KEPT or name not in ("color", "background", "background-color", "background-image"):
        return {}
    if name == "color":
        return {"ink": read_colour(value), "clear": _is_clear(value)}
    if _IMAGE.search(value):
        return {"ground": None}
    words = value.split(" ", 1) if not value.startswith("rgb") else [value.partition(")")[0] + ")"]
    return {} if words[0] in ("transparent", "none") or _is_clear(words[0]) else {"ground": read_colour(words[0])}


def _tell_size(value: str) -> dict[str, object]:
    if not value or (_RELATIVE.fullmatch(value) and not _TINY.fullmatch(value)):
        return {}
    return {"tiny": bool(_TINY.fullmatch(value))}


def _pick(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""


@lru_cache(maxsize=2_048)
def read_colour(value: str) -> Colour | None:
    """A colour of CSS or HTML, or None for what is none that we know."""
    if _HEX.fullmatch(value):
        digits = value[1:] if len(value) > 5 else "".join(digit * 2 for digit in value[1:])
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)
    if found := _RGB.fullmatch(value):
        return int(found[1]), int(found[2]), int(found[3])
    return _NAMES.get(value)


def _is_clear(value: str) -> bool:
    found = _RGB.fullmatch(value)
    return value == "transparent" or bool(found and found[4] and float(found[4].strip(".") or 1) == 0)


def _is_near(ink: Colour | None, ground: Colour | None) -> bool:
    if ink is None or ground is None:
        return False
    return all(abs(one - other) <= _NEAR for one, other in zip(ink, ground, strict=True))


def darken(shade: Shade, told: tuple[tuple[str, Any], ...]) -> Shade:
    return replace(shade, **dict(told))
