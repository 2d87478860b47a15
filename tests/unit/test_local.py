"""The local judge: good enough on mails it never saw, honest about its doubt, bound to closed sets."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline

from classifiers import scaled
from classifiers.flat import FlatModel, flatten_pipelines, read_model, write_model
from classifiers.local import (
    EXAMPLES,
    LEARNT,
    LocalClassifier,
    build_pipeline,
    load_classifier,
    read_examples,
    train_pipelines,
)
from classifiers.scaled import deal_folds, thin_out
from desk.classification import Question, Source
from desk.errors import ConfigurationError, ModelTrouble
from desk.languages import UNDETERMINED

NAMES = (
    "account",
    "billing",
    "other",
    "pedagogical",
    "programme",
    "spam",
    "technical",
    "thanks",
    "timetable",
    "urgent",
)
QUESTION = Question(
    subject="Facture",
    text="Bonjour, je souhaite un duplicata de la facture du mois d'octobre pour notre comptable.",
    attachment_names=(),
    categories=tuple((name, "") for name in NAMES),
    priorities=("normal", "important", "urgent"),
)
KITCHEN = [f"{verb} the {food}" for verb in ("chop", "boil", "fry", "peel") for food in ("onion", "soup", "egg")]
GARDEN = [f"{verb} the {plant}" for verb in ("water", "mow", "prune", "sow") for plant in ("rose", "lawn", "tree")]


@pytest.fixture(scope="module")
def judge() -> LocalClassifier:
    return load_classifier()


@pytest.fixture(scope="module")
def pipelines() -> tuple[Pipeline, ...]:
    return tuple(train_pipelines(EXAMPLES))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a desk that has learnt nothing yet."""
    monkeypatch.setenv("BYRETURN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def write_examples(path: Path, rows: list[tuple[str, str, str]], header: str = "text,category,priority") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return path


def home_examples(swap: bool = False) -> list[tuple[str, str, str]]:
    kitchen, garden = ("garden", "kitchen") if swap else ("kitchen", "garden")
    return [(text, kitchen, "low") for text in KITCHEN] + [(text, garden, "high") for text in GARDEN]


HOME = Question("soup", "please boil the onion soup", (), (("kitchen", ""), ("garden", "")), ("low", "high"))


@pytest.mark.parametrize(("column", "bound"), [("category", 0.87), ("priority", 0.8)])
def test_mails_never_seen_are_sorted_well_and_honestly(column: str, bound: float) -> None:
    rows = read_examples(EXAMPLES)
    labels = np.array([row[column] for row in rows])
    folds = StratifiedKFold(3, shuffle=True, random_state=7)
    texts = [row["text"] for row in rows]
    chances = cross_val_predict(build_pipeline(), texts, labels, cv=folds, method="predict_proba")
    guesses = np.unique(labels)[chances.argmax(axis=1)]
    assert f1_score(labels, guesses, average="macro") > bound
    assert chances.max(axis=1).mean() == pytest.approx((guesses == labels).mean(), abs=0.08)


def test_a_plain_question_gets_a_whole_classification(judge: LocalClassifier) -> None:
    judged = judge.classify(QUESTION)
    assert (judged.category, judged.priority, judged.language) == ("billing", "normal", "fr")
    assert judged.source is judge.source is Source.LOCAL
    assert 0.5 < judged.confidence <= 1
    assert "billing" in judged.answer


@pytest.mark.usefixtures("home")
def test_training_again_changes_nothing(judge: LocalClassifier, tmp_path: Path) -> None:
    copy = tmp_path / "copy.csv"
    copy.write_bytes(EXAMPLES.read_bytes())
    again = load_classifier(copy)
    assert again.model is not judge.model
    assert again.classify(QUESTION) == judge.classify(QUESTION)


def test_training_happens_once_a_process() -> None:
    assert load_classifier(languages=("en", "fr")).model is load_classifier().model


ODD = ["", "a", "é", "a\u00a8b c", "ẞß İ ΣΑΣ ŉ x\x1cy z\u00a0w", "日本語 テキスト", "mot " * 900, f"{'x' * 400} merci"]


def test_the_flat_model_says_what_scikit_learn_says(pipelines: tuple[Pipeline, ...]) -> None:
    texts = [row["text"] for row in read_examples(EXAMPLES)] + ODD
    flat = flatten_pipelines(pipelines)
    opinions = [flat.judge(text) for text in texts]
    for head, pipeline in enumerate(pipelines):
        said = np.array([[one.chances[head][label] for label in pipeline.classes_] for one in opinions])
        assert np.abs(said - pipeline.predict_proba(texts)).max() < 1e-9
    known = pipelines[0][0].transformer_list[0][1].transform(texts)
    assert [one.terms for one in opinions] == np.diff(known.indptr).tolist()


def test_of_two_labels_it_says_so_too() -> None:
    texts, labels = [row[0] for row in home_examples()], [row[1] for row in home_examples()]
    pipeline = build_pipeline().fit(texts, labels)
    (said,) = flatten_pipelines([pipeline]).judge(HOME.text).chances
    assert list(said.values()) == pytest.approx(pipeline.predict_proba([HOME.text])[0].tolist(), abs=1e-9)


@pytest.fixture(scope="module")
def small() -> FlatModel:
    texts, labels = [row[0] for row in home_examples()], [row[1] for row in home_examples()]
    return flatten_pipelines([build_pipeline().fit(texts, labels)])


def test_what_was_learnt_comes_back_as_it_was_kept(small: FlatModel, tmp_path: Path) -> None:
    write_model(small, "key", tmp_path / "new" / LEARNT)
    again = read_model("key", tmp_path / "new" / LEARNT)
    assert again is not None
    assert [again.judge(text) for text in (HOME.text, *ODD)] == [small.judge(text) for text in (HOME.text, *ODD)]
    assert [(path.name, path.stat().st_mode & 0o777) for path in (tmp_path / "new").iterdir()] == [(LEARNT, 0o600)]


def test_what_was_learnt_from_something_else_does_not_count(small: FlatModel, tmp_path: Path) -> None:
    write_model(small, "key", tmp_path / LEARNT)
    assert read_model("another", tmp_path / LEARNT) is None
    assert read_model("key", tmp_path / "absent") is None


@pytest.mark.parametrize("keep", [0, 1, 100, 5_000])
def test_a_damaged_file_is_none(small: FlatModel, tmp_path: Path, keep: int) -> None:
    write_model(small, "key", tmp_path / LEARNT)
    whole = (tmp_path / LEARNT).read_bytes()
    assert len(whole) > 5_000
    for damaged in (whole[:keep], whole[:keep] + b"\xff" + whole[keep + 1 :]):
        (tmp_path / LEARNT).write_bytes(damaged)
        assert read_model("key", tmp_path / LEARNT) is None


def test_the_next_process_need_not_learn(home: Path, tmp_path: Path) -> None:
    path = write_examples(tmp_path / "home.csv", home_examples())
    judged = load_classifier(path).classify(HOME)
    code = (
        "import sys; from pathlib import Path; from classifiers.local import load_classifier; from desk.classification"
        " import Question; judge = load_classifier(Path(sys.argv[1])); print('sklearn' in sys.modules);"
        f"print(judge.classify({HOME!r}).confidence)"
    )
    said = subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, text=True).stdout.split()
    assert (home / LEARNT).exists()
    assert said == ["False", str(judged.confidence)]


