"""Versions of the local model: what it learnt from, how good it is, and which one judges."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from store.engine import changed, reading, upsert, writing
from store.memory import Store
from store.tables import TrainedModel, table

models = table(TrainedModel)

KEPT = 5  # artefacts; of older models the figures stay


@dataclass(frozen=True, slots=True)
class ModelView:
    """A version without its artefact; `figures` are labels and numbers. `state`: in_use | kept | retired."""

    id: int
    key: str
    at: datetime
    state: str
    examples: int
    corrections: int
    figures: Mapping[str, Any]


def list_models(store: Store) -> tuple[ModelView, ...]:
    """Every version, the latest first."""
    columns = [models.c[name] for name in ModelView.__slots__]
    with reading(store.engine) as connection:
        rows = connection.execute(sa.select(*columns).order_by(models.c.at.desc(), models.c.id.desc())).all()
    return tuple(ModelView(**{**row._mapping, "figures": json.loads(row.figures)}) for row in rows)


def find_in_use(store: Store) -> tuple[int, str] | None:
    """Id and key of the model that judges; None for the one that was learnt from the repository's examples alone."""
    query = sa.select(models.c.id, models.c.key).where(models.c.state == "in_use", models.c.artefact.is_not(None))
    with reading(store.engine) as connection:
        row = connection.execute(query.order_by(models.c.id.desc()).limit(1)).first()
    return (row.id, row.key) if row else None


def read_artefact(store: Store, model_id: int) -> bytes:
    """Its bytes; empty once they are dropped."""
    with reading(store.engine) as connection:
        found: bytes | None = connection.execute(sa.select(models.c.artefact).where(models.c.id == model_id)).scalar()
    return found or b""


def keep_model(
    store: Store,
    key: str,
    counts: tuple[int, int],
    figures: Mapping[str, Any],
    artefact: bytes,
    use: bool,
    now: datetime,
) -> int:
    """Keep a model that learnt from (examples, corrections), and put it in use if it is to be; its id."""
    row = {
        "key": key, "at": now, "state": "kept", "examples": counts[0], "corrections": counts[1],
        "figures": json.dumps(figures), "artefact": artefact,
    }  # fmt: skip
    with writing(store.engine) as connection:
        upsert(connection, models, row, ("key",), tuple(name for name in row if name != "key"))
        made = int(connection.execute(sa.select(models.c.id).where(models.c.key == key)).scalar_one())
        if use:
            _put_in_use(connection, made)
        _retire_old(connection)
    return made


def use_model(store: Store, model_id: int) -> bool:
    """Put this one in use, 0 for that of the repository's examples alone; False when it has no artefact any more."""
    there = sa.select(models.c.id).where(models.c.id == model_id, models.c.artefact.is_not(None))
    with writing(store.engine) as connection:
        if model_id and connection.execute(there).first() is None:
            return False
        _put_in_use(connection, model_id)
    return True


def _put_in_use(connection: sa.Connection, model_id: int) -> None:
    connection.execute(sa.update(models).where(models.c.state == "in_use").values(state="kept"))
    connection.execute(sa.update(models).where(models.c.id == model_id).values(state="in_use"))


def _retire_old(connection: sa.Connection) -> int:
    """The latest artefacts stay, and the one in use."""
    latest = sa.select(models.c.id).order_by(models.c.at.desc(), models.c.id.desc()).limit(KEPT)
    kept = list(connection.execute(latest).scalars())
    old = sa.and_(models.c.id.not_in(kept), models.c.state != "in_use", models.c.artefact.is_not(None))
    return changed(connection.execute(sa.update(models).where(old).values(artefact=None, state="retired")))
