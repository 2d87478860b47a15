"""What is decided side by side: nothing that matters to the next, everything once, in order."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from store.messages import Waiting
from tasks.deciding import BATCH, split_batches

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SOURCES = st.lists(st.tuples(st.integers(1, 9), st.one_of(st.none(), st.integers(1, 9))), max_size=80)


def list_waiting(sources: list[tuple[int, int | None]]) -> list[Waiting]:
    return [
        Waiting(position, conversation, 1, contact, NOW, "live", 0, "token")
        for position, (conversation, contact) in enumerate(sources, start=1)
    ]


@given(SOURCES)
def test_every_mail_is_in_one_batch(sources: list[tuple[int, int | None]]) -> None:
    batches = list(split_batches(list_waiting(sources)))
    assert sorted(one.id for batch in batches for one in batch) == list(range(1, len(sources) + 1))
    assert all(0 < len(batch) <= BATCH for batch in batches)


@given(SOURCES)
def test_a_batch_has_one_mail_of_a_conversation_and_of_a_sender(sources: list[tuple[int, int | None]]) -> None:
    for batch in split_batches(list_waiting(sources)):
        conversations = [one.conversation_id for one in batch]
        people = [one.contact_id for one in batch if one.contact_id]
        assert len(set(conversations)) == len(conversations)
        assert len(set(people)) == len(people)


@given(SOURCES)
def test_no_mail_overtakes_another_of_its_conversation_or_sender(sources: list[tuple[int, int | None]]) -> None:
    decided = [one for batch in split_batches(list_waiting(sources)) for one in batch]
    for kind in ("conversation_id", "contact_id"):
        for wanted in {getattr(one, kind) for one in decided} - {None}:
            ids = [one.id for one in decided if getattr(one, kind) == wanted]
            assert ids == sorted(ids)


def test_a_full_batch_is_followed_by_another() -> None:
    sizes = [len(batch) for batch in split_batches(list_waiting([(one, one) for one in range(1, 61)]))]
    assert sizes == [BATCH, BATCH, 60 - 2 * BATCH]
