"""What bounces and receipts leave behind: states that only rise, addresses that are spared, tickets opened again."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count, permutations
from typing import Any

import pytest
import sqlalchemy as sa

from desk.facts import Status
from desk.mail import Bounce, Receipt, Told, Word
from desk.plan import Fate, Plan, Purpose, Report, Verdict
from store.engine import reading, writing
from store.facts import gather_facts
from store.memory import Store
from store.reported import mark_report
from store.suppression import allow_address, find_suppressed, forget_suppressed, list_suppressed, suppress_all
from tests.stores import (
    HANDED_OVER,
    IGNORED,
    NOW,
    OPENING,
    PERSON,
    add_mailbox,
    bring_one,
    look_up,
    make_letter,
    make_mail,
    make_outcome,
    name_id,
    open_ticket,
    settle,
    tables,
    touch_plan,
)

PAUL = "paul@ecole.example"
LATER = NOW + timedelta(hours=1)
UNTIL = LATER + timedelta(days=180)
ANSWERED = Plan(Verdict.ANSWERED, "confident", "answer", replace(OPENING, status=Status.SOLUTION_PROPOSED))
NUMBERS = count(1)


def send_letter(store: Store, *people: str, purpose: Purpose = Purpose.ANSWER, state: str = "sent") -> int:
    """A letter that has gone out on a ticket of its own; its id."""
    number = next(NUMBERS)
    letter = make_letter(f"letter {number}", purpose, recipients=people or (PERSON,))
    plan = ANSWERED if purpose is Purpose.ANSWER else HANDED_OVER
    open_ticket(store, letter, number=f"2026-{number:06}", plan=plan)
    (letter_id,) = look_up(store, "letter", "id", header_id=letter.header_id)
    change(store, "letter", tables()["letter"].c.id == letter_id, state=state)
    change(store, "letter_recipient", tables()["letter_recipient"].c.letter_id == letter_id, state=state)
    return int(letter_id)


def change(store: Store, name: str, where: sa.ColumnElement[bool], **values: Any) -> None:
    with writing(store.engine) as connection:
        connection.execute(sa.update(tables()[name]).where(where).values(**values))


def tell(store: Store, *reports: Report, now: datetime = LATER) -> None:
    """A mail comes in that reports this."""
    waiting = bring_one(store, f"report {next(NUMBERS)}")
    settle(store, waiting, make_outcome(replace(IGNORED, reports=reports)), now)


def report(letter: int, fate: Fate, *people: str, code: str = "", reason: str = "") -> Report:
    return Report(letter, people, fate, code, reason, UNTIL if fate is Fate.BOUNCED else None)


def gone(letter: int, *people: str) -> Report:
    return report(letter, Fate.BOUNCED, *people, code="5.1.1", reason="unknown-user")


def show_people(store: Store, letter: int) -> list[str]:
    return look_up(store, "letter_recipient", "state", letter_id=letter)


def show_words(store: Store, letter: int) -> list[str]:
    return look_up(store, "letter_event", "word", letter_id=letter)


# --- recipients ---


@pytest.mark.parametrize(
    ("fate", "state"),
    [
        (Fate.DELAYED, "sent"),
        (Fate.RELAYED, "sent"),
        (Fate.DELIVERED, "delivered"),
        (Fate.READ, "read"),
        (Fate.BOUNCED, "bounced"),
    ],
)
def test_a_report_marks_the_recipient_and_is_noted(store: Store, fate: Fate, state: str) -> None:
    letter = send_letter(store)
    tell(store, report(letter, fate, PERSON, code="4.4.1"))
    assert show_people(store, letter) == [state]
    assert look_up(store, "letter_recipient", "code") == ["4.4.1"]
    assert show_words(store, letter)[-1] == fate.value


def test_in_whatever_order_reports_come_the_end_is_the_same(store: Store) -> None:
    fates = (Fate.DELAYED, Fate.DELIVERED, Fate.READ)
    for order in permutations(fates):
        letter = send_letter(store)
        for fate in order:
            tell(store, report(letter, fate, PERSON, code=fate.value))
        assert show_people(store, letter) == ["read"]
        assert look_up(store, "letter_recipient", "delivered_at", letter_id=letter) == [LATER]
        assert look_up(store, "letter_recipient", "read_at", letter_id=letter) == [LATER]


def test_a_late_delay_undoes_no_delivery(store: Store) -> None:
    letter = send_letter(store)
    tell(store, report(letter, Fate.DELIVERED, PERSON, code="2.0.0"))
    tell(store, report(letter, Fate.DELAYED, PERSON, code="4.4.1"))
    assert (show_people(store, letter), look_up(store, "letter_recipient", "code")) == (["delivered"], ["2.0.0"])


def test_a_letter_that_was_read_has_not_bounced_whatever_comes_back_from_where_it_was_passed_on_to(
    store: Store,
) -> None:
    letter = send_letter(store)
    tell(store, report(letter, Fate.READ, PERSON))
    tell(store, gone(letter, PERSON))
    assert show_people(store, letter) == ["read"]
    assert list_suppressed(store, LATER) == ()
    assert "bounced" not in look_up(store, "event", "word")


def test_the_first_moment_stays(store: Store) -> None:
    letter = send_letter(store)
    tell(store, report(letter, Fate.DELIVERED, PERSON))
    tell(store, report(letter, Fate.DELIVERED, PERSON), now=LATER + timedelta(hours=1))
    assert look_up(store, "letter_recipient", "delivered_at") == [LATER]


def test_each_recipient_of_a_mixed_report_has_a_fate_of_its_own(store: Store) -> None:
    letter = send_letter(store, PERSON, PAUL)
    tell(store, report(letter, Fate.DELIVERED, PERSON), gone(letter, PAUL))
    assert show_people(store, letter) == ["delivered", "bounced"]
    assert [one.address for one in list_suppressed(store, LATER)] == [PAUL]
    assert look_up(store, "ticket", "status") == ["solution_proposed"]  # one of them has the answer


@pytest.mark.parametrize("fate", [Fate.DELIVERED, Fate.READ])
def test_a_receipt_that_names_nobody_we_wrote_to_tells_of_the_only_reader_or_of_none(store: Store, fate: Fate) -> None:
    alone, together = send_letter(store), send_letter(store, PERSON, PAUL)
    for letter in (alone, together):
        tell(store, report(letter, fate, "alias@elsewhere.example"))
    assert show_people(store, alone) == [fate.value]
    assert show_people(store, together) == ["sent", "sent"]


@pytest.mark.parametrize(("named", "bounced"), [(PERSON, 1), ("somebody.else@elsewhere.example", 2), ("", 2)])
def test_a_bounce_is_about_whom_it_names_if_we_wrote_to_them(store: Store, named: str, bounced: int) -> None:
    letter = send_letter(store, PERSON, PAUL)
    tell(store, gone(letter, *([named] if named else [])))
    assert show_people(store, letter).count("bounced") == bounced


@pytest.mark.parametrize("state", ["queued", "deferred", "withdrawn"])
def test_nothing_is_believed_of_a_letter_that_nobody_can_have(store: Store, state: str) -> None:
    letter = send_letter(store, state=state)
    change(store, "letter_recipient", sa.true(), state="queued")
    tell(store, gone(letter, PERSON), report(letter, Fate.READ, PERSON))
    assert show_people(store, letter) == ["queued"]
    assert list_suppressed(store, LATER) == ()


@pytest.mark.parametrize("state", ["refused", "suppressed"])
def test_whom_the_server_refused_has_no_letter_to_read(store: Store, state: str) -> None:
    letter = send_letter(store, PERSON, PAUL)
    change(store, "letter_recipient", tables()["letter_recipient"].c.address == PAUL, state=state)
    tell(store, report(letter, Fate.READ, PAUL), gone(letter, PAUL))
    assert show_people(store, letter) == ["sent", state]


def test_a_report_waits_for_another_of_the_same_letter_and_undoes_nothing(store: Store) -> None:
    letter = send_letter(store)
    with ThreadPoolExecutor(1) as pool:
        with writing(store.engine) as first:
            mark_report(first, report(letter, Fate.READ, PERSON), 1, LATER)
            second = pool.submit(mark_alone, store, report(letter, Fate.DELIVERED, PERSON))
            await_blocked(store)
        second.result(timeout=30)
    assert show_people(store, letter) == ["read"]
    assert look_up(store, "letter_recipient", "delivered_at") == [LATER]


def mark_alone(store: Store, told: Report) -> None:
    with writing(store.engine) as connection:
        mark_report(connection, told, 1, LATER)


def await_blocked(store: Store) -> None:
    """Until another transaction waits for ours; on SQLite a second writer can't even begin."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + 30
    while store.engine.dialect.name == "postgresql":
        with reading(store.engine) as connection:
            if connection.execute(sa.text(waits)).scalar():
                return
        assert time.monotonic() < deadline, "nobody waits"


