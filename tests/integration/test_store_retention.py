"""Forgetting: what has had its time goes, whole and for good, and nothing else does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel

from desk.errors import MailTrouble
from desk.facts import Status
from desk.forgetting import PLACES, Cutoffs
from desk.plan import Purpose
from store.cases import change_status
from store.engine import open_engine, reading, writing
from store.intake import bind_context, claim_deliveries, open_mail, quarantine_delivery, read_places
from store.memory import Store
from store.messages import SavedCount
from store.outbox import claim_letters
from store.outcomes import ReadyLetter
from store.retention import (
    Due,
    find_due,
    find_orphans,
    forget_contacts,
    forget_letters,
    forget_logs,
    forget_mails,
    forget_strays,
    forget_tickets,
    hold_ticket,
    keep_run,
    open_journal,
    release_ticket,
    replay_journal,
)
from store.troubles import keep_incident
from tests.outboxes import begin, end
from tests.stores import (
    IGNORED,
    LEASE,
    NAME,
    NOW,
    PERSON,
    add_mailbox,
    bring_in,
    bring_one,
    claim_all,
    count_rows,
    cut_at,
    keep_mails,
    look_up,
    make_batch,
    make_letter,
    make_mail,
    make_outcome,
    name_id,
    open_ticket,
    settle,
    tables,
)

NUMBER = "2026-000001"
SECOND = timedelta(seconds=1)
THEN = NOW + timedelta(days=400)
CUT = cut_at(NOW + SECOND)  # all that ended at NOW has had its time
NOTHING = Due((), (), (), (), 0, 0)


def live_through(store: Store) -> None:
    """A ticket from mail to letter to close, a mail without ticket, one that was never read, an incident."""
    open_ticket(store, make_letter())
    send_all(store)
    change_status(store, NUMBER, Status.CLOSED, "closed", NOW)
    settle(store, bring_one(store, "news", "lost"), make_outcome(IGNORED))
    keep_mails(store, add_mailbox(store, "sales"), make_batch(1))
    (stray,) = claim_deliveries(store, "reader", NOW, LEASE, 10)
    quarantine_delivery(store, stray.id, "reader", "headerless", "", 1, NOW)
    keep_incident(store.engine, "incident1", "send letters", "ValueError", f"no such person: {PERSON}", NOW)


def send_all(store: Store) -> None:
    while chunk := claim_letters(store, "sender", NOW, LEASE, 100):
        for letter in chunk:
            begin(store, letter, NOW + LEASE)
            end(store, letter, "sent", dict.fromkeys(letter.recipients, ("sent", "250")))


def forget_all(store: Store) -> Due:
    """As the flow does it: everything due, then what nothing names any more."""
    due = find_due(store, CUT, THEN, 100)
    forget_mails(store, due.mails, THEN)
    forget_strays(store, due.strays, THEN)
    forget_letters(store, due.letters, THEN)
    forget_tickets(store, due.tickets, THEN)
    forget_logs(store, CUT, THEN)
    forget_contacts(store)
    return due


def list_kept(store: Store) -> Iterator[tuple[str, str, object]]:
    """What the places where a person may be kept still hold."""
    for name, columns in PLACES.items():
        for column in columns:
            yield from ((name, column, value) for value in look_up(store, name, column) if value)


# --- what is due ---


def test_all_that_has_had_its_time_is_due(store: Store) -> None:
    live_through(store)
    due = find_due(store, CUT, THEN, 100)
    assert (len(due.mails), len(due.strays), len(due.letters), len(due.tickets)) == (2, 1, 1, 1)
    assert (due.judgements, due.incidents) == (4, 1)


def test_nothing_is_due_before_its_time(store: Store) -> None:
    live_through(store)
    assert find_due(store, cut_at(NOW), THEN, 100) == NOTHING


def test_a_chunk_is_no_larger_than_asked(store: Store) -> None:
    live_through(store)
    assert len(find_due(store, CUT, THEN, 1).mails) == 1


def test_looking_changes_nothing(store: Store) -> None:
    live_through(store)
    before = sorted(list_kept(store), key=str)
    assert find_due(store, CUT, THEN, 100) == find_due(store, CUT, THEN, 100)
    assert sorted(list_kept(store), key=str) == before


def test_nothing_of_an_open_ticket_is_due(store: Store) -> None:
    open_ticket(store, make_letter())
    send_all(store)
    assert replace(find_due(store, CUT, THEN, 100), judgements=0) == NOTHING


def test_nothing_of_a_ticket_that_was_opened_again_is_due(store: Store) -> None:
    open_ticket(store, make_letter())
    send_all(store)
    for status in (Status.CLOSED, Status.IN_ANALYSIS):
        change_status(store, NUMBER, status, "set", NOW)
    assert replace(find_due(store, CUT, THEN, 100), judgements=0) == NOTHING


def test_a_mail_that_waits_is_never_due(store: Store) -> None:
    bring_in(store, make_mail("help"))
    assert find_due(store, CUT, THEN, 100) == NOTHING


@pytest.mark.parametrize(
    ("letter", "cutoffs", "due"),
    [
        (make_letter(), CUT, 0),
        (make_letter(purpose=Purpose.DRAFT, draft=True), replace(CUT, letters=NOW), 1),
        (make_letter(purpose=Purpose.DRAFT, draft=True), replace(CUT, drafts=NOW), 0),
    ],
    ids=["still queued", "a draft by its own period", "a draft before it"],
)
def test_letters_and_drafts_have_periods_of_their_own(
    store: Store, letter: ReadyLetter, cutoffs: Cutoffs, due: int
) -> None:
    settle(store, bring_one(store), make_outcome(IGNORED, letter))
    assert len(find_due(store, cutoffs, THEN, 100).letters) == due


def test_a_letter_that_was_withdrawn_has_its_period_too(store: Store) -> None:
    settle(store, bring_one(store), make_outcome(IGNORED, make_letter()))
    with writing(store.engine) as connection:
        connection.execute(tables()["letter"].update().values(state="withdrawn"))
    assert len(find_due(store, CUT, THEN, 100).letters) == 1


# --- forgetting ---


def test_after_forgetting_no_place_holds_anything_of_anybody(store: Store) -> None:
    live_through(store)
    assert {(name, column) for name, column, _ in list_kept(store)} >= {
        ("contact", "address"), ("message", "subject"), ("delivery", "wrapped_key"), ("ticket", "subject"),
        ("participant", "contact_id"), ("judgement", "answer"), ("letter", "body"), ("letter_recipient", "address"),
        ("incident", "cause"), ("conversation_ref", "ref"),
    }  # fmt: skip
    forget_all(store)
    own = {("conversation_ref", "ref"), ("contact", "organisation"), ("contact", "segment")}
    assert {(name, column) for name, column, _ in list_kept(store)} - own == set()
    assert count_rows(store, "conversation_ref") == 0


def test_after_forgetting_no_column_at_all_names_the_person(store: Store) -> None:
    live_through(store)
    assert find_words(store) != []
    forget_all(store)
    assert find_words(store) == []


def find_words(store: Store) -> list[tuple[str, str]]:
    """Columns, of any table, in which the person's name, address or Message-ID stands."""
    words = (NAME, PERSON, name_id("news"), name_id(f"mail of {NUMBER}"))
    found = []
    for table in SQLModel.metadata.sorted_tables:
        with reading(store.engine) as connection:
            rows = connection.execute(sa.select(table)).mappings().all()
        texts = [(column, decode(value)) for row in rows for column, value in row.items()]
        found += [(table.name, column) for column, text in texts if any(word in text for word in words)]
    return found


