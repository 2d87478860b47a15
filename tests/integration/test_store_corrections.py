"""What people did with verdicts: kept once, told to the ticket, learnt from, forgotten on time; versions of models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from desk.corrections import Kind, Standing
from desk.drift import Corrected, Judged, Spike
from desk.errors import StaleDecision
from desk.forgetting import Cutoffs
from desk.plan import Purpose
from desk.policy import Reader
from letters.words import say_word
from store.corrections import (
    Answer,
    Looked,
    OpenDraft,
    find_letters,
    find_messages,
    keep_answer,
    keep_looked,
    list_corrected,
    list_corrections,
    list_lessons,
    list_open_drafts,
    list_opened,
    list_verdicts,
    read_draft,
    read_looked,
    read_standings,
    relabel_mail,
)
from store.engine import writing
from store.facts import tickets
from store.memory import Store
from store.models import KEPT, find_in_use, keep_model, list_models, read_artefact, use_model
from store.outcomes import decisions
from store.retention import find_due, forget_examples, forget_letters, forget_mails, hold_ticket, replay_journal
from tasks.digesting import find_unusual
from tests.integration.test_store_retention import copy_database
from tests.stores import (
    ANSWERED,
    IGNORED,
    LATER,
    NOW,
    VALIDITY,
    add_mailbox,
    bring_in,
    bring_one,
    count_rows,
    cut_at,
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

SECOND = timedelta(seconds=1)
TEXT = "Facture\nPersonne attend sa facture"
NUMBER = "2026-000001"
MODEL = {"macro_f1": 0.8, "ece": 0.04}


@pytest.fixture
def mailbox(store: Store) -> int:
    return add_mailbox(store)


def stand(store: Store, message_id: int = 1) -> Standing:
    return read_standings(store, [message_id])[message_id]


def relabel(store: Store, became: str, kind: Kind = Kind.MOVED, text: str = TEXT, now: datetime = NOW) -> bool:
    return relabel_mail(store, stand(store), kind, became, text, now)


# --- the verdicts --------------------------------------------------------------------------------------------


def test_a_verdict_stands_as_the_desk_had_it(store: Store) -> None:
    open_ticket(store)
    assert stand(store) == Standing(
        1, "decided", "installation", "installation", "", "mistral", "installation", filed=""
    )


def test_a_standing_knows_where_the_desk_has_filed_the_mail(store: Store) -> None:
    settle(store, bring_one(store), make_outcome(replace(IGNORED, folder="Done")))
    assert stand(store).filed == "Done"


def test_a_mail_that_was_passed_on_is_told_by_its_requester(store: Store) -> None:
    open_ticket(store)
    assert stand(store).passed_on is False
    bring_in(store, make_mail("else", sender="paul@ecole.example"))
    (other,) = look_up(store, "contact", "id", address="paul@ecole.example")
    with writing(store.engine) as connection:
        connection.execute(sa.text("UPDATE ticket SET contact_id = :other"), {"other": other})
    assert stand(store).passed_on is True


def test_a_mail_is_found_by_the_message_id_that_it_alone_bears_in_its_mailbox(store: Store, mailbox: int) -> None:
    bring_in(store, make_mail("one"), make_mail("two"))
    sales = add_mailbox(store, "sales")
    wanted = [name_id("one"), name_id("two"), name_id("nobody's"), ""]
    known = {name: look_up(store, "message", "id", header_id=name)[0] for name in wanted[:2]}
    assert find_messages(store, mailbox, wanted) == known
    assert find_messages(store, sales, wanted) == {}
    bring_in(store, make_mail("thief", message_id=name_id("one")))
    assert find_messages(store, mailbox, wanted) == {name_id("two"): known[name_id("two")]}


def test_a_mail_that_came_through_two_mailboxes_is_found_in_both(store: Store, mailbox: int) -> None:
    bring_in(store, make_mail("one"))
    bring_in(store, make_mail("one"), mailbox="sales")
    assert find_messages(store, add_mailbox(store, "sales"), [name_id("one")]) == {name_id("one"): 1}


def test_a_standing_knows_whether_other_mailboxes_have_the_mail(store: Store) -> None:
    settle(store, bring_one(store), make_outcome(IGNORED))
    assert stand(store).shared is False
    bring_in(store, make_mail("help"))
    assert stand(store).shared is False
    bring_in(store, make_mail("help"), mailbox="sales")
    assert stand(store).shared is True


# --- corrections ---------------------------------------------------------------------------------------------


def test_a_correction_reaches_mail_ticket_and_history(store: Store) -> None:
    open_ticket(store)
    assert relabel(store, "billing")
    assert look_up(store, "message", "category") == ["billing"]
    assert look_up(store, "ticket", "category") == ["billing"]
    assert look_up(store, "ticket", "version") == [2]
    assert look_up(store, "ticket", "team") == ["support"]
    assert look_up(store, "event", "word") == ["opened", "recategorised"]
    assert look_up(store, "event", "message_id", word="recategorised") == [1]
    (kept,) = list_corrections(store)
    assert (kept.message_id, kept.number, kept.kind, kept.was, kept.became, kept.source, kept.at) == (
        1, NUMBER, "moved", "installation", "billing", "mistral", NOW,
    )  # fmt: skip
    assert look_up(store, "correction", "text") == [TEXT]
    assert "facture" not in str(kept).casefold()


def test_the_desk_s_own_verdict_stays_on_record(store: Store) -> None:
    open_ticket(store)
    relabel(store, "billing")
    assert look_up(store, "decision", "category") == ["installation"]


def test_of_two_moves_the_latest_counts_against_the_first_verdict(store: Store) -> None:
    open_ticket(store)
    relabel(store, "billing")
    relabel(store, "account", now=LATER)
    (kept,) = list_corrections(store)
    assert (kept.was, kept.became, kept.at) == ("installation", "account", LATER)
    assert look_up(store, "ticket", "category") == ["account"]


def test_what_is_put_back_takes_its_correction_back(store: Store) -> None:
    open_ticket(store)
    relabel(store, "billing")
    assert relabel(store, "installation")
    assert list_corrections(store) == ()
    assert look_up(store, "ticket", "category") == ["installation"]
    assert look_up(store, "event", "word") == ["opened", "recategorised", "recategorised"]
    assert stand(store).changed == ""


def test_a_command_takes_the_place_of_a_move(store: Store) -> None:
    open_ticket(store)
    relabel(store, "billing")
    relabel(store, "billing", Kind.COMMAND)
    assert [(one.kind, one.became) for one in list_corrections(store)] == [("command", "billing")]
    assert look_up(store, "event", "word") == ["opened", "recategorised"]


def test_who_comes_second_changes_nothing(store: Store) -> None:
    open_ticket(store)
    before = stand(store)
    assert relabel_mail(store, before, Kind.MOVED, "billing", TEXT, NOW)
    assert not relabel_mail(store, before, Kind.MOVED, "account", TEXT, NOW)
    assert look_up(store, "ticket", "category") == ["billing"]


def test_two_who_see_the_same_move_at_once_make_one_correction(store: Store) -> None:
    open_ticket(store)
    before = stand(store)

    def move() -> bool:
        return relabel_mail(store, before, Kind.MOVED, "billing", TEXT, NOW)

    assert sorted(run_together(move, move)) == [False, True]
    assert count_rows(store, "correction") == 1


def test_a_decision_that_was_under_way_about_the_ticket_is_made_again(store: Store) -> None:
    ticket_id = open_ticket(store)
    relabel(store, "billing")
    with pytest.raises(StaleDecision):
        settle(store, bring_one(store, "reply"), make_outcome(touch_plan(ticket_id, 1)))


def test_an_answer_s_correction_leaves_its_ticket_alone(store: Store) -> None:
    ticket_id = open_ticket(store)
    settle(store, bring_one(store, "reply"), make_outcome(touch_plan(ticket_id, 1)))
    assert relabel_mail(store, stand(store, 2), Kind.MOVED, "billing", TEXT, NOW)
    assert look_up(store, "message", "category") == ["installation", "billing"]
    assert look_up(store, "ticket", "category") == ["installation"]


def test_what_is_erased_is_not_corrected_any_more(store: Store) -> None:
    open_ticket(store)
    before = stand(store)
    forget_mails(store, [1], NOW)
    assert not relabel_mail(store, before, Kind.MOVED, "billing", TEXT, NOW)
    assert list_corrections(store) == ()


def test_what_became_of_a_draft_is_kept_once(store: Store) -> None:
    open_ticket(store)
    assert keep_answer(store, Answer(stand(store), Kind.REWRITTEN, ""), NOW)
    assert not keep_answer(store, Answer(stand(store), Kind.SENT, TEXT), NOW)
    assert [(one.kind, one.was, one.became) for one in list_corrections(store)] == [
        ("rewritten", "installation", "installation")
    ]


def test_two_who_find_the_same_letter_at_once_keep_it_once(store: Store) -> None:
    open_ticket(store)
    both = [lambda: keep_answer(store, Answer(stand(store), Kind.SENT, TEXT), NOW) for _ in range(2)]
    assert sorted(run_together(*both)) == [False, True]


# --- drafts --------------------------------------------------------------------------------------------------


def lay_draft(store: Store) -> None:
    open_ticket(store, make_letter("draft", Purpose.DRAFT, draft=True), make_letter("told"))


def test_a_draft_is_open_until_it_is_known_what_became_of_it(store: Store, mailbox: int) -> None:
    lay_draft(store)
    (letter_id, _) = look_up(store, "letter", "id")
    answers = name_id(f"mail of {NUMBER}")
    assert list_open_drafts(store, mailbox) == (OpenDraft(letter_id, 1, name_id("draft"), answers, NUMBER),)
    assert list_open_drafts(store, add_mailbox(store, "sales")) == ()
    keep_answer(store, Answer(stand(store), Kind.SENT, TEXT), NOW)
    assert list_open_drafts(store, mailbox) == ()


def test_a_correction_of_the_category_closes_no_draft(store: Store, mailbox: int) -> None:
    lay_draft(store)
    relabel(store, "billing")
    assert len(list_open_drafts(store, mailbox)) == 1


def test_a_draft_that_was_forgotten_can_t_be_compared(store: Store, mailbox: int) -> None:
    lay_draft(store)
    (letter_id, _) = look_up(store, "letter", "id")
    assert read_draft(store, letter_id) == make_letter().body
    forget_letters(store, [letter_id], NOW)
    assert (list_open_drafts(store, mailbox), read_draft(store, letter_id)) == ((), b"")


def test_our_own_letters_are_known_by_their_message_id(store: Store) -> None:
    lay_draft(store)
    assert find_letters(store, [name_id("told"), name_id("foreign"), ""]) == {name_id("told")}


# --- folders -------------------------------------------------------------------------------------------------


def test_a_folder_is_looked_through_from_where_it_was_left(store: Store, mailbox: int) -> None:
    assert read_looked(store, mailbox, "Sent") == Looked(0, 0)
    for last in (7, VALIDITY):
        keep_looked(store, mailbox, "Sent", Looked(VALIDITY, last))
    assert read_looked(store, mailbox, "Sent") == Looked(VALIDITY, VALIDITY)
    assert read_looked(store, mailbox, "Sent mail") == Looked(0, 0)
    assert read_looked(store, add_mailbox(store, "sales"), "Sent") == Looked(0, 0)


def test_looking_through_a_folder_moves_no_cursor_of_the_intake(store: Store, mailbox: int) -> None:
    keep_looked(store, mailbox, "Billing", Looked(1, 7))
    assert count_rows(store, "folder") == 0


# --- lessons and drift ---------------------------------------------------------------------------------------


def list_taught(store: Store) -> list[tuple[str, str, str]]:
    return [(one.text, one.category, one.priority) for one in list_lessons(store)]


def test_a_corrected_mail_teaches_its_new_category_and_its_ticket_s_priority(store: Store) -> None:
    open_ticket(store, plan=replace(ANSWERED, ticket=replace(ANSWERED.ticket, priority="urgent")))  # type: ignore[type-var]  # it has a ticket
    relabel(store, "billing")
    assert list_taught(store) == [(TEXT, "billing", "urgent")]


def test_a_draft_that_was_sent_confirms_its_category(store: Store) -> None:
    open_ticket(store)
    keep_answer(store, Answer(stand(store), Kind.SENT, TEXT), NOW)
    assert list_taught(store) == [(TEXT, "installation", "normal")]


def test_a_changed_category_counts_more_than_a_draft_that_was_sent(store: Store) -> None:
    open_ticket(store)
    relabel(store, "billing")
    keep_answer(store, Answer(replace(stand(store), category="installation"), Kind.SENT, TEXT), NOW)
    assert list_taught(store) == [(TEXT, "billing", "normal")]


def test_a_rewritten_draft_teaches_nothing_and_counts(store: Store) -> None:
    open_ticket(store)
    keep_answer(store, Answer(stand(store), Kind.REWRITTEN, ""), NOW)
    assert list_taught(store) == []
    assert list_corrected(store, NOW) == (Corrected(1, "rewritten"),)


def test_a_correction_without_a_text_teaches_nothing_and_counts(store: Store) -> None:
    open_ticket(store)
    relabel(store, "billing", text="")
    assert list_taught(store) == []
    assert list_corrected(store, NOW) == (Corrected(1, "moved"),)


def test_drift_is_counted_from_the_verdicts_as_the_desk_had_them(store: Store) -> None:
    open_ticket(store)
    relabel(store, "billing")
    settle(store, bring_one(store, "news"), make_outcome(IGNORED))
    assert list_verdicts(store, NOW) == (Judged(1, NOW, "installation"), Judged(2, NOW, "installation"))
    assert (list_verdicts(store, NOW + SECOND), list_corrected(store, NOW + SECOND)) == ((), ())


def test_of_a_mail_that_was_decided_again_the_last_verdict_counts(store: Store) -> None:
    open_ticket(store)
    with writing(store.engine) as connection:
        row = dict(connection.execute(sa.select(decisions)).mappings().one()) | {"revision": 2, "category": "account"}
        del row["id"]
        connection.execute(sa.insert(decisions).values(**row))
    assert list_verdicts(store, NOW) == (Judged(1, NOW, "account"),)


def test_tickets_of_live_mail_are_counted_for_spikes(store: Store) -> None:
    open_ticket(store)
    assert list_opened(store, NOW) == (("installation", NOW),)
    assert list_opened(store, NOW + SECOND) == ()
    with writing(store.engine) as connection:
        connection.execute(sa.text("UPDATE message SET arrival = 'backfill'"))
    assert list_opened(store, NOW) == ()


def test_a_digest_for_all_teams_names_unusual_categories_in_its_language(store: Store) -> None:
    for at in range(7):
        open_ticket(store, number=f"2026-00000{at}")
    with writing(store.engine) as connection:
        first = sa.update(tickets).where(tickets.c.number == "2026-000000")
        connection.execute(first.values(opened_at=NOW - timedelta(days=10)))
    reader = Reader(name="all", address="all@atelier.example", language="fr", frequency="daily", format="text")
    assert find_unusual(store, reader, NOW) == (Spike(say_word("installation", "fr"), 6, 0.1),)
    assert find_unusual(store, reader.model_copy(update={"teams": ("support",)}), NOW) == ()
    assert find_unusual(store, reader, NOW - SECOND) == ()


# --- forgetting ----------------------------------------------------------------------------------------------


def cut_examples(instant: datetime, others: datetime = NOW) -> Cutoffs:
    return replace(cut_at(others), examples=instant)


def texts(store: Store) -> list[str]:
    return list(look_up(store, "correction", "text"))


def test_a_text_that_was_learnt_from_has_a_period_of_its_own(store: Store) -> None:
    open_ticket(store)
    relabel(store, "billing")
    forget_mails(store, [1], LATER, keep_examples=NOW)
    assert texts(store) == [TEXT]
    assert find_due(store, cut_examples(NOW), LATER, 10).examples == 0
    assert forget_examples(store, cut_examples(NOW), LATER) == 0
    assert find_due(store, cut_examples(NOW + SECOND), LATER, 10).examples == 1
    assert forget_examples(store, cut_examples(NOW + SECOND), LATER) == 1
    assert texts(store) == [""]
    assert [(one.was, one.became) for one in list_corrections(store)] == [("installation", "billing")]


def test_with_its_mail_goes_the_text_that_has_had_its_time(store: Store) -> None:
    open_ticket(store)
    relabel(store, "billing")
    forget_mails(store, [1], LATER, keep_examples=NOW + SECOND)
    assert texts(store) == [""]


def test_an_erasure_that_a_person_asked_for_waits_for_nothing(store: Store) -> None:
    open_ticket(store)
    relabel(store, "billing")
    forget_mails(store, [1], NOW)
    assert texts(store) == [""]


def test_what_was_erased_since_the_backup_is_not_learnt_from_again(store: Store, tmp_path: Path) -> None:
    open_ticket(store)
    relabel(store, "billing")
    backup = copy_database(store, tmp_path / "backup.db")
    forget_mails(store, [1], LATER)
    assert texts(backup) == [TEXT]
    assert replay_journal(backup, LATER) == 1
    assert (texts(backup), list_lessons(backup)) == ([""], ())
    backup.engine.dispose()


def test_the_text_of_a_held_ticket_stays(store: Store) -> None:
    open_ticket(store)
    relabel(store, "billing")
    hold_ticket(store, NUMBER, "case 12", NOW)
    assert forget_examples(store, cut_examples(LATER), LATER) == 0
    assert texts(store) == [TEXT]


# --- models --------------------------------------------------------------------------------------------------


def keep_some(store: Store, *keys: str, use: bool = True) -> list[int]:
    return [
        keep_model(store, key, (600, 12), MODEL, key.encode(), use, NOW + at * SECOND) for at, key in enumerate(keys)
    ]


def states(store: Store) -> Sequence[str]:
    return look_up(store, "trained_model", "state")


def test_without_a_trained_model_none_is_in_use(store: Store) -> None:
    assert find_in_use(store) is None
    assert list_models(store) == ()


def test_the_newest_that_is_put_in_use_is_in_use_alone(store: Store) -> None:
    first, second = keep_some(store, "a", "b")
    assert find_in_use(store) == (second, "b")
    assert states(store) == ["kept", "in_use"]
    assert read_artefact(store, first) == b"a"
    kept = list_models(store)[0]
    assert (kept.id, kept.examples, kept.corrections, kept.figures) == (second, 600, 12, MODEL)


def test_a_model_that_is_only_kept_judges_nothing_until_it_is_chosen(store: Store) -> None:
    (first,) = keep_some(store, "a")
    (second,) = keep_some(store, "b", use=False)
    assert find_in_use(store) == (first, "a")
    assert use_model(store, second)
    assert find_in_use(store) == (second, "b")
    assert states(store) == ["kept", "in_use"]


def test_one_can_go_back_to_what_the_examples_teach(store: Store) -> None:
    keep_some(store, "a")
    assert use_model(store, 0)
    assert find_in_use(store) is None


def test_what_learnt_the_same_is_the_same_model(store: Store) -> None:
    assert keep_some(store, "a", "a") == [1, 1]
    assert count_rows(store, "trained_model") == 1


def test_of_old_models_the_figures_stay(store: Store) -> None:
    made = keep_some(store, *(f"m{at}" for at in range(KEPT + 2)))
    assert states(store) == ["retired"] * 2 + ["kept"] * (KEPT - 1) + ["in_use"]
    assert [bool(read_artefact(store, one)) for one in made] == [False] * 2 + [True] * KEPT
    assert not use_model(store, made[0])
    assert not use_model(store, 999)
    assert find_in_use(store) == (made[-1], f"m{KEPT + 1}")
    assert [one.figures for one in list_models(store)] == [MODEL] * (KEPT + 2)


def test_the_model_in_use_is_kept_however_old(store: Store) -> None:
    (first,) = keep_some(store, "old")
    keep_some(store, *(f"m{at}" for at in range(KEPT + 2)), use=False)
    assert find_in_use(store) == (first, "old")
    assert read_artefact(store, first) == b"old"


def test_a_retired_model_that_is_learnt_again_is_whole_again(store: Store) -> None:
    made = keep_some(store, *(f"m{at}" for at in range(KEPT + 1)))
    again = keep_model(store, "m0", (600, 12), MODEL, b"m0", True, LATER)
    assert again == made[0]
    assert find_in_use(store) == (again, "m0")
