"""The log of letters: every change of a letter's state, as words and codes, in the transaction that makes it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from store.tables import LetterEvent, table

letter_events = table(LetterEvent)


def note_letters(connection: sa.Connection, ids: Iterable[int], word: str, now: datetime, code: str = "") -> None:
    """Write one event for each letter: `word` is its new state or what was done to it, `code` why, in a word."""
    rows = [{"letter_id": one, "at": now, "word": word, "code": code} for one in ids]
    if rows:
        connection.execute(_NOTE, rows)


# --- statements, made once: see store.engine ------------------------------------------------------------------

_NOTE = sa.insert(letter_events)
