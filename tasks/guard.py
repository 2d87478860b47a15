"""The edge: nothing about a person may leave through an exception.

Prefect stores exception texts and chained tracebacks, and a refused recipient or an SQL error carries addresses.
So every task and flow is wrapped: the cause goes into our database under an incident id, and a clean error that
names only the place and the id goes on.
"""

from __future__ import annotations

import functools
import inspect
import os
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

from desk.errors import ByreturnError, Incident
from store.troubles import keep_incident, name_incident
from tasks.opening import open_database

P = ParamSpec("P")
R = TypeVar("R")


def guarded(place: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Wrap a task's or flow's function; `place` names it in the incident."""

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except Exception as cause:  # noqa: BLE001 - this is the edge: everything passes here
                clean = clean_error(place, cause)
            raise clean from None

        _resolve_types(run, function)
        return run

    return wrap


def _resolve_types(run: Callable[..., object], function: Callable[..., object]) -> None:
    """Prefect reads a flow's types from here to make its run form; as text they could not be found in this module."""
    signature = inspect.signature(function, eval_str=True)
    run.__signature__ = signature  # type: ignore[attr-defined]  # PEP 362 allows it
    run.__annotations__ = {name: one.annotation for name, one in signature.parameters.items()}


def clean_error(place: str, cause: Exception) -> ByreturnError:
    """Our own errors are clean already, but what they were raised from is not; others become incidents."""
    if not isinstance(cause, ByreturnError):
        incident = keep_cause(place, cause)
        return Incident(f"{incident} in {place} ({type(cause).__name__})", remedy=f"See `byreturn incident {incident}`")
    if cause.__cause__ is not None or cause.__context__ is not None:
        keep_cause(place, cause)
    cause.__cause__ = cause.__context__ = None
    return cause.with_traceback(None)


def keep_cause(place: str, cause: Exception) -> str:
    """Keep the whole cause where only we can read it; the incident's id."""
    incident = name_incident()
    text = "".join(traceback.format_exception(cause))
    now = datetime.now(UTC)
    try:
        keep_incident(open_database(), incident, place, type(cause).__name__, text, now)
    except Exception:  # noqa: BLE001 - the database itself may be the trouble: then a private file keeps the cause
        _write_incident(incident, f"{now.isoformat()} {place}\n{text}")
    return incident


def _write_incident(incident: str, text: str) -> None:
    folder = Path(os.environ.get("BYRETURN_HOME", ".byreturn")) / "incidents"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / f"{incident}.txt"
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
