"""Warn of secrets that end soon, every day anew until they are renewed."""

from __future__ import annotations

from datetime import datetime

from blocks import Credentials
from blocks.smime import SmimeIdentity
from desk.expiry import tell_expiry
from store.memory import Store
from tasks.alarm import end_trouble, tell_trouble


def watch_secret(store: Store, credentials: Credentials | SmimeIdentity, owner: str, now: datetime) -> None:
    """Tell the operator once a day while these credentials near their end: the day is in the alarm's code.

    `owner` names the block that holds them, for credentials that were not saved by themselves.
    """
    key = f"secret:{credentials.get_block_type_slug()}/{credentials._block_document_name or owner}"
    code = tell_expiry(credentials.secret_expires, now.date())
    if code:
        tell_trouble(store, key, code, credentials.renewal)
    else:
        end_trouble(store, key)
