"""Which article answers: measured on questions as people write them, and the rules by which it is chosen."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from byreturn.knowledge import app
from classifiers.recall import (
    HALVES,
    QUESTIONS,
    Share,
    Trial,
    measure_shares,
    read_trials,
    try_question,
    try_questions,
)
from classifiers.retrieval import (
    CLEAR,
    LEAD,
    Asked,
    Hit,
    Index,
    build_index,
    fuse_rankings,
    is_clear,
    list_articles,
    pick_passages,
)
from desk.errors import ConfigurationError
from desk.knowledge import Article, Passage, read_shelf, tell_newest
from desk.terms import list_terms
from tests.likeness import find_repeats

FOLDER = Path("knowledge")
TRIALS = read_trials(FOLDER / QUESTIONS)
RUNNER = CliRunner()


@pytest.fixture(scope="module")
def indexes() -> dict[str, Index]:
    articles = read_shelf(FOLDER).approved
    return {one: build_index(articles, one, tell_newest(articles)) for one in ("fr", "en")}


@pytest.fixture(scope="module")
def shares(indexes: dict[str, Index]) -> dict[tuple[str, str, str], Share]:
    found = measure_shares(try_questions(TRIALS, indexes))
    return {(one.half, one.language, one.what): one for one in found}


# --- measured ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("half", "language", "first", "third"),  # what was measured, less a question or two
    [
        ("tune", "", 0.88, 0.97),
        ("held-out", "", 0.78, 0.9),
        ("held-out", "fr", 0.78, 0.86),
        ("held-out", "en", 0.75, 0.93),
    ],
)
def test_questions_find_their_article(
    shares: dict[tuple[str, str, str], Share], half: str, language: str, first: float, third: float
) -> None:
    assert shares[half, language, "recall@1"].share >= first
    assert shares[half, language, "recall@3"].share >= third


@pytest.mark.parametrize(("half", "right", "wrong", "unanswerable"), [("tune", 64, 0, 0), ("held-out", 22, 0, 1)])
def test_what_would_be_quoted_by_itself_is_right(
    shares: dict[tuple[str, str, str], Share], half: str, right: int, wrong: int, unanswerable: int
) -> None:
    assert shares[half, "", "quoted, right"].hits >= right
    assert shares[half, "", "quoted, wrong"].hits <= wrong
    assert shares[half, "", "quoted, though nothing answers"].hits <= unanswerable


def test_shares_have_their_interval(shares: dict[tuple[str, str, str], Share]) -> None:
    one = shares["held-out", "", "recall@3"]
    assert one.share == one.hits / one.of
    assert one.low < one.share < one.high


def test_there_are_enough_questions_of_every_sort() -> None:
    answered = [one for one in TRIALS if one.answers]
    assert len(answered) >= 80
    assert sum(one.asked.language == "fr" for one in answered) >= 0.6 * len(answered)
    assert len(TRIALS) - len(answered) >= 15
    assert {one.half for one in TRIALS} == set(HALVES)
    slugs = {one.slug for one in read_shelf(FOLDER).approved}
    assert {slug for one in answered for slug in one.answers} <= slugs
    assert sum(one.half == "held-out" for one in answered) >= 50


def test_no_question_stands_there_twice() -> None:
    assert find_repeats([one.asked.text for one in TRIALS]) == []


@pytest.mark.parametrize(
    ("row", "told"),
    [("tune,fr,account,,password", "row 3"), ("other,fr,account,,password,Mots", "row 3")],
)
def test_a_faulty_row_is_told_with_its_number(tmp_path: Path, row: str, told: str) -> None:
    file = tmp_path / "questions.csv"
    file.write_text(f"half,language,category,version,articles,question\ntune,fr,,,,Oui ?\n{row}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=told):
        read_trials(file)
    with pytest.raises(ConfigurationError, match="no readable CSV"):
        read_trials(tmp_path / "none.csv")


def test_a_question_of_another_language_finds_nothing(indexes: dict[str, Index]) -> None:
    outcome = try_question(Trial("tune", Asked("mot de passe", "de"), frozenset({"password"})), indexes)
    assert (outcome.rank, outcome.quoted) == (0, False)


# --- the rules -----------------------------------------------------------------------------------------------


def make_article(name: str, text: str, **more: object) -> Article:
    passage = Passage(name, text, name, (f"{name}#1",))
    plain = Article(name, name.partition("/")[2], name[:2], (), "", "responsable", date(2026, 9, 1), (passage,))
    return replace(plain, **more)  # type: ignore[arg-type]  # a field's name is its own check


def find(articles: list[Article], text: str, **more: str) -> list[str]:
    asked = replace(Asked(text, "fr"), **more)
    return list_articles(build_index(articles, asked.language, tell_newest(articles)).find(asked))


PHOTO = make_article("fr/photos", "Les photos sont réduites à l'envoi.")
PRINT = make_article("fr/printing", "L'impression d'un carnet propose deux formats.")


@pytest.mark.parametrize(
    "text",
    [
        "comment imprimer ?",
        "l'impression plante",
        "IMPRESSIONS",
        "qu'impressions",
        "impréssion",
        "imprim",  # cut short
        "imprssion",  # a slip of the pen
    ],
)
def test_endings_accents_elisions_and_slips_find_the_same(text: str) -> None:
    assert find([PHOTO, PRINT], text)[:1] == ["fr/printing"]


@pytest.mark.parametrize("text", ["", "bonjour merci", "le la les", "?", "zzz"])
def test_words_that_say_nothing_find_nothing(text: str) -> None:
    assert find([PHOTO, PRINT], text) == []


def test_what_is_not_approved_is_never_found() -> None:
    assert find([replace(PHOTO, approved_on=None), PRINT], "photos") == []


def test_articles_of_another_language_are_not_found() -> None:
    english = make_article("en/photos", "Photos are made smaller.")
    assert find([PHOTO, english], "photos") == ["fr/photos"]
    assert find([PHOTO, english], "photos", language="en") == ["en/photos"]


def test_the_category_of_the_mail_decides_between_equals() -> None:
    twins = [make_article(f"fr/{name}", "Les photos.", title="photos", categories=(name,)) for name in ("a", "b")]
    assert find(twins, "photos", category="b") == ["fr/b", "fr/a"]
    assert find(twins, "photos", category="a") == ["fr/a", "fr/b"]


def test_an_article_is_found_by_the_words_that_people_use_for_it() -> None:
    assert find([replace(PHOTO, words=("cliché",)), PRINT], "un cliché") == ["fr/photos"]
    assert find([PHOTO, PRINT], "un cliché") == []


@pytest.mark.parametrize(
    ("version", "found"), [("7.3", ["fr/old"]), ("7.4.1", ["fr/new"]), ("", ["fr/new"]), ("la verte", ["fr/new"])]
)
def test_an_article_of_another_version_is_not_found(version: str, found: list[str]) -> None:
    old, new = make_article("fr/old", "photos", versions="<7.4"), make_article("fr/new", "photos", versions=">=7.4")
    assert find([old, new], "photos", version=version) == found


def test_a_passage_is_found_with_the_words_of_its_article() -> None:
    two = tuple(Passage(text, text, "fr/a", (f"fr/a#{text}",)) for text in ("carnet", "photos"))
    shelf = [replace(PHOTO, name="fr/a", title="a", passages=two), make_article("fr/b", "photos")]
    hits = build_index(shelf, "fr").find(Asked("photos carnet", "fr"))
    assert [hit.passage.article for hit in hits] == ["fr/a", "fr/a", "fr/b"]


def test_a_longer_mail_is_judged_by_what_it_asks(indexes: dict[str, Index]) -> None:
    short = "Mon compte reste verrouillé après plusieurs essais manqués."
    around = "Nous avons conseil demain et la mairie attend. La secrétaire de la petite école du bourg."
    hits = indexes["fr"].find(Asked(f"{short} {around}", "fr", "account"))
    assert hits[0].passage.cites == ("fr/password#3",)
    assert is_clear(hits)


def make_hits(*scores: tuple[str, float]) -> list[Hit]:
    return [Hit(Passage("", "", name, (f"{name}#{at}",)), score) for at, (name, score) in enumerate(scores)]


@pytest.mark.parametrize(
    ("scores", "clear"),
    [
        ((), False),
        ((("a", CLEAR),), True),
        ((("a", CLEAR - 0.01),), False),
        ((("a", 0.9), ("b", 0.9 / LEAD)), True),
        ((("a", 0.9), ("b", 0.91 / LEAD)), False),
        ((("a", 0.9), ("a", 0.89), ("b", 0.1)), True),  # the next of the same article is no rival
    ],
)
def test_an_answer_is_clear_when_it_is_near_and_has_no_rival(
    scores: tuple[tuple[str, float], ...], clear: bool
) -> None:
    assert is_clear(make_hits(*scores)) is clear


def test_of_the_best_article_alone_clear_passages_are_quoted() -> None:
    hits = make_hits(("a", 0.9), ("b", 0.8), ("a", 0.7), ("a", 0.1), ("a", 0.6))
    assert [one.cites for one in pick_passages(hits, 3)] == [("a#0",), ("a#2",), ("a#4",)]
    assert [one.cites for one in pick_passages(hits, 2)] == [("a#0",), ("a#2",)]
    assert pick_passages(make_hits(("a", 0.01)), 2) != ()
    assert pick_passages([], 2) == ()


def test_two_rankings_make_one() -> None:
    a, b, c = make_hits(("a", 0.9), ("b", 0.5), ("c", 0.4))
    fused = fuse_rankings([[a, b], [b, replace(c, score=0.99)]])
    assert [hit.passage.article for hit in fused] == ["b", "a", "c"]
    assert [hit.score for hit in fused] == [0.5, 0.9, 0.0]  # a cosine is no share of words
    assert fuse_rankings([]) == []


def test_terms_are_stems_without_idle_words() -> None:
    assert list_terms("Je n'arrive pas à synchroniser l'appli d'Évaluations depuis la 7.4.1 !", "fr") == (
        "arriv",
        "synchronis",
        "appli",
        "evalu",
        "7.4.1",
    )
    assert list_terms("The tablets don't synchronise", "en") == ("tablet", "synchronis")
    assert list_terms("Die Tabletts", "de") == ("die", "tabletts")


# --- the command ---------------------------------------------------------------------------------------------


def test_the_command_finds_no_fault_in_our_articles() -> None:
    said = RUNNER.invoke(app, ["check"])
    assert said.exit_code == 0
    assert "33 articles without a fault, 2 of them not approved yet." in " ".join(said.output.split())


def test_the_command_names_file_and_line_of_every_fault(tmp_path: Path) -> None:
    (tmp_path / "fr").mkdir()
    (tmp_path / "fr/bad.md").write_text("---\ntitle: 7\n---\n\nUn **mot**.\n> Un autre.\n", encoding="utf-8")
    (tmp_path / "fr/good.md").write_text("---\ntitle: Bon\ncategories: [unheard]\n---\nMots.\n", encoding="utf-8")
    said = RUNNER.invoke(app, ["check", str(tmp_path), "--json"])
    assert said.exit_code == 1
    found = [(one["file"], one["line"]) for one in json.loads(said.output)]
    assert found == [("fr/bad.md", 2), ("fr/bad.md", 5), ("fr/bad.md", 6), ("fr/good.md", 1)]


def test_the_command_shows_what_a_question_finds() -> None:
    said = RUNNER.invoke(app, ["search", "compte verrouillé après plusieurs essais", "-c", "account", "--json"])
    found = json.loads(said.output)
    assert found[0]["passage"] == "fr/password#3"
    assert [one["clear"] for one in found] == [True, *[False] * (len(found) - 1)]
    english = RUNNER.invoke(app, ["search", "locked account", "--language", "en", "--most", "1", "--json"])
    assert [one["passage"] for one in json.loads(english.output)] == ["en/password#3"]
    nothing = RUNNER.invoke(app, ["search", "zzz"])
    assert "No approved article" in nothing.output


def test_the_command_asks_for_the_version() -> None:
    options = ["search", "synchronisation", "--json", "--version"]
    found = [
        {one["passage"].partition("#")[0] for one in json.loads(RUNNER.invoke(app, [*options, version]).output)}
        for version in ("7.3", "7.4")
    ]
    assert "fr/synchronisation-before-74" in found[0] - found[1]
    assert "fr/synchronisation" in found[1] - found[0]


def test_the_command_measures_by_half_and_language(shares: dict[tuple[str, str, str], Share]) -> None:
    told = json.loads(RUNNER.invoke(app, ["measure", "--json"]).output)
    assert len(told) == len(shares)
    (one,) = [row for row in told if (row["half"], row["language"], row["what"]) == ("held-out", "all", "recall@3")]
    assert (one["hits"], one["of"]) == (shares["held-out", "", "recall@3"].hits, 55)
