"""`python -m letters.preview FOLDER`: every letter in every language, filled with samples."""

from __future__ import annotations

import sys
from pathlib import Path

from letters.dates import SPEECH
from letters.render import list_letters, render_letter
from letters.slots import sample_slots


def write_previews(folder: Path) -> list[Path]:
    """Write FOLDER/<language>-<template>.html and .txt; the paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    pairs = [(language, name) for language in SPEECH for name in sorted(list_letters(language))]
    return [path for language, name in pairs for path in _write_preview(folder, language, name)]


def _write_preview(folder: Path, language: str, name: str) -> tuple[Path, Path]:
    shown = render_letter(name, language, sample_slots(name, language))
    page, text = folder / f"{language}-{name}.html", folder / f"{language}-{name}.txt"
    page.write_text(shown.html, encoding="utf-8")
    text.write_text(f"{shown.subject}\n\n{shown.text}", encoding="utf-8")
    return page, text


if __name__ == "__main__":
    write_previews(Path(sys.argv[1]))
