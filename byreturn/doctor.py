"""Check everything the desk stands on, one line each, touching nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy.exc import DBAPIError

from blocks import (
    AlertChannel,
    Credentials,
    Database,
    DeskKeys,
    ImapMailbox,
    MistralApi,
    PackStorage,
    SmtpServer,
    list_blocks,
    load_block,
)
from desk.errors import ByreturnError
from desk.expiry import tell_expiry
from tasks.opening import DESK, open_policy, open_store


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    ok: bool
    detail: str


def examine() -> tuple[Finding, ...]:
    """Every block's own check, then the policy and the store with its keys."""
    checks: list[tuple[str, Callable[[], str]]] = [
        (kind.get_block_type_slug(), _block_check(kind, DESK))
        for kind in (Database, PackStorage, DeskKeys, SmtpServer, MistralApi, AlertChannel)
    ]
    checks += [(f"mailbox {name}", _block_check(ImapMailbox, name)) for name in list_blocks(ImapMailbox)]
    checks += [("policy", _check_policy), ("store and keys", _check_store)]
    return (*(_try_check(what, check) for what, check in checks), *_examine_secrets(datetime.now(UTC).date()))


Checkable = type[Database | PackStorage | DeskKeys | SmtpServer | MistralApi | AlertChannel | ImapMailbox]


def _examine_secrets(today: date) -> Iterator[Finding]:
    """A line for each secret whose last day is known; a block that can't be loaded has a line of its own already."""
    holders: list[tuple[type[ImapMailbox | SmtpServer], str]] = [(SmtpServer, DESK)]
    for kind, name in [*holders, *((ImapMailbox, name) for name in list_blocks(ImapMailbox))]:
        with suppress(ByreturnError):
            credentials = load_block(kind, name).credentials
            if credentials and credentials.secret_expires:
                yield _examine_secret(f"secret of {kind.get_block_type_slug()} {name}", credentials, today)


def _examine_secret(what: str, credentials: Credentials, today: date) -> Finding:
    soon = tell_expiry(credentials.secret_expires, today)
    said = f"its last day is {credentials.secret_expires}"
    return Finding(what, not soon, f"{said}. {credentials.renewal}" if soon else said)


def _block_check(kind: Checkable, name: str) -> Callable[[], str]:
    return lambda: load_block(kind, name).check().detail


def _check_policy() -> str:
    return f"version {open_policy().fingerprint}"


def _check_store() -> str:
    return f"opens with key set {open_store().keys.fingerprint()[:8]}…"


def _try_check(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, check())
    except ByreturnError as trouble:
        return Finding(what, False, str(trouble))
    except DBAPIError:  # its words name host and user; the database's own line above tells what to do
        return Finding(what, False, "the database is out of reach")
