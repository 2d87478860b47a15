"""Files of the command: those it reads, and those it writes for nobody else's eyes and never over another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from desk.errors import ConfigurationError

if TYPE_CHECKING:
    from desk.mail import Mail


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


def read_eml(file: Path) -> tuple[bytes, Mail]:
    """The bytes of a mail and what they say. Raises ConfigurationError when they can't be read."""
    from desk.mail import Unreadable, read_mail

    try:
        data = file.read_bytes()
    except OSError as failure:
        raise ConfigurationError(f"{file} can't be read ({failure.strerror})") from None
    mail = read_mail(data)
    if isinstance(mail, Unreadable):
        raise ConfigurationError(
            f"{file} holds no readable mail: {mail.reason}", remedy="Nothing was changed; mend the file."
        )
    return data, mail
