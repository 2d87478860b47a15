"""Check everything the desk stands on, one line each, touching nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from blocks import (
    AlertChannel,
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
    return tuple(_try_check(what, check) for what, check in checks)


Checkable = type[Database | PackStorage | DeskKeys | SmtpServer | MistralApi | AlertChannel | ImapMailbox]


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