def decode(value: object) -> str:
    return bytes(value).decode(errors="replace") if isinstance(value, bytes | memoryview) else str(value)


def test_forgotten_rows_stay_for_the_figures(store: Store) -> None:
    live_through(store)
    names = ("message", "delivery", "ticket", "event", "decision", "judgement", "letter", "letter_recipient")
    before = {name: count_rows(store, name) for name in names}
    forget_all(store)
    assert {name: count_rows(store, name) for name in names} == before
    assert set(look_up(store, "message", "state")) == {"anonymised"}
    assert set(look_up(store, "delivery", "state")) == {"erased"}


def test_a_forgotten_mail_opens_with_no_other_key_and_its_place_is_told_no_more(store: Store) -> None:
    waiting = bring_one(store)
    (place,) = read_places(store, look_up(store, "delivery", "id"))
    forget_mails(store, [waiting.id], THEN)
    assert read_places(store, [place.id]) == ()
    fresh = store.keys.seal(b"", bind_context(place.pack, place.entry.offset))
    with pytest.raises(MailTrouble):
        open_mail(store, replace(place, wrapped_key=fresh.wrapped_key))


def test_a_forgotten_mail_is_forgotten_in_every_mailbox_it_came_through(store: Store) -> None:
    bring_in(store, make_mail("help"))
    bring_in(store, make_mail("help"), mailbox="sales")
    forget_mails(store, look_up(store, "message", "id"), THEN)
    assert look_up(store, "delivery", "wrapped_key") == [None, None]


