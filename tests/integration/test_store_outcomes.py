"""Door 7: what a plan leaves behind, all of it or nothing, and only under a claim that still holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa

from desk.errors import ClaimLost, StaleDecision
from desk.facts import Status
from desk.mail import Address, Bounce, Mail
from desk.plan import Plan, Purpose, Verdict
from store.engine import writing
from store.facts import gather_facts
from store.memory import Store
from store.messages import Waiting, claim_conversations
from store.numbers import NumberStock, reserve_numbers
from store.outcomes import Outcome, ReadyLetter, keep_letter
from store.views import list_letters, list_mails, list_tickets
from tests.stores import (
    ANSWERED,
    HANDED_OVER,
    IGNORED,
    LATER,
    LEASE,
    NAME,
    NOW,
    OPENING,
    PERSON,
    add_mailbox,
    bring_in,
    bring_one,
    carry_out,
    claim_all,
    count_rows,
    look_up,
    make_letter,
    make_mail,
    make_outcome,
    name_id,
    open_ticket,
    run_together,
    settle,
    touch_plan,
)

LEFT_BEHIND = (
    "ticket", "ticket_origin", "participant", "event", "decision", "judgement", "letter", "letter_recipient", "filing",
)  # fmt: skip


def count_traces(store: Store) -> dict[str, int]:
    return {name: count_rows(store, name) for name in LEFT_BEHIND if count_rows(store, name)}


# --- what is left behind ---


def test_a_plan_leaves_ticket_history_decision_and_letter(store: Store) -> None:
    waiting = bring_one(store)
    settle(store, waiting, make_outcome(HANDED_OVER, make_letter()))
    assert count_traces(store) == {
        "ticket": 1, "ticket_origin": 1, "participant": 1, "event": 1, "decision": 1, "judgement": 2, "letter": 1,
        "letter_recipient": 1,
    }  # fmt: skip
    (ticket,) = list_tickets(store)
    assert (ticket.number, ticket.status, ticket.respond_by) == ("2026-000001", "new", OPENING.respond_by)
    assert ticket.responded_at is None
    (mail,) = list_mails(store)
    assert (mail.verdict, mail.ticket, mail.letters) == ("handed_over", "new", ("acknowledgement",))
    assert look_up(store, "judgement", "trouble") == ["model-answer", ""]
    assert look_up(store, "letter", "origin") == [f"decision:{look_up(store, 'decision', 'id')[0]}"]


def test_a_mail_that_is_ignored_opens_nothing(store: Store) -> None:
    settle(store, bring_one(store), make_outcome(IGNORED))
    assert count_traces(store) == {"decision": 1, "judgement": 2}
    assert look_up(store, "message", "state") == ["decided"]


def test_an_automatic_answer_counts_as_the_first_answer(store: Store) -> None:
    open_ticket(store, plan=ANSWERED)
    assert look_up(store, "ticket", "responded_at") == [NOW]


def test_a_reply_joins_its_ticket(store: Store) -> None:
    ticket = open_ticket(store)
    settle(store, bring_one(store, "reply", "mail of 2026-000001"), make_outcome(touch_plan(ticket, 1)))
    assert look_up(store, "message", "ticket_id") == [ticket, ticket]
    assert look_up(store, "event", "word") == ["opened", "joined"]
    assert look_up(store, "ticket", "version") == [2]
    assert [one.ticket for one in list_mails(store)] == ["new", "joined"]


@pytest.mark.parametrize(("earlier", "kept"), [(None, LATER), (NOW, NOW)], ids=["first answer", "answered before"])
def test_an_agents_answer_stops_the_clock_once(store: Store, earlier: datetime | None, kept: datetime) -> None:
    ticket = open_ticket(store, plan=ANSWERED if earlier else HANDED_OVER)
    plan = touch_plan(ticket, 1, event="agent", status=Status.SOLUTION_PROPOSED)
    settle(store, bring_one(store, "answer"), make_outcome(plan), LATER)
    assert look_up(store, "ticket", "responded_at") == [kept]


def test_a_ticket_that_is_confirmed_is_resolved_until_it_is_opened_again(store: Store) -> None:
    ticket = open_ticket(store)
    confirmed = touch_plan(ticket, 1, Verdict.CONFIRMED, status=Status.RESOLVED)
    settle(store, bring_one(store, "thanks"), make_outcome(confirmed), LATER)
    assert look_up(store, "ticket", "resolved_at") == [LATER]
    settle(store, bring_one(store, "alas"), make_outcome(touch_plan(ticket, 2)), LATER)
    assert look_up(store, "ticket", "resolved_at") == [None]


def test_a_letter_to_one_person_twice_has_one_recipient(store: Store) -> None:
    open_ticket(store, make_letter(recipients=(PERSON, PERSON)))
    assert look_up(store, "letter_recipient", "address") == [PERSON]


@pytest.mark.parametrize(
    ("folder", "after_intake", "filed"),
    [
        ("", "keep", []),
        ("", "flag", [("after_intake", "")]),
        ("Done", "keep", [("move", "Done")]),
        ("Done", "flag", [("move", "Done")]),
    ],
)
def test_a_mail_is_filed_as_verdict_and_mailbox_say(
    store: Store, folder: str, after_intake: str, filed: list[tuple[str, str]]
) -> None:
    waiting = bring_one(store)
    with writing(store.engine) as connection:
        connection.execute(sa.text("UPDATE mailbox SET after_intake = :word"), {"word": after_intake})
    settle(store, waiting, make_outcome(replace(IGNORED, folder=folder)))
    rows = zip(look_up(store, "filing", "action"), look_up(store, "filing", "folder"), strict=True)
    assert list(rows) == filed


def test_a_mail_in_two_mailboxes_is_filed_in_both(store: Store) -> None:
    bring_in(store, make_mail("help"))
    bring_in(store, make_mail("help"), mailbox="sales")
    (waiting,) = claim_all(store)
    settle(store, waiting, make_outcome(replace(IGNORED, folder="Done")))
    assert look_up(store, "filing", "mailbox_id") == [add_mailbox(store), add_mailbox(store, "sales")]


def test_a_draft_is_laid_in_the_mailbox_and_not_sent(store: Store) -> None:
    open_ticket(store, make_letter("draft", Purpose.DRAFT, draft=True))
    assert [one.state for one in list_letters(store)] == ["draft"]
    assert look_up(store, "filing", "action") == ["draft"]


# --- fences ---


def test_a_lapsed_claim_that_another_worker_took_commits_nothing(store: Store) -> None:
    slow = bring_one(store)
    (quick,) = claim_all(store, "quick", LATER)
    with pytest.raises(ClaimLost):
        carry_out(store, slow, make_outcome(HANDED_OVER, make_letter()), LATER, LATER + LEASE)
    assert count_traces(store) == {}
    assert look_up(store, "message", "state") == ["waiting"]
    carry_out(store, quick, make_outcome(HANDED_OVER, make_letter()), LATER, LATER + LEASE)
    assert count_rows(store, "ticket") == 1


def test_a_claim_that_was_given_back_commits_nothing(store: Store) -> None:
    waiting = bring_one(store)
    settle(store, waiting, make_outcome(IGNORED))
    before = count_traces(store)
    with pytest.raises(ClaimLost):
        carry_out(store, waiting, make_outcome(), NOW, LATER)
    assert count_traces(store) == before


def test_a_mail_is_decided_once_under_one_claim(store: Store) -> None:
    waiting = bring_one(store)
    carry_out(store, waiting, make_outcome(), NOW, LATER)
    before = count_traces(store)
    with pytest.raises(StaleDecision):
        carry_out(store, waiting, make_outcome(number="2026-000002"), NOW, LATER)
    assert count_traces(store) == before


def test_a_ticket_that_changed_under_a_decision_is_left_alone(store: Store) -> None:
    ticket = open_ticket(store)
    settle(store, bring_one(store, "reply"), make_outcome(touch_plan(ticket, 1)))
    before = count_traces(store)
    with pytest.raises(StaleDecision):
        carry_out(store, bring_one(store, "late"), make_outcome(touch_plan(ticket, 1), make_letter()), NOW, LATER)
    assert count_traces(store) == before
    assert look_up(store, "ticket", "version") == [2]


def test_a_mail_opens_one_ticket_even_when_it_is_decided_again(store: Store) -> None:
    waiting = bring_one(store)
    carry_out(store, waiting, make_outcome(), NOW, LATER)
    put_back(store)
    before = count_traces(store)
    with pytest.raises(StaleDecision):
        carry_out(store, waiting, make_outcome(number="2026-000002"), NOW, LATER)
    assert count_traces(store) == before


def put_back(store: Store) -> None:
    with writing(store.engine) as connection:
        connection.execute(sa.text("UPDATE message SET state = 'waiting'"))


def test_a_mail_that_is_decided_again_gets_a_new_revision(store: Store) -> None:
    waiting = bring_one(store)
    for _ in range(2):
        put_back(store)
        carry_out(store, waiting, make_outcome(IGNORED), NOW, LATER)
    assert look_up(store, "decision", "revision") == [1, 2]


def test_a_mail_whose_thread_was_joined_to_another_is_decided_with_it(store: Store) -> None:
    bring_in(store, make_mail("one"), make_mail("two"))
    one, two = claim_all(store)
    bring_in(store, make_mail("link", "one", "two"))
    with pytest.raises(StaleDecision):
        carry_out(store, two, make_outcome(), NOW, LATER)
    assert count_traces(store) == {}
    again = claim_all(store, "other", LATER)
    assert {each.conversation_id for each in again} == {one.conversation_id}
    assert len(again) == 3


def test_a_letter_is_made_once_for_its_origin_and_purpose(store: Store) -> None:
    with writing(store.engine) as connection:
        made = [
            keep_letter(connection, make_letter("a"), "ring:1:2", NOW),
            keep_letter(connection, make_letter("b"), "ring:1:2", NOW),
            keep_letter(connection, make_letter("c", Purpose.HANDOVER), "ring:1:2", NOW),
            keep_letter(connection, make_letter("d"), "ring:1:3", NOW),
        ]
    assert [one is not None for one in made] == [True, False, True, True]
    assert count_rows(store, "letter_recipient") == 3


def test_two_letters_of_one_purpose_for_one_decision_are_refused_whole(store: Store) -> None:
    letters = make_letter("a"), make_letter("b")
    with pytest.raises(StaleDecision):
        carry_out(store, bring_one(store), make_outcome(HANDED_OVER, *letters), NOW, LATER)
    assert count_traces(store) == {}


def test_workers_that_take_each_others_claims_open_one_ticket_for_each_thread(store: Store) -> None:
    threads = [f"thread{one}" for one in range(12)]
    originals = [make_mail(name, date=NOW - timedelta(hours=1)) for name in threads]
    mails = [*originals, *(make_mail(f"reply{name}", name) for name in threads)]
    bring_in(store, *mails)
    by_id = {mail.message_id: mail for mail in mails}
    clock = count()

    def work(token: str) -> int:
        """Claims so late that every claim of the other has lapsed, until nothing waits."""
        lost, numbers = 0, NumberStock(store)
        while chunk := claim_conversations(store, token, NOW + next(clock) * 2 * LEASE, LEASE, 3):
            lost += sum(not decide_one(store, one, by_id, numbers) for one in chunk)
        return lost

    run_together(lambda: work("one"), lambda: work("two"), lambda: work("three"))
    assert count_rows(store, "ticket") == len(threads)
    assert set(look_up(store, "message", "state")) == {"decided"}
    assert count_rows(store, "decision") == len(mails)
    assert sorted(look_up(store, "event", "word")) == ["joined"] * len(threads) + ["opened"] * len(threads)


def decide_one(store: Store, waiting: Waiting, by_id: dict[str, Mail], numbers: NumberStock) -> bool:
    """Open a ticket or join that of the thread, from facts as they are; False when somebody was quicker."""
    mail = by_id[look_up(store, "message", "header_id", id=waiting.id)[0]]
    known = gather_facts(store.engine, mail, waiting.mailbox_id, number="", quoted="", since=NOW)
    plan = touch_plan(known.ticket.id, known.ticket.version) if known.ticket else HANDED_OVER
    letter = make_letter(f"letter{waiting.id}{waiting.token}")
    try:
        carry_out(store, waiting, make_outcome(plan, letter, number=numbers.take(NOW)), NOW, NOW + 1000 * LEASE)
    except (ClaimLost, StaleDecision):
        return False
    return True


# --- numbers ---


def test_ticket_numbers_are_given_out_once(store: Store) -> None:
    given = run_together(*(lambda: reserve_numbers(store, 2026, 25) for _ in range(4)))
    numbers = [number for block in given for number in block]
    assert sorted(numbers) == [f"2026-{one:06d}" for one in range(1, 101)]


def test_every_year_counts_anew(store: Store) -> None:
    stock = NumberStock(store)
    assert [stock.take(NOW), stock.take(NOW)] == ["2026-000001", "2026-000002"]
    assert NumberStock(store).take(NOW + timedelta(days=60)) == "2027-000001"


def test_a_number_of_the_old_year_is_not_given_out_in_the_new_one(store: Store) -> None:
    stock = NumberStock(store)
    stock.take(NOW)
    assert stock.take(NOW + timedelta(days=60)) == "2027-000001"


# --- facts ---


def look_at(store: Store, mail: Mail, **more: Any) -> Any:
    settings: dict[str, Any] = {"number": "", "quoted": "", "since": NOW, **more}
    return gather_facts(store.engine, mail, add_mailbox(store), **settings)


@pytest.mark.parametrize("named", ["mail of 2026-000001", "letter"], ids=["their mail", "our letter"])
def test_a_ticket_is_known_by_the_mail_or_letter_that_a_reply_names(store: Store, named: str) -> None:
    ticket = open_ticket(store, make_letter())
    known = look_at(store, make_mail("reply", named))
    assert (known.ticket.id, known.ticket.number, known.ticket.requester) == (ticket, "2026-000001", PERSON)
    assert known.participant
    assert not look_at(store, make_mail("reply", named, sender="paul@ecole.example")).participant


def test_the_latest_reference_decides_the_ticket(store: Store) -> None:
    open_ticket(store, number="2026-000001")
    open_ticket(store, number="2026-000002")
    reply = make_mail("reply", "mail of 2026-000001", "mail of 2026-000002")
    assert look_at(store, reply).ticket.number == "2026-000002"


def test_a_number_in_a_token_names_the_ticket_and_one_in_the_subject_only_quotes_it(store: Store) -> None:
    open_ticket(store)
    by_token = look_at(store, make_mail("reply"), number="2026-000001")
    quoted = look_at(store, make_mail("reply"), quoted="2026-000001")
    assert (by_token.ticket.number, by_token.quoted) == ("2026-000001", None)
    assert (quoted.ticket, quoted.quoted.number) == (None, "2026-000001")
    assert (by_token.quoted_participant, quoted.quoted_participant) == (False, True)
    assert not look_at(store, make_mail("reply", sender="paul@ecole.example"), quoted="2026-000001").quoted_participant
    assert not look_at(store, make_mail("reply", sender=""), quoted="2026-000001").quoted_participant


def test_letters_on_a_ticket_count_for_whoever_joins_it_by_its_number_too(store: Store) -> None:
    open_ticket(store, make_letter())
    assert len(look_at(store, make_mail("reply"), quoted="2026-000001").sent_on_ticket) == 1
    stranger = make_mail("reply", sender="paul@ecole.example")
    assert look_at(store, stranger, quoted="2026-000001").sent_on_ticket == ()


def test_a_ticket_may_be_of_somebody_whose_mail_was_passed_on_and_a_known_name_stays(store: Store) -> None:
    known, new = Address("Paul Petit", "paul@ecole.example"), Address("Petit", "petit@ecole.example")
    settle(store, bring_one(store, "earlier", sender=known.address), make_outcome(IGNORED))
    for number, requester in (("2026-000001", known), ("2026-000002", new)):
        plan = replace(HANDED_OVER, ticket=replace(OPENING, requester=requester))
        settle(store, bring_one(store, number), make_outcome(plan, number=number))
        assert look_at(store, make_mail("x", sender=requester.address), number=number).participant
        assert look_at(store, make_mail("x", sender=PERSON), number=number).participant
        assert look_at(store, make_mail("x"), number=number).ticket.requester == requester.address
    assert look_up(store, "contact", "name", address=known.address) == [NAME]
    assert look_up(store, "contact", "name", address=new.address) == ["Petit"]


def test_a_stranger_is_known_by_nothing(store: Store) -> None:
    open_ticket(store, make_letter())
    known = look_at(store, make_mail("new", "lost", sender="paul@ecole.example"), quoted="2026-000009")
    assert (known.ticket, known.quoted, known.participant, known.own_letter) == (None, None, False, False)
    assert (known.sent_to_sender, known.sent_on_ticket, known.bounced_letter) == ((), (), None)


def test_a_letter_of_ours_that_comes_back_is_known(store: Store) -> None:
    open_ticket(store, make_letter())
    assert look_at(store, make_mail("letter")).own_letter


def test_a_bounce_names_the_letter_it_is_about(store: Store) -> None:
    open_ticket(store, make_letter())
    named = make_mail("bounce", bounce=Bounce((PERSON,), True, "5.1.1", name_id("letter")))
    by_reference = make_mail("bounce", "letter", bounce=Bounce((PERSON,), True))
    letters = look_up(store, "letter", "id")
    assert [look_at(store, one).bounced_letter for one in (named, by_reference)] == letters * 2


@pytest.mark.parametrize(
    ("letter", "since", "counted"),
    [
        (make_letter(), NOW, 1),
        (make_letter(), NOW + timedelta(seconds=1), 0),
        (make_letter(automatic=False), NOW, 0),
    ],
    ids=["lately", "long ago", "by a person"],
)
def test_automatic_letters_lately_count_towards_the_caps(
    store: Store, letter: ReadyLetter, since: datetime, counted: int
) -> None:
    open_ticket(store, letter)
    known = look_at(store, make_mail("reply", "mail of 2026-000001"), since=since)
    assert (len(known.sent_to_sender), len(known.sent_on_ticket)) == (counted, counted)


def test_an_outcome_is_what_the_plan_says(store: Store) -> None:
    outcome: Outcome = make_outcome(Plan(Verdict.HELD, "threat", "safety"))
    settle(store, bring_one(store), outcome)
    (mail,) = list_mails(store)
    assert (mail.verdict, mail.reason, mail.rule, mail.trust, mail.ticket) == (
        "held", "threat", "safety", "verified", "none",
    )  # fmt: skip