# --- the letter ---


@pytest.mark.parametrize("fate", list(Fate))
def test_a_letter_of_unknown_fate_has_gone_out_once_anything_is_told_of_it(store: Store, fate: Fate) -> None:
    letter = send_letter(store, PERSON, PAUL, state="unknown")
    tell(store, report(letter, fate, PERSON))
    assert look_up(store, "letter", "state") == ["sent"]
    assert look_up(store, "letter", "sent_at") == [LATER]
    assert show_people(store, letter)[1] == "sent"


@pytest.mark.parametrize(("people", "state"), [((PERSON,), "sent"), ((PERSON, PAUL), "sending")])
def test_a_letter_in_hand_is_its_worker_s_until_all_its_readers_are_known_to_have_it(
    store: Store, people: tuple[str, ...], state: str
) -> None:
    letter = send_letter(store, *people, state="sending")
    change(store, "letter_recipient", sa.true(), state="queued")
    tell(store, report(letter, Fate.DELIVERED, PERSON))
    assert look_up(store, "letter", "state") == [state]


def test_a_letter_that_came_back_as_spam_goes_once_more_as_plain_text_before_anybody_hears_of_it(store: Store) -> None:
    letter = send_letter(store)
    spam = report(letter, Fate.BOUNCED, PERSON, code="5.7.1", reason="refused-as-spam")
    tell(store, spam)
    assert look_up(store, "letter", "state") == ["deferred"]
    assert look_up(store, "letter", "shape") == ["plain"]
    assert look_up(store, "ticket", "status") == ["solution_proposed"]
    change(store, "letter", sa.true(), state="sent")
    change(store, "letter_recipient", sa.true(), state="sent")
    tell(store, spam)
    assert look_up(store, "letter", "state") == ["sent"]
    assert look_up(store, "ticket", "status") == ["in_analysis"]
    assert list_suppressed(store, LATER) == ()


