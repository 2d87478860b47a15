"""Short ways through door 8 for tests: letters queued, claimed, begun and ended without a server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from desk.sending import After
from store.engine import writing
from store.memory import Store
from store.outbox import Outgoing, claim_letters, end_letter, turn_letters
from store.outcomes import ReadyLetter, keep_letter
from tests.stores import LATER, LEASE, NOW, PERSON, look_up, make_letter

SENT = {PERSON: ("sent", "250")}


def queue_letters(store: Store, *letters: ReadyLetter, ticket_id: int | None = None, now: datetime = NOW) -> None:
    with writing(store.engine) as connection:
        for letter in letters:
            keep_letter(connection, letter, f"test:{letter.header_id}", now, ticket_id=ticket_id)


def take_one(store: Store, letter: ReadyLetter | None = None, token: str = "sender", **more: Any) -> Outgoing:
    queue_letters(store, letter or make_letter(), **more)
    (claimed,) = claim_letters(store, token, NOW, LEASE, 10)
    return claimed


def begin(store: Store, letter: Outgoing, until: datetime = LATER, now: datetime = NOW, shape: str = "") -> bool:
    return turn_letters(store, None, (letter, shape), now, until).begun


def end(
    store: Store,
    letter: Outgoing,
    state: str,
    results: Mapping[str, tuple[str, str]] = SENT,
    now: datetime = NOW,
    **more: Any,
) -> str:
    return end_letter(store, letter, After(state, results, **more), now)


def tell_steps(store: Store, letter_id: int = 1) -> list[str]:
    """The log of a letter: words, with their codes behind a colon."""
    words = look_up(store, "letter_event", "word", letter_id=letter_id)
    codes = look_up(store, "letter_event", "code", letter_id=letter_id)
    return [f"{word}:{code}" if code else word for word, code in zip(words, codes, strict=True)]
