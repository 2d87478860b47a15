"""What people's corrections say: agreement by week, unusual days, moves, letters, lessons."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from desk.corrections import (
    NEWCOMER,
    Kind,
    Lesson,
    Standing,
    compare_words,
    is_moved,
    judge_answer,
    mix_lessons,
    name_categories,
    name_folder,
    pick_common,
    write_lesson,
)
from desk.drift import Corrected, DriftRow, Judged, Spike, begin_weeks, count_drift, find_spikes, tell_week
from desk.facts import Facts, Status, TicketFacts, Trust
from desk.mail import Address, Mail
from desk.mail.values import Forward
from desk.plan import OpenTicket, Plan, TouchTicket, Verdict
from desk.policy import Policy, load_policy
from reports.drift import choose_categories, draw_drift, share_of, write_drift
from reports.page import digest_slots
from tests.stores import NAME, PERSON, make_mail
from tests.unit.test_reports import DIGEST

ZONE = "Europe/Paris"
SUNDAY = datetime(2026, 11, 22, 22, 59, tzinfo=UTC)  # a minute before Monday in Paris
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)


# --- drift ---


def test_a_verdict_counts_in_the_local_week_it_was_made() -> None:
    assert tell_week(SUNDAY, ZONE) == "2026-W47"
    assert tell_week(SUNDAY + timedelta(minutes=1), ZONE) == "2026-W48"
    assert tell_week(datetime(2027, 1, 1, 12, tzinfo=UTC), ZONE) == "2026-W53"


def test_weeks_begin_on_their_monday_at_local_midnight() -> None:
    assert begin_weeks(NOW, 1, ZONE) == datetime(2026, 11, 15, 23, tzinfo=UTC)
    assert begin_weeks(NOW, 2, ZONE) == datetime(2026, 11, 8, 23, tzinfo=UTC)


def test_the_share_of_corrected_verdicts_is_that_of_their_category_and_week() -> None:
    verdicts = [Judged(at, SUNDAY, "billing") for at in range(4)]
    verdicts += [Judged(10, SUNDAY, "account"), Judged(11, SUNDAY + DAY, "billing")]
    done = [Corrected(0, "moved"), Corrected(1, "command"), Corrected(10, "sent"), Corrected(11, "rewritten")]
    assert count_drift(verdicts, done, ZONE) == (
        DriftRow("2026-W48", "billing", 1, 0, 1, 0.0),
        DriftRow("2026-W47", "account", 1, 0, 0, 0.0),
        DriftRow("2026-W47", "billing", 4, 2, 0, 0.5),
    )


def test_a_verdict_is_corrected_once_however_often_people_say_so() -> None:
    done = [Corrected(1, "moved"), Corrected(1, "rewritten"), Corrected(1, "command"), Corrected(99, "moved")]
    (row,) = count_drift([Judged(1, NOW, "billing")], done, ZONE)
    assert (row.verdicts, row.corrected, row.rewritten, row.share) == (1, 1, 1, 1.0)


def test_no_verdict_is_no_drift() -> None:
    assert count_drift([], [Corrected(1, "moved")], ZONE) == ()


# --- spikes ---


def open_daily(category: str, count: int, days: range) -> list[tuple[str, datetime]]:
    return [(category, NOW - day * DAY - timedelta(minutes=5)) for day in days for _ in range(count)]


def test_a_day_far_above_the_four_weeks_before_it_is_a_spike() -> None:
    habit = open_daily("technical", 4, range(1, 29))
    assert find_spikes(habit + open_daily("technical", 14, range(1)), NOW) == (Spike("technical", 14, 4.0),)
    assert find_spikes(habit + open_daily("technical", 13, range(1)), NOW) == ()  # 4 + 3 √4 + 3


def test_a_category_that_is_new_needs_more_than_three_tickets() -> None:
    habit = open_daily("technical", 4, range(1, 29))
    assert find_spikes(habit + open_daily("billing", 3, range(1)), NOW) == ()
    assert find_spikes(habit + open_daily("billing", 4, range(1)), NOW) == (Spike("billing", 4, 0.0),)


def test_the_strongest_spike_comes_first() -> None:
    today = open_daily("billing", 5, range(1)) + open_daily("account", 20, range(1))
    found = find_spikes(open_daily("technical", 1, range(1, 29)) + today, NOW)
    assert [one.category for one in found] == ["account", "billing"]


def test_a_desk_of_a_few_days_has_no_habits() -> None:
    today = open_daily("technical", 50, range(1))
    assert find_spikes(today, NOW) == ()
    assert find_spikes(today + open_daily("technical", 1, range(1, 7)), NOW) == ()
    assert find_spikes(today + open_daily("technical", 1, range(1, 8)), NOW) == (Spike("technical", 50, 1.0),)


def test_what_is_older_than_four_weeks_is_no_habit() -> None:
    old = open_daily("technical", 100, range(29, 40))
    found = find_spikes(old + open_daily("technical", 4, range(1)), NOW)
    assert found == (Spike("technical", 4, 0.0),)


# --- drawn ---

ROWS = (
    DriftRow("2026-W48", "billing", 10, 5, 0, 0.5),
    DriftRow("2026-W47", "account", 10, 0, 1, 0.0),
    DriftRow("2026-W47", "billing", 10, 1, 0, 0.1),
)


def test_the_picture_has_a_line_for_what_was_corrected_and_one_for_all() -> None:
    assert choose_categories(ROWS) == ("billing",)
    assert share_of(ROWS, "billing", "2026-W48") == 0.5
    assert share_of(ROWS, "all", "2026-W47") == 0.05
    assert share_of(ROWS, "account", "2026-W48") != share_of(ROWS, "account", "2026-W48")  # nothing of nothing


@pytest.mark.parametrize("rows", [ROWS, (), tuple(replace(ROWS[0], category=f"c{at}") for at in range(20))])
def test_the_picture_is_small_and_the_same_again(rows: tuple[DriftRow, ...]) -> None:
    drawn = draw_drift(rows)
    assert drawn.startswith(b"\x89PNG")
    assert len(drawn) < 60_000
    assert drawn == draw_drift(rows)


def test_the_page_names_weeks_and_spikes() -> None:
    page = write_drift(ROWS, (Spike("technical", 14, 4.0),))
    assert "| 2026-W48 | billing | 10 | 5 | 0 | 50% |" in page
    assert "**technical**: 14, 4 on a usual day" in page
    assert "None." in write_drift(ROWS, ())


# --- folders ---


@pytest.fixture(scope="module")
def policy() -> Policy:
    text = Path("policy.yaml").read_text(encoding="utf-8")
    for name in ("billing", "account", "technical", "spam"):
        folder = "Shared" if name in ("account", "technical") else name.title()
        text = text.replace(f"  {name}:\n", f"  {name}:\n    folder: {folder}\n", 1)
    return load_policy(text)


OPEN = OpenTicket("billing", "normal", 1, "support", "fr", None, None)
FACTS = Facts("support", Trust.VERIFIED)
JOINED = TicketFacts(1, "2026-000001", 1, Status.NEW, "billing", "normal", 1, "support", PERSON)


def test_a_mail_goes_to_the_folder_of_the_category_of_its_ticket(policy: Policy) -> None:
    assert name_folder(Plan(Verdict.DRAFTED, "mode", "", ticket=OPEN), FACTS, policy) == "Billing"
    unfiled = replace(OPEN, category="programme")
    assert name_folder(Plan(Verdict.DRAFTED, "mode", "", ticket=unfiled), FACTS, policy) == ""


def test_an_answer_goes_where_its_ticket_lies(policy: Policy) -> None:
    touch = TouchTicket(1, 1, "2026-000001", Status.NEW, "support", "reply")
    plan = Plan(Verdict.APPENDED, "reply", "", ticket=touch)
    known = replace(FACTS, ticket=JOINED, participant=True)
    assert name_folder(plan, known, policy) == "Billing"


def test_a_mail_without_a_ticket_stays_whatever_it_is_about(policy: Policy) -> None:
    assert name_folder(Plan(Verdict.IGNORED, "spam", ""), FACTS, policy) == ""


def test_the_verdict_s_own_folder_comes_first(policy: Policy) -> None:
    filing = policy.model_copy(update={"filing": {Verdict.DRAFTED: "Done"}})
    assert name_folder(Plan(Verdict.DRAFTED, "mode", "", ticket=OPEN), FACTS, filing) == "Done"


def test_a_folder_that_two_categories_share_tells_nothing(policy: Policy) -> None:
    assert name_categories(policy) == {"Billing": "billing", "Spam": "spam"}


# --- moves ---

STANDING = Standing(1, "decided", "technical", "technical", "", "local", "technical", "Technical")
MOVED = replace(STANDING, category="billing", ticket_category="billing", changed=Kind.MOVED)


@pytest.mark.parametrize(
    ("standing", "folder", "category", "moved"),
    [
        (STANDING, "Billing", "billing", True),
        (STANDING, "Technical", "technical", False),
        (MOVED, "Billing", "billing", False),
        (MOVED, "Technical", "technical", True),  # back where the desk had put it
        (replace(MOVED, shared=True), "Technical", "technical", False),  # another mailbox's copy was moved
        (replace(MOVED, shared=True), "Account", "account", True),
        (replace(MOVED, changed=Kind.COMMAND), "Technical", "technical", False),  # it still lies there
        (replace(MOVED, changed=Kind.COMMAND), "Account", "account", True),
        (replace(STANDING, category="thanks"), "Technical", "technical", False),  # an answer beside its ticket
        (replace(STANDING, ticket_category="billing"), "Technical", "technical", False),
        (replace(STANDING, state="waiting"), "Billing", "billing", False),
        (replace(STANDING, category="", ticket_category=""), "Billing", "billing", False),
    ],
)
def test_only_what_a_person_put_somewhere_else_was_moved(
    standing: Standing, folder: str, category: str, moved: bool
) -> None:
    assert is_moved(standing, folder, category) is moved


# --- letters ---

DRAFT = "Bonjour,\n\nVotre facture se trouve dans votre espace, sous Abonnement puis Factures.\n\nL'équipe"


def letter(text: str) -> Mail:
    return make_mail("letter", reply_text=text)


@pytest.mark.parametrize(
    ("text", "sent", "kind"),
    [
        (DRAFT, True, Kind.SENT),
        (DRAFT, False, None),  # the desk's own draft, untouched
        (DRAFT.replace("\n", " ").upper(), True, Kind.SENT),
        (DRAFT.replace("équipe", "assistance"), True, Kind.SENT),
        (DRAFT.replace("équipe", "assistance"), False, None),  # it may still change
        ("Bonjour, votre collègue vous répondra demain par téléphone.", True, Kind.REWRITTEN),
        ("Bonjour, votre collègue vous répondra demain par téléphone.", False, Kind.REWRITTEN),
        (" \n", True, None),
    ],
)
def test_what_became_of_a_draft(text: str, sent: bool, kind: Kind | None) -> None:
    assert judge_answer(letter(DRAFT), letter(text), sent) is kind


def test_nine_words_of_ten_are_the_same_letter() -> None:
    ten = "un deux trois quatre cinq six sept huit neuf dix"
    assert compare_words(ten, ten.replace("dix", "onze")) == pytest.approx(0.9)
    assert judge_answer(letter(ten), letter(ten.replace("dix", "onze")), True) is Kind.SENT
    assert judge_answer(letter(ten), letter(ten.replace("neuf dix", "onze douze")), True) is Kind.REWRITTEN


# --- lessons ---


def test_a_lesson_names_nobody() -> None:
    mail = make_mail("help", subject=f"Facture de {NAME}", reply_text=f"Écrivez à {PERSON}, {NAME}, ou 06 12 34 56 78")
    text = write_lesson(mail, passed_on=False)
    assert (text.startswith("Facture de "), "\n" in text) == (True, True)
    assert [word for word in (NAME, PERSON, "06 12 34 56 78") if word in text] == []


def test_of_a_mail_that_was_passed_on_the_lesson_is_what_was_passed_on() -> None:
    told = Forward(Address("Paul Durand", "paul@ecole.example"), "Facture", text="Paul Durand attend sa facture")
    mail = make_mail("fwd", subject="Tr: Facture", reply_text="pour toi", forwarded=told)
    taught = write_lesson(mail, passed_on=True)
    assert (taught.endswith(" attend sa facture"), "Durand" in taught, "pour toi" in taught) == (True, False, False)
    assert write_lesson(mail, passed_on=False).endswith("\npour toi")


def example(text: str, category: str = "billing", priority: str = "normal") -> Lesson:
    return Lesson(text, category, priority)


def said(text: str, category: str = "billing", age: int = 0, priority: str = "normal") -> Lesson:
    return Lesson(text, category, priority, NOW - age * DAY)


EXAMPLES = [example(f"facture {at}") for at in range(10)] + [example(f"compte {at}", "account") for at in range(10)]


def test_a_correction_wins_over_the_example_of_the_same_text() -> None:
    mixed = mix_lessons(EXAMPLES, [said("Facture  3", "account")])
    assert [one.category for one in mixed if one.text.casefold().split() == ["facture", "3"]] == ["account"]
    assert len(mixed) == len(EXAMPLES)


def test_the_latest_word_on_a_text_wins() -> None:
    mixed = mix_lessons(EXAMPLES, [said("devis", "account", age=1), said("devis", "billing", age=2)])
    assert [one.category for one in mixed if one.text == "devis"] == ["account"]


def test_corrections_are_at_most_a_third_of_their_category_the_newest() -> None:
    week = [said(f"panne {at}", "billing", age=at) for at in range(40)]
    taken = [one for one in mix_lessons(EXAMPLES, week) if one.at]
    assert [one.text for one in taken] == [f"panne {at}" for at in range(5)]  # 5 of 15


def test_a_third_stays_a_third_when_corrections_take_the_place_of_examples() -> None:
    week = [said(f"facture {at}", "billing", age=at) for at in range(8)]
    mixed = [one for one in mix_lessons(EXAMPLES, week) if one.category == "billing"]
    assert (sum(one.at is None for one in mixed), sum(one.at is not None for one in mixed)) == (2, 1)


def test_a_category_without_examples_is_learnt_from_corrections_alone() -> None:
    week = [said(f"stage {at}", "internship", age=at) for at in range(NEWCOMER + 9)]
    assert sum(one.category == "internship" for one in mix_lessons(EXAMPLES, week)) == NEWCOMER


def test_labels_that_are_too_rare_are_not_learnt() -> None:
    rare = [example("seul", "lonely"), example("facture!", "billing", "urgent")]
    assert pick_common([*EXAMPLES, *rare], 5) == tuple(EXAMPLES)


def test_what_is_too_rare_once_others_are_gone_goes_as_well() -> None:
    four = [example(f"stage {at}", "internship") for at in range(4)]
    fifth = example("stage 4", "internship", "urgent")  # its priority is alone
    assert pick_common([*EXAMPLES, *four, fifth], 5) == tuple(EXAMPLES)


# --- in the digest ---


@pytest.mark.parametrize(
    ("types", "shown"), [((), True), (("new",), True), (("categories",), True), (("late",), False)]
)
def test_the_digest_names_what_is_unusual(types: tuple[str, ...], shown: bool) -> None:
    digest = replace(DIGEST, spikes=(Spike("Technique", 14, 4.5),))
    sections = {one["title"]: one for one in digest_slots(digest, "fr", types, "X")["sections"]}
    assert ("Affluence inhabituelle sur 24 heures" in sections) is shown
    if shown:
        assert sections["Affluence inhabituelle sur 24 heures"]["rows"] == [["Technique", "14", "4,5"]]
    titles = [one["title"] for one in digest_slots(DIGEST, "en", types, "X")["sections"]]
    assert "More than usual in 24 hours" not in titles