def test_a_home_that_can_not_be_written_is_no_trouble(home: Path, tmp_path: Path) -> None:
    home.write_text("a file where the folder should be")
    path = write_examples(tmp_path / "home.csv", home_examples())
    assert load_classifier(path).classify(HOME).category == "kitchen"


@pytest.mark.usefixtures("home")
def test_changed_examples_are_learnt(tmp_path: Path) -> None:
    path = write_examples(tmp_path / "home.csv", home_examples())
    before = load_classifier(path).classify(HOME)
    write_examples(path, home_examples(swap=True))
    os.utime(path, ns=(1, 1))
    after = load_classifier(path).classify(HOME)
    assert [(before.category, before.priority), after.category] == [("kitchen", "low"), "garden"]


@pytest.mark.parametrize("names", [("technical", "account"), ("technical", "account", "unheard-of"), ("spam",)])
def test_only_the_categories_of_the_question_are_chosen(judge: LocalClassifier, names: tuple[str, ...]) -> None:
    judged = judge.classify(replace(QUESTION, categories=tuple((name, "") for name in names)))
    assert judged.category in set(names) - {"unheard-of"}
    assert 1 / len(names) <= judged.confidence <= 1


def test_chances_are_shared_among_the_allowed_categories(judge: LocalClassifier) -> None:
    pair = (("technical", ""), ("account", ""))
    rivals = [judge.classify(replace(QUESTION, categories=allowed)) for allowed in (pair, pair[::-1])]
    assert rivals[0] == rivals[1]
    assert rivals[0].confidence >= 0.5


