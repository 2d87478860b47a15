"""Questions that were answered more than once, and the articles they may become."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from desk.errors import ConfigurationError
from desk.faq import Answered, Draft, Proposal, find_codes, find_proposals, make_slug, write_approved
from desk.knowledge import read_article

NOW = datetime(2026, 11, 17, 9, tzinfo=UTC)
PASSWORD = (
    "Mot de passe oublié\nBonjour, j'ai perdu mon mot de passe et ne peux plus me connecter. Personne_001",
    "Connexion impossible\nJe n'arrive plus à me connecter : mot de passe oublié depuis la rentrée. Personne_004",
    "Accès\nPersonne_002 a oublié son mot de passe, comment le réinitialiser ?",
)
PRINTING = (
    "Impression\nLes emplois du temps sortent coupés à l'impression, en bas de la page.",
    "Imprimer\nComment imprimer sans que les emplois du temps sortent coupés ?",
)
TEXT = "Cliquez sur « Mot de passe oublié », puis suivez le lien reçu.\n\n## Sans adresse\n\nDemandez à la direction."


def answer(*questions: str, first: int = 1, **more: Any) -> list[Answered]:
    return [
        replace(Answered(at, NOW + timedelta(hours=at), "account", "fr", text, "Cliquez sur oublié."), **more)
        for at, text in enumerate(questions, first)
    ]


def propose(answered: list[Answered], after: int = 2) -> list[tuple[int, int]]:
    return [(one.answered.message_id, one.alike) for one in find_proposals(answered, after)]


SAME = (
    "Choisissez le format paysage puis « Ajuster à la page » dans la boîte d'impression.",
    "Dans la boîte d'impression, prenez le format paysage et « Ajuster à la page ».",
)
OTHERS = (SAME[0], "Voyez avec votre établissement, qui règle les photocopieurs.")


# --- proposals ---


def test_questions_that_are_alike_make_one_proposal() -> None:
    ((chosen, alike),) = propose(answer(*PASSWORD))
    assert chosen in (1, 2, 3)
    assert alike == 3


def test_each_question_makes_a_proposal_of_its_own() -> None:
    asked = [*answer(*PASSWORD), *answer(*PRINTING, first=11)]
    found = propose(asked)
    assert [alike for _, alike in found] == [3, 2]
    assert {one in (11, 12) for one, _ in found} == {False, True}


@pytest.mark.parametrize(("after", "proposed"), [(1, 1), (3, 1), (4, 0)])
def test_a_question_is_proposed_after_as_many_as_the_policy_wants(after: int, proposed: int) -> None:
    assert len(propose(answer(*PASSWORD), after)) == proposed


def test_questions_of_different_things_are_not_alike() -> None:
    assert propose([*answer(PASSWORD[0]), *answer(PRINTING[0], first=11)]) == []


def test_questions_in_different_languages_are_not_alike() -> None:
    assert propose([*answer(PASSWORD[0]), *answer(PASSWORD[0], first=11, language="en")]) == []


def test_questions_of_different_categories_are_not_alike() -> None:
    assert propose([*answer(PASSWORD[0]), *answer(PASSWORD[0], first=11, category="other")]) == []


@pytest.mark.parametrize(("answers", "alike"), [(SAME, 1), (OTHERS, 0)], ids=["the same", "others"])
def test_other_words_for_the_same_are_alike_when_the_same_was_answered(answers: tuple[str, str], alike: int) -> None:
    questions = ("Impression\nLes plannings sont tronqués en bas de page.", "Imprimer\nRien en bas, tout à droite ?")
    noise = answer(*PASSWORD, first=21)
    asked = [replace(one, answer=text) for one, text in zip(answer(*questions), answers, strict=True)]
    found = [one for one in find_proposals([*asked, *noise], 2) if one.answered.message_id < 21]
    assert len(found) == alike


def test_the_same_answer_to_anything_makes_no_likeness() -> None:
    boilerplate = SAME[0]
    assert propose(answer("Facture en double", "Imprimante muette", answer=boilerplate)) == []


def test_pseudonyms_make_no_likeness() -> None:
    codes = "Personne_001 Personne_002 Email_001 Lieu_001 "
    assert propose([*answer(codes * 9 + "facture"), *answer(codes * 9 + "imprimante", first=11)]) == []


@pytest.mark.parametrize("missing", ["question", "answer"])
def test_what_lacks_a_text_counts_for_nothing(missing: str) -> None:
    fields: dict[str, Any] = {missing: ""}
    assert propose(answer(*PASSWORD[:2], **fields)) == []


def test_a_question_that_was_proposed_before_stands_for_those_alike() -> None:
    asked = answer(*PASSWORD)
    asked[1] = replace(asked[1], candidate=5)
    assert find_proposals(asked, 2) == (Proposal(asked[1], 3),)


def test_no_ticket_counts_for_two_proposals() -> None:
    """Each is like its neighbours."""
    asked = answer("alpha bravo", "alpha bravo charlie", "charlie delta", "delta echo", "echo", language="xx")
    assert [alike for _, alike in propose(asked)] == [3, 2]


def test_the_same_questions_make_the_same_proposals_in_whatever_order() -> None:
    asked = [*answer(*PASSWORD), *answer(*PRINTING, first=11)]
    assert {alike for _, alike in propose(asked[::-1])} == {3, 2}


# --- articles ---


def write(text: str = TEXT, title: str = "Mot de passe oublié : que faire ?", by: str = "support") -> str:
    return write_approved(Draft(title, "fr", "account", text), by, date(2026, 11, 20))


def test_an_approved_article_is_one_that_letters_may_quote() -> None:
    article = read_article(write(), "fr/mot-de-passe")
    assert (article.approved, article.approved_by, article.approved_on) == (True, "support", date(2026, 11, 20))
    assert (article.title, article.categories, article.versions) == (
        "Mot de passe oublié : que faire ?", ("account",), "",
    )  # fmt: skip
    assert [one.title for one in article.passages] == [article.title, "Sans adresse"]


@pytest.mark.parametrize("fields", [{"text": "Bonjour Personne_001, voir Email_012."}, {"title": "Pour Personne_001"}])
def test_nothing_is_approved_while_a_pseudonym_is_left(fields: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="Personne_001") as refused:
        write(**fields)
    assert "--text" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "says nothing"),
        ("# Titre\n\nmot", "line 11"),
        ("Écrivez à jean.martin@ecole.example", "tells of a person"),
    ],
)
def test_what_is_no_article_is_told_line_by_line(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as refused:
        write(text)
    assert "jean.martin" not in str(refused.value)


def test_who_approves_can_bend_nothing_in_the_file() -> None:
    article = read_article(write(by="support: x, on: 2020-01-01"), "fr/a")
    assert (article.approved_by, article.approved_on) == ("support: x, on: 2020-01-01", date(2026, 11, 20))


def test_codes_are_told_once_in_order() -> None:
    assert find_codes("Email_001 de Personne_002, Personne_002, Personne_2, personne_001") == (
        "Email_001", "Personne_002",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Où est l'élève ?", "ou-est-l-eleve"), ("../../etc/passwd", "etc-passwd"), ("???", "article"),
        ("a" * 80, "a" * 60), ("x" * 59 + " y", "x" * 59),
    ],
)  # fmt: skip
def test_a_title_makes_a_files_name(title: str, slug: str) -> None:
    assert make_slug(title) == slug
