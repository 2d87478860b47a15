"""What every flow uses: its parameters' types, its final states and its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State, StateType
from pydantic import AwareDatetime

from store.troubles import Quarantined

SHOWN_ROWS = 200  # a broken database may set aside thousands, and each run shows them

At = AwareDatetime | None  # flows tell what it is for in their docstrings: Prefect shows those in the run form


def end_well(message: str) -> State[Any]:
    return State(type=StateType.COMPLETED, message=message)


def end_partial(message: str) -> State[Any]:
    """Red in the UI, under a name that rings no automation: the operator was told already, once."""
    return State(type=StateType.FAILED, name="Partial", message=message)


def tell_instant(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else ""


def show_table(key: str, rows: Sequence[Mapping[str, Any]], description: str) -> None:
    """A table artifact of ids, words and numbers."""
    create_table_artifact(key=key, table=[dict(row) for row in rows], description=description)


def show_quarantine(rows: Sequence[Quarantined]) -> None:
    """Mails set aside, if there are any, by id; no content."""
    if rows:
        told = f"{len(rows)} mails are set aside, the first {SHOWN_ROWS} shown: `byreturn quarantine show ID`"
        show_table("quarantine", [describe_aside(one) for one in rows[:SHOWN_ROWS]], told)


def describe_aside(aside: Quarantined) -> dict[str, Any]:
    return {
        "id": aside.id,
        "mailbox": aside.mailbox,
        "delivery": aside.delivery_id,
        "message": aside.message_id,
        "cause": aside.cause,
        "attempts": aside.attempts,
        "next attempt": tell_instant(aside.next_try_at) or "by a person",
        "since": tell_instant(aside.since),
    }
