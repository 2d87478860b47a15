"""A judge's figures are those of scikit-learn and of a pencil; its gates open for proof alone, never for luck."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from PIL import Image
from sklearn.metrics import confusion_matrix, f1_score, precision_recall_fscore_support

from demo.once import MORNING
from desk.errors import ConfigurationError
from desk.evaluation import Example, Guess, check_known, draw_sample, read_examples
from reports.evaluation import TARGETS, Evaluation, Interval, Point, Proposal, evaluate_guesses
from reports.evaluation_book import build_book
from reports.evaluation_chart import draw_evaluation, merge_rare, shorten_label
from reports.evaluation_page import judge_proposal, list_categories, tell_headline, write_page, write_policy

NAMES = ("account", "billing", "spam")


def make_guesses(label: str, *runs: tuple[int, str, float]) -> list[Guess]:
    """Of each run so many mails of this truth, guessed to be `label` with this confidence."""
    return [Guess(label, truth, confidence) for count, truth, confidence in runs for _ in range(count)]


def find_proposal(evaluation: Evaluation, label: str, target: float = 0.95) -> Proposal:
    (found,) = (one for one in evaluation.proposals if (one.label, one.target) == (label, target))
    return found


def roll_guesses(seed: int, count: int, labels: Sequence[str] = NAMES, failing: float = 0.0) -> list[Guess]:
    """A judge that is right about four times out of five; the last labels are rare."""
    dice = random.Random(seed)  # noqa: S311 - a die, no secret
    weights = [1 / (at + 1) for at in range(len(labels))]
    truths = dice.choices(labels, weights, k=count)
    guesses = [Guess(one if dice.random() < 0.8 else dice.choice(labels), one, dice.random()) for one in truths]
    return [replace(one, label="", confidence=0.0) if dice.random() < failing else one for one in guesses]


# --- accuracy ------------------------------------------------------------------------------------------------

some_guesses = st.lists(
    st.builds(Guess, st.sampled_from(("", *NAMES)), st.sampled_from(NAMES), st.floats(0, 1)), min_size=1, max_size=60
)


@settings(max_examples=60, deadline=None)
@given(some_guesses)
def test_the_figures_are_those_of_scikit_learn(guesses: list[Guess]) -> None:
    evaluation = evaluate_guesses(guesses, NAMES)
    truths, said, labels = [one.truth for one in guesses], [one.label for one in guesses], list(evaluation.labels)
    theirs = f1_score(truths, said, labels=labels, average="macro", zero_division=0)
    assert evaluation.macro_f1.value == pytest.approx(theirs)
    assert evaluation.accuracy == pytest.approx(np.mean([one.label == one.truth for one in guesses]))
    assert np.array_equal(evaluation.confusion, confusion_matrix(truths, said, labels=[*labels, ""])[:-1])
    rows = zip(*precision_recall_fscore_support(truths, said, labels=labels, zero_division=0), strict=True)
    for row, (precision, recall, f1, support) in zip(evaluation.categories, rows, strict=True):
        ours = (row.precision or 0, row.recall or 0, row.f1 or 0, row.support)
        assert ours == pytest.approx((precision, recall, f1, support))


def test_the_figures_are_those_of_a_pencil() -> None:
    guesses = [
        *make_guesses("account", (3, "account", 0.9), (1, "billing", 0.6)),
        *make_guesses("billing", (1, "billing", 0.8)),
        Guess("", "billing", 0.0),
    ]
    evaluation = evaluate_guesses(guesses, NAMES)
    assert (evaluation.count, evaluation.failed, evaluation.accuracy) == (6, 1, 4 / 6)
    assert evaluation.labels == ("account", "billing")
    assert evaluation.confusion == ((3, 0, 0), (1, 1, 1))
    first, second = evaluation.categories
    assert (first.support, first.guessed, first.precision, first.recall) == (3, 4, 0.75, 1.0)
    assert (second.support, second.guessed, second.precision, second.recall) == (3, 1, 1.0, 1 / 3)
    assert evaluation.macro_f1.value == pytest.approx((6 / 7 + 1 / 2) / 2)


def test_what_was_never_guessed_has_no_precision() -> None:
    guesses = make_guesses("account", (2, "account", 0.9), (1, "billing", 0.9))
    never = evaluate_guesses([*guesses, *make_guesses("spam", (1, "account", 0.9))], NAMES).categories
    assert [(row.precision, row.recall, row.f1) for row in never[1:]] == [(None, 0.0, 0.0), (0.0, None, 0.0)]


def test_labels_that_were_not_announced_count_too() -> None:
    evaluation = evaluate_guesses([Guess("b", "a", 0.5), Guess("a", "a", 0.5)], ("unused", "a"))
    assert evaluation.labels == ("a", "b")


def test_without_a_guess_there_is_nothing_to_evaluate() -> None:
    with pytest.raises(ValueError, match="needs a guess"):
        evaluate_guesses([], NAMES)


def test_the_interval_of_macro_f1_is_that_of_mails_drawn_again() -> None:
    guesses = roll_guesses(3, 150)
    truths, said = (np.array([getattr(one, name) for one in guesses]) for name in ("truth", "label"))
    draw = np.random.default_rng(5)
    picks = [draw.integers(len(guesses), size=len(guesses)) for _ in range(1_000)]
    by_hand = [f1_score(truths[one], said[one], average="macro", zero_division=0) for one in picks]
    ours = evaluate_guesses(guesses, NAMES).macro_f1
    assert (ours.low, ours.high) == pytest.approx(tuple(np.quantile(by_hand, (0.025, 0.975))), abs=0.015)
    assert ours.low < ours.value < ours.high


def test_the_same_seed_gives_the_same_figures_and_another_one_others() -> None:
    guesses = roll_guesses(1, 80)
    assert evaluate_guesses(guesses, NAMES, seed=4) == evaluate_guesses(guesses, NAMES, seed=4)
    assert evaluate_guesses(guesses, NAMES, seed=4).macro_f1 != evaluate_guesses(guesses, NAMES, seed=5).macro_f1


def test_time_and_cost_are_told_in_total_and_by_the_thousand() -> None:
    guesses = [replace(one, cost_eur=0.002) for one in roll_guesses(1, 50)]
    evaluation = evaluate_guesses(guesses, NAMES, seconds=25)
    told = evaluation.as_dict()
    assert [told[name] for name in ("seconds", "seconds_per_1000")] == [25, 500]
    assert [told[name] for name in ("cost_eur", "cost_per_1000_eur")] == pytest.approx([0.1, 2])


# --- calibration ---------------------------------------------------------------------------------------------


def make_ladder(gap: float) -> list[Guess]:
    """Ten steps of confidence, at each a hundred guesses, right as often as the judge says less `gap`."""
    steps = [(said, round(100 * (said - gap))) for said in (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)]
    rows = [make_guesses("spam", (right, "spam", said), (100 - right, "account", said)) for said, right in steps]
    return [guess for row in rows for guess in row]


def test_a_judge_that_is_right_as_often_as_it_says_has_no_calibration_error() -> None:
    evaluation = evaluate_guesses(make_ladder(0), NAMES)
    assert evaluation.ece
    assert evaluation.ece.value == pytest.approx(0, abs=1e-9)
    assert [one.count for one in evaluation.bins] == [100] * 10
    assert all(one.confidence == pytest.approx(one.accuracy) for one in evaluation.bins)


def test_a_judge_that_thinks_too_well_of_itself_is_found_out() -> None:
    ece = evaluate_guesses(make_ladder(0.2), NAMES).ece
    assert ece
    assert ece.value == pytest.approx(0.2)
    assert 0.16 < ece.low < 0.2 < ece.high < 0.24


def test_equal_confidences_share_a_bin_so_that_their_order_plays_no_part() -> None:
    guesses = make_guesses("spam", (60, "spam", 0.9), (40, "account", 0.9), (30, "spam", 0.7))
    shuffled = sorted(guesses, key=lambda one: (one.confidence, one.truth))
    assert [one.count for one in evaluate_guesses(guesses, NAMES).bins] == [30, 100]
    ours, theirs = (evaluate_guesses(some, NAMES).ece for some in (guesses, shuffled))
    assert ours
    assert theirs
    assert ours.value == pytest.approx(theirs.value) == pytest.approx((100 * 0.3 + 30 * 0.3) / 130)


def test_bins_hold_as_many_guesses_each() -> None:
    confident = [replace(one, confidence=(at + 1) / 207) for at, one in enumerate(roll_guesses(6, 205))]
    assert {one.count for one in evaluate_guesses(confident, NAMES).bins} == {20, 21}


def test_mails_without_an_answer_say_nothing_of_calibration() -> None:
    failed = [Guess("", "spam", 0.0)] * 500
    with_failed, without = (
        evaluate_guesses([*make_ladder(0.2), *failed], NAMES),
        evaluate_guesses(make_ladder(0.2), NAMES),
    )
    assert with_failed.bins == without.bins
    assert sum(with_failed.histogram) == sum(without.histogram) == 1_000
    silent = evaluate_guesses(failed, NAMES)
    assert (silent.ece, silent.bins, silent.curve, silent.accuracy) == (None, (), (), 0.0)


# --- coverage ------------------------------------------------------------------------------------------------


def test_the_curve_goes_down_from_the_surest_guess() -> None:
    guesses = [
        *make_guesses("spam", (1, "spam", 0.9), (2, "spam", 0.8), (1, "account", 0.8), (4, "spam", 0.7)),
        Guess("", "spam", 0.0),
        Guess("", "spam", 0.0),
    ]
    assert evaluate_guesses(guesses, NAMES).curve == (
        Point(0.9, 0.1, 1.0),
        Point(0.8, 0.4, 0.75),
        Point(0.7, 0.8, 0.875),
    )


def test_coverage_is_the_most_that_can_be_had_at_a_precision_and_failures_are_not_covered() -> None:
    runs = ((40, "spam", 0.9), (2, "account", 0.8), (60, "spam", 0.7), (10, "account", 0.6))
    guesses = [*make_guesses("spam", *runs), *[Guess("", "spam", 0.0)] * 88]
    at_95, at_99 = evaluate_guesses(guesses, NAMES).cuts
    assert (at_95.threshold, at_95.covered, at_95.coverage) == (0.7, 102, 0.51)
    assert (at_99.threshold, at_99.covered, at_99.coverage) == (0.9, 40, 0.2)


def test_who_is_never_precise_covers_nothing() -> None:
    cut, _ = evaluate_guesses(make_guesses("spam", (9, "spam", 0.9), (1, "account", 0.9)), NAMES).cuts
    assert (cut.threshold, cut.covered, cut.coverage) == (None, 0, 0.0)


def test_a_long_curve_is_thinned_but_keeps_its_ends() -> None:
    guesses = [replace(one, confidence=at / 5_000) for at, one in enumerate(roll_guesses(8, 5_000))]
    evaluation = evaluate_guesses(guesses, NAMES)
    assert len(evaluation.curve) == 200
    assert (evaluation.curve[0].threshold, evaluation.curve[-1].coverage) == (4_999 / 5_000, 1.0)


# --- thresholds ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "threshold", "missing"), [(5, None, 47), (51, None, 1), (52, 0.87, 0), (400, 0.87, 0)]
)
def test_a_few_lucky_mails_do_not_open_the_gate(right: int, threshold: float | None, missing: int) -> None:
    found = find_proposal(evaluate_guesses(make_guesses("spam", (right, "spam", 0.87)), NAMES), "spam")
    assert (found.threshold, found.missing, found.guesses, found.right) == (threshold, missing, right, right)
    assert (found.bound >= 0.95) == (threshold is not None)


def test_more_precision_takes_more_proof() -> None:
    evaluation = evaluate_guesses(make_guesses("spam", (267, "spam", 0.9)), NAMES)
    found = find_proposal(evaluation, "spam", 0.99)
    assert (find_proposal(evaluation, "spam").threshold, found.threshold, found.missing) == (0.9, None, 1)


def test_the_threshold_is_the_lowest_that_keeps_its_promise() -> None:
    guesses = [
        *make_guesses("spam", (100, "spam", 0.93), (100, "spam", 0.81), (30, "account", 0.55), (30, "spam", 0.55)),
        *make_guesses("account", (20, "spam", 0.9)),
    ]
    found = find_proposal(evaluate_guesses(guesses, NAMES), "spam")
    assert (found.threshold, found.guesses, found.right, found.precision, found.reach) == (0.81, 200, 200, 1.0, 0.8)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_a_threshold_lets_through_what_it_says(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - a die, no secret
    sure = [replace(one, confidence=dice.uniform(0.7, 1)) for one in roll_guesses(seed, 500) if one.label == one.truth]
    guesses = sure + [replace(one, confidence=dice.uniform(0, 0.8)) for one in roll_guesses(seed + 1, 100)]
    evaluation = evaluate_guesses(guesses, NAMES)
    safe = [one for one in evaluation.proposals if one.threshold is not None]
    assert safe
    for one in safe:
        passed = [guess for guess in guesses if guess.label == one.label and guess.confidence >= (one.threshold or 0)]
        hits = sum(guess.truth == one.label for guess in passed)
        assert (len(passed), hits) == (one.guesses, one.right)
        assert hits / len(passed) >= one.bound >= one.target
    for release in evaluation.releases:
        assert release.covered == sum(one.guesses for one in safe if one.target == release.target)
        assert release.coverage == release.covered / len(guesses)


def test_a_category_that_is_often_mistaken_is_not_safe_however_many_mails_there_are() -> None:
    evaluation = evaluate_guesses(make_guesses("spam", (900, "spam", 0.9), (100, "account", 0.95)), NAMES)
    found = find_proposal(evaluation, "spam")
    assert (found.threshold, found.missing, found.precision) == (None, 0, 0.9)
    assert judge_proposal(found) == "not safe to automate yet: at best 900 of 1000 right from 0.90 on"


def test_a_category_that_nobody_is_guessed_to_be_of_is_not_safe() -> None:
    found = find_proposal(evaluate_guesses(make_guesses("spam", (9, "account", 0.9)), NAMES), "account")
    assert (found.threshold, found.guesses, found.precision) == (None, 0, None)
    assert judge_proposal(found) == "not safe to automate yet: no mail was guessed to be of it"


# --- words ---------------------------------------------------------------------------------------------------

MIXED = evaluate_guesses(
    [
        *make_guesses("spam", (80, "spam", 0.934), (2, "billing", 0.4)),
        *make_guesses("billing", (20, "billing", 0.7)),
        *make_guesses("account", (10, "account", 0.5), (5, "spam", 0.5)),
        Guess("", "spam", 0.0),
    ],
    NAMES,
    seconds=3,
)


def test_the_headline_says_it_all_in_a_line() -> None:
    known = replace(MIXED, macro_f1=Interval(0.871, 0.84, 0.904), ece=Interval(0.04, 0.03, 0.05), failed=0)
    assert tell_headline(known) == "macro-F1 0.87 (0.84–0.90), ECE 0.04, 97 % at precision 0.95"
    assert tell_headline(replace(known, failed=3)).endswith("; 3 of 118 mails without an answer")
    assert ", no ECE, " in tell_headline(replace(known, ece=None))


def test_the_proposal_is_yaml_that_names_the_safe_categories_alone() -> None:
    text = write_policy(MIXED)
    assert yaml.safe_load(text) == {"categories": {"spam": {"threshold": 0.93}}}
    assert "  # billing: not safe to automate yet: 20 of 20 right from 0.70 on; 32 more" in text
    assert yaml.safe_load(write_policy(MIXED, 0.99)) == {"categories": {}}


@pytest.mark.parametrize("label", ["yes", "a: b", "# no", '"quoted"', "Été 50 %", "=1+1", "- x", "0123", "null", "{a"])
def test_whatever_a_label_is_it_stays_that_label_in_yaml(label: str) -> None:
    evaluation = evaluate_guesses(make_guesses(label, (60, label, 0.8)) + make_guesses("x", (3, "x", 0.8)), ())
    assert yaml.safe_load(write_policy(evaluation)) == {"categories": {label: {"threshold": 0.8}}}


def test_the_table_tells_which_category_is_safe_and_from_where() -> None:
    account, billing, spam = list_categories(MIXED)
    assert (spam["category"], spam["safe at 0.95"], spam["safe at 0.99"]) == ("spam", "from 0.93", "not yet")
    assert (account["precision"], billing["recall"]) == ("0.667", "0.909")


def test_the_page_holds_figures_notes_picture_and_proposal() -> None:
    page = write_page(MIXED, ("3 mails got no answer: model-unavailable",), b"\x89PNG")
    assert page.startswith(f"## {tell_headline(MIXED)}\n")
    for part in ("- 3 mails got no answer", "| accuracy | 0.932 |", "(data:image/png;base64,iVBORw==)", "spam: {thres"):
        assert part in page


def test_everything_is_there_for_programs() -> None:
    told = json.loads(json.dumps(MIXED.as_dict()))
    assert (told["count"], told["macro_f1"]["value"]) == (118, MIXED.macro_f1.value)
    assert told["proposals"][4]["threshold"] == 0.93


# --- picture and workbook ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "failing"), [(2, 0.0), (10, 0.1), (100, 0.0), (130, 0.1)])
def test_the_picture_grows_with_the_labels(count: int, failing: float) -> None:
    labels = [f"{'demande-de-remboursement-' if count == 10 else ''}{at:03}" for at in range(count)]
    evaluation = evaluate_guesses(roll_guesses(2, 20 * count, labels, failing), labels)
    with Image.open(BytesIO(draw_evaluation(evaluation, 60))) as picture:
        assert picture.format == "PNG"
        assert picture.width >= max(600, 60 * 0.16 * min(count, 100))
        assert picture.height > picture.width * 0.8


def test_the_rarest_of_too_many_labels_are_merged_and_no_mail_is_lost() -> None:
    labels = [f"{at:03}" for at in range(130)]
    evaluation = evaluate_guesses(roll_guesses(2, 3_000, labels, 0.1), labels)
    names, cells = merge_rare(evaluation)
    whole = np.array(evaluation.confusion)
    assert (len(names), names[-1], cells.shape) == (100, "… 31 others", (100, 101))
    assert (cells.sum(), cells[:, -1].sum()) == (whole.sum(), whole[:, -1].sum())
    kept = [labels.index(name) for name in names[:-1]]
    assert np.array_equal(cells[:-1, :-2], whole[np.ix_(kept, kept)])
    assert whole.sum(axis=1)[kept].min() >= np.delete(whole.sum(axis=1), kept).max()


@pytest.mark.parametrize("guesses", [[Guess("a", "a", 1.0), Guess("b", "b", 1.0)], [Guess("", "a", 0.0)]])
def test_there_is_a_picture_of_next_to_nothing(guesses: list[Guess]) -> None:
    assert draw_evaluation(evaluate_guesses(guesses, ()), 60).startswith(b"\x89PNG")


def test_odd_labels_are_drawn_without_a_warning_and_the_same_each_time() -> None:
    odd = (r"$\frac$", "日本語", "a" * 80, "\u202eabc")
    evaluation = evaluate_guesses(roll_guesses(4, 50, odd), odd)
    assert draw_evaluation(evaluation, 60) == draw_evaluation(evaluation, 60)
    assert shorten_label("demande de remboursement n°12") == "demande de rem…ment n°12"


def read_book(evaluation: Evaluation, notes: Sequence[str] = ()) -> Any:
    return load_workbook(BytesIO(build_book(evaluation, notes, MORNING)))


def test_the_workbook_has_every_figure() -> None:
    book = read_book(MIXED, ["3 mails got no answer"])
    assert book.sheetnames == ["Summary", "Categories", "Confusion", "Calibration", "Thresholds"]
    summary = {row[0]: row[1:] for row in book["Summary"].iter_rows(values_only=True)}
    interval = (MIXED.macro_f1.value, MIXED.macro_f1.low, MIXED.macro_f1.high)
    assert summary["macro-F1"] == pytest.approx(interval)
    assert (summary["mails"][0], summary["note"][0]) == (118, "3 mails got no answer")
    confusion = list(book["Confusion"].iter_rows(values_only=True))
    assert confusion[0][1:] == (*MIXED.labels, "(no answer)")
    assert tuple(row[1:] for row in confusion[1:]) == MIXED.confusion
    assert [row[2] for row in book["Calibration"].iter_rows(min_row=2, values_only=True)] == [
        one.count for one in MIXED.bins
    ]
    thresholds = list(book["Thresholds"].iter_rows(min_row=2, values_only=True))
    assert [(row[0], row[1], row[2]) for row in thresholds] == [
        (one.label, one.target, one.threshold) for one in MIXED.proposals
    ]
    assert len(thresholds) == len(NAMES) * len(TARGETS)


@pytest.mark.parametrize("label", ["=1+1", "+33", "-5", "@SUM(A1)"])
def test_a_label_never_becomes_a_formula(label: str) -> None:
    book = read_book(evaluate_guesses([Guess(label, label, 0.9), Guess("x", "x", 0.5)], ()), [label])
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value == label]
    assert len(cells) >= 6
    assert {(cell.data_type, cell.quotePrefix) for cell in cells} == {("s", True)}


# --- labelled mails ------------------------------------------------------------------------------------------


def write_file(folder: Path, content: str | bytes) -> Path:
    path = folder / "mails.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        "text,label\nune facture,billing\nun code,account\n",
        "label;text\r\nbilling;une facture\r\naccount;un code\r\n",
        "\ufeffText;Label\r\nune facture;billing\r\n;\r\nun code; account \r\n",
        "id\ttext\tcategory\n1\tune facture\tbilling\n2\tun code\taccount",
        'text,category,priority\n"une facture",billing,normal\n\nun code,account,normal\n',
    ],
    ids=["plain", "columns the other way, semicolons", "as Excel saves it", "tabs, no last line break", "our examples"],
)
def test_a_file_is_read_as_people_and_excel_write_it(tmp_path: Path, content: str) -> None:
    found = read_examples(write_file(tmp_path, content))
    assert [(one.text, one.label) for one in found] == [("une facture", "billing"), ("un code", "account")]


def test_a_mail_keeps_its_lines_quotes_and_separators(tmp_path: Path) -> None:
    content = 'text,label\n"Sujet\nBonjour, dit ""Léa"" ; merci\n",billing\nb,account\n'
    first, second = read_examples(write_file(tmp_path, content))
    assert first == Example('Sujet\nBonjour, dit "Léa" ; merci\n', "billing", 4)
    assert second.line == 5


def test_a_very_long_mail_is_read(tmp_path: Path) -> None:
    first, _ = read_examples(write_file(tmp_path, f"text,label\n{'mot ' * 100_000},billing\nb,account\n"))
    assert len(first.text) == 400_000


SECRET = "Zanzibar"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "line 1: no column text"),
        (f"{SECRET},label\na,b\n", "line 1: no column text"),
        (f"text,{SECRET}\na,b\n", "line 1: no column label"),
        ("text,label\n", "no mail in it"),
        (f"text,label\n{SECRET},\nb,account\n", "line 2: no label"),
        (f"text,label\n{SECRET},billing\nb,billing\n", "all mails bear the same label"),
        (f"text,label\na,billing\n{SECRET}, with a comma,account\n", "line 3: 3 fields, not 2"),
        (f'text,label\na,billing\n"{SECRET},account\n', "line 3: this is no CSV"),
        (f"text,label\na,billing\nb,{SECRET * 20}\n", "line 3: this is no label"),
        ("text,label\n" + "".join(f"a,{at}\n" for at in range(501)), "501 different labels"),
        (f"text,label\na,billing\n{SECRET} é,account\n".encode("latin-1"), "line 3: this is not UTF-8"),
        (f"text,label\n{SECRET},account\n".encode("utf-16"), "line 1: this is not UTF-8"),
    ],
    ids=[
        "empty", "no text", "no label", "no row", "label empty", "one label", "comma unquoted", "quote left open",
        "text as label", "labels without end", "as Excel saves it in France", "another unicode",
    ],
)  # fmt: skip
def test_a_fault_is_told_with_file_line_and_remedy_and_without_a_word_of_a_mail(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    path = write_file(tmp_path, content)
    with pytest.raises(ConfigurationError) as caught:
        read_examples(path)
    assert caught.value.detail in (f"{path}: {said}", f"{path}, {said}")
    assert caught.value.remedy
    assert caught.value.code == "labelled-mails"
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("name", ["absent.csv", "."])
def test_a_file_that_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"can't be read \("):
        read_examples(tmp_path / name)


def test_a_label_that_is_not_allowed_is_told_with_its_line_and_what_is(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"line 7: its label .*\. Allowed: account, billing\.$"):
        check_known(tmp_path, [Example("a", "billing", 2), Example("a", SECRET, 7)], ("billing", "account"))


def test_a_sample_is_drawn_by_lot_always_the_same_in_the_files_order() -> None:
    mails = [Example(str(at), "a" if at < 500 else "b", at) for at in range(1_000)]
    drawn = draw_sample(mails, 100)
    assert drawn == draw_sample(mails, 100)
    assert list(drawn) == sorted(drawn, key=lambda one: one.line)
    assert 30 < sum(one.label == "b" for one in drawn) < 70
    assert draw_sample(mails, 5_000) == draw_sample(mails, None) == tuple(mails)
