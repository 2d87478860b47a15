"""Incidents, alerts and quarantine: what went wrong, kept here so that Prefect need not know."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from store.engine import changed, insert_new, reading, upsert, writing
from store.intake import deliveries
from store.memory import Store
from store.messages import messages, quarantine
from store.tables import Alert, IncidentRecord, table

incidents = table(IncidentRecord)
alerts = table(Alert)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A mail set aside: ids and the typed cause, no content."""

    id: int
    delivery_id: int | None
    message_id: int | None
    cause: str
    incident: str
    attempts: int
    since: datetime


@dataclass(frozen=True, slots=True)
class IncidentView:
    id: str
    at: datetime
    place: str
    error_type: str
    cause: str


def name_incident() -> str:
    return uuid.uuid4().hex[:12]


def keep_incident(engine: sa.Engine, incident_id: str, place: str, error_type: str, cause: str, now: datetime) -> None:
    """Keep the whole cause (it may tell of people: it goes with the logs' retention)."""
    row = {"id": incident_id, "at": now, "place": place, "error_type": error_type, "cause": cause}
    with writing(engine) as connection:
        insert_new(connection, incidents, [row])


def read_incident(engine: sa.Engine, incident_id: str) -> IncidentView | None:
    columns = [incidents.c[name] for name in IncidentView.__slots__]
    with reading(engine) as connection:
        row = connection.execute(sa.select(*columns).where(incidents.c.id == incident_id)).first()
    return IncidentView(*row) if row else None


def list_quarantine(engine: sa.Engine) -> tuple[Quarantined, ...]:
    columns = [quarantine.c[name] for name in Quarantined.__slots__]
    query = sa.select(*columns).where(quarantine.c.resolved_at.is_(None)).order_by(quarantine.c.id)
    with reading(engine) as connection:
        return tuple(Quarantined(*row) for row in connection.execute(query))


def replay_quarantined(engine: sa.Engine, quarantine_id: int) -> bool:
    """Put one mail back before its door; False when it is not in quarantine or was never fetched."""
    this = sa.and_(quarantine.c.id == quarantine_id, quarantine.c.resolved_at.is_(None))
    with writing(engine) as connection:
        row = connection.execute(sa.select(quarantine.c.delivery_id, quarantine.c.message_id).where(this)).first()
        if row is None:
            return False
        kept = sa.and_(
            deliveries.c.id == row.delivery_id,
            deliveries.c.state == "quarantined",
            deliveries.c.wrapped_key.is_not(None),
        )
        back = changed(
            connection.execute(sa.update(deliveries).where(kept).values(state="kept", claimed_until=None, attempts=0))
        ) + changed(
            connection.execute(
                sa.update(messages)
                .where(messages.c.id == row.message_id, messages.c.state == "quarantined")
                .values(state="waiting", next_try_at=None, attempts=0)
            )
        )
        if back:
            connection.execute(sa.delete(quarantine).where(this))
    return bool(back)


def raise_alert(store: Store, key: str, code: str, remedy: str, now: datetime) -> bool:
    """Note a trouble; True when the operator must be told (it is new, or nobody could be told so far)."""
    with writing(store.engine) as connection:
        row = connection.execute(
            sa.select(alerts.c.code, alerts.c.told_at, alerts.c.ended_at).where(alerts.c.key == key)
        ).first()
        if row is not None and row.ended_at is None and row.code == code:
            return row.told_at is None
        fresh = {
            "key": key,
            "code": code,
            "remedy": remedy,
            "raised_at": now,
            "told_at": None,
            "ended_at": None,
        }
        upsert(connection, alerts, fresh, ("key",), ("code", "remedy", "raised_at", "told_at", "ended_at"))
    return True


def end_alert(store: Store, key: str, now: datetime) -> bool:
    """The trouble is over; True when the operator had been told of it."""
    running = sa.and_(alerts.c.key == key, alerts.c.ended_at.is_(None))
    with writing(store.engine) as connection:
        row = connection.execute(sa.select(alerts.c.told_at).where(running)).first()
        connection.execute(sa.update(alerts).where(running).values(ended_at=now))
    return row is not None and row.told_at is not None


def mark_told(store: Store, key: str, now: datetime) -> None:
    with writing(store.engine) as connection:
        connection.execute(sa.update(alerts).where(alerts.c.key == key).values(told_at=now))
