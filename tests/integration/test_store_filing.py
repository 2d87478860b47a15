"""Door 9's memory: what is still to do in the mailboxes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from desk.plan import Purpose
from store.filing import ToFile, claim_filings, end_filings, list_open_mailboxes, postpone_filings
from store.memory import Store
from store.retention import forget_letters
from store.views import list_letters
from tests.stores import (
    IGNORED,
    INBOX,
    LATER,
    LEASE,
    NOW,
    VALIDITY,
    add_mailbox,
    bring_one,
    look_up,
    make_letter,
    make_outcome,
    open_ticket,
    settle,
)

MOVED = replace(IGNORED, folder="Done")


@pytest.fixture
def mailbox(store: Store) -> int:
    return add_mailbox(store)


def claim_some(store: Store, mailbox: int, token: str = "filer") -> tuple[ToFile, ...]:
    return claim_filings(store, mailbox, token, NOW, LEASE, 10)


def test_a_move_names_the_uid_as_it_was_shown(store: Store, mailbox: int) -> None:
    settle(store, bring_one(store), make_outcome(MOVED))
    (move,) = claim_some(store, mailbox)
    assert (move.action, move.folder) == ("move", "Done")
    assert (move.source_folder, move.uidvalidity, move.uid) == (INBOX, VALIDITY, 1)
    assert move.letter_id is None


def test_a_draft_carries_its_letter(store: Store, mailbox: int) -> None:
    letter = make_letter("draft", Purpose.DRAFT, draft=True)
    open_ticket(store, letter)
    (draft,) = claim_some(store, mailbox)
    assert (draft.action, draft.header_id, draft.body) == ("draft", letter.header_id, letter.body)


def test_only_mailboxes_with_something_to_do_are_named(store: Store, mailbox: int) -> None:
    add_mailbox(store, "sales")
    assert list_open_mailboxes(store, NOW) == ()
    settle(store, bring_one(store), make_outcome(MOVED))
    assert list_open_mailboxes(store, NOW) == (mailbox,)
    claim_some(store, mailbox)
    assert list_open_mailboxes(store, NOW) == ()
    assert list_open_mailboxes(store, LATER) == (mailbox,)


def test_one_worker_at_a_time_files_and_a_claim_ends_by_itself(store: Store, mailbox: int) -> None:
    settle(store, bring_one(store), make_outcome(MOVED))
    (first,) = claim_some(store, mailbox)
    assert claim_some(store, mailbox, "other") == ()
    (again,) = claim_filings(store, mailbox, "other", LATER, LEASE, 10)
    assert again == replace(first, token="other")


def test_what_is_done_is_done(store: Store, mailbox: int) -> None:
    open_ticket(store, make_letter("draft", Purpose.DRAFT, draft=True))
    end_filings(store, claim_some(store, mailbox), NOW)
    assert claim_filings(store, mailbox, "other", LATER, LEASE, 10) == ()
    assert [one.state for one in list_letters(store)] == ["drafted"]


def test_what_failed_is_tried_later_and_given_up_in_the_end(store: Store, mailbox: int) -> None:
    settle(store, bring_one(store), make_outcome(MOVED))
    postpone_filings(store, claim_some(store, mailbox), LATER, most=2)
    assert claim_filings(store, mailbox, "other", LATER - timedelta(seconds=1), LEASE, 10) == ()
    again = claim_filings(store, mailbox, "other", LATER, LEASE, 10)
    assert [one.attempts for one in again] == [1]
    postpone_filings(store, again, LATER, most=2)
    assert look_up(store, "filing", "state") == ["given_up"]
    assert list_open_mailboxes(store, LATER + LEASE) == ()


def test_a_worker_whose_claim_lapsed_postpones_nothing(store: Store, mailbox: int) -> None:
    settle(store, bring_one(store), make_outcome(MOVED))
    slow = claim_some(store, mailbox)
    claim_filings(store, mailbox, "quick", LATER, LEASE, 10)
    postpone_filings(store, slow, LATER, most=1)
    assert look_up(store, "filing", "state") == ["open"]


def test_a_draft_that_was_forgotten_is_laid_no_more(store: Store, mailbox: int) -> None:
    open_ticket(store, make_letter("draft", Purpose.DRAFT, draft=True))
    forget_letters(store, look_up(store, "letter", "id"), NOW)
    assert claim_some(store, mailbox) == ()
