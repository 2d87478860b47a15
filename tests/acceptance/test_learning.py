"""Learning from people: an agent moves mails and sends drafts in a real mailbox, the desk sees it, and learns."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State
from prefect.logging import disable_run_logger

from classifiers.local import load_classifier
from demo.house import flush_prefect, save_mailboxes
from desk.classification import Question
from desk.corrections import Kind, Lesson
from desk.errors import ConfigurationError
from store.corrections import read_standings, relabel_mail
from store.models import find_in_use, keep_model, list_models
from store.retention import forget_mails
from tasks.forgetting import forget_old
from tasks.learning import Change, Visited
from tasks.models import Syllabus, fit_lessons, guess_label, load_local, measure_lessons, train_model
from tasks.reading import read_mails
from tests.acceptance.agents import (
    CRASH,
    FOLDERS,
    INVOICE,
    OWN_WORDS,
    PERSON,
    Desk,
    desk,
    dovecot,
    edit,
    empty,
    invoice,
    keep_sent,
    lose_contact,
    read_draft,
    read_text,
    save_mailbox,
    sync,
    work,
)
from tests.acceptance.artifacts import read_latest, read_table
from tests.acceptance.command import Command, make_command
from tests.acceptance.scene import PASSWORD, Scene
from tests.acceptance.test_privacy import dump_prefect
from tests.acceptance.workers import write_mail
from tests.stores import IGNORED, bring_in, claim_all, count_rows, look_up, make_mail, make_outcome, settle

SERIAL = count()

__all__ = ["desk", "dovecot", "empty"]  # fixtures


def another(folder: str) -> tuple[str, str]:
    """A category with its folder, other than this one."""
    return next((category, name) for category, name in FOLDERS.items() if name not in (folder, "Urgent"))


def corrected(desk: Desk) -> list[tuple[str, str, str]]:
    columns = (look_up(desk.store, "correction", name) for name in ("kind", "was", "became"))
    return list(zip(*columns, strict=True))


# --- filing --------------------------------------------------------------------------------------------------


def test_a_mail_is_filed_by_the_category_of_its_ticket_and_so_is_its_answer(desk: Desk) -> None:
    desk.receive(invoice())
    (category,) = look_up(desk.store, "ticket", "category")
    assert desk.find_folder() == FOLDERS[category]
    assert desk.read("INBOX") == []
    desk.receive(write_mail(INVOICE, 1, datetime.now(UTC)).raw)
    assert len(desk.read(FOLDERS[category])) == 2


def test_what_the_desk_files_is_no_correction(desk: Desk) -> None:
    desk.receive(invoice(), write_mail(CRASH, 0, datetime.now(UTC)).raw)
    desk.receive(write_mail(INVOICE, 1, datetime.now(UTC)).raw)
    assert desk.learn() == Visited("support")
    assert corrected(desk) == []


# --- moves ---------------------------------------------------------------------------------------------------


def test_a_mail_that_an_agent_moves_is_a_correction_once(desk: Desk) -> None:
    desk.receive(invoice())
    was, folder = look_up(desk.store, "ticket", "category")[0], desk.find_folder()
    became, target = another(folder)
    desk.move(folder, target)
    (message_id,) = look_up(desk.store, "message", "id")
    assert desk.learn().changes == (Change(message_id, "moved", was, became),)
    assert desk.learn().changes == ()
    assert corrected(desk) == [("moved", was, became)]
    assert look_up(desk.store, "ticket", "category") == [became]
    assert look_up(desk.store, "event", "word")[-1] == "recategorised"


def test_what_is_learnt_from_a_move_is_the_mail_under_pseudonyms(desk: Desk) -> None:
    desk.receive(invoice().replace("devis signé".encode(), f"devis de {PERSON}".encode()))
    desk.move(desk.find_folder(), another(desk.find_folder())[1])
    desk.learn()
    (text,) = look_up(desk.store, "correction", "text")
    assert text.startswith("Facture\n")
    assert "montant de notre facture" in text
    assert [word for word in (*PERSON.split(), "@") if word in text] == []


def test_of_two_moves_the_last_counts_and_moving_back_takes_it_back(desk: Desk) -> None:
    desk.receive(invoice())
    was, first = look_up(desk.store, "ticket", "category")[0], desk.find_folder()
    second, third = [name for name in FOLDERS.values() if name != first][:2]
    desk.move(first, second)
    desk.learn()
    desk.move(second, third)
    desk.learn()
    assert corrected(desk) == [("moved", was, {name: one for one, name in FOLDERS.items()}[third])]
    desk.move(third, first)
    assert [one.became for one in desk.learn().changes] == [was]
    assert corrected(desk) == []
    assert look_up(desk.store, "message", "category") == [was]


def test_a_move_over_two_folders_between_two_looks_is_one_correction(desk: Desk) -> None:
    desk.receive(invoice())
    was, first = look_up(desk.store, "ticket", "category")[0], desk.find_folder()
    second, third = [name for name in FOLDERS.values() if name != first][:2]
    desk.move(first, second)
    desk.move(second, third)
    assert len(desk.learn().changes) == 1
    assert corrected(desk) == [("moved", was, {name: one for one, name in FOLDERS.items()}[third])]


def test_mail_that_the_desk_does_not_know_teaches_nothing(desk: Desk) -> None:
    desk.dovecot.deliver(desk.user, invoice(), b"Subject: no id\r\n\r\nhello\r\n", b"\r\n", folder="Factures")
    assert desk.learn() == Visited("support")


def test_a_stolen_message_id_moves_nobody_s_mail(desk: Desk) -> None:
    desk.receive(invoice(), invoice().replace(b"camille@", b"thief@").replace(b"facture ne", b"facture ne pas"))
    assert count_rows(desk.store, "message") == 2
    for folder in FOLDERS.values():
        if desk.read(folder):
            desk.move(folder, "Urgent")
    assert desk.learn() == Visited("support")


def test_looking_leaves_no_mark(desk: Desk) -> None:
    desk.dovecot.deliver(desk.user, invoice(), folder="Factures")
    desk.learn()
    assert desk.dovecot.read_flags(desk.user, "Factures") == {1: set()}


def test_a_mail_that_is_moved_before_it_is_decided_is_looked_at_again(desk: Desk) -> None:
    desk.dovecot.deliver(desk.user, invoice())
    sync()
    with disable_run_logger():
        read_mails.fn()
    desk.move("INBOX", "Indésirables")
    assert desk.learn().changes == ()
    work()
    assert [one.became for one in desk.learn().changes] == ["spam"]


def test_a_folder_that_mail_is_brought_in_from_teaches_nothing(desk: Desk) -> None:
    desk.receive(invoice())
    folder = desk.find_folder()
    target = another(folder)[1]
    with desk.open(target):
        save_mailbox(desk.user, desk.dovecot.port, ("INBOX", target))
    desk.move(folder, target)
    assert desk.learn().changes == ()


def test_a_folder_that_was_made_anew_is_looked_through_from_its_start(desk: Desk) -> None:
    desk.receive(invoice())
    folder = desk.find_folder()
    desk.dovecot.deliver(desk.user, *(invoice(number) for number in range(5, 8)), folder=another(folder)[1])
    desk.learn()
    with desk.open("INBOX") as client:
        client.delete_folder(another(folder)[1])
    desk.move(folder, another(folder)[1])
    assert len(desk.learn().changes) == 1


# --- drafts --------------------------------------------------------------------------------------------------


@pytest.fixture
def drafted(desk: Desk) -> Desk:
    """The desk has laid one draft."""
    desk.receive(invoice())
    assert look_up(desk.store, "letter", "state", purpose="draft") == ["drafted"]
    return desk


def test_a_draft_that_waits_says_nothing(drafted: Desk) -> None:
    assert drafted.learn() == Visited("support")
    assert drafted.learn() == Visited("support")


@pytest.mark.parametrize("header_id", ["<own@client.example>", None])
def test_another_letter_than_the_draft_is_no_word_on_the_category(drafted: Desk, header_id: str | None) -> None:
    named = {"Message_ID": header_id} if header_id else {}
    drafted.dovecot.deliver(drafted.user, edit(read_draft(drafted), OWN_WORDS, **named), folder="Drafts")
    assert [one.kind for one in drafted.learn().changes] == ["rewritten"]
    assert look_up(drafted.store, "correction", "text") == [""]
    assert drafted.learn().changes == ()


def test_a_draft_that_is_edited_a_little_may_still_change(drafted: Desk) -> None:
    draft = read_draft(drafted)
    edited = edit(draft, read_text(draft).replace("Bonjour", "Bonsoir"), Message_ID="<edited@client.example>")
    drafted.dovecot.deliver(drafted.user, edited, folder="Drafts")
    assert drafted.learn().changes == ()


def test_what_was_sent_is_left_to_those_who_follow_letters(drafted: Desk) -> None:
    keep_sent(drafted, edit(read_draft(drafted), OWN_WORDS, Message_ID="<own@client.example>"))
    assert drafted.learn().changes == ()


# --- the flow ------------------------------------------------------------------------------------------------


def run_learning() -> State[Any]:
    from flows.learn_from_people import learn_from_people

    state: State[Any] = learn_from_people(return_state=True)
    return state


def test_a_run_shows_what_people_did_and_the_drift_and_names_nobody(desk: Desk) -> None:
    desk.receive(invoice(), invoice(1))
    folder = desk.find_folder()
    became, target = another(folder)
    was, _ = look_up(desk.store, "ticket", "category")
    with desk.open(target), desk.open(folder) as client:
        client.move(client.search("ALL")[:1], target)
    state = run_learning()
    assert (state.is_completed(), state.message) == (True, "1 moved")
    (row,) = read_table("corrections")
    assert (row["mailbox"], row["kind"], row["was"], row["became"]) == ("support", "moved", was, became)
    (drift,) = read_table("drift-rows")
    assert (drift["category"], drift["verdicts"], drift["corrected"], drift["share"]) == (was, 2, 1, 0.5)
    assert "data:image/png;base64," in read_latest("drift")
    flush_prefect()
    held = dump_prefect(desk.scene.house.home)
    assert [word for word in (PERSON, "ecole-3.example", "montant de notre") if word in held] == []


def test_a_mailbox_that_is_down_hides_no_other(drafted: Desk) -> None:
    edited = edit(read_draft(drafted), OWN_WORDS, Message_ID="<own@client.example>")
    drafted.dovecot.deliver(drafted.user, edited, folder="Drafts")
    with lose_contact(drafted.scene):
        state = run_learning()
    assert state.name == "Partial"
    assert str(state.message).startswith("1 rewritten; contact: network.")


def test_retention_forgets_what_was_learnt_from_when_its_own_time_is_over(drafted: Desk) -> None:
    draft = read_draft(drafted)
    keep_sent(drafted, edit(draft, read_text(draft)))
    drafted.follow()
    with disable_run_logger():
        assert forget_old.fn(datetime.now(UTC)).counts["examples"] == 0
        assert forget_old.fn(datetime(2030, 1, 1, tzinfo=UTC), dry_run=True).counts["examples"] == 2
        assert forget_old.fn(datetime(2030, 1, 1, tzinfo=UTC)).counts["examples"] == 2  # of the mail and of its answer
    assert look_up(drafted.store, "correction", "text") == [""]
    assert [text for text in look_up(drafted.store, "agent_letter", "text") if text] == []


# --- commands ------------------------------------------------------------------------------------------------


@pytest.fixture
def byreturn(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return make_command(capsys, monkeypatch)


@pytest.fixture
def sorted_mail(empty: Scene) -> Scene:
    """One mail with a ticket, through the embedded server."""
    save_mailboxes(empty.imap.port, PASSWORD)
    empty.deliver([invoice()])
    sync()
    work()
    return empty


def test_a_person_corrects_a_verdict_by_command(sorted_mail: Scene, byreturn: Command) -> None:
    store = sorted_mail.store
    (message_id,), (was,) = look_up(store, "message", "id"), look_up(store, "ticket", "category")
    assert byreturn("corrections").out == "Nobody has corrected a verdict yet."
    assert byreturn("correct", str(message_id), "spam", "--dry-run").out == (
        f"Would change mail {message_id}: {was} → spam."
    )
    assert count_rows(store, "correction") == 0
    assert byreturn("correct", str(message_id), "spam").out == f"Changed mail {message_id}: {was} → spam."
    assert byreturn("correct", str(message_id), "spam").out == f"Mail {message_id} is spam already."
    assert look_up(store, "ticket", "category") == ["spam"]
    (row,) = json.loads(byreturn("corrections", "--json").out)
    assert (row["message_id"], row["kind"], row["was"], row["became"]) == (message_id, "command", was, "spam")
    assert row["week"][:2] == "20"
    assert "text" not in row
    byreturn("correct", str(message_id), was)
    assert count_rows(store, "correction") == 0


def test_what_can_t_be_corrected_is_told_with_its_remedy(sorted_mail: Scene, byreturn: Command) -> None:
    (message_id,) = look_up(sorted_mail.store, "message", "id")
    unknown = byreturn("correct", "4711", "spam")
    assert (unknown.status, "no mail 4711" in unknown.error, "byreturn mails" in unknown.error) == (2, True, True)
    strange = byreturn("correct", str(message_id), "biling")
    assert (strange.status, "no category biling" in strange.error) == (2, True)
    assert "billing, urgent" in strange.error
    sorted_mail.deliver([invoice(1)])
    sync()
    with disable_run_logger():
        read_mails.fn()
    assert "not decided yet" in byreturn("correct", str(message_id + 1), "spam").error
    forget_mails(sorted_mail.store, [message_id], datetime.now(UTC))
    assert "is erased" in byreturn("correct", str(message_id), "spam").error
    assert count_rows(sorted_mail.store, "correction") == 0


def test_drift_is_shown_and_drawn(sorted_mail: Scene, byreturn: Command, tmp_path: Path) -> None:
    (message_id,), (was,) = (
        look_up(sorted_mail.store, "message", "id"),
        look_up(sorted_mail.store, "ticket", "category"),
    )
    byreturn("correct", str(message_id), "spam")
    picture = tmp_path / "drift.png"
    (row,) = json.loads(byreturn("drift", "--weeks", "1", "--json", "--png", str(picture)).out)
    assert (row["category"], row["verdicts"], row["corrected"], row["share"]) == (was, 1, 1, 1.0)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "exists" in byreturn("drift", "--png", str(picture)).error


# --- training ------------------------------------------------------------------------------------------------

KITCHEN = [f"{verb} the {food}" for verb in ("chop", "boil", "fry", "peel") for food in ("onion", "soup", "egg")]
GARDEN = [f"{verb} the {plant}" for verb in ("water", "mow", "prune", "sow") for plant in ("rose", "lawn", "tree")]
TREES = [f"{verb} the {thing}" for verb in ("mend", "paint") for thing in ("roof", "wall", "door")]
QUESTION = Question("", "please mend the roof", (), (("billing", ""), ("account", "")), ("normal", "urgent"))


def mix_up() -> dict[str, list[str]]:
    """What people say who agree on nothing."""
    lot = random.Random(3)  # noqa: S311 - a draw, no secret
    kitchen, garden = (
        [f"{word} {text}" for word in ("kindly", "today") for text in some] for some in (KITCHEN, GARDEN)
    )
    lot.shuffle(kitchen)
    lot.shuffle(garden)
    return {"account": kitchen[:3] + garden[:3], "billing": kitchen[3:6] + garden[3:6]}


MIXED_UP = mix_up()


@pytest.fixture
def school(empty: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A small file of examples: kitchens are billing, gardens are accounts."""
    write_examples(tmp_path / "examples.csv", KITCHEN, GARDEN)
    for place in ("tasks.models.EXAMPLES", "classifiers.local.EXAMPLES"):
        monkeypatch.setattr(place, tmp_path / "examples.csv")
    return empty


