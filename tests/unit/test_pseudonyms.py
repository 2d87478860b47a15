"""Nothing that names a person leaves; everything comes back to the letter."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.mail import Address
from desk.pseudonyms import PATTERNS, Pattern, hide_people, show_people

PEOPLE = (
    Address("Hélène Marchand-Le Goff", "h@school.example"),
    Address("", "x@y.example"),
    Address("Al Wu", "al@y.example"),
)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("Écrivez à h.m+x@school.example.", "Écrivez à EMAIL_1."),
        ("<mailto:h@school.example>", "<mailto:EMAIL_1>"),
        ("voir ?u=h%40school.example&x=1", "voir ?u=EMAIL_1&x=1"),
        ("https://jean:secret@host.example/x", "https://LOGIN_1@host.example/x"),
        ("Tél. 06 12 34 56 78 ou 0612345678", "Tél. PHONE_1 ou PHONE_2"),
        ("+33 6 12 34 56 78, +33 (0)6.12.34.56.78", "PHONE_1, PHONE_2"),
        ("+44 20 7946 0958", "PHONE_1"),
        ("0044 20 7946 0958", "PHONE_1"),
        ("FR76 3000 6000 0112 3456 7890 189 svp", "IBAN_1 svp"),
        ("DE89370400440532013000", "IBAN_1"),
        ("GB82 WEST 1234 5698 7654 32", "IBAN_1"),
        ("NO93 8601 1117 947", "IBAN_1"),
        ("NIR 2 69 05 49 588 157 80", "NIR NIR_1"),
        ("SIRET 732 829 320 00074", "SIRET SIRET_1"),
        ("SIREN 732829320", "SIREN SIREN_1"),
        ("La Poste 35600000000001", "La Poste SIRET_1"),
        ("carte 4970 1000 0000 0154", "carte CARD_1"),
        ("Hélène Marchand-Le Goff", "PERSON_1"),
        ("HELENE et Hélène, Mme Marchand", "PERSON_1 et PERSON_2, Mme PERSON_3"),
        ("He\u0301le\u0300ne", "PERSON_1"),
        ("Goff, goff et Goff", "PERSON_1, PERSON_2 et PERSON_1"),
        ("Al Wu", "PERSON_1"),
        ("HÉLÈNE MARCHAND-LE GOFF", "PERSON_1"),
        ("x06 12 34 56 78 et 732829320x, 06 12 34 56 78", "x06 12 34 56 78 et 732829320x, PHONE_1"),
    ],
)
def test_what_names_a_person_is_hidden(text: str, hidden: str) -> None:
    assert hide_people(text, PEOPLE)[0] == hidden


@pytest.mark.parametrize(
    "text",
    [
        "Le ticket 2026-000123 du 10/11/2026 à 10:30",
        "version 2.4.1, erreur 0x80070005, port 8080",
        "DE00370400440532013000",  # checksum
        "732829321",  # checksum
        "SIRET 732 829 321 00075",  # checksum
        "marchandise, goffre et legoff",
        "Le tout, al dente",  # parts of two letters hide nothing
        "réf. AB12 CDEF",
        "https://host.example/@user",
        "150 000 000 euros pour 12 élèves",
    ],
)
def test_what_names_nobody_stays(text: str) -> None:
    assert hide_people(text, PEOPLE) == (text, {})


@pytest.mark.parametrize("row", PATTERNS, ids=lambda row: f"{row.kind} {PATTERNS.index(row)}")
def test_whatever_a_row_hides_bears_its_sign(row: Pattern) -> None:
    @settings(max_examples=200, deadline=None, derandomize=True, database=None)
    @given(st.from_regex(row.looks))
    def find_sign(text: str) -> None:
        taken = [match[0] for match in row.looks.finditer(text) if row.holds(match[0])]
        assert not taken or row.sign.search(text)

    find_sign()


@pytest.mark.parametrize(("name", "written"), [("Kılıç", "KILIÇ"), ("İsmail", "ismail"), ("Strauſs", "STRAUSS")])
def test_a_name_is_known_in_capitals_of_any_alphabet(name: str, written: str) -> None:
    assert hide_people(f"de {written}.", (Address(name, ""),))[0] == "de PERSON_1."


def test_one_writing_has_one_code() -> None:
    hidden, mapping = hide_people("a@x.example, b@x.example, a@x.example", ())
    assert hidden == "EMAIL_1, EMAIL_2, EMAIL_1"
    assert mapping == {"EMAIL_1": "a@x.example", "EMAIL_2": "b@x.example"}


def test_codes_that_the_writer_wrote_are_left_alone() -> None:
    hidden, mapping = hide_people("EMAIL_1 est a@x.example", ())
    assert hidden == "EMAIL_1 est EMAIL_2"
    assert show_people(hidden, mapping) == "EMAIL_1 est a@x.example"


def test_a_model_s_unknown_codes_stay_and_tenths_are_not_firsts() -> None:
    assert (
        show_people("PERSON_1, PERSON_10, PERSON_9", {"PERSON_1": "Jean", "PERSON_10": "Marc"})
        == "Jean, Marc, PERSON_9"
    )


WORDS = ["Hélène", "HÉLÈNE", "Marchand", ",", "_", "2", "é", " ", "\n", "%40", "https://", "a:b@"]
CODES = ["PERSON_1", "EMAIL_1", "LOGIN_1@x.example"]
DATA = ["h@school.example", "06 12 34 56 78", "+33612345678", "732829320", "FR7630006000011234567890189"]
PIECES = st.sampled_from([*WORDS, *CODES, *DATA])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(PIECES | st.text(max_size=4), max_size=12).map("".join))
def test_the_way_back_is_exact(text: str) -> None:
    hidden, mapping = hide_people(text, PEOPLE)
    assert show_people(hidden, mapping) == text
    assert all(original not in mapping for original in mapping.values())
