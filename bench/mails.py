"""The mails that readers and desks are measured on: our own corpus, or any folder of files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from bench.corpus import make_mails

DATE = re.compile(rb"^Date:[^\r\n]*", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Piece:
    """A mail and the name to tell it by."""

    name: str
    raw: bytes


def load_mails(folder: Path | None, count: int) -> list[Piece]:
    """The first `count` files of a folder by name, or as many mails of our own; SystemExit when there are none."""
    if folder is None:
        return [Piece(f"{number:06d}", raw) for number, (_, raw) in enumerate(make_mails(count), start=1)]
    files = sorted(file for file in folder.iterdir() if file.is_file())[:count]
    if not files:
        raise SystemExit(f"{folder} holds no mail")
    return [Piece(file.name, file.read_bytes()) for file in files]


def describe_mails(mails: list[Piece]) -> str:
    return f"{len(mails)} mails, {sum(len(mail.raw) for mail in mails) / 1e6:.1f} MB"


def date_mails(mails: list[Piece], now: datetime) -> list[Piece]:
    """The same mails written within the last hours, in their order: a desk answers no mail that is days old."""
    first = now - timedelta(seconds=len(mails))
    return [Piece(mail.name, date_mail(mail.raw, first + timedelta(seconds=at))) for at, mail in enumerate(mails)]


def date_mail(raw: bytes, written: datetime) -> bytes:
    head, end, body = raw.partition(b"\r\n\r\n" if b"\r\n\r\n" in raw else b"\n\n")
    return DATE.sub(b"Date: " + format_datetime(written).encode(), head, count=1) + end + body


def write_mails(mails: list[Piece], folder: Path) -> Path:
    folder.mkdir(parents=True)
    for mail in mails:
        (folder / mail.name).write_bytes(mail.raw)
    return folder
