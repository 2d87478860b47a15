"""Letters as people look at them, and what those of a period came to."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from desk.facts import Status
from desk.plan import Fate, Purpose, Report
from desk.results import Asked, LetterFate
from store.cases import change_status
from store.engine import writing
from store.letterlog import note_letters
from store.letters import list_asked, list_fates, read_letter
from store.memory import Store
from store.outcomes import keep_letter
from store.reported import mark_report
from store.views import list_letters
from tests.stores import (
    ANSWERED,
    NOW,
    PERSON,
    bring_one,
    look_up,
    make_letter,
    make_outcome,
    open_ticket,
    settle,
    tables,
    touch_plan,
)

PAUL = "paul@ecole.example"
NUMBER = "2026-000001"
HOUR = timedelta(hours=1)
ANSWER = make_letter("answer", Purpose.ANSWER, template="billing", segment="academy", variant="short", language="fr")


def answer_ticket(store: Store, sent_at: datetime | None = NOW + HOUR) -> int:
    """A ticket with our answer, which went out then; the letter's id."""
    open_ticket(store, ANSWER, plan=ANSWERED)
    (letter,) = look_up(store, "letter", "id")
    change(store, "letter", state="sent" if sent_at else "queued", sent_at=sent_at)
    change(store, "letter_recipient", state="sent" if sent_at else "queued")
    return int(letter)


def change(store: Store, name: str, **values: Any) -> None:
    with writing(store.engine) as connection:
        connection.execute(sa.update(tables()[name]).values(**values))


def test_a_letter_is_shown_with_its_readers_and_all_its_steps(store: Store) -> None:
    letter = answer_ticket(store)
    with writing(store.engine) as connection:
        note_letters(connection, [letter], "sending", NOW)
        note_letters(connection, [letter], "sent", NOW + HOUR, "250")
        mark_report(connection, Report(letter, (PERSON,), Fate.READ, "displayed"), 1, NOW + 2 * HOUR)
    card = read_letter(store, letter)
    assert card
    assert (card.ticket, card.purpose, card.state) == (NUMBER, "answer", "sent")
    assert (card.template, card.segment, card.variant, card.language) == ("billing", "academy", "short", "fr")
    assert (card.created_at, card.sent_at, card.body) == (NOW, NOW + HOUR, ANSWER.body)
    (reader,) = card.readers
    assert (reader.address, reader.state, reader.code, reader.delivered_at, reader.read_at) == (
        PERSON, "read", "displayed", None, NOW + 2 * HOUR,
    )  # fmt: skip
    steps = [(one.at, one.word, one.code) for one in card.steps if one.word in ("sending", "sent", "read")]
    assert steps == [(NOW, "sending", ""), (NOW + HOUR, "sent", "250"), (NOW + 2 * HOUR, "read", "displayed")]


def test_there_is_no_card_of_no_letter(store: Store) -> None:
    assert read_letter(store, 7) is None


def test_letters_are_listed_by_state_and_by_ticket(store: Store) -> None:
    answer_ticket(store)
    with writing(store.engine) as connection:
        keep_letter(connection, make_letter("ring", Purpose.RING), "ring:1:1", NOW)
    assert [one.purpose for one in list_letters(store)] == ["answer", "ring"]
    assert [one.purpose for one in list_letters(store, state="queued")] == ["ring"]
    assert [one.purpose for one in list_letters(store, ticket=NUMBER)] == ["answer"]
    assert list_letters(store, state="queued", ticket=NUMBER) == ()


def test_a_period_s_letters_are_those_made_in_it(store: Store) -> None:
    answer_ticket(store)
    assert list_fates(store, NOW, NOW + HOUR) == (
        LetterFate("installation", "billing", "academy", "short", True, ("sent",)),
    )
    assert list_fates(store, NOW - HOUR, NOW) == list_fates(store, NOW + HOUR, NOW + 2 * HOUR) == ()


def test_drafts_are_nobody_s_letters_and_those_to_our_people_no_requester_s(store: Store) -> None:
    draft = make_letter("draft", Purpose.DRAFT, draft=True)
    open_ticket(store, draft, make_letter("told", Purpose.HANDOVER, recipients=(PERSON, PAUL)))
    (fate,) = list_fates(store, NOW, NOW + HOUR)
    assert (fate.for_requester, fate.people) == (False, ("queued", "queued"))


@pytest.mark.parametrize(
    ("status", "solved"),
    [(Status.RESOLVED, True), (Status.CLOSED, True), (Status.SOLUTION_PROPOSED, False), (Status.IN_ANALYSIS, False)],
)
def test_an_answer_has_solved_its_ticket_once_that_is_settled(store: Store, status: Status, solved: bool) -> None:
    answer_ticket(store)
    change_status(store, NUMBER, status, "confirmed", NOW + 2 * HOUR)
    assert [one.solved for one in list_fates(store, NOW, NOW + HOUR)] == [solved]


def test_a_letter_that_needed_another_has_not_solved_it(store: Store) -> None:
    letter = answer_ticket(store)
    (ticket,) = look_up(store, "ticket", "id")
    with writing(store.engine) as connection:
        keep_letter(connection, make_letter("more", Purpose.ANSWER), "again:1", NOW + HOUR, ticket_id=ticket)
    change_status(store, NUMBER, Status.RESOLVED, "confirmed", NOW + 2 * HOUR)
    assert list_solved(store) == [True, True]  # what only waits is no letter yet
    change(store, "letter", state="sent")
    assert list_solved(store) == [False, True]
    assert letter == 1


def test_what_a_person_had_to_add_counts_as_a_further_letter(store: Store) -> None:
    answer_ticket(store)
    (ticket,) = look_up(store, "ticket", "id")
    answered = touch_plan(ticket, 1, event="agent", status=Status.SOLUTION_PROPOSED)
    settle(store, bring_one(store, "more"), make_outcome(answered), NOW + HOUR)
    change_status(store, NUMBER, Status.RESOLVED, "confirmed", NOW + 2 * HOUR)
    assert list_solved(store) == [False]


def test_a_person_s_letter_found_in_the_sent_folder_counts_too(store: Store) -> None:
    answer_ticket(store)
    change_status(store, NUMBER, Status.RESOLVED, "confirmed", NOW + 2 * HOUR)
    with writing(store.engine) as connection:
        row = {"ref": "r", "mailbox_id": 1, "ticket_id": 1, "at": NOW + HOUR, "text": ""}
        connection.execute(sa.insert(tables()["agent_letter"]).values(**row))
    assert list_solved(store) == [False]


def list_solved(store: Store) -> list[bool]:
    return [one.solved for one in list_fates(store, NOW, NOW + 5 * HOUR)]


@pytest.mark.parametrize("sent_at", [NOW + HOUR, None])
def test_our_answer_is_given_when_it_goes_out(store: Store, sent_at: datetime | None) -> None:
    answer_ticket(store, sent_at)
    expected = (Asked("installation", NOW, sent_at),) if sent_at else ()
    assert list_asked(store, NOW, NOW + HOUR) == expected
    assert list_asked(store, NOW + HOUR, NOW + 2 * HOUR) == ()


def test_a_person_s_answer_is_given_when_it_is_seen(store: Store) -> None:
    ticket = open_ticket(store)
    assert list_asked(store, NOW, NOW + HOUR) == ()
    answered = touch_plan(ticket, 1, event="agent", status=Status.SOLUTION_PROPOSED)
    settle(store, bring_one(store, "answer"), make_outcome(answered), NOW + 3 * HOUR)
    assert list_asked(store, NOW, NOW + HOUR) == (Asked("installation", NOW, NOW + 3 * HOUR),)
