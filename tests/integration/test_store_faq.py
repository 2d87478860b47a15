"""Proposed articles and questions without one, as the store knows them."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from desk.facts import Status
from desk.faq import Answered, Proposal
from store.cases import change_status
from store.engine import writing
from store.faq import (
    CandidateLine,
    CandidateView,
    find_candidate,
    keep_proposals,
    list_answered,
    list_candidates,
    settle_candidate,
)
from store.ledgers import list_unanswered
from store.memory import Store
from store.retention import forget_examples, forget_mails
from tests.stores import (
    IGNORED,
    NOW,
    add_mailbox,
    bring_one,
    count_rows,
    cut_at,
    look_up,
    make_outcome,
    open_ticket,
    run_together,
    settle,
    tables,
)

SECOND = timedelta(seconds=1)
ANSWER = "Cliquez sur « oublié »."


def add_row(store: Store, name: str, **values: object) -> None:
    with writing(store.engine) as connection:
        connection.execute(sa.insert(tables()[name]).values(**values))


def resolve_one(store: Store, number: str = "2026-000001", status: Status = Status.RESOLVED) -> int:
    """A ticket that a person answered and settled; its mail's id."""
    ticket_id = open_ticket(store, number=number)
    answer(store, number, ticket_id)
    change_status(store, number, status, "set", NOW)
    return int(look_up(store, "message", "id", ticket_id=ticket_id)[0])


def answer(store: Store, ref: str, ticket_id: int, text: str = ANSWER, hours: int = 0) -> None:
    at = NOW + timedelta(hours=hours)
    add_row(store, "agent_letter", ref=ref, mailbox_id=add_mailbox(store), ticket_id=ticket_id, at=at, text=text)


def propose(message_id: int, alike: int = 2, candidate: int = 0) -> Proposal:
    answered = Answered(message_id, NOW, "account", "fr", "Code perdu", ANSWER, candidate)
    return Proposal(answered, alike)


# --- what was answered ---


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.CLOSED])
def test_a_settled_ticket_that_a_person_answered_is_listed(store: Store, status: Status) -> None:
    message_id = resolve_one(store, status=status)
    assert list_answered(store, 9) == (Answered(message_id, NOW, "installation", "fr", "", ANSWER),)


def test_open_tickets_and_those_nobody_answered_are_not(store: Store) -> None:
    answer(store, "r1", open_ticket(store))
    open_ticket(store, number="2026-000002")
    change_status(store, "2026-000002", Status.RESOLVED, "set", NOW)
    assert list_answered(store, 9) == ()


def test_the_last_answer_counts_and_the_mail_that_opened_the_ticket(store: Store) -> None:
    message_id = resolve_one(store)
    (ticket_id,) = look_up(store, "ticket", "id")
    answer(store, "r2", ticket_id, "Encore une chose.", hours=2)
    answer(store, "r3", ticket_id, "Entre-temps.", hours=1)
    assert [(one.message_id, one.answer) for one in list_answered(store, 9)] == [(message_id, "Encore une chose.")]


def test_the_latest_tickets_come_first_and_no_more_than_asked(store: Store) -> None:
    first, second = (resolve_one(store, number) for number in ("2026-000001", "2026-000002"))
    assert [one.message_id for one in list_answered(store, 9)] == [second, first]
    assert [one.message_id for one in list_answered(store, 1)] == [second]


def test_an_erased_mail_or_answer_is_not_listed(store: Store) -> None:
    forget_mails(store, [resolve_one(store)], NOW)
    resolve_one(store, "2026-000002")
    forget_examples(store, cut_at(NOW + SECOND), NOW)
    assert list_answered(store, 9) == ()


# --- candidates ---


def test_a_proposal_is_kept_once_with_its_texts(store: Store) -> None:
    message_id = resolve_one(store)
    assert [keep_proposals(store, [propose(message_id)], NOW) for _ in range(2)] == [1, 0]
    (line,) = list_candidates(store)
    assert line == CandidateLine(line.id, NOW, "proposed", "account", "fr", 2, "")
    assert find_candidate(store, line.id) == CandidateView(
        line.id, "proposed", "account", "fr", 2, "Code perdu", ANSWER
    )
    (again,) = list_answered(store, 9)
    assert (again.candidate, again.question) == (line.id, "Code perdu")


def test_two_runs_at_once_keep_one(store: Store) -> None:
    message_id = resolve_one(store)
    kept = run_together(*[lambda: keep_proposals(store, [propose(message_id)], NOW)] * 4)
    assert sorted(kept) == [0, 0, 0, 1]


