"""Mails that lie in files: an .mbox, a Maildir, a folder of .eml files or a single one. Nothing there is changed.

They are read one by one, so an archive may be larger than memory.
"""

from __future__ import annotations

import hashlib
import mailbox
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from desk.errors import ConfigurationError
from desk.mail import identify_headers

HEAD_BYTES = 64 * 1024
QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)  # qmail's mbox(5), "mboxrd"


@dataclass(frozen=True, slots=True)
class FiledMail:
    """A mail of an archive; of one above the limit `data` is only the beginning."""

    data: bytes
    size_bytes: int
    received_at: datetime  # what its Date says, else when its file was written; never later than now

    @property
    def uid(self) -> int:
        """63 bits of the SHA-256 of its bytes: the same in every run, whatever else is added, moved or renamed."""
        return int.from_bytes(hashlib.sha256(self.data).digest()[:8]) >> 1


def count_mails(path: Path) -> int:
    """How many mails lie there. Raises ConfigurationError when nobody can look."""
    if not is_mbox(path):
        return sum(1 for _ in list_files(path))
    with closing(mailbox.mbox(path, create=False)) as box:
        return len(box)


def read_archive(path: Path, limit: int, now: datetime) -> Iterator[FiledMail]:
    """Every mail that lies there, of each `limit` bytes and one more; files that can't be read are passed over."""
    if is_mbox(path):
        yield from read_mbox(path, limit, now)
        return
    for file in list_files(path):
        found = read_file(file, limit, now)
        if found is not None:
            yield found


def is_mbox(path: Path) -> bool:
    """Raises ConfigurationError when the path can't be read."""
    try:
        if path.is_dir():
            next(path.iterdir(), None)
            return False
        with path.open("rb") as file:
            return file.read(5) == b"From "
    except OSError:
        raise ConfigurationError(
            "the path can't be read", remedy="Name a file or folder that the worker's user sees and may read."
        ) from None


def list_files(path: Path) -> list[Path]:
    """The file itself, all mails of a Maildir, or every .eml under a folder."""
    if path.is_file():
        return [path]
    if all((path / name).is_dir() for name in ("new", "cur")):
        return [file for name in ("new", "cur") for file in sorted((path / name).iterdir()) if file.name[0] != "."]
    return sorted(file for file in path.rglob("*") if file.suffix.lower() == ".eml" and file.is_file())


def read_mbox(path: Path, limit: int, now: datetime) -> Iterator[FiledMail]:
    written = tell_written(path)
    with closing(mailbox.mbox(path, create=False)) as box:
        for key in box.iterkeys():
            with box.get_file(key) as file:
                data, rest = take_bytes(file, limit)
            yield describe_mail(QUOTED_FROM.sub(rb"\1", data), rest, written, now)


def read_file(path: Path, limit: int, now: datetime) -> FiledMail | None:
    """None when it is gone or closed to us: a mail client may move it while we look."""
    try:
        with path.open("rb") as file:
            data, rest = take_bytes(file, limit)
        return describe_mail(data, rest, tell_written(path), now)
    except OSError:
        return None


def take_bytes(file: IO[bytes] | Any, limit: int) -> tuple[bytes, int]:
    """The beginning, and how many bytes come after it."""
    data = file.read(limit + 1)
    return data, sum(len(more) for more in iter(lambda: file.read(HEAD_BYTES), b""))


def describe_mail(data: bytes, rest: int, written: datetime, now: datetime) -> FiledMail:
    said = identify_headers(data[:HEAD_BYTES]).date
    return FiledMail(data, len(data) + rest, min(said or written, now))


def tell_written(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
