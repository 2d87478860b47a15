"""Open what the desk stands on: its blocks, its store, its policy. Secrets enter here and are never passed on."""

from __future__ import annotations

import os
import time
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa
from prefect.runtime import flow_run

from blocks import Database, DeskKeys, PackStorage
from blocks.base import Kind, load_block
from desk.errors import ConfigurationError
from desk.fields import list_fields
from desk.policy import Policy, read_policy
from desk.tokens import TokenKeys
from letters.checking import check_templates
from letters.variants import list_letters
from store.engine import open_engine
from store.keys import KeyRing
from store.memory import Store, check_keys
from store.migrate import check_head, migrate_store
from store.packs import PackFolder

DESK = "byreturn"  # the name under which each of the desk's blocks is saved


def open_block(kind: type[Kind]) -> Kind:
    """The desk's own block of this kind. Within a run it is loaded once a minute: every load asks the server."""
    run = flow_run.get_id()
    return _load_once(kind, run, int(time.monotonic()) // 60) if run else load_block(kind, DESK)


@lru_cache(maxsize=16)
def _load_once(kind: type[Kind], _run: str, _minute: int) -> Kind:
    return load_block(kind, DESK)


def open_database() -> sa.Engine:
    """The database, its schema brought up to date first when it is a local file."""
    url = open_block(Database).url.get_secret_value()
    _prepare(url)
    return open_engine(url)


@lru_cache(maxsize=8)
def _prepare(url: str) -> None:
    """Once per process: a local file is migrated on first use, a server's schema is the operator's to change."""
    engine = open_engine(url)
    if engine.dialect.name == "sqlite":
        migrate_store(engine)
    else:
        check_head(engine)


def open_store() -> Store:
    """Database, packs and keys; refuses a key set that is not the one the store was begun with."""
    store = Store(open_database(), PackFolder(open_block(PackStorage).folder), open_keys())
    check_keys(store)
    return store


def open_keys() -> KeyRing:
    keys = open_block(DeskKeys)
    master, tombstone = keys.master, keys.tombstone
    return KeyRing(master.keys, master.current, tombstone.keys, tombstone.current)


def open_tokens() -> TokenKeys:
    """Keys that sign the Message-IDs of our letters."""
    token = open_block(DeskKeys).token
    return TokenKeys(token.current, token.keys)


def open_policy() -> Policy:
    """policy.yaml, or the file that BYRETURN_POLICY names; its categories need a letter in every language."""
    file = Path(os.environ.get("BYRETURN_POLICY", "policy.yaml"))
    try:
        written = file.stat().st_mtime_ns
    except OSError:
        written = 0  # reading it says what is wrong
    return _read_policy(file.absolute(), written)


@lru_cache(maxsize=4)
def _read_policy(file: Path, _written_ns: int) -> Policy:
    """Until the file changes: it is asked for by every task."""
    policy = read_policy(file)
    check_letters(policy)
    return policy


def check_letters(policy: Policy) -> None:
    """Raises ConfigurationError naming the templates that are missing, or the faults of the organisation's own."""
    folder = policy.letters.templates
    if folder:
        check_templates(folder, policy.categories, [name for name, _ in list_fields(policy)])
    wanted = {
        (language, name)
        for name, category in policy.categories.items()
        if category.ticket and category.mode != "off"
        for language in policy.organisation.languages
    }
    missing = sorted(f"{language}/{name}" for language, name in wanted if name not in list_letters(language, folder))
    if missing:
        raise ConfigurationError(
            f"no letter template {', '.join(missing)}",
            remedy="Write it under letters/templates, or set the category's mode to off.",
        )
