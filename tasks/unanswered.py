"""Questions of a period that no article answers, for the digest: read from the mails while they are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from desk.policy import Reader
from desk.unanswered import Asked, Unanswered, count_unanswered
from letters.words import say_word
from store.corrections import read_standings
from store.ledgers import list_unanswered
from store.memory import Store
from tasks.guard import keep_cause
from tasks.learning import recall_text

MOST_READ = 200  # mails, the latest; the others count


def find_unanswered(store: Store, reader: Reader, start: datetime, end: datetime) -> tuple[Unanswered, ...]:
    """By category in the reader's words, for a reader who asked for it; of their teams' tickets."""
    if reader.types and "articles" not in reader.types:
        return ()
    asked = list_unanswered(store, start, end, reader.teams)
    found = count_unanswered([*read_texts(store, asked[:MOST_READ]), *asked[MOST_READ:]])
    return tuple(replace(one, category=say_word(one.category, reader.language)) for one in found)


def read_texts(store: Store, asked: Sequence[Asked]) -> Iterator[Asked]:
    """Each with what its mail says, under pseudonyms; nothing where that is gone or can't be read."""
    standings = read_standings(store, [one.message_id for one in asked])
    for one in asked:
        try:
            yield replace(one, text=recall_text(store, standings[one.message_id]))
        except Exception as trouble:  # noqa: BLE001 - one bad mail never holds up another
            keep_cause("questions without article", trouble)
            yield one