def test_a_policy_without_any_known_category_is_a_trouble(judge: LocalClassifier) -> None:
    with pytest.raises(ModelTrouble) as caught:
        judge.classify(replace(QUESTION, categories=(("unheard-of", "Facture"),)))
    assert "unheard-of" not in caught.value.message


def test_a_policy_with_priorities_of_its_own_gets_its_first(judge: LocalClassifier) -> None:
    assert judge.classify(replace(QUESTION, priorities=("P3", "P1"))).priority == "P3"


@pytest.mark.parametrize("text", ["", "Bonjour", "12345", "??? !!!", "Привет мир", "qsdf wxcv azer"])
def test_a_text_that_tells_nothing_is_never_judged_surely(judge: LocalClassifier, text: str) -> None:
    assert judge.classify(replace(QUESTION, subject="", text=text)).confidence < 0.5


def test_the_end_of_an_endless_mail_does_not_count(judge: LocalClassifier) -> None:
    head = QUESTION.text.ljust(3_000)
    tails = ("merci beaucoup " * 9_000, "Die Rechnung " * 9_000)
    judged = {judge.classify(replace(QUESTION, text=head + tail)) for tail in tails}
    assert len(judged) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Je n'arrive plus à me connecter", "fr"),
        ("I can't sign in any more", "en"),
        ("Ich habe mein Passwort vergessen", "de"),
        ("Merci", UNDETERMINED),
        ("", UNDETERMINED),
    ],
)
def test_the_true_language_is_told_even_when_no_letter_is_written_in_it(
    judge: LocalClassifier, text: str, told: str
) -> None:
    assert judge.languages == ("fr", "en")
    assert judge.classify(replace(QUESTION, subject="", text=text)).language == told


def test_several_threads_may_share_the_judge(judge: LocalClassifier) -> None:
    questions = [replace(QUESTION, text=row["text"]) for row in read_examples(EXAMPLES)[::20]]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(judge.classify, questions))
    assert together == [judge.classify(question) for question in questions]


@pytest.mark.parametrize("count", [2, 20, 100])
@pytest.mark.parametrize("copies", [1, 2, 5])
def test_five_examples_a_label_are_enough_and_fewer_no_trouble(count: int, copies: int) -> None:
    texts = [f"subject{label} matter{label} case{copy}" for label in range(count) for copy in range(copies)]
    labels = [f"label{label:02}" for label in range(count) for _ in range(copies)]
    chances = build_pipeline().fit(texts, labels).predict_proba(["subject1 matter1"])
    assert chances.shape == (1, count)
    assert chances.argmax() == 1
    assert chances.sum() == pytest.approx(1)


def test_a_label_of_one_example_is_known_beside_one_of_many() -> None:
    texts = [f"soup {number} of the day" for number in range(60)] + ["a broken bicycle"]
    pipeline = build_pipeline().fit(texts, ["kitchen"] * 60 + ["workshop"])
    assert list(pipeline.predict(["my bicycle is broken", "soup 7 of the day"])) == ["workshop", "kitchen"]


