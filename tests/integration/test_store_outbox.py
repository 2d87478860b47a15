"""Door 8's memory: what may be sent, what was, and what must never be sent again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from desk.errors import ClaimLost
from desk.plan import Purpose
from store.engine import writing
from store.memory import Store
from store.outbox import Outgoing, begin_sending, claim_letters, end_sending, mark_unknown, release_letters
from store.outcomes import ReadyLetter, keep_letter
from store.views import list_letters
from tests.stores import LATER, LEASE, NOW, PERSON, look_up, make_letter, run_together

PAUL = "paul@ecole.example"
SENT = {PERSON: ("sent", "250")}


def queue_letters(store: Store, *letters: ReadyLetter) -> None:
    with writing(store.engine) as connection:
        for position, letter in enumerate(letters):
            keep_letter(connection, letter, f"ring:{position}:1", NOW)


def take_one(store: Store, letter: ReadyLetter | None = None, token: str = "sender") -> Outgoing:
    queue_letters(store, letter or make_letter())
    (claimed,) = claim_letters(store, token, NOW, LEASE, 10)
    return claimed


def show_states(store: Store) -> list[str]:
    return [one.state for one in list_letters(store)]


def test_a_queued_letter_is_claimed_with_all_that_sending_needs(store: Store) -> None:
    letter = make_letter(recipients=(PERSON, PAUL))
    claimed = take_one(store, letter)
    assert (claimed.body, claimed.sender, claimed.recipients) == (letter.body, letter.sender, (PERSON, PAUL))


def test_letters_are_claimed_oldest_first_by_one_sender_at_a_time(store: Store) -> None:
    queue_letters(store, *(make_letter(str(one)) for one in range(3)))
    first = claim_letters(store, "first", NOW, LEASE, 2)
    second = claim_letters(store, "second", NOW, LEASE, 2)
    assert [one.id for one in (*first, *second)] == look_up(store, "letter", "id")
    assert claim_letters(store, "third", NOW, LEASE, 2) == ()


def test_senders_at_once_share_no_letter(store: Store) -> None:
    queue_letters(store, *(make_letter(str(one)) for one in range(30)))

    def send_all(token: str) -> list[int]:
        found: list[int] = []
        while chunk := claim_letters(store, token, NOW, LEASE, 4):
            found += [one.id for one in chunk]
        return found

    shares = run_together(*(lambda token=str(one): send_all(token) for one in range(3)))
    rest = [one.id for one in claim_letters(store, "last", NOW, LEASE, 100)]
    assert sorted([one for share in shares for one in share] + rest) == look_up(store, "letter", "id")


def test_a_draft_is_never_claimed(store: Store) -> None:
    queue_letters(store, make_letter(purpose=Purpose.DRAFT, draft=True))
    assert claim_letters(store, "sender", NOW, LEASE, 10) == ()


def test_a_claimed_letter_that_was_not_begun_is_free_once_its_claim_lapses(store: Store) -> None:
    slow = take_one(store)
    (quick,) = claim_letters(store, "quick", LATER, LEASE, 10)
    with pytest.raises(ClaimLost):
        begin_sending(store, slow, LATER)
    begin_sending(store, quick, LATER + LEASE)
    assert show_states(store) == ["sending"]


def test_a_letter_is_begun_once(store: Store) -> None:
    letter = take_one(store)
    begin_sending(store, letter, LATER)
    with pytest.raises(ClaimLost):
        begin_sending(store, letter, LATER)
    assert [one.attempts for one in list_letters(store)] == [1]


def test_a_letter_that_was_sent_is_not_claimed_again(store: Store) -> None:
    letter = take_one(store)
    begin_sending(store, letter, LATER)
    end_sending(store, letter, "sent", SENT, NOW)
    assert show_states(store) == ["sent"]
    assert look_up(store, "letter", "sent_at") == [NOW]
    assert look_up(store, "letter_recipient", "code") == ["250"]
    assert claim_letters(store, "other", LATER, LEASE, 10) == ()


def test_a_letter_lost_while_it_was_sent_has_an_unknown_fate_and_is_never_sent_again(store: Store) -> None:
    letter = take_one(store)
    begin_sending(store, letter, NOW + LEASE)
    assert mark_unknown(store, NOW + LEASE) == ()
    assert mark_unknown(store, LATER) == (letter.id,)
    assert mark_unknown(store, LATER) == ()
    assert show_states(store) == ["unknown"]
    assert look_up(store, "letter_recipient", "state") == ["unknown"]
    assert claim_letters(store, "other", LATER + LEASE, LEASE, 10) == ()


def test_a_letter_being_sent_is_claimed_by_nobody_even_when_its_claim_lapsed(store: Store) -> None:
    begin_sending(store, take_one(store), NOW + LEASE)
    assert claim_letters(store, "other", LATER, LEASE, 10) == ()


def test_a_sender_that_comes_back_too_late_changes_nothing(store: Store) -> None:
    letter = take_one(store)
    begin_sending(store, letter, NOW + LEASE)
    mark_unknown(store, LATER)
    end_sending(store, letter, "queued", {PERSON: ("queued", "451")}, LATER)
    assert show_states(store) == ["unknown"]
    assert look_up(store, "letter_recipient", "state") == ["unknown"]
    assert claim_letters(store, "other", LATER + LEASE, LEASE, 10) == ()


def test_recipients_that_were_served_are_not_served_again(store: Store) -> None:
    letter = take_one(store, make_letter(recipients=(PERSON, PAUL)))
    begin_sending(store, letter, LATER)
    end_sending(store, letter, "queued", {**SENT, PAUL: ("queued", "451")}, NOW, next_try=LATER)
    (again,) = claim_letters(store, "other", LATER, LEASE, 10)
    assert (again.recipients, again.attempts) == ((PAUL,), 1)
    begin_sending(store, again, LATER + LEASE)
    end_sending(store, again, "partly", {PAUL: ("refused", "550")}, LATER)
    assert look_up(store, "letter_recipient", "state") == ["sent", "refused"]
    assert (show_states(store), look_up(store, "letter", "sent_at")) == (["partly"], [LATER])


def test_a_letter_lost_on_its_second_way_keeps_who_was_served(store: Store) -> None:
    letter = take_one(store, make_letter(recipients=(PERSON, PAUL)))
    begin_sending(store, letter, LATER)
    end_sending(store, letter, "queued", SENT, NOW)
    (again,) = claim_letters(store, "other", NOW, LEASE, 10)
    begin_sending(store, again, NOW + LEASE)
    mark_unknown(store, LATER)
    assert look_up(store, "letter_recipient", "state") == ["sent", "unknown"]


def test_a_deferred_letter_waits_for_its_time(store: Store) -> None:
    end_sending(store, take_one(store), "queued", {}, NOW, next_try=LATER, error_code="451")
    assert claim_letters(store, "other", LATER - timedelta(seconds=1), LEASE, 10) == ()
    assert len(claim_letters(store, "other", LATER, LEASE, 10)) == 1
    assert [one.error_code for one in list_letters(store)] == ["451"]


def test_letters_that_were_not_begun_are_given_back_and_those_that_were_are_not(store: Store) -> None:
    queue_letters(store, make_letter("a"), make_letter("b"))
    begun, _ = claim_letters(store, "sender", NOW, LEASE, 10)
    begin_sending(store, begun, LATER)
    release_letters(store, "sender")
    assert [one.id for one in claim_letters(store, "other", NOW, LEASE, 10)] == [begun.id + 1]
    assert show_states(store) == ["sending", "queued"]
