"""Forgetting what people's own letters, proposed articles, certificates and suppressed addresses tell."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from desk.facts import Status
from desk.forgetting import Cutoffs
from store.cases import change_status
from store.certificates import keep_certificate
from store.engine import writing
from store.memory import Store
from store.retention import (
    find_due,
    forget_certificates,
    forget_examples,
    forget_letters,
    forget_mails,
    hold_ticket,
    release_ticket,
)
from store.sharing import Shared, keep_shared, list_expired
from store.suppression import forget_suppressed, suppress_all
from tests.stores import (
    IGNORED,
    NOW,
    PERSON,
    add_mailbox,
    bring_in,
    bring_one,
    count_rows,
    cut_at,
    look_up,
    make_letter,
    make_mail,
    make_outcome,
    open_ticket,
    settle,
    tables,
)

NUMBER = "2026-000001"
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
THEN = NOW + timedelta(days=400)
CUT = cut_at(NOW + SECOND)  # all that ended at NOW has had its time
EARLY = cut_at(NOW)  # nothing has
QUESTION, ANSWER = "Personne_001 a perdu son code", "Bonjour Personne_001, cliquez sur « oublié »."
OTHER = "paul@ecole.example"


def add_row(store: Store, name: str, **values: object) -> None:
    with writing(store.engine) as connection:
        connection.execute(sa.insert(tables()[name]).values(**values))


def answer(store: Store, ref: str = "r1", at: datetime = NOW, **more: object) -> None:
    """A letter of one of our people."""
    add_row(store, "agent_letter", ref=ref, mailbox_id=add_mailbox(store), at=at, text=ANSWER, **more)


def propose(store: Store, message_id: int, at: datetime = NOW, state: str = "proposed") -> None:
    add_row(
        store, "faq_candidate", message_id=message_id, at=at, question=QUESTION, answer=ANSWER, state=state,
        category="account", language="fr", alike=2, article="",
    )  # fmt: skip


def live_through(store: Store) -> int:
    """A closed ticket that a person answered and of which an article was proposed; its mail's id."""
    ticket_id = open_ticket(store)
    (message_id,) = look_up(store, "message", "id")
    answer(store, ticket_id=ticket_id, message_id=message_id)
    propose(store, message_id)
    change_status(store, NUMBER, Status.CLOSED, "closed", NOW)
    return int(message_id)


def list_texts(store: Store) -> list[str]:
    columns = (("agent_letter", "text"), ("faq_candidate", "question"), ("faq_candidate", "answer"))
    return [text for place in columns for text in look_up(store, *place)]


# --- texts under pseudonyms ---


def test_texts_that_people_left_go_by_the_period_of_examples(store: Store) -> None:
    live_through(store)
    assert (find_due(store, EARLY, THEN, 9).examples, find_due(store, CUT, THEN, 9).examples) == (0, 2)
    assert forget_examples(store, EARLY, THEN) == 0
    assert list_texts(store) == [ANSWER, QUESTION, ANSWER]
    assert forget_examples(store, CUT, THEN) == 2
    assert list_texts(store) == ["", "", ""]
    assert forget_examples(store, CUT, THEN) == 0
    assert find_due(store, CUT, THEN, 9).examples == 0


def test_that_there_was_an_answer_and_a_proposal_stays(store: Store) -> None:
    live_through(store)
    forget_examples(store, CUT, THEN)
    assert look_up(store, "agent_letter", "ref") == ["r1"]
    assert look_up(store, "faq_candidate", "alike") == [2]


def test_texts_of_a_held_ticket_stay(store: Store) -> None:
    live_through(store)
    answer(store, "r2", ticket_id=look_up(store, "ticket", "id")[0])  # of which no mail is known
    hold_ticket(store, NUMBER, "claim before court", NOW)
    assert find_due(store, CUT, THEN, 9).examples == 0
    assert forget_examples(store, CUT, THEN) == 0
    release_ticket(store, NUMBER, THEN)
    assert forget_examples(store, CUT, THEN) == 3


def test_a_letter_of_no_known_ticket_has_its_time_too(store: Store) -> None:
    answer(store)
    assert forget_examples(store, CUT, THEN) == 1
    assert count_rows(store, "agent_letter") == 0


def test_with_its_mail_go_the_texts_that_are_old_enough(store: Store) -> None:
    message_id = live_through(store)
    forget_mails(store, [message_id], THEN, keep_examples=NOW)
    assert list_texts(store) == [ANSWER, QUESTION, ANSWER]
    forget_mails(store, [message_id], THEN, keep_examples=NOW + SECOND)
    assert look_up(store, "faq_candidate", "answer") == [""]
    assert count_rows(store, "agent_letter") == 0