def test_empty_and_repeated_texts_teach_what_they_can() -> None:
    texts = ["", *[HOME.text] * 20, "", *[GARDEN[0]] * 5]
    pipeline = build_pipeline().fit(texts, ["garden", *["kitchen"] * 20, "kitchen", *["garden"] * 5])
    assert list(pipeline.predict([HOME.text, GARDEN[0]])) == ["kitchen", "garden"]
    assert np.isfinite(pipeline.predict_proba(["", "never heard of"])).all()


def test_numbers_are_labels_as_well() -> None:
    pipeline = build_pipeline().fit(KITCHEN + GARDEN, [7] * len(KITCHEN) + [-3] * len(GARDEN))
    assert pipeline.classes_.tolist() == [-3, 7]
    assert pipeline.predict(["fry the onion"]).tolist() == [7]


def test_a_word_may_be_a_single_character() -> None:
    pipeline = build_pipeline().fit(["猫 が", "猫 を", "猫 に", "車 に", "車 を", "車 が"], ["cat"] * 3 + ["car"] * 3)
    assert list(pipeline.predict(["猫 猫", "車 車"])) == ["cat", "car"]


def test_labels_that_nothing_tells_apart_are_no_trouble() -> None:
    texts = [f"{('soup', 'onion', 'tea')[number % 3]} {number % 7}" for number in range(200)]
    pipeline = build_pipeline().fit(texts, [f"label{number * 7919 % 11}" for number in range(200)])
    assert pipeline.predict_proba(["soup 3"]).max() < 0.5


def test_one_label_teaches_nothing() -> None:
    with pytest.raises(ValueError, match="class"):
        build_pipeline().fit(KITCHEN, ["kitchen"] * len(KITCHEN))


def test_no_fold_takes_the_last_example_of_a_label_away() -> None:
    answers = np.array([0] * 50 + [1] * 2 + [2] + [3] * 3)
    fold_of = deal_folds(answers, 3, 0)
    assert set(fold_of) == {-1, 0, 1, 2}
    assert fold_of[answers == 2].tolist() == [-1]
    assert all(set(answers[fold_of != fold]) == {0, 1, 2, 3} for fold in range(3))
    assert np.bincount(fold_of[fold_of >= 0]).max() <= 19


def test_many_examples_are_scored_in_a_single_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    fits: list[int] = []
    fit_lines = scaled.fit_lines

    def count_fit(lines: Any, X: Any, answers: Any) -> Any:  # noqa: N803 - scikit-learn's names
        fits.append(len(answers))
        return fit_lines(lines, X, answers)

    monkeypatch.setattr(scaled, "fit_lines", count_fit)
    for many in (25, 24):
        monkeypatch.setattr(scaled, "MANY", many)
        build_pipeline().fit(KITCHEN + GARDEN, ["kitchen"] * 12 + ["garden"] * 12)
    assert fits == [24, 16, 16, 16, 24, 16]


def test_what_is_scored_comes_from_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaled, "MOST_SCORED", 4)
    assert [thin_out(np.arange(size)).tolist() for size in (0, 4, 9)] == [[], [0, 1, 2, 3], [0, 3, 6]]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("rows", "header"),
    [
        ([], "text,category,priority"),
        (home_examples()[:-8], "text,category,priority"),
        (home_examples()[:12], "text,category,priority"),
        (home_examples(), "text,category,level"),
        ([*home_examples(), ("boil the tea", "", "low")], "text,category,priority"),
    ],
    ids=["none", "four of a label", "one label", "a column missing", "a label missing"],
)
def test_examples_that_can_teach_nothing_are_a_wrong_setting(
    tmp_path: Path, rows: list[tuple[str, str, str]], header: str
) -> None:
    with pytest.raises(ConfigurationError):
        load_classifier(write_examples(tmp_path / "bad.csv", rows, header))


@pytest.mark.usefixtures("home")
def test_examples_in_another_charset_are_a_wrong_setting(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("text,category,priority\nétuver,kitchen,low\n".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="UTF-8"):
        load_classifier(path)


def test_absent_examples_are_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read"):
        load_classifier(tmp_path / "absent.csv")