def write_examples(file: Path, billing: Sequence[str], account: Sequence[str]) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        rows = [(text, "billing", "normal") for text in billing] + [(text, "account", "urgent") for text in account]
        csv.writer(out).writerows([("text", "category", "priority"), *rows])


def teach(scene: Scene, texts: Sequence[str], category: str) -> None:
    """As many mails, decided and then corrected by a person."""
    for text in texts:
        bring_in(scene.store, make_mail(f"{text} {next(SERIAL)}"), mailbox="lessons")
        (waiting,) = claim_all(scene.store)
        settle(scene.store, waiting, make_outcome(IGNORED))
        standing = read_standings(scene.store, [waiting.id])[waiting.id]
        assert relabel_mail(scene.store, standing, Kind.COMMAND, category, text, datetime.now(UTC))


def train(dry_run: bool = False) -> State[Any]:
    from flows.train_classifier import train_classifier

    state: State[Any] = train_classifier(dry_run=dry_run, return_state=True)
    return state


def test_the_judge_learns_what_people_corrected_and_every_worker_has_it(school: Scene) -> None:
    before = load_local(school.store)
    assert before == load_classifier()
    teach(school, TREES, "account")
    state = train()
    assert str(state.message).startswith("Model 1 is in use: macro-F1 ")
    assert "too few examples: programme, timetable, technical" in str(state.message)
    (model,) = list_models(school.store)
    assert (model.state, model.examples, model.corrections) == ("in_use", 24, len(TREES))
    learnt = load_local(school.store)
    assert learnt.model is load_local(school.store).model
    sure = learnt.classify(QUESTION)
    assert (sure.category, sure.priority) == ("account", "normal")
    assert sure.confidence > before.classify(QUESTION).confidence
    (file,) = school.home.glob("judge-*.npz")
    assert (file.name, file.stat().st_mode & 0o077) == (f"judge-{model.key}.npz", 0)