def test_forgetting_again_finds_nothing(store: Store) -> None:
    live_through(store)
    forget_all(store)
    assert forget_all(store) == NOTHING


def test_a_forgotten_mail_does_not_come_back(store: Store) -> None:
    settle(store, bring_one(store), make_outcome(IGNORED))
    forget_all(store)
    assert bring_in(store, make_mail("help"), mailbox="sales") == SavedCount(0, 0, 1)
    assert claim_all(store) == ()
    assert list(list_kept(store)) == []


def test_contacts_stay_while_anything_names_them(store: Store) -> None:
    live_through(store)
    bring_in(store, make_mail("new", sender="paul@ecole.example"))
    assert forget_contacts(store) == 0
    forget_all(store)
    assert look_up(store, "contact", "address") == ["paul@ecole.example"]


def test_what_lives_of_a_thread_keeps_it_together(store: Store) -> None:
    settle(store, bring_one(store, "original"), make_outcome(IGNORED))
    bring_in(store, make_mail("reply", "original"))
    forget_all(store)
    bring_in(store, make_mail("more", "reply"))
    living = look_up(store, "message", "conversation_id", state="waiting")
    assert (len(living), len(set(living))) == (2, 1)


# --- legal hold ---


def test_nothing_of_a_held_ticket_is_due_until_it_is_released(store: Store) -> None:
    open_ticket(store, make_letter())
    send_all(store)
    change_status(store, NUMBER, Status.CLOSED, "closed", NOW)
    assert hold_ticket(store, NUMBER, "claim before court", NOW)
    assert find_due(store, CUT, THEN, 100) == NOTHING
    assert forget_logs(store, CUT, THEN) == (0, 0)
    assert release_ticket(store, NUMBER, THEN)
    assert not release_ticket(store, NUMBER, THEN)
    due = find_due(store, CUT, THEN, 100)
    assert (len(due.mails), len(due.letters), len(due.tickets), due.judgements) == (1, 1, 1, 2)


def test_a_hold_ends_at_its_time(store: Store) -> None:
    open_ticket(store)
    change_status(store, NUMBER, Status.CLOSED, "closed", NOW)
    hold_ticket(store, NUMBER, "claim before court", NOW, until=THEN)
    assert find_due(store, CUT, THEN - SECOND, 100).tickets == ()
    assert len(find_due(store, CUT, THEN, 100).tickets) == 1


def test_a_hold_keeps_no_other_ticket(store: Store) -> None:
    for number in (NUMBER, "2026-000002"):
        open_ticket(store, number=number)
        change_status(store, number, Status.CLOSED, "closed", NOW)
    hold_ticket(store, NUMBER, "claim before court", NOW)
    assert list(find_due(store, CUT, THEN, 100).tickets) == look_up(store, "ticket", "id", number="2026-000002")


def test_there_is_no_hold_on_a_ticket_that_is_not_there(store: Store) -> None:
    assert not hold_ticket(store, "2026-999999", "claim before court", NOW)
    assert not release_ticket(store, "2026-999999", NOW)