def test_an_erasure_that_a_person_asked_for_takes_the_texts_at_once(store: Store) -> None:
    message_id = live_through(store)
    ticket_id = look_up(store, "ticket", "id")[0]
    answer(store, "r2", ticket_id=ticket_id)
    forget_mails(store, [message_id], NOW)
    assert list_texts(store) == ["", ""]
    assert count_rows(store, "agent_letter") == 0


def test_an_erasure_leaves_the_texts_of_others(store: Store) -> None:
    message_id = live_through(store)
    open_ticket(store, number="2026-000002")
    other = look_up(store, "message", "id")[-1]
    answer(store, "r2", message_id=other, ticket_id=look_up(store, "ticket", "id")[-1])
    propose(store, other)
    forget_mails(store, [message_id], NOW)
    assert look_up(store, "agent_letter", "ref") == ["r2"]
    assert look_up(store, "faq_candidate", "answer") == ["", ANSWER]


def test_what_a_letter_is_known_by_stays_while_a_mail_of_its_conversation_lives(store: Store) -> None:
    settle(store, bring_one(store, "first"), make_outcome(IGNORED))
    bring_in(store, make_mail("reply", "first"))
    first, reply = look_up(store, "message", "id")
    answer(store, message_id=first)
    forget_examples(store, CUT, THEN)
    forget_mails(store, [first], THEN)
    assert look_up(store, "agent_letter", "ref") == ["r1"]
    forget_mails(store, [reply], THEN)
    assert count_rows(store, "agent_letter") == 0


# --- addresses ---


@pytest.fixture
def known(store: Store) -> Store:
    """A person who wrote and a colleague who never did, both with a certificate and suppressed."""
    settle(store, bring_one(store), make_outcome(IGNORED))
    for address in (PERSON, OTHER):
        keep_certificate(store, address, "PEM", NOW + 2 * DAY, NOW)
        suppress_all(store, [address], "bounced", NOW, NOW + DAY)
    return store


def list_addresses(store: Store) -> list[list[str]]:
    return [look_up(store, name, "address") for name in ("certificate", "suppression")]


def test_an_erasure_that_a_person_asked_for_takes_their_certificate_and_suppression(known: Store) -> None:
    forget_mails(known, look_up(known, "message", "id"), NOW)
    assert list_addresses(known) == [[OTHER], [OTHER]]


def test_what_goes_by_its_own_time_leaves_them(known: Store) -> None:
    forget_mails(known, look_up(known, "message", "id"), THEN, keep_examples=THEN)
    assert list_addresses(known) == [sorted([PERSON, OTHER])] * 2


def test_suppressions_go_when_they_are_over(known: Store) -> None:
    suppress_all(known, ["dead@ecole.example"], "by-hand", NOW, None)
    for at, due in ((NOW + DAY - SECOND, 0), (NOW + DAY, 2)):
        assert find_due(known, CUT, at, 9).suppressions == due
        assert forget_suppressed(known, at) == due
    assert look_up(known, "suppression", "address") == ["dead@ecole.example"]


@pytest.mark.parametrize(("ended", "due"), [(NOW - SECOND, 2), (NOW + SECOND, 0)])
def test_certificates_go_some_time_after_they_ended(known: Store, ended: datetime, due: int) -> None:
    for address in (PERSON, OTHER):
        keep_certificate(known, address, "PEM", ended, NOW)
    cutoffs: Cutoffs = EARLY
    assert find_due(known, cutoffs, THEN, 9).certificates == due
    assert forget_certificates(known, cutoffs) == due
    assert count_rows(known, "certificate") == 2 - due


def test_with_a_letter_end_the_links_to_its_files(store: Store) -> None:
    for name in ("gone", "kept"):
        settle(store, bring_one(store, name), make_outcome(IGNORED, make_letter(name)))
    gone, kept = look_up(store, "letter", "id")
    keep_shared(store, gone, [Shared("a", 1, NOW + DAY), Shared("b", 1, NOW - DAY)])
    keep_shared(store, kept, [Shared("c", 1, NOW + DAY)])
    assert list_expired(store, NOW) == ("b",)
    forget_letters(store, [gone], NOW)
    assert list_expired(store, NOW) == ("a", "b")
    assert look_up(store, "shared_file", "expires_at", place="b") == [NOW - DAY]


def test_what_was_looked_up_stays_as_a_figure(store: Store) -> None:
    message_id = live_through(store)
    add_row(
        store, "lookup", message_id=message_id, at=NOW, category="account", language="fr", article="", score=0.0,
        outcome="none", faults="",
    )  # fmt: skip
    forget_mails(store, [message_id], THEN)
    forget_examples(store, CUT, THEN)
    assert look_up(store, "lookup", "category") == ["account"]