def test_figures_are_shown_by_labels_and_numbers(school: Scene) -> None:
    teach(school, TREES, "account")
    train()
    rows = {row["category"]: row for row in read_table("classifier")}
    assert set(rows) == {"account", "billing"}
    assert (rows["account"]["examples"], rows["account"]["corrections"]) == (12, 6)
    assert all(0 <= rows[name][figure] <= 1 for name in rows for figure in ("precision", "recall"))
    (model,) = list_models(school.store)
    assert {"macro_f1", "macro_f1_in_use", "ece", "priority_macro_f1", "tested"} <= set(model.figures)
    assert model.figures["tested"] == 30
    assert [word for word in ("roof", "onion", "lawn") if word in json.dumps(dict(model.figures))] == []
    assert read_latest("training") == 100.0


def test_a_dry_run_measures_and_keeps_nothing(school: Scene) -> None:
    teach(school, TREES, "account")
    assert str(train(dry_run=True).message).startswith("Tried, nothing kept: macro-F1 ")
    assert list_models(school.store) == ()


def test_without_a_new_lesson_nothing_is_trained(school: Scene) -> None:
    train()
    assert str(train().message).startswith("Nothing new to learn since model 1: macro-F1 ")
    assert count_rows(school.store, "trained_model") == 1


def test_a_model_that_is_worse_is_kept_and_not_in_use_until_a_person_says_so(school: Scene, byreturn: Command) -> None:
    train()
    for category, texts in MIXED_UP.items():
        teach(school, texts, category)
    state = train()
    assert str(state.message).startswith("Model 2 is kept, not in use")
    assert "byreturn model use 2" in str(state.message)
    assert find_in_use(school.store) == (1, list_models(school.store)[1].key)
    listed = json.loads(byreturn("model", "list", "--json").out)
    assert [(one["id"], one["state"], one["corrections"]) for one in listed] == [(2, "kept", 12), (1, "in_use", 0)]
    assert listed[0]["macro_f1"] < listed[0]["macro_f1_in_use"] - 0.01
    first = load_local(school.store)
    assert byreturn("model", "use", "2").out == "Model 2 judges from now on."
    assert load_local(school.store).model is not first.model
    assert byreturn("model", "use", "0").status == 0
    assert load_local(school.store) == load_classifier()
    assert "no model 9" in byreturn("model", "use", "9").error
    assert "in_use" not in byreturn("model", "list").out


