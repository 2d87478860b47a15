"""What stands in a mail besides its category: a judge's word counts only where the text bears it out."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.fields import KINDS, check_fields, draw_bare, find_fields, list_fields
from desk.policy import FieldKind, load_policy

SHIPPED = load_policy((Path(__file__).parents[2] / "policy.yaml").read_text(encoding="utf-8"))


def find(kind: str, text: str) -> str:
    return dict(find_fields({"x": kind}, text)).get("x", "")


def check(kind: str, said: str, text: str) -> str:
    return dict(check_fields({"x": said}, {"x": kind}, text)).get("x", "")


def test_every_kind_of_the_policy_has_a_form() -> None:
    assert set(KINDS) == set(get_args(FieldKind))


def test_every_field_that_a_category_asks_for_is_listed_once() -> None:
    listed = dict(list_fields(SHIPPED))
    assert len(listed) == len(list_fields(SHIPPED))
    assert listed == {name: kind for each in SHIPPED.categories.values() for name, kind in each.fields.items()}
    assert listed["school_class"] == "class"


# --- found by patterns alone -----------------------------------------------------------------------------------

FOUND = [
    ("date", "depuis le 24 novembre 2026", "2026-11-24"),
    ("date", "Depuis le 1er décembre, plus rien", "--12-01"),
    ("date", "le lundi 3 AOÛT 2026", "2026-08-03"),
    ("date", "le 24/11/2026 à 8 h", "2026-11-24"),
    ("date", "le 24.11.2026.", "2026-11-24"),
    ("date", "le 4/5/26,", "2026-05-04"),
    ("date", "since 11/24/2026", "2026-11-24"),
    ("date", "jeudi 5/11 au matin", "--11-05"),
    ("date", "[2026-11-24T10:00:00Z] error", "2026-11-24"),
    ("date", "on November 24th, 2026", "2026-11-24"),
    ("date", "on the 3rd of May", "--05-03"),
    ("date", "since Nov. 24", "--11-24"),
    ("date", "le 29 février 2026", ""),
    ("date", "le 31/02/2026", ""),
    ("date", "noté 12/20 puis 8/10", ""),
    ("date", "in case you may 5 times", ""),
    ("date", "la version 4.2.1 de mars 2026", ""),
    ("class", "la classe de 4ème B", "4e B"),
    ("class", "ma classe de sixième", "6e"),
    ("class", "les CM2 et les CE1", "CM2"),
    ("class", "mes élèves de CP", "CP"),
    ("class", "en 3e depuis lundi", "3e"),
    ("class", "ses élèves de terminale STMG", "Terminale STMG"),
    ("class", "la 2nde C", "2de C"),
    ("class", "our Year 7B pupils", "Year 7B"),
    ("class", "a 3rd grade teacher", "Grade 3"),
    ("class", "grande section", "GS"),
    ("class", "au 3e étage, en 4e position", ""),
    ("class", "attendez une seconde, la première fois", ""),
    ("class", "PS : merci. CP 29000 Quimper", ""),
    ("class", "Year 2026, Grade 15", ""),
    ("version", "e-carnet version 4.2.1", "4.2.1"),
    ("version", "la v3", "3"),
    ("version", "Version : 2026.1-beta2", "2026.1-beta2"),
    ("version", "mise à jour 10.4.2 installée", "10.4.2"),
    ("version", "il coûte 4.20 euros le 24.11.2026", ""),
    ("version", "appelez le 02.97.12.34.56 ou 192.168.1.10", ""),
    ("platform", "sur Windows 11.", "Windows 11"),
    ("platform", "un iPad de l'école", "iPad"),
    ("platform", "des Chromebooks", "Chromebook"),
    ("platform", "macOS 14.2 et Safari", "macOS 14.2"),
    ("platform", "Mac OS X 10.15", "macOS 10.15"),
    ("platform", "android 14", "Android 14"),
    ("platform", "Firefox 115.2, à jour", "Firefox 115.2"),
    ("platform", "Google Chrome 121.0.6167.85", "Chrome 121.0.6167.85"),
    ("platform", "the windows of the edge case", ""),
    ("platform", "https://chrome.example/", ""),
    ("number", "la facture n° FA-2026-0042", "FA-2026-0042"),
    ("number", "Commande 2026-000123,", "2026-000123"),
    ("number", "invoice no. 12345", "12345"),
    ("number", "réf. : ab12-99", "AB12-99"),
    ("number", "devis DV-26-1001", "DV-26-1001"),
    ("number", "la facture 2026 et la commande 12", ""),
    ("number", "commande au 0612345678", ""),
    ("number", "référence : 0612345678", ""),
    ("number", "facture du 2026-11-24", ""),
    ("name", "l'élève Élève_001 et sa mère Personne_002", "Élève_001"),
    ("name", "Jean Martin", ""),
    ("name", "Organisation_001, Email_001, Personne_1", ""),
    ("text", "message « Erreur 12 »", ""),
]


@pytest.mark.parametrize(("kind", "text", "value"), FOUND)
def test_patterns_find_what_is_surely_a_value_and_nothing_else(kind: str, text: str, value: str) -> None:
    assert find(kind, text) == value


def test_fields_of_one_kind_get_the_values_in_their_order() -> None:
    asked = {"from": "date", "to": "date", "then": "date"}
    assert find_fields(asked, "du 12/10/2026 au 14/10/2026, soit le 12 octobre 2026") == (
        ("from", "2026-10-12"),
        ("to", "2026-10-14"),
    )


# --- said by a judge -------------------------------------------------------------------------------------------

TEXT = (
    "Bonjour, Élève_001 (sixième A, puis seconde) voit « Erreur 12 : accès\nrefusé » depuis le 24 novembre sur Edge et "
    "Windows 11, version 4.2. Facture 987654, tél. 06 12 34 56 78, <b>gras</b> https://x.example/a"
)


@pytest.mark.parametrize(
    ("kind", "said", "value"),
    [
        ("name", "Élève_001", "Élève_001"),
        ("name", "E\u0301le\u0300ve_001", "Élève_001"),
        ("date", "24 novembre", "--11-24"),
        ("date", "--11-24", "--11-24"),
        ("date", "2026-11-24", "--11-24"),
        ("class", "6e A", "6e A"),
        ("class", "6ème", "6e"),
        ("class", "Seconde", "2de"),
        ("version", "4.2", "4.2"),
        ("version", "version 4.2", "4.2"),
        ("platform", "edge", "Edge"),
        ("platform", "Windows", "Windows"),
        ("platform", " Windows\u200b 11 ", "Windows 11"),
        ("number", "987654", "987654"),
        ("text", "Erreur 12 : accès refusé", "Erreur 12 : accès refusé"),
        ("text", "erreur 12  : ACCES REFUSE", "erreur 12 : ACCES REFUSE"),
    ],
)
def test_what_stands_in_the_text_is_taken_in_one_spelling(kind: str, said: str, value: str) -> None:
    assert check(kind, said, TEXT) == value


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("name", "Jean Martin"),
        ("name", "Bonjour"),
        ("name", "Élève_002"),
        ("name", "Organisation_001"),
        ("date", "2026-11-25"),
        ("date", "24/12"),
        ("date", "hier"),
        ("class", "5e"),
        ("class", "6e B"),
        ("class", "Erreur"),
        ("version", "4.2.1"),
        ("version", "12 : 4.2"),
        ("platform", "Windows 10"),
        ("platform", "Windows 1"),
        ("platform", "Firefox"),
        ("number", "98765"),
        ("number", "12"),
        ("number", "0612345678"),
        ("number", "06 12 34 56 78"),
        ("text", "Erreur 12 : accès autorisé"),
        ("text", "rreur 12"),
        ("text", "<b>gras</b>"),
        ("text", "https://x.example/a"),
        ("text", "…"),
        ("text", ""),
        ("text", TEXT[:81]),
        ("text", "<script>alert(1)</script>"),
        ("unheard of", "Erreur 12"),
    ],
)
def test_what_is_invented_or_of_another_form_is_dropped(kind: str, said: str) -> None:
    assert check(kind, said, TEXT) == ""


def test_a_phrase_is_short() -> None:
    text = "mot " * 40
    assert check("text", ("mot " * 20).strip(), text) == ("mot " * 20).strip()
    assert check("text", ("mot " * 21).strip(), text) == ""


def test_what_was_not_asked_for_is_dropped() -> None:
    said = {"platform": "Windows 11", "iban": "FR76", "number": "987654"}
    assert check_fields(said, {"platform": "platform"}, TEXT) == (("platform", "Windows 11"),)
    assert check_fields(said, {}, TEXT) == ()


# --- whatever is said ------------------------------------------------------------------------------------------

ASKED = {kind: kind for kind in KINDS}
WORDS = """24 11 2026 novembre may Élève_001 4e ème B CM2 Year 7 v 4.2 .1 Windows iPad Chrome facture n° FA - / : , . 06
é ( [ * <script>"""
PIECES = st.sampled_from([*WORDS.split(), "\u0301", "\u200b", "\x00", "\ud800"])
TEXTS = st.lists(PIECES | st.text(max_size=5), max_size=25).map(" ".join) | st.text(max_size=200)


def digits(text: str) -> list[str]:
    return [letter for letter in draw_bare(text) if letter.isdigit()]


@settings(max_examples=400, deadline=None, derandomize=True)
@given(TEXTS)
def test_whatever_is_found_is_found_again_by_its_own_check(text: str) -> None:
    for name, value in find_fields(ASKED, text):
        assert check_fields({name: value}, ASKED, text) == ((name, value),)
        assert set(digits(value)) - {"0"} <= set(digits(text)) or name in ("date", "class")


@settings(max_examples=400, deadline=None, derandomize=True)
@given(TEXTS, TEXTS)
def test_a_value_stands_in_the_text_or_is_dropped(said: str, text: str) -> None:
    for name, value in check_fields(dict.fromkeys(ASKED, said), ASKED, text):
        assert check_fields({name: said}, ASKED, "") == ()
        assert value
        if name in ("name", "number", "text"):
            assert draw_bare(value).lower() in draw_bare(text).lower()


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece", ["1", "1.", "1-", "a1-", "le 1/", "Windows 1.", "Élève_0", "n° ", "facture ", "6e ", " "]
)
def test_a_long_text_is_searched_all_the_same(piece: str) -> None:
    text = piece * 50_000
    assert dict(find_fields(ASKED, text)).get("name") is None
    assert check_fields(dict.fromkeys(ASKED, piece * 10), ASKED, text) is not None
