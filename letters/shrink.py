"""A letter too large for its way made smaller: files packed, put behind links, or told of; never just dropped."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from html import escape
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from letters.dates import say_day
from letters.parts import File, Taken, put_together, take_apart

WORTH = 0.9  # of its size: a file that packing makes no smaller than this is left as it is
LINE_BYTES = 1_000  # room for what is said of one file, in text and page


@dataclass(frozen=True, slots=True)
class Links:
    """Where files were put, in their order, and until when they are there."""

    places: tuple[str, ...]
    until: datetime


Share = Callable[[Sequence[File]], Links | None]


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The letter as it goes, and what was done to it: "" | "zipped" | "linked" | "noted"."""

    body: bytes
    shape: str = ""


@dataclass(frozen=True, slots=True)
class Speech:
    linked: str
    noted: str
    line: str
    units: tuple[str, ...]
    point: str


SPEECH: Mapping[str, Speech] = {
    "fr": Speech(
        linked="Trop volumineux pour un e-mail, ces fichiers peuvent être téléchargés jusqu'au {until} inclus :",
        noted="Trop volumineux pour un e-mail, ces fichiers n'y sont pas joints ; demandez-les-nous en réponse :",
        line="{name} ({size})",
        units=("octets", "ko", "Mo", "Go"),
        point=",",
    ),
    "en": Speech(
        linked="Too large for an e-mail, these files can be downloaded up to and including {until}:",
        noted="Too large for an e-mail, these files are not in it; please answer to ask us for them:",
        line="{name} ({size})",
        units=("bytes", "kB", "MB", "GB"),
        point=".",
    ),
}


def shrink_letter(body: bytes, room: int, language: str, share: Share, *, bare: bool = False) -> Shrunk:
    """The letter within `room` bytes (0: any size) if that can be; `bare`: without files, as no size is small enough.

    `share` lays files behind links, or gives None where there is nowhere to lay them.
    """
    if not bare and (not room or len(body) <= room):
        return Shrunk(body)
    taken = take_apart(body)
    packed = replace(taken, files=tuple(map(pack_file, taken.files)))
    whole = put_together(packed)
    if not bare and len(whole) <= room:
        return Shrunk(whole, "zipped")
    kept, moved = _choose_files(taken, packed, 0 if bare else room)
    if not moved:
        return Shrunk(body)  # nothing in it can be left out
    return _leave_out(replace(packed, files=kept), moved, language if language in SPEECH else "en", share, room)


def pack_file(file: File) -> File:
    """The file in an archive of its own where that is worth it."""
    packed = io.BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        archive.writestr(ZipInfo(file.name or "file"), file.data, ZIP_DEFLATED)
    data = packed.getvalue()
    return File(f"{file.name}.zip", "application/zip", data) if len(data) < len(file.data) * WORTH else file


def has_files(body: bytes) -> bool:
    return bool(take_apart(body).files)


def _choose_files(taken: Taken, packed: Taken, room: int) -> tuple[tuple[File, ...], tuple[File, ...]]:
    """Those that stay, packed, and those that leave, whole: the largest first, as few as will do."""
    order = sorted(range(len(taken.files)), key=lambda at: -len(packed.files[at].data))
    for count in range(1, len(order) + 1):
        stay = [at for at in range(len(order)) if at not in order[:count]]
        kept = tuple(packed.files[at] for at in stay)
        if len(put_together(replace(packed, files=kept))) + count * LINE_BYTES <= room:
            return kept, tuple(one for at, one in enumerate(taken.files) if at not in stay)
    return (), taken.files


def _leave_out(taken: Taken, moved: tuple[File, ...], language: str, share: Share, room: int) -> Shrunk:
    """Nothing is shared for a letter that would be too large all the same."""
    noted = put_together(_add_note(taken, moved, language, None))
    links = share(moved) if not room or len(noted) + len(moved) * LINE_BYTES <= room else None
    if links is None:
        return Shrunk(noted, "noted")
    return Shrunk(put_together(_add_note(taken, moved, language, links)), "linked")


# --- what is said of it ----------------------------------------------------------------------------------------------


def _add_note(taken: Taken, moved: Sequence[File], language: str, links: Links | None) -> Taken:
    speech = SPEECH[language]
    places = links.places if links else ("",) * len(moved)
    said = speech.linked.format(until=say_day(links.until, language)) if links else speech.noted
    lines = [(speech.line.format(name=one.name, size=say_size(len(one.data), language)), place)
             for one, place in zip(moved, places, strict=True)]  # fmt: skip
    return replace(taken, text=_note_text(taken.text, said, lines), html=_note_page(taken.html, said, lines))


def _note_text(text: str, said: str, lines: Sequence[tuple[str, str]]) -> str:
    told = [f"- {line}\n  {place}" if place else f"- {line}" for line, place in lines]
    return "\n".join([text.rstrip("\n"), "", said, *told, ""]).lstrip("\n")


def _note_page(page: str, said: str, lines: Sequence[tuple[str, str]]) -> str:
    if not page:
        return ""
    told = "".join(f"<li>{_write_link(line, place)}</li>" for line, place in lines)
    note = f"<p>{escape(said)}</p><ul>{told}</ul>"
    end = page.lower().rfind("</body>")
    return f"{page}{note}" if end < 0 else f"{page[:end]}{note}{page[end:]}"


def _write_link(line: str, place: str) -> str:
    return f'<a href="{escape(place)}">{escape(line)}</a>' if place else escape(line)


def say_size(size: int, language: str) -> str:
    """'12,4 Mo', '12.4 MB': units of 1000."""
    speech, amount = SPEECH[language], float(size)
    for unit in speech.units[:-1]:
        if amount < 1000:
            return _say_amount(amount, unit, speech)
        amount /= 1000
    return _say_amount(amount, speech.units[-1], speech)


def _say_amount(amount: float, unit: str, speech: Speech) -> str:
    said = f"{amount:.1f}".removesuffix(".0").replace(".", speech.point)
    return f"{said}\N{NO-BREAK SPACE}{unit}"
