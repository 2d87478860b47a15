"""Check everything the desk stands on, one line each, touching nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from zoneinfo import ZoneInfo

from prefect.client.orchestration import get_client
from sqlalchemy.exc import DBAPIError

from blocks import (
    AlertChannel,
    Credentials,
    Database,
    DeskKeys,
    ImapMailbox,
    MistralApi,
    PackStorage,
    SmimeIdentity,
    SmtpServer,
    list_blocks,
    load_block,
)
from blocks.mistral import MISTRAL_URL
from desk.errors import ByreturnError, ConfigurationError
from desk.expiry import tell_expiry
from desk.policy import Policy
from store.engines import read_spending
from tasks.asking import Account
from tasks.judging import ASK_PRICE
from tasks.opening import DESK, open_policy, open_store
from tasks.pacing import LIMITS, find_limit

DATED = re.compile(r"-[0-9]{4}$")  # as Mistral dates its models: mistral-small-2603


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    ok: bool
    detail: str


def examine() -> tuple[Finding, ...]:
    """Every block's own check, then the policy and the store with its keys."""
    checks: list[tuple[str, Check]] = [
        (kind.get_block_type_slug(), _block_check(kind, DESK))
        for kind in (Database, PackStorage, DeskKeys, SmtpServer, MistralApi, AlertChannel)
    ]
    checks += [(f"mailbox {name}", _block_check(ImapMailbox, name)) for name in list_blocks(ImapMailbox)]
    checks += [("policy", _check_policy), ("store and keys", _check_store)]
    checks += list_judging()
    checks += list_sealing()
    return (*(_try_check(what, check) for what, check in checks), *_examine_secrets(datetime.now(UTC).date()))


Check = Callable[[], str]
Checkable = type[
    Database | PackStorage | DeskKeys | SmtpServer | MistralApi | AlertChannel | ImapMailbox | SmimeIdentity
]
Holder = ImapMailbox | SmtpServer | SmimeIdentity


def _examine_secrets(today: date) -> Iterator[Finding]:
    """A line for each secret whose last day is known; a block that can't be loaded has a line of its own already."""
    holders: list[tuple[type[Holder], str]] = [(SmtpServer, DESK)]
    holders += [(ImapMailbox, name) for name in list_blocks(ImapMailbox)]
    holders += [(SmimeIdentity, name) for name in _list_identities()]
    for kind, name in holders:
        with suppress(ByreturnError):
            block = load_block(kind, name)
            secret = block if isinstance(block, SmimeIdentity) else block.credentials
            if secret and secret.secret_expires:
                yield _examine_secret(f"secret of {kind.get_block_type_slug()} {name}", secret, today)


def _examine_secret(what: str, credentials: Credentials | SmimeIdentity, today: date) -> Finding:
    soon = tell_expiry(credentials.secret_expires, today)
    said = f"its last day is {credentials.secret_expires}"
    return Finding(what, not soon, f"{said}. {credentials.renewal}" if soon else said)


def list_judging() -> list[tuple[str, Check]]:
    """What Mistral's work stands on besides its block, where it has work."""
    with suppress(ByreturnError):
        block, policy = load_block(MistralApi, DESK), open_policy()
        if block.enabled and policy.classification.budget_eur:
            return [
                ("Mistral's model", partial(_check_model, block)),
                ("Mistral's budget", partial(_check_budget, block, policy)),
                ("Mistral's limits", _check_limits),
            ]
    return []


def list_sealing() -> list[tuple[str, Check]]:
    """Who signs, where the policy wants letters signed."""
    return [(f"S/MIME identity {name}", _block_check(SmimeIdentity, name)) for name in _list_identities()]


def _list_identities() -> tuple[str, ...]:
    """The desk's own, missing or not, and those of other addresses; none where the policy can't be read."""
    with suppress(ByreturnError):
        if open_policy().letters.smime.sign:
            return (DESK, *(name for name in list_blocks(SmimeIdentity) if name != DESK))
    return ()


def _check_model(block: MistralApi) -> str:
    if block.place == MISTRAL_URL and not DATED.search(block.model):
        raise ConfigurationError(
            "its name has no date", remedy="Name a dated one in the block: others change overnight."
        )
    return f"{block.model} at {block.place}"


def _check_budget(block: MistralApi, policy: Policy) -> str:
    """What was spent today; a model of Mistral's without a price can't be held to a budget."""
    asked = policy.classification
    if block.place == MISTRAL_URL and block.model not in asked.prices:
        raise ConfigurationError(f"{block.model} has no price", remedy=ASK_PRICE)
    account = Account(open_store(), asked.budget_eur, ZoneInfo(policy.calendar.timezone))
    return f"{read_spending(account.store, account.day):.2f} of {asked.budget_eur:.2f} € spent today"


def _check_limits() -> str:
    with get_client(sync_client=True) as client:
        found = {limit.name: find_limit(client, limit.name) for limit in LIMITS}
    if absent := [name for name, limit in found.items() if limit is None]:
        raise ConfigurationError(
            f"no limit {', '.join(absent)} is active", remedy="Run `byreturn setup`, or activate it."
        )
    return ", ".join(f"{name} {limit.limit}" for name, limit in found.items() if limit)


def _block_check(kind: Checkable, name: str) -> Check:
    return lambda: load_block(kind, name).check().detail


def _check_policy() -> str:
    return f"version {open_policy().fingerprint}"


def _check_store() -> str:
    return f"opens with key set {open_store().keys.fingerprint()[:8]}…"


def _try_check(what: str, check: Check) -> Finding:
    try:
        return Finding(what, True, check())
    except ByreturnError as trouble:
        return Finding(what, False, str(trouble))
    except DBAPIError:  # its words name host and user; the database's own line above tells what to do
        return Finding(what, False, "the database is out of reach")
