"""How the command line shows things: a table for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

CONSOLE = Console(highlight=False, markup=False)  # what is shown may hold brackets


def show_rows(rows: Sequence[DataclassInstance], as_json: bool, empty: str) -> None:
    """Rows of one kind of value; `empty` is what a person reads when there are none."""
    plain = [read_row(row) for row in rows]
    if as_json:
        print(json.dumps(plain, ensure_ascii=False, indent=2, default=write_instant))
    elif not plain:
        CONSOLE.print(empty)
    else:
        CONSOLE.print(draw_table(plain))


def write_instant(value: object) -> str:
    """For programs: UTC, to the second (RFC 3339). Nothing else in our rows is foreign to JSON."""
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} in a row")
    return value.isoformat(timespec="seconds")


def read_row(row: DataclassInstance) -> dict[str, Any]:
    """A frozen value as a dictionary of its fields."""
    return asdict(row)


def draw_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in rows[0]:
        table.add_column(name.replace("_", " "))
    for row in rows:
        table.add_row(*(str(write_value(value)) for value in row.values()))
    return table


def write_value(value: object) -> object:
    """Instants in local time to the minute; lists as words."""
    if isinstance(value, datetime):
        return f"{value.astimezone():%Y-%m-%d %H:%M}"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return "" if value is None else value
