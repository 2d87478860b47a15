"""Save the desk's blocks under the name that every flow loads them by, and the limits that its workers share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from blocks import AlertChannel, Database, DeskBlock, DeskKeys, MistralApi, PackStorage, SmtpServer
from desk.errors import BlockError
from tasks.pacing import make_limits

DESK = "byreturn"


@dataclass(frozen=True, slots=True)
class Setup:
    """What the blocks are filled with."""

    database_url: str
    packs: Path
    smtp: SmtpServer
    recipients: tuple[str, ...] = ()
    webhook_url: str = ""
    mistral: MistralApi | None = None


def save_blocks(setup: Setup) -> None:
    """Save every block anew but the keys: those are generated once and then never replaced, as limits are."""
    keep_keys()
    make_limits()
    setup.smtp.save(DESK, overwrite=True)
    Database(url=SecretStr(setup.database_url)).save(DESK, overwrite=True)
    PackStorage(url=str(setup.packs)).save(DESK, overwrite=True)
    (setup.mistral or MistralApi()).save(DESK, overwrite=True)
    channel = AlertChannel(smtp=setup.smtp, recipients=list(setup.recipients), webhook_url=SecretStr(setup.webhook_url))
    channel.save(DESK, overwrite=True)


def fill_gaps(home: Path) -> tuple[str, ...]:
    """Save what a desk on one machine can do without being told: keys, a local database and packs, no Mistral; limits.

    `home` is where the local files go. Returns the block types that were made; nothing that is there is changed.
    """
    folder = home.absolute()
    gaps: tuple[tuple[type[DeskBlock], Callable[[], DeskBlock]], ...] = (
        (DeskKeys, DeskKeys.generate),
        (Database, lambda: Database(url=SecretStr(f"sqlite:///{folder / 'desk.db'}"))),
        (PackStorage, lambda: PackStorage(url=str(folder / "packs"))),
        (MistralApi, MistralApi),
    )
    make_limits()
    missing = [(kind, make) for kind, make in gaps if not has_block(kind)]
    for _, make in missing:
        make().save(DESK)
    return tuple(kind.get_block_type_slug() for kind, _ in missing)


def keep_keys() -> bool:
    """Generate the desk keys if there are none; True when they are new and want an export."""
    if has_block(DeskKeys):
        return False
    DeskKeys.generate().save(DESK)
    return True


def has_block(kind: type[DeskBlock]) -> bool:
    try:
        kind.load(DESK)
    except ValueError:
        return False
    except RuntimeError as failure:  # it is there, with fields that are wrong now
        raise BlockError(f"{kind.get_block_type_slug()}/{DESK} can't be read") from failure
    return True