# --- packs ---


def age_packs(store: Store) -> None:
    for file in store.packs.path.glob("*.pack"):
        os.utime(file, (NOW.timestamp(), NOW.timestamp()))


def test_a_pack_goes_when_nothing_in_it_can_be_opened(store: Store) -> None:
    bring_in(store, make_mail("one"), make_mail("two"))
    age_packs(store)
    one, two = look_up(store, "message", "id")
    (name,) = look_up(store, "pack", "name")
    forget_mails(store, [one], THEN)
    assert find_orphans(store, CUT) == ()
    forget_mails(store, [two], THEN)
    assert find_orphans(store, cut_at(NOW)) == ()
    assert find_orphans(store, CUT) == (name,)
    store.packs.remove(name)
    assert find_orphans(store, CUT) == ()


# --- the journal ---


def copy_database(store: Store, target: Path) -> Store:
    """A restored backup: the rows as they are now, the packs and the journal shared."""
    engine = open_engine(f"sqlite:///{target}")
    SQLModel.metadata.create_all(engine)
    with reading(store.engine) as source, writing(engine) as copy:
        for table in SQLModel.metadata.sorted_tables:
            if rows := source.execute(sa.select(table)).mappings().all():
                copy.execute(sa.insert(table), [dict(row) for row in rows])
    return replace(store, engine=engine)


def test_what_was_erased_since_the_backup_is_erased_again(store: Store, tmp_path: Path) -> None:
    settle(store, bring_one(store, "erased"), make_outcome(IGNORED))
    bring_in(store, make_mail("kept"))
    backup = copy_database(store, tmp_path / "backup.db")
    forget_mails(store, look_up(store, "message", "id")[:1], THEN)
    assert look_up(backup, "message", "state") == ["decided", "waiting"]
    assert replay_journal(backup, THEN) == 1
    assert look_up(backup, "message", "state") == ["anonymised", "waiting"]
    assert [key is None for key in look_up(backup, "delivery", "wrapped_key")] == [True, False]
    assert replay_journal(backup, THEN) == 0
    backup.engine.dispose()


def test_a_mail_unread_in_the_backup_stays_erased_too(store: Store, tmp_path: Path) -> None:
    empty = copy_database(store, tmp_path / "backup.db")
    forget_mails(store, [bring_one(store).id], THEN)
    assert replay_journal(empty, THEN) == 0
    assert bring_in(empty, make_mail("help")) == SavedCount(0, 0, 1)
    empty.engine.dispose()


def test_the_journal_holds_no_more_than_keyed_digests(store: Store) -> None:
    forget_mails(store, [bring_one(store).id], THEN)
    text = open_journal(store).path.read_text()
    fingerprint = make_mail("help").fingerprint
    assert store.keys.bury(fingerprint) in open_journal(store).read()
    assert [word for word in (PERSON, NAME, fingerprint) if word in text] == []


def test_the_journal_is_written_before_anything_is_erased(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = bring_one(store)
    with monkeypatch.context() as crash:
        crash.setattr("store.retention.insert_new", None)
        with pytest.raises(TypeError):
            forget_mails(store, [waiting.id], THEN)
    assert len(open_journal(store).read()) == 1
    assert look_up(store, "message", "state") == ["waiting"]


def test_a_line_that_a_crash_cut_spoils_no_other(store: Store) -> None:
    journal = open_journal(store)
    journal.append([("t1", "aa"), ("t1", "bb")], NOW)
    os.truncate(journal.path, journal.path.stat().st_size - 5)
    journal.append([("t1", "cc")], NOW)
    assert journal.read() == (("t1", "aa"), ("t1", "cc"))


def test_a_journal_that_was_never_begun_is_empty(store: Store) -> None:
    assert open_journal(store).read() == ()
    assert replay_journal(store, NOW) == 0


def test_a_run_is_recorded_with_its_counts(store: Store) -> None:
    keep_run(store, {"mails": 3}, True, NOW)
    assert look_up(store, "retention_run", "counts") == ['{"mails": 3}']
    assert look_up(store, "retention_run", "dry_run") == [True]
