"""Addresses that are not written to: letters came back from them, or a person or the domain itself said so.

Rows end by themselves (`until`); `forget_suppressed` clears away those whose time is over: retention calls it.
Addresses stand here and nowhere in Prefect.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from desk.delivery import FULL, tell_patience
from store.engine import changed, reading, upsert, writing
from store.facts import recipients
from store.letterlog import letter_events
from store.memory import Store
from store.tables import Suppression, table

suppressions = table(Suppression)


@dataclass(frozen=True, slots=True)
class Suppressed:
    """An address that is not written to, in a word why, and until when; for good without that."""

    address: str
    reason: str  # bounced | by-hand | unsubscribed | invalid
    code: str
    since: datetime
    until: datetime | None


def find_suppressed(connection: sa.Connection, addresses: Iterable[str], now: datetime) -> frozenset[str]:
    """Those of `addresses` that must not be written to now; as they were given, compared without case."""
    named = {one.lower(): one for one in addresses if one}
    rows = connection.execute(_FIND, {"wanted": list(named), "now": now}).scalars() if named else ()
    return frozenset(named[one] for one in rows)


def suppress_all(
    store: Store, addresses: Iterable[str], reason: str, now: datetime, until: datetime | None, code: str = ""
) -> int:
    """Write no more to any of these; for how many that is new."""
    with writing(store.engine) as connection:
        return sum(suppress_address(connection, one, reason, now, until, code) for one in sorted(set(addresses)))


def suppress_address(
    connection: sa.Connection, address: str, reason: str, now: datetime, until: datetime | None, code: str = ""
) -> bool:
    """Write no more to an address; False where that is so already, for as long or longer."""
    known = connection.execute(_READ, {"address": address.lower()}).first()
    if known and _lasts(known.until, until):
        return False
    row = {"address": address.lower(), "reason": reason, "code": code, "since": now, "until": until}
    upsert(connection, suppressions, row, ["address"], ["reason", "code", "since", "until"])
    return True


def weigh_bounce(
    connection: sa.Connection, address: str, code: str, reason: str, now: datetime, until: datetime
) -> bool:
    """Suppress the address of a permanent bounce where its time has come (desk.delivery); whether that is now.

    The bounce itself is in the log already, and its recipient marked.
    """
    patience = tell_patience(code, reason)
    if patience is None:
        return False
    if patience.bounces > 1 and _count_full(connection, address, now) < patience.bounces:
        return False
    return suppress_address(connection, address, "bounced", now, until, code)


def allow_address(store: Store, address: str) -> bool:
    """Write to it again; False when nothing stood against that."""
    with writing(store.engine) as connection:
        return changed(connection.execute(_DELETE, {"address": address.lower()})) > 0


def list_suppressed(store: Store, now: datetime) -> tuple[Suppressed, ...]:
    """Those that still are, by address."""
    with reading(store.engine) as connection:
        return tuple(Suppressed(*row) for row in connection.execute(_LIST, {"now": now}))


def forget_suppressed(store: Store, now: datetime) -> int:
    """Clear away those whose time is over; how many they were."""
    with writing(store.engine) as connection:
        return changed(connection.execute(_FORGET, {"now": now}))


def _lasts(known: datetime | None, wanted: datetime | None) -> bool:
    return known is None or (wanted is not None and known >= wanted)


def _count_full(connection: sa.Connection, address: str, now: datetime) -> int:
    """Letters that came back from a full mailbox lately, this one too."""
    span = {"address": address, "since": now - FULL.within}
    return int(connection.execute(_COUNT_FULL, span).scalar_one())


# --- statements, made once: see store.engine ------------------------------------------------------------------


def _last(now: sa.BindParameter[Any]) -> sa.ColumnElement[bool]:
    return sa.or_(suppressions.c.until.is_(None), suppressions.c.until > now)


_COLUMNS = [suppressions.c[name] for name in Suppressed.__slots__]
_FIND = sa.select(suppressions.c.address).where(
    suppressions.c.address.in_(sa.bindparam("wanted", expanding=True)), _last(sa.bindparam("now"))
)
_READ = sa.select(suppressions.c.until).where(suppressions.c.address == sa.bindparam("address"))
_LIST = sa.select(*_COLUMNS).where(_last(sa.bindparam("now"))).order_by(suppressions.c.address)
_DELETE = sa.delete(suppressions).where(suppressions.c.address == sa.bindparam("address"))
_FORGET = sa.delete(suppressions).where(suppressions.c.until <= sa.bindparam("now"))
_COUNT_FULL = (
    sa.select(sa.func.count(letter_events.c.letter_id.distinct()))
    .join(recipients, recipients.c.letter_id == letter_events.c.letter_id)
    .where(recipients.c.address == sa.bindparam("address"), recipients.c.state == "bounced")
    .where(letter_events.c.word == "bounced", letter_events.c.code == "mailbox-full")
    .where(letter_events.c.at >= sa.bindparam("since"))
)
