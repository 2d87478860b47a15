"""Where files too large for a letter are laid, so that a link leads to them."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from pydantic import Field

from blocks.base import Checked, DeskBlock
from desk.errors import ConfigurationError

PLACE_BYTES = 24  # nobody guesses 192 bits
LONGEST_NAME = 80
_PLACE = re.compile(r"[A-Za-z0-9_-]{32}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Laid:
    """A file that was laid: `place` is its random folder, `url` where it can be fetched."""

    place: str
    url: str


class FileSharing(DeskBlock):
    """A folder that a web server shows to those who know a file's link."""

    _block_type_name: ClassVar[str | None] = "Byreturn file sharing"
    _block_type_slug: ClassVar[str | None] = "byreturn-file-sharing"
    _description: ClassVar[str | None] = "Where files too large for a letter are laid, and the URL they are fetched at."

    folder: str = Field(
        title="Folder",
        min_length=1,
        description="Every worker must see it. The web server must not list it, and best sends all as attachments.",
    )
    base_url: str = Field(
        title="URL", pattern=r"^https?://[^\s/]+(/[^\s]*)?$", description="Where the web server shows that folder."
    )

    @property
    def path(self) -> Path:
        return Path(self.folder).expanduser()

    def lay_file(self, name: str, data: bytes) -> Laid:
        """Lay a file under a random place, there even after a power cut; OSError when the disk does not take it."""
        place, safe = secrets.token_urlsafe(PLACE_BYTES), clean_name(name)
        self.path.mkdir(parents=True, exist_ok=True)
        folder = self.path / place
        folder.mkdir()
        with (folder / safe).open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(folder)
        _sync_folder(self.path)
        return Laid(place, self.tell_url(place, name))

    def tell_url(self, place: str, name: str) -> str:
        return f"{self.base_url.rstrip('/')}/{place}/{quote(clean_name(name))}"

    def remove_place(self, place: str) -> None:
        """What was laid there is gone, if it was there; nothing but a place of ours is ever removed."""
        if _PLACE.fullmatch(place):
            with suppress(FileNotFoundError):
                shutil.rmtree(self.path / place)

    def list_places(self) -> Iterator[tuple[str, datetime]]:
        """Places in the folder, with the times they were made."""
        for entry in sorted(self.path.iterdir()) if self.path.is_dir() else ():
            if _PLACE.fullmatch(entry.name) and entry.is_dir():
                yield entry.name, datetime.fromtimestamp(entry.stat().st_mtime, UTC)

    def check(self) -> Checked:
        """Whether the folder, or the one it will be created in, can be written to. Raises ConfigurationError."""
        folder = self.path.absolute()
        there = next((place for place in (folder, *folder.parents) if place.is_dir()), folder)
        if not os.access(there, os.R_OK | os.W_OK | os.X_OK):
            raise ConfigurationError(
                "the folder of shared files is not writable", remedy="Give the desk's user access."
            )
        return Checked(True, f"shared files have {shutil.disk_usage(there).free} bytes free")


def clean_name(name: str) -> str:
    """The file's name with nothing in it that a path, a URL or a shell could take for something else."""
    stem, dot, ending = _UNSAFE.sub("_", name).strip("._").rpartition(".")
    short = f"{stem[:LONGEST_NAME]}{dot}{ending[:10]}"
    return short or "file"


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