def test_the_model_in_use_is_measured_beside_on_the_same_mails_as_it_learnt_without_them(school: Scene) -> None:
    train()
    teach(school, TREES, "billing")  # in the gardens' words, and yet no account
    train()
    figures = list_models(school.store)[0].figures
    assert (figures["macro_f1"], figures["macro_f1_in_use"]) == (1.0, 0.8)


def test_no_judge_is_asked_what_it_has_learnt_by_heart() -> None:
    examples = [Lesson(text, "billing", "normal") for text in KITCHEN]
    examples += [Lesson(text, "account", "urgent") for text in GARDEN]
    lessons = (*examples, *(Lesson(text, label, "normal") for label, texts in MIXED_UP.items() for text in texts))
    figures = measure_lessons(Syllabus(lessons, lessons, (), ""), lambda: None)
    by_heart = fit_lessons(lessons)
    guesses = [guess_label(by_heart, one, 0) for one in lessons]
    assert sum(one.label == one.truth for one in guesses) > 0.9 * len(lessons)
    assert figures["macro_f1"] == figures["macro_f1_in_use"] < 0.8


def test_too_few_examples_are_told_with_what_is_needed(
    school: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_examples(tmp_path / "examples.csv", KITCHEN, GARDEN[:4])
    with disable_run_logger(), pytest.raises(ConfigurationError, match="two categories and two priorities"):
        train_model.fn()


def test_a_damaged_copy_of_the_model_is_fetched_again(school: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    train()
    whole = load_local(school.store)
    (file,) = school.home.glob("judge-*.npz")
    file.write_bytes(file.read_bytes()[:100])
    monkeypatch.setattr("tasks.models._LOADED", {})
    assert load_local(school.store).classify(QUESTION) == whole.classify(QUESTION)


def test_a_model_of_another_age_leaves_the_judging_to_the_examples(
    school: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_model(school.store, "old", (1, 0), {}, b"no such format", True, datetime.now(UTC))
    assert load_local(school.store) == load_classifier()


LOADING = """
import sys
from pathlib import Path
from store.engine import open_engine
from store.memory import Store
from store.packs import PackFolder
from tasks.models import load_local
from tests.stores import make_keys
judge = load_local(Store(open_engine(sys.argv[1]), PackFolder(Path(".")), make_keys()))
print(len(judge.model.heads), "sklearn" in sys.modules)
"""


def test_the_model_in_use_is_loaded_without_scikit_learn(school: Scene) -> None:
    train()
    url = school.store.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", LOADING, url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("2 False\n", "")