# --- the ticket ---


def test_an_answer_that_came_back_is_no_answer(store: Store) -> None:
    letter = send_letter(store)
    assert look_up(store, "ticket", "responded_at") == [NOW]
    (version,) = look_up(store, "ticket", "version")
    tell(store, gone(letter, PERSON))
    assert look_up(store, "ticket", "status") == ["in_analysis"]
    assert look_up(store, "ticket", "responded_at") == [None]
    assert look_up(store, "ticket", "version") == [version + 1]
    assert (look_up(store, "event", "word"), look_up(store, "event", "status")) == (
        ["opened", "bounced"],
        ["solution_proposed", "in_analysis"],
    )


def test_a_delay_opens_nothing_again(store: Store) -> None:
    tell(store, report(send_letter(store), Fate.DELAYED, PERSON, code="4.4.1"))
    assert look_up(store, "ticket", "status") == ["solution_proposed"]
    assert look_up(store, "event", "word") == ["opened"]


def test_an_acknowledgement_that_came_back_is_told_in_the_history_only(store: Store) -> None:
    letter = send_letter(store, purpose=Purpose.ACKNOWLEDGEMENT)
    change(store, "ticket", sa.true(), status="solution_proposed")
    tell(store, gone(letter, PERSON))
    assert look_up(store, "ticket", "status") == ["solution_proposed"]
    assert look_up(store, "event", "word") == ["opened", "bounced"]


def test_a_person_s_answer_since_still_counts(store: Store) -> None:
    letter = send_letter(store)
    (ticket,) = look_up(store, "ticket", "id")
    answered = touch_plan(ticket, 1, event="agent", status=Status.SOLUTION_PROPOSED)
    settle(store, bring_one(store, "answer"), make_outcome(answered), LATER)
    tell(store, gone(letter, PERSON))
    assert look_up(store, "ticket", "status") == ["solution_proposed"]
    assert look_up(store, "ticket", "responded_at") == [NOW]


def test_a_ticket_that_is_settled_stays_so(store: Store) -> None:
    letter = send_letter(store)
    change(store, "ticket", sa.true(), status="resolved")
    tell(store, gone(letter, PERSON))
    assert (look_up(store, "ticket", "status"), look_up(store, "ticket", "responded_at")) == (["resolved"], [NOW])


# --- addresses ---


def test_an_address_that_is_gone_is_not_written_to_for_so_long(store: Store) -> None:
    tell(store, gone(send_letter(store), PERSON))
    (one,) = list_suppressed(store, LATER)
    assert (one.address, one.reason, one.code, one.since, one.until) == (PERSON, "bounced", "5.1.1", LATER, UNTIL)
    assert find(store, PERSON.upper(), PAUL, now=LATER) == {PERSON.upper()}
    assert find(store, PERSON, now=UNTIL) == set()


