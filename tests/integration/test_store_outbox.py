"""Door 8's memory: what may be sent, what was, and what must never be sent again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from desk.plan import Purpose
from desk.sending import After
from store.engine import writing
from store.memory import Store
from store.outbox import (
    Word,
    claim_letters,
    list_spent,
    look_again,
    mark_suppressed,
    mark_unknown,
    release_letters,
    renew_claims,
    retry_plain,
    settle_found,
    settle_unknown,
    turn_letters,
)
from store.outcomes import ReadyLetter
from store.troubles import raise_alert
from store.views import list_letters
from tests.outboxes import SENT, begin, end, queue_letters, take_one, tell_steps
from tests.stores import (
    HANDED_OVER,
    LATER,
    LEASE,
    NOW,
    PERSON,
    add_mailbox,
    bring_one,
    look_up,
    make_letter,
    make_outcome,
    open_ticket,
    run_together,
    settle,
    tables,
)

PAUL = "paul@ecole.example"
MINUTE = timedelta(minutes=1)


def show_states(store: Store) -> list[str]:
    return [one.state for one in list_letters(store)]


def claim_ids(store: Store, token: str = "other", now: datetime = NOW) -> list[int]:
    return [one.id for one in claim_letters(store, token, now, LEASE, 10)]


def add_row(store: Store, name: str, **row: Any) -> None:
    with writing(store.engine) as connection:
        connection.execute(tables()[name].insert().values(**row))


# --- claims ----------------------------------------------------------------------------------------------------------


def test_a_queued_letter_is_claimed_with_all_that_sending_needs(store: Store) -> None:
    letter = make_letter(recipients=(PERSON, PAUL), language="fr")
    claimed = take_one(store, letter)
    assert (claimed.sender, claimed.recipients) == (letter.sender, (PERSON, PAUL))
    assert (claimed.purpose, claimed.header_id, claimed.language) == (letter.purpose, letter.header_id, "fr")
    assert (claimed.created_at, claimed.first_at, claimed.attempts) == (NOW, None, 0)
    assert look_again(store, claimed, NOW).body == letter.body


def test_letters_are_claimed_oldest_first_by_one_sender_at_a_time(store: Store) -> None:
    queue_letters(store, *(make_letter(str(one)) for one in range(3)))
    first = claim_letters(store, "first", NOW, LEASE, 2)
    second = claim_letters(store, "second", NOW, LEASE, 2)
    assert [one.id for one in (*first, *second)] == look_up(store, "letter", "id")
    assert claim_letters(store, "third", NOW, LEASE, 2) == ()


def test_what_is_urgent_for_our_own_people_goes_first(store: Store) -> None:
    purposes = (Purpose.ACKNOWLEDGEMENT, Purpose.DIGEST, Purpose.HANDOVER, Purpose.ANSWER, Purpose.RING)
    queue_letters(store, *(make_letter(one.value, one) for one in purposes))
    claimed = [one.purpose for one in claim_letters(store, "sender", NOW, LEASE, 3)]
    assert claimed == ["handover", "ring", "acknowledgement"]


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
    assert claim_ids(store) == []


def test_a_claimed_letter_that_was_not_begun_is_free_once_its_claim_lapses(store: Store) -> None:
    slow = take_one(store)
    (quick,) = claim_letters(store, "quick", LATER, LEASE, 10)
    assert not begin(store, slow)
    assert begin(store, quick, LATER + LEASE)
    assert show_states(store) == ["sending"]


def test_claims_can_be_renewed_while_the_letters_before_them_are_slow(store: Store) -> None:
    slow = take_one(store)
    renew_claims(store, slow.token, LATER + LEASE)
    assert claim_ids(store, now=LATER) == []
    assert begin(store, slow)


def test_a_letter_is_begun_once(store: Store) -> None:
    letter = take_one(store)
    assert [begin(store, letter), begin(store, letter)] == [True, False]
    assert [one.attempts for one in list_letters(store)] == [1]


def test_letters_that_were_not_begun_are_given_back_and_those_that_were_are_not(store: Store) -> None:
    queue_letters(store, make_letter("a"), make_letter("b"))
    begun, _ = claim_letters(store, "sender", NOW, LEASE, 10)
    begin(store, begun)
    release_letters(store, "sender")
    assert claim_ids(store) == [begun.id + 1]
    assert show_states(store) == ["sending", "queued"]


# --- order -----------------------------------------------------------------------------------------------------------


def test_of_a_ticket_one_letter_after_the_other_goes_to_the_same_person(store: Store) -> None:
    ticket = open_ticket(store)
    queue_letters(store, *(make_letter(str(one)) for one in range(3)), ticket_id=ticket)
    for number in (1, 2, 3):
        (letter,) = claim_letters(store, "sender", NOW, LEASE, 10)
        assert letter.id == number
        assert claim_ids(store) == []
        begin(store, letter)
        assert claim_ids(store, now=LATER) == []
        end(store, letter, "sent")
    assert show_states(store) == ["sent"] * 3


def test_a_letter_that_waits_holds_back_the_later_ones_of_its_ticket_and_person_and_no_others(store: Store) -> None:
    ticket, other = open_ticket(store), open_ticket(store, number="2026-000002")
    first = take_one(store, make_letter("first"), ticket_id=ticket)
    end(store, first, "deferred", {}, next_try=LATER)
    queue_letters(store, make_letter("same"), ticket_id=ticket)
    queue_letters(store, make_letter("to paul", recipients=(PAUL,)), ticket_id=ticket)
    queue_letters(store, make_letter("other ticket"), ticket_id=other)
    queue_letters(store, make_letter("no ticket"))
    assert claim_ids(store) == [3, 4, 5]
    assert claim_ids(store, now=LATER) == [1, 3, 4, 5]


@pytest.mark.parametrize("purpose", [Purpose.RING, Purpose.ACKNOWLEDGEMENT])
def test_an_urgent_letter_does_not_overtake_an_earlier_one_of_its_ticket_to_the_same_person(
    store: Store, purpose: Purpose
) -> None:
    ticket = open_ticket(store)
    queue_letters(store, make_letter("first"), make_letter("second", purpose), ticket_id=ticket)
    assert claim_ids(store) == [1]


def test_whom_an_earlier_letter_has_reached_gets_the_next_while_it_waits_for_another(store: Store) -> None:
    ticket = open_ticket(store)
    both = take_one(store, make_letter("both", recipients=(PERSON, PAUL)), ticket_id=ticket)
    end(store, both, "deferred", {**SENT, PAUL: ("deferred", "451")}, next_try=LATER)
    queue_letters(store, make_letter("paul", recipients=(PAUL,)), make_letter("lea"), ticket_id=ticket)
    assert claim_ids(store) == [3]


@pytest.mark.parametrize("state", ["sent", "refused", "unknown", "withdrawn"])
def test_a_letter_that_is_done_with_holds_nobody_back(store: Store, state: str) -> None:
    ticket = open_ticket(store)
    end(store, take_one(store, make_letter("first"), ticket_id=ticket), state, {})
    queue_letters(store, make_letter("second"), ticket_id=ticket)
    assert claim_ids(store) == [2]


# --- one letter after the other --------------------------------------------------------------------------------------


def test_a_letter_that_was_sent_is_not_claimed_again(store: Store) -> None:
    letter = take_one(store)
    begin(store, letter)
    assert end(store, letter, "sent") == "sent"
    assert show_states(store) == ["sent"]
    assert look_up(store, "letter", "sent_at") == [NOW]
    assert look_up(store, "letter_recipient", "code") == ["250"]
    assert claim_ids(store, now=LATER) == []
    assert tell_steps(store) == ["sending", "sent"]


def test_the_end_of_one_letter_and_the_beginning_of_the_next_are_one_step(store: Store) -> None:
    queue_letters(store, make_letter("a"), make_letter("b"))
    one, other = claim_letters(store, "sender", NOW, LEASE, 10)
    begin(store, one)
    turned = turn_letters(store, (one, After("sent", SENT)), (other, "zipped"), NOW, LATER)
    assert (turned.state, turned.begun, show_states(store)) == ("sent", True, ["sent", "sending"])
    assert look_up(store, "letter", "shape") == ["", "zipped"]
    assert tell_steps(store, other.id) == ["zipped", "sending"]


def test_what_became_of_a_letter_is_kept_also_when_the_next_may_not_go(store: Store) -> None:
    queue_letters(store, make_letter("a"), make_letter("b"))
    one, other = claim_letters(store, "sender", NOW, LEASE, 10)
    begin(store, one)
    claim_letters(store, "thief", LATER, LEASE, 10)
    turned = turn_letters(store, (one, After("sent", SENT)), (other, ""), LATER, LATER + LEASE)
    assert (turned.state, turned.begun, show_states(store)) == ("sent", False, ["sent", "queued"])


def test_recipients_that_were_served_are_not_served_again(store: Store) -> None:
    letter = take_one(store, make_letter(recipients=(PERSON, PAUL)))
    begin(store, letter)
    end(store, letter, "deferred", {**SENT, PAUL: ("deferred", "451")}, next_try=LATER, error_code="smtp-451")
    (again,) = claim_letters(store, "other", LATER, LEASE, 10)
    assert (again.recipients, again.attempts, again.first_at) == ((PAUL,), 1, NOW)
    begin(store, again, LATER + LEASE)
    assert end(store, again, "refused", {PAUL: ("refused", "550")}, LATER) == "partly"
    assert look_up(store, "letter_recipient", "state") == ["sent", "refused"]
    assert (show_states(store), look_up(store, "letter", "sent_at")) == (["partly"], [LATER])


def test_a_deferred_letter_waits_for_its_time(store: Store) -> None:
    end(store, take_one(store), "deferred", {}, next_try=LATER, error_code="smtp-451")
    assert show_states(store) == ["deferred"]
    assert claim_ids(store, now=LATER - timedelta(seconds=1)) == []
    assert claim_ids(store, now=LATER) == [1]
    assert [one.error_code for one in list_letters(store)] == ["smtp-451"]
    assert tell_steps(store) == ["deferred:smtp-451"]


def test_a_try_without_a_reply_is_no_attempt(store: Store) -> None:
    end(store, take_one(store), "deferred", {}, next_try=LATER, error_code="hung-up")
    (again,) = claim_letters(store, "other", LATER, LEASE, 10)
    assert (again.attempts, again.first_at) == (0, None)


def test_what_waits_for_its_quota_is_told_of_once(store: Store) -> None:
    letter = take_one(store)
    for now in (NOW, LATER):
        end(store, letter, "deferred", {}, now, next_try=now + LEASE, reason="quota")
        (letter,) = claim_letters(store, "sender", now + LEASE, LEASE, 10)
    assert tell_steps(store) == ["deferred:quota"]
    assert look_up(store, "letter", "reason") == ["quota"]


# --- the gate's facts ------------------------------------------------------------------------------------------------


def suppress(store: Store, address: str, until: datetime | None = None) -> None:
    add_row(store, "suppression", address=address, reason="bounced", code="", since=NOW, until=until)


@pytest.mark.parametrize(("until", "held"), [(None, True), (LATER, True), (NOW - MINUTE, False)])
def test_suppressed_recipients_are_found_however_they_are_written(
    store: Store, until: datetime | None, held: bool
) -> None:
    letter = take_one(store, make_letter(recipients=("Lea.Martin@Ecole.example", PAUL)))
    suppress(store, PERSON, until)
    assert look_again(store, letter, NOW).suppressed == ({"Lea.Martin@Ecole.example"} if held else set())


def test_a_suppressed_recipient_is_left_out_and_the_others_served(store: Store) -> None:
    letter = take_one(store, make_letter(recipients=(PERSON, PAUL)))
    mark_suppressed(store, letter, [PAUL], NOW)
    release_letters(store, "sender")
    (again,) = claim_letters(store, "other", NOW, LEASE, 10)
    begin(store, again)
    assert (again.recipients, end(store, again, "sent")) == ((PERSON,), "partly")
    assert tell_steps(store) == ["suppressed", "sending", "partly"]


def note_event(store: Store, ticket: int, word: str, at: datetime) -> None:
    add_row(store, "event", ticket_id=ticket, at=at, word=word, status="new", message_id=None)


def note_agent(store: Store, at: datetime, **more: int) -> None:
    whole = {"ticket_id": None, "message_id": None, "letter_id": None, "text": "", **more}
    add_row(store, "agent_letter", ref="ref", mailbox_id=add_mailbox(store, "agents"), at=at, **whole)


@pytest.mark.parametrize(
    ("word", "at", "taken"),
    [("agent", LATER, True), ("by-hand", LATER, True), ("joined", LATER, False), ("agent", NOW - MINUTE, False)],
)
def test_a_case_is_taken_by_what_a_person_did_after_its_answer_was_written(
    store: Store, word: str, at: datetime, taken: bool
) -> None:
    ticket = open_ticket(store)
    letter = take_one(store, make_letter(purpose=Purpose.ANSWER), ticket_id=ticket)
    note_event(store, ticket, word, at)
    assert look_again(store, letter, LATER).taken is taken


def test_a_letter_of_an_agent_on_its_ticket_takes_the_case_if_it_is_the_later_one(store: Store) -> None:
    ticket = open_ticket(store)
    letter = take_one(store, make_letter(purpose=Purpose.ANSWER), ticket_id=ticket)
    note_agent(store, NOW - MINUTE, ticket_id=ticket)
    assert not look_again(store, letter, LATER).taken
    with writing(store.engine) as connection:
        connection.execute(tables()["agent_letter"].update().values(at=LATER))
    assert look_again(store, letter, LATER).taken


def test_a_letter_of_an_agent_that_answers_the_very_mail_takes_the_case_whenever_it_went(store: Store) -> None:
    waiting = bring_one(store)
    settle(store, waiting, make_outcome(HANDED_OVER, make_letter(purpose=Purpose.ANSWER)))
    (letter,) = claim_letters(store, "sender", NOW, LEASE, 10)
    note_agent(store, NOW - MINUTE, message_id=waiting.id)
    assert look_again(store, letter, LATER).taken


def test_an_acknowledgement_is_still_true_when_a_person_has_the_case(store: Store) -> None:
    ticket = open_ticket(store)
    letter = take_one(store, ticket_id=ticket)
    note_event(store, ticket, "agent", LATER)
    assert not look_again(store, letter, LATER).taken


def test_what_left_a_mailbox_is_counted_with_what_others_have_in_hand(store: Store) -> None:
    settle(store, bring_one(store, "a"), make_outcome(HANDED_OVER, make_letter("a")))
    settle(store, bring_one(store, "b"), make_outcome(HANDED_OVER, make_letter("b"), number="2026-000002"))
    (mailbox,) = look_up(store, "mailbox", "id")
    (first,) = claim_letters(store, "sender", NOW, LEASE, 1)
    end(store, first, "sent")
    claim_letters(store, "other", NOW, LEASE, 1)

    def count(token: str, now: datetime) -> tuple[datetime, ...]:
        return list_spent(store, [mailbox], NOW - MINUTE, token, now)[mailbox].moments

    assert count("sender", NOW + MINUTE) == (NOW, NOW + MINUTE)
    assert count("other", NOW + MINUTE) == (NOW,)
    assert count("sender", LATER) == (NOW,)  # its claim has lapsed
    assert list_spent(store, [mailbox], NOW, "other", NOW)[mailbox].moments == ()  # before the window


# --- copies for the Sent folder --------------------------------------------------------------------------------------


def send_from_mailbox(store: Store, **more: Any) -> list[tuple[str, int]]:
    """Filings after a letter about a mail of the mailbox support@ was sent."""
    settle(store, bring_one(store), make_outcome(HANDED_OVER, make_letter(**more)))
    (letter,) = claim_letters(store, "sender", NOW, LEASE, 1)
    begin(store, letter)
    turn_letters(store, (letter, After("sent", SENT)), None, NOW, NOW, sent_copy=True)
    actions, ids = look_up(store, "filing", "action"), look_up(store, "filing", "letter_id")
    return [(action, one) for action, one in zip(actions, ids, strict=True) if one]


def test_a_letter_from_a_mailboxs_own_address_is_to_be_laid_in_its_sent_folder(store: Store) -> None:
    assert send_from_mailbox(store, sender="Support@atelier.example") == [("sent", 1)]


def test_a_letter_that_is_not_from_the_mailboxs_own_address_leaves_no_copy_there(store: Store) -> None:
    assert send_from_mailbox(store, sender="bureau@atelier.example") == []


@pytest.mark.parametrize("state", ["refused", "unknown", "deferred"])
def test_what_did_not_go_out_leaves_no_copy(store: Store, state: str) -> None:
    settle(store, bring_one(store), make_outcome(HANDED_OVER, make_letter()))
    (letter,) = claim_letters(store, "sender", NOW, LEASE, 1)
    turn_letters(store, (letter, After(state, {PERSON: (state, "")})), None, NOW, NOW, sent_copy=True)
    assert "sent" not in look_up(store, "filing", "action")


# --- unknown fate ----------------------------------------------------------------------------------------------------


def lose_one(store: Store, letter: ReadyLetter | None = None) -> int:
    """A letter that was being sent when its worker died, and the alert about it."""
    lost = take_one(store, letter)
    begin(store, lost, NOW + LEASE)
    mark_unknown(store, LATER)
    raise_alert(store, f"letter:{lost.id}", "unknown-fate", "Look.", LATER)
    return lost.id


def test_a_letter_lost_while_it_was_sent_has_an_unknown_fate_and_is_never_sent_again(store: Store) -> None:
    letter = take_one(store)
    begin(store, letter, NOW + LEASE)
    assert mark_unknown(store, NOW + LEASE) == ()
    assert mark_unknown(store, LATER) == (letter.id,)
    assert mark_unknown(store, LATER) == ()
    assert show_states(store) == ["unknown"]
    assert look_up(store, "letter_recipient", "state") == ["unknown"]
    assert claim_ids(store, now=LATER + LEASE) == []
    assert tell_steps(store) == ["sending", "unknown:worker-lost"]


def test_a_letter_being_sent_is_claimed_by_nobody_even_when_its_claim_lapsed(store: Store) -> None:
    begin(store, take_one(store), NOW + LEASE)
    assert claim_ids(store, now=LATER) == []


def test_a_sender_that_comes_back_too_late_changes_nothing(store: Store) -> None:
    letter = take_one(store)
    begin(store, letter, NOW + LEASE)
    mark_unknown(store, LATER)
    assert end(store, letter, "deferred", {PERSON: ("deferred", "451")}, LATER) == "lost"
    assert show_states(store) == ["unknown"]
    assert look_up(store, "letter_recipient", "state") == ["unknown"]
    assert claim_ids(store, now=LATER + LEASE) == []


def test_a_sender_that_comes_back_late_with_the_servers_yes_ends_the_doubt(store: Store) -> None:
    letter = take_one(store)
    begin(store, letter, NOW + LEASE)
    mark_unknown(store, LATER)
    assert end(store, letter, "sent", SENT, LATER) == "sent"
    assert show_states(store) == ["sent"]


def test_a_letter_lost_on_its_second_way_keeps_who_was_served(store: Store) -> None:
    letter = take_one(store, make_letter(recipients=(PERSON, PAUL)))
    begin(store, letter)
    end(store, letter, "deferred", SENT)
    (again,) = claim_letters(store, "other", NOW, LEASE, 10)
    begin(store, again, NOW + LEASE)
    mark_unknown(store, LATER)
    assert look_up(store, "letter_recipient", "state") == ["sent", "unknown"]


def test_a_lost_letter_that_is_found_is_sent_and_its_alert_ends(store: Store) -> None:
    letter_id = lose_one(store)
    assert settle_found(store, [letter_id, 99], LATER) == (letter_id,)
    assert settle_found(store, [letter_id], LATER) == ()
    assert (show_states(store), look_up(store, "letter_recipient", "state")) == (["sent"], ["sent"])
    assert look_up(store, "letter", "sent_at") == [LATER]
    assert look_up(store, "alert", "ended_at") == [LATER]
    assert tell_steps(store)[-2:] == ["unknown:worker-lost", "sent:found"]


def test_a_letter_that_is_not_lost_is_not_settled(store: Store) -> None:
    letter = take_one(store)
    assert settle_found(store, [letter.id], NOW) == ()
    assert not settle_unknown(store, letter.id, "resend", NOW)
    assert show_states(store) == ["queued"]


def test_whoever_was_put_off_when_a_letter_got_lost_gets_it_once_it_is_found(store: Store) -> None:
    letter = take_one(store, make_letter(recipients=(PERSON, PAUL)))
    begin(store, letter)
    end(store, letter, "unknown", {PERSON: ("unknown", ""), PAUL: ("deferred", "451")})
    settle_found(store, [letter.id], NOW)
    (again,) = claim_letters(store, "other", NOW, LEASE, 10)
    assert again.recipients == (PAUL,)


@pytest.mark.parametrize(("word", "state", "person"), [("sent", "sent", "sent"), ("drop", "withdrawn", "unknown")])
def test_a_person_says_what_became_of_a_lost_letter(store: Store, word: Word, state: str, person: str) -> None:
    letter_id = lose_one(store)
    assert settle_unknown(store, letter_id, word, LATER)
    assert (show_states(store), look_up(store, "letter_recipient", "state")) == ([state], [person])
    assert look_up(store, "alert", "ended_at") == [LATER]
    assert claim_ids(store, now=LATER + LEASE) == []
    assert tell_steps(store)[-1] == f"{state}:by-hand"


def test_only_a_person_has_a_lost_letter_sent_once_more(store: Store) -> None:
    letter_id = lose_one(store)
    assert settle_unknown(store, letter_id, "resend", LATER)
    (again,) = claim_letters(store, "other", LATER, LEASE, 10)
    assert (again.id, again.recipients) == (letter_id, (PERSON,))
    assert look_up(store, "alert", "ended_at") == [LATER]


def test_a_lost_letter_whose_words_were_erased_cannot_go_again(store: Store) -> None:
    letter_id = lose_one(store)
    with writing(store.engine) as connection:
        connection.execute(tables()["letter"].update().values(body=None))
    assert not settle_unknown(store, letter_id, "resend", LATER)
    assert show_states(store) == ["unknown"]


# --- letters taken for spam ------------------------------------------------------------------------------------------


def bounce(store: Store, letter_id: int, address: str) -> bool:
    """A report came that it is spam; whether it goes again."""
    with writing(store.engine) as connection:
        people = tables()["letter_recipient"]
        connection.execute(people.update().where(people.c.address == address).values(state="bounced"))
        return retry_plain(connection, letter_id, LATER)


def test_a_letter_that_comes_back_as_spam_goes_once_more_to_whom_it_came_back_from(store: Store) -> None:
    letter = take_one(store, make_letter(recipients=(PERSON, PAUL)))
    end(store, letter, "sent", {PERSON: ("sent", "250"), PAUL: ("sent", "250")})
    assert bounce(store, letter.id, PAUL)
    (again,) = claim_letters(store, "other", LATER, LEASE, 10)
    assert (again.recipients, again.shape, again.header_id) == ((PAUL,), "plain", letter.header_id)
    end(store, again, "sent", {PAUL: ("sent", "250")}, LATER)
    assert not bounce(store, letter.id, PAUL)
    assert tell_steps(store) == ["sent", "plain", "deferred:spam", "sent"]


def test_a_letter_on_its_way_is_not_sent_again_for_an_early_report(store: Store) -> None:
    letter = take_one(store)
    begin(store, letter)
    assert not bounce(store, letter.id, PERSON)
    assert show_states(store) == ["sending"]


def test_the_next_try_of_a_letter_knows_what_is_to_be_mended(store: Store) -> None:
    end(store, take_one(store), "deferred", {PERSON: ("deferred", "552")}, next_try=NOW, mend="shrink")
    (again,) = claim_letters(store, "other", NOW, LEASE, 10)
    end(store, again, "deferred", {PERSON: ("deferred", "554")}, next_try=NOW, mend="plain")
    (last,) = claim_letters(store, "last", NOW, LEASE, 10)
    assert (again.shape, last.shape) == ("bare", "bare plain")
