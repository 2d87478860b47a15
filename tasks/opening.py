"""Open what the desk stands on: its blocks, its store, its policy. Secrets enter here and are never passed on."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa

from blocks import Database, DeskKeys, PackStorage
from blocks.base import load_block
from desk.errors import ConfigurationError
from desk.policy import Policy, read_policy
from desk.tokens import TokenKeys
from letters.render import list_letters
from store.engine import open_engine
from store.keys import KeyRing
from store.memory import Store, check_keys
from store.migrate import check_head, migrate_store
from store.packs import PackFolder

DESK = "byreturn"  # the name under which each of the desk's blocks is saved


def open_database() -> sa.Engine:
    """The database, its schema brought up to date first when it is a local file."""
    url = load_block(Database, DESK).url.get_secret_value()
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
    store = Store(open_database(), PackFolder(load_block(PackStorage, DESK).folder), open_keys())
    check_keys(store)
    return store


def open_keys() -> KeyRing:
    keys = load_block(DeskKeys, DESK)
    master, tombstone = keys.master, keys.tombstone
    return KeyRing(master.keys, master.current, tombstone.keys, tombstone.current)


def open_tokens() -> TokenKeys:
    """Keys that sign the Message-IDs of our letters."""
    token = load_block(DeskKeys, DESK).token
    return TokenKeys(token.current, token.keys)


def open_policy() -> Policy:
    """policy.yaml, or the file that BYRETURN_POLICY names; its categories need a letter in every language."""
    policy = read_policy(Path(os.environ.get("BYRETURN_POLICY", "policy.yaml")))
    check_letters(policy)
    return policy


def check_letters(policy: Policy) -> None:
    """Raises ConfigurationError naming the templates that are missing."""
    wanted = {
        (language, name)
        for name, category in policy.categories.items()
        if category.ticket and category.mode != "off"
        for language in policy.organisation.languages
    }
    missing = sorted(f"{language}/{name}" for language, name in wanted if name not in list_letters(language))
    if missing:
        raise ConfigurationError(
            f"no letter template {', '.join(missing)}",
            remedy="Write it under letters/templates, or set the category's mode to off.",
        )
