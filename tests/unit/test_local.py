"""The local judge: good enough on mails it never saw, honest about its doubt, bound to closed sets."""

from __future__ import annotations

import csv
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from classifiers.local import (
    EXAMPLES,
    LocalClassifier,
    build_pipeline,
    load_classifier,
    read_examples,
)
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


def write_examples(path: Path, rows: list[tuple[str, str, str]], header: str = "text,category,priority") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return path


def home_examples(swap: bool = False) -> list[tuple[str, str, str]]:
    kitchen, garden = ("garden", "kitchen") if swap else ("kitchen", "garden")
    return [(text, kitchen, "low") for text in KITCHEN] + [(text, garden, "high") for text in GARDEN]


HOME = Question("soup", "please boil the onion soup", (), (("kitchen", ""), ("garden", "")), ("low", "high"))


@pytest.mark.parametrize(("column", "bound"), [("category", 0.75), ("priority", 0.7)])
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


def test_training_again_changes_nothing(judge: LocalClassifier, tmp_path: Path) -> None:
    copy = tmp_path / "copy.csv"
    copy.write_bytes(EXAMPLES.read_bytes())
    again = load_classifier(copy)
    assert again.category_model is not judge.category_model
    assert again.classify(QUESTION) == judge.classify(QUESTION)


def test_training_happens_once_a_process(judge: LocalClassifier) -> None:
    assert load_classifier(languages=("en", "fr")).category_model is judge.category_model


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
    head = QUESTION.text.ljust(6_000)
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


@pytest.mark.parametrize("count", [2, 20])
def test_five_examples_a_label_are_enough(count: int) -> None:
    texts = [f"subject{label} matter{label} case{copy}" for label in range(count) for copy in range(5)]
    labels = [f"label{label:02}" for label in range(count) for _ in range(5)]
    chances = build_pipeline().fit(texts, labels).predict_proba(["subject1 matter1"])
    assert chances.shape == (1, count)
    assert chances.argmax() == 1
    assert chances.sum() == pytest.approx(1)


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


def test_examples_in_another_charset_are_a_wrong_setting(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("text,category,priority\nétuver,kitchen,low\n".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="UTF-8"):
        load_classifier(path)


def test_absent_examples_are_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read"):
        load_classifier(tmp_path / "absent.csv")
