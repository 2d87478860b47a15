"""What is asked of a judge before the desk lets go: labelled mails in, its guesses beside the truth out."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from desk.errors import ConfigurationError

TEXT = ("text",)
LABEL = ("label", "category")  # the second in files of examples
DELIMITERS = ",;\t"  # Excel writes the second where the comma is in the numbers
FIELD_CHARS = 10_000_000  # of one mail
LABEL_CHARS = 80
MOST_LABELS = 500
SHOWN = 30  # labels named in a message

AS_UTF8 = "Save it as CSV in UTF-8; Excel calls that “CSV UTF-8”."
AS_COLUMNS = "Its first line names the columns: text,label."
AS_QUOTED = 'Put texts that hold a separator, a quote or a line break in quotes, and write a quote in them as "".'
AS_LABEL = f"A label is one word or a few, at most {LABEL_CHARS} characters and {MOST_LABELS} different ones."


@dataclass(frozen=True, slots=True)
class Example:
    """A mail and what it is about, as a person says; `line` is where it ends in its file, from 1."""

    text: str
    label: str
    line: int


@dataclass(frozen=True, slots=True)
class Guess:
    """A judge's word on one labelled mail; `label` is empty and `confidence` (0…1) zero when it had none."""

    label: str
    truth: str
    confidence: float
    cost_eur: float = 0.0
    source: str = ""


def read_examples(path: Path) -> tuple[Example, ...]:
    """The mails of a CSV file in UTF-8 with the columns text and label (or category), in any order, among others.

    The separator is a comma, a semicolon or a tab. Raises ConfigurationError naming file, line and remedy, with
    nothing of a mail in it.
    """
    text = decode_file(path)
    rows = read_rows(path, text)
    examples = tuple(pick_examples(path, rows))
    if not examples:
        raise refuse(path, "no mail in it", "Below the first line, write one mail a row with its label.")
    labels = {one.label for one in examples}
    if len(labels) == 1:
        raise refuse(path, "all mails bear the same label", "A judge is tried on two labels or more.")
    if len(labels) > MOST_LABELS:
        raise refuse(path, f"{len(labels)} different labels", AS_LABEL)
    return examples


def decode_file(path: Path) -> str:
    try:
        data = path.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as failure:
        raise refuse(path, f"it can't be read ({failure.strerror})", "Is it there, where this runs?") from None
    except UnicodeDecodeError as failure:
        line = data.count(b"\n", 0, failure.start) + 1
        raise refuse(path, "this is not UTF-8", AS_UTF8, line) from None


def read_rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """(line, fields) of every row that is not blank, the header first."""
    csv.field_size_limit(max(FIELD_CHARS, csv.field_size_limit()))
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        yield from ((reader.line_num, row) for row in reader if any(row))
    except csv.Error:  # not `from`: it may quote the file
        raise refuse(path, "this is no CSV", AS_QUOTED, reader.line_num) from None


def pick_examples(path: Path, rows: Iterator[tuple[int, list[str]]]) -> Iterator[Example]:
    line, header = next(rows, (1, []))
    text, label = (find_column(path, line, header, names) for names in (TEXT, LABEL))
    for line, row in rows:
        if len(row) != len(header):
            raise refuse(path, f"{len(row)} fields, not {len(header)}", AS_QUOTED, line)
        yield Example(row[text], check_label(path, line, row[label].strip()), line)


def find_column(path: Path, line: int, header: Sequence[str], names: Sequence[str]) -> int:
    found = [name.strip().lower() for name in header]
    for name in names:
        if name in found:
            return found.index(name)
    raise refuse(path, f"no column {names[0]}", AS_COLUMNS, line)


def check_label(path: Path, line: int, label: str) -> str:
    """A label is shown to everybody: one so long is rather a mail in the wrong column, and is not even quoted."""
    if not label:
        raise refuse(path, "no label", "Give each mail one, or leave it out.", line)
    if len(label) > LABEL_CHARS or not label.isprintable():
        raise refuse(path, "this is no label", AS_LABEL, line)
    return label


def refuse(path: Path, what: str, remedy: str, line: int = 0) -> ConfigurationError:
    place = f"{path}, line {line}" if line else str(path)
    return ConfigurationError(f"{place}: {what}", remedy=remedy, code="labelled-mails")


def check_known(path: Path, examples: Sequence[Example], allowed: Collection[str]) -> None:
    """Raises ConfigurationError at the first mail whose label is none of `allowed`."""
    for one in examples:
        if one.label not in allowed:
            raise refuse(path, "its label is none that is allowed", f"Allowed: {name_labels(allowed)}.", one.line)


def check_meeting(path: Path, examples: Sequence[Example], known: Collection[str], remedy: str) -> None:
    """Raises ConfigurationError when the judge knows not one of the labels: then nothing could be right."""
    if not {one.label for one in examples} & set(known):
        raise refuse(path, "the judge knows none of its labels", f"It knows {name_labels(known)}. {remedy}")


def name_labels(labels: Collection[str]) -> str:
    ordered = sorted(labels)
    rest = f" and {len(ordered) - SHOWN} others" if len(ordered) > SHOWN else ""
    return ", ".join(ordered[:SHOWN]) + rest


def draw_sample(examples: Sequence[Example], limit: int | None, seed: int = 0) -> tuple[Example, ...]:
    """At most `limit` mails by lot, always the same ones, in the file's order: files are often sorted by label."""
    if limit is None or len(examples) <= limit:
        return tuple(examples)
    chosen = sorted(random.Random(seed).sample(range(len(examples)), limit))  # noqa: S311 - a draw, no secret
    return tuple(examples[at] for at in chosen)
