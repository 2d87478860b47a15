"""Files that the command writes: for nobody else's eyes, and never over another."""

from __future__ import annotations

from pathlib import Path

from desk.errors import ConfigurationError


def write_private(file: Path, content: bytes) -> None:
    """Mode 0600. Raises ConfigurationError when it is there already or can't be written."""
    try:
        file.touch(mode=0o600, exist_ok=False)
        file.write_bytes(content)
    except FileExistsError:
        remedy = "Choose another name; what is there is never overwritten."
        raise ConfigurationError(f"{file} exists", remedy=remedy) from None
    except OSError as failure:
        raise ConfigurationError(f"{file} can't be written ({failure.strerror})") from None
