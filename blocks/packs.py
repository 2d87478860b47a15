"""Where the sealed packs of raw mail are kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, model_validator

from blocks.base import Checked, DeskBlock
from desk.errors import BlockError, ConfigurationError


class PackStorage(DeskBlock):
    """A folder for sealed packs of raw mail."""

    _block_type_name: ClassVar[str | None] = "Byreturn pack storage"
    _block_type_slug: ClassVar[str | None] = "byreturn-pack-storage"
    _description: ClassVar[str | None] = "Where raw mail is kept, sealed; every worker must see the same place."

    url: str = Field(
        title="URL",
        min_length=1,
        description="A folder, or file:///folder. Object stores (s3://, …) come later.",
    )

    @model_validator(mode="after")
    def know_scheme(self) -> Self:
        scheme = urlsplit(self.url).scheme
        if scheme not in ("", "file"):
            raise BlockError("this scheme is not spoken yet", remedy="Use a folder, or file:///folder.")
        return self

    @property
    def folder(self) -> Path:
        parts = urlsplit(self.url)
        return Path(unquote(parts.path)) if parts.scheme == "file" else Path(self.url).expanduser()

    def check(self) -> Checked:
        """Look whether the folder, or the one it will be created in, is writable and has room; nothing is written.

        Raises ConfigurationError.
        """
        folder = self.folder.absolute()
        there = next((place for place in (folder, *folder.parents) if place.is_dir()), folder)
        if not os.access(there, os.R_OK | os.W_OK | os.X_OK):
            raise ConfigurationError("the pack folder is not writable", remedy="Give the desk's user write access.")
        free = f"{shutil.disk_usage(there).free} bytes free"
        return Checked(True, f"the pack folder {'has' if there == folder else 'will be created; there are'} {free}")
