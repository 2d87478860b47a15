"""Whom a text may speak of, out of all whom the desk knows."""

from __future__ import annotations

import pytest

from desk.acquaintances import Acquaintances, index_names
from desk.pseudonyms import Known

DESK = Acquaintances(
    index_names(["Léa Martin", "Paul Le Goff", "Zoé", "Al", "", "Émilie-Anne D'Arc", "Martin Durand"]),
    index_names(["École des Tilleuls", "Lycée Jean-Moulin"]),
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Madame LEA MARTIN n'a pas répondu", ("Léa Martin",)),
        ("Martin, le collègue de Léa", ("Léa Martin",)),
        ("Martin n'a pas répondu", ()),
        ("Le Goff a écrit", ()),
        ("M. Le Goff (Paul)", ("Paul Le Goff",)),
        ("zoe a perdu son mot de passe", ("Zoé",)),
        ("emilie anne d arc", ("Émilie-Anne D'Arc",)),
        ("Al dente", ()),
        ("Lea\u0301 Martin", ("Léa Martin",)),
        ("", ()),
    ],
)
def test_a_name_is_found_where_all_of_its_words_stand_however_they_are_written(
    text: str, names: tuple[str, ...]
) -> None:
    assert DESK.find(text) == Known(names)


def test_organisations_are_known_apart_from_people() -> None:
    assert DESK.find("l'ecole des tilleuls") == Known((), ("École des Tilleuls",))


def test_those_near_are_known_in_any_case_and_once() -> None:
    assert DESK.find("Léa Martin", ("Ada Petit", "Léa Martin")).names == ("Ada Petit", "Léa Martin")
