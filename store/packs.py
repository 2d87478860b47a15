"""Packs: one stored object per intake batch, durable before its rows are committed."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from desk.errors import MailTrouble

BUFFER_BYTES = 1024 * 1024  # most mails are a few kB: one write for many of them


@dataclass(frozen=True, slots=True)
class PackEntry:
    """Where one sealed mail lies; offset and length in bytes."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class PackFolder:
    """A local folder of packs."""

    path: Path

    def write(self, name: str, chunks: Sequence[bytes]) -> tuple[PackEntry, ...]:
        """Write a pack so that it survives a power cut: write, fsync, rename, fsync the folder."""
        self.path.mkdir(parents=True, exist_ok=True)
        part = self.path / f".{name}.part"
        with part.open("wb", buffering=BUFFER_BYTES) as file:
            entries = tuple(_append(file.tell(), file.write(chunk)) for chunk in chunks)
            file.flush()
            os.fsync(file.fileno())
        part.rename(self.path / name)
        _sync_folder(self.path)
        return entries

    def read(self, name: str, entry: PackEntry) -> bytes:
        try:
            with (self.path / name).open("rb") as file:
                file.seek(entry.offset)
                data = file.read(entry.length)
        except FileNotFoundError:
            raise MailTrouble("its pack is missing") from None
        if len(data) != entry.length:
            raise MailTrouble("its pack is cut short")
        return data

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def list_packs(self) -> Iterator[tuple[str, datetime]]:
        """Names and times of writing, unfinished parts included."""
        for file in sorted(self.path.glob("*.pack")) + sorted(self.path.glob(".*.part")):
            with suppress(FileNotFoundError):  # an intake has just renamed its part
                yield file.name, datetime.fromtimestamp(file.stat().st_mtime, UTC)


def name_pack(now: datetime) -> str:
    """A name that sorts by time and meets no other."""
    return f"{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex}.pack"


def _append(position_before: int, written: int) -> PackEntry:
    return PackEntry(position_before, written)


def _sync_folder(path: Path) -> None:
    if os.name == "nt":
        return  # Windows opens no folder; NTFS journals the rename
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
