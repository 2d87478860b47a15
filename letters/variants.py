"""Which file a letter is made of: `<language>/<template>[.<segment>][@<variant>].j2`.

A segment is a kind of reader (`technical.pilot.j2`), a variant another wording that is tried beside the plain one
(`account@short.j2`, compared by `byreturn letters stats`). The organisation's own folder is looked into before ours:
what it holds of a template takes the place of all that we have of it, for a segment as well as in variants. A segment
without words of its own reads those of everybody.

Which variant a ticket gets depends on its number alone: of all that are there, the one whose hash with it is highest
(rendezvous hashing). So both languages agree, another language changes nothing, and a variant that is added or taken
away moves those tickets only that come to it or come from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from desk.errors import ConfigurationError

OURS = Path(__file__).parent / "templates"
SUFFIX = ".j2"
MEND = "letters.templates in policy.yaml names a folder that holds <language>/<template>.j2, or is empty."

_NAME = re.compile(r"(?P<template>[a-z][a-z0-9_]*)(?:\.(?P<segment>[a-z]+))?(?:@(?P<variant>[a-z0-9][a-z0-9-]*))?\.j2")


@dataclass(frozen=True, slots=True)
class Wording:
    """A file of words: those of `variant` for readers of `segment`; "" is everybody, and the plain one."""

    template: str
    segment: str = ""
    variant: str = ""

    @property
    def file(self) -> str:
        segment, variant = self.segment and f".{self.segment}", self.variant and f"@{self.variant}"
        return f"{self.template}{segment}{variant}{SUFFIX}"


def read_name(file: str) -> Wording | None:
    """What the name of a file says; None when it is no letter's."""
    match = _NAME.fullmatch(file)
    return Wording(*(match[part] or "" for part in ("template", "segment", "variant"))) if match else None


def list_wordings(language: str, folder: str = "") -> tuple[Wording, ...]:
    """All that a letter in `language` may be made of, `folder` being the organisation's own; sorted.

    ConfigurationError when there is no such folder.
    """
    own = _list_files(_find_folder(folder), language) if folder else ()
    taken = {one.template for one in own}
    ours = (one for one in _list_files(OURS, language) if one.template not in taken)
    return tuple(sorted((*own, *ours), key=lambda one: (one.template, one.segment, one.variant)))


def list_letters(language: str, folder: str = "") -> frozenset[str]:
    """Names of the templates that everybody can be written to with, in `language`."""
    return frozenset(one.template for one in list_wordings(language, folder) if not one.segment)


def find_segment(template: str, language: str, segment: str, folder: str = "") -> str:
    """`segment` where it has words of its own, else "" for everybody's."""
    return segment if _list_variants(template, language, segment, folder) else ""


def choose_variant(template: str, language: str, segment: str, key: str, folder: str = "") -> str:
    """The variant for the ticket whose number is `key`; "" is the plain one, which also goes out without a number."""
    found = _list_variants(template, language, find_segment(template, language, segment, folder), folder)
    if not key or len(found) < 2:
        return found[0] if len(found) == 1 else ""
    return max(found, key=lambda variant: _draw_lot(template, variant, key))


def find_wording(template: str, language: str, segment: str = "", variant: str = "", folder: str = "") -> Wording:
    """The file a letter is made of. ConfigurationError when there is none."""
    known = list_wordings(language, folder)
    wanted = (Wording(template, segment, variant), Wording(template, "", variant))
    for one in wanted:
        if one in known:
            return one
    raise ConfigurationError(f"there is no template letters/templates/{language}/{wanted[0].file}")


def _list_variants(template: str, language: str, segment: str, folder: str) -> list[str]:
    known = list_wordings(language, folder)
    return [one.variant for one in known if (one.template, one.segment) == (template, segment)]


def _draw_lot(template: str, variant: str, key: str) -> bytes:
    return blake2b("\0".join((template, variant, key)).encode(), digest_size=8).digest()


def _find_folder(name: str) -> Path:
    folder = Path(name)
    if not folder.is_dir():
        raise ConfigurationError(f"the folder of letter templates {name} is not there", remedy=MEND)
    return folder


def _list_files(folder: Path, language: str) -> tuple[Wording, ...]:
    """Read again when a file came or went, which ours don't: every letter asks."""
    try:
        changed = 0 if folder == OURS else (folder / language).stat().st_mtime_ns
    except OSError:
        return ()  # not in this language
    return _read_names(folder / language, changed)


@lru_cache(maxsize=64)
def _read_names(folder: Path, _changed_ns: int) -> tuple[Wording, ...]:
    return tuple(_iterate_names(folder))


def _iterate_names(folder: Path) -> Iterator[Wording]:
    for path in folder.iterdir() if folder.is_dir() else ():
        if found := read_name(path.name):
            yield found
