"""The language of a text: right on a line of a mail, undetermined rather than guessed."""

from __future__ import annotations

import csv
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.languages import KNOWN, UNDETERMINED, tell_language

EXAMPLES = Path(__file__).parents[2] / "classifiers" / "examples.csv"
LINES = {
    "fr": [
        "Bonjour, je n'arrive plus à me connecter",
        "Le mot de passe ne marche pas",
        "Où puis-je télécharger la facture ?",
        "Toujours rien, merci de faire vite",
        "Ça ne marche toujours pas",
    ],
    "en": [
        "I can't sign in any more",
        "The password does not work",
        "Where can I download the invoice?",
        "Still nothing, please hurry",
        "Thank you for your help",
    ],
    "de": [
        "Ich kann mich nicht mehr anmelden",
        "Das Passwort funktioniert nicht",
        "Jetzt geht es, vielen Dank",
        "Die Seite ist seit gestern leer",
    ],
    "es": [
        "Ya no puedo iniciar sesión",
        "¿Dónde puedo descargar la factura?",
        "Todavía nada, por favor dense prisa",
        "Gracias por su ayuda",
    ],
    "it": [
        "Non riesco più ad accedere",
        "Dove posso scaricare la fattura?",
        "Adesso funziona, grazie mille",
        "La pagina è bianca da ieri",
    ],
    "nl": [
        "Ik kan niet meer inloggen",
        "Het wachtwoord werkt niet",
        "Nog steeds niets, graag snel",
        "Bedankt voor uw hulp",
    ],
    "pt": [
        "Já não consigo iniciar sessão",
        "Onde posso descarregar a fatura?",
        "Já funciona, muito obrigado",
        "A página está em branco desde ontem",
    ],
}


@pytest.mark.parametrize(("language", "line"), [(language, line) for language in LINES for line in LINES[language]])
def test_one_line_is_enough(language: str, line: str) -> None:
    assert tell_language(line) == language


@pytest.mark.parametrize(
    "text",
    [
        "",
        "merci",
        "ok",
        "12345",
        "??? !!!",
        "FA-2026-118 https://example.org/fr/facture/compte jean@example.org C:\\Mes\\Documents",
        "Привет, пароль не работает",
        "你好，我的密码不能用了",
        "Hasło nie działa, proszę o pomoc",
        "Nie mogę się zalogować, proszę o nowe hasło",
        "\ud800",
    ],
)
def test_what_tells_nothing_is_undetermined(text: str) -> None:
    assert tell_language(text) == UNDETERMINED


def test_a_foreign_name_makes_no_foreign_text() -> None:
    assert tell_language("Bonjour, je suis Paweł Wójcik et je n'arrive plus à me connecter au carnet.") == "fr"


def test_half_a_letter_is_no_hindrance() -> None:
    assert tell_language("Le mot\ud800 de passe ne marche pas") == "fr"


def test_links_and_addresses_have_no_say() -> None:
    links = "https://example.org/your/account/is/not/working help@example.org " * 5
    assert tell_language(f"{links} Le lien ne marche pas, que dois-je faire ?") == "fr"


def test_composed_and_decomposed_letters_are_the_same() -> None:
    assert tell_language("E\u0301le\u0300ve bloque\u0301 apre\u0300s la mise a\u0300 jour") == "fr"


@pytest.mark.parametrize(
    ("known", "told"),
    [(("fr", "en"), "en"), (("en", "tlh", "fr", "fr"), "en"), (("tlh",), UNDETERMINED), ((), UNDETERMINED)],
)
def test_only_the_known_languages_are_told(known: tuple[str, ...], told: str) -> None:
    assert tell_language("I can't sign in any more", known) == told
    assert tell_language("Ich habe mein Passwort vergessen", known) != "de"


def test_a_language_beside_the_usual_ones_can_be_known() -> None:
    assert tell_language("Nie mogę się zalogować, proszę o nowe hasło", (*KNOWN, "pl")) == "pl"


def test_whole_mails_are_told_and_short_subjects_not_guessed() -> None:
    with EXAMPLES.open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["language"]) for row in csv.DictReader(file)]
    mails = [(tell_language(text), true) for text, true in rows]
    subjects = [(tell_language(text.partition("\n")[0]), true) for text, true in rows]
    assert sum(told == true for told, true in mails) > 0.99 * len(mails)
    assert sum(told not in (true, UNDETERMINED) for told, true in mails) < 0.002 * len(mails)
    assert sum(told not in (true, UNDETERMINED) for told, true in subjects) < 0.02 * len(subjects)
    assert sum(told == true for told, true in subjects) > 0.8 * len(subjects)


def test_many_threads_get_the_same_answers() -> None:
    lines = [line for known in LINES.values() for line in known] * 20
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(tell_language, lines)) == [tell_language(line) for line in lines]


def test_nothing_is_loaded_before_the_first_question() -> None:
    code = "import sys, desk.languages, classifiers.local; sys.exit('lingua' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_endless_text_is_told_by_its_beginning() -> None:
    assert tell_language("Le mot de passe ne marche pas. " * 40 + "The password does not work. " * 100_000) == "fr"


@given(st.text(max_size=300))
@settings(deadline=None)
def test_any_text_gets_an_answer(text: str) -> None:
    assert tell_language(text) in (*KNOWN, UNDETERMINED)
