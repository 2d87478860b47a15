"""Articles read from their files: what they hold, what is wrong with them and where, and for whom they are meant."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from packaging.version import Version

from demo.samples import list_samples
from desk.errors import ConfigurationError
from desk.knowledge import (
    PASSAGE_CHARS,
    Article,
    Faulty,
    check_shelf,
    find_faults,
    holds_for,
    list_faults,
    read_article,
    read_shelf,
    read_version,
    tell_newest,
)
from desk.policy import read_policy

FOLDER = Path("knowledge")
POLICY = read_policy(Path("policy.yaml"))
FRONT = """\
---
title: Retrouver son accès
categories: [account]
words: [mdp, code secret]
versions: ">=7.2,<8"
approved: {by: responsable, on: 2026-09-14}
---
"""
BODY = """\

Ouvrez la page de connexion.

- d'abord
- ensuite

## Le message n'arrive pas

Cherchez parmi les indésirables.


Puis attendez.
"""
PLAIN = "---\ntitle: Titre\n---\n"


def read(text: str = FRONT + BODY, name: str = "fr/password") -> Article:
    return read_article(text, name)


def test_an_article_holds_what_its_file_says() -> None:
    found = read()
    assert (found.title, found.language, found.slug) == ("Retrouver son accès", "fr", "password")
    assert (found.categories, found.versions, found.words) == (("account",), ">=7.2,<8", ("mdp", "code secret"))
    assert (found.approved_by, found.approved_on, found.approved) == ("responsable", date(2026, 9, 14), True)


def test_each_heading_begins_a_passage_and_what_stands_before_the_first_bears_the_title() -> None:
    first, second = read().passages
    assert (first.title, first.cites) == ("Retrouver son accès", ("fr/password#1",))
    assert first.text == "Ouvrez la page de connexion.\n\n- d'abord\n- ensuite"
    assert (second.title, second.cites, second.article) == (
        "Le message n'arrive pas",
        ("fr/password#2",),
        "fr/password",
    )
    assert second.text == "Cherchez parmi les indésirables.\n\nPuis attendez."


def test_without_approval_an_article_is_nobodys() -> None:
    assert not read(PLAIN + BODY).approved


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (BODY, 1, "has no front matter"),
        ("---\ntitle: Titre\n" + BODY, 1, "has no front matter"),
        ("---\ncategories: [account]\n---\nMots.", 2, "title is missing"),
        ("---\ntitle: 7\n---\nMots.", 2, "title found a number"),
        ("---\ntitle: Titre\nlangage: fr\n---\nMots.", 3, "langage is no key of ours; allowed: title"),
        ("---\ntitle: Titre\napproved: {by: moi, on: 2026-09-14, at: soir}\n---\nMots.", 3, "approved.at is no key"),
        ("---\ntitle: Titre\napproved: {by: moi}\n---\nMots.", 3, "approved.on is missing"),
        ("---\ntitle: Titre\napproved: {by: moi, on: demain}\n---\nMots.", 3, "approved.on found text"),
        ("---\ntitle: Titre\nversions: la 7\n---\nMots.", 3, "versions holds what is no version"),
        ("---\ntitle: Titre\ntitle: Autre\n---\nMots.", 3, "title is written twice"),
        ("---\ntitle: a: b\n---\nMots.", 2, "mapping values are not allowed"),
        (PLAIN, 3, "says nothing"),
        (PLAIN + "\n## Vide\n\n## Plein\n\nMots.", 5, "is a heading without words"),
        (PLAIN + "Mots.\n\n# Grand", 6, "is a heading of another size"),
        (PLAIN + "Mots.\n\n### Petit", 6, "is a heading of another size"),
        (PLAIN + "    tableau", 4, "is indented"),
        (PLAIN + "> citation", 4, "is a quotation"),
        (PLAIN + "Mots.\n--\nPied.", 5, "is a quotation or a rule"),
        (PLAIN + "* point", 4, "is a list of another kind"),
        (PLAIN + "| a | b |", 4, "is a table"),
        (PLAIN + "Un **mot**.", 4, "has mark-up"),
        (PLAIN + "Un [lien](https://x.example).", 4, "has mark-up"),
        (PLAIN + "Un <b>mot</b>.", 4, "has mark-up"),
        (PLAIN + "Un {{ trou }}.", 4, "has mark-up"),
        (PLAIN + "Écrivez à lea@ecole.example.", 4, "tells of a person"),
        (PLAIN + "Appelez le 06 39 98 14 72.", 4, "tells of a person"),
        (PLAIN + "Versez sur FR76 3000 6000 0112 3456 7890 189.", 4, "tells of a person"),
        (PLAIN + "## Long\n" + "mot " * PASSAGE_CHARS, 4, "begins a passage that is too long"),
    ],
)
def test_a_fault_is_told_with_its_line(text: str, line: int, told: str) -> None:
    found = [(one.line, one.text) for one in find_faults(text, "fr/password")]
    assert [at for at, what in found if what.startswith(told)] == [line], found
    with pytest.raises(Faulty, match=f"fr/password.md, line {found[0][0]}"):
        read(text)


@pytest.mark.parametrize("name", ["french/password", "fr/Mot De Passe", "fr/mot_de_passe", "fr/-x", "password"])
def test_a_file_is_named_for_its_language_and_its_slug(name: str) -> None:
    assert "is misnamed" in next(find_faults(FRONT + BODY, name)).text
    assert not list(find_faults(FRONT + BODY, "fr/password-2"))


def test_a_fault_never_quotes_what_was_found() -> None:
    text = "---\ntitle: [Durand]\ncategories: [Durand]\nversions: Durand\napproved: Durand\n---\n**Durand**"
    assert len(told := [one.text for one in find_faults(text, "fr/x")]) >= 4
    assert "Durand" not in " ".join(told)


def test_a_faulty_file_is_left_out_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "fr").mkdir()
    (tmp_path / "fr/good.md").write_text(FRONT + BODY, encoding="utf-8")
    (tmp_path / "fr/bad.md").write_text("# Titre", encoding="utf-8")
    (tmp_path / "fr/latin.md").write_bytes((FRONT + BODY).encode("latin-1"))
    shelf = read_shelf(tmp_path)
    assert [one.name for one in shelf.articles] == ["fr/good"]
    assert [(one.file, one.line) for one in shelf.faults] == [("fr/bad.md", 1), ("fr/latin.md", 1)]
    assert [one.file for one in list_faults(tmp_path)] == ["fr/bad.md", "fr/latin.md"]


def test_without_a_folder_the_setting_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no folder nowhere"):
        read_shelf(tmp_path / "nowhere")


def test_categories_and_languages_are_those_of_the_policy(tmp_path: Path) -> None:
    for language in ("fr", "de"):
        (tmp_path / language).mkdir()
        (tmp_path / language / "x.md").write_text(FRONT + BODY, encoding="utf-8")
    shelf = read_shelf(tmp_path)
    assert [one.file for one in check_shelf(shelf, ["account"], ["fr"])] == ["de/x.md"]
    assert ["unknown category" in one.text for one in check_shelf(shelf, ["billing"], ["fr", "de"])] == [True, True]


# --- versions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("versions", "version", "holds"),
    [
        ("", "1", True),
        (">=7.4", "7.4.1", True),
        (">=7.4", "7.3.9", False),
        ("<7.4", "7.3.9", True),
        ("<7.4", "7.4", False),
        (">=3.2,<5", "5.0", False),
        ("==7.2.*", "7.2.8", True),
    ],
)
def test_an_article_holds_for_some_versions(versions: str, version: str, holds: bool) -> None:
    article = read(f'---\ntitle: Titre\nversions: "{versions}"\n---\nMots.')
    assert holds_for(article, Version(version)) is holds


@pytest.mark.parametrize(("text", "known"), [("v7.4.1", "7.4.1"), (" 7.4 ", "7.4"), ("", None), ("la verte", None)])
def test_a_version_is_read_as_mails_tell_it(text: str, known: str | None) -> None:
    assert read_version(text) == (Version(known) if known else None)


def test_the_newest_version_is_the_highest_that_an_article_speaks_of() -> None:
    told = (f'---\ntitle: Titre\nversions: "{one}"\n---\nMots.' for one in ("<7.4", ">=7.2,!=7.10.*", ""))
    assert tell_newest(map(read, told)) == Version("7.10")
    assert tell_newest(()) == Version("0")


# --- those of the house --------------------------------------------------------------------------------------


def test_the_articles_of_the_house_have_no_fault() -> None:
    shelf = read_shelf(FOLDER)
    assert list_faults(FOLDER) == []
    assert list(check_shelf(shelf, POLICY.categories, POLICY.organisation.languages)) == []
    assert len(shelf.approved) >= 24
    assert 0 < len(shelf.articles) - len(shelf.approved) < 5


def test_an_english_article_has_a_french_twin() -> None:
    slugs = {
        language: {one.slug for one in read_shelf(FOLDER).articles if one.language == language}
        for language in ("fr", "en")
    }
    assert slugs["en"] < slugs["fr"]
    assert len(slugs["en"]) >= 9


def test_no_article_holds_words_by_which_samples_are_looked_for() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (*FOLDER.glob("*/*.md"), *FOLDER.glob("*.csv"))]
    told = [word for sample in list_samples() for word in (*sample.people, *sample.phrases)]
    assert len(told) > 50
    assert [word for word in told for text in texts if word in text] == []