@pytest.mark.parametrize("reason", ["refused-as-spam", "blocked", "network", "server-failure", "too-large", "expired"])
def test_an_address_is_not_to_blame_for_what_is_the_letter_s_or_the_moment_s(store: Store, reason: str) -> None:
    tell(store, report(send_letter(store), Fate.BOUNCED, PERSON, code="5.0.0", reason=reason))
    assert list_suppressed(store, LATER) == ()


def test_only_addresses_that_the_report_names_and_the_letter_went_to_are_spared(store: Store) -> None:
    letter = send_letter(store)
    tell(store, gone(letter, PAUL))
    tell(store, gone(letter))
    assert list_suppressed(store, LATER) == ()


def test_our_own_people_s_addresses_are_the_policy_s(store: Store) -> None:
    letter = send_letter(store, PERSON, purpose=Purpose.HANDOVER)
    tell(store, gone(letter, PERSON))
    assert (show_people(store, letter), list_suppressed(store, LATER)) == (["bounced"], ())


@pytest.mark.parametrize(("days", "spared"), [((0, 10, 29), True), ((0, 10, 31), False), ((0, 1), False)])
def test_a_full_mailbox_is_given_a_month(store: Store, days: tuple[int, ...], spared: bool) -> None:
    for day in days:
        full = report(send_letter(store), Fate.BOUNCED, PERSON, code="5.2.2", reason="mailbox-full")
        tell(store, full, now=LATER + timedelta(days=day))
    assert bool(list_suppressed(store, LATER)) is spared


def test_what_a_person_said_of_an_address_stays_as_long_as_they_said(store: Store) -> None:
    suppress_all(store, (PERSON, PAUL), "by-hand", NOW, None)
    tell(store, gone(send_letter(store), PERSON))
    assert [(one.reason, one.until) for one in list_suppressed(store, LATER)] == [("by-hand", None)] * 2
    assert allow_address(store, PERSON.upper())
    assert not allow_address(store, PERSON)
    assert find(store, PERSON, PAUL, now=LATER) == {PAUL}


def test_a_longer_time_takes_the_place_of_a_shorter_one(store: Store) -> None:
    assert suppress_all(store, [PERSON], "invalid", NOW, LATER) == 1
    assert suppress_all(store, [PERSON], "bounced", NOW, NOW) == 0
    assert suppress_all(store, [PERSON], "bounced", NOW, UNTIL) == 1
    assert look_up(store, "suppression", "reason") == ["bounced"]


def test_those_whose_time_is_over_are_cleared_away(store: Store) -> None:
    suppress_all(store, [PERSON], "bounced", NOW, LATER)
    suppress_all(store, [PAUL], "by-hand", NOW, None)
    assert forget_suppressed(store, LATER - timedelta(seconds=1)) == 0
    assert forget_suppressed(store, LATER) == 1
    assert look_up(store, "suppression", "address") == [PAUL]


def find(store: Store, *addresses: str, now: datetime) -> set[str]:
    with reading(store.engine) as connection:
        return set(find_suppressed(connection, addresses, now))


# --- which letter ---


def test_a_report_is_about_the_letter_that_it_names(store: Store) -> None:
    first, second = (open_letter(store, name) for name in ("first", "second"))
    named = Receipt((Told(PERSON, Word.DISPLAYED),), name_id("first"))
    by_envelope = Receipt((Told(PERSON, Word.DELIVERED),), "", name_id("first").strip("<>"))
    bounce = Bounce((PERSON,), True, "5.1.1", name_id("first"))
    thread = ("first", "second")
    assert find_letter(store, receipt=named) == first
    assert find_letter(store, *thread, receipt=named) == first
    assert find_letter(store, *thread, receipt=by_envelope) == first
    assert find_letter(store, *thread, bounce=bounce) == first
    assert find_letter(store, *thread, bounce=replace(bounce, message_id="")) == second
    assert find_letter(store, *thread, receipt=replace(named, message_id="")) == second


def test_a_report_that_names_another_letter_than_ours_is_about_none(store: Store) -> None:
    open_letter(store, "first")
    foreign = Bounce((PERSON,), True, "5.1.1", name_id("guessed"))
    assert find_letter(store, "first", bounce=foreign) is None
    assert find_letter(store, "first") is None  # a person's reply


def open_letter(store: Store, name: str) -> int:
    open_ticket(store, make_letter(name), number=f"2026-{next(NUMBERS):06}")
    (letter_id,) = look_up(store, "letter", "id", header_id=name_id(name))
    return int(letter_id)


def find_letter(store: Store, *references: str, **more: Any) -> int | None:
    mail = make_mail("told", *references, **more)
    return gather_facts(store.engine, mail, add_mailbox(store), number="", quoted="", since=NOW).bounced_letter
