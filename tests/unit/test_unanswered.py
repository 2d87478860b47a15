"""Questions without an article: counted, and told by words that are nobody's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from desk.unanswered import MOST_WORDS, Asked, Unanswered, count_unanswered

TEXT = "Bonjour, impossible d'imprimer les emplois du temps"


def ask(*texts: str, category: str = "timetable", language: str = "fr", first: int = 1) -> list[Asked]:
    """A mail for each text, each by somebody else."""
    return [Asked(at, category, language, at, text) for at, text in enumerate(texts, first)]


def share(asked: list[Asked]) -> tuple[str, ...]:
    (found,) = count_unanswered(asked)
    return found.words


def test_categories_are_counted_the_most_asked_first() -> None:
    asked = [*ask("a", "b"), *ask("c", "d", category="billing"), *ask("e", "f", "g", category="account")]
    assert count_unanswered(asked) == (Unanswered("account", 3), Unanswered("billing", 2), Unanswered("timetable", 2))


def test_one_question_is_not_frequent() -> None:
    assert count_unanswered(ask(TEXT)) == ()


def test_words_of_three_people_are_told_folded() -> None:
    assert set(share(ask(TEXT, "Imprimer : problème", "Où imprimer les emplois ?", "L'EMPLOI ne s'imprime pas"))) == {
        "imprimer"
    }
    assert set(share(ask(*["La clé de l'élève"] * 3))) == {"cle", "eleve"}


@pytest.mark.parametrize(("people", "told"), [(2, ()), (3, ("imprimer",))])
def test_a_word_of_fewer_people_is_not_told(people: int, told: tuple[str, ...]) -> None:
    assert share([*ask(*["imprimer"] * people), *ask("autre chose", first=9)]) == told


def test_one_person_who_writes_often_shares_nothing() -> None:
    assert share([replace(one, requester=7) for one in ask(*["imprimer"] * 9)]) == ()
    unknown = [replace(one, requester=None) for one in ask(*["imprimer"] * 9)]
    assert share([*unknown, *ask(*["imprimer"] * 2, first=21)]) == ()


def test_pseudonyms_and_words_that_say_nothing_are_not_told() -> None:
    assert share(ask(*["Bonjour Personne_001, je voudrais imprimer. Merci, Lieu_002"] * 3)) == ("imprimer",)


def test_a_name_that_only_its_owner_writes_is_never_told() -> None:
    """Even where it was not recognised as one."""
    asked = ask("Zyxwov ne peut imprimer", "imprimer", "imprimer")
    assert share(asked) == ("imprimer",)


def test_forms_of_a_word_are_told_once_by_the_most_used() -> None:
    assert share(ask(*["imprimer"] * 4, *["imprimez"] * 3)) == ("imprimer",)


def test_the_most_shared_words_come_first_and_not_too_many() -> None:
    words = "alpha bravo charlie delta echo foxtrot golf hotel"
    found = share([*ask(*[words] * 3, language="xx"), *ask("hotel", first=9)])
    assert (found[0], len(found)) == ("hotel", MOST_WORDS)


def test_texts_that_are_gone_still_count() -> None:
    assert count_unanswered(ask("", "")) == (Unanswered("timetable", 2),)