def test_a_known_question_is_counted_anew(store: Store) -> None:
    keep_proposals(store, [propose(resolve_one(store))], NOW)
    (known,) = list_candidates(store)
    assert keep_proposals(store, [propose(resolve_one(store, "2026-000002"), 7, known.id)], NOW) == 0
    assert [one.alike for one in list_candidates(store)] == [7]


def test_a_mail_that_was_erased_meanwhile_makes_no_candidate(store: Store) -> None:
    message_id = resolve_one(store)
    forget_mails(store, [message_id], NOW)
    assert keep_proposals(store, [propose(message_id)], NOW) == 0
    assert count_rows(store, "faq_candidate") == 0


def test_a_person_says_once_what_becomes_of_it(store: Store) -> None:
    keep_proposals(store, [propose(resolve_one(store))], NOW)
    (waiting,) = list_candidates(store)
    assert settle_candidate(store, waiting.id, "approved", "fr/code.md")
    assert not settle_candidate(store, waiting.id, "rejected")
    (settled,) = list_candidates(store)
    assert (settled.state, settled.article) == ("approved", "fr/code.md")


def test_those_that_wait_come_first_the_most_asked_before_the_others(store: Store) -> None:
    ids = [resolve_one(store, f"2026-00000{at}") for at in (1, 2, 3)]
    keep_proposals(store, [propose(one, alike) for one, alike in zip(ids, (9, 2, 5), strict=True)], NOW)
    settle_candidate(store, list_candidates(store)[0].id, "rejected")
    assert [(one.alike, one.state) for one in list_candidates(store)] == [
        (5, "proposed"), (2, "proposed"), (9, "rejected"),
    ]  # fmt: skip


def test_a_proposal_whose_texts_had_their_time_waits_for_nobody(store: Store) -> None:
    keep_proposals(store, [propose(resolve_one(store))], NOW)
    forget_examples(store, cut_at(NOW + SECOND), NOW)
    assert [one.state for one in list_candidates(store)] == ["erased"]


def test_a_candidate_that_is_not_there_is_none(store: Store) -> None:
    assert find_candidate(store, 7) is None
    assert not settle_candidate(store, 7, "approved")


# --- questions without an article ---


def look_for(store: Store, message_id: int, outcome: str = "none", hours: float = 0) -> None:
    add_row(
        store, "lookup", message_id=message_id, at=NOW + timedelta(hours=hours), category="account", language="fr",
        article="", score=0.0, outcome=outcome, faults="",
    )  # fmt: skip


@pytest.mark.parametrize(("outcome", "told"), [("none", 1), ("refused", 1), ("quoted", 0), ("grounded", 0)])
def test_mails_that_no_article_answers_are_told(store: Store, outcome: str, told: int) -> None:
    settle(store, bring_one(store), make_outcome(IGNORED))
    (message_id,) = look_up(store, "message", "id")
    look_for(store, message_id, outcome)
    found = list_unanswered(store, NOW, NOW + SECOND)
    assert [(one.message_id, one.category, one.language, one.text) for one in found] == [
        (message_id, "account", "fr", "")
    ] * told
    assert [one.requester for one in found] == look_up(store, "contact", "id")[:told]


@pytest.mark.parametrize(("hours", "told"), [(-0.001, 0), (0, 1), (0.999, 1), (1, 0)])
def test_a_period_holds_its_start_and_not_its_end(store: Store, hours: float, told: int) -> None:
    look_for(store, resolve_one(store), hours=hours)
    assert len(list_unanswered(store, NOW, NOW + timedelta(hours=1))) == told


@pytest.mark.parametrize(("teams", "told"), [((), 2), (("support",), 1), (("other",), 0)])
def test_a_reader_of_some_teams_is_told_of_their_tickets(store: Store, teams: tuple[str, ...], told: int) -> None:
    look_for(store, resolve_one(store))
    settle(store, bring_one(store, "news"), make_outcome(IGNORED))
    look_for(store, look_up(store, "message", "id", ticket_id=None)[0])
    assert len(list_unanswered(store, NOW, NOW + SECOND, teams)) == told


def test_the_latest_come_first(store: Store) -> None:
    ids = [resolve_one(store, f"2026-00000{at}") for at in (1, 2, 3)]
    for message_id, hours in zip(ids, (0.2, 0.3, 0.1), strict=True):
        look_for(store, message_id, hours=hours)
    found = list_unanswered(store, NOW, NOW + timedelta(hours=1))
    assert [one.message_id for one in found] == [ids[1], ids[0], ids[2]]
