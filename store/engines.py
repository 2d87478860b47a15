"""What all workers know of a judge: its circuit, and what it cost today."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa

from desk.circuit import CLOSED, Circuit
from desk.classification import Usage
from store.engine import changed, insert_new, reading, writing
from store.memory import Store
from store.tables import EngineState, Spending, table

states = table(EngineState)
spending = table(Spending)

MICRO = 1_000_000  # to the euro


def read_circuit(store: Store, name: str) -> Circuit:
    with reading(store.engine) as connection:
        return _read_circuit(connection, _FIND_STATE, name)


def change_circuit(store: Store, name: str, change: Callable[[Circuit], Circuit]) -> Circuit:
    """The circuit after `change`; two workers that change it at once do so one after the other."""
    with writing(store.engine) as connection:
        insert_new(connection, states, [{"name": name, "failures": 0, "rest_seconds": 0, "open_until": None}])
        after = change(_read_circuit(connection, _HOLD_STATE, name))
        connection.execute(
            sa.update(states)
            .where(states.c.name == name)
            .values(failures=after.failures, rest_seconds=_count_seconds(after.rest), open_until=after.open_until)
        )
    return after


def claim_probe(store: Store, name: str, now: datetime, span: timedelta) -> bool:
    """Whether this worker may ask a judge whose rest is over; nobody else may within `span`."""
    due = sa.and_(states.c.name == name, states.c.open_until <= now)
    with writing(store.engine) as connection:
        return changed(connection.execute(sa.update(states).where(due).values(open_until=now + span))) == 1


def count_spending(store: Store, day: str, engine: str, usage: Usage) -> None:
    """Add one call to the day's account; `day` as 2026-11-21."""
    added = {
        "calls": 1,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "micro_eur": math.ceil(usage.cost_eur * MICRO),
    }
    this = sa.and_(spending.c.day == day, spending.c.engine == engine)
    with writing(store.engine) as connection:
        insert_new(connection, spending, [{"day": day, "engine": engine, **dict.fromkeys(added, 0)}])
        values = {name: spending.c[name] + more for name, more in added.items()}
        connection.execute(sa.update(spending).where(this).values(**values))


def read_spending(store: Store, day: str) -> float:
    """Euros of all judges on that day."""
    with reading(store.engine) as connection:
        return float(connection.execute(_ADD_UP, {"wanted": day}).scalar_one()) / MICRO


def _read_circuit(connection: sa.Connection, query: sa.Select[tuple[int, int, datetime]], name: str) -> Circuit:
    row = connection.execute(query, {"wanted": name}).first()
    return CLOSED if row is None else Circuit(row[0], timedelta(seconds=row[1]), row[2])


def _count_seconds(span: timedelta) -> int:
    return math.ceil(span.total_seconds())


_FIND_STATE = sa.select(states.c.failures, states.c.rest_seconds, states.c.open_until).where(
    states.c.name == sa.bindparam("wanted")
)
_HOLD_STATE = _FIND_STATE.with_for_update()
_ADD_UP = sa.select(sa.func.coalesce(sa.func.sum(spending.c.micro_eur), 0)).where(
    spending.c.day == sa.bindparam("wanted")
)
